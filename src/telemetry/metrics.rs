//! Metrics, under the names and with the buckets that controller-runtime uses,
//! so that existing dashboards show them, and the store's own.

use std::{collections::HashSet, sync::Mutex, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::policy::Problem;

/// controller-runtime's buckets for the time of a reconcile, in seconds.
const RECONCILE_BUCKETS: [f64; 39] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9,
    1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 15.0, 20.0,
    25.0, 30.0, 40.0, 50.0,
];

/// How a reconcile ended, in controller-runtime's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(non_camel_case_types, missing_docs, reason = "the names are controller-runtime's")]
pub enum ReconcileResult {
    success,
    error,
    requeue_after,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByController {
    controller: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByResult {
    controller: &'static str,
    result: ReconcileResult,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByProblem {
    controller: &'static str,
    class: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByQueue {
    name: &'static str,
    controller: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStoreCall {
    store: &'static str,
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStoreOperation {
    store: &'static str,
    operation: &'static str,
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// Everything that is measured.
pub struct Metrics {
    registry: Registry,
    reconciles: Family<ByResult, Counter>,
    errors: Family<ByController, Counter>,
    problems: Family<ByProblem, Counter>,
    time: Histograms<ByController>,
    active: Family<ByController, Gauge>,
    adds: Family<ByQueue, Counter>,
    depth: Family<ByQueue, Gauge>,
    waiting: Mutex<HashSet<(&'static str, String)>>,
    store_calls: Family<ByStoreCall, Counter>,
    store_time: Histograms<ByStoreOperation>,
}

impl Default for Metrics {
    fn default() -> Self {
        let buckets: fn() -> Histogram = || Histogram::new(RECONCILE_BUCKETS);
        let mut metrics = Self {
            registry: Registry::default(),
            reconciles: Family::default(),
            errors: Family::default(),
            problems: Family::default(),
            time: Family::new_with_constructor(buckets),
            active: Family::default(),
            adds: Family::default(),
            depth: Family::default(),
            waiting: Mutex::default(),
            store_calls: Family::default(),
            store_time: Family::new_with_constructor(buckets),
        };
        let registry = &mut metrics.registry;
        registry.register(
            "controller_runtime_reconcile",
            "Reconciles by result",
            metrics.reconciles.clone(),
        );
        registry.register(
            "controller_runtime_reconcile_errors",
            "Reconciles that failed",
            metrics.errors.clone(),
        );
        registry.register_with_unit(
            "controller_runtime_reconcile_time",
            "Time of a reconcile",
            Unit::Seconds,
            metrics.time.clone(),
        );
        registry.register(
            "controller_runtime_active_workers",
            "Reconciles under way",
            metrics.active.clone(),
        );
        registry.register("workqueue_adds", "Objects that were queued", metrics.adds.clone());
        registry.register(
            "workqueue_depth",
            "Objects that wait for a reconcile",
            metrics.depth.clone(),
        );
        registry.register(
            "keyreeve_problems",
            "Reconciles that ended with a problem, by class and reason",
            metrics.problems.clone(),
        );
        registry.register(
            "keyreeve_store_calls",
            "Calls to the store by operation and outcome",
            metrics.store_calls.clone(),
        );
        registry.register_with_unit(
            "keyreeve_store_call_time",
            "Time of a call to the store",
            Unit::Seconds,
            metrics.store_time.clone(),
        );
        metrics
    }
}

impl Metrics {
    /// The metrics in the OpenMetrics text format.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// A controller starts: what it counts is there from the beginning, as zero.
    pub fn starts(&self, controller: &'static str) {
        let (by_controller, queue) =
            (ByController { controller }, ByQueue { name: controller, controller });
        drop(self.time.get_or_create(&by_controller));
        self.active.get_or_create(&by_controller).set(0);
        self.errors.get_or_create(&by_controller).inc_by(0);
        self.adds.get_or_create(&queue).inc_by(0);
        for result in
            [ReconcileResult::success, ReconcileResult::error, ReconcileResult::requeue_after]
        {
            self.reconciles.get_or_create(&ByResult { controller, result }).inc_by(0);
        }
    }

    /// An object was queued.
    pub fn queued(&self, controller: &'static str, object: &str) {
        let queue = ByQueue { name: controller, controller };
        self.adds.get_or_create(&queue).inc();
        if let Ok(mut waiting) = self.waiting.lock()
            && waiting.insert((controller, object.to_owned()))
        {
            self.depth.get_or_create(&queue).inc();
        }
    }

    /// A reconcile began.
    pub fn began(&self, controller: &'static str, object: &str) {
        if let Ok(mut waiting) = self.waiting.lock()
            && waiting.remove(&(controller, object.to_owned()))
        {
            self.depth.get_or_create(&ByQueue { name: controller, controller }).dec();
        }
        self.active.get_or_create(&ByController { controller }).inc();
    }

    /// A reconcile ended.
    pub fn ended(&self, controller: &'static str, result: ReconcileResult, time: Duration) {
        let by_controller = ByController { controller };
        self.active.get_or_create(&by_controller).dec();
        self.time.get_or_create(&by_controller).observe(time.as_secs_f64());
        self.reconciles.get_or_create(&ByResult { controller, result }).inc();
        if result == ReconcileResult::error {
            self.errors.get_or_create(&by_controller).inc();
        }
    }

    /// A reconcile ended with a problem.
    pub fn problem(&self, controller: &'static str, problem: &Problem) {
        let (class, reason) = (problem.class.as_str(), problem.reason.as_str());
        self.problems.get_or_create(&ByProblem { controller, class, reason }).inc();
    }

    /// A call to the store ended.
    pub fn store_call(
        &self,
        store: &'static str,
        operation: &'static str,
        outcome: &'static str,
        time: Duration,
    ) {
        self.store_calls.get_or_create(&ByStoreCall { store, operation, outcome }).inc();
        self.store_time
            .get_or_create(&ByStoreOperation { store, operation })
            .observe(time.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_existing_dashboards() {
        let metrics = Metrics::default();
        metrics.starts("tenant");
        metrics.queued("tenant", "a/b");
        metrics.queued("tenant", "a/b");
        metrics.began("tenant", "a/b");
        metrics.ended("tenant", ReconcileResult::success, Duration::from_millis(7));
        metrics.store_call("sqlite", "apply", "created", Duration::from_millis(1));
        let text = metrics.encode();
        for line in [
            "controller_runtime_reconcile_total{controller=\"tenant\",result=\"success\"} 1",
            "controller_runtime_reconcile_time_seconds_bucket{le=\"0.01\",controller=\"tenant\"} 1",
            "controller_runtime_reconcile_errors_total{controller=\"tenant\"} 0",
            "controller_runtime_active_workers{controller=\"tenant\"} 0",
            "workqueue_adds_total{name=\"tenant\",controller=\"tenant\"} 2",
            "workqueue_depth{name=\"tenant\",controller=\"tenant\"} 0",
            "keyreeve_store_calls_total{store=\"sqlite\",operation=\"apply\",outcome=\"created\"} 1",
        ] {
            assert!(text.contains(line), "{line}\nnot in\n{text}");
        }
    }
}
