//! Names that Eve wants to have, and that Alice has.

use keyreeve::api::{Tenant, User};
use serde_json::json;

use super::Attack;
use crate::support::{Conditions, Keys as _, until};

#[tokio::test]
async fn a_tenant_id_that_is_taken_stays_whose_it_is() {
    let mut attack = Attack::new("att-tenant-id").await;
    let before = (attack.space.ready("acme").await, attack.database.acme().await);
    let keystore = attack.space.keystore("acme").await;
    let spec = json!({
        "tenantId": "acme", "deletionPolicy": "Delete", "adoptionPolicy": "Adopt", "enabled": false,
        "keystore": {"revoke": [keystore.active()]},
    });
    attack.space.create_in::<Tenant>(&attack.eve, "mine", spec).await;
    let taken = until(attack.eves::<Tenant>(), "mine", "in conflict", |tenant: &Tenant| {
        tenant.is_stalled("Conflict")
    })
    .await;
    let message = taken.message().replace(&attack.eve, "");
    assert!(message.contains("taken") && !message.contains(&attack.space.namespace), "{message}");
    assert_eq!(taken.status.unwrap().store, None);
    // To Eve's Tenant nobody belongs.
    attack.eve_creates::<User>("mallory", json!({"tenantRef": {"name": "mine"}})).await;
    attack.denied::<User>("mallory", "TenantNotReady").await;
    attack.eve_removes::<User>("mallory").await;
    attack.eve_removes::<Tenant>("mine").await;
    assert_eq!(attack.database.acme().await, before.1);
    assert_eq!(attack.space.keystore("acme").await.version(), keystore.version());
    let after = attack.space.resync("acme").await;
    assert_eq!(after.active(), before.0.active());
    assert!(after.is_ready() && attack.everything().await.is_empty());
}

#[tokio::test]
async fn a_name_or_address_that_differs_in_case_or_width_alone_is_taken() {
    let mut attack = Attack::new("att-username").await;
    attack.let_eve_in().await;
    let ada = json!({"username": "ada", "email": "ada@acme.example"});
    attack.space.made::<User>("the-countess", ada).await;
    let before = attack.everything().await;
    let names = ["ada", "Ada", "ADA", "ａｄａ", "ＡdＡ"];
    for (number, username) in names.into_iter().enumerate() {
        let name = format!("user-{number}");
        let spec = json!({"username": username, "adoptionPolicy": "Adopt", "enabled": false});
        attack.eve_creates::<User>(&name, spec).await;
        attack.is_taken::<User>(&name, &["the-countess"]).await;
    }
    for (number, email) in ["ada@acme.example", "ADA@ACME.example"].into_iter().enumerate() {
        let name = format!("address-{number}");
        attack.eve_creates::<User>(&name, json!({"email": email})).await;
        // The store may be the first to notice, and names nobody at all.
        let told = attack.denied::<User>(&name, "Conflict").await;
        assert!(!told.message().contains("the-countess"), "{}", told.message());
    }
    assert_eq!(attack.everything().await, before);
    for number in 0..names.len() {
        attack.eve_removes::<User>(&format!("user-{number}")).await;
    }
    assert_eq!(attack.everything().await, before);
    // In a tenant of her own all of them are free.
    attack.make_evil().await;
    let spec = json!({"username": "ADA", "email": "ada@acme.example"});
    attack.eve_creates_at_home::<User>("mine", spec).await;
    attack.eves_is_well::<User>("mine").await;
    attack.space.well::<User>("the-countess").await;
}
