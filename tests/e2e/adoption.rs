//! Tenants that the store had before: they are adopted on request only, and what is never set
//! stays as found.

use keyreeve::api::{Source, Tenant};
use serde_json::{Value, json};

use crate::support::{Conditions, Database, Operator, Space};

const ADOPTABLE: [&str; 2] = ["--adoptable", "ac*"];

/// A tenant made by hand.
async fn found(space: &Space) -> Database {
    let mut database = space.new_store().await;
    database
        .execute(
            r#"INSERT INTO tenants (tenant_id, display_name, region, enabled, settings) VALUES
               ('acme', 'Found', 'tr-1', FALSE, '{"rememberMe": true, "ttl": {"session": "2h"}}')"#,
        )
        .await;
    database
}

/// A Tenant that adopts it.
async fn adopted(space: &Space, more: Value) -> Tenant {
    let mut spec = json!({"adoptionPolicy": "Adopt"});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    space.create::<Tenant>("acme", spec).await;
    space.ready("acme").await
}

fn source(tenant: &Tenant, path: &str) -> Option<Source> {
    tenant.status.as_ref()?.effective.as_ref()?.sources.get(path).copied()
}

async fn setting(database: &mut Database, query: &'static str) -> String {
    database.text(query).await.unwrap()
}

const SESSION: &str = "SELECT settings ->> '$.ttl.session' FROM v1_tenants";
const REMEMBER_ME: &str = "SELECT settings -> '$.rememberMe' FROM v1_tenants";

async fn has_drifted(space: &Space) -> bool {
    space.events("acme").await.iter().any(|event| event.contains("DriftCorrected"))
}

#[tokio::test]
async fn what_the_store_has_is_adopted_only_if_the_tenant_and_the_operator_say_so() {
    let space = Space::new("adopt").await;
    let mut database = found(&space).await;
    let operator = Operator::start(&space);
    space.create::<Tenant>("acme", json!({})).await;
    let conflict = |says: &'static str| {
        let is_so =
            move |tenant: &Tenant| tenant.is_stalled("Conflict") && tenant.message().contains(says);
        space.tenant("acme", says, is_so)
    };
    conflict("nobody's: to adopt it, set adoptionPolicy: Adopt and have the platform").await;
    space.merge::<Tenant>("acme", json!({"spec": {"adoptionPolicy": "Adopt"}})).await;
    conflict("in the operator's --adoptable").await;
    conflict("nobody's: ask the platform").await;
    assert_eq!(database.number("SELECT COUNT(*) FROM tenants WHERE mark_uid <> ''").await, 0);
    operator.kill();

    let operator = Operator::start_with(&space, &["--adoptable", "acme-*"]);
    space.resync("acme").await;
    conflict("nobody's: ask the platform").await;
    operator.kill();

    let _operator = Operator::start_with(&space, &ADOPTABLE);
    space.ready("acme").await;
    space.event("acme", "Normal Adopted").await;
    assert_eq!(database.number("SELECT COUNT(*) FROM tenants WHERE mark_uid <> ''").await, 1);
    assert!(!has_drifted(&space).await);
}

#[tokio::test]
async fn what_is_set_in_an_adopted_tenant_is_set_and_all_else_stays_as_found() {
    let space = Space::new("found").await;
    let mut database = found(&space).await;
    let _operator = Operator::start_with(&space, &ADOPTABLE);
    let own = json!({"displayName": "Acme", "settings": {"ttl": {"session": "3h"}}});
    let tenant = adopted(&space, own).await;
    let (session, remember_me) = ("settings.ttl.session", "settings.rememberMe");
    assert_eq!(source(&tenant, session), Some(Source::Tenant));
    assert_eq!(source(&tenant, remember_me), Some(Source::Store));
    assert_eq!(source(&tenant, "settings.registerEnabled"), None);
    assert_eq!(setting(&mut database, SESSION).await, "3h");
    assert_eq!(setting(&mut database, REMEMBER_ME).await, "true");
    let names = "SELECT display_name || ' ' || region FROM v1_tenants";
    assert_eq!(setting(&mut database, names).await, "Acme tr-1");

    // Once set and then unset, it goes to its built-in value.
    let unset = json!({"spec": {"displayName": null, "settings": {"ttl": null}}});
    space.merge::<Tenant>("acme", unset).await;
    let tenant = space.ready("acme").await;
    assert_eq!(source(&tenant, session), None);
    assert_eq!(setting(&mut database, SESSION).await, "10h");
    assert_eq!(setting(&mut database, REMEMBER_ME).await, "true");
    let names = "SELECT coalesce(display_name, 'none') || ' ' || region FROM v1_tenants";
    assert_eq!(setting(&mut database, names).await, "none tr-1");
    assert!(!has_drifted(&space).await);
}

#[tokio::test]
async fn in_an_adopted_tenant_a_hand_may_change_what_was_never_set_and_nothing_else() {
    let space = Space::new("hand").await;
    let mut database = found(&space).await;
    let _operator = Operator::start_with(&space, &ADOPTABLE);
    adopted(&space, json!({"settings": {"ttl": {"session": "3h"}}})).await;
    // Not in the midst of a look.
    space.resync("acme").await;
    let edit = "UPDATE tenants SET display_name = 'By hand', \
                settings = json_set(settings, '$.rememberMe', json('false'))";
    database.execute(edit).await;
    let tenant = space.resync("acme").await;
    assert_eq!(source(&tenant, "settings.rememberMe"), Some(Source::Store));
    assert_eq!(setting(&mut database, REMEMBER_ME).await, "false");
    let name = "SELECT display_name FROM v1_tenants";
    assert_eq!(setting(&mut database, name).await, "By hand");
    assert!(!has_drifted(&space).await, "{:#?}", space.events("acme").await);

    let edit = "UPDATE tenants SET settings = json_set(settings, '$.ttl.session', '9h')";
    database.execute(edit).await;
    space.resync("acme").await;
    assert_eq!(setting(&mut database, SESSION).await, "3h");
    let event = space.event("acme", "Warning DriftCorrected").await;
    assert!(event.ends_with("by writing settings.ttl.session"), "{event}");
    assert_eq!(setting(&mut database, name).await, "By hand");
}

#[tokio::test]
async fn a_tenant_found_disabled_stays_so_until_it_is_enabled_by_its_tenant() {
    let space = Space::new("disabled").await;
    let mut database = found(&space).await;
    let _operator = Operator::start_with(&space, &ADOPTABLE);
    let states = "SELECT enabled || suspended FROM v1_tenants";
    let tenant = adopted(&space, json!({})).await;
    assert_eq!(tenant.status.unwrap().enabled, Some(false));
    assert_eq!(setting(&mut database, states).await, "00");

    for (end, state) in [("2020-01-01T00:00:00Z", "01"), ("2999-01-01T00:00:00Z", "00")] {
        let renewal = json!({"spec": {"subscription": {"expiresAt": end}}});
        space.merge::<Tenant>("acme", renewal).await;
        let tenant = space.ready("acme").await;
        assert_eq!(tenant.condition("Suspended").is_some(), state == "01");
        assert_eq!(setting(&mut database, states).await, state);
    }
    space.merge::<Tenant>("acme", json!({"spec": {"enabled": true}})).await;
    space.ready("acme").await;
    assert_eq!(setting(&mut database, states).await, "10");
    // Once set and then unset, it is built in: enabled.
    space.merge::<Tenant>("acme", json!({"spec": {"enabled": null}})).await;
    space.ready("acme").await;
    assert_eq!(setting(&mut database, states).await, "10");
}

#[tokio::test]
async fn what_no_tenant_could_set_stays_as_found_and_hinders_nothing() {
    let space = Space::new("odd-find").await;
    let mut database = found(&space).await;
    database
        .execute(
            "UPDATE tenants SET settings = json_object('hashFunction', 'scrypt', 'own', 'kept', \
             'tenantLoginUrl', 'https://' || printf('%.2000c', 'x'), 'rememberMe', json('true')), \
             type = printf('%.400c', 't')",
        )
        .await;
    let _operator = Operator::start_with(&space, &ADOPTABLE);
    let tenant = adopted(&space, json!({"settings": {"registerEnabled": true}})).await;
    for path in ["settings.hashFunction", "settings.tenantLoginUrl", "settings.rememberMe"] {
        assert_eq!(source(&tenant, path), Some(Source::Store), "{path}");
    }
    let settings = tenant.status.unwrap().effective.unwrap().settings;
    assert_eq!((settings.hash_function, settings.tenant_login_url), (None, None), "not shown");
    assert_eq!(settings.remember_me, Some(true));
    let kept = "SELECT (settings ->> 'hashFunction') || ' ' || (settings ->> 'own') || ' ' || \
                length(settings ->> 'tenantLoginUrl') || ' ' || length(type) FROM tenants";
    assert_eq!(setting(&mut database, kept).await, "scrypt kept 2008 400");
}
