//! Nothing that the operator does shows as a difference from what was applied.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::repository;
use crate::support::{Hook, Operator, Space};

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

    // As a person, and as Argo CD.
    assert_eq!(with(&["diff"]), "");
    // As Flux and Argo CD with ServerSideApply: under another name, and there is no conflict.
    let server_side = ["--server-side", "--field-manager=gitops"];
    assert_eq!(with(&[&["diff"], &server_side[..]].concat()), "");
    with(&[&["apply"], &server_side[..]].concat());
    let after = everything(space).await;
    assert_eq!(declared(&after), declared(&before));
    // From then on it writes nothing at all, and neither does the operator.
    with(&[&["apply"], &server_side[..]].concat());
    assert_eq!(with(&[&["diff"], &server_side[..]].concat()), "");
    assert_eq!(with(&["diff"]), "");
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

/// All but who wrote what and when.
fn declared(objects: &[Value]) -> Vec<Value> {
    let without = |object: &Value| {
        let mut object = object.clone();
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.remove("managedFields");
        metadata.remove("resourceVersion");
        // Counted at most once a second, and so perhaps after all are Ready.
        for counted in ["userCount", "adminUsername", "tenants"] {
            object["status"].as_object_mut().unwrap().remove(counted);
        }
        object
    };
    objects.iter().map(without).collect()
}

fn versions(objects: &[Value]) -> Vec<&Value> {
    objects.iter().map(|object| &object["metadata"]["resourceVersion"]).collect()
}
