//! kubectl, as somebody uses it who works in the test's namespace.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use super::{Space, run, setting};

impl Space {
    /// The administrator's, with the test's namespace as the present one: by `--namespace`, kubectl would refuse
    /// objects that name theirs.
    pub fn kubeconfig(&self) -> PathBuf {
        let file = self.folder().join("administrator.kubeconfig");
        if !file.exists() {
            fs::copy(setting("KEYREEVE_TEST_KUBECONFIG"), &file).unwrap();
            let name = file.to_str().unwrap();
            let namespace = ["--namespace", &self.namespace];
            let here = ["config", "--kubeconfig", name, "set-context", "--current"];
            run("kubectl", &[&here[..], &namespace].concat());
        }
        file
    }

    /// How kubectl ends.
    pub fn try_kubectl<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Output {
        self.as_administrator("kubectl", arguments)
    }

    /// What kubectl prints when it succeeds.
    pub fn kubectl<A: AsRef<OsStr>>(&self, arguments: &[A]) -> String {
        let output = self.try_kubectl(arguments);
        let arguments: Vec<_> = arguments.iter().map(AsRef::as_ref).collect();
        let (told, error) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "kubectl {arguments:?}: {told}{error}");
        told
    }

    /// What kubectl says when it fails.
    pub fn kubectl_fails<A: AsRef<OsStr>>(&self, arguments: &[A]) -> String {
        let output = self.try_kubectl(arguments);
        let arguments: Vec<_> = arguments.iter().map(AsRef::as_ref).collect();
        assert!(!output.status.success(), "kubectl {arguments:?}: {}", text(&output.stdout));
        text(&output.stdout) + &text(&output.stderr)
    }

    /// How a command ends that works in the test's namespace.
    pub fn as_administrator<A: AsRef<OsStr>>(&self, command: &str, arguments: &[A]) -> Output {
        let output =
            Command::new(command).env("KUBECONFIG", self.kubeconfig()).args(arguments).output();
        output.unwrap_or_else(|error| panic!("{command} cannot be run: {error}"))
    }
}

/// What a folder with a kustomization becomes.
pub fn kustomized(folder: &Path) -> String {
    run("kubectl", &["kustomize", folder.to_str().unwrap()])
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}
