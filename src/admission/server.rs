//! The webhook's server: HTTPS, of which every part is bounded in size, number and time.

use std::{sync::Arc, time::Duration};

use axum::Router;
use futures::{FutureExt as _, pin_mut};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::TcpListener,
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{self, ServerConfig, crypto::ring},
};

use super::certificate::Serving;

/// How many connections may be open: an API server has a few, kept open.
const CONNECTIONS: usize = 256;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// How long a connection may be idle: longer than the API server keeps one.
const IDLE: Duration = Duration::from_mins(2);

/// How long what is under way may take when the operator is told to stop.
const LAST_WORK: Duration = Duration::from_secs(5);

/// TLS with the certificate that is served at the time.
pub fn tls(serving: Arc<Serving>) -> Result<TlsAcceptor, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(serving);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Answers until `stop` is done, then finishes what is under way.
pub async fn serve(
    listener: TcpListener,
    tls: TlsAcceptor,
    router: Router,
    stop: impl Future<Output = ()>,
) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let stop = stop.fuse();
    pin_mut!(stop);
    loop {
        let next = async {
            // It is never closed.
            let turn = connections.clone().acquire_owned().await.ok();
            listener.accept().await.map(|(stream, _)| (turn, stream))
        };
        let (turn, stream) = tokio::select! {
            () = &mut stop => break,
            next = next => match next {
                Ok(next) => next,
                Err(error) => {
                    // Such as too many open files: it may pass.
                    tracing::warn!(%error, "the webhook could not accept a connection");
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let (tls, router, watcher) = (tls.clone(), router.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _turn = turn;
            let Ok(Ok(stream)) = timeout(HANDSHAKE, tls.accept(stream)).await else { return };
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(IDLE)
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
            if let Err(error) = watcher.watch(connection).await {
                tracing::debug!(%error, "a connection to the webhook broke off");
            }
        });
    }
    drop(listener);
    // An error means that it took too long; the API server goes on without an answer.
    let _ = timeout(LAST_WORK, graceful.shutdown()).await;
}
