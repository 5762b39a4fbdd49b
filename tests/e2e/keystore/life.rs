//! The life of a tenant's keys where nothing goes wrong.

use keyreeve::api::{KeyState, Tenant};
use kube::ResourceExt;
use serde_json::{Value, json};

use super::{assert_agree, signing};
use crate::support::{Conditions, Keys, Operator, Space};

/// The names of an object's members.
fn members(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn a_new_tenant_has_one_secret_and_one_key_and_status_has_its_public_half_alone() {
    let space = Space::new("first-key").await;
    let _operator = Operator::start(&space);
    for (name, keystore, jwk) in [
        ("built-in", json!({}), &["alg", "e", "kid", "kty", "n", "use"][..]),
        ("curve", json!({"algorithm": "ES384"}), &["alg", "crv", "kid", "kty", "use", "x", "y"]),
        ("edwards", json!({"algorithm": "EdDSA"}), &["alg", "crv", "kid", "kty", "use", "x"]),
    ] {
        space.create::<Tenant>(name, json!({"keystore": keystore})).await;
        let tenant = space.ready(name).await;
        let secret = space.keystore(name).await;
        assert_agree(&tenant, &secret);
        let kid = tenant.active();

        assert_eq!(secret.0.type_.as_deref(), Some("keyreeve.dev/keystore"));
        let names: Vec<_> = secret.0.data.as_ref().unwrap().keys().cloned().collect();
        let mut expected = ["active".to_owned(), "keys.json".to_owned(), format!("{kid}.pem")];
        expected.sort();
        assert_eq!(names, expected);
        assert_eq!(secret.0.labels()["app.kubernetes.io/managed-by"], "keyreeve");
        assert_eq!(secret.0.labels()["keyreeve.dev/tenant-id"], name);
        assert!(secret.0.owner_references().is_empty(), "the finalizer removes or keeps it");
        let mark: Value =
            serde_json::from_str(&secret.0.annotations()["keyreeve.dev/mark"]).unwrap();
        assert_eq!(mark["kind"], "Tenant");
        assert_eq!(mark["namespace"], space.namespace.as_str());
        assert_eq!((&mark["name"], &mark["uid"]), (&json!(name), &json!(tenant.uid())));

        let keys = json!(tenant.status.unwrap().keystore);
        assert_eq!(keys.as_array().unwrap().len(), 1);
        assert_eq!(members(&keys[0]), ["activatedAt", "createdAt", "key", "state"]);
        assert_eq!(members(&keys[0]["key"]), jwk);
        assert_eq!(keys[0]["key"]["use"], "sig");
    }
}

#[tokio::test]
async fn a_request_publishes_one_key_and_neither_its_repetition_nor_a_restart_another() {
    let space = Space::new("asked").await;
    let operator = Operator::start(&space);
    let (before, _) = signing(&space, "acme").await;
    space.rotate("acme", "first").await;
    let handled = |request: &'static str| {
        move |tenant: &Tenant| {
            let handled = tenant.status.as_ref().and_then(|status| status.last_handled.as_ref());
            handled.and_then(|handled| handled.rotate.as_deref()) == Some(request)
        }
    };
    let asked = space.tenant("acme", "rotating", handled("first")).await;
    assert_eq!(asked.active(), before.active(), "the next key is published before it signs");
    assert_eq!(asked.kids(KeyState::Standby).len(), 1);
    let secret = space.keystore("acme").await;
    assert_agree(&asked, &secret);
    let event = space.event("acme", "Normal KeyPublished").await;
    assert!(event.contains(&asked.kids(KeyState::Standby)[0]), "{event}");

    space
        .merge::<Tenant>(
            "acme",
            json!({"metadata": {"annotations": {"keyreeve.dev/rotate": null}}}),
        )
        .await;
    space.resync("acme").await;
    space.rotate("acme", "first").await;
    let again = space.resync("acme").await;
    assert_eq!(again.status.unwrap().keystore, asked.status.as_ref().unwrap().keystore);
    operator.kill();
    let _operator = Operator::start(&space);
    space.resync("acme").await;
    assert_eq!(space.keystore("acme").await.version(), secret.version());

    // While one is under way, that is the rotation which is asked for.
    space.rotate("acme", "second").await;
    let same = space.tenant("acme", "rotating all the same", handled("second")).await;
    assert_eq!(same.status.unwrap().keystore, asked.status.unwrap().keystore);
}

#[tokio::test]
async fn a_revoked_key_is_out_of_use_at_once_and_for_good() {
    let space = Space::new("revoked").await;
    let _operator = Operator::start(&space);
    let (before, _) = signing(&space, "acme").await;
    let first = before.active();
    space.revoke("acme", &[&first]).await;
    let revoked = |kid: String| move |tenant: &Tenant| tenant.has(&kid, KeyState::Revoked);
    let tenant = space.tenant("acme", "rid of its key", revoked(first.clone())).await;
    let second = tenant.active();
    assert_ne!(first, second);
    assert_agree(&tenant, &space.keystore("acme").await);
    let event = space.event("acme", "Warning KeyRevoked").await;
    assert!(event.contains(&first), "{event}");
    let event = space.event("acme", "Normal KeyRotated").await;
    assert!(event.contains(&second), "{event}");

    space.revoke("acme", &[]).await;
    let tenant = space.ready("acme").await;
    assert!(tenant.has(&first, KeyState::Revoked), "taken out of the list it stays revoked");
    assert_eq!(tenant.active(), second);

    // One that is published already takes over at once.
    space.rotate("acme", "now").await;
    let published = |tenant: &Tenant| !tenant.kids(KeyState::Standby).is_empty();
    let third =
        space.tenant("acme", "publishing", published).await.kids(KeyState::Standby).remove(0);
    space.revoke("acme", &[&second]).await;
    let tenant = space.tenant("acme", "rid of its second key", revoked(second)).await;
    assert_eq!(tenant.active(), third);
    assert_agree(&tenant, &space.keystore("acme").await);
}

#[tokio::test]
async fn a_kid_to_revoke_that_the_tenant_does_not_have_is_named() {
    let space = Space::new("unknown-kid").await;
    let _operator = Operator::start(&space);
    let (before, secret) = signing(&space, "acme").await;
    space.revoke("acme", &["of-another-tenant"]).await;
    let tenant = space.ready("acme").await;
    assert!(tenant.message().contains("of-another-tenant"), "{}", tenant.message());
    assert_eq!(tenant.active(), before.active());
    assert_eq!(space.keystore("acme").await.version(), secret.version());
}

#[tokio::test]
async fn another_algorithm_or_size_is_published_first_and_withdrawn_when_it_is_taken_back() {
    let space = Space::new("other-kind").await;
    let _operator = Operator::start(&space);
    let (curve, size) = ([json!("ES256"), json!("EdDSA")], [json!(2048), json!(3072)]);
    for (name, field, [old, new]) in [("curve", "algorithm", curve), ("size", "keySize", size)] {
        let with = |value: &Value| json!({"keystore": {field: value}});
        space.create::<Tenant>(name, with(&old)).await;
        let before = space.ready(name).await;
        space.merge::<Tenant>(name, json!({"spec": with(&new)})).await;
        let tenant = space.ready(name).await;
        assert_eq!(tenant.active(), before.active(), "what signs goes on signing");
        let standby = tenant.kids(KeyState::Standby).remove(0);
        let keys = tenant.status.as_ref().unwrap().keystore.iter();
        let jwk = keys.map(|key| &key.key).find(|jwk| jwk.kid == standby).unwrap();
        if field == "keySize" {
            assert_eq!(jwk.n.as_ref().unwrap().len(), 512, "3072 bits");
        } else {
            assert_eq!(jwk.alg, "EdDSA");
        }
        assert_agree(&tenant, &space.keystore(name).await);

        space.merge::<Tenant>(name, json!({"spec": with(&old)})).await;
        let back = space.ready(name).await;
        assert_eq!(back.status.as_ref().unwrap().keystore, before.status.unwrap().keystore);
        assert_agree(&back, &space.keystore(name).await);
        let event = space.event(name, "Normal KeyRemoved").await;
        assert!(event.contains(&standby), "{event}");
    }
}
