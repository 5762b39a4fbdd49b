//! What can go wrong with a request, and what that is as an error of a store.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::Value;

use crate::store;

/// A request did not do what it was to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// Keycloak cannot be reached, or the connection broke: whether a write was done is not known.
    #[error("Keycloak at {0} gave no answer: {1}")]
    Away(String, String),
    /// It took too long: whether a write was done is not known.
    #[error("Keycloak at {0} gave no answer within {1} s")]
    TimedOut(String, u64),
    /// One request took too long, while Keycloak answers others.
    #[error("Keycloak did not end {0} within {1} s")]
    Slow(String, u64),
    /// Another realm is made or deleted.
    #[error(
        "Keycloak has been making or deleting another realm for {0} s, and does one at a time: this one comes after it"
    )]
    NotItsTurn(u64),
    /// Where Keycloak should be there is none.
    #[error("{0} is not there: look at the path in --store, and whether Keycloak runs")]
    Elsewhere(String),
    /// It has more to do than it can, or is just starting.
    #[error("Keycloak answered {0}: it is too busy, or just starting")]
    Busy(StatusCode, Option<Duration>),
    /// It sends elsewhere: its address is another one.
    #[error("Keycloak answered {0} with a redirection ({1}): look at scheme and path in --store")]
    Redirected(String, StatusCode),
    /// It does not know the operator.
    #[error(
        "Keycloak does not accept the operator's client id and secret ({0}): compare what --store-username-file and --store-password-file name with the client in the realm master"
    )]
    Unauthorized(String),
    /// The operator may not do this.
    #[error(
        "Keycloak forbids {0}: give the operator's service account the roles manage-realm, manage-users and manage-clients of that realm (docs/stores-keycloak.md)"
    )]
    Forbidden(String),
    /// What the request is about is not there.
    #[error("{0} is not there")]
    NotFound(String),
    /// Something of that name or id is there already, or came at the same moment.
    #[error("{0} is there already")]
    Conflict(String),
    /// The request is one that Keycloak will never take.
    #[error("Keycloak refuses {0}: {1}")]
    Refused(String, String),
    /// Something broke in Keycloak.
    #[error("Keycloak answered {0} with {1}: its log says more")]
    Broken(String, StatusCode),
    /// The answer is not what Keycloak's documentation says.
    #[error("what Keycloak answered {0} cannot be read: {1}")]
    Malformed(String, String),
}

impl Failure {
    /// What an answer says, other than that it was done. `what` is method and path, for messages.
    pub(super) fn of(what: &str, status: StatusCode, wait: Option<Duration>, body: &Value) -> Self {
        let what = what.to_owned();
        match status {
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_EARLY
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Self::Busy(status, wait),
            StatusCode::UNAUTHORIZED => Self::Unauthorized(said(body)),
            StatusCode::FORBIDDEN => Self::Forbidden(what),
            StatusCode::NOT_FOUND => Self::NotFound(what),
            StatusCode::CONFLICT => Self::Conflict(what),
            status if status.is_redirection() => Self::Redirected(what, status),
            status if status.is_client_error() => Self::Refused(what, said(body)),
            // What is too long is a 500 as well: lengths are checked before anything is sent, and of
            // the rest `broken` tells what passes.
            status => Self::Broken(what, status),
        }
    }

    /// Whether nothing was heard of Keycloak itself, or it asks to be left alone: others would fare no better.
    pub(super) fn is_away(&self) -> bool {
        match self {
            Self::Away(..) | Self::TimedOut(..) | Self::Elsewhere(_) => true,
            Self::Busy(status, Some(_)) => status.is_server_error(),
            _ => false,
        }
    }

    /// Whether it may be of all of Keycloak, or of one request alone.
    pub(super) fn may_be_of_all(&self) -> bool {
        match self {
            Self::TimedOut(..) | Self::Elsewhere(_) => true,
            Self::Busy(status, None) => status.is_server_error(),
            _ => false,
        }
    }

    /// The same, once it is known that Keycloak at this address answers nobody.
    pub(super) fn of_all(self, base: &str) -> Self {
        match self {
            Self::Busy(status, None) if status.is_server_error() => Self::Away(
                base.to_owned(),
                format!(
                    "it does not run, or is just starting: in its place something says {status}"
                ),
            ),
            failure => failure,
        }
    }

    /// The same, once it is known that Keycloak answers others. `what` is method and path, for messages, and this is
    /// how long it took.
    pub(super) fn of_one(self, what: &str, took: Duration) -> Self {
        let seconds = took.as_secs().max(1);
        match self {
            Self::TimedOut(_, seconds) => Self::Slow(what.to_owned(), seconds),
            // Who passes requests on waited for so long.
            Self::Busy(StatusCode::GATEWAY_TIMEOUT, None) => Self::Slow(what.to_owned(), seconds),
            Self::Elsewhere(_) => {
                Self::Malformed(what.to_owned(), "it is a 404, but not Keycloak's own".into())
            }
            failure => failure,
        }
    }

    /// Whether one request took long, and others need not.
    pub(super) const fn is_slow(&self) -> bool {
        matches!(self, Self::Slow(..))
    }

    /// Whether the same request may be sent again, once it is not asked to wait any more.
    pub(super) fn may_be_tried_again(&self, method: &Method) -> bool {
        match self {
            // It says that it has not done it.
            Self::Busy(StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, _) => true,
            // A write may have been done.
            Self::Busy(..) | Self::Away(..) | Self::Broken(..) => *method == Method::GET,
            _ => false,
        }
    }
}

/// What Keycloak says of an error, in one of the members in which it does.
pub(super) fn said(body: &Value) -> String {
    let members = ["errorMessage", "error_description", "error"];
    let said = members.iter().find_map(|name| body.get(name)?.as_str());
    said.unwrap_or("it gave no reason").chars().take(200).collect()
}

impl From<Failure> for store::Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(..) => Self::Refused(failure.to_string()),
            // What was read before is no longer so.
            Failure::NotFound(_) | Failure::Conflict(_) => Self::Raced,
            Failure::Broken(ref what, _) if !what.starts_with(Method::GET.as_str()) => {
                Self::Broken(failure.to_string())
            }
            Failure::Forbidden(_) => Self::Forbidden(failure.to_string()),
            // Credentials mend without any event that would tell: so by a timer.
            other => Self::Unavailable(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policy::{Class, Reason};

    #[test]
    fn every_answer_has_its_class() {
        let transient = (Class::Transient, Reason::StoreUnavailable);
        for (status, (class, reason)) in [
            (302, transient),
            (400, (Class::Terminal, Reason::RefusedByStore)),
            (401, transient),
            (403, (Class::Transient, Reason::ForbiddenByStore)),
            (404, (Class::Transient, Reason::StoreChanged)),
            (409, (Class::Transient, Reason::StoreChanged)),
            (408, transient),
            (413, (Class::Terminal, Reason::RefusedByStore)),
            (425, transient),
            (429, transient),
            (500, transient),
            (502, transient),
            (503, transient),
        ] {
            let body = json!({"errorMessage": "because"});
            let status = StatusCode::from_u16(status).unwrap();
            let failure = Failure::of("PUT /acme", status, None, &body);
            let error = store::Error::from(failure);
            assert_eq!((error.class(), error.reason()), (class, reason), "{status}: {error}");
        }
    }

    #[test]
    fn a_write_is_sent_again_only_where_it_was_not_done() {
        let away = Failure::Away("x".into(), "reset".into());
        assert!(away.may_be_tried_again(&Method::GET));
        assert!(!away.may_be_tried_again(&Method::POST));
        let busy = Failure::Busy(StatusCode::TOO_MANY_REQUESTS, Some(Duration::from_secs(3)));
        assert!(busy.may_be_tried_again(&Method::POST));
        let between = Failure::Busy(StatusCode::BAD_GATEWAY, None);
        assert!(between.may_be_tried_again(&Method::GET));
        assert!(!between.may_be_tried_again(&Method::PUT), "what stands in between does not know");
        let broken = Failure::Broken("x".into(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(broken.may_be_tried_again(&Method::GET));
        assert!(!broken.may_be_tried_again(&Method::PUT), "`broken` counts those");
        assert!(!Failure::NotFound("x".into()).may_be_tried_again(&Method::GET));
    }

    #[test]
    fn what_may_be_of_all_of_keycloak_is_told_apart() {
        let busy = |status, wait| Failure::Busy(StatusCode::from_u16(status).unwrap(), wait);
        let elsewhere = Failure::Elsewhere("x".into());
        for failure in [
            Failure::TimedOut("x".into(), 10),
            elsewhere.clone(),
            busy(502, None),
            busy(503, None),
            busy(504, None),
        ] {
            assert!(failure.may_be_of_all());
            assert!(failure.clone().of_all("x").is_away(), "{failure}");
            assert!(!failure.clone().of_one("GET /acme", Duration::ZERO).is_away(), "{failure}");
        }
        assert!(busy(504, None).of_one("GET /acme", Duration::from_secs(5)).is_slow());
        // It asks to be left alone, so nobody asks it whether it answers.
        let pause = Some(Duration::from_secs(3));
        assert!(busy(503, pause).is_away() && !busy(503, pause).may_be_of_all());
        for of_one in [busy(429, None), busy(429, pause), Failure::NotFound("x".into())] {
            assert!(!of_one.may_be_of_all() && !of_one.is_away(), "{of_one}");
        }
    }
}
