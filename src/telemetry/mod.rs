//! What the operator tells about itself: logs, metrics, health.

mod health;
mod logs;
mod metrics;
mod server;
mod store;
mod webhook;

pub use health::Health;
pub use logs::{LogFormat, init as init_logs};
pub use metrics::{Metrics, ReconcileResult};
pub use server::{BindError, listen, serve};
pub use store::Measured;
pub use webhook::{Verdict, WebhookMetrics};
