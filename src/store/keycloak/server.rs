//! Keycloak's Admin REST API: requests with a token, few at a time, sent again where that helps.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use http::{Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::{
    Options,
    failure::Failure,
    realm_turn::{RealmTurn, Taken},
    retry_after::RetryAfter,
    slow_realms::SlowRealms,
    token::{Token, Tokens},
    transport::{Call, NoAnswer, Raw, Transport},
};
use crate::{leadership::Term, store::attempts::Attempts};

/// What stays as it is in a segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// How long an answer may take: less than a leader's lease, because Keycloak cannot fence. What is under way when
/// the leader's term ends is given up then, five seconds before another one can lead.
const TIMEOUT: Duration = Duration::from_secs(10);
/// For this part of it Keycloak may be away before nothing is sent again at once: a connection broke, or one server
/// takes over from another. Later each object says so instead, and leaves its place to the next.
const BLINK: u32 = 5;
/// Making and deleting a realm take seconds, and longer beside others.
const TIMEOUT_OF_REALMS: Duration = Duration::from_mins(1);
/// How long it may take to find out whether Keycloak answers others.
const TIMEOUT_OF_PROBE: Duration = Duration::from_secs(1);
/// How often a request is sent at most.
const ATTEMPTS: usize = 4;
/// Nobody waits longer for a server that is too busy: the object is tried again later.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// One Keycloak.
pub(super) struct Server {
    base: String,
    transport: Transport,
    tokens: Tokens,
    /// How long an answer may take, unless it is about a realm that is made or deleted.
    timeout: Duration,
    places: Semaphore,
    attempts: Attempts<Failure>,
    realms: SlowRealms,
    retry_after: RetryAfter,
    realm_turn: RealmTurn,
    requests: Requests,
    term: Term,
}

/// How many requests were answered well, but for those for a token.
#[derive(Debug, Default)]
pub(super) struct Requests {
    reads: AtomicU64,
    writes: AtomicU64,
}

impl Requests {
    /// Reads, then writes.
    #[cfg(test)]
    pub(super) fn both(&self) -> (u64, u64) {
        (self.reads.load(Ordering::Relaxed), self.writes.load(Ordering::Relaxed))
    }
}

impl Server {
    pub(super) fn new(options: &Options) -> Result<Self, String> {
        let base = options.base_url();
        Ok(Self {
            transport: Transport::new(options.ca_file.as_deref())?,
            tokens: Tokens::new(&base, options.credentials.clone(), TIMEOUT),
            base,
            timeout: TIMEOUT,
            places: Semaphore::new(options.concurrency.max(1)),
            attempts: Attempts::default(),
            realms: SlowRealms::new(options.concurrency),
            retry_after: RetryAfter::default(),
            realm_turn: RealmTurn::default(),
            requests: Requests::default(),
            term: options.term.clone(),
        })
    }

    /// The operator's own id in Keycloak: that of its service account.
    pub(super) async fn subject(&self) -> Result<String, Failure> {
        Ok(self.tokens.get(&self.transport, Instant::now()).await?.subject)
    }

    /// Held while a realm is made or deleted. Or what went wrong with Keycloak while this one waited; or that another one
    /// takes longer than requests should: then nobody waits, because there is other work to do.
    pub(super) async fn realm_turn(&self) -> Result<Taken<'_>, Failure> {
        let came = Instant::now();
        let turn = self.realm_turn.take(self.timeout).await;
        let turn = turn.map_err(|had| Failure::NotItsTurn(had.as_secs()))?;
        self.attempts.failed_since(came)?;
        Ok(turn)
    }

    #[cfg(test)]
    pub(super) async fn token(&self) -> Token {
        self.tokens.get(&self.transport, Instant::now()).await.unwrap()
    }

    #[cfg(test)]
    pub(super) async fn trust(&self, token: Token) {
        self.tokens.trust(token).await;
    }

    #[cfg(test)]
    pub(super) async fn forget(&self, token: &Token) {
        self.tokens.forget(token).await;
    }

    #[cfg(test)]
    pub(super) const fn wait_for(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    #[cfg(test)]
    pub(super) fn end_pause(&self) {
        self.retry_after.end();
    }

    #[cfg(test)]
    pub(super) const fn requests(&self) -> &Requests {
        &self.requests
    }

    /// What went wrong after this moment, if Keycloak is away or this realm slow since.
    pub(super) fn failed_since(&self, realm: &str, moment: Instant) -> Result<(), Failure> {
        self.attempts.failed_since(moment)?;
        self.realms.failed_since(realm, moment)
    }

    /// What there is to say without a request, while somebody finds out whether the realm is still slow.
    pub(super) fn told(&self, realm: &str) -> Result<(), Failure> {
        self.realms.told(realm)
    }

    /// Reads an object; none if it is not there.
    pub(super) async fn read(&self, path: &str) -> Result<Option<Value>, Failure> {
        match self.get(path).await? {
            Some(body) if !body.is_object() => Err(is_no(path, "object")),
            body => Ok(body),
        }
    }

    /// Reads a list of objects; nothing there is an empty one.
    pub(super) async fn list(&self, path: &str) -> Result<Vec<Value>, Failure> {
        match self.get(path).await? {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) if items.iter().all(Value::is_object) => Ok(items),
            Some(_) => Err(is_no(path, "list of objects")),
        }
    }

    /// Reads a number; none if what it counts is not there.
    pub(super) async fn count(&self, path: &str) -> Result<Option<u64>, Failure> {
        let body = self.get(path).await?;
        body.map(|body| body.as_u64().ok_or_else(|| is_no(path, "number"))).transpose()
    }

    async fn get(&self, path: &str) -> Result<Option<Value>, Failure> {
        match self.send(Method::GET, path, None).await {
            Ok(body) => Ok(Some(body)),
            Err(Failure::NotFound(_)) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.send(Method::POST, path, Some(body)).await
    }

    pub(super) async fn put(&self, path: &str, body: &Value) -> Result<(), Failure> {
        self.send(Method::PUT, path, Some(body)).await.map(|_| ())
    }

    /// Deletes; what is gone already is deleted. With a body it is a list of which Keycloak deletes nothing where
    /// one is gone.
    pub(super) async fn delete(&self, path: &str, body: Option<&Value>) -> Result<(), Failure> {
        match self.send(Method::DELETE, path, body).await {
            Ok(_) => Ok(()),
            Err(Failure::NotFound(_)) if body.is_none() => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// Sends a request about a path below `/admin/realms`.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let began = Instant::now();
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(LONGEST_WAIT)
            .with_max_times(ATTEMPTS - 1)
            .with_jitter()
            .build();
        let mut renewed = false;
        loop {
            if let Some((status, wait)) = self.retry_after.left(Instant::now()) {
                let is_long = began.elapsed().saturating_add(wait) > LONGEST_WAIT;
                if is_long || self.is_away_for_long() {
                    return Err(Failure::Busy(status, Some(wait)));
                }
                tokio::time::sleep(wait).await;
            }
            let is_sent = AtomicBool::new(false);
            let attempt = self.attempt(&method, path, body, &is_sent);
            let failure = match self.term.during(attempt).await {
                Err(ended) => return Err(Failure::Away(self.base.clone(), ended.to_string())),
                Ok(Ok((_, Ok(body)))) => return Ok(body),
                Ok(Ok((token, Err(Failure::Unauthorized(_))))) if !renewed => {
                    // The token was revoked, or the secret changed.
                    renewed = true;
                    self.tokens.forget(&token).await;
                    continue;
                }
                Ok(Ok((_, Err(failure))) | Err(failure)) => failure,
            };
            let may_be_tried_again = if is_sent.into_inner() {
                failure.may_be_tried_again(&method)
            } else {
                // Nobody has done any of it.
                failure.is_away() || failure.may_be_tried_again(&method)
            };
            let is_over = failure.is_away() && self.is_away_for_long();
            let pause = pauses.next().filter(|pause| {
                may_be_tried_again
                    && !is_over
                    && began.elapsed().saturating_add(*pause) <= LONGEST_WAIT
            });
            let Some(pause) = pause else { return Err(failure) };
            tokio::time::sleep(pause).await;
        }
    }

    /// Whether it is no longer likely to pass in a moment.
    fn is_away_for_long(&self) -> bool {
        self.attempts.failing_for().is_some_and(|time| time > self.timeout / BLINK)
    }

    /// Sends a request once, unless Keycloak is away or the realm slow, and somebody finds out whether it still is.
    /// What is answered comes with the token that it was sent with.
    async fn attempt(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        is_sent: &AtomicBool,
    ) -> Result<(Token, Result<Value, Failure>), Failure> {
        let came_at = Instant::now();
        // In a box: it is large, and held in all that wait for a request.
        let attempt = Box::pin(async {
            // The place comes first: a token must not grow old while waiting for one. It is never closed.
            let _place = self.places.acquire().await;
            if let Some((status, wait)) = self.retry_after.left(Instant::now()) {
                // That was said while this one waited.
                return Err(Failure::Busy(status, Some(wait)));
            }
            let token = self.tokens.get(&self.transport, came_at).await;
            let token = token.map_err(|failure| self.heard(failure).of_all(&self.base))?;
            is_sent.store(true, Ordering::Relaxed);
            match self.send_once(method, path, body, &token).await {
                Err(failure) if failure.is_away() || failure.is_slow() => Err(failure),
                answer => Ok((token, answer)),
            }
        });
        let attempt = self.attempts.make_telling(attempt, |failure| match failure {
            _ if failure.is_away() => Some(true),
            // It tells of one request, or of what others heard.
            Failure::Slow(..) | Failure::Busy(..) => None,
            _ => Some(false),
        });
        self.realms.ask(realm_of(path), attempt).await
    }

    /// Remembers for how long it asks to be left alone.
    fn heard(&self, failure: Failure) -> Failure {
        if let Failure::Busy(status, Some(wait)) = failure {
            self.retry_after.asked(status, wait, Instant::now());
        }
        failure
    }

    /// Whether Keycloak answers what costs it little: then what went wrong is of one request, and others need not
    /// suffer. A page of what stands before it is no answer of its own.
    async fn answers(&self) -> bool {
        let url = format!("{}/realms/master", self.base);
        let call = Call {
            method: Method::GET,
            url: &url,
            authorization: None,
            body: None,
            timeout: TIMEOUT_OF_PROBE,
        };
        let answer = self.transport.send(call).await;
        answer.is_ok_and(|answer| {
            !answer.status.is_server_error()
                && matches!(serde_json::from_slice(&answer.body), Ok(Value::Object(_)))
        })
    }

    async fn send_once(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        token: &Token,
    ) -> Result<Value, Failure> {
        let is_long = makes_or_deletes_a_realm(method, path);
        let timeout = if is_long { TIMEOUT_OF_REALMS } else { self.timeout };
        let url = format!("{}/admin/realms{path}", self.base);
        let body = body.map(|body| ("application/json", super::body::of(body)));
        let call = Call {
            method: method.clone(),
            url: &url,
            authorization: Some(&token.header),
            body,
            timeout,
        };
        // What is looked for may be personal: the query stays out of messages.
        let path = path.split('?').next().unwrap_or_default();
        let what = format!("{method} {path}");
        let began = Instant::now();
        let answer = self.transport.send(call).await.map_err(|error| match error {
            NoAnswer::TimedOut => Failure::TimedOut(self.base.clone(), timeout.as_secs()),
            NoAnswer::Broken(cause) => Failure::Away(self.base.clone(), cause),
            NoAnswer::TooLong(bytes) => {
                Failure::Malformed(what.clone(), format!("it is longer than {bytes} bytes"))
            }
        });
        let took = began.elapsed();
        match answer.and_then(|answer| understand(&what, &answer, &self.base)) {
            Ok(answered) => {
                let is_read = method == Method::GET;
                let counter = if is_read { &self.requests.reads } else { &self.requests.writes };
                counter.fetch_add(1, Ordering::Relaxed);
                Ok(answered)
            }
            Err(failure) if failure.may_be_of_all() => Err(if Box::pin(self.answers()).await {
                failure.of_one(&what, took)
            } else {
                failure.of_all(&self.base)
            }),
            Err(failure) => Err(self.heard(failure)),
        }
    }
}

/// The realm that a request is about. `path` is below `/admin/realms`.
fn realm_of(path: &str) -> &str {
    path.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default()
}

/// Whether a request may take long. `path` is below `/admin/realms`.
fn makes_or_deletes_a_realm(method: &Method, path: &str) -> bool {
    let is_realm = !path.trim_start_matches('/').contains('/');
    is_realm && matches!(*method, Method::POST | Method::DELETE)
}

/// A JSON document of another form than the documentation says.
fn is_no(path: &str, form: &str) -> Failure {
    Failure::Malformed(format!("GET {path}"), format!("it is no {form}"))
}

/// What an answer says.
fn understand(what: &str, answer: &Raw, base: &str) -> Result<Value, Failure> {
    let body = serde_json::from_slice::<Value>(&answer.body);
    if answer.status == StatusCode::NOT_FOUND && !matches!(body, Ok(Value::Object(_))) {
        // Keycloak's own are JSON. A proxy that finds no Keycloak says nothing of what is in it.
        return Err(Failure::Elsewhere(base.to_owned()));
    }
    if !answer.status.is_success() {
        return Err(Failure::of(what, answer.status, answer.wait(), &body.unwrap_or_default()));
    }
    match body {
        Ok(body) => Ok(body),
        Err(_) if answer.body.is_empty() || answer.status == StatusCode::NO_CONTENT => {
            Ok(Value::Null)
        }
        Err(error) => Err(Failure::Malformed(what.into(), error.to_string())),
    }
}

/// A path from its segments, each encoded.
pub(super) fn path(segments: &[&str]) -> String {
    segments.iter().fold(String::new(), |mut path, segment| {
        path.push('/');
        path.extend(utf8_percent_encode(segment, SEGMENT));
        path
    })
}

/// A value in a query.
pub(super) fn query(value: &str) -> String {
    utf8_percent_encode(value, SEGMENT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_making_and_deleting_a_realm_may_take_long() {
        for (method, path, may) in [
            (Method::POST, "", true),
            (Method::DELETE, "/acme", true),
            (Method::PUT, "/acme", false),
            (Method::GET, "/acme", false),
            (Method::POST, "/acme/users", false),
            (Method::DELETE, "/acme/users/1", false),
        ] {
            assert_eq!(makes_or_deletes_a_realm(&method, path), may, "{method} {path}");
        }
    }
}
