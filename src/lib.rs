//! Keyreeve: identity tenants as Kubernetes resources.
//!
//! The modules, from the top down; arrows between them point down only:
//! [`cli`] → [`controller`] → [`admission`], [`store`], [`keystore`], [`password`] → [`policy`] → [`api`].
//! [`telemetry`] stands beside them: the command starts it, the controllers feed it. [`secrets`] reads and makes the
//! Secrets of Kubernetes for whoever needs one. [`leadership`] says which of several operators leads, and until when:
//! the stores and the controllers go by it.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod admission;
pub mod api;
pub mod cli;
pub mod controller;
pub mod keystore;
pub mod leadership;
pub mod password;
pub mod policy;
pub mod secrets;
pub mod store;
pub mod telemetry;
