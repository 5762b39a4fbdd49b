//! How long things may take: nothing here waits for ever.

use std::time::Duration;

/// The longest that each thing may take. Tests that show what happens then have shorter ones.
#[derive(Clone, Copy, Debug)]
pub(in crate::store::sql) struct Timeouts {
    /// How long a call waits for a connection, be it busy or still to be made.
    pub(in crate::store::sql) acquire: Duration,
    /// How long PostgreSQL lets a statement take.
    pub(in crate::store::sql) statement: Duration,
    /// How long PostgreSQL may keep silent: longer than it lets a statement take, so it is the network or the
    /// machine that is at fault.
    pub(in crate::store::sql) answer: Duration,
    /// How long a statement waits for a lock that another session holds.
    pub(in crate::store::sql) lock: Duration,
    /// How long PostgreSQL keeps a transaction of which it hears nothing: less than a leader's lease, so that the
    /// next leader does not wait for one that was stopped in the middle.
    pub(in crate::store::sql) idle: Duration,
    /// How long a connection may take to show that it lives, when it is returned and when it is taken again.
    pub(in crate::store::sql) ping: Duration,
    /// How long it may take to find out why there is no connection.
    pub(in crate::store::sql) probe: Duration,
}

impl Timeouts {
    /// Those of the operator.
    pub(in crate::store::sql) const USUAL: Self = Self {
        acquire: Duration::from_secs(5),
        statement: Duration::from_secs(15),
        answer: Duration::from_secs(20),
        lock: Duration::from_secs(2),
        idle: Duration::from_secs(10),
        ping: Duration::from_secs(2),
        probe: Duration::from_secs(2),
    };
}
