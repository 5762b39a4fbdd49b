//! docs/operations.md on namespaces that are watched by their names, as it is written: one is deleted, one hangs and is
//! freed, and one is taken out of the list.

use std::process::Command;

use k8s_openapi::api::{core::v1::Namespace as KubeNamespace, rbac::v1::RoleBinding};
use keyreeve::api::{Tenant, User};
use kube::{Api, ResourceExt, api::DeleteParams};
use serde_json::json;

use super::reader::Reader;
use crate::support::{
    CHART, Cluster, Conditions, Operator, Space, command, eventually, run, token_kubeconfig, until,
    until_gone,
};

const PAGE: &str = "docs/operations.md";
const SYSTEM: &str = "keyreeve-system";

/// Starts the release's operator for these namespaces.
fn start(space: &Space, watched: &str) -> Operator {
    let store = format!("sqlite:{}", space.store_file().display());
    let flags = [
        ["--watch-namespace", watched],
        ["--keystore-namespace", SYSTEM],
        ["--store", &store],
        ["--metrics-bind-address", "0"],
        ["--health-probe-bind-address", "0"],
    ];
    Operator::start_as(space, &space.operator_kubeconfig, &flags.concat())
}

/// A tenant with this deletionPolicy, with somebody in it.
async fn people(space: &Space, namespace: &str, policy: &str) {
    let acme = json!({
        "tenantId": format!("acme-{namespace}"), "deletionPolicy": policy,
        "keystore": {"algorithm": "ES256"},
    });
    space.create_in::<Tenant>(namespace, "acme", acme).await;
    space.create_in::<User>(namespace, "ada", json!({"tenantRef": {"name": "acme"}})).await;
    let users = Api::<User>::namespaced(space.client.clone(), namespace);
    until(users, "ada", "Ready", User::is_ready).await;
}

#[tokio::test]
async fn a_watched_namespace_is_deleted_freed_and_taken_out_of_the_list() {
    let cluster = Cluster::bare().await;
    let admin = cluster.kubeconfig();
    let file = format!("--kubeconfig={}", admin.display());
    for namespace in [SYSTEM, "team-a", "team-b", "team-c", "team-d"] {
        run("kubectl", &[&file, "create", "namespace", namespace]);
    }
    let all = "team-a,team-b,team-c,team-d";
    let watched = format!("watchNamespaces={{{all}}}");
    let place = ["--namespace", SYSTEM, &file];
    run("helm", &[&["install", "keyreeve", CHART, "--set", &watched], &place[..]].concat());
    let mut space = cluster.space_in("team-a").await;
    space.operator_kubeconfig = space.folder().join("operator.kubeconfig");
    token_kubeconfig(&admin, SYSTEM, "keyreeve", &space.operator_kubeconfig);
    let mut reader = Reader::new(&space.folder());
    reader.sets("KUBECONFIG", admin.to_str().unwrap());
    let namespaces: Api<KubeNamespace> = Api::all(space.client.clone());
    let mut operator = start(&space, all);
    for (namespace, policy) in [("team-b", "Delete"), ("team-c", "Retain"), ("team-d", "Retain")] {
        people(&space, namespace, policy).await;
    }
    let tenants = async || {
        let tenants = space.database().await.tenants().await;
        tenants.into_keys().collect::<Vec<_>>()
    };

    // Its objects first: it goes, and Helm has to be told.
    reader.sets("TEAM", "team-b");
    reader.follows(PAGE, &["watched-delete"]);
    until_gone(namespaces.clone(), "team-b").await;
    assert_eq!(tenants().await, ["acme-team-c", "acme-team-d"]);
    reader.sets("WATCHED", all);
    let refused = reader.is_refused(PAGE, "watched-out");
    assert!(refused.contains("namespaces \"team-b\" not found"), "{refused}");
    reader.sets("WATCHED", "team-a,team-c,team-d");
    reader.follows(PAGE, &["watched-out"]);

    // The operator's rights first, as it happens to whoever deletes a namespace with all that is in it.
    let bindings = Api::<RoleBinding>::namespaced(space.client.clone(), "team-c");
    let name = format!("{SYSTEM}:keyreeve");
    bindings.delete(&name, &DeleteParams::default()).await.unwrap();
    let who = format!("--as=system:serviceaccount:{SYSTEM}:keyreeve");
    let ask = ["auth", "can-i", "patch", "users.keyreeve.dev", "--namespace=team-c", &who, &file];
    eventually("it may not", async || !command("kubectl", &ask).status.success()).await;
    namespaces.delete("team-c", &DeleteParams::default()).await.unwrap();
    let of_team = Api::<Tenant>::namespaced(space.client.clone(), "team-c");
    let users = Api::<User>::namespaced(space.client.clone(), "team-c");
    until(users.clone(), "ada", "to go", |ada| ada.metadata.deletion_timestamp.is_some()).await;
    until(of_team, "acme", "to go", |acme| acme.metadata.deletion_timestamp.is_some()).await;
    until(namespaces.clone(), "team-c", "held by finalizers", |namespace: &KubeNamespace| {
        let conditions = namespace.status.iter().flat_map(|status| &status.conditions).flatten();
        let mut held = conditions.filter(|it| it.type_ == "NamespaceFinalizersRemaining");
        held.any(|it| {
            it.status == "True" && it.message.as_ref().is_some_and(|it| it.contains("keyreeve"))
        })
    })
    .await;
    eventually("it tries in vain", async || operator.log().contains("forbidden")).await;
    space.create::<Tenant>("served", json!({"keystore": {"algorithm": "ES256"}})).await;
    space.ready("served").await;
    let looked = Command::new(env!("CARGO_BIN_EXE_keyreeve"))
        .args(["doctor", "--namespace", SYSTEM])
        .env("KUBECONFIG", &admin)
        .output()
        .unwrap();
    let looked = String::from_utf8(looked.stdout).unwrap();
    for says in [
        "the namespace team-c is being deleted and hangs: 2 objects (team-c/acme, team-c/ada)",
        "`keyreeve uninstall --watch-namespace team-c`",
    ] {
        assert!(looked.contains(says), "{looked}");
    }
    assert!(users.get("ada").await.is_ok());
    reader.sets("TEAM", "team-c");
    reader.follows(PAGE, &["watched-free"]);
    until_gone(namespaces.clone(), "team-c").await;
    assert_eq!(tenants().await, ["acme-team-c", "acme-team-d", "served"], "it is kept there");
    let users = space.database().await.users().await;
    assert_eq!(users, ["acme-team-c/ada", "acme-team-d/ada"]);
    assert!(operator.is_running());

    // Out of the list it stays, and nothing in it waits for an operator that may not come any more.
    assert!(operator.stop().await.success());
    reader.sets("WATCHED", "team-a");
    reader.sets("TEAM", "team-d");
    reader.follows(PAGE, &["watched-out"]);
    let _operator = start(&space, "team-a");
    reader.follows(PAGE, &["watched-free"]);
    let of_team = Api::<Tenant>::namespaced(space.client.clone(), "team-d");
    assert!(of_team.get("acme").await.unwrap().finalizers().is_empty());
    of_team.delete("acme", &DeleteParams::default()).await.unwrap();
    until_gone(of_team, "acme").await;
}
