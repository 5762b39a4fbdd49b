//! Passwords of Alice's that Eve wants to use, and Secrets that she plants.

use k8s_openapi::api::core::v1::Secret;
use keyreeve::api::User;
use kube::{ResourceExt, api::PostParams};
use serde_json::{Value, json};

use super::Attack;
use crate::support::Conditions;

const PASSWORD: &str = "alices own battery horse";

impl Attack {
    async fn eve_plants(&self, metadata: Value) -> Secret {
        let secret = json!({"metadata": metadata, "stringData": {"password": PASSWORD}});
        let secret = serde_json::from_value(secret).unwrap();
        self.eves::<Secret>().create(&PostParams::default(), &secret).await.unwrap()
    }
}

#[tokio::test]
async fn a_password_comes_from_ones_own_namespace_alone() {
    let mut attack = Attack::new("att-secret").await;
    attack.make_evil().await;
    attack.space.make_secret("treasure", &[("password", PASSWORD.as_bytes())]).await;
    let place = attack.space.namespace.clone();
    let user = |reference: &Value| {
        json!({
            "apiVersion": "keyreeve.dev/v1alpha1", "kind": "User", "metadata": {"name": "mallory"},
            "spec": {"tenantRef": {"name": "evil"}, "password": {"secretKeyRef": reference}},
        })
    };
    let client = attack.space.client.clone();
    let send = async |object: Value, query: &str| {
        let uri = format!("/apis/keyreeve.dev/v1alpha1/namespaces/{}/users{query}", attack.eve);
        let body = object.to_string().into_bytes();
        let request = http::Request::post(uri).header("content-type", "application/json");
        client.request::<Value>(request.body(body).unwrap()).await
    };
    // The schema has no namespace there; strictly asked, the API server says so.
    let foreign = json!({"name": "treasure", "namespace": place});
    let strict = send(user(&foreign), "?fieldValidation=Strict&dryRun=All").await.unwrap_err();
    assert!(strict.to_string().contains("unknown field"), "{strict}");
    for name in [
        format!("{place}/treasure"),
        format!("../{place}/secrets/treasure"),
        format!("../../{place}/secrets/treasure?x="),
        "treasure%2f".into(),
        "Treasure".into(),
        ".".into(),
        "..".into(),
        String::new(),
    ] {
        let refused = send(user(&json!({"name": name})), "").await.unwrap_err().to_string();
        assert!(refused.contains("spec.password.secretKeyRef.name"), "{name}: {refused}");
    }
    // What the schema lets through is no name of a Secret either.
    send(user(&json!({"name": "a..treasure"})), "").await.unwrap();
    attack.denied::<User>("mallory", "InvalidSpec").await;
    attack.eve_removes::<User>("mallory").await;
    // Taken as it is, the namespace is dropped, and Eve's own Secret is looked for.
    send(user(&foreign), "").await.unwrap();
    let denied = attack.denied::<User>("mallory", "PasswordSecretMissing").await;
    assert!(denied.message().contains("the Secret treasure is not there"), "{}", denied.message());
    assert!(attack.everything().await.is_empty());
    assert_eq!(attack.database.number("SELECT count(*) FROM user_credentials").await, 0);
}

#[tokio::test]
async fn a_secret_that_is_said_to_be_anothers_is_not_taken_for_a_generated_one() {
    let mut attack = Attack::new("att-planted").await;
    attack.make_evil().await;
    attack.eve_creates_at_home::<User>("bob", json!({})).await;
    let bob = attack.eves_is_well::<User>("bob").await;
    let owner = json!({
        "apiVersion": "keyreeve.dev/v1alpha1", "kind": "User", "name": "bob", "uid": bob.uid(), "controller": true,
    });
    // With the name, labels and annotations of the right one, and another's UID.
    let planted = attack
        .eve_plants(json!({
            "name": "ada-password", "ownerReferences": [owner],
            "labels": {"app.kubernetes.io/managed-by": "keyreeve"},
            "annotations": {"keyreeve.dev/mark": "{}", "keyreeve.dev/owner": "ada"},
        }))
        .await;
    attack.eve_creates_at_home::<User>("ada", json!({"password": {"generate": {}}})).await;
    attack.denied::<User>("ada", "PasswordSecretConflict").await;
    assert_eq!(attack.database.users().await, ["evil/bob"]);
    let found = attack.eves::<Secret>().get("ada-password").await.unwrap();
    assert_eq!(found.resource_version(), planted.resource_version());
    attack.eve_removes::<User>("ada").await;
    assert_eq!(attack.database.users().await, ["evil/bob"]);
    attack.eves_is_well::<User>("bob").await;
}
