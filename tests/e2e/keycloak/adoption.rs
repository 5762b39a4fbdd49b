//! A live realm is adopted: what nobody set stays, and so do its people and its keys.

use keyreeve::api::{Source, Tenant, User};
use serde_json::json;

use super::{
    hand::{Hand, part},
    operator,
};
use crate::support::{Conditions, Space};

#[tokio::test]
async fn a_live_realm_is_adopted_as_it_is() {
    let space = Space::new("kc-adopt").await;
    let hand = Hand::of(&format!("{}-live", space.namespace));
    let realm = json!({
        "realm": hand.realm, "enabled": true, "displayName": "Found", "rememberMe": true,
        "accessTokenLifespan": 120, "ssoSessionIdleTimeout": 900, "loginTheme": "keycloak",
        "passwordPolicy": "notUsername(undefined) and length(5)",
        "users": [{"username": "ada", "enabled": true, "email": "ada@acme.example", "firstName": "Ada",
            "lastName": "L", "credentials": [{"type": "password", "value": "found password"}]}],
    });
    Hand::admin("POST", "", Some(&realm));
    hand.add_client();
    hand.here("POST", "/roles", Some(&json!({"name": "by-hand"})));
    let id = hand.user("ada")["id"].as_str().unwrap().to_owned();
    let role = hand.here("GET", "/roles/by-hand", None);
    hand.here("POST", &format!("/users/{id}/role-mappings/realm"), Some(&json!([role])));
    let before = hand.login("ada", "found password").unwrap();
    let theirs = hand.kids();

    // Without rights in it the operator says so, and what is missing.
    let _operator = operator(&space);
    let spec = json!({"tenantId": hand.realm, "adoptionPolicy": "Adopt",
        "settings": {"registerEnabled": true, "policies": {"password": {"min": 14}}}});
    space.create::<Tenant>("acme", spec).await;
    let forbidden = |tenant: &Tenant| {
        tenant.is_reconciling("StoreUnavailable") && tenant.message().contains("manage-realm")
    };
    space.tenant("acme", "kept out", forbidden).await;
    hand.let_the_operator_in();
    let tenant = space.resync("acme").await;
    let tenant = if tenant.is_ready() { tenant } else { space.ready("acme").await };

    let realm = hand.here("GET", "", None);
    for (field, value) in [
        ("displayName", json!("Found")),
        ("rememberMe", json!(true)),
        ("registrationAllowed", json!(true)),
        ("accessTokenLifespan", json!(120)),
        ("ssoSessionIdleTimeout", json!(900)),
        ("ssoSessionMaxLifespan", json!(36000)),
        ("failureFactor", json!(30)),
        ("loginTheme", json!("keycloak")),
        ("passwordPolicy", json!("notUsername(undefined) and length(14)")),
    ] {
        assert_eq!(realm[field], value, "{field}");
    }
    let effective = tenant.status.clone().unwrap().effective.unwrap();
    assert_eq!(effective.sources["settings.rememberMe"], Source::Store);
    assert_eq!(effective.sources["settings.registerEnabled"], Source::Tenant);

    // Its keys stay published and sign on; ours waits beside them.
    let kids = hand.kids();
    assert!(theirs.iter().all(|kid| kids.contains(kid)), "{theirs:?} {kids:?}");
    assert_eq!(kids.len(), theirs.len() + 1);
    assert!(hand.accepts(&before));
    let after = hand.login("ada", "found password").unwrap();
    assert_eq!(part(&after, 0)["kid"], part(&before, 0)["kid"]);

    // A person is adopted with id, password and roles.
    let adopts = json!({"adoptionPolicy": "Adopt", "claims": {"department": "sales"}, "roles": []});
    space.in_acme::<User>("ada", adopts).await;
    let ada = space.well::<User>("ada").await;
    assert_eq!(ada.status.unwrap().id.unwrap(), id);
    let token = hand.login("ada", "found password").unwrap();
    let held = part(&token, 1)["realm_access"]["roles"].clone();
    assert!(held.as_array().unwrap().contains(&json!("by-hand")), "{held}");
    assert_eq!(hand.user("ada")["lastName"], "L");
}
