//! What is wrong with an object by itself and the API server takes all the same; and where Kubernetes has a rule
//! that ours repeats, that both are one.

use std::fmt::Debug;

use k8s_openapi::api::core::v1::Secret;
use keyreeve::{
    api::{Role, TenantProfile, User},
    policy::{Problem, Support, own_rules},
};
use kube::{Resource, api::PostParams, core::NamespaceResourceScope};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::support::Space;

/// A User of this name, with this beside its tenant.
fn user(name: &str, more: Value) -> User {
    let mut spec = json!({"tenantRef": {"name": "acme"}});
    if let (Value::Object(spec), Value::Object(more)) = (&mut spec, more) {
        spec.extend(more);
    }
    object(name, spec)
}

fn object<K>(name: &str, spec: Value) -> K
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
{
    let mut object = json!({
        "apiVersion": "keyreeve.dev/v1alpha1", "kind": K::kind(&()), "metadata": {"name": name},
    });
    object["spec"] = spec;
    serde_json::from_value(object).unwrap()
}

/// Whether the API server would take it.
async fn taken<K>(space: &Space, object: &K) -> Result<(), String>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned,
{
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    match space.api::<K>().create(&dry_run, object).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 422 => Err(status.message),
        Err(error) => panic!("no answer: {error}"),
    }
}

#[tokio::test]
async fn what_is_wrong_by_itself_passes_the_schema() {
    let space = Space::new("own-rules").await;
    let long = "a".repeat(253);
    let mut deep = json!(1);
    for _ in 0..8 {
        deep = json!([deep]);
    }
    for (user, says) in [
        (user(&long, json!({})), "metadata.name: is the username"),
        (user("a", json!({"username": "ada♥"})), "spec.username: must not contain '♥'"),
        (user("a", json!({"username": "İ".repeat(128)})), "spec.username: must have at most 128"),
        (user("a", json!({"email": "ada@example.com."})), "spec.email: is wrong after the @"),
        (user("a", json!({"claims": {"a": {"b": null}}})), "spec.claims.a.b: must not be null"),
        (user("a", json!({"claims": {"a": deep}})), "spec.claims.a[0][0]"),
        (user("a", json!({"claims": {"a": "x".repeat(40_000)}})), "spec.claims: must have at most"),
        (
            user(&long, json!({"username": "a", "password": {"generate": {}}})),
            "spec.password.generate.secretName: must be set",
        ),
        (
            user("a", json!({"password": {"secretKeyRef": {"name": "a..b"}}})),
            "spec.password.secretKeyRef.name",
        ),
        (user("a", json!({"password": {"generate": {"key": ".."}}})), "spec.password.generate.key"),
    ] {
        assert_eq!(taken(&space, &user).await, Ok(()), "{says}");
        let name = user.metadata.name.as_deref().unwrap();
        begins(own_rules::user(&user.spec, name), says);
    }
    let role: Role =
        object("a", json!({"tenantRef": {"name": "acme"}, "composites": [{"name": "a"}]}));
    assert_eq!(taken(&space, &role).await, Ok(()));
    begins(
        own_rules::role(&role.spec, &space.namespace, "a"),
        "spec.composites: roles contain each other",
    );
    let profile: TenantProfile = object("a", json!({"keystore": {"rotationPeriod": "12h"}}));
    assert_eq!(taken(&space, &profile).await, Ok(()));
    begins(
        own_rules::profile(&profile.spec, &|_, _| Support::Enforced),
        "a tenant that sets nothing cannot",
    );
}

fn begins(judged: Result<(), Problem>, says: &str) {
    let message = judged.unwrap_err().message;
    assert!(message.starts_with(says), "{message}");
}

#[tokio::test]
async fn secrets_are_called_as_kubernetes_lets_them() {
    let space = Space::new("own-rules-secrets").await;
    let secret = |name: &str, key: &str| -> Secret {
        serde_json::from_value(json!({"metadata": {"name": name}, "stringData": {key: "x"}}))
            .unwrap()
    };
    // All of them pass the schema of a User.
    let longest = "a".repeat(253);
    let names = ["a", "0", "a.b", "a-b.c--d", "a..b", "a.-b", "a-.b", "a...b", &longest];
    let keys = ["a", "-", "_", ".a", "a.", "a..b", "...", ".", "..", "..a", "-..", &longest];
    let pairs = names.map(|name| (name, "key")).into_iter().chain(keys.map(|key| ("name", key)));
    for (name, key) in pairs {
        let is_taken = taken(&space, &secret(name, key)).await;
        for password in [
            json!({"secretKeyRef": {"name": name, "key": key}}),
            json!({"generate": {"secretName": name, "key": key}}),
        ] {
            let user = user("ada", json!({"password": password}));
            assert_eq!(taken(&space, &user).await, Ok(()), "{name} {key}");
            let judged = own_rules::user(&user.spec, "ada");
            assert_eq!(judged.is_ok(), is_taken.is_ok(), "{name} {key}: {judged:?} {is_taken:?}");
        }
    }
}
