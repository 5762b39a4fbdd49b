//! What is measured of the store.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::metrics::RECONCILE_BUCKETS;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStore {
    store: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCall {
    store: &'static str,
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOperation {
    store: &'static str,
    operation: &'static str,
}

/// What is measured of the store.
pub struct StoreMetrics {
    up: Family<ByStore, Gauge>,
    calls: Family<ByCall, Counter>,
    time: Family<ByOperation, Histogram, fn() -> Histogram>,
}

impl StoreMetrics {
    /// Registers them.
    pub(super) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            up: Family::default(),
            calls: Family::default(),
            time: Family::new_with_constructor(|| Histogram::new(RECONCILE_BUCKETS)),
        };
        registry.register(
            "keyreeve_store_up",
            "Whether the store could be reached when it was last asked, every 5 seconds: 1 or 0",
            metrics.up.clone(),
        );
        registry.register(
            "keyreeve_store_calls",
            "Calls to the store by operation and outcome",
            metrics.calls.clone(),
        );
        registry.register_with_unit(
            "keyreeve_store_call_time",
            "Time of a call to the store",
            Unit::Seconds,
            metrics.time.clone(),
        );
        metrics
    }

    /// Whether the store, of this kind, can be reached, and is still ours.
    pub fn is_up(&self, store: &'static str, is_up: bool) {
        self.up.get_or_create(&ByStore { store }).set(is_up.into());
    }

    /// Nobody here asks any more: another replica leads.
    pub fn is_left(&self, store: &'static str) {
        self.up.remove(&ByStore { store });
    }

    /// A call to the store ended.
    pub fn called(
        &self,
        store: &'static str,
        operation: &'static str,
        outcome: &'static str,
        time: Duration,
    ) {
        self.calls.get_or_create(&ByCall { store, operation, outcome }).inc();
        self.time.get_or_create(&ByOperation { store, operation }).observe(time.as_secs_f64());
    }
}
