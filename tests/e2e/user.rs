//! Users: how they come into the store, stay there as declared, and go.

use keyreeve::api::{Role, Tenant, User};
use serde_json::{Value, json};

use crate::support::{Audit, Conditions, Operator, Server, Space, eventually};

#[tokio::test]
async fn a_user_takes_three_writes_and_resyncs_take_none() {
    let space = Space::new("user-writes").await;
    let metrics = Server::new();
    let flags = ["--resync", "1s", "--metrics-bind-address", &metrics.address];
    let _operator = Operator::start_with(&space, &flags);
    space.made_tenant("acme", json!({})).await;
    space.made::<Role>("clerk", json!({})).await;
    for object in ["acme", "clerk"] {
        space.event(object, "Normal Synced").await;
    }
    let audit = Audit::begin(&space);
    let spec =
        json!({"email": "ada@acme.example", "roles": [{"name": "clerk"}], "claims": {"a": 1}});
    let ada = space.made::<User>("ada", spec).await;
    space.event("ada", "Normal Synced: user ada is in the store as declared").await;
    let status = ada.status.unwrap();
    assert_eq!([status.tenant_id, status.username], ["acme", "ada"].map(|s| Some(s.to_owned())));
    assert_eq!(status.enabled, Some(true));
    let counted = |tenant: &Tenant| tenant.status.as_ref().unwrap().user_count == Some(1);
    space.tenant("acme", "its user counted", counted).await;
    let mut database = space.database().await;
    let version = database.version().await;
    let looks = || metrics.metric("controller_runtime_reconcile_total", "controller=\"user\"");
    let seen = looks();
    eventually("it was looked at again and again", async || looks() >= seen + 4.0).await;
    let writes = audit.writes();
    assert_eq!(writes.len(), 4, "{writes:?}");
    assert_eq!(writes[..2], ["patch users ada", "patch users/status ada"]);
    assert!(writes[2..].iter().any(|write| write.starts_with("create events ada.")), "{writes:?}");
    assert!(writes[2..].contains(&"patch tenants/status acme".into()), "{writes:?}");
    assert_eq!(database.version().await, version);
}

#[tokio::test]
async fn a_user_is_kept_as_declared_and_what_a_person_fills_in_stays() {
    let space = Space::new("user-kept").await;
    let _operator = Operator::start(&space);
    space.made_tenant("acme", json!({})).await;
    let claims =
        json!({"badge": 9_223_372_036_854_775_807_i64, "team": {"name": "core", "leads": ["ada"]}});
    let provider = json!([{"name": "github", "userId": "42", "username": "ada"}]);
    let spec = json!({
        "username": "Ada", "email": "Ada@Acme.example", "enabled": false, "claims": claims,
        "authenticationProviders": provider,
    });
    let ada = space.made::<User>("ada-l", spec).await;
    let status = ada.status.unwrap();
    assert_eq!((status.username.as_deref(), status.enabled), (Some("ada"), Some(false)));
    let mut database = space.database().await;
    assert_eq!(database.users().await, ["acme/ada Ada@Acme.example? !"]);
    let stored = database.text("SELECT claims FROM v1_users").await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&stored).unwrap(), claims);

    // A person fills in a name and proves the address; another hand breaks what is declared.
    database
        .execute("UPDATE users SET first_name = 'Ada', email_verified = TRUE, enabled = TRUE, claims = '{}'")
        .await;
    space.look_again::<User>("ada-l").await;
    space.event("ada-l", "Warning DriftCorrected").await;
    assert_eq!(database.users().await, ["acme/ada Ada@Acme.example !"]);
    let first = "SELECT first_name FROM v1_users";
    assert_eq!(database.text(first).await.as_deref(), Some("Ada"));
    let again = database.text("SELECT claims FROM v1_users").await.unwrap();
    assert_eq!(again, stored);

    // What is taken out goes, and what another hand put beside it stays.
    space.change::<User>("ada-l", json!({"firstName": "Augusta"})).await;
    space.well::<User>("ada-l").await;
    assert_eq!(database.text(first).await.as_deref(), Some("Augusta"));
    // Paused, so that nobody looks at it between the two.
    let paused =
        |value: Value| json!({"metadata": {"annotations": {"keyreeve.dev/paused": value}}});
    space.merge::<User>("ada-l", paused(json!("true"))).await;
    space.see::<User>("ada-l", "paused", |user| user.condition("Paused").is_some()).await;
    database
        .execute("UPDATE users SET claims = json_insert(claims, '$.own', 1), last_name = 'King'")
        .await;
    let out = json!({"firstName": null, "claims": null, "authenticationProviders": null, "enabled": null});
    space.change::<User>("ada-l", out).await;
    space.merge::<User>("ada-l", paused(json!(null))).await;
    space.well::<User>("ada-l").await;
    let all = "SELECT json_array(first_name, last_name, json(claims), json(authentication_providers), enabled) FROM v1_users";
    assert_eq!(database.text(all).await.unwrap(), r#"[null,"King",{"own":1},[],1]"#);
}

#[tokio::test]
async fn the_id_stays_through_restarts_and_whatever_happens_to_the_store() {
    let space = Space::new("user-id").await;
    let operator = Operator::start(&space);
    space.made_tenant("acme", json!({})).await;
    let id = |user: User| user.status.unwrap().id.unwrap();
    let given = "6f1c1f0e-0b1a-4c57-9d5c-2f0f6a1f9a11";
    assert_eq!(id(space.made::<User>("imported", json!({"id": given})).await), given);
    let first = id(space.made::<User>("ada", json!({})).await);
    assert_eq!(first.len(), 36);
    let query = "SELECT id FROM v1_users WHERE username = 'ada'";
    let mut database = space.database().await;
    assert_eq!(database.text(query).await.as_ref(), Some(&first));

    for hand in [
        "UPDATE users SET id = 'another' WHERE username = 'ada'",
        "DELETE FROM users WHERE username = 'ada'",
    ] {
        database.execute(hand).await;
        assert_eq!(id(space.look_again::<User>("ada").await), first, "{hand}");
        assert_eq!(database.text(query).await.as_ref(), Some(&first), "{hand}");
    }
    drop(database);
    operator.kill();
    for lost in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{lost}", space.store_file().display()));
    }
    let _operator = Operator::start(&space);
    let anew = |warnings: Vec<String>| {
        warnings.iter().any(|told| told.contains("the store is another one"))
    };
    eventually("it is made anew", async || anew(space.events("ada").await)).await;
    let mut database = space.database().await;
    assert_eq!(database.text(query).await.as_ref(), Some(&first));

    space.in_acme::<User>("thief", json!({"id": first})).await;
    let thief = space.stalls::<User>("thief", "Conflict").await;
    assert!(thief.message().contains("another user has this id"), "{}", thief.message());
}

#[tokio::test]
async fn names_and_addresses_are_unique_in_the_form_in_which_they_are_compared() {
    let space = Space::new("user-unique").await;
    let _operator = Operator::start(&space);
    space.made_tenant("acme", json!({})).await;
    space.made_tenant("other", json!({})).await;
    space.made::<User>("first", json!({"username": "Ada", "email": "ada@acme.example"})).await;
    let name = json!({"username": "ａＤＡ"});
    space.in_acme::<User>("second", name.clone()).await;
    let second = space.stalls::<User>("second", "Conflict").await;
    assert!(
        second.message().contains("user ada of tenant acme is taken by User first"),
        "{}",
        second.message()
    );
    space.in_acme::<User>("third", json!({"email": "ADA@acme.example"})).await;
    let third = space.stalls::<User>("third", "Conflict").await;
    // The older of two of one second is told by the UID, and then the store says it.
    let said = [
        "spec.email: the address ada@acme.example in tenant acme is taken by User first",
        "another user has this email address",
    ];
    assert!(said.iter().any(|said| third.message().contains(said)), "{}", third.message());
    // In another tenant both are free.
    let elsewhere =
        json!({"tenantRef": {"name": "other"}, "username": "Ada", "email": "ada@acme.example"});
    space.create::<User>("elsewhere", elsewhere).await;
    space.well::<User>("elsewhere").await;

    // An address is free when its user takes another, a name when its user goes.
    space.change::<User>("first", json!({"email": "countess@acme.example"})).await;
    space.well::<User>("third").await;
    space.remove::<User>("first").await;
    let second = space.well::<User>("second").await;
    assert_eq!(second.status.unwrap().username.as_deref(), Some("ada"));

    space.in_acme::<User>("odd", json!({"username": "a👩b"})).await;
    let odd = space.stalls::<User>("odd", "InvalidSpec").await;
    assert!(odd.message().contains("spec.username"), "{}", odd.message());
    // It is of no concern to anybody that it goes.
    space.remove::<User>("odd").await;
}

#[tokio::test]
async fn an_address_that_somebody_has_in_the_store_alone_is_taken() {
    let space = Space::new("user-email-store").await;
    let _operator = Operator::start(&space);
    space.made_tenant("acme", json!({})).await;
    let mut database = space.database().await;
    database
        .execute("INSERT INTO users (tenant_id, username, id, email) VALUES ('acme', 'hand', 'x', 'Hand@acme.example')")
        .await;
    space.in_acme::<User>("ada", json!({"email": "hand@acme.example"})).await;
    let ada = space.stalls::<User>("ada", "Conflict").await;
    assert!(ada.message().contains("another user has this email address"), "{}", ada.message());
    space.change::<User>("ada", json!({"email": "ada@acme.example"})).await;
    space.well::<User>("ada").await;

    // What a person writes into a field of their own holds up nothing that is declared.
    space.made::<User>("bob", json!({})).await;
    database.execute("UPDATE users SET email = 'ada@acme.example' WHERE username = 'bob'").await;
    space.change::<User>("bob", json!({"enabled": false})).await;
    space.well::<User>("bob").await;
    let bob = "SELECT email || enabled FROM v1_users WHERE username = 'bob'";
    assert_eq!(database.text(bob).await.as_deref(), Some("ada@acme.example0"));
}

#[tokio::test]
async fn what_the_user_finishes_is_asked_for_once() {
    let space = Space::new("user-asked").await;
    let _operator = Operator::start(&space);
    space.made_tenant("acme", json!({})).await;
    let both = json!({"requiredActions": ["VerifyEmail", "UpdateProfile"], "email": "ada@acme.example", "emailVerified": false});
    space.made::<User>("ada", both).await;
    let mut database = space.database().await;
    let actions = "SELECT required_actions FROM v1_users";
    assert_eq!(database.text(actions).await.unwrap(), r#"["VerifyEmail","UpdateProfile"]"#);
    database.execute("UPDATE users SET required_actions = '[]', email_verified = TRUE").await;
    space.look_again::<User>("ada").await;
    assert_eq!(database.text(actions).await.unwrap(), "[]", "the user has done it");
    let more = json!({"requiredActions": ["VerifyEmail", "UpdateProfile", "ConfigureTotp"]});
    space.change::<User>("ada", more).await;
    space.well::<User>("ada").await;
    assert_eq!(database.text(actions).await.unwrap(), r#"["ConfigureTotp"]"#);
    assert_eq!(database.users().await, ["acme/ada ada@acme.example"], "the user's proof stays");
    space.change::<User>("ada", json!({"requiredActions": null, "email": "a@acme.example"})).await;
    space.well::<User>("ada").await;
    assert_eq!(database.text(actions).await.unwrap(), "[]", "no longer asked for");
    assert_eq!(database.users().await, ["acme/ada a@acme.example?"], "another address");
}

#[tokio::test]
async fn a_user_that_the_store_has_is_adopted_on_request_and_keeps_what_is_never_set() {
    let space = Space::new("user-adopt").await;
    let _operator = Operator::start_with(&space, &["--adoptable", "acme"]);
    space.made_tenant("acme", json!({})).await;
    let mut database = space.database().await;
    database
        .execute(
            "INSERT INTO users (tenant_id, username, id, email, email_verified, claims, required_actions) \
             VALUES ('acme', 'ada', 'old-id', 'ada@acme.example', TRUE, '{\"a\":1}', '[\"UpdateProfile\"]')",
        )
        .await;
    space.in_acme::<User>("ada", json!({})).await;
    space.stalls::<User>("ada", "Conflict").await;
    space.change::<User>("ada", json!({"adoptionPolicy": "Adopt"})).await;
    let status = space.well::<User>("ada").await.status.unwrap();
    assert_eq!((status.id.as_deref(), status.enabled), (Some("old-id"), Some(false)));
    assert_eq!(database.users().await, ["acme/ada ada@acme.example !"]);
    space.change::<User>("ada", json!({"email": "ada@acme.example", "enabled": true})).await;
    space.well::<User>("ada").await;
    assert_eq!(
        database.users().await,
        ["acme/ada ada@acme.example"],
        "it is the address that was verified"
    );
    let rest = "SELECT claims || required_actions FROM v1_users";
    assert_eq!(database.text(rest).await.unwrap(), r#"{"a":1}["UpdateProfile"]"#);
}

#[tokio::test]
async fn a_user_goes_from_the_store_unless_it_is_retained() {
    let space = Space::new("user-goes").await;
    let _operator = Operator::start(&space);
    space.made_tenant("acme", json!({})).await;
    space.made::<User>("ada", json!({})).await;
    let kept = space.made::<User>("bob", json!({"deletionPolicy": "Retain"})).await;
    space.remove::<User>("ada").await;
    space.remove::<User>("bob").await;
    let mut database = space.database().await;
    assert_eq!(database.users().await, ["acme/bob"]);
    space.event("bob", "Normal Retained").await;
    let again = space.made::<User>("bob", json!({})).await;
    assert_eq!(again.status.unwrap().id, kept.status.unwrap().id, "it is the same user");
    assert_ne!(again.metadata.uid, kept.metadata.uid);
}

#[tokio::test]
async fn a_plan_without_users_has_none() {
    let space = Space::new("user-plan").await;
    let _operator = Operator::start(&space);
    let profile = json!({"planDetails": {"userManagement": false}});
    space.create::<keyreeve::api::TenantProfile>("tiny", profile).await;
    space.made_tenant("acme", json!({"profileRef": {"name": "tiny"}})).await;
    space.in_acme::<User>("ada", json!({})).await;
    let ada = space.stalls::<User>("ada", "NotInPlan").await;
    assert!(ada.message().contains("planDetails.userManagement is false"), "{}", ada.message());
    space
        .merge::<keyreeve::api::TenantProfile>(
            "tiny",
            json!({"spec": {"planDetails": {"userManagement": true}}}),
        )
        .await;
    space.well::<User>("ada").await;
}
