//! `kubectl wait` and `helm --wait` on a bundle that becomes Ready, and on such as do not.

use std::{fs, path::PathBuf, process::Output};

use keyreeve::api::{Tenant, User};
use serde_json::json;

use super::repository;
use crate::support::{Operator, Space, eventually, kstatus};

/// An object that somebody has to help: the bundle has the name already.
const TAKEN: &str = "
apiVersion: keyreeve.dev/v1alpha1
kind: Namespace
metadata: {name: bundle-again}
spec: {tenantRef: {name: bundle}, name: orders}
";

/// An object that waits for what never comes.
const WAITING: &str = "
apiVersion: keyreeve.dev/v1alpha1
kind: User
metadata: {name: bundle-bob}
spec: {tenantRef: {name: bundle}, roles: [{name: nowhere}]}
";

/// The bundle of the examples, with more in it.
fn bundle(more: &str) -> String {
    fs::read_to_string(repository("examples/bundle.yaml")).unwrap() + "---\n" + more
}

impl Space {
    fn bundle_file(&self, more: &str) -> String {
        let file = self.folder().join("bundle.yaml");
        fs::write(&file, bundle(more)).unwrap();
        file.to_str().unwrap().into()
    }

    /// A chart of the bundle.
    fn bundle_chart(&self, more: &str) -> String {
        let chart: PathBuf = self.folder().join("chart");
        fs::create_dir_all(chart.join("templates")).unwrap();
        let about = "apiVersion: v2\nname: bundle\nversion: 0.1.0\n";
        fs::write(chart.join("Chart.yaml"), about).unwrap();
        fs::write(chart.join("templates/bundle.yaml"), bundle(more)).unwrap();
        chart.to_str().unwrap().into()
    }

    fn helm(&self, helm: &str, arguments: &[&str]) -> Output {
        let here = ["--namespace", &self.namespace];
        self.as_administrator(helm, &[arguments, &here].concat())
    }

    /// What kstatus says of all objects of ours.
    async fn judged(&self) -> Vec<String> {
        let objects = self.all_in(&self.namespace).await;
        let judged = kstatus(&objects.iter().collect::<Vec<_>>());
        judged.into_iter().map(|judgement| judgement.status).collect()
    }
}

#[track_caller]
fn succeeds(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What it says when it fails.
#[track_caller]
fn fails(output: &Output) -> String {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn kubectl_waits_for_what_becomes_ready_and_takes_no_word_of_an_earlier_generation() {
    let space = Space::new("kubectl-wait").await;
    let operator = Operator::start(&space);
    let file = space.bundle_file("");
    space.kubectl(&["apply", "-f", &file]);
    let wait = ["wait", "-f", &file, "--timeout=60s", "--for"];
    space.kubectl(&[&wait[..], &["condition=Ready"]].concat());
    assert_eq!(space.judged().await, ["Current"; 6]);

    // In a bundle that is bad, one is Stalled and the other waits.
    let file = space.bundle_file(&format!("{TAKEN}---{WAITING}"));
    space.kubectl(&["apply", "-f", &file]);
    space.kubectl(&["wait", "tns/bundle-again", "--for=condition=Stalled", "--timeout=60s"]);
    space.kubectl(&["wait", "tusr/bundle-bob", "--for=condition=Reconciling", "--timeout=60s"]);
    for name in ["tns/bundle-again", "tusr/bundle-bob"] {
        let said = space.kubectl_fails(&["wait", name, "--for=condition=Ready", "--timeout=1s"]);
        assert!(said.contains("timed out waiting"), "{said}");
    }

    // It was Ready, and was then changed.
    operator.pause(true);
    space.merge::<Tenant>("bundle", json!({"spec": {"displayName": "Another"}})).await;
    let wait = ["wait", "tnt/bundle", "--for=condition=Ready"];
    let said = space.kubectl_fails(&[&wait[..], &["--timeout=1s"]].concat());
    assert!(said.contains("timed out waiting"), "{said}");
    operator.pause(false);
    space.kubectl(&[&wait[..], &["--timeout=60s"]].concat());

    space.kubectl(&["delete", "-f", &file, "--wait=false"]);
    space.kubectl(&["wait", "-f", &file, "--for=delete", "--timeout=60s"]);
}

#[tokio::test]
async fn helm_4_waits_until_a_bundle_is_ready_and_until_it_is_gone() {
    let space = Space::new("helm-good").await;
    let _operator = Operator::start(&space);
    let chart = space.bundle_chart("");
    let wait = ["bundle", &chart, "--wait", "--timeout=60s"];
    succeeds(&space.helm("helm4", &[&["install"], &wait[..]].concat()));
    assert_eq!(space.judged().await, ["Current"; 6]);

    // What somebody else owns as well is no conflict: our operator writes nothing that a chart says.
    let other = "
apiVersion: keyreeve.dev/v1alpha1
kind: User
metadata: {name: bundle-bob}
spec: {tenantRef: {name: bundle}, roles: [{name: bundle-order-reader}]}
";
    space.bundle_chart(other);
    succeeds(&space.helm("helm4", &[&["upgrade"], &wait[..]].concat()));
    assert_eq!(space.judged().await, ["Current"; 7]);

    succeeds(&space.helm("helm4", &["uninstall", "bundle", "--wait", "--timeout=60s"]));
    assert!(space.judged().await.is_empty());
}

#[tokio::test]
async fn helm_4_fails_a_bundle_of_which_one_object_is_stalled_or_never_comes_about() {
    let space = Space::new("helm-bad").await;
    let _operator = Operator::start(&space);
    let chart = space.bundle_chart(TAKEN);
    let wait = ["bad", &chart, "--wait", "--timeout=3s"];
    fails(&space.helm("helm4", &[&["install"], &wait[..]].concat()));
    eventually("one object is Stalled", async || {
        space.judged().await.iter().filter(|status| *status == "Failed").count() == 1
    })
    .await;
    let said = fails(&space.helm("helm4", &[&["upgrade"], &wait[..]].concat()));
    assert!(said.contains("status: Failed, message: namespace orders of tenant"), "{said}");

    space.bundle_chart(WAITING);
    fails(&space.helm("helm4", &[&["upgrade"], &wait[..]].concat()));
    // However long the operator took until it said what it waits for.
    space.kubectl(&["wait", "tusr/bundle-bob", "--for=condition=Reconciling", "--timeout=60s"]);
    let said = fails(&space.helm("helm4", &[&["upgrade"], &wait[..]].concat()));
    assert!(said.contains("bundle-bob not ready. status: InProgress"), "{said}");
    assert!(said.contains("nowhere is not there: create it"), "{said}");

    // What it waits for comes.
    let there = "
apiVersion: keyreeve.dev/v1alpha1
kind: Role
metadata: {name: nowhere}
spec: {tenantRef: {name: bundle}}
";
    space.bundle_chart(&format!("{WAITING}---{there}"));
    succeeds(&space.helm("helm4", &["upgrade", "bad", &chart, "--wait", "--timeout=60s"]));
}

/// Helm 3 knows a few kinds of Kubernetes' own and takes all others as ready: docs/gitops.md says what to do.
#[tokio::test]
async fn helm_3_waits_for_none_of_our_kinds_and_kubectl_does_so_after_it() {
    let space = Space::new("helm-three").await;
    let chart = space.bundle_chart("");
    // There is no operator.
    succeeds(&space.helm("helm", &["install", "bundle", &chart, "--wait", "--timeout=60s"]));
    assert_eq!(space.judged().await, ["InProgress"; 6]);
    let manifest = space.folder().join("manifest.yaml");
    let told = space.helm("helm", &["get", "manifest", "bundle"]);
    fs::write(&manifest, told.stdout).unwrap();
    let manifest = manifest.to_str().unwrap();
    let _operator = Operator::start(&space);
    space.kubectl(&["wait", "--for=condition=Ready", "--timeout=60s", "-f", manifest]);

    succeeds(&space.helm("helm", &["uninstall", "bundle", "--wait", "--timeout=60s"]));
    eventually("all is gone", async || space.judged().await.is_empty()).await;
    assert!(space.api::<User>().get_opt("bundle-alice").await.unwrap().is_none());
}
