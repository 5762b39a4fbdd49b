use super::*;

fn tenant(spec: Value) -> TenantSpec {
    serde_json::from_value(spec).unwrap()
}

fn profile(spec: Value) -> TenantProfileSpec {
    serde_json::from_value(spec).unwrap()
}

fn everything(_: &str, _: &Value) -> Support {
    Support::Enforced
}

fn decide_plain(
    tenant: &TenantSpec,
    profile: Option<&TenantProfileSpec>,
) -> Result<Document, Problem> {
    decide(Inputs {
        tenant,
        profile: profile.map(|profile| ("gold", profile)),
        found: None,
        support: &everything,
    })
}

#[test]
fn the_built_in_values_are_every_leaf_of_the_types() {
    let document = decide_plain(&TenantSpec::default(), None).unwrap();
    assert_eq!(Value::Object(document.settings.clone()), defaults::tenant_settings()["settings"]);
    assert!(document.sources.is_empty());
    // Reading into the types and writing again loses nothing, and leaves nothing unset.
    let settings = serde_json::to_value(document.typed_settings()).unwrap();
    assert_eq!(settings, Value::Object(document.settings.clone()));
    let keystore = serde_json::to_value(document.typed_keystore()).unwrap();
    assert_eq!(keystore, Value::Object(document.keystore));
}

#[test]
fn unset_falls_through_from_tenant_to_profile_to_built_in() {
    let profile = profile(json!({
        "settings": {"ttl": {"session": "1h", "accessToken": "10m"}, "acrValues": ["gold", "silver"]},
    }));
    let tenant = tenant(json!({"settings": {"ttl": {"session": "90m"}, "rememberMe": true}}));
    let document = decide_plain(&tenant, Some(&profile)).unwrap();
    let ttl = document.typed_settings().ttl.unwrap();
    assert_eq!(ttl.session.unwrap().to_string(), "1h30m");
    assert_eq!(ttl.access_token.unwrap().to_string(), "10m");
    assert_eq!(ttl.id_token.unwrap().to_string(), "5m");
    let sources: Vec<_> =
        document.sources.iter().map(|(path, source)| (path.as_str(), *source)).collect();
    assert_eq!(
        sources,
        [
            ("settings.acrValues", Source::Profile),
            ("settings.rememberMe", Source::Tenant),
            ("settings.ttl.accessToken", Source::Profile),
            ("settings.ttl.session", Source::Tenant),
        ]
    );
}

#[test]
fn an_empty_list_is_set_and_does_not_fall_through() {
    let profile = profile(json!({"settings": {"acrValues": ["gold"]}}));
    let tenant = tenant(json!({"settings": {"acrValues": []}}));
    let document = decide_plain(&tenant, Some(&profile)).unwrap();
    assert_eq!(document.settings["acrValues"], json!([]));
    assert_eq!(document.sources["settings.acrValues"], Source::Tenant);
}

#[test]
fn a_lock_takes_the_profiles_value_and_says_what_it_overrides() {
    let tenant = tenant(
        json!({"settings": {"ttl": {"session": "20m", "idToken": "20m"}, "rememberMe": true}}),
    );
    let profile =
        profile(json!({"settings": {"ttl": {"session": "1h"}}, "locked": ["settings.ttl"]}));
    let document = decide_plain(&tenant, Some(&profile)).unwrap();
    let ttl = document.typed_settings().ttl.unwrap();
    assert_eq!(ttl.session.unwrap().to_string(), "1h");
    assert_eq!(ttl.id_token.unwrap().to_string(), "5m", "built-in where the profile does not say");
    assert_eq!(document.overridden, ["settings.ttl.idToken", "settings.ttl.session"]);
    assert_eq!(document.sources["settings.rememberMe"], Source::Tenant);
}

#[test]
fn a_feature_that_is_off_locks_what_it_names() {
    for (feature, settings, path) in [
        (
            "customPasswordPolicy",
            json!({"settings": {"policies": {"password": {"min": 20}}}}),
            "settings.policies.password.min",
        ),
        (
            "passwordHistory",
            json!({"settings": {"policies": {"password": {"history": 3}}}}),
            "settings.policies.password.history",
        ),
        ("customTokenTtl", json!({"settings": {"ttl": {"session": "1h"}}}), "settings.ttl.session"),
        ("customAlgorithm", json!({"keystore": {"algorithm": "ES256"}}), "keystore.algorithm"),
        ("customAlgorithm", json!({"keystore": {"keySize": 4096}}), "keystore.keySize"),
        (
            "ciba",
            json!({"settings": {"ciba": {"deliveryMode": "ping"}}}),
            "settings.ciba.deliveryMode",
        ),
    ] {
        let tenant = tenant(settings);
        for (allowed, overridden) in
            [(Some(false), vec![path]), (Some(true), vec![]), (None, vec![])]
        {
            let profile = profile(
                json!({"planDetails": allowed.map(|allowed| json!({feature: allowed})).unwrap_or(json!({}))}),
            );
            let document = decide_plain(&tenant, Some(&profile)).unwrap();
            assert_eq!(document.overridden, overridden, "{feature} {allowed:?}");
        }
    }
}

#[test]
fn the_plan_is_the_profiles() {
    let named = profile(json!({"plan": "pro", "planDetails": {"maxUsers": 5}}));
    let document = decide_plain(&TenantSpec::default(), Some(&named)).unwrap();
    assert_eq!(document.plan.as_deref(), Some("pro"));
    assert_eq!(document.plan_details.unwrap().max_users, Some(5));
    let document = decide_plain(&TenantSpec::default(), Some(&profile(json!({})))).unwrap();
    assert_eq!(document.plan.as_deref(), Some("gold"), "the profile's name");
    let document = decide_plain(&TenantSpec::default(), None).unwrap();
    assert_eq!((document.plan, document.plan_details), (None, None), "no profile, no limits");
}

#[test]
fn an_adopted_tenant_keeps_what_was_never_set() {
    let found = as_document(json!({
        "rememberMe": true,
        "ttl": {"session": "11h", "idToken": "13m", "accessToken": "10s"},
        "acrValues": "not a list",
        "hashFunction": "scrypt",
        "ciba": "not a group",
        "notOurs": {"kept": true},
    }));
    let keystore = Map::new();
    let ever_set = BTreeSet::from(["settings.ttl.idToken".to_owned()]);
    let tenant = tenant(json!({"settings": {"registerEnabled": true}}));
    let document = decide(Inputs {
        tenant: &tenant,
        profile: None,
        found: Some(Found { settings: &found, keystore: &keystore, ever_set: &ever_set }),
        support: &everything,
    })
    .unwrap();
    assert_eq!(document.settings["rememberMe"], json!(true));
    assert_eq!(document.sources["settings.rememberMe"], Source::Store);
    assert_eq!(document.settings["ttl"]["session"], json!("11h"));
    assert_eq!(document.settings["ttl"]["idToken"], json!("5m"), "once set, then unset: built-in");
    assert!(!document.sources.contains_key("settings.ttl.idToken"));
    // What no Tenant could set stays as well; it cannot be shown.
    assert_eq!(document.settings["acrValues"], json!("not a list"));
    assert_eq!(document.settings["hashFunction"], json!("scrypt"));
    assert_eq!(
        document.settings["ttl"]["accessToken"],
        json!("10s"),
        "less than the schema allows"
    );
    let unreadable = ["settings.acrValues", "settings.hashFunction", "settings.ttl.accessToken"];
    assert_eq!(document.unreadable, unreadable);
    assert!(unreadable.iter().all(|path| document.sources[*path] == Source::Store));
    let typed = document.typed_settings();
    assert_eq!((typed.acr_values, typed.hash_function), (None, None));
    assert_eq!(typed.ttl.unwrap().session.unwrap().to_string(), "11h");
    assert_eq!(document.settings["ciba"]["deliveryMode"], json!("poll"));
    assert_eq!(document.settings["notOurs"], json!({"kept": true}), "what we do not know");
    assert_eq!(document.set_paths().collect::<Vec<_>>(), ["settings.registerEnabled"]);
}

#[test]
fn what_the_store_cannot_do_is_never_silently_dropped() {
    let support = |path: &str, value: &Value| match (path, value.as_str()) {
        ("keystore.algorithm", Some("RS256")) => Support::Enforced,
        ("keystore.algorithm", _) => Support::Unsupported { own: Some(json!("RS256")) },
        ("settings.hashFunction", Some("bcrypt")) | ("settings.policies.bruteForce.enabled", _) => {
            Support::Carried
        }
        ("settings.ttl.idToken", _) => Support::Unsupported { own: Some(json!("5m")) },
        _ => Support::Enforced,
    };
    let decide = |spec: Value| {
        decide(Inputs { tenant: &tenant(spec), profile: None, found: None, support: &support })
    };

    let plain = decide(json!({})).unwrap();
    assert_eq!(plain.unenforced, ["settings.policies.bruteForce.enabled"]);
    assert_eq!(plain.unenforced_protection(), ["settings.policies.bruteForce.enabled"]);
    assert_eq!(plain.sources["settings.ttl.idToken"], Source::Store, "a built-in value gives way");

    let set =
        decide(json!({"settings": {"hashFunction": "bcrypt", "ttl": {"idToken": "1h"}}})).unwrap();
    assert_eq!(
        set.unenforced,
        ["settings.hashFunction", "settings.policies.bruteForce.enabled", "settings.ttl.idToken"]
    );

    let problem = decide(json!({"keystore": {"algorithm": "ES256"}})).unwrap_err();
    assert_eq!((problem.class, problem.reason), (Class::Unsupported, Reason::UnsupportedByStore));
    assert!(problem.message.contains("keystore.algorithm"), "{}", problem.message);
}

#[test]
fn what_arises_from_tenant_and_profile_together_is_checked() {
    let short = profile(
        json!({"settings": {"policies": {"password": {"max": 8, "min": 6}}}, "keystore": {"rotationPeriod": "2h", "publishBefore": "1h"}}),
    );
    let problem = decide_plain(
        &tenant(json!({"settings": {"policies": {"password": {"min": 10}}}})),
        Some(&short),
    )
    .unwrap_err();
    assert_eq!(problem.reason, Reason::PolicyUnsatisfiable);
    let problem = decide_plain(&tenant(json!({"keystore": {"publishBefore": "2h"}})), Some(&short))
        .unwrap_err();
    assert_eq!(problem.reason, Reason::PublishBeforeTooLong);
    assert!(
        decide_plain(
            &tenant(json!({"keystore": {"publishBefore": "2h", "rotationPeriod": "0s"}})),
            Some(&short)
        )
        .is_ok()
    );
}
