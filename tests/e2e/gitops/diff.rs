//! Nothing that the operator does shows as a difference from what was applied or installed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::repository;
use crate::support::{Hook, Operator, Release, Server, Space, eventually, run};

/// The Kubernetes namespaces of the examples, which are as long as the test's own are.
const BROUGHT: [&str; 3] = ["bank", "bakery", "platform"];

#[tokio::test]
async fn no_example_differs_from_what_was_applied_once_it_is_ready() {
    let space = Space::new("diff").await;
    let folder = examples(&space);
    let operator = Operator::start_with(&space, &["--watch-namespace", &brought(&space).join(",")]);
    shows_no_difference(&space, &folder).await;
    drop(operator);
}

#[tokio::test]
async fn no_example_differs_from_what_was_applied_with_the_webhook() {
    let space = Space::new("diff-hook").await;
    let folder = examples(&space);
    for name in BROUGHT {
        space.another(name, &[]).await;
    }
    let watched = format!("watchNamespaces={{{},{}}}", space.namespace, brought(&space).join(","));
    let hook = Hook::install_with(&space, &[&watched]).await;
    let operator = hook.start(&space, &["--watch-namespace", &brought(&space).join(",")]);
    operator.works().await;
    space.is_reviewed().await;
    shows_no_difference(&space, &folder).await;
}

#[tokio::test]
async fn what_the_chart_installs_does_not_differ_either_when_the_operator_has_said_whom_to_trust() {
    let space = Space::new("diff-chart").await;
    let release = Release::install(&space, "hook", &["webhook.enabled=true"]);
    let hook = Hook {
        user: release.user(),
        address: Server::new().address,
        service: format!("{}-webhook", release.name),
        configuration: format!("{}.{}", release.name, space.namespace),
        kubeconfig: release.kubeconfig,
    };
    let _operator = hook.start(&space, &[]);
    eventually("the registration names an authority", async || {
        hook.trusted(&space).await.is_some()
    })
    .await;
    let installed = run("helm", &["get", "manifest", "hook", "--namespace", &space.namespace]);
    let file = space.folder().join("installed.yaml");
    fs::write(&file, installed).unwrap();
    let diff = ["diff", "-f", file.to_str().unwrap()];
    assert_eq!(space.kubectl(&diff), "");
    let server_side = ["--server-side", "--field-manager=gitops"];
    assert_eq!(space.kubectl(&[&diff[..], &server_side].concat()), "");
}

fn brought(space: &Space) -> [String; 3] {
    BROUGHT.map(|name| format!("{}-{name}", space.namespace))
}

/// The examples, with names of their own for the Kubernetes namespaces that they bring along.
fn examples(space: &Space) -> PathBuf {
    let folder = space.folder().join("examples");
    copy(&repository("examples"), &folder, &|text| {
        let [bank, bakery, platform] = brought(space);
        text.replace("team-bank", &bank)
            .replace("team-bakery", &bakery)
            .replace("namespace: platform\n", &format!("namespace: {platform}\n"))
            .replace("name: platform\n", &format!("name: {platform}\n"))
    });
    folder
}

fn copy(from: &Path, to: &Path, change: &dyn Fn(&str) -> String) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        // What is for Argo CD and Flux has a test of its own.
        match entry.file_type().unwrap().is_dir() {
            true if entry.file_name() == "gitops" => {}
            true => copy(&entry.path(), &to, change),
            false => fs::write(to, change(&fs::read_to_string(entry.path()).unwrap())).unwrap(),
        }
    }
}

/// Applies a folder, waits until all is Ready, and compares it in each of the ways that these tools do.
async fn shows_no_difference(space: &Space, folder: &Path) {
    let folder = folder.to_str().unwrap();
    let with = |arguments: &[&str]| {
        let all = [arguments, &["-R", "-f", folder]].concat();
        space.kubectl(&all)
    };
    with(&["apply"]);
    let mut count = 0;
    for namespace in brought(space).iter().chain([&space.namespace]) {
        count += space.all_are_ready(namespace).await;
    }
    assert!(count >= 38, "{count}");
    let before = everything(space).await;

    assert_eq!(with(&["diff", "--concurrency=4"]), "");
    // As Flux and Argo CD with ServerSideApply: under another name, and there is no conflict.
    let server_side = ["apply", "--server-side", "--field-manager=gitops"];
    with(&server_side);
    let after = everything(space).await;
    assert_eq!(after.len(), before.len());
    for (after, before) in after.iter().zip(&before) {
        assert_eq!(declared(after), declared(before));
    }
    // From then on it writes nothing at all, and neither does the operator.
    with(&server_side);
    assert_eq!(versions(&everything(space).await), versions(&after));
}

/// All objects of ours.
async fn everything(space: &Space) -> Vec<Value> {
    let mut all = space.all_in(&space.namespace).await;
    for namespace in brought(space) {
        all.extend(space.all_in(&namespace).await);
    }
    all
}

/// All of an object but who wrote what and when.
fn declared(object: &Value) -> Value {
    let mut object = object.clone();
    for (part, aside) in [
        ("/metadata", ["managedFields", "resourceVersion"].as_slice()),
        // kubectl's own note of what it applied, which it takes away when it applies on the server's side.
        ("/metadata/annotations", &["kubectl.kubernetes.io/last-applied-configuration"]),
        // Counted at most once a second, and so perhaps after all are Ready.
        ("/status", &["userCount", "adminUsername", "tenants"]),
    ] {
        if let Some(part) = object.pointer_mut(part).and_then(Value::as_object_mut) {
            part.retain(|name, _| !aside.contains(&name.as_str()));
        }
    }
    if object["metadata"]["annotations"] == json!({}) {
        object["metadata"].as_object_mut().unwrap().remove("annotations");
    }
    object
}

fn versions(objects: &[Value]) -> Vec<&Value> {
    objects.iter().map(|object| &object["metadata"]["resourceVersion"]).collect()
}
