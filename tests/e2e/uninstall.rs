//! `keyreeve uninstall`: only the operator's finalizers come off, wherever it watched and nowhere else.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use k8s_openapi::api::apps::v1::Deployment;
use keyreeve::api::{FINALIZER, Namespace, Role, Tenant, User};
use kube::{
    ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;

use crate::support::{Going, Operator, Release, Space, setting, until_gone};

const FOREIGN: &str = "example.com/backup";

#[tokio::test]
async fn the_chart_s_hook_takes_the_finalizers_off_and_nothing_else() {
    let space = Space::new("going").await;
    let namespace = space.namespace.as_str();
    let release = Release::install(&space, "going", &["uninstall.removeFinalizers=true"]);
    let operator = start(&space, &release.kubeconfig);
    space.made_tenant("acme", json!({"deletionPolicy": "Delete"})).await;
    space.made::<Namespace>("shop", json!({})).await;
    space.made::<Role>("reader", json!({})).await;
    space.made::<User>("ada", json!({})).await;
    // Another one's finalizer is none of our business; and this deletion waits for what is in the tenant.
    let both = json!({"metadata": {"finalizers": [FOREIGN, FINALIZER]}});
    space.merge::<User>("ada", both).await;
    let before = space.api::<User>().get("ada").await.unwrap();
    space.delete("acme").await;
    space.tenant("acme", "blocked", |tenant| message(tenant).contains("waits")).await;

    let admin = setting("KEYREEVE_TEST_KUBECONFIG");
    let going = Going {
        helm: "helm",
        admin: Path::new(&admin),
        namespace,
        release: "going",
        name: &release.name,
    };
    going.uninstall(&space, operator).await;

    space.gone("acme").await;
    let ada = space.api::<User>().get("ada").await.unwrap();
    assert_eq!(*ada.finalizers(), [FOREIGN]);
    assert_eq!(ada.metadata.generation, before.metadata.generation);
    assert_eq!(
        serde_json::to_value(&ada.spec).unwrap(),
        serde_json::to_value(&before.spec).unwrap()
    );
    assert_eq!(ada.status.unwrap().id, before.status.unwrap().id);
    assert!(space.api::<Role>().get("reader").await.unwrap().finalizers().is_empty());
    assert!(space.api::<Namespace>().get("shop").await.unwrap().finalizers().is_empty());
    let tenants = space.database().await.tenants().await;
    assert_eq!(tenants.len(), 1, "what is in the store stays: {tenants:?}");
    space.api::<Role>().delete("reader", &DeleteParams::default()).await.unwrap();
    until_gone(space.api::<Role>(), "reader").await;
}

#[tokio::test]
async fn while_an_operator_runs_it_says_so_and_a_dry_run_changes_nothing() {
    let (space, operator, _) = Space::with_acme("going-not", json!({})).await;
    let uninstall = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_keyreeve"))
            .args(["uninstall", "--watch-namespace", &space.namespace])
            .args(more)
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    };
    let (done, says, error) = uninstall(&["--dry-run"]);
    assert!(done, "{error}");
    assert_eq!(says, format!("tenants {}/acme: would be released\n", space.namespace));
    let (done, _, error) = uninstall(&[]);
    assert!(!done && error.contains("an operator still runs, which puts it back"), "{error}");
    assert!(operator.stop().await.success());
    let (done, says, error) =
        uninstall(&["--deployment", "none", "--operator-namespace", "default"]);
    assert!(done && says.contains("the Deployment default/none is not there"), "{says}{error}");
    assert!(says.ends_with("tenants: released 1\n"), "{says}");
    assert!(space.api::<Tenant>().get("acme").await.unwrap().finalizers().is_empty());
}

#[tokio::test]
async fn a_deployment_that_somebody_starts_again_meanwhile_is_told_and_not_taken_for_stopped() {
    let space = Space::new("going-again").await;
    Release::install(&space, "again", &[]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_keyreeve"))
        .args([
            "uninstall",
            "--watch-namespace",
            &space.namespace,
            "--deployment",
            "again-keyreeve",
        ])
        .args(["--operator-namespace", &space.namespace])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut says = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut says).unwrap();
    assert!(says.ends_with("again-keyreeve is stopped\n"), "{says}");
    // As what keeps it as it was declared does.
    let one = Patch::Merge(json!({"spec": {"replicas": 1}}));
    let deployments = space.api::<Deployment>();
    deployments.patch_scale("again-keyreeve", &PatchParams::default(), &one).await.unwrap();
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{error}");
    assert!(error.contains("was stopped and runs again: spec.replicas is 1"), "{error}");
}

fn start(space: &Space, kubeconfig: &Path) -> Operator {
    let store = format!("sqlite:{}", space.store_file().display());
    let arguments = [
        ["--watch-namespace", &space.namespace],
        ["--operator-namespace", &space.namespace],
        ["--store", &store],
        ["--owner-id", "going"],
        ["--metrics-bind-address", "0"],
        ["--health-probe-bind-address", "0"],
    ];
    Operator::start_as(space, kubeconfig, &arguments.concat())
}

fn message(tenant: &Tenant) -> &str {
    crate::support::Conditions::message(tenant)
}
