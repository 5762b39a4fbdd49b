//! `keyreeve doctor`: nothing is found where all is well, and each thing that is broken is named.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use k8s_openapi::{
    api::{
        apps::v1::Deployment, coordination::v1::Lease, core::v1::Pod, rbac::v1::Role as RbacRole,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use keyreeve::api::Tenant;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use serde_json::{Value, json};

use crate::support::{
    Cluster, Conditions, Hook, Space, client, eventually, run, setting, token_kubeconfig, until,
    until_gone,
};

/// What the doctor found.
struct Found {
    code: Option<i32>,
    lines: Vec<Value>,
}

impl Found {
    /// The verdict, with what is said, of everything that is not well.
    fn troubles(&self) -> Vec<String> {
        let troubles = self.lines.iter().filter(|line| line["verdict"] != "ok");
        troubles
            .map(|line| {
                format!("{}: {}", line["check"].as_str().unwrap(), line["says"].as_str().unwrap())
            })
            .collect()
    }

    /// Asserts that this alone is wrong, and that it is said what to do.
    fn is_alone(&self, says: &str) {
        let troubles = self.troubles();
        assert!(troubles.len() == 1 && troubles[0].contains(says), "{says}: {troubles:#?}");
        let wrong = self.lines.iter().find(|line| line["verdict"] == "wrong").unwrap();
        assert!(wrong["advice"].as_str().unwrap().len() > 20, "{wrong}");
        assert_eq!(self.code, Some(1));
    }
}

fn doctor(kubeconfig: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyreeve"));
    command.arg("doctor").args(arguments).env("KUBECONFIG", kubeconfig).output().unwrap()
}

fn look(kubeconfig: &Path, arguments: &[&str]) -> Found {
    let output = doctor(kubeconfig, &[arguments, &["--output", "json"]].concat());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.is_empty(), "{error}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("PRIVATE KEY") && !text.contains("BEGIN"), "{text}");
    let report: Value = serde_json::from_str(&text).unwrap();
    let lines = report["lines"].as_array().unwrap().clone();
    Found { code: output.status.code(), lines }
}

#[tokio::test]
async fn an_install_that_is_well_needs_nobody_and_what_is_broken_is_named() {
    let space = Space::new("doctor").await;
    let namespace = space.namespace.clone();
    let hook = Hook::install(&space).await;
    let admin = setting("KEYREEVE_TEST_KUBECONFIG");
    let look = || look(admin.as_ref(), &["--namespace", &namespace]);
    // There is no node: the test says of the Pod what a kubelet would say.
    tell_of_pod(&space, json!({"conditions": [{"type": "Ready", "status": "True"}]})).await;
    deployment_has(&space, 1).await;
    let operator = hook.answers(&space).await;
    space.create::<Tenant>("acme", json!({})).await;
    space.ready("acme").await;
    let well = look();
    assert_eq!(well.troubles(), Vec::<String>::new());
    assert_eq!((well.code, well.lines.len()), (Some(0), 6));
    let output = doctor(admin.as_ref(), &["-n", &namespace]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.ends_with("\nall is well\n"), "{text}");

    // The store is away.
    let aside = space.folder().join("aside.db");
    fs::rename(space.store_file(), &aside).unwrap();
    space.tenant("acme", "away", |tenant| tenant.is_reconciling("StoreUnavailable")).await;
    look().is_alone("Store: 1 Tenant");
    fs::rename(&aside, space.store_file()).unwrap();
    space.ready("acme").await;

    // Objects need somebody.
    space.create::<Tenant>("taken", json!({"tenantId": "acme"})).await;
    space.tenant("taken", "Stalled", |tenant| tenant.is_stalled("Conflict")).await;
    look().is_alone(&format!("Objects: 1 Tenant ({namespace}/taken) is Stalled with Conflict"));
    space.delete("taken").await;
    space.gone("taken").await;

    // A right is missing.
    let rights = format!("{namespace}:hook-keyreeve");
    let roles = space.api::<RbacRole>();
    let role = roles.get(&rights).await.unwrap();
    let mut less = role.clone();
    for rule in less.rules.iter_mut().flatten() {
        rule.resources.iter_mut().flatten().for_each(|resource| {
            if resource == "users/status" {
                *resource = "users/nothing".into();
            }
        });
    }
    roles.replace(&rights, &PostParams::default(), &less).await.unwrap();
    eventually("the API server knows", async || look().code == Some(1)).await;
    look().is_alone(&format!(
        "hook-keyreeve may not patch users.keyreeve.dev/status in the namespace {namespace}"
    ));
    let again = Patch::Merge(json!({"rules": role.rules}));
    roles.patch(&rights, &PatchParams::default(), &again).await.unwrap();
    eventually("the API server knows", async || look().code == Some(0)).await;

    // The webhook, which a running operator would put right.
    assert!(operator.stop().await.success());
    let configurations = space.configurations();
    let trusted = hook.trusted(&space).await.unwrap();
    let trust = async |bundle: String| {
        let bundle = k8s_openapi::ByteString(bundle.into_bytes());
        let webhook =
            json!({"name": "validate.keyreeve.dev", "clientConfig": {"caBundle": bundle}});
        let patch = Patch::Strategic(json!({"webhooks": [webhook]}));
        configurations.patch(&hook.configuration, &PatchParams::default(), &patch).await.unwrap();
    };
    trust(another_authority()).await;
    look().is_alone("its caBundle is not that of the certificate that is served");
    trust(trusted).await;
    assert_eq!(look().troubles(), Vec::<String>::new());
    configurations.delete(&hook.configuration, &DeleteParams::default()).await.unwrap();
    look().is_alone(&format!(
        "Webhook: the ValidatingWebhookConfiguration {} is not there",
        hook.configuration
    ));

    // The operator is away.
    let waits = json!({"reason": "CrashLoopBackOff"});
    tell_of_pod(
        &space,
        json!({
            "conditions": [{"type": "Ready", "status": "False"}],
            "containerStatuses": [{
                "name": "keyreeve", "image": "", "imageID": "", "ready": false, "restartCount": 3,
                "state": {"waiting": waits}, "lastState": {"terminated": {"exitCode": 1}},
            }],
        }),
    )
    .await;
    deployment_has(&space, 0).await;
    let says = "waits: CrashLoopBackOff, after it ended with 1";
    let troubles = look().troubles();
    assert!(troubles[0].starts_with("Operator: of the Deployment hook-keyreeve"), "{troubles:?}");
    assert!(troubles[0].contains(says), "{troubles:?}");
    let store = troubles.iter().find(|trouble| trouble.starts_with("Store: ")).unwrap();
    assert!(store.contains("no operator is seen to work"), "{store}");
}

#[tokio::test]
async fn that_nobody_leads_is_found_by_looking_twice_whatever_the_lease_says_of_the_time() {
    let space = Space::new("doctor-lease").await;
    // With PostgreSQL the chart has a leader elected; the store is a file all the same.
    let values =
        ["store.url=postgres://database.example/keyreeve", "store.credentialsSecret=database"];
    let hook = Hook::install_with(&space, &values).await;
    tell_of_pod(&space, json!({"conditions": [{"type": "Ready", "status": "True"}]})).await;
    deployment_has(&space, 1).await;
    let elects = ["--leader-elect", "--leader-elect-resource-name", "hook-keyreeve"];
    let operator = hook.start(&space, &elects);
    space.create::<Tenant>("acme", json!({})).await;
    space.ready("acme").await;
    space.is_reviewed().await;
    let admin = setting("KEYREEVE_TEST_KUBECONFIG");
    let look = || look(admin.as_ref(), &["--namespace", &space.namespace]);
    assert_eq!(look().troubles(), Vec::<String>::new());

    assert!(operator.stop().await.success());
    let spec = json!({"holderIdentity": "one", "renewTime": "2099-01-01T00:00:00.000000Z"});
    let held = Patch::Merge(json!({"spec": spec}));
    let leases = space.api::<Lease>();
    leases.patch("hook-keyreeve", &PatchParams::default(), &held).await.unwrap();
    let found = look();
    let troubles = found.troubles();
    let nobody = "Operator: no replica leads, so nothing is carried out: of the Lease hook-keyreeve one, which holds it, did not renew it";
    assert!(troubles[0].starts_with(nobody), "{troubles:#?}");
    assert!(troubles[1].starts_with("Store: the sqlite store has 1 Tenant"), "{troubles:#?}");
    assert_eq!((troubles.len(), found.code), (2, Some(1)), "{troubles:#?}");
}

#[tokio::test]
async fn who_may_not_look_is_told_so_and_where_there_is_no_answer_one_says_so() {
    let space = Space::new("doctor-stranger").await;
    run("kubectl", &["create", "serviceaccount", "stranger", "--namespace", &space.namespace]);
    let (admin, stranger) = (setting("KEYREEVE_TEST_KUBECONFIG"), space.folder().join("stranger"));
    token_kubeconfig(Path::new(&admin), &space.namespace, "stranger", &stranger);
    let found = look(&stranger, &["--namespace", &space.namespace]);
    let troubles = found.troubles();
    assert_eq!(found.code, Some(2), "{troubles:#?}");
    assert!(troubles.iter().all(|trouble| trouble.contains(": you may not ")), "{troubles:#?}");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nowhere = space.folder().join("nowhere.kubeconfig");
    fs::copy(setting("KEYREEVE_TEST_KUBECONFIG"), &nowhere).unwrap();
    let cluster = run("kubectl", &["config", "view", "-o", "jsonpath={.clusters[0].name}"]);
    let server = format!("--server=https://{closed}");
    let file = nowhere.to_str().unwrap();
    run("kubectl", &["config", "--kubeconfig", file, "set-cluster", &cluster, &server]);
    let output = doctor(&nowhere, &[]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.starts_with("keyreeve: the Kubernetes API server cannot be reached"), "{error}");
}

#[tokio::test]
async fn crds_of_another_version_and_an_operator_that_is_not_there_are_named() {
    let cluster = Cluster::start().await;
    let space = cluster.space("doctor-crds").await;
    let none = "Operator: there is no operator anywhere";
    let admin = cluster.kubeconfig();
    let look = || look(&admin, &[]);
    let deployments: Api<Deployment> = Api::namespaced(client(&admin).await, "keyreeve-system");
    deployments.delete("keyreeve", &DeleteParams::default()).await.unwrap();
    until_gone(deployments, "keyreeve").await;
    look().is_alone(none);
    cluster.take_any_tenant(true).await;
    let troubles = look().troubles();
    assert_eq!(troubles.len(), 2, "{troubles:#?}");
    assert!(
        troubles[0].contains("tenants.keyreeve.dev is not the one of version"),
        "{troubles:#?}"
    );
    cluster.take_any_tenant(false).await;
    look().is_alone(none);
    let crds: Api<CustomResourceDefinition> = Api::all(space.client.clone());
    crds.delete("users.keyreeve.dev", &DeleteParams::default()).await.unwrap();
    until_gone(crds, "users.keyreeve.dev").await;
    let troubles = look().troubles();
    assert_eq!(troubles.len(), 2, "{troubles:#?}");
    assert_eq!(troubles[0], "CRDs: users.keyreeve.dev is not installed");
}

/// Says of the Deployment's Pod what a kubelet would say, once it is there.
async fn tell_of_pod(space: &Space, status: Value) {
    let pods = space.api::<Pod>();
    let of_release = ListParams::default().labels("app.kubernetes.io/instance=hook");
    let mut name = None;
    eventually("there is a Pod", async || {
        name = pods.list(&of_release).await.unwrap().items.first().map(ResourceExt::name_any);
        name.is_some()
    })
    .await;
    let patch = Patch::Strategic(json!({"status": status}));
    pods.patch_status(&name.unwrap(), &PatchParams::default(), &patch).await.unwrap();
}

/// Waits until so many of its replicas are ready.
async fn deployment_has(space: &Space, ready: i32) {
    until(space.api::<Deployment>(), "hook-keyreeve", "told of", |deployment| {
        let status = deployment.status.as_ref();
        status.is_some_and(|status| status.ready_replicas.unwrap_or_default() == ready)
    })
    .await;
}

/// An authority that has signed nothing here, as PEM.
fn another_authority() -> String {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}
