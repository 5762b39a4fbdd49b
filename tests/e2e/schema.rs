//! The schemas on the real API server: what they refuse and how they say so, and that the local
//! check ([`keyreeve::api::validation`]) and our types agree with it.
//!
//! Every case is a dry run under strict field validation. Most follow from the schemas
//! ([`generated`]); what rules say beyond them stands in tables here.

mod examples;
mod generated;
mod random;
mod rules;
pub mod samples;
mod server;

use std::time::Instant;

use keyreeve::api::{Tenant, validation};
use serde_json::{Value, json};

use self::{
    samples::{object, smallest, spec_schema},
    server::{Case, Expect, ask, judge, judge_but},
};
use crate::support::Space;

#[tokio::test]
async fn the_smallest_manifests_are_accepted() {
    let space = Space::new("schema-smallest").await;
    let reference = json!({"tenantRef": {"name": "acme"}});
    let cases = [
        ("Tenant", json!({})),
        ("TenantProfile", json!({})),
        ("Namespace", reference.clone()),
        ("Role", reference.clone()),
        ("User", reference),
    ];
    for (kind, spec) in &cases {
        assert_eq!(smallest(&spec_schema(kind), "spec")["name"], Value::Null);
        let stored = ask(&space, &object(kind, "smallest", spec.clone()), false).await.unwrap();
        assert_eq!(stored["spec"], *spec, "nothing is added to a spec");
        assert_eq!(stored["status"], json!({"observedGeneration": -1}));
    }
    judge(
        &space,
        cases.map(|(kind, spec)| Case::accepted(kind, object(kind, "smallest", spec))).into(),
    )
    .await;
}

#[tokio::test]
async fn every_bound_is_accepted_and_one_beyond_is_refused() {
    let space = Space::new("schema-bounds").await;
    let mut cases = Vec::new();
    generated::for_each_part(&mut |place| cases.extend(generated::bounds(place)));
    assert!(cases.len() > 1000);
    judge(&space, cases).await;
}

#[tokio::test]
async fn every_field_refuses_values_of_another_type() {
    let space = Space::new("schema-types").await;
    let mut cases = Vec::new();
    generated::for_each_part(&mut |place| cases.extend(generated::types(place)));
    judge(&space, cases).await;
}

#[tokio::test]
async fn a_field_that_is_null_is_not_there() {
    let space = Space::new("schema-null").await;
    let mut cases = Vec::new();
    generated::for_each_part(&mut |place| cases.push(generated::null(place)));
    judge(&space, cases).await;
    // As Kubernetes does it with every resource: dropped before anything looks at it. In the
    // open field it stays, for the controller to refuse.
    let tenant = object("Tenant", "null", json!({"displayName": null, "settings": {"ttl": null}}));
    assert_eq!(ask(&space, &tenant, false).await.unwrap()["spec"], json!({"settings": {}}));
    let spec = json!({"tenantRef": {"name": "acme"}, "claims": {"a": null, "b": {"c": null}}});
    let stored = ask(&space, &object("User", "null", spec.clone()), false).await.unwrap();
    assert_eq!(stored["spec"], spec);
}

#[tokio::test]
async fn odd_texts_are_accepted_or_refused_by_name() {
    let space = Space::new("schema-texts").await;
    let mut cases = Vec::new();
    generated::for_each_part(&mut |place| cases.extend(generated::odd_texts(place)));
    judge(&space, cases).await;
}

#[tokio::test]
async fn durations_are_read_in_every_notation() {
    let space = Space::new("schema-durations").await;
    let mut cases = Vec::new();
    generated::for_each_part(&mut |place| cases.extend(rules::durations(place)));
    assert!(cases.len() > 300);
    judge(&space, cases).await;
}

#[tokio::test]
async fn rules_accept_and_refuse_by_name() {
    let space = Space::new("schema-rules").await;
    judge(&space, rules::cases()).await;
}

#[tokio::test]
async fn a_tenant_name_that_is_no_tenant_id_needs_one() {
    let space = Space::new("schema-names").await;
    let (long, longest) = ("a".repeat(49), "a".repeat(48));
    let mut cases = Vec::new();
    for (name, says) in [
        ("ab", "so it must be a DNS label of 3 to 48 characters: set spec.tenantId"),
        ("acme.example", "so it must be a DNS label of 3 to 48 characters: set spec.tenantId"),
        (&long, "so it must be a DNS label of 3 to 48 characters: set spec.tenantId"),
        ("master", "and 'master' is reserved"),
    ] {
        let mut refused = Case::refused(name, "", object("Tenant", name, json!({})));
        refused.expect = Expect::RefusedSaying(
            String::new(),
            format!("metadata.name is the tenant id unless spec.tenantId is set, {says}"),
        );
        cases.push(refused);
        let named = object("Tenant", name, json!({"tenantId": "acme"}));
        cases.push(Case::accepted(format!("{name} with a tenantId"), named));
    }
    for name in ["abc", "masters", &longest] {
        cases.push(Case::accepted(name, object("Tenant", name, json!({}))));
    }
    judge(&space, cases).await;
}

#[tokio::test]
async fn identity_never_changes() {
    let space = Space::new("schema-immutable").await;
    let reference = |name: &str| json!({"name": name});
    let id = "0c3fad74-a8df-4a2d-8e75-f2d356b413b";
    // Kind, field, a value, another one; whether it may be unset.
    let table = [
        ("Tenant", "tenantId", json!("acme"), json!("other"), true),
        ("Namespace", "tenantRef", reference("acme"), reference("other"), false),
        ("Namespace", "name", json!("orders"), json!("other"), true),
        ("Role", "tenantRef", reference("acme"), reference("other"), false),
        ("Role", "name", json!("reader"), json!("other"), true),
        ("Role", "namespaceRef", reference("orders"), reference("other"), true),
        ("User", "tenantRef", reference("acme"), reference("other"), false),
        (
            "User",
            "tenantRef",
            json!({"name": "acme", "namespace": "a"}),
            json!({"name": "acme", "namespace": "b"}),
            false,
        ),
        ("User", "username", json!("alice"), json!("other"), true),
        ("User", "id", json!(format!("{id}a")), json!(format!("{id}b")), true),
    ];
    let mut cases = Vec::new();
    for (number, (kind, field, value, other, optional)) in table.into_iter().enumerate() {
        let base = smallest(&spec_schema(kind), "spec");
        let mut variants = vec![(format!("set-{number}"), Some(value.clone()))];
        if optional {
            variants.push((format!("unset-{number}"), None));
        }
        for (name, first) in variants {
            let with = |value: Option<&Value>| {
                let mut spec = base.clone();
                if let Some(value) = value {
                    spec[field] = value.clone();
                }
                spec
            };
            let old = create(&space, &object(kind, &name, with(first.as_ref()))).await;
            let changed = |spec| {
                let mut new = old.clone();
                new["spec"] = spec;
                new
            };
            let mut update = |what: &str, new: Value, is_refused: bool| {
                cases.push(Case {
                    what: format!("{kind} {field} {what}"),
                    object: new,
                    old: Some(old.clone()),
                    expect: if is_refused {
                        Expect::RefusedSaying(
                            format!("spec.{field}"),
                            format!("{field} is immutable"),
                        )
                    } else {
                        Expect::Accepted
                    },
                });
            };
            update("kept", changed(with(first.as_ref())), false);
            update(
                if first.is_some() { "changed" } else { "set" },
                changed(with(Some(&other))),
                true,
            );
            if first.is_some() && optional {
                update("unset", changed(with(None)), true);
                update("set to null", changed(with(Some(&Value::Null))), true);
            }
        }
    }
    judge(&space, cases).await;
}

async fn create(space: &Space, object: &Value) -> Value {
    async fn stored<K>(space: &Space, object: &Value) -> Value
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::Serialize
            + serde::de::DeserializeOwned,
    {
        let name = object["metadata"]["name"].as_str().unwrap();
        let stored: K = space.create(name, object["spec"].clone()).await;
        serde_json::to_value(stored).unwrap()
    }
    match object["kind"].as_str().unwrap() {
        "Tenant" => stored::<Tenant>(space, object).await,
        "Namespace" => stored::<keyreeve::api::Namespace>(space, object).await,
        "Role" => stored::<keyreeve::api::Role>(space, object).await,
        _ => stored::<keyreeve::api::User>(space, object).await,
    }
}

#[tokio::test]
async fn a_megabyte_is_no_way_round_the_bounds() {
    let space = Space::new("schema-megabyte").await;
    let text = "x".repeat(1 << 20);
    let reference = json!({"name": "acme"});
    let many: Value = (0..50_000).map(|n| (format!("key-number-{n}"), json!("x"))).collect();
    judge(
        &space,
        vec![
            Case::refused(
                "a text",
                "spec.displayName",
                object("Tenant", "large", json!({"displayName": text})),
            ),
            Case::refused(
                "a list",
                "spec.allowedFrom",
                object(
                    "Tenant",
                    "large",
                    json!({"allowedFrom": vec![json!({"matchNames": ["a"]}); 40_000]}),
                ),
            ),
            Case::refused(
                "a map",
                "spec.subscription.metadata",
                object("Tenant", "large", json!({"subscription": {"metadata": many}})),
            ),
            Case::refused(
                "a name",
                "spec.subscription.metadata",
                object("Tenant", "large", json!({"subscription": {"metadata": {&text: "x"}}})),
            ),
            Case::refused(
                "a label",
                "spec.allowedFrom",
                object("Tenant", "large", json!({"allowedFrom": [{"matchLabels": {&text: "x"}}]})),
            ),
            // The open field has a bound of names only: its size is for controller and webhook.
            Case::accepted(
                "claims",
                object("User", "large", json!({"tenantRef": reference, "claims": {"a": text}})),
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn examples_are_accepted() {
    let space = Space::new("schema-examples").await;
    let cases: Vec<_> = examples::documents()
        .into_iter()
        .map(|(file, object)| Case::accepted(file, object))
        .collect();
    assert!(cases.len() > 10);
    judge(&space, cases).await;
}

#[tokio::test]
async fn random_changes_are_judged_alike() {
    let space = Space::new("schema-random").await;
    judge_but(&space, random::cases(600), random::may_differ).await;
}

#[tokio::test]
async fn a_whole_number_with_a_point_is_the_one_thing_that_only_the_server_takes() {
    let space = Space::new("schema-point").await;
    let with =
        |policies: Value| object("Tenant", "point", json!({"settings": {"policies": policies}}));
    let tenant = with(json!({"accountBlocking": {"allowedAttempts": 10.0}}));
    let stored = ask(&space, &tenant, false).await.unwrap();
    assert_eq!(stored["spec"]["settings"]["policies"]["accountBlocking"]["allowedAttempts"], 10);
    let violations = validation::check("Tenant", &tenant, None);
    assert_eq!(violations[0].path, "spec.settings.policies.accountBlocking.allowedAttempts");
    assert_eq!(violations[0].message, "must be of type integer");
    // Where a rule looks at the number, the server does not take it either.
    let tenant = with(json!({"password": {"max": 128.0}}));
    judge(&space, vec![Case::refused("max", "spec.settings.policies.password", tenant)]).await;
}

#[test]
fn a_check_takes_little() {
    let full = examples::documents()
        .into_iter()
        .find(|(file, _)| file.ends_with("tenant-full.yaml"))
        .unwrap()
        .1;
    for (tenant, most) in [(full, 100), (random::largest_tenant(), 2000)] {
        // The first one compiles the schemas.
        assert_eq!(validation::check("Tenant", &tenant, None), []);
        let (mut runs, begin) = (0, Instant::now());
        while runs < 100 && begin.elapsed().as_secs() < 3 {
            let _ = validation::check("Tenant", &tenant, None);
            runs += 1;
        }
        let each = begin.elapsed() / runs;
        println!("a check of {} bytes: {each:?}", tenant.to_string().len());
        // The bounds are generous: the machine may be busy, and the build is not optimised.
        assert!(each.as_millis() < most, "{each:?}");
    }
}
