//! One of several replicas: an operator that stands for election, with ways to it of its own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use k8s_openapi::api::coordination::v1::Lease;
use serde_json::Value;

use super::{Operator, Release, Server, Space, eventually, run};

/// A replica of a release.
pub struct Replica {
    pub operator: Operator,
    pub metrics: Server,
    pub probes: Server,
    /// How the audit log tells it from others of the same ServiceAccount.
    pub credential: String,
}

impl Replica {
    /// Starts one with a token of its own; `reroute` may lead it another way.
    pub fn start(
        space: &Space,
        release: &Release,
        name: &str,
        server: Option<&str>,
        environment: &[(&str, &str)],
        flags: &[&str],
    ) -> Self {
        let (token, credential) = release.token();
        let mut kubeconfig = release.kubeconfig_with(name, &token);
        if let Some(server) = server {
            kubeconfig = rerouted(&kubeconfig, server, "rerouted");
        }
        let (metrics, probes) = (Server::new(), Server::new());
        let mut arguments = vec![
            "--watch-namespace",
            &space.namespace,
            "--keystore-namespace",
            &space.namespace,
            "--operator-namespace",
            &space.namespace,
            "--owner-id",
            &release.name,
            "--leader-elect",
            "--leader-elect-resource-name",
            &release.name,
            "--leader-elect-identity",
            name,
            "--metrics-bind-address",
            &metrics.address,
            "--health-probe-bind-address",
            &probes.address,
        ];
        arguments.extend(flags);
        let operator = Operator::start_apart(space, name, &kubeconfig, environment, &arguments);
        Self { operator, metrics, probes, credential }
    }

    /// Whether it says that it leads.
    pub fn leads(&self) -> bool {
        self.metrics.metric("leader_election_master_status", "name=") > 0.0
    }

    /// Whether a probe succeeds.
    pub fn says(&self, probe: &str) -> bool {
        self.probes.get(probe).is_some_and(|(head, _)| head.starts_with("HTTP/1.1 200"))
    }

    pub async fn is_ready(&self) {
        eventually("the replica is ready", async || self.says("/readyz")).await;
    }

    pub async fn comes_to_lead(&self) {
        eventually("the replica leads", async || self.leads()).await;
    }

    /// How many calls to the store it has made.
    pub fn store_calls(&self) -> f64 {
        self.metrics.metric("keyreeve_store_calls_total", "store=")
    }
}

impl Space {
    /// The Lease of a release: its holder, how often it went to another one, and when it was renewed.
    pub async fn lease(&self, release: &Release) -> (String, i32, jiff::Timestamp) {
        let lease = self.api::<Lease>().get(&release.name).await.unwrap().spec.unwrap();
        (
            lease.holder_identity.unwrap_or_default(),
            lease.lease_transitions.unwrap_or_default(),
            lease.renew_time.unwrap().0,
        )
    }
}

impl Release {
    /// A new token of its ServiceAccount, and its id.
    fn token(&self) -> (String, String) {
        let token =
            run("kubectl", &["create", "token", &self.name, "--namespace", &self.namespace]);
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        (token.trim().into(), format!("JTI={}", claims["jti"].as_str().unwrap()))
    }

    fn kubeconfig_with(&self, name: &str, token: &str) -> PathBuf {
        let path = self.kubeconfig.with_file_name(format!("{name}.kubeconfig"));
        fs::copy(&self.kubeconfig, &path).unwrap();
        let file = path.to_str().unwrap();
        let token = format!("--token={token}");
        run("kubectl", &["config", "--kubeconfig", file, "set-credentials", &self.name, &token]);
        path
    }
}

/// A kubeconfig that leads to another address of the same server.
pub fn rerouted(kubeconfig: &Path, server: &str, suffix: &str) -> PathBuf {
    let path = kubeconfig.with_extension(suffix);
    fs::copy(kubeconfig, &path).unwrap();
    let cluster = view(&path, "{.contexts[0].context.cluster}");
    let (file, server) = (path.to_str().unwrap(), format!("--server={server}"));
    run("kubectl", &["config", "--kubeconfig", file, "set-cluster", &cluster, &server]);
    path
}

/// Where the server of a kubeconfig is: `HOST:PORT`.
pub fn server_of(kubeconfig: &Path) -> String {
    let server = view(kubeconfig, "{.clusters[0].cluster.server}");
    server.trim_start_matches("https://").into()
}

/// What a kubeconfig says of its current context, by a path of `kubectl`'s.
fn view(kubeconfig: &Path, path: &str) -> String {
    let (file, output) = (kubeconfig.to_str().unwrap(), format!("jsonpath={path}"));
    let shown = ["config", "--kubeconfig", file, "view", "--minify", "--output", &output];
    run("kubectl", &shown).trim().into()
}
