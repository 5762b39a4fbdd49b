//! The chart as others than the rest of the tests install it.

use std::{fs, process::Command};

use k8s_openapi::api::core::v1::Secret;
use keyreeve::api::Tenant;
use kube::Api;
use serde_json::json;

use crate::support::{CHART, Operator, Space, run, setting};

#[tokio::test]
async fn a_chart_for_one_namespace_grants_enough_there_and_nothing_elsewhere() {
    let space = Space::new("namespaced").await;
    let namespace = space.namespace.as_str();
    let watched = format!("watchNamespaces={{{namespace}}}");
    let keystores = format!("{namespace}-keystores");
    let keystore = format!("keystore.namespace={keystores}");
    let flags = [
        "crds.enabled=false",
        &watched,
        "ownerId=namespaced",
        "defaultProfile=",
        &keystore,
        "keystore.createNamespace=true",
    ];
    let mut helm = vec!["install", "small", CHART, "--namespace", namespace];
    for flag in flags {
        helm.extend(["--set", flag]);
    }
    run("helm", &helm);
    let account = "small-keyreeve";
    let token = run("kubectl", &["create", "token", account, "--namespace", namespace]);
    let kubeconfig = space.folder().join("small.kubeconfig");
    fs::copy(setting("KEYREEVE_TEST_KUBECONFIG"), &kubeconfig).unwrap();
    let file = kubeconfig.to_str().unwrap();
    let token = format!("--token={}", token.trim());
    run("kubectl", &["config", "--kubeconfig", file, "set-credentials", account, &token]);
    run(
        "kubectl",
        &["config", "--kubeconfig", file, "set-context", "--current", "--user", account],
    );

    let store = format!("sqlite:{}", space.store_file().display());
    let arguments = [
        ["--watch-namespace", namespace],
        ["--store", &store],
        ["--owner-id", "namespaced"],
        ["--keystore-namespace", &keystores],
        ["--metrics-bind-address", "0"],
        ["--health-probe-bind-address", "0"],
    ]
    .concat();
    let _operator = Operator::start_as(&space, &kubeconfig, &arguments);
    space.create::<Tenant>("acme", json!({"deletionPolicy": "Delete"})).await;
    space.ready("acme").await;
    space.event("acme", "Normal Synced").await;
    let secrets = Api::<Secret>::namespaced(space.client.clone(), &keystores);
    assert!(secrets.get_opt("keystore-acme").await.unwrap().is_some());
    space.delete("acme").await;
    space.gone("acme").await;
    assert!(secrets.get_opt("keystore-acme").await.unwrap().is_none());

    let subject = format!("--as=system:serviceaccount:{namespace}:{account}");
    for question in [
        ["list", "tenants.keyreeve.dev", "--all-namespaces"].as_slice(),
        &["list", "namespaces"],
        &["get", "secrets", "--namespace", namespace],
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
