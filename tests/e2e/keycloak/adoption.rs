//! A live realm is adopted: what nobody set stays, and so do its people and its keys.

use jiff::Timestamp;
use keyreeve::{
    api::{KeyState, Namespace, Role, Source, Tenant, User},
    store,
};
use serde_json::{Value, json};

use super::{
    hand::{Hand, part},
    operator, server,
};
use crate::support::{Conditions, Keys, Space, Turned, TurnedClock, setting};

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
        tenant.is_reconciling("ForbiddenByStore") && tenant.message().contains("manage-realm")
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

#[tokio::test]
async fn tokens_of_an_adopted_realm_outlive_its_key_and_a_client_made_by_hand_becomes_a_namespace()
{
    let space = Space::new("kc-adopt-keys").await;
    let hand = Hand::of(&format!("{}-live", space.namespace));
    let realm = json!({
        "realm": hand.realm, "enabled": true, "accessTokenLifespan": 3600,
        "users": [{"username": "ada", "enabled": true, "email": "ada@acme.example", "firstName": "Ada",
            "lastName": "L", "credentials": [{"type": "password", "value": "found password"}]}],
    });
    Hand::admin("POST", "", Some(&realm));
    hand.add_client();
    // A client with roles of its own, one of which ada has.
    let orders = json!({"clientId": "ns:orders", "name": "Orders", "description": "Found",
        "publicClient": true, "redirectUris": ["http://127.0.0.1/orders"],
        "attributes": {"post.logout.redirect.uris": "+"}});
    hand.here("POST", "/clients", Some(&orders));
    let client = || hand.here("GET", "/clients?clientId=ns:orders", None)[0].clone();
    let found = client();
    let roles = format!("/clients/{}/roles", found["id"].as_str().unwrap());
    for role in ["packer", "clerk"] {
        let role = json!({"name": role, "description": "Found"});
        hand.here("POST", &roles, Some(&role));
    }
    let role = |name: &str| hand.here("GET", &format!("{roles}/{name}"), None);
    let id = hand.user("ada")["id"].as_str().unwrap().to_owned();
    let mappings = format!("/users/{id}/role-mappings{}", roles.trim_end_matches("/roles"));
    hand.here("POST", &mappings, Some(&json!([role("packer"), role("clerk")])));
    let before = hand.login("ada", "found password").unwrap();
    let theirs = hand.kids();
    hand.let_the_operator_in();

    let clock = TurnedClock::at(Timestamp::now());
    let _operator = Turned::start_on(&space, &clock, keycloak().await).await;
    let spec = json!({"tenantId": hand.realm, "adoptionPolicy": "Adopt"});
    space.create::<Tenant>("acme", spec).await;
    let ours = space.ready("acme").await.kids(KeyState::Standby);
    assert_eq!(ours.len(), 1);

    // Without the word of its owner it stays nobody's.
    space.in_acme::<Namespace>("orders", json!({})).await;
    let conflict = |namespace: &Namespace| namespace.has_reason("Conflict");
    space.see::<Namespace>("orders", "a conflict", conflict).await;
    assert_eq!(client(), found);
    let adopts = json!({"adoptionPolicy": "Adopt"});
    space.change::<Namespace>("orders", adopts.clone()).await;
    space.well::<Namespace>("orders").await;
    let without_ours = |mut client: Value| {
        let attributes = client["attributes"].as_object_mut().unwrap();
        let ours = attributes.len();
        attributes.retain(|name, _| !name.starts_with("keyreeve."));
        (ours > attributes.len(), client)
    };
    assert_eq!(without_ours(client()), (true, found.clone()), "marked, and as it was");
    // A Role may be placed in it; the one that nobody adopts is there all the same.
    let mut clerk = adopts;
    clerk["namespaceRef"] = json!({"name": "orders"});
    space.in_acme::<Role>("clerk", clerk).await;
    space.well::<Role>("clerk").await;
    space.change::<Namespace>("orders", json!({"description": "Ours"})).await;
    space.well::<Namespace>("orders").await;
    let mut changed = found;
    changed["description"] = "Ours".into();
    assert_eq!(without_ours(client()), (true, changed));
    assert_eq!(role("packer")["attributes"], json!({}));

    // Once ours signs, what theirs signed verifies by what the realm publishes.
    clock.turn_hours(25);
    space.resync("acme").await;
    let signs = |tenant: &Tenant| tenant.has(&ours[0], KeyState::Active);
    space.tenant("acme", "signed for by our key", signs).await;
    let after = hand.login("ada", "found password").unwrap();
    assert_eq!(part(&after, 0)["kid"], ours[0].as_str());
    assert!(theirs.contains(&part(&before, 0)["kid"].as_str().unwrap().to_owned()));
    assert!(theirs.iter().all(|kid| hand.kids().contains(kid)));
    for token in [&before, &after] {
        assert!(hand.verifies(token) && hand.accepts(token));
        let held = part(token, 1)["resource_access"]["ns:orders"]["roles"].clone();
        let held: Vec<_> =
            held.as_array().unwrap().iter().map(|role| role.as_str().unwrap()).collect();
        assert!(held.contains(&"packer") && held.contains(&"clerk"), "{held:?}");
    }
    let (head, signature) = before.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", signature.replace(['A', 'B', 'C', 'D', 'E'], "F"));
    assert!(!hand.verifies(&forged));
}

/// The store that the operator of the other tests is told of.
async fn keycloak() -> std::sync::Arc<dyn store::Store> {
    let file = setting("KEYREEVE_TEST_KEYCLOAK_SECRET_FILE");
    let secret = store::Source::File(file.into());
    let credentials = store::Credentials { username: None, password: Some(secret) };
    let url = format!("keycloak+http://{}", server());
    store::open(&url.parse().unwrap(), &credentials).await.unwrap()
}
