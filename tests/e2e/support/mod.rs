//! What the tests share: a namespace of one's own on the real control plane, the
//! real operator as a process with the chart's ServiceAccount, and ways to wait.

mod audit;
mod cluster;
mod database;
mod operator;
mod space;

pub use audit::Audit;
pub use cluster::Cluster;
pub use database::Database;
pub use operator::Operator;
pub use space::{Conditions, Space, is_current, until, until_gone};

use std::{env, time::Duration};

/// How long anything may take that is awaited. Generous: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A value that `dev/with-cluster.sh` sets.
pub fn setting(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: these tests need a control plane, run them with `make test`")
    })
}
