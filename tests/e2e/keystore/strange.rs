//! Secrets that another hand planted or edited: nothing is done with them, and status says why.

use k8s_openapi::api::core::v1::Secret;
use keyreeve::api::Tenant;
use kube::{ResourceExt, api::DeleteParams};
use serde_json::Value;

use super::{assert_agree, es256, signing};
use crate::support::{Conditions, Keys, Keystore, Operator, Space};

const COUNT: &str = "SELECT count(*) FROM tenants WHERE tenant_id = 'acme'";
const MARK: &str = "keyreeve.dev/mark";

/// A whole keystore of another Tenant, under the name of acme's.
async fn of_another(space: &Space) -> Secret {
    let (_, other) = signing(space, "other").await;
    let mut secret = other.backup();
    secret.metadata.name = Some("keystore-acme".into());
    secret
}

/// With the mark of another object of the same owner.
fn marked(mut secret: Secret, change: impl Fn(&mut Value)) -> Secret {
    let annotations = secret.annotations_mut();
    let mut mark = serde_json::from_str(&annotations[MARK]).unwrap();
    change(&mut mark);
    annotations.insert(MARK.into(), mark.to_string());
    secret
}

#[tokio::test]
async fn a_planted_secret_is_left_alone_and_the_tenant_is_ready_when_it_is_deleted() {
    let space = Space::new("planted").await;
    let _operator = Operator::start(&space);
    let other = of_another(&space).await;
    let mut unmarked = other.clone();
    unmarked.annotations_mut().clear();
    let named_acme = marked(other.clone(), |mark| mark["name"] = "acme".into());
    let another_owner = marked(named_acme.clone(), |mark| mark["owner"] = "them".into());
    let opaque = |secret: &Secret| Secret { type_: Some("Opaque".into()), ..secret.clone() };
    for (planted, reason, says) in [
        (unmarked.clone(), "KeystoreConflict", "was not made by this operator"),
        (other, "KeystoreConflict", "is that of Tenant other"),
        (another_owner, "KeystoreConflict", "belongs to another owner, them"),
        (opaque(&unmarked), "KeystoreConflict", "was not made by this operator"),
        (opaque(&named_acme), "KeystoreDamaged", "it is of the type Opaque"),
    ] {
        let planted = space.plant(&planted).await;
        space.create::<Tenant>("acme", es256()).await;
        let stalled = |tenant: &Tenant| tenant.is_stalled(reason);
        let tenant = space.tenant("acme", reason, stalled).await;
        assert!(tenant.message().contains(says), "{}", tenant.message());
        assert!(tenant.status.as_ref().unwrap().keystore.is_empty(), "nothing is published");
        space.resync("acme").await;
        assert_eq!(space.keystore("acme").await.version(), planted.version(), "untouched");
        assert_eq!(space.database().await.number(COUNT).await, 0, "nothing in the store");

        space.secrets().delete("keystore-acme", &DeleteParams::default()).await.unwrap();
        // Woken: the next resync is ten minutes away.
        let tenant = space.ready("acme").await;
        assert_agree(&tenant, &space.keystore("acme").await);
        space.delete("acme").await;
        space.gone("acme").await;
        // Both were kept.
        space.secrets().delete("keystore-acme", &DeleteParams::default()).await.unwrap();
        space.database().await.execute("DELETE FROM tenants WHERE tenant_id = 'acme'").await;
    }
}

#[tokio::test]
async fn a_tenant_whose_keystore_is_planted_can_be_deleted_and_leaves_it_alone() {
    let space = Space::new("planted-deleted").await;
    let _operator = Operator::start(&space);
    let planted = space.plant(&of_another(&space).await).await;
    let mut spec = es256();
    spec["deletionPolicy"] = "Delete".into();
    space.create::<Tenant>("acme", spec).await;
    space.tenant("acme", "Stalled", |tenant| tenant.is_stalled("KeystoreConflict")).await;
    space.delete("acme").await;
    space.gone("acme").await;
    assert_eq!(space.keystore("acme").await.version(), planted.version());
}

#[tokio::test]
async fn an_edited_keystore_is_left_alone_and_good_again_when_it_is_put_back() {
    let space = Space::new("edited").await;
    let _operator = Operator::start(&space);
    let (_, other) = signing(&space, "other").await;
    signing(&space, "acme").await;
    space.rotate("acme", "now").await;
    space.event("acme", "Normal KeyPublished").await;
    let before = space.resync("acme").await;
    let whole = space.keystore("acme").await;
    assert_agree(&before, &whole);
    let standby = before.kids(keyreeve::api::KeyState::Standby).remove(0);
    let (active_pem, standby_pem) = (format!("{}.pem", before.active()), format!("{standby}.pem"));
    let stranger = other.text(&format!("{}.pem", other.active()));
    let truncated = whole.text("keys.json")[..100].to_owned();
    for (entry, text, says) in [
        ("active", Some(standby.as_str()), "active is not that of keys.json"),
        (&active_pem, Some(&stranger), &format!("{active_pem} is not that of keys.json")),
        (&standby_pem, Some(&stranger), &format!("{standby_pem} is not that of keys.json")),
        ("keys.json", Some(&truncated), "keys.json cannot be read (line 1, column 100)"),
        (&standby_pem, None, &format!("{standby_pem} is missing")),
        ("keys.json", None, "keys.json is missing"),
        ("extra.pem", Some(&stranger), "nothing of ours is called extra.pem"),
    ] {
        let edited = space.edit_keystore("acme", &[(entry, text)]).await;
        let damaged = |tenant: &Tenant| {
            tenant.is_stalled("KeystoreDamaged") && tenant.message().contains(says)
        };
        let tenant = space.tenant("acme", says, damaged).await;
        // Who verifies is not concerned.
        assert_eq!(tenant.status.unwrap().keystore, before.status.as_ref().unwrap().keystore);
        space.resync("acme").await;
        assert_eq!(space.keystore("acme").await.version(), edited.version(), "untouched");

        let original = whole.0.data.as_ref().unwrap().contains_key(entry);
        let original = original.then(|| whole.text(entry));
        let restored = space.edit_keystore("acme", &[(entry, original.as_deref())]).await;
        // Woken: the next resync is ten minutes away.
        let tenant = space.ready("acme").await;
        assert_agree(&tenant, &restored);
        assert_eq!(space.keystore("acme").await.version(), restored.version(), "untouched");
    }
}

#[tokio::test]
async fn the_mark_taken_away_is_a_conflict_until_it_is_put_back() {
    let space = Space::new("unmarked").await;
    let _operator = Operator::start(&space);
    let (before, whole) = signing(&space, "acme").await;
    let mark = |mark: Value| serde_json::json!({"metadata": {"annotations": {MARK: mark}}});
    let edited: Secret = space.merge("keystore-acme", mark(Value::Null)).await;
    let stalled = |tenant: &Tenant| tenant.is_stalled("KeystoreConflict");
    let tenant = space.tenant("acme", "Stalled", stalled).await;
    assert_eq!(tenant.active(), before.active());
    assert_eq!(space.keystore("acme").await.version(), Keystore(edited).version());
    space.merge::<Secret>("keystore-acme", mark(whole.0.annotations()[MARK].clone().into())).await;
    let tenant = space.ready("acme").await;
    assert_eq!(tenant.active(), before.active());
}
