//! The Keycloak store against the conformance suite, on a real Keycloak (dev/with-keycloak.sh).

mod backend;
mod beside;
mod busy;
mod costs;
mod disturbance;
mod failures;
mod faults;
mod hand;
mod links;
mod login;
mod neighbours;
mod outage;
mod realm_turn;
mod renamed;
mod requests;
mod slow_realm;
mod statuses;

use crate::store::conformance::conformance;

use backend::Keycloak;

conformance!(Keycloak);
