//! A control plane of the test's own, for what would disturb other tests: changed CRDs.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use keyreeve::api::schema;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
    runtime::{conditions::is_crd_established, wait::Condition as _},
};
use serde_json::json;
use tempfile::TempDir;

use super::{
    CHART, PATIENCE, Space,
    grants::{self, Grants},
    installed, rights, run,
    space::client,
    token_kubeconfig, until,
};

/// A running control plane; dropped, it is stopped, and its log of requests is kept.
pub struct Cluster {
    child: Child,
    folder: TempDir,
    kept_log: PathBuf,
}

impl Cluster {
    /// One with the CRDs, and the chart for its rights.
    pub async fn start() -> Self {
        let cluster = Self::bare().await;
        cluster.install(schema::crds().unwrap()).await;
        let admin = cluster.kubeconfig();
        let flag = format!("--kubeconfig={}", admin.display());
        let install = ["install", "keyreeve", CHART, "--namespace", "keyreeve-system", &flag];
        let more = ["--create-namespace", "--set", "crds.enabled=false"];
        run("helm", &[install.as_slice(), &more].concat());
        cluster.keep_grants("helm", "keyreeve-system", "keyreeve");
        token_kubeconfig(
            &admin,
            "keyreeve-system",
            "keyreeve",
            &cluster.file("operator.kubeconfig"),
        );
        cluster
    }

    /// One with nothing on it.
    pub async fn bare() -> Self {
        let folder = TempDir::new().unwrap();
        let log = File::create(folder.path().join("up.log")).unwrap();
        let child = Command::new("controlplane")
            .args(["up", "--stop-with-parent", "--dir"])
            .arg(folder.path().join("cluster"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let kept_log = grants::place("audit", "log");
        let mut cluster = Self { child, folder, kept_log };
        let deadline = tokio::time::Instant::now() + 2 * PATIENCE;
        while !cluster.file("ready").exists() {
            let ended = cluster.child.try_wait().unwrap();
            let log = || fs::read_to_string(cluster.folder.path().join("up.log")).unwrap();
            assert!(ended.is_none(), "the control plane ended: {}", log());
            assert!(tokio::time::Instant::now() < deadline, "the control plane is late: {}", log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        cluster
    }

    /// A namespace that is there on it.
    pub async fn space_in(&self, namespace: &str) -> Space {
        let kubeconfig = self.kubeconfig();
        Space::within(client(&kubeconfig).await, kubeconfig, namespace)
    }

    /// A namespace on it, in which the chart's operator may keep keystores.
    pub async fn space(&self, name: &str) -> Space {
        let space = self.space_for(self.file("operator.kubeconfig"), name).await;
        rights::grant_keystores(&space.client, &space.namespace, &self.kept_log).await;
        space
    }

    /// A namespace on it, for an operator that comes so.
    pub async fn space_for(&self, operator_kubeconfig: PathBuf, name: &str) -> Space {
        Space::on(client(&self.kubeconfig()).await, operator_kubeconfig, name).await
    }

    /// The administrator's.
    pub fn kubeconfig(&self) -> PathBuf {
        self.file("kubeconfig")
    }

    /// Where its log of requests is once it is stopped.
    pub fn kept_log(&self) -> PathBuf {
        self.kept_log.clone()
    }

    /// Keeps what a release of the chart on it grants, for the check after all tests.
    pub fn keep_grants(&self, helm: &str, namespace: &str, release: &str) {
        Grants {
            prefix: &format!("{namespace}:{release}"),
            objects: installed(helm, &self.kubeconfig(), namespace, release),
            audit_log: &self.kept_log,
            weakened: false,
        }
        .keep();
    }

    /// Lets Tenants have any spec, as an older or newer version might; or no longer.
    pub async fn take_any_tenant(&self, any: bool) {
        self.take_any("Tenant", any).await;
    }

    /// The same, of objects of this kind.
    pub async fn take_any(&self, kind: &str, any: bool) {
        let mut crds = schema::crds().unwrap();
        crds.retain(|crd| crd.spec.names.kind == kind);
        if any {
            let version = &mut crds[0].spec.versions[0];
            version.selectable_fields = None;
            version.schema = serde_json::from_value(json!({"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            }}))
            .unwrap();
        }
        self.install(crds).await;
    }

    async fn install(&self, crds: Vec<CustomResourceDefinition>) {
        let api = Api::all(client(&self.file("kubeconfig")).await);
        for crd in crds {
            let name = crd.name_any();
            let apply = PatchParams::apply("test").force();
            api.patch(&name, &apply, &Patch::Apply(&crd)).await.unwrap();
            until(api.clone(), &name, "established", |crd| {
                is_crd_established().matches_object(Some(crd))
            })
            .await;
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join("cluster").join(name)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
        let _ = fs::copy(self.file("audit.log"), &self.kept_log);
    }
}
