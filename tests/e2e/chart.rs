//! The chart as others than the rest of the tests install it.

use std::process::Command;

use k8s_openapi::api::core::v1::Secret;
use keyreeve::api::Tenant;
use kube::Api;
use serde_json::json;

use crate::support::{CHART, Operator, Release, Space, run};

#[tokio::test]
async fn a_chart_for_one_namespace_grants_enough_there_and_nothing_elsewhere() {
    let space = Space::new("namespaced").await;
    let namespace = space.namespace.as_str();
    let keystores = format!("{namespace}-keystores");
    let keystore = format!("keystore.namespace={keystores}");
    let values = ["defaultProfile=", &keystore, "keystore.createNamespace=true"];
    let release = Release::install(&space, "small", &values);

    let store = format!("sqlite:{}", space.store_file().display());
    let arguments = [
        ["--watch-namespace", namespace],
        ["--store", &store],
        ["--owner-id", "small"],
        ["--keystore-namespace", &keystores],
        ["--metrics-bind-address", "0"],
        ["--health-probe-bind-address", "0"],
    ]
    .concat();
    let _operator = Operator::start_as(&space, &release.kubeconfig, &arguments);
    space.create::<Tenant>("acme", json!({"deletionPolicy": "Delete"})).await;
    space.ready("acme").await;
    space.event("acme", "Normal Synced").await;
    let secrets = Api::<Secret>::namespaced(space.client.clone(), &keystores);
    assert!(secrets.get_opt("keystore-acme").await.unwrap().is_some());
    space.delete("acme").await;
    space.gone("acme").await;
    assert!(secrets.get_opt("keystore-acme").await.unwrap().is_none());

    let subject = format!("--as={}", release.user());
    for question in [
        ["list", "tenants.keyreeve.dev", "--all-namespaces"].as_slice(),
        &["list", "namespaces"],
        &["get", "secrets", "--namespace", "default"],
        &["patch", "secrets", "--namespace", namespace],
        &["delete", "secrets", "--namespace", namespace],
        &["patch", "tenants.keyreeve.dev", "--namespace", "default"],
    ] {
        let mut ask = vec!["auth", "can-i", &subject];
        ask.extend(question);
        let answer = Command::new("kubectl").args(&ask).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&answer.stdout).trim(), "no", "{question:?}");
    }
}

#[test]
fn values_that_are_misspelt_or_out_of_range_are_refused() {
    for value in ["watchNamespace={a}", "store.path=x", "resync=0s", "maxConcurrentReconciles=0"] {
        let rendered =
            Command::new("helm").args(["template", "x", CHART, "--set", value]).output().unwrap();
        let error = String::from_utf8_lossy(&rendered.stderr).into_owned();
        let name = value.split(['=', '.']).next().unwrap();
        assert!(!rendered.status.success() && error.contains(name), "{value}: {error}");
    }
}

#[test]
fn a_webhook_comes_only_when_it_is_asked_for_and_its_certificate_from_whom_it_is_said() {
    let rendered = |values: &[&str]| {
        let mut helm = vec!["template", "x", CHART, "--namespace", "default"];
        for value in values {
            helm.extend(["--set", value]);
        }
        run("helm", &helm)
    };
    let enabled = "webhook.enabled=true";
    let plain = rendered(&[]);
    let own = rendered(&[enabled]);
    let managed = rendered(&[enabled, "webhook.certManager.enabled=true"]);
    let issuer = [
        "webhook.certManager.issuerRef.name=company",
        "webhook.certManager.issuerRef.kind=ClusterIssuer",
    ];
    let by_company = rendered(&[[enabled, "webhook.certManager.enabled=true"], issuer].concat());
    for (part, in_plain, in_own, in_managed) in [
        ("kind: ValidatingWebhookConfiguration", false, true, true),
        ("- --webhook\n", false, true, true),
        ("resources: [validatingwebhookconfigurations]", false, true, false),
        ("--webhook-configuration=x-keyreeve.default", false, true, false),
        ("--webhook-cert-dir=/etc/keyreeve/webhook", false, false, true),
        ("cert-manager.io/inject-ca-from: default/x-keyreeve-webhook", false, false, true),
        ("kind: Certificate\n", false, false, true),
        ("selfSigned: {}", false, false, true),
    ] {
        let found = [&plain, &own, &managed].map(|chart| chart.contains(part));
        assert_eq!(found, [in_plain, in_own, in_managed], "{part}");
    }
    assert!(by_company.contains("kind: ClusterIssuer\n    name: company"), "{by_company}");
    assert!(!by_company.contains("selfSigned"));
    // The API server takes the Pod with its certificate.
    let file = tempfile::NamedTempFile::new().unwrap();
    let deployment = managed.split("---\n").find(|part| part.contains("kind: Deployment")).unwrap();
    std::fs::write(file.path(), deployment).unwrap();
    run("kubectl", &["apply", "--dry-run=server", "-f", file.path().to_str().unwrap()]);
}
