//! The webhook as the API server and strangers reach it: on this machine, by URL.

use std::{path::PathBuf, sync::Arc, time::Duration};

use k8s_openapi::{
    ByteString,
    api::{
        admissionregistration::v1::ValidatingWebhookConfiguration as Configuration,
        core::v1::Secret,
    },
};
use keyreeve::{
    admission::{Options, Source},
    api::{Namespace, Role, Tenant, TenantProfile, User},
};
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
    client::Body,
    core::{ApiResource, DynamicObject},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};

use super::{Operator, Release, Server, Space, eventually};

/// A webhook that is registered for the test's namespace, and called on this machine.
pub struct Hook {
    /// As whom its operator comes to the control plane, and who that is.
    pub kubeconfig: PathBuf,
    pub user: String,
    /// Where the API server calls it.
    pub address: String,
    /// The Service, and the Secret with the certificates.
    pub service: String,
    /// The registration.
    pub configuration: String,
}

impl Hook {
    /// Installs the chart, and has the API server call this machine instead of the Service.
    pub async fn install(space: &Space) -> Self {
        Self::install_with(space, &[]).await
    }

    /// The same, with more of the chart's values.
    pub async fn install_with(space: &Space, values: &[&str]) -> Self {
        let values = [["webhook.enabled=true"].as_slice(), values].concat();
        let release = Release::install(space, "hook", &values);
        let service = format!("{}-webhook", release.name);
        let configuration = format!("{}.{}", release.name, space.namespace);
        let user = release.user();
        let address = Server::new().address;
        let hook = Self { kubeconfig: release.kubeconfig, user, address, service, configuration };
        let config = json!({"url": hook.url()});
        let patch: Value =
            json!([{"op": "replace", "path": "/webhooks/0/clientConfig", "value": config}]);
        let patch = Patch::Json::<()>(serde_json::from_value(patch).unwrap());
        let configurations = space.configurations();
        let params = PatchParams::default();
        configurations.patch(&hook.configuration, &params, &patch).await.unwrap();
        hook
    }

    /// Registers it without the chart, for everything that is written, on a control plane of the test's own.
    pub async fn register(space: &Space) -> Self {
        let hook = Self {
            kubeconfig: space.operator_kubeconfig.clone(),
            user: "admin".into(),
            address: Server::new().address,
            service: "hook".into(),
            configuration: "hook".into(),
        };
        let rule = json!({
            "apiGroups": ["keyreeve.dev"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"],
        });
        let configuration = json!({"metadata": {"name": "hook"}, "webhooks": [{
            "name": "validate.keyreeve.dev", "clientConfig": {"url": hook.url()}, "rules": [rule],
            "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Ignore",
        }]});
        let configuration = serde_json::from_value(configuration).unwrap();
        let configurations = space.configurations();
        configurations.create(&PostParams::default(), &configuration).await.unwrap();
        hook
    }

    fn url(&self) -> String {
        format!("https://{}/validate", self.address)
    }

    /// Starts its operator, with more flags.
    pub fn start(&self, space: &Space, more: &[&str]) -> Operator {
        self.start_at(space, &self.address, &space.store_file(), more)
    }

    /// Starts an operator of it that answers at this address, on that store.
    pub fn start_at(
        &self,
        space: &Space,
        address: &str,
        store: &std::path::Path,
        more: &[&str],
    ) -> Operator {
        let namespace = space.namespace.as_str();
        let store = format!("sqlite:{}", store.display());
        let mut arguments = [
            ["--watch-namespace", namespace],
            ["--operator-namespace", namespace],
            ["--store", &store],
            ["--owner-id", "hook"],
            ["--webhook-bind-address", address],
            ["--webhook-host", "127.0.0.1"],
        ]
        .concat();
        let own = ["--webhook-service-name", &self.service];
        let patches = ["--webhook-configuration", &self.configuration];
        for flags in [own, patches] {
            if !more.contains(&flags[0]) {
                arguments.extend(flags);
            }
        }
        for off in ["--metrics-bind-address", "--health-probe-bind-address"] {
            if !more.contains(&off) {
                arguments.extend([off, "0"]);
            }
        }
        arguments.extend(["--webhook", "--log-format", "text"]);
        arguments.extend(more);
        Operator::start_as(space, &self.kubeconfig, &arguments)
    }

    /// Starts its operator and waits until the API server asks it.
    pub async fn answers(&self, space: &Space) -> Operator {
        let operator = self.start(space, &[]);
        operator.works().await;
        space.is_reviewed().await;
        operator
    }

    /// Whom the API server trusts, as PEM.
    pub async fn trusted(&self, space: &Space) -> Option<String> {
        let found = space.configurations().get(&self.configuration).await.unwrap();
        let bundle = found.webhooks.unwrap().remove(0).client_config.ca_bundle?;
        Some(String::from_utf8(bundle.0).unwrap())
    }

    /// A part of the Secret with the certificates.
    pub async fn part(&self, space: &Space, name: &str) -> Option<String> {
        let secret = space.api::<Secret>().get_opt(&self.service).await.unwrap()?;
        let ByteString(part) = secret.data?.remove(name)?;
        Some(String::from_utf8(part).unwrap())
    }
}

/// A webhook in the test's own process, that looks after its certificate all the time.
pub fn webhook_of(hook: &Hook, space: &Space, files: Option<PathBuf>) -> Options {
    let listener = std::net::TcpListener::bind(&hook.address).unwrap();
    listener.set_nonblocking(true).unwrap();
    let own = || Source::Own {
        namespace: space.namespace.clone(),
        service: hook.service.clone(),
        hosts: vec!["127.0.0.1".into()],
    };
    Options {
        listener: Arc::new(listener),
        source: files.map_or_else(own, Source::Files),
        configuration: Some(hook.configuration.clone()),
        period: Duration::from_millis(100),
    }
}

/// What the API server answers.
#[derive(Debug)]
pub struct Answer {
    pub code: u16,
    /// What it warns of.
    pub warnings: Vec<String>,
    pub body: Value,
}

impl Answer {
    /// The sentence of a refusal.
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

impl Space {
    /// Creates an object in the test's namespace, for real or to see what is said.
    pub async fn apply(&self, kind: &str, name: &str, spec: Value, dry_run: bool) -> Answer {
        let object = json!({
            "apiVersion": "keyreeve.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec,
        });
        self.ask("POST", &format!("{}s", kind.to_lowercase()), &object, dry_run).await
    }

    /// Sends a request about objects of ours in the test's namespace.
    pub async fn ask(&self, method: &str, path: &str, body: &Value, dry_run: bool) -> Answer {
        let query = if dry_run { "?dryRun=All" } else { "" };
        let namespace = &self.namespace;
        let path = format!("/apis/keyreeve.dev/v1alpha1/namespaces/{namespace}/{path}{query}");
        self.send(method, &path, body).await
    }

    /// Sends a request to this path of the API server.
    pub async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let json =
            if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", json)
            .body(Body::from(body.to_string().into_bytes()))
            .unwrap();
        let response = self.client.send(request).await.unwrap();
        let warnings = response.headers().get_all("warning").iter();
        let warnings = warnings.map(|value| unquoted(value.as_bytes())).collect();
        let code = response.status().as_u16();
        let body = response.into_body().collect_bytes().await.unwrap();
        Answer { code, warnings, body: serde_json::from_slice(&body).unwrap() }
    }

    /// The registrations of all webhooks.
    pub fn configurations(&self) -> Api<Configuration> {
        Api::all(self.client.clone())
    }

    /// Objects of ours of this kind as they are, whatever they are.
    pub fn of_kind(&self, kind: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &Self::resource_of(kind))
    }

    /// How the API server calls a kind of ours.
    pub fn resource_of(kind: &str) -> ApiResource {
        match kind {
            "Tenant" => ApiResource::erase::<Tenant>(&()),
            "TenantProfile" => ApiResource::erase::<TenantProfile>(&()),
            "Namespace" => ApiResource::erase::<Namespace>(&()),
            "Role" => ApiResource::erase::<Role>(&()),
            _ => ApiResource::erase::<User>(&()),
        }
    }

    /// Tenants as they are, whatever they are.
    pub fn raw_tenants(&self) -> Api<DynamicObject> {
        self.of_kind("Tenant")
    }

    /// Waits until the API server asks the webhook.
    pub async fn is_reviewed(&self) {
        let nobody = json!({"tenantRef": {"name": "nobody-is-called-so"}});
        eventually("the API server asks the webhook", async || {
            !self.apply("User", "asked", nobody.clone(), true).await.warnings.is_empty()
        })
        .await;
    }
}

/// The text of a Warning header (RFC 7234, section 5.5): `299 - "text"`.
fn unquoted(header: &[u8]) -> String {
    let header = String::from_utf8(header.to_vec()).unwrap();
    let text = header.strip_prefix("299 - \"").and_then(|text| text.strip_suffix('"'));
    text.unwrap().replace("\\\"", "\"").replace("\\\\", "\\")
}

/// A client that trusts these certificates.
pub struct Tls {
    address: String,
    connector: TlsConnector,
}

impl Tls {
    pub fn new(address: &str, trusted: &str) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(trusted.as_bytes()) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { address: address.into(), connector: TlsConnector::from(Arc::new(config)) }
    }

    pub async fn connect(&self) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(&self.address).await?;
        self.connector.connect(ServerName::try_from("127.0.0.1").unwrap(), stream).await
    }

    /// The certificate that is served.
    pub async fn certificate(&self) -> std::io::Result<Vec<u8>> {
        let stream = self.connect().await?;
        Ok(stream.get_ref().1.peer_certificates().unwrap()[0].to_vec())
    }

    /// The status code and the body of the answer to this request.
    pub async fn send(&self, method: &str, path: &str, body: &[u8]) -> (u16, String) {
        let mut stream = self.connect().await.unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: webhook\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // It need not read what is too large.
        let _ = stream.write_all(body).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }
}
