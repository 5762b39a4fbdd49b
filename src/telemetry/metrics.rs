//! Metrics, under the names and with the buckets that controller-runtime uses,
//! so that existing dashboards show them, and the store's own.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

use super::{
    objects::{Counted, Objects},
    store_metrics::StoreMetrics,
    webhook::WebhookMetrics,
};
use crate::policy::{Class, Problem};

/// controller-runtime's buckets for the time of a reconcile, in seconds.
pub(super) const RECONCILE_BUCKETS: [f64; 40] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9,
    1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 15.0, 20.0,
    25.0, 30.0, 40.0, 50.0, 60.0,
];

/// controller-runtime's buckets for times in the queue, in seconds.
const QUEUE_BUCKETS: [f64; 12] =
    [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1000.0];

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
struct Build {
    version: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByLease {
    name: String,
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// Everything that is measured.
pub struct Metrics {
    /// What the webhook counts.
    pub webhook: WebhookMetrics,
    /// What is measured of the store.
    pub store: StoreMetrics,
    objects: Counted,
    registry: Registry,
    reconciles: Family<ByResult, Counter>,
    errors: Family<ByController, Counter>,
    problems: Family<ByProblem, Counter>,
    time: Histograms<ByController>,
    active: Family<ByController, Gauge>,
    adds: Family<ByQueue, Counter>,
    depth: Family<ByQueue, Gauge>,
    retries: Family<ByQueue, Counter>,
    queue_time: Histograms<ByQueue>,
    work_time: Histograms<ByQueue>,
    most: Family<ByController, Gauge>,
    waiting: Mutex<HashMap<(&'static str, String), Instant>>,
    leads: Family<ByLease, Gauge>,
    unreadable: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let buckets: fn() -> Histogram = || Histogram::new(RECONCILE_BUCKETS);
        let queue_buckets: fn() -> Histogram = || Histogram::new(QUEUE_BUCKETS);
        let mut registry = Registry::default();
        let mut metrics = Self {
            webhook: WebhookMetrics::new(&mut registry),
            store: StoreMetrics::new(&mut registry),
            objects: Counted::default(),
            registry,
            reconciles: Family::default(),
            errors: Family::default(),
            problems: Family::default(),
            time: Family::new_with_constructor(buckets),
            active: Family::default(),
            adds: Family::default(),
            depth: Family::default(),
            retries: Family::default(),
            queue_time: Family::new_with_constructor(queue_buckets),
            work_time: Family::new_with_constructor(queue_buckets),
            most: Family::default(),
            waiting: Mutex::default(),
            leads: Family::default(),
            unreadable: Gauge::default(),
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
            "controller_runtime_max_concurrent_reconciles",
            "The most reconciles that may be under way",
            metrics.most.clone(),
        );
        registry.register(
            "workqueue_retries",
            "Objects that are tried again after a pause",
            metrics.retries.clone(),
        );
        registry.register_with_unit(
            "workqueue_queue_duration",
            "Time that an object waited for its reconcile",
            Unit::Seconds,
            metrics.queue_time.clone(),
        );
        registry.register_with_unit(
            "workqueue_work_duration",
            "Time that an object was worked on",
            Unit::Seconds,
            metrics.work_time.clone(),
        );
        registry.register(
            "keyreeve_problems",
            "Reconciles that ended with a problem, by class and reason",
            metrics.problems.clone(),
        );
        registry.register(
            "keyreeve_build",
            "The version of the operator",
            Info::new(Build { version: env!("CARGO_PKG_VERSION") }),
        );
        registry.register(
            "leader_election_master_status",
            "Whether this operator leads, by the name of the lease",
            metrics.leads.clone(),
        );
        registry.register(
            "keyreeve_unreadable_namespaces",
            "Watched namespaces that the operator cannot read, and so does not serve: gone, or without its Role",
            metrics.unreadable.clone(),
        );
        registry.register_collector(Box::new(metrics.objects.clone()));
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

    /// How the objects are counted, whenever somebody scrapes. Only the first word counts.
    pub fn objects_are_counted(&self, by: impl Fn() -> Objects + Send + Sync + 'static) {
        self.objects.by(by);
    }

    /// A controller starts: what it counts is there from the beginning, as zero.
    pub fn starts(&self, controller: &'static str, most: u16) {
        let (by_controller, queue) =
            (ByController { controller }, ByQueue { name: controller, controller });
        drop(self.time.get_or_create(&by_controller));
        self.active.get_or_create(&by_controller).set(0);
        self.most.get_or_create(&by_controller).set(most.into());
        self.retries.get_or_create(&queue).inc_by(0);
        self.depth.get_or_create(&queue).set(0);
        self.errors.get_or_create(&by_controller).inc_by(0);
        self.adds.get_or_create(&queue).inc_by(0);
        for result in
            [ReconcileResult::success, ReconcileResult::error, ReconcileResult::requeue_after]
        {
            self.reconciles.get_or_create(&ByResult { controller, result }).inc_by(0);
        }
    }

    /// A controller ends: what it has not come to waits no longer, and none of its reconciles may be under way.
    pub fn stops(&self, controller: &'static str) {
        if let Ok(mut waiting) = self.waiting.lock() {
            waiting.retain(|(of, _), _| *of != controller);
        }
        self.depth.get_or_create(&ByQueue { name: controller, controller }).set(0);
        self.most.get_or_create(&ByController { controller }).set(0);
    }

    /// Whether this operator leads, by the lease of this name; the metric is client-go's.
    pub fn leads(&self, lease: &str, leads: bool) {
        self.leads.get_or_create(&ByLease { name: lease.into() }).set(leads.into());
    }

    /// How many watched namespaces cannot be read.
    pub fn unreadable_namespaces(&self, number: usize) {
        self.unreadable.set(i64::try_from(number).unwrap_or(i64::MAX));
    }

    /// An object was queued.
    pub fn queued(&self, controller: &'static str, object: &str) {
        let queue = ByQueue { name: controller, controller };
        self.adds.get_or_create(&queue).inc();
        let Ok(mut waiting) = self.waiting.lock() else { return };
        waiting.entry((controller, object.to_owned())).or_insert_with(|| {
            self.depth.get_or_create(&queue).inc();
            Instant::now()
        });
    }

    /// A reconcile began; it is under way until what this answers is dropped.
    pub fn began(&self, controller: &'static str, object: &str) -> Active {
        let queue = ByQueue { name: controller, controller };
        let since = self
            .waiting
            .lock()
            .ok()
            .and_then(|mut waiting| waiting.remove(&(controller, object.to_owned())));
        if let Some(since) = since {
            self.depth.get_or_create(&queue).dec();
            self.queue_time.get_or_create(&queue).observe(since.elapsed().as_secs_f64());
        }
        let gauge = self.active.get_or_create(&ByController { controller }).clone();
        gauge.inc();
        Active(gauge)
    }

    /// An object went before its turn came.
    pub fn dropped(&self, controller: &'static str, object: &str) {
        drop(self.began(controller, object));
    }

    /// A reconcile ended.
    pub fn ended(&self, controller: &'static str, result: ReconcileResult, time: Duration) {
        let by_controller = ByController { controller };
        let queue = ByQueue { name: controller, controller };
        self.work_time.get_or_create(&queue).observe(time.as_secs_f64());
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
        if problem.class == Class::Transient {
            self.retries.get_or_create(&ByQueue { name: controller, controller }).inc();
        }
    }
}

/// A reconcile that is under way, however it ends.
#[must_use]
pub struct Active(Gauge);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
