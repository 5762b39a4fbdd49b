//! Status and metadata that Eve forges: the store never follows, and the operator puts status right.

use keyreeve::api::{FINALIZER, Namespace, Role, Tenant, User};
use kube::{ResourceExt, api::PostParams};
use serde_json::{Value, json};

use super::{Attack, json_with, named};
use crate::support::{Conditions, eventually, until};

impl Attack {
    /// From now on all that is ever given is noted in the store, be it for a moment.
    async fn note_what_is_given(&mut self) {
        for statement in [
            "CREATE TABLE given (what TEXT)",
            "CREATE TRIGGER a AFTER INSERT ON user_roles BEGIN INSERT INTO given \
             VALUES (NEW.username || ' > ' || NEW.role_namespace || '/' || NEW.role_name); END",
            "CREATE TRIGGER b AFTER INSERT ON role_composites BEGIN INSERT INTO given \
             VALUES (NEW.name || ' > ' || NEW.role_namespace || '/' || NEW.role_name); END",
            "CREATE TRIGGER c AFTER INSERT ON roles BEGIN INSERT INTO given VALUES (NEW.namespace || '/' || NEW.name); END",
        ] {
            self.database.execute(statement).await;
        }
    }

    /// What was given since.
    async fn given(&mut self) -> Vec<String> {
        self.database.texts("SELECT what FROM given").await
    }
}

#[tokio::test]
async fn what_says_falsely_that_it_is_in_the_store_gives_nothing_of_what_is_there() {
    let mut attack = Attack::new("att-status").await;
    attack.let_eve_in().await;
    attack.space.made::<Namespace>("sales", json!({})).await;
    attack.space.made::<Role>("boss", json!({"administrator": true})).await;
    let placed = json!({"namespaceRef": {"name": "sales"}, "name": "manager"});
    attack.space.made::<Role>("sales-manager", placed).await;

    attack.eve_creates::<Role>("mine", json!({"name": "boss"})).await;
    attack.denied::<Role>("mine", "Conflict").await;
    attack.eve_creates::<Namespace>("market", json!({"name": "sales"})).await;
    attack.denied::<Namespace>("market", "Conflict").await;
    attack.eve_creates::<Role>("intruder", json!({"namespaceRef": {"name": "market"}})).await;
    attack.denied::<Role>("intruder", "NamespaceNotFound").await;
    attack.eve_creates::<Role>("manager", json!({})).await;
    attack.eves_is_well::<Role>("manager").await;
    attack.eve_creates::<Role>("around", json!({"composites": named(&["mine"])})).await;
    attack.denied::<Role>("around", "RoleNotFound").await;
    attack.eve_creates::<User>("mallory", json!({"roles": named(&["mine", "manager"])})).await;
    attack.denied::<User>("mallory", "RoleNotFound").await;
    assert_eq!(attack.database.grants().await, ["mallory > manager"]);

    let before = attack.everything().await;
    let store = attack.store().await;
    attack.note_what_is_given().await;
    for _ in 0..5 {
        let ready = json!({
            "type": "Ready", "status": "True", "reason": "Synced", "message": "", "observedGeneration": 1,
            "lastTransitionTime": "2020-01-01T00:00:00Z",
        });
        let told = json!({"store": store, "tenantId": "acme", "conditions": [ready]});
        attack.forge::<Role>("mine", json_with(json!({"name": "boss"}), told.clone())).await;
        attack.forge::<Namespace>("market", json_with(json!({"name": "sales"}), told)).await;
        attack.forge::<Role>("manager", json!({"namespace": "sales"})).await;
        let right = |role: &Role| role.status.as_ref().unwrap().store.is_none();
        until(attack.eves(), "mine", "out of the store again", right).await;
        let right = |namespace: &Namespace| namespace.status.as_ref().unwrap().store.is_none();
        until(attack.eves(), "market", "out of the store again", right).await;
        let right = |role: &Role| role.status.as_ref().unwrap().namespace.is_none();
        until(attack.eves(), "manager", "in no identity Namespace again", right).await;
        attack.denied::<Role>("mine", "Conflict").await;
        attack.denied::<Namespace>("market", "Conflict").await;
        attack.denied::<User>("mallory", "RoleNotFound").await;
        attack.denied::<Role>("around", "RoleNotFound").await;
        attack.denied::<Role>("intruder", "NamespaceNotFound").await;
    }
    assert_eq!(attack.given().await, [""; 0]);
    assert_eq!(attack.everything().await, before);
    attack.space.well::<Role>("boss").await;
}

#[tokio::test]
async fn what_status_falsely_says_of_roles_and_users_is_put_right() {
    let mut attack = Attack::new("att-forged").await;
    attack.let_eve_in().await;
    attack.space.made::<Role>("boss", json!({})).await;
    let allow = json!([{"matchNames": [attack.eve]}]);
    attack.space.made::<User>("ada", json!({"roles": named(&["boss"])})).await;
    attack.eve_creates::<Role>("clerk", json!({"allowedFrom": allow})).await;
    attack.eves_is_well::<Role>("clerk").await;
    attack.eve_creates::<User>("mallory", json!({"roles": named(&["clerk"])})).await;
    let own = attack.eves_is_well::<User>("mallory").await.status.unwrap();
    let ada = attack.space.well::<User>("ada").await.status.unwrap();
    let before = attack.everything().await;
    attack.note_what_is_given().await;

    attack.forge::<Role>("clerk", json!({"composites": [{"name": "boss"}]})).await;
    let forged = json!({
        "id": ada.id, "username": "ada", "tenantId": "evil", "roles": [{"name": "boss"}],
        "credentials": [{"type": "password"}], "store": {"kind": "sqlite", "id": "another"},
    });
    attack.forge::<User>("mallory", forged).await;
    let right = |role: &Role| role.status.as_ref().unwrap().composites.is_empty();
    until(attack.eves(), "clerk", "without parts again", right).await;
    let right = |user: &User| user.status.as_ref() == Some(&own);
    until(attack.eves(), "mallory", "as before", right).await;
    assert_eq!(attack.given().await, [""; 0]);
    assert_eq!(attack.everything().await, before);
    assert_eq!(attack.space.well::<User>("ada").await.status.unwrap(), ada);
}

#[tokio::test]
async fn an_id_that_is_told_before_there_is_a_user_is_nobody_elses_and_always_one() {
    let mut attack = Attack::new("att-id").await;
    attack.let_eve_in().await;
    let ada = attack.space.made::<User>("ada", json!({})).await.status.unwrap();
    let store = attack.store().await;
    let before = attack.everything().await;
    let password = json!({"password": {"secretKeyRef": {"name": "later"}}});
    for (name, id) in
        [("thief", ada.id.clone().unwrap()), ("odd", "'; DROP TABLE users; --".into())]
    {
        attack.eve_creates::<User>(name, password.clone()).await;
        attack.denied::<User>(name, "PasswordSecretMissing").await;
        let forged = json!({"id": id, "store": store, "username": "ada", "tenantId": "acme"});
        attack.forge::<User>(name, forged).await;
        let right = |user: &User| user.status.as_ref().unwrap().store.is_none();
        until(attack.eves(), name, "out of the store again", right).await;
    }
    let secret =
        json!({"metadata": {"name": "later"}, "stringData": {"password": "correct horse battery"}});
    let secret: k8s_openapi::api::core::v1::Secret = serde_json::from_value(secret).unwrap();
    attack.eves().create(&PostParams::default(), &secret).await.unwrap();
    let thief = attack.denied::<User>("thief", "Conflict").await;
    assert!(thief.message().contains("has this id"), "{}", thief.message());
    let odd = attack.eves_is_well::<User>("odd").await.status.unwrap().id.unwrap();
    assert!(uuid::Uuid::try_parse(&odd).is_ok(), "{odd}");
    attack.eve_removes::<User>("thief").await;
    attack.eve_removes::<User>("odd").await;
    assert_eq!(attack.everything().await, before);
    assert_eq!(attack.space.well::<User>("ada").await.status.unwrap(), ada);
}

#[tokio::test]
async fn a_key_that_status_alone_knows_is_not_published() {
    let mut attack = Attack::new("att-key").await;
    attack.make_evil().await;
    let keys = |tenant: Tenant| json!(tenant.status.unwrap().keystore);
    let before = keys(attack.eves::<Tenant>().get("evil").await.unwrap());
    let mut planted = before.clone();
    let mut key = planted[0].clone();
    let kid = "p1anted-".repeat(5);
    key["key"]["kid"] = Value::from(kid.as_str());
    key["state"] = "Retired".into();
    key["rotatedAt"] = key["createdAt"].clone();
    planted.as_array_mut().unwrap().push(key);
    let keystore = attack.space.keystore("evil").await;
    // With its keystore, and with one that another hand has edited.
    for damage in [None, Some("{}")] {
        if let Some(damage) = damage {
            attack.space.edit_keystore("evil", &[("keys.json", Some(damage))]).await;
            let damaged = |tenant: &Tenant| tenant.is_stalled("KeystoreDamaged");
            until(attack.eves::<Tenant>(), "evil", "Stalled", damaged).await;
        }
        attack.forge::<Tenant>("evil", json!({"keystore": planted})).await;
        let right = |tenant: &Tenant| json!(tenant.status.as_ref().unwrap().keystore) == before;
        until(attack.eves::<Tenant>(), "evil", "without the planted key", right).await;
        let stored = attack
            .database
            .text("SELECT keystore || memo FROM tenants WHERE tenant_id = 'evil'")
            .await;
        assert!(!stored.unwrap().contains(&kid));
    }
    let original = keystore.text("keys.json");
    attack.space.edit_keystore("evil", &[("keys.json", Some(&original))]).await;
    until(attack.eves::<Tenant>(), "evil", "Ready", Conditions::is_ready).await;
    assert_eq!(attack.space.keystore("evil").await.text("keys.json"), original);
}

#[tokio::test]
async fn finalizers_and_marks_in_metadata_that_nobody_but_the_operator_sets_remove_nothing() {
    let mut attack = Attack::new("att-finalizer").await;
    attack.space.made::<User>("ada", json!({})).await;
    attack.space.made::<Role>("boss", json!({})).await;
    let before = (attack.everything().await, attack.database.acme().await);
    let keystore = attack.space.keystore("acme").await;
    let metadata = |name: &str| {
        json!({
            "name": name, "finalizers": [FINALIZER],
            "annotations": {"keyreeve.dev/mark": keystore.0.annotations()["keyreeve.dev/mark"], "keyreeve.dev/rotate": "now"},
            "labels": {"app.kubernetes.io/managed-by": "keyreeve"},
        })
    };
    let store = attack.store().await;
    let make = |kind: &str, spec: Value| json!({"apiVersion": "keyreeve.dev/v1alpha1", "kind": kind, "metadata": metadata("mine"), "spec": spec});
    let member = |name: Value| json_with(json!({"tenantRef": attack.alices("acme")}), name);
    let user: User =
        serde_json::from_value(make("User", member(json!({"username": "ada"})))).unwrap();
    let role: Role = serde_json::from_value(make("Role", member(json!({"name": "boss"})))).unwrap();
    let taken = json!({"tenantId": "acme", "deletionPolicy": "Delete"});
    let tenant: Tenant = serde_json::from_value(make("Tenant", taken)).unwrap();
    attack.eves().create(&PostParams::default(), &user).await.unwrap();
    attack.eves().create(&PostParams::default(), &role).await.unwrap();
    attack.eves().create(&PostParams::default(), &tenant).await.unwrap();
    attack.denied::<User>("mine", "NotAllowed").await;
    attack.denied::<Role>("mine", "NotAllowed").await;
    let in_conflict = |tenant: &Tenant| tenant.is_stalled("Conflict");
    until(attack.eves(), "mine", "in conflict", in_conflict).await;
    // They say that the store has them, and go.
    let told = json!({"store": store, "tenantId": "acme"});
    let name = |name: &str| json!({name: if name == "username" { "ada" } else { "boss" }});
    attack.forge::<User>("mine", json_with(name("username"), told.clone())).await;
    attack.eve_removes::<User>("mine").await;
    attack.forge::<Role>("mine", json_with(name("name"), told.clone())).await;
    attack.eve_removes::<Role>("mine").await;
    attack.forge::<Tenant>("mine", json_with(told, json!({"shortId": "AAAA-AAAA-AAAA"}))).await;
    attack.eve_removes::<Tenant>("mine").await;
    assert_eq!((attack.everything().await, attack.database.acme().await), before);
    assert_eq!(attack.space.keystore("acme").await.version(), keystore.version());
    attack.space.well::<User>("ada").await;

    // Taken off, the finalizer comes back: what is in the store is not forgotten.
    attack.make_evil().await;
    attack.eve_creates_at_home::<User>("mallory", json!({})).await;
    attack.eves_is_well::<User>("mallory").await;
    let off = kube::api::Patch::Merge(json!({"metadata": {"finalizers": null}}));
    attack.eves::<User>().patch("mallory", &kube::api::PatchParams::default(), &off).await.unwrap();
    let held = |user: &User| user.finalizers().contains(&FINALIZER.to_owned());
    until(attack.eves(), "mallory", "held by its finalizer", held).await;
    attack.eve_removes::<User>("mallory").await;
    let space = &attack.space;
    eventually("the store forgets it, too", async || {
        space.database().await.users().await == ["acme/ada"]
    })
    .await;
}
