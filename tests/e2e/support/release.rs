//! The chart installed once more, as a release of the test's own in its namespace.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{CHART, Cluster, Space, grants::Grants, run, setting};

/// A release of the chart in the test's namespace. No Pod of it ever runs: there is no node.
pub struct Release {
    /// The name of its objects.
    pub name: String,
    /// As whom its operator comes to the control plane.
    pub kubeconfig: PathBuf,
    pub namespace: String,
}

impl Release {
    /// Installs it with these values, for the test's namespace alone unless they say otherwise.
    pub fn install(space: &Space, release: &str, values: &[&str]) -> Self {
        Self::install_as(space, &common(false), release, values)
    }

    /// Installs it so, to take rights of it away then.
    pub fn install_to_weaken(space: &Space, release: &str, values: &[&str]) -> Self {
        Self::install_as(space, &common(true), release, values)
    }

    /// Installs it so, on a control plane of the test's own.
    pub fn install_on(cluster: &Cluster, space: &Space, release: &str, values: &[&str]) -> Self {
        let (admin, audit_log) = (cluster.kubeconfig(), cluster.kept_log());
        Self::install_as(space, &Place { admin, audit_log, weakened: false }, release, values)
    }

    fn install_as(space: &Space, place: &Place, release: &str, values: &[&str]) -> Self {
        let namespace = space.namespace.clone();
        let watched = format!("watchNamespaces={{{namespace}}}");
        let owner = format!("ownerId={release}");
        let admin = format!("--kubeconfig={}", place.admin.display());
        let mut helm = vec!["install", release, CHART, "--namespace", &namespace, &admin];
        for value in ["crds.enabled=false", &watched, &owner].iter().chain(values) {
            helm.extend(["--set", value]);
        }
        run("helm", &helm);
        let name = format!("{release}-keyreeve");
        let kubeconfig = space.folder().join(format!("{release}.kubeconfig"));
        token_kubeconfig(&place.admin, &namespace, &name, &kubeconfig);
        Grants {
            prefix: &format!("{namespace}:{name}"),
            objects: installed("helm", &place.admin, &namespace, release),
            audit_log: &place.audit_log,
            weakened: place.weakened,
        }
        .keep();
        Self { name, kubeconfig, namespace }
    }

    /// Who its operator is to the API server.
    pub fn user(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.name)
    }
}

/// Where a release is installed, and whether rights are taken away from it then.
struct Place {
    admin: PathBuf,
    audit_log: PathBuf,
    weakened: bool,
}

fn common(weakened: bool) -> Place {
    Place {
        admin: setting("KEYREEVE_TEST_KUBECONFIG").into(),
        audit_log: setting("KEYREEVE_TEST_AUDIT_LOG").into(),
        weakened,
    }
}

/// Writes a kubeconfig with a token of a ServiceAccount, like that of the administrator else.
pub fn token_kubeconfig(admin: &Path, namespace: &str, account: &str, file: &Path) {
    let admin = format!("--kubeconfig={}", admin.display());
    let token = run("kubectl", &[&admin, "create", "token", account, "--namespace", namespace]);
    fs::copy(&admin["--kubeconfig=".len()..], file).unwrap();
    let file = file.to_str().unwrap();
    let token = format!("--token={}", token.trim());
    for change in [
        ["set-credentials", account, &token].as_slice(),
        &["set-context", "--current", "--user", account, "--namespace", namespace],
    ] {
        run("kubectl", &[["config", "--kubeconfig", file].as_slice(), change].concat());
    }
}

/// The objects of a release, those of its hooks included.
pub fn installed(helm: &str, admin: &Path, namespace: &str, release: &str) -> Vec<Value> {
    let admin = format!("--kubeconfig={}", admin.display());
    let get = |what| run(helm, &["get", what, release, "--namespace", namespace, &admin]);
    let mut objects = objects(&get("manifest"));
    objects.extend(self::objects(&get("hooks")));
    objects
}

/// The objects in what Helm prints, in an order of their own.
pub fn objects(rendered: &str) -> Vec<Value> {
    let mut objects: Vec<Value> = rendered
        .split("\n---\n")
        .map(|document| document.trim_start_matches("---\n"))
        .filter(|document| document.lines().any(|line| !line.starts_with('#') && !line.is_empty()))
        .map(|document| serde_saphyr::from_str(document).unwrap())
        .collect();
    objects.sort_by_key(|object: &Value| {
        ["/kind", "/metadata/namespace", "/metadata/name"]
            .map(|path| object.pointer(path).map(ToString::to_string))
    });
    objects
}
