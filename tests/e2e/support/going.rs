//! A release that is uninstalled with its hook, on a control plane without nodes: what a node would do is done here.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use super::{Operator, Space, eventually, run, token_kubeconfig};

/// A release with `uninstall.removeFinalizers`.
pub struct Going<'a> {
    /// The program, Helm 3 or 4.
    pub helm: &'a str,
    /// The administrator's kubeconfig.
    pub admin: &'a Path,
    /// Where the release is.
    pub namespace: &'a str,
    /// What it is called.
    pub release: &'a str,
    /// What its objects are called.
    pub name: &'a str,
}

impl Going<'_> {
    /// Uninstalls it: the hook's Job runs as a process, and the operator ends when its Pod is gone.
    pub async fn uninstall(&self, space: &Space, operator: Operator) {
        let admin = format!("--kubeconfig={}", self.admin.display());
        let uninstall = ["uninstall", self.release, "--namespace", self.namespace, &admin];
        let mut helm = Process::start(Command::new(self.helm).args(uninstall));
        let job = format!("job/{}-uninstall", self.name);
        let find = ["get", &job, "--ignore-not-found", "-o", "json"];
        eventually("the hook's Job is there", async || !self.kubectl(&find).is_empty()).await;
        let found: Value = serde_json::from_str(&self.kubectl(&find)).unwrap();
        let pod = &found["spec"]["template"]["spec"];
        let kubeconfig = space.folder().join("uninstall.kubeconfig");
        let account = pod["serviceAccountName"].as_str().unwrap();
        token_kubeconfig(self.admin, self.namespace, account, &kubeconfig);
        let arguments: Vec<String> =
            serde_json::from_value(pod["containers"][0]["args"].clone()).unwrap();
        let mut hook = Process::start(
            Command::new(env!("CARGO_BIN_EXE_keyreeve"))
                .args(&arguments)
                .env("KUBECONFIG", &kubeconfig)
                .env("HOME", space.folder()),
        );
        let own =
            format!("app.kubernetes.io/name=keyreeve,app.kubernetes.io/instance={}", self.release);
        let pods = ["get", "pods", "--selector", &own, "-o", "name"];
        eventually("no Pod of the operator is left", async || self.kubectl(&pods).is_empty()).await;
        operator.stop().await;
        hook.succeeds("the Job's container").await;
        let now = found["metadata"]["creationTimestamp"].clone();
        let is = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": now});
        let done = json!({"status": {
            "startTime": now, "completionTime": now, "succeeded": 1,
            "conditions": [is("SuccessCriteriaMet"), is("Complete")],
        }});
        let done = done.to_string();
        self.kubectl(&["patch", &job, "--subresource=status", "--type=merge", "--patch", &done]);
        helm.succeeds("Helm").await;
    }

    fn kubectl(&self, arguments: &[&str]) -> String {
        let admin = format!("--kubeconfig={}", self.admin.display());
        run("kubectl", &[arguments, &["--namespace", self.namespace, &admin]].concat())
    }
}

/// A process that is killed when the test ends.
struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }

    async fn succeeds(&mut self, what: &str) {
        eventually(&format!("{what} ends"), async || self.0.try_wait().unwrap().is_some()).await;
        assert!(self.0.wait().unwrap().success(), "{what} failed");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
