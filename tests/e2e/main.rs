//! End to end: the real operator on a real control plane, installed by the chart.
//!
//! `make test` starts the control plane; each test has a namespace, an operator
//! and a store of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::manual_assert,
    clippy::duration_suboptimal_units,
    clippy::single_match_else,
    missing_docs
)]

mod adoption;
mod attacks;
mod bundle;
mod burst;
mod chart;
mod chart_life;
mod chart_pod;
mod chart_values;
mod claims;
mod clock;
mod conflict;
mod deletion;
mod doctor;
mod documents;
mod drift;
mod examples;
mod gitops;
mod high_availability;
mod image;
mod jwks;
mod keycloak;
mod keystore;
mod kill;
mod metrics;
mod mutate;
mod namespace;
mod namespace_tenant;
mod outage;
mod outage_under_load;
mod own_rules;
mod password_canary;
mod pod_security;
mod postgres;
mod process;
mod profile;
mod quota;
mod retained;
mod rights;
mod rights_asked;
mod role;
mod role_composites;
mod same_tables;
mod scale;
mod schema;
mod seats;
mod stalled;
mod steady;
mod subscription;
mod support;
mod tenant;
mod uninstall;
mod user;
mod user_less;
mod user_password;
mod user_roles;
mod watched;
mod webhook;
mod webhook_both_ways;
mod webhook_certificate;
mod writes;
