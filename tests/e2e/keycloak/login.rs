//! A bundle on Keycloak: who is in it logs in, and what changes is seen there.

use keyreeve::api::{KeyState, Namespace, Role, Tenant, User};
use serde_json::{Value, json};

use super::{
    browser::Person,
    hand::{Hand, part},
    start,
};
use crate::support::{Conditions, Keys, Space, eventually, named};

const PASSWORD: &str = "correct horse battery";

/// A tenant with a Namespace, a composite role and ada, who has a password of a Secret.
async fn bundle(space: &Space, hand: &Hand) -> Tenant {
    let spec = json!({
        "tenantId": hand.realm,
        "settings": {"policies": {"accountBlocking": {"allowedAttempts": 5}}},
    });
    space.create::<Tenant>("acme", spec).await;
    space.make_secret("ada", &[("password", PASSWORD.as_bytes())]).await;
    space.in_acme::<Namespace>("orders", json!({})).await;
    let clerk = json!({"namespaceRef": {"name": "orders"},
        "rules": [{"paths": ["/orders/*"], "methods": ["GET"]}]});
    space.in_acme::<Role>("clerk", clerk).await;
    let boss = json!({"composites": named(&["clerk"]), "administrator": true});
    space.in_acme::<Role>("boss", boss).await;
    let ada = json!({
        "email": "Ada@Acme.example", "firstName": "Ada", "claims": {"department": "sales"},
        "roles": named(&["boss"]), "password": {"secretKeyRef": {"name": "ada"}},
    });
    space.in_acme::<User>("ada", ada).await;
    let tenant = space.ready("acme").await;
    space.well::<Namespace>("orders").await;
    space.well::<Role>("clerk").await;
    space.well::<Role>("boss").await;
    space.well::<User>("ada").await;
    hand.add_client();
    tenant
}

fn roles(token: &str) -> Vec<String> {
    let claims = part(token, 1);
    let realm = claims["realm_access"]["roles"].as_array().cloned().unwrap_or_default();
    let orders = claims["resource_access"]["ns:orders"]["roles"].as_array().cloned();
    let all = realm.into_iter().chain(orders.unwrap_or_default());
    all.map(|role| role.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_user_of_a_bundle_logs_in_with_the_password_of_its_secret() {
    let (space, _operator, hand) = start("kc-login").await;
    let tenant = bundle(&space, &hand).await;
    let status = tenant.status.clone().unwrap();
    assert_eq!(status.store.unwrap().kind, "keycloak");
    assert_eq!(status.unenforced, Vec::<String>::new());

    let token = hand.login("ada", PASSWORD).unwrap();
    assert_eq!(part(&token, 0)["kid"], tenant.active());
    let held = roles(&token);
    let has = |role: &str| held.iter().any(|held| held == role);
    assert!(has("boss") && has("clerk") && has("offline_access"), "{held:?}");
    let ada = space.well::<User>("ada").await;
    assert_eq!(part(&token, 1)["sub"], ada.status.unwrap().id.unwrap());
    let counted = |tenant: &Tenant| {
        let status = tenant.status.as_ref();
        status.is_some_and(|status| status.admin_username.as_deref() == Some("ada"))
    };
    space.tenant("acme", "counted", counted).await;

    // Our roles go, what everybody has stays.
    space.change::<User>("ada", json!({"roles": []})).await;
    space.well::<User>("ada").await;
    let held = roles(&hand.login("ada", PASSWORD).unwrap());
    assert!(held.contains(&"offline_access".to_owned()) && !held.contains(&"boss".to_owned()));

    // What the person chose since stays, until the Secret's author wants a change.
    let id = hand.user("ada")["id"].as_str().unwrap().to_owned();
    let own = json!({"type": "password", "value": "her own choice of words", "temporary": false});
    hand.here("PUT", &format!("/users/{id}/reset-password"), Some(&own));
    space.change::<User>("ada", json!({"lastName": "Lovelace"})).await;
    space.look_again::<User>("ada").await;
    assert!(hand.login("ada", "her own choice of words").is_some());
    space.set_password("ada", "another horse battery").await;
    eventually("the password is set", async || {
        hand.login("ada", "another horse battery").is_some()
    })
    .await;
}

#[tokio::test]
async fn what_a_user_did_at_a_login_stays_done() {
    let (space, operator, hand) = start("kc-done").await;
    bundle(&space, &hand).await;
    space.make_secret("bob", &[("password", PASSWORD.as_bytes())]).await;
    let bob = json!({
        "requiredActions": ["UpdateProfile"],
        "password": {"secretKeyRef": {"name": "bob"}, "temporary": true},
    });
    space.in_acme::<User>("bob", bob).await;
    space.well::<User>("bob").await;
    let (own, name) = ("his own choice of words", "Chosen");
    let bob = Person { username: "bob", password: PASSWORD, new_password: own, last_name: name };
    let mut shown = bob.logs_in(&hand.realm);
    shown.sort_unstable();
    assert_eq!(shown, ["another password", "login", "profile"]);

    // A resync, a change of something else, and another operator: all leave it so.
    space.look_again::<User>("bob").await;
    space.change::<User>("bob", json!({"claims": {"department": "stock"}})).await;
    space.well::<User>("bob").await;
    operator.stop().await;
    let _operator = super::operator(&space);
    space.look_again::<User>("bob").await;
    let there = hand.user("bob");
    assert!(there["attributes"]["keyreeve.claims"][0].as_str().unwrap().contains("stock"));
    assert_eq!((&there["requiredActions"], &there["lastName"]), (&json!([]), &json!(name)));
    assert!(hand.login("bob", PASSWORD).is_none());
    assert_eq!(Person { password: own, ..bob }.logs_in(&hand.realm), ["login"]);
    // Asked for anew, it is to be done once more; what was asked before is not.
    space.change::<User>("bob", json!({"requiredActions": []})).await;
    space.well::<User>("bob").await;
    space.change::<User>("bob", json!({"requiredActions": ["UpdateProfile"]})).await;
    space.well::<User>("bob").await;
    assert_eq!(Person { password: own, ..bob }.logs_in(&hand.realm), ["login", "profile"]);
    assert_eq!(space.times_told("bob", "DriftCorrected").await, 0, "it was his to do");
}

#[tokio::test]
async fn a_client_sees_keys_rotate_and_a_revoked_one_go() {
    let (space, _operator, hand) = start("kc-keys").await;
    let tenant = bundle(&space, &hand).await;
    let first = tenant.active();
    assert_eq!(hand.kids(), std::slice::from_ref(&first));
    let before = hand.login("ada", PASSWORD).unwrap();

    space.rotate("acme", "now").await;
    let rotates = |tenant: &Tenant| !tenant.kids(KeyState::Standby).is_empty();
    let standby = space.tenant("acme", "rotating", rotates).await.kids(KeyState::Standby).remove(0);
    eventually("the next key is published", async || hand.kids().contains(&standby)).await;
    assert_eq!(part(&hand.login("ada", PASSWORD).unwrap(), 0)["kid"], first, "it waits");

    space.revoke("acme", &[&first]).await;
    space.tenant("acme", "revoked", |tenant| tenant.has(&first, KeyState::Revoked)).await;
    eventually("the revoked key is out", async || !hand.kids().contains(&first)).await;
    assert_eq!(part(&hand.login("ada", PASSWORD).unwrap(), 0)["kid"], standby);
    assert!(!hand.accepts(&before));
    assert_eq!(hand.kids(), [standby], "and Keycloak made none of its own");
}

#[tokio::test]
async fn a_lock_out_survives_a_resync_and_what_an_administrator_changed_is_put_right() {
    let (space, _operator, hand) = start("kc-drift").await;
    bundle(&space, &hand).await;
    for _ in 0..5 {
        assert!(hand.login("ada", "wrong").is_none());
    }
    assert!(hand.login("ada", PASSWORD).is_none());
    space.change::<User>("ada", json!({"claims": {"department": "stock"}})).await;
    space.well::<User>("ada").await;
    space.look_again::<User>("ada").await;
    assert!(hand.login("ada", PASSWORD).is_none(), "she is still locked out");

    let realm = json!({"displayName": "by hand", "failureFactor": 99, "loginTheme": "keycloak"});
    hand.here("PUT", "", Some(&realm));
    let role = hand.here("GET", "/roles/boss", None);
    let mut edited: Value = role.clone();
    edited["description"] = "by hand".into();
    hand.here("PUT", "/roles/boss", Some(&edited));
    let id = hand.user("ada")["id"].as_str().unwrap().to_owned();
    hand.here("PUT", &format!("/users/{id}"), Some(&json!({"firstName": "by hand"})));

    space.resync("acme").await;
    space.look_again::<Role>("boss").await;
    space.look_again::<User>("ada").await;
    let realm = hand.here("GET", "", None);
    assert_eq!(realm["failureFactor"], 5);
    assert_ne!(realm["displayName"], "by hand");
    assert_eq!(realm["loginTheme"], "keycloak", "what is not managed is left alone");
    assert_eq!(hand.user("ada")["firstName"], "Ada");
    assert_ne!(hand.here("GET", "/roles/boss", None)["description"], "by hand");
    space.event("acme", "Warning DriftCorrected").await;
    space.event("ada", "Warning DriftCorrected").await;
    assert!(space.ready("acme").await.condition("PartiallyEnforced").is_none());

    // Keycloak lets no refresh token outlive its session.
    let longer = json!({"spec": {"settings": {"ttl": {"session": "8h", "refreshToken": "9h"}}}});
    space.merge::<Tenant>("acme", longer).await;
    let tenant = space.ready("acme").await;
    assert_eq!(tenant.status.unwrap().unenforced, ["settings.ttl.refreshToken"]);
    assert_eq!(hand.here("GET", "", None)["clientSessionMaxLifespan"], 8 * 3600);
}
