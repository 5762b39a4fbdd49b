//! The time of day, injected: tests turn it, the binary has no such switch.
//!
//! For what is declared in dates (subscriptions, key lifetimes) and time stamps
//! in status. Backoff, leases and time-outs use the monotonic clock.

use jiff::Timestamp;

/// Tells the time of day.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
