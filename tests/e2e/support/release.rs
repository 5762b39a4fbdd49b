//! The chart installed once more, as a release of the test's own in its namespace.

use std::{fs, path::PathBuf};

use super::{CHART, Space, run, setting};

/// A release of the chart in the test's namespace. No Pod of it ever runs: there is no node.
pub struct Release {
    /// The name of its objects.
    pub name: String,
    /// As whom its operator comes to the control plane.
    pub kubeconfig: PathBuf,
    namespace: String,
}

impl Release {
    /// Installs it with these values, for the test's namespace alone unless they say otherwise.
    pub fn install(space: &Space, release: &str, values: &[&str]) -> Self {
        let namespace = space.namespace.clone();
        let watched = format!("watchNamespaces={{{namespace}}}");
        let owner = format!("ownerId={release}");
        let mut helm = vec!["install", release, CHART, "--namespace", &namespace];
        for value in ["crds.enabled=false", &watched, &owner].iter().chain(values) {
            helm.extend(["--set", value]);
        }
        run("helm", &helm);
        let name = format!("{release}-keyreeve");
        let token = run("kubectl", &["create", "token", &name, "--namespace", &namespace]);
        let kubeconfig = space.folder().join(format!("{release}.kubeconfig"));
        fs::copy(setting("KEYREEVE_TEST_KUBECONFIG"), &kubeconfig).unwrap();
        let file = kubeconfig.to_str().unwrap();
        let token = format!("--token={}", token.trim());
        for change in [
            ["set-credentials", &name, &token].as_slice(),
            &["set-context", "--current", "--user", &name],
        ] {
            run("kubectl", &[["config", "--kubeconfig", file].as_slice(), change].concat());
        }
        Self { name, kubeconfig, namespace }
    }

    /// Who its operator is to the API server.
    pub fn user(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.name)
    }
}
