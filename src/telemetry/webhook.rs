//! What the webhook counts, under the names and with the buckets that controller-runtime uses.

use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// Prometheus' own default buckets, which controller-runtime takes here, in seconds.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// What the webhook said of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(non_camel_case_types, missing_docs, reason = "they are written so in metrics")]
pub enum Verdict {
    allowed,
    warned,
    refused,
    /// It was no review that can be judged.
    rejected,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByVerdict {
    webhook: &'static str,
    code: u16,
    kind: &'static str,
    verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByWebhook {
    webhook: &'static str,
}

/// What the webhook counts.
pub struct WebhookMetrics {
    requests: Family<ByVerdict, Counter>,
    latency: Family<ByWebhook, Histogram, fn() -> Histogram>,
    /// By webhook, so that it is not there where there is none.
    expiry: Family<ByWebhook, Gauge>,
}

impl WebhookMetrics {
    /// Registers them.
    pub(super) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            latency: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            expiry: Family::default(),
        };
        registry.register(
            "controller_runtime_webhook_requests",
            "Admission reviews by kind of object, verdict and status code",
            metrics.requests.clone(),
        );
        registry.register_with_unit(
            "controller_runtime_webhook_latency",
            "Time of an admission review",
            Unit::Seconds,
            metrics.latency.clone(),
        );
        registry.register_with_unit(
            "keyreeve_webhook_certificate_expiry_timestamp",
            "When the certificate that the webhook serves ends, in seconds since 1970",
            Unit::Seconds,
            metrics.expiry.clone(),
        );
        metrics
    }

    /// The webhook serves a certificate that ends then.
    pub fn serves_until(&self, webhook: &'static str, end: Timestamp) {
        self.expiry.get_or_create(&ByWebhook { webhook }).set(end.as_second());
    }

    /// A review was answered; what was none has no kind.
    pub fn answered(
        &self,
        webhook: &'static str,
        code: u16,
        kind: &'static str,
        verdict: Verdict,
        time: Duration,
    ) {
        self.requests.get_or_create(&ByVerdict { webhook, code, kind, verdict }).inc();
        self.latency.get_or_create(&ByWebhook { webhook }).observe(time.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    #[test]
    fn names_are_those_of_existing_dashboards() {
        let metrics = Metrics::default();
        let time = Duration::from_millis(7);
        metrics.webhook.answered("/validate", 200, "User", Verdict::refused, time);
        metrics.webhook.serves_until("/validate", Timestamp::UNIX_EPOCH);
        let text = metrics.encode();
        for line in [
            "controller_runtime_webhook_requests_total{webhook=\"/validate\",code=\"200\",kind=\"User\",verdict=\"refused\"} 1",
            "controller_runtime_webhook_latency_seconds_bucket{le=\"0.01\",webhook=\"/validate\"} 1",
            "keyreeve_webhook_certificate_expiry_timestamp_seconds{webhook=\"/validate\"} 0",
        ] {
            assert!(text.contains(line), "{line}\nnot in\n{text}");
        }
    }
}
