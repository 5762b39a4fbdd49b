//! The access token: one for all requests, renewed before it ends, by one request at a time.

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::Method;
use hyper::body::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::{
    failure::Failure,
    transport::{Call, NoAnswer, Transport},
};
use crate::store::{Credentials, Source};

/// How long before its end a token is renewed: a request that is under way must not outlive it.
const AHEAD: Duration = Duration::from_secs(15);

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

    /// A token that holds for a while.
    pub(super) async fn get(&self, transport: &Transport) -> Result<Token, Failure> {
        // Whoever comes while it is being renewed waits for it, and shares in what comes of it.
        let came_at = Instant::now();
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
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let secret = Zeroizing::new(encoded(&secret));
        let body = Zeroizing::new(format!(
            "grant_type=client_credentials&client_id={}&client_secret={}",
            encoded(&id),
            *secret
        ));
        let call = Call {
            method: Method::POST,
            url: &self.url,
            authorization: None,
            body: Some((
                "application/x-www-form-urlencoded",
                Bytes::copy_from_slice(body.as_bytes()),
            )),
            timeout: self.timeout,
        };
        let answer = transport.send(call).await.map_err(|error| match error {
            NoAnswer::TimedOut => Failure::TimedOut(self.url.clone(), self.timeout.as_secs()),
            NoAnswer::Broken(cause) => Failure::Away(self.url.clone(), cause),
        })?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if answer.status.is_client_error() && answer.status != 429 {
            // Unknown client, wrong secret, no service account: all a matter of the credentials.
            let said = body["error_description"].as_str().or(body["error"].as_str());
            return Err(Failure::Unauthorized(said.unwrap_or("without a reason").into()));
        }
        if !answer.status.is_success() {
            return Err(Failure::of("the request for a token", answer.status, None, &body));
        }
        let malformed = || Failure::Malformed("the request for a token".into(), "no token".into());
        let token = body["access_token"].as_str().ok_or_else(malformed)?;
        let lives = Duration::from_secs(body["expires_in"].as_u64().unwrap_or(60));
        Ok(Token {
            header: Zeroizing::new(format!("Bearer {token}")),
            subject: subject(token).unwrap_or_default(),
            // One that lives shorter than that is renewed halfway.
            renewed_at: asked_at + lives.checked_sub(AHEAD).unwrap_or(lives / 2).max(lives / 2),
        })
    }
}

/// Whom a token speaks of. It comes straight from the server, so its signature says nothing more.
fn subject(token: &str) -> Option<String> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    claims["sub"].as_str().map(Into::into)
}
