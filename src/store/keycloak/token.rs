//! The access token: one for all requests, renewed before it ends, by one request at a time.

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{Method, StatusCode};
use hyper::body::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::{
    body::Secret,
    failure::{Failure, said},
    transport::{Call, NoAnswer, Transport},
};
use crate::store::{Credentials, Source};

/// How long before its end a token is renewed: a request that is under way must not outlive it.
const AHEAD: Duration = Duration::from_secs(15);
/// How long a token is used at most, whatever the answer says of it.
const LONGEST: Duration = Duration::from_hours(24);

/// The operator's client, where nobody names another one.
const CLIENT: &str = "keyreeve";
const NO_SECRET: &str =
    "there is none: give it by --store-password-file or KEYREEVE_STORE_PASSWORD";

/// The token in use.
pub(super) struct Tokens {
    url: String,
    credentials: Credentials,
    timeout: Duration,
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    token: Option<Token>,
    /// When the last attempt to get one failed, and why.
    failed: Option<(Instant, Failure)>,
}

#[derive(Clone)]
pub(super) struct Token {
    /// As the header `Authorization` has it.
    pub header: Zeroizing<String>,
    /// The operator's own id in Keycloak.
    pub subject: String,
    renewed_at: Instant,
}

impl Tokens {
    pub(super) fn new(base: &str, credentials: Credentials, timeout: Duration) -> Self {
        let url = format!("{base}/realms/master/protocol/openid-connect/token");
        Self { url, credentials, timeout, current: Mutex::default() }
    }

    /// A token that holds for a while. Whoever came while it was being renewed, or for a place before, shares in
    /// what comes of it.
    pub(super) async fn get(
        &self,
        transport: &Transport,
        came_at: Instant,
    ) -> Result<Token, Failure> {
        let mut current = self.current.lock().await;
        if let Some(token) =
            current.token.as_ref().filter(|token| Instant::now() < token.renewed_at)
        {
            return Ok(token.clone());
        }
        if let Some((at, failure)) = &current.failed
            && came_at < *at
        {
            return Err(failure.clone());
        }
        let fetched = self.fetch(transport).await;
        match &fetched {
            Ok(token) => *current = Current { token: Some(token.clone()), failed: None },
            Err(failure) => current.failed = Some((Instant::now(), failure.clone())),
        }
        fetched
    }

    /// Forgets a token that was refused, so that the next one is fetched with the secret as it is then.
    pub(super) async fn forget(&self, refused: &Token) {
        let mut current = self.current.lock().await;
        if current.token.as_ref().is_some_and(|token| token.header == refused.header) {
            current.token = None;
        }
    }

    /// Takes a token of another server's.
    #[cfg(test)]
    pub(super) async fn trust(&self, token: Token) {
        self.current.lock().await.token = Some(token);
    }

    /// The id and the secret of the operator's client, as they are now.
    async fn login(&self) -> Result<(Zeroizing<String>, Zeroizing<String>), Failure> {
        let Credentials { username, password } = self.credentials.clone();
        let read = move || {
            let id =
                username.as_ref().map_or_else(|| Ok(CLIENT.to_owned().into()), Source::read)?;
            let secret = password.as_ref().map(Source::read).transpose()?;
            secret.map(|secret| (id, secret)).ok_or_else(|| NO_SECRET.to_owned())
        };
        let read = tokio::task::spawn_blocking(read).await.map_err(|error| error.to_string());
        read.flatten().map_err(Failure::Unauthorized)
    }

    async fn fetch(&self, transport: &Transport) -> Result<Token, Failure> {
        let asked_at = Instant::now();
        let (id, secret) = self.login().await?;
        let call = Call {
            method: Method::POST,
            url: &self.url,
            authorization: None,
            body: Some(("application/x-www-form-urlencoded", form(&id, &secret))),
            timeout: self.timeout,
        };
        let answer = transport.send(call).await.map_err(|error| match error {
            NoAnswer::TimedOut => Failure::TimedOut(self.url.clone(), self.timeout.as_secs()),
            NoAnswer::Broken(cause) => Failure::Away(self.url.clone(), cause),
            NoAnswer::TooLong(bytes) => Failure::Malformed(
                "the request for a token".into(),
                format!("it is longer than {bytes} bytes"),
            ),
        })?;
        let body = Secret(serde_json::from_slice(&answer.body).unwrap_or_default());
        let body = &body.0;
        if let Some(failure) = refusal(&self.url, answer.status, answer.wait(), body) {
            return Err(failure);
        }
        let malformed = || Failure::Malformed("the request for a token".into(), "no token".into());
        let token = body["access_token"].as_str().ok_or_else(malformed)?;
        Ok(Token {
            header: Zeroizing::new(format!("Bearer {token}")),
            subject: subject(token).unwrap_or_default(),
            renewed_at: asked_at + renewed_after(body["expires_in"].as_u64().unwrap_or(60)),
        })
    }
}

/// The request for a token, wiped when it was sent.
fn form(id: &str, secret: &str) -> Bytes {
    let parts = [("grant_type=client_credentials&client_id=", id), ("&client_secret=", secret)];
    // Of its full size at once: what a growing one leaves behind is not wiped. An encoded byte has three.
    let longest = parts.iter().map(|(name, value)| name.len() + 3 * value.len()).sum();
    let mut body = Zeroizing::new(Vec::with_capacity(longest));
    for (name, value) in parts {
        body.extend_from_slice(name.as_bytes());
        for piece in utf8_percent_encode(value, NON_ALPHANUMERIC) {
            body.extend_from_slice(piece.as_bytes());
        }
    }
    Bytes::from_owner(body)
}

/// Why there is no token in an answer; none if there should be one.
fn refusal(url: &str, status: StatusCode, wait: Option<Duration>, body: &Value) -> Option<Failure> {
    match status {
        StatusCode::NOT_FOUND => Some(Failure::Elsewhere(url.to_owned())),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Some(Failure::of("the request for a token", status, wait, body))
        }
        // Unknown client, wrong secret, no service account: all a matter of the credentials.
        status if status.is_client_error() => Some(Failure::Unauthorized(said(body))),
        status if status.is_success() => None,
        status => Some(Failure::of("the request for a token", status, wait, body)),
    }
}

/// How long after it was asked for a token is renewed that lives for so many seconds. One that lives shorter than
/// twice `AHEAD` is renewed halfway.
fn renewed_after(lives: u64) -> Duration {
    let lives = Duration::from_secs(lives).min(LONGEST);
    lives.saturating_sub(AHEAD).max(lives / 2)
}

/// Whom a token speaks of. It comes straight from the server, so its signature says nothing more.
fn subject(token: &str) -> Option<String> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    claims["sub"].as_str().map(Into::into)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_is_renewed_before_it_ends() {
        for (lives, seconds) in
            [(60, 45), (300, 285), (30, 15), (20, 10), (0, 0), (86_400, 86_385), (u64::MAX, 86_385)]
        {
            assert_eq!(renewed_after(lives), Duration::from_secs(seconds), "{lives} s");
        }
    }

    #[test]
    fn an_id_and_a_secret_are_encoded_in_the_form() {
        let body = form("a b", "p&\u{e9}=");
        let text = "grant_type=client_credentials&client_id=a%20b&client_secret=p%26%C3%A9%3D";
        assert_eq!(body, text);
    }

    #[test]
    fn a_refusal_says_where_to_look() {
        let of = |status, body| {
            let wait = Some(Duration::from_secs(3));
            refusal("https://x/token", StatusCode::from_u16(status).unwrap(), wait, &body)
        };
        assert_eq!(of(200, json!({})), None);
        let elsewhere = of(404, json!({"error": "unknown"})).unwrap().to_string();
        assert!(elsewhere.contains("path in --store"), "{elsewhere}");
        let long = json!({"error": "e", "error_description": "d".repeat(1000)});
        assert_eq!(of(401, long), Some(Failure::Unauthorized("d".repeat(200))));
        for status in [429, 503] {
            let busy = of(status, json!({})).unwrap();
            let wait = Some(Duration::from_secs(3));
            assert!(matches!(&busy, Failure::Busy(_, asked) if *asked == wait), "{busy:?}");
            assert!(busy.may_be_tried_again(&Method::POST));
        }
    }
}
