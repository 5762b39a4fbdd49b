//! What the operator tells about itself: logs, metrics, health.

mod health;
mod logs;
mod metrics;
mod objects;
mod server;
mod store;
mod store_metrics;
mod webhook;

pub use health::Health;
pub use logs::{LogFormat, init as init_logs};
pub use metrics::{Metrics, ReconcileResult};
pub use objects::{KINDS, Objects};
pub use server::{BindError, listen, serve};
pub use store::Measured;
pub use store_metrics::StoreMetrics;
pub use webhook::{Verdict, WebhookMetrics};
