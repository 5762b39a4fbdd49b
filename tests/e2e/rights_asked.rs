//! The rights that the operator asks for, and `keyreeve doctor` looks for, beside those that the chart grants.

use std::collections::BTreeSet;

use keyreeve::{controller::Needs, leadership::Place};
use serde_json::{Value, json};

use crate::support::{CHART, run};

/// What the operator needs, as this version knows it, is what the chart grants: no less, and no more.
#[test]
fn the_rights_that_are_asked_for_are_those_that_the_chart_grants() {
    let of = |name: &str| name.to_owned();
    let own = Needs {
        operator_namespace: of("sys"),
        keystore_namespace: of("sys"),
        asks_for_owner: true,
        ..Needs::default()
    };
    let narrow = Needs {
        watch_namespaces: vec![of("a"), of("b")],
        secrets_namespaces: vec![of("c")],
        keystore_namespace: of("keys"),
        asks_for_owner: false,
        webhook_secret: Some(of("x-keyreeve-webhook")),
        webhook_configuration: Some(of("x-keyreeve.sys")),
        ..own.clone()
    };
    let narrow_values = [
        "watchNamespaces={a,b}",
        "secrets.namespaces={c}",
        "keystore.namespace=keys",
        "ownerId=me",
        "webhook.enabled=true",
    ];
    let managed = ["webhook.enabled=true", "webhook.certManager.enabled=true"];
    let replicas = Needs {
        lease: Some(Place { namespace: of("sys"), name: of("x-keyreeve") }),
        ..own.clone()
    };
    let of_replicas =
        ["store.url=postgres://db/keyreeve", "store.credentialsSecret=db", "replicas=3"];
    for (values, needs) in [
        ([].as_slice(), &own),
        (&narrow_values, &narrow),
        (&managed, &own),
        (&of_replicas, &replicas),
    ] {
        let asked: BTreeSet<_> = needs
            .rights()
            .into_iter()
            .map(|right| {
                let (namespace, name) =
                    (right.namespace.unwrap_or_default(), right.name.unwrap_or_default());
                format!(
                    "{} {} {} in '{namespace}' named '{name}'",
                    right.verb, right.resource, right.group
                )
            })
            .collect();
        let granted = granted(values);
        let lacking: Vec<_> = asked.difference(&granted).collect();
        let unknown: Vec<_> = granted.difference(&asked).collect();
        assert!(lacking.is_empty(), "{values:?}: the chart does not grant {lacking:#?}");
        assert!(
            unknown.is_empty(),
            "{values:?}: src/controller/rights.rs does not know {unknown:#?}"
        );
    }
}

/// What the chart grants the operator's ServiceAccount with these values.
fn granted(values: &[&str]) -> BTreeSet<String> {
    let mut helm = vec!["template", "x", CHART, "--namespace", "sys"];
    for value in values {
        helm.extend(["--set", value]);
    }
    let rendered = run("helm", &helm);
    let objects: Vec<Value> = rendered
        .split("\n---\n")
        .filter(|text| text.contains("kind:"))
        .map(|text| serde_saphyr::from_str(text).unwrap())
        .collect();
    let list = |value: &Value| -> Vec<String> {
        let items = value.as_array().into_iter().flatten();
        items.map(|item| item.as_str().unwrap().to_owned()).collect()
    };
    let mut granted = BTreeSet::new();
    for binding in objects
        .iter()
        .filter(|object| object["kind"].as_str().is_some_and(|kind| kind.ends_with("RoleBinding")))
    {
        assert_eq!(
            binding["subjects"],
            json!([{"kind": "ServiceAccount", "name": "x-keyreeve", "namespace": "sys"}])
        );
        let namespace = binding["metadata"]["namespace"].as_str().unwrap_or_default();
        let reference = &binding["roleRef"];
        let role = objects.iter().find(|object| {
            object["kind"] == reference["kind"]
                && object["metadata"]["name"] == reference["name"]
                && object["metadata"]["namespace"].as_str().unwrap_or_default() == namespace
        });
        for rule in role.unwrap()["rules"].as_array().unwrap() {
            let mut names = list(&rule["resourceNames"]);
            if names.is_empty() {
                names.push(String::new());
            }
            for group in list(&rule["apiGroups"]) {
                for resource in list(&rule["resources"]) {
                    for verb in list(&rule["verbs"]) {
                        granted.extend(names.iter().map(|name| {
                            format!("{verb} {resource} {group} in '{namespace}' named '{name}'")
                        }));
                    }
                }
            }
        }
    }
    assert!(granted.len() > 20, "{granted:?}");
    granted
}
