//! Asks the API server and the local check about objects, and compares.

use axum::http::Request;
use futures::{StreamExt, stream};
use keyreeve::api::{Namespace, Role, Tenant, TenantProfile, User, validation};
use serde_json::Value;

use super::samples::KINDS;
use crate::support::Space;

/// What must come of a case.
#[derive(Clone, Debug, PartialEq)]
pub enum Expect {
    Accepted,
    /// With a message that contains this, and a violation found here whose path begins so.
    Refused(String),
    /// Refused with these two texts in the message.
    RefusedSaying(String, String),
    /// Either, if both say the same and a refusal names the field.
    Either(String),
    /// Either, if both say the same.
    Anything,
}

/// An object to create, or to put in the place of another one.
#[derive(Clone, Debug)]
pub struct Case {
    pub what: String,
    pub object: Value,
    pub old: Option<Value>,
    pub expect: Expect,
}

/// Where the local check may differ from the server.
type Excuse = fn(&Case) -> bool;

impl Case {
    pub fn accepted(what: impl Into<String>, object: Value) -> Self {
        Self { what: what.into(), object, old: None, expect: Expect::Accepted }
    }

    pub fn refused(what: impl Into<String>, path: &str, object: Value) -> Self {
        Self { what: what.into(), object, old: None, expect: Expect::Refused(path.into()) }
    }
}

/// What the server answers to a dry run: the object as it would be stored, or the code and the reason.
pub async fn ask(space: &Space, object: &Value, is_update: bool) -> Result<Value, (u16, String)> {
    let kind = object["kind"].as_str().unwrap();
    let plural = KINDS.iter().find(|(name, _)| *name == kind).unwrap().1;
    let mut path = format!("/apis/keyreeve.dev/v1alpha1/namespaces/{}/{plural}", space.namespace);
    if is_update {
        path = format!("{path}/{}", object["metadata"]["name"].as_str().unwrap());
    }
    let request = Request::builder()
        .method(if is_update { "PUT" } else { "POST" })
        .uri(format!("{path}?dryRun=All&fieldValidation=Strict"))
        .header("Content-Type", "application/json")
        .body(object.to_string().into_bytes())
        .unwrap();
    space.client.request(request).await.map_err(|error| match error {
        kube::Error::Api(status) => (status.code, status.message.clone()),
        other => panic!("no answer: {other}"),
    })
}

/// Puts every case to the server and to the local check; lists what is not as it must be.
pub async fn judge(space: &Space, cases: Vec<Case>) {
    judge_but(space, cases, |_| false).await;
}

/// The same, where the local check may differ in some cases.
pub async fn judge_but(space: &Space, cases: Vec<Case>, excuse: Excuse) {
    let count = cases.len();
    let faults: Vec<_> = stream::iter(cases)
        .map(|case| async move {
            let answer = ask(space, &case.object, case.old.is_some()).await;
            fault(&case, &answer, excuse).map(|fault| {
                let mut object = case.object.to_string();
                if object.len() > 2000 {
                    object = object.chars().take(2000).collect();
                }
                let answer = answer.map(|_| "accepted".to_owned());
                format!("{}: {fault}\n  {object}\n  the server: {answer:?}", case.what)
            })
        })
        .buffer_unordered(8)
        .filter_map(std::future::ready)
        .collect()
        .await;
    let shown: Vec<_> = faults.iter().take(20).map(String::as_str).collect();
    assert!(faults.is_empty(), "{} of {count} are wrong:\n{}", faults.len(), shown.join("\n"));
}

fn fault(case: &Case, answer: &Result<Value, (u16, String)>, excuse: Excuse) -> Option<String> {
    let kind = case.object["kind"].as_str().unwrap();
    let local = validation::check(kind, &case.object, case.old.as_ref());
    if local.is_empty() != answer.is_ok() && !excuse(case) {
        return Some(format!("the local check says otherwise: {local:?}"));
    }
    match answer {
        Ok(stored) => {
            if let Err(error) = reads(kind, stored.clone()) {
                return Some(format!("accepted, and our types cannot read it: {error}"));
            }
            matches!(case.expect, Expect::Refused(_) | Expect::RefusedSaying(..))
                .then(|| "accepted".into())
        }
        Err((code, message)) => {
            if ![400, 422].contains(code) {
                return Some(format!("answered with {code}"));
            }
            let (path, also) = match &case.expect {
                Expect::Accepted => return Some("refused".into()),
                Expect::Anything => return None,
                Expect::Refused(path) | Expect::Either(path) => (path, ""),
                Expect::RefusedSaying(path, text) => (path, text.as_str()),
            };
            if !message.contains(path) || !message.contains(also) {
                return Some(format!("the message does not say {path:?} and {also:?}"));
            }
            let found = local.iter().any(|violation| {
                violation.path.starts_with(path) && violation.to_string().contains(also)
            });
            (!found && !excuse(case))
                .then(|| format!("the local check does not say {path:?} and {also:?}: {local:?}"))
        }
    }
}

/// Whether our types read what the server stores.
fn reads(kind: &str, stored: Value) -> serde_json::Result<()> {
    match kind {
        "Tenant" => serde_json::from_value::<Tenant>(stored).map(drop),
        "TenantProfile" => serde_json::from_value::<TenantProfile>(stored).map(drop),
        "Namespace" => serde_json::from_value::<Namespace>(stored).map(drop),
        "Role" => serde_json::from_value::<Role>(stored).map(drop),
        _ => serde_json::from_value::<User>(stored).map(drop),
    }
}
