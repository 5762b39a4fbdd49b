//! The HTTP endpoints: `/healthz` and `/readyz` on one address, `/metrics` on another.

use std::{
    future::Future,
    io::ErrorKind,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use axum::{Router, http::StatusCode, http::header::CONTENT_TYPE, routing::get};
use tokio::net::TcpListener;

use super::{Health, Metrics};

/// What Prometheus asks for.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} ({flag}): {source}. Choose another address, or {otherwise}")]
pub struct BindError {
    address: SocketAddr,
    flag: &'static str,
    source: std::io::Error,
    otherwise: &'static str,
}

/// Listens on both addresses (`None` switches one off) and answers until `stop` is done.
pub async fn serve(
    health_address: Option<SocketAddr>,
    metrics_address: Option<SocketAddr>,
    health: Health,
    metrics: Arc<Metrics>,
    stop: impl Future<Output = ()> + Clone + Send + 'static,
) -> Result<(), BindError> {
    let ready = health.clone();
    let probes = Router::new()
        .route(
            "/healthz",
            get(move || answer((!health.is_alive()).then_some("the loop does not turn"))),
        )
        .route("/readyz", get(move || answer(ready.missing())));
    let metrics = Router::new().route(
        "/metrics",
        get(move || async move { ([(CONTENT_TYPE, OPEN_METRICS)], metrics.encode()) }),
    );
    for (address, flag, router) in [
        (health_address, "--health-probe-bind-address", probes),
        (metrics_address, "--metrics-bind-address", metrics),
    ] {
        let Some(address) = address else { continue };
        let listener = listen(address, flag, "0 to switch it off").await?;
        let server = axum::serve(listener, router).with_graceful_shutdown(stop.clone());
        tokio::spawn(async move {
            if let Err(error) = server.await {
                tracing::warn!(%error, flag, "the server stopped");
            }
        });
    }
    Ok(())
}

/// Listens on an address, which a flag names; what to do otherwise is for the message.
///
/// Every address, `[::]`, is that of IPv4 alone on a machine without IPv6.
pub async fn listen(
    address: SocketAddr,
    flag: &'static str,
    otherwise: &'static str,
) -> Result<TcpListener, BindError> {
    let every = SocketAddr::from((Ipv6Addr::UNSPECIFIED, address.port()));
    let listener = match TcpListener::bind(address).await {
        Err(error) if address == every && error.kind() != ErrorKind::AddrInUse => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await
        }
        listener => listener,
    };
    listener.map_err(|source| BindError { address, flag, source, otherwise })
}

#[allow(clippy::unused_async, reason = "handlers are asynchronous")]
async fn answer(otherwise: Option<&'static str>) -> (StatusCode, &'static str) {
    otherwise
        .map_or((StatusCode::OK, "ok"), |otherwise| (StatusCode::SERVICE_UNAVAILABLE, otherwise))
}
