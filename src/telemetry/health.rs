//! Liveness and readiness.
//!
//! Ready means that the caches are filled, that the webhook, if there is one, has a
//! certificate, and that no other operator has taken the store over; one that is alone has also opened its store
//! once. Alive means that the loop turns. A store that is away makes neither fail: status says so instead, and a
//! restart would not help.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// A loop that has not turned for this long is dead.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the probes see.
#[derive(Clone, Debug)]
pub struct Health {
    started: Instant,
    ready: Arc<AtomicBool>,
    /// Whether there is a webhook that has no certificate yet.
    webhook_missing: Arc<AtomicBool>,
    /// Whether another operator has taken the store over.
    store_lost: Arc<AtomicBool>,
    /// Milliseconds from `started` to the last turn of the loop.
    beat: Arc<AtomicU64>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            ready: Arc::default(),
            webhook_missing: Arc::default(),
            store_lost: Arc::default(),
            beat: Arc::default(),
        }
    }
}

impl Health {
    /// The caches are filled; and the store is open, unless others stand by, too.
    pub fn set_ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
    }

    /// There is a webhook, and until it has a certificate the operator is not ready.
    pub fn needs_webhook(&self) {
        self.webhook_missing.store(true, Ordering::Relaxed);
    }

    /// The webhook listens and has a certificate.
    pub fn webhook_is_served(&self) {
        self.webhook_missing.store(false, Ordering::Relaxed);
    }

    /// Whether another operator has taken the store over from this one, which does no more until it leads anew.
    pub fn set_store_lost(&self, is_lost: bool) {
        self.store_lost.store(is_lost, Ordering::Relaxed);
    }

    /// What it is not ready for want of.
    #[must_use]
    pub fn missing(&self) -> Option<&'static str> {
        if self.store_lost.load(Ordering::Relaxed) {
            Some("another operator has taken the store over: the log says what to do")
        } else if !self.ready.load(Ordering::Relaxed) {
            Some(
                "the cluster has not answered yet, the caches are not filled yet, or the store was not opened yet",
            )
        } else if self.webhook_missing.load(Ordering::Relaxed) {
            Some("the webhook has no certificate yet: the log says why")
        } else {
            None
        }
    }

    /// Whether the loop turns.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let beat = Duration::from_millis(self.beat.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(beat) < PATIENCE
    }

    /// Turns with the runtime: what blocks every worker thread stops it.
    pub async fn beat(self) {
        let mut interval = tokio::time::interval(Duration::from_secs(1));
        loop {
            interval.tick().await;
            let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.beat.store(elapsed, Ordering::Relaxed);
        }
    }
}
