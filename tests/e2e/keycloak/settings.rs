//! Settings of a Tenant by what people can do then.

use keyreeve::api::{Tenant, User};
use serde_json::json;

use super::{
    browser::Person,
    hand::{Hand, part},
    start,
};
use crate::support::Space;

const PASSWORD: &str = "correct horse battery";

async fn sets(space: &Space, settings: serde_json::Value) {
    space.merge::<Tenant>("acme", json!({"spec": {"settings": settings}})).await;
    let tenant = space.ready("acme").await;
    assert_eq!(tenant.status.unwrap().unenforced, [""; 0]);
}

/// A person who asks for nothing but to be gone.
fn ada() -> Person {
    Person { username: "ada", password: PASSWORD, new_password: "", last_name: "" }
}

#[tokio::test]
async fn people_delete_their_accounts_and_clients_ask_for_scopes_where_the_tenant_says_so() {
    let (space, _operator, hand) = start("kc-settings").await;
    space.create::<Tenant>("acme", json!({"tenantId": hand.realm})).await;
    space.make_secret("ada", &[("password", PASSWORD.as_bytes())]).await;
    let user = json!({"password": {"secretKeyRef": {"name": "ada"}}});
    space.in_acme::<User>("ada", user).await;
    space.ready("acme").await;
    space.well::<User>("ada").await;
    sets(&space, json!({"extraScopes": ["orders:read"]})).await;
    hand.add_client();
    let asked = "openid orders:read";
    let token = hand.login_asking("ada", PASSWORD, asked).unwrap();
    let scope = part(&token, 1)["scope"].as_str().unwrap().to_owned();
    assert!(scope.contains("orders:read"), "{scope}");
    assert_eq!(ada().deletes_the_account(&hand.realm), ["login"], "she may not");
    let there = |hand: &Hand| hand.user("ada")["id"].is_string();
    assert!(there(&hand));

    sets(&space, json!({"extraScopes": null, "userSelfDeletion": {"enabled": true}})).await;
    assert_eq!(hand.login_asking("ada", PASSWORD, asked), None);
    assert_eq!(ada().deletes_the_account(&hand.realm), ["login", "goodbye"]);
    assert!(!there(&hand));
}
