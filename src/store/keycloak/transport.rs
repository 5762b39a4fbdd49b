//! One HTTP request and its answer, over TLS or, to loopback, without.

use std::{path::Path, time::Duration};

use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use jiff::{Timestamp, fmt::rfc2822};
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use zeroize::Zeroizing;

/// An answer is never longer: a page of a list is some megabytes.
const MAX_ANSWER: usize = 64 << 20;
/// Nor does one keep the operator away for longer: whoever asked for more may have changed its mind.
const MAX_WAIT: Duration = Duration::from_mins(5);

/// Sends requests over connections that are kept.
pub(super) struct Transport {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// A request.
pub(super) struct Call<'a> {
    pub method: Method,
    pub url: &'a str,
    /// The value of the header `Authorization`.
    pub authorization: Option<&'a str>,
    /// The media type, with the body.
    pub body: Option<(&'static str, Bytes)>,
    pub timeout: Duration,
}

/// What was answered.
pub(super) struct Raw {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Raw {
    /// How long it asks to wait before the next request (RFC 9110, 10.2.3): seconds, or until a date.
    pub(super) fn wait(&self) -> Option<Duration> {
        let said = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
        let wait = if let Ok(seconds) = said.parse() {
            Duration::from_secs(seconds)
        } else {
            let until = rfc2822::parse(said).ok()?.timestamp();
            // What is over already asks for no pause.
            Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default()
        };
        Some(wait.min(MAX_WAIT))
    }
}

/// Why there is no answer.
pub(super) enum NoAnswer {
    TimedOut,
    /// It has more bytes than this.
    TooLong(usize),
    Broken(String),
}

impl Transport {
    /// Trusts the certificates of the system, or those in a file and no others.
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Self, String> {
        let config = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let config = match ca_file {
            Some(path) => config.with_root_certificates(roots(path)?),
            None => config
                .with_native_roots()
                .map_err(|error| format!("the system's certificates cannot be read: {error}"))?,
        };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config.with_no_client_auth())
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(connector);
        Ok(Self { client })
    }

    pub(super) async fn send(&self, call: Call<'_>) -> Result<Raw, NoAnswer> {
        let mut request = Request::builder().method(call.method).uri(call.url);
        if let Some(authorization) = call.authorization {
            let mut value = header::HeaderValue::from_str(authorization)
                .map_err(|_| NoAnswer::Broken("the token cannot be sent".into()))?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        let (media_type, body) = call.body.unwrap_or(("application/json", Bytes::new()));
        let request = request
            .header(header::CONTENT_TYPE, media_type)
            .header(header::ACCEPT, "application/json")
            .body(Full::new(body))
            .map_err(|error| NoAnswer::Broken(error.to_string()))?;
        let answered = async {
            let answer = self.client.request(request).await;
            let answer = answer.map_err(|error| NoAnswer::Broken(cause(&error)))?;
            let (parts, body) = answer.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    NoAnswer::TooLong(MAX_ANSWER)
                } else {
                    NoAnswer::Broken(cause(&*error))
                }
            })?;
            Ok(Raw { status: parts.status, headers: parts.headers, body: body.to_bytes() })
        };
        match tokio::time::timeout(call.timeout, answered).await {
            Ok(answered) => answered,
            Err(_) => Err(NoAnswer::TimedOut),
        }
    }
}

/// The certificates in a file.
fn roots(path: &Path) -> Result<RootCertStore, String> {
    let unread = |error: String| format!("the CA file {} cannot be read: {error}", path.display());
    let pem = Zeroizing::new(std::fs::read(path).map_err(|error| unread(error.to_string()))?);
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| unread(error.to_string()))?;
        roots.add(certificate).map_err(|error| unread(error.to_string()))?;
    }
    if roots.is_empty() { Err(unread("there is no certificate in it".into())) } else { Ok(roots) }
}

/// The innermost cause: it is the one that says something.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_that_is_asked_for_has_an_end() {
        for (value, seconds) in [
            (" 3 ", Some(3)),
            ("0", Some(0)),
            ("18446744073709551615", Some(300)),
            ("Fri, 31 Dec 1999 23:59:59 GMT", Some(0)),
            ("Fri, 31 Dec 2100 23:59:59 GMT", Some(300)),
            ("soon", None),
        ] {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, value.parse().unwrap())]);
            let answer = Raw { status: StatusCode::OK, headers, body: Bytes::new() };
            assert_eq!(answer.wait(), seconds.map(Duration::from_secs), "{value}");
        }
    }
}
