//! The same objects with the webhook and without: what it takes ends the same, and what it refuses is Stalled with
//! the same sentence where it is off.

use std::collections::BTreeMap;

use futures::join;
use keyreeve::api::{Namespace, Role, Tenant, User};
use kube::{Api, core::ApiResource, core::DynamicObject};
use serde_json::{Value, json};

use crate::support::{Hook, Operator, Space, until};

/// What becomes of an object in the end.
#[derive(Clone, Copy, Debug)]
enum End {
    /// It is well.
    Ready,
    /// It is taken, and not Ready for this reason.
    Waits(&'static str),
    /// It is refused, and Stalled `InvalidSpec` or for this reason where nobody refuses it.
    Refused(&'static str),
}

use End::{Ready, Refused, Waits};

/// Objects in the order in which they come: kind, name, spec, and what becomes of them.
fn objects() -> Vec<(&'static str, &'static str, Value, End)> {
    let member = |more: Value| {
        let mut spec = json!({"tenantRef": {"name": "acme"}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    let user = |name, more, end| ("User", name, member(more), end);
    let role = |name, more, end| ("Role", name, member(more), end);
    let secret = |name: &str| json!({"password": {"secretKeyRef": {"name": name}}});
    let elsewhere = json!({"tenantRef": {"name": "acme", "namespace": "elsewhere"}});
    let mut deep = json!(1);
    for _ in 0..9 {
        deep = json!([deep]);
    }
    vec![
        ("Tenant", "acme", json!({"keystore": {"algorithm": "ES256"}}), Ready),
        ("Tenant", "second", json!({"tenantId": "acme"}), Waits("Conflict")),
        ("Namespace", "sales", member(json!({})), Ready),
        ("Namespace", "nowhere", json!({"tenantRef": {"name": "nobody"}}), Waits("TenantNotFound")),
        role("clerk", json!({"namespaceRef": {"name": "sales"}}), Ready),
        role("boss", json!({"composites": [{"name": "clerk"}]}), Ready),
        role("itself", json!({"composites": [{"name": "itself"}]}), Refused("RoleCycle")),
        role("early", json!({"composites": [{"name": "late"}]}), Waits("RoleNotFound")),
        role("placed", json!({"namespaceRef": {"name": "late"}}), Waits("NamespaceNotFound")),
        role("double", json!({"name": "boss"}), Waits("Conflict")),
        user(
            "ada",
            json!({"username": "Ada", "roles": [{"name": "boss"}], "claims": {"a": [{"b": 1}]}}),
            Ready,
        ),
        user("twice", json!({"username": "ａＤＡ"}), Waits("Conflict")),
        user("heart", json!({"username": "a♥b"}), Refused("InvalidSpec")),
        user("long", json!({"username": "İ".repeat(128)}), Refused("InvalidSpec")),
        user("dotted", json!({"email": "ada@example.com."}), Refused("InvalidSpec")),
        user("null", json!({"claims": {"a": {"b": null}}}), Refused("InvalidSpec")),
        user("deep", json!({"claims": {"a": deep}}), Refused("InvalidSpec")),
        user("large", json!({"claims": {"a": "x".repeat(40_000)}}), Refused("InvalidSpec")),
        user("nameless", secret("a..b"), Refused("InvalidSpec")),
        user(
            "several",
            json!({"username": "a♥b", "email": "ada@example.com."}),
            Refused("InvalidSpec"),
        ),
        user("waits", secret("later"), Waits("PasswordSecretMissing")),
        user("holds", json!({"roles": [{"name": "late"}]}), Waits("RoleNotFound")),
        ("User", "foreign", elsewhere, Waits("NotAllowed")),
    ]
}

impl Space {
    fn of_kind(&self, kind: &str) -> Api<DynamicObject> {
        let kind = match kind {
            "Tenant" => ApiResource::erase::<Tenant>(&()),
            "Namespace" => ApiResource::erase::<Namespace>(&()),
            "Role" => ApiResource::erase::<Role>(&()),
            _ => ApiResource::erase::<User>(&()),
        };
        Api::namespaced_with(self.client.clone(), &self.namespace, &kind)
    }

    /// Waits until Ready has this reason, and answers all conditions without times.
    async fn ends(&self, kind: &str, name: &str, reason: &str) -> Value {
        let is_so = |object: &DynamicObject| {
            let conditions = object.data["status"]["conditions"].as_array();
            let ready = conditions.and_then(|all| all.iter().find(|one| one["type"] == "Ready"));
            ready.is_some_and(|ready| {
                ready["reason"] == reason
                    && ready["observedGeneration"] == json!(object.metadata.generation)
            })
        };
        let object = until(self.of_kind(kind), name, reason, is_so).await;
        let mut conditions = object.data["status"]["conditions"].clone();
        for condition in conditions.as_array_mut().unwrap() {
            condition.as_object_mut().unwrap().remove("lastTransitionTime");
        }
        let text = conditions.to_string().replace(&self.namespace, "NAMESPACE");
        serde_json::from_str(&text).unwrap()
    }
}

/// Ready's message.
fn message(conditions: &Value) -> &str {
    let mut all = conditions.as_array().unwrap().iter();
    all.find(|one| one["type"] == "Ready").unwrap()["message"].as_str().unwrap()
}

#[tokio::test]
async fn with_the_webhook_and_without_all_ends_the_same() {
    let (with, without) = join!(Space::new("both-with"), Space::new("both-without"));
    let hook = Hook::install(&with).await;
    let _operators = (hook.answers(&with).await, Operator::start(&without));
    let mut refusals = BTreeMap::new();
    for (kind, name, spec, end) in objects() {
        assert_eq!(without.apply(kind, name, spec.clone(), false).await.code, 201, "{name}");
        let answer = with.apply(kind, name, spec, false).await;
        let is_refused = matches!(end, Refused(_));
        assert_eq!(answer.code, if is_refused { 422 } else { 201 }, "{name}: {answer:?}");
        if let Some((_, sentence)) = answer.message().split_once("denied the request: ") {
            refusals.insert(name, sentence.to_owned());
        }
        // What decides by age is of another second, or by the mark that is there.
        if matches!(end, Ready) {
            join!(with.ends(kind, name, "Synced"), without.ends(kind, name, "Synced"));
        }
    }
    for (kind, name, _, end) in objects() {
        let reason = match end {
            Ready => "Synced",
            Waits(reason) | Refused(reason) => reason,
        };
        let alone = without.ends(kind, name, reason).await;
        if let Refused(_) = end {
            assert_eq!(message(&alone), refusals[name], "{name}");
            assert!(alone.to_string().contains("\"Stalled\""), "{name}: {alone}");
            assert!(with.of_kind(kind).get_opt(name).await.unwrap().is_none(), "{name}");
        } else {
            assert_eq!(with.ends(kind, name, reason).await, alone, "{name}");
        }
    }
    let (mut with, mut without) = (with.database().await, without.database().await);
    for (one, other) in [
        (with.users().await, without.users().await),
        (with.roles().await, without.roles().await),
        (with.grants().await, without.grants().await),
        (with.composites().await, without.composites().await),
        (with.namespaces().await, without.namespaces().await),
    ] {
        assert!(!one.is_empty());
        assert_eq!(one, other);
    }
}
