//! The chart's life with real Helm, on a control plane of its own: installed, upgraded from the version before with
//! objects in place, rolled back, uninstalled, and installed again, where it finds its objects.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use k8s_openapi::api::core::v1::Namespace as KubeNamespace;
use keyreeve::api::{FINALIZER, KeyState, Namespace, Role, Tenant, User};
use kube::{Api, ResourceExt, api::DeleteParams};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    CHART, Cluster, Conditions, Going, Keys, Operator, Space, eventually, run, token_kubeconfig,
    until_gone,
};

const SYSTEM: &str = "keyreeve-system";

#[tokio::test]
async fn helm_3_takes_the_chart_through_its_life() {
    life("helm").await;
}

#[tokio::test]
async fn helm_4_takes_the_chart_through_its_life() {
    life("helm4").await;
}

async fn life(program: &'static str) {
    let cluster = Cluster::bare().await;
    let admin = cluster.kubeconfig();
    let files = TempDir::new().unwrap();
    let helm = Helm { program, admin: admin.clone() };
    let before = chart_before(files.path());

    // Somebody tried the operator out of the cluster before, so that the CRDs are there.
    helm.kubectl(&["apply", "--server-side", "-f", &format!("{before}/files/crds")]);
    helm.run(&["install", "keyreeve", &before, "--create-namespace", "--take-ownership"]);
    helm.await_kinds();
    let space = cluster.space_for(helm.token(files.path()), "team").await;
    let operator = start(&space);
    let field = json!({"apiVersion": "keyreeve.dev/v1alpha1", "kind": "Tenant",
        "metadata": {"name": "named", "namespace": space.namespace}, "spec": {"displayName": "Acme"}});
    let refused = helm.apply(&field).unwrap_err();
    assert!(refused.contains("unknown field \"spec.displayName\""), "{refused}");
    space.made_tenant("acme", json!({})).await;
    space.made::<Namespace>("shop", json!({})).await;
    space.made::<Role>("reader", json!({})).await;
    let made = space.made::<User>("ada", json!({"password": {"generate": {}}})).await;
    let there = Known::of(&space).await;
    assert_eq!(operator.stop().await.code(), Some(0));

    // It brings a new field, and a new object.
    let budget = ["upgrade", "keyreeve", CHART, "--set", "podDisruptionBudget.enabled=true"];
    // Helm 4 applies as kubectl did, and asks before it changes what that has set.
    let force: &[&str] = if program == "helm4" { &["--force-conflicts"] } else { &[] };
    helm.run(&[&budget[..], force].concat());
    helm.apply(&field).unwrap();
    assert!(helm.has("poddisruptionbudget/keyreeve", SYSTEM));
    let operator = start(&space);
    space.ready("named").await;
    assert_eq!(Known::of(&space).await, there);
    assert_eq!(operator.stop().await.code(), Some(0));

    // The CRD goes back with it: what the older one does not know can no longer be said.
    helm.run(&["rollback", "keyreeve", "1"]);
    assert!(!helm.has("poddisruptionbudget/keyreeve", SYSTEM));
    let other = json!({"apiVersion": "keyreeve.dev/v1alpha1", "kind": "Tenant",
        "metadata": {"name": "other", "namespace": space.namespace}, "spec": {"displayName": "Other"}});
    eventually("the CRD is the one of before", async || {
        helm.apply(&other).is_err_and(|error| error.contains("unknown field \"spec.displayName\""))
    })
    .await;
    let name = ["-o", "jsonpath={.metadata.name} {.spec.displayName}"];
    let shown =
        [["get", "tnt", "named", "--namespace", &space.namespace].as_slice(), &name].concat();
    eventually("the field is not shown", async || helm.kubectl(&shown).trim() == "named").await;
    let operator = start(&space);
    space.resync("acme").await;
    assert_eq!(Known::of(&space).await, there);
    assert_eq!(operator.stop().await.code(), Some(0));

    helm.run(&["upgrade", "keyreeve", CHART]);
    eventually("the CRD is the newer one", async || helm.apply(&other).is_ok()).await;
    cluster.keep_grants(program, SYSTEM, "keyreeve");
    helm.run(&["uninstall", "keyreeve"]);
    for gone in ["deployment/keyreeve", "serviceaccount/keyreeve", "service/keyreeve-metrics"] {
        eventually(gone, async || !helm.has(gone, SYSTEM)).await;
    }
    let ours = "app.kubernetes.io/instance=keyreeve";
    let left = helm.kubectl(&["get", "clusterroles,clusterrolebindings", "-l", ours, "-o", "name"]);
    assert_eq!(left, "");
    assert!(helm.has("persistentvolumeclaim/keyreeve", SYSTEM), "the store stays");
    assert_eq!(Known::of(&space).await, there, "the CRDs stay, and with them the objects");

    helm.run(&["install", "keyreeve", CHART]);
    helm.token(files.path());
    let operator = start(&space);
    space.resync("acme").await;
    assert_eq!(space.look_again::<User>("ada").await.uid(), made.uid());
    assert_eq!(Known::of(&space).await, there);

    // Going for good.
    helm.run(&["upgrade", "keyreeve", CHART, "--set", "uninstall.removeFinalizers=true"]);
    cluster.keep_grants(program, SYSTEM, "keyreeve");
    let release = Going {
        helm: program,
        admin: &admin,
        namespace: SYSTEM,
        release: "keyreeve",
        name: "keyreeve",
    };
    release.uninstall(&space, operator).await;
    let ada = space.api::<User>().get("ada").await.unwrap();
    assert!(ada.is_ready() && ada.finalizers().is_empty(), "{ada:?}");
    for gone in ["job", "serviceaccount"] {
        assert!(!helm.has(&format!("{gone}/keyreeve-uninstall"), SYSTEM), "{gone}");
    }
    let left = helm.kubectl(&["get", "clusterroles,clusterrolebindings", "-l", ours, "-o", "name"]);
    assert_eq!(left, "");
    let namespaces = Api::<KubeNamespace>::all(space.client.clone());
    namespaces.delete(&space.namespace, &DeleteParams::default()).await.unwrap();
    until_gone(namespaces, &space.namespace).await;
}

/// What must stay as it is.
#[derive(Debug, Eq, PartialEq)]
struct Known {
    uids: [Option<String>; 2],
    user: Option<String>,
    kids: Vec<String>,
    is_ready: bool,
    has_finalizers: bool,
}

impl Known {
    async fn of(space: &Space) -> Self {
        let tenant = space.api::<Tenant>().get("acme").await.unwrap();
        let ada = space.api::<User>().get("ada").await.unwrap();
        Self {
            uids: [tenant.uid(), ada.uid()],
            user: ada.status.as_ref().and_then(|status| status.id.clone()),
            kids: tenant.kids(KeyState::Active),
            is_ready: tenant.is_ready() && ada.is_ready(),
            has_finalizers: [tenant.finalizers(), ada.finalizers()]
                .iter()
                .all(|finalizers| **finalizers == [FINALIZER]),
        }
    }
}

/// One program and the control plane that it is to work on.
struct Helm {
    program: &'static str,
    admin: PathBuf,
}

impl Helm {
    fn run(&self, arguments: &[&str]) -> String {
        let admin = format!("--kubeconfig={}", self.admin.display());
        run(self.program, &[arguments, &["--namespace", SYSTEM, &admin]].concat())
    }

    fn kubectl(&self, arguments: &[&str]) -> String {
        let admin = format!("--kubeconfig={}", self.admin.display());
        run("kubectl", &[arguments, &[&admin]].concat())
    }

    fn has(&self, object: &str, namespace: &str) -> bool {
        !self
            .kubectl(&["get", object, "--namespace", namespace, "--ignore-not-found", "-o", "name"])
            .is_empty()
    }

    fn await_kinds(&self) {
        for kind in ["tenants", "tenantprofiles", "namespaces", "roles", "users"] {
            let crd = format!("crd/{kind}.keyreeve.dev");
            self.kubectl(&["wait", &crd, "--for=condition=Established", "--timeout=60s"]);
        }
    }

    /// Applies it, and nothing that is not known; or what the API server says.
    fn apply(&self, object: &Value) -> Result<(), String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), object.to_string()).unwrap();
        let output = Command::new("kubectl")
            .arg(format!("--kubeconfig={}", self.admin.display()))
            .args(["apply", "--validate=strict", "-f"])
            .arg(file.path())
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        if output.status.success() { Ok(()) } else { Err(error) }
    }

    /// A kubeconfig of the operator's ServiceAccount as it is now.
    fn token(&self, folder: &Path) -> PathBuf {
        let file = folder.join("operator.kubeconfig");
        token_kubeconfig(&self.admin, SYSTEM, "keyreeve", &file);
        file
    }
}

/// The operator for every namespace, as the chart's Pod would run.
fn start(space: &Space) -> Operator {
    let store = format!("sqlite:{}", space.store_file().display());
    let off = [["--metrics-bind-address", "0"], ["--health-probe-bind-address", "0"]].concat();
    let arguments = [["--store", &store], ["--keystore-namespace", SYSTEM]].concat();
    Operator::start_as(space, &space.operator_kubeconfig, &[arguments, off].concat())
}

/// The chart as a version before might have been: without one field of a kind, and without one of the values.
fn chart_before(folder: &Path) -> String {
    let chart = folder.join("before");
    run("cp", &["-r", CHART, chart.to_str().unwrap()]);
    let change = |file: &str, change: &dyn Fn(String) -> String| {
        let file = chart.join(file);
        let text = fs::read_to_string(&file).unwrap();
        let changed = change(text.clone());
        assert_ne!(changed, text);
        fs::write(file, changed).unwrap();
    };
    change("Chart.yaml", &|text| text.replace("version: 0.1.0", "version: 0.0.9"));
    change("files/crds/tenants.yaml", &|text| {
        let mut crd: Value = serde_saphyr::from_str(&text).unwrap();
        let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
        crd.pointer_mut(spec).unwrap().as_object_mut().unwrap().remove("displayName").unwrap();
        crd.to_string()
    });
    change("values.schema.json", &|text| {
        let mut schema: Value = serde_json::from_str(&text).unwrap();
        let known = schema["properties"].as_object_mut().unwrap();
        known.remove("podDisruptionBudget").unwrap();
        schema.to_string()
    });
    change("values.yaml", &|text| {
        let (before, rest) = text.split_once("podDisruptionBudget:\n").unwrap();
        let (_, after) = rest.split_once("\n\n").unwrap();
        format!("{before}\n{after}")
    });
    fs::remove_file(chart.join("templates/poddisruptionbudget.yaml")).unwrap();
    chart.display().to_string()
}
