//! One of several operators leads: it alone writes, to the store and to Kubernetes.
//!
//! Who leads is held in a Lease, by [`Election`]; what to do next is decided in
//! [`crate::policy::election`]. Whoever leads has a [`Term`], which every request that could write goes by.
//! kube has no leader election, and the libraries that there are compare the clocks of two machines, or leave it to
//! their user to stop in time.

mod client;
mod election;
mod lease;
mod term;

pub use client::during;
pub use election::{Election, Place};
pub use term::{Ended, Term};
