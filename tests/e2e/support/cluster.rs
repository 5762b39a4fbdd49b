//! A control plane of the test's own, for what would disturb other tests: changed CRDs.

use std::{
    fs::{self, File},
    path::Path,
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

use super::{PATIENCE, Space, space::client, until};

/// A running control plane with the CRDs alone; dropped, it is stopped.
pub struct Cluster {
    child: Child,
    folder: TempDir,
}

impl Cluster {
    pub async fn start() -> Self {
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
        let mut cluster = Self { child, folder };
        let deadline = tokio::time::Instant::now() + 2 * PATIENCE;
        while !cluster.file("ready").exists() {
            let ended = cluster.child.try_wait().unwrap();
            let log = || fs::read_to_string(cluster.folder.path().join("up.log")).unwrap();
            assert!(ended.is_none(), "the control plane ended: {}", log());
            assert!(tokio::time::Instant::now() < deadline, "the control plane is late: {}", log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        cluster.install(schema::crds().unwrap()).await;
        cluster
    }

    /// A namespace on it. The operator comes as administrator: no chart is installed.
    pub async fn space(&self, name: &str) -> Space {
        let kubeconfig = self.file("kubeconfig");
        Space::on(client(&kubeconfig).await, kubeconfig, name).await
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

    fn file(&self, name: &str) -> std::path::PathBuf {
        Path::new(self.folder.path()).join("cluster").join(name)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}
