//! What the store has under somebody else's mark, and marks in places where they say nothing.

use k8s_openapi::api::core::v1::Secret;
use keyreeve::api::{Role, Tenant, User};
use kube::{ResourceExt, api::PostParams};
use serde_json::json;

use super::Attack;
use crate::support::{Conditions, until};

#[tokio::test]
async fn what_carries_anothers_mark_is_not_adopted_changed_or_removed() {
    let flags = |_: &str| vec!["--adoptable".to_owned(), "acme".to_owned()];
    let mut attack = Attack::with("att-marks", flags).await;
    attack.let_eve_in().await;
    for row in [
        "INSERT INTO users (tenant_id, username, id, enabled, mark_owner, mark_kind, mark_namespace, mark_name, mark_uid) \
         VALUES ('acme', 'foreign', 'x', TRUE, 'them', 'User', 'there', 'foreign', 'u')",
        // Of an object of this operator's that is gone, and of one of another kind.
        "INSERT INTO users (tenant_id, username, id, mark_owner, mark_kind, mark_namespace, mark_name, mark_uid) \
         SELECT 'acme', 'kept', 'y', mark_owner, 'User', mark_namespace, 'kept', 'u' FROM tenants",
        "INSERT INTO roles (tenant_id, name, administrator, mark_owner, mark_kind, mark_namespace, mark_name, mark_uid) \
         SELECT 'acme', 'boss', TRUE, mark_owner, 'User', mark_namespace, 'boss', 'u' FROM tenants",
    ] {
        assert_eq!(attack.database.execute(row).await, 1);
    }
    let before = attack.everything().await;
    let adopt = json!({"adoptionPolicy": "Adopt", "enabled": false});
    attack.eve_creates::<User>("foreign", adopt.clone()).await;
    let foreign = attack.denied::<User>("foreign", "Conflict").await;
    assert!(foreign.message().contains("another owner, them"), "{}", foreign.message());
    attack.eve_creates::<User>("kept", adopt).await;
    attack.is_taken::<User>("kept", &[]).await;
    attack.eve_creates::<Role>("boss", json!({"adoptionPolicy": "Adopt", "rules": []})).await;
    attack.is_taken::<Role>("boss", &[]).await;
    attack.eve_creates::<User>("mallory", json!({"roles": [{"name": "boss"}]})).await;
    attack.denied::<User>("mallory", "RoleNotFound").await;
    assert!(attack.database.grants().await.is_empty());
    for user in ["foreign", "kept", "mallory"] {
        attack.eve_removes::<User>(user).await;
    }
    attack.eve_removes::<Role>("boss").await;
    assert_eq!(attack.everything().await, before);
}

#[tokio::test]
async fn a_keystore_in_a_teams_own_namespace_is_none_and_annotations_reach_no_other_object() {
    let mut attack = Attack::new("att-annotations").await;
    let keystore = attack.space.keystore("acme").await;
    let before = attack.database.acme().await;
    // A copy with the right mark, in Eve's namespace: where only Eve signs with it.
    let copy: Secret =
        attack.eves().create(&PostParams::default(), &keystore.backup()).await.unwrap();
    let spec = json!({
        "apiVersion": "keyreeve.dev/v1alpha1", "kind": "Tenant", "spec": {"tenantId": "acme", "enabled": false},
        "metadata": {"name": "mine", "annotations": {
            "keyreeve.dev/rotate": "now", "keyreeve.dev/reconcile": "now", "keyreeve.dev/mark": keystore.0.annotations()["keyreeve.dev/mark"],
        }},
    });
    let mine: Tenant = serde_json::from_value(spec).unwrap();
    attack.eves().create(&PostParams::default(), &mine).await.unwrap();
    let in_conflict = |tenant: &Tenant| tenant.is_stalled("Conflict");
    until(attack.eves(), "mine", "in conflict", in_conflict).await;
    attack.space.resync("acme").await;
    attack.eve_removes::<Tenant>("mine").await;
    assert_eq!(attack.database.acme().await, before);
    assert_eq!(attack.space.keystore("acme").await.version(), keystore.version());
    let found = attack.eves::<Secret>().get(&copy.name_any()).await.unwrap();
    assert_eq!(found.resource_version(), copy.resource_version(), "nobody looks at it");
}
