//! Decisions, as pure functions over plain values, with the clock passed in.
//!
//! No I/O here: controllers resolve what a decision needs, call it, and apply
//! what it says. Whatever may be refused says so as a [`Problem`].

pub mod asked;
pub mod claim;
pub mod claims;
mod class;
pub mod composites;
pub mod effective;
pub mod election;
pub mod email;
pub mod fingerprint;
pub mod grant;
pub mod ledger;
pub mod limits;
pub mod next_rotation;
pub mod own_rules;
pub mod password;
mod precis;
mod reason;
pub mod rotation;
pub mod short_id;
pub mod state;
pub mod subscription;
pub mod username;

pub use class::{Class, Problem, Support};
pub use precis::Unfit;
pub use reason::Reason;
