//! The Pod that the chart renders, run as it is by podman: image, user, root, arguments, environment, mounts and probes.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::Secret;
use keyreeve::api::{FINALIZER, Tenant, User};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::{
    chart_values::render,
    image::{Container, image, podman},
    support::{
        Conditions, Hook, Postgres, Release, Server, Space, eventually, objects, run, setting,
        token_kubeconfig,
    },
};

/// Where a Pod finds its ServiceAccount.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

#[tokio::test]
async fn the_chart_s_container_works_as_nobody_on_a_read_only_root_and_answers_its_probes() {
    let space = Space::new("pod").await;
    let (repository, tag) = image().split_once(':').unwrap();
    let namespace = &space.namespace;
    let values = json!({
        "image": {"repository": repository, "tag": tag}, "watchNamespaces": [namespace],
        "keystore": {"namespace": namespace}, "crds": {"enabled": false},
        "extraEnv": [{"name": "KEYREEVE_LOG_LEVEL_OF_A_TEST", "value": "none"}],
    });
    let pod = rendered(&space, &values);
    let container = &pod["containers"][0];
    // A node gives each Pod addresses of its own; here they are on loopback.
    let servers = ["metrics", "health"].map(|name| (name, Server::new()));
    let address = |port: &str| &servers.iter().find(|(name, _)| *name == port).unwrap().1;
    let node = Node { namespace: "keyreeve-system", kubeconfig: &space.operator_kubeconfig };
    let addresses = servers.each_ref().map(|(name, server)| (*name, server.address.as_str()));
    let running = node.start(&space, &pod, &addresses).await;

    for probe in ["livenessProbe", "readinessProbe"] {
        let get = &container[probe]["httpGet"];
        let (path, server) = (text(&get["path"]), address(text(&get["port"])));
        eventually(&format!("the {probe} succeeds"), async || is_ok(server, path)).await;
    }
    space.create::<Tenant>("acme", json!({})).await;
    space.ready("acme").await;
    let metrics = address("metrics");
    assert!(is_ok(metrics, "/metrics"));
    assert!(metrics.metric("controller_runtime_reconcile_total", "controller=\"tenant\"") >= 1.0);

    let user = podman(&["top", &running.name, "user,group,capeff"]);
    let user: Vec<_> = user.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(user, ["nonroot", "nonroot", "none"]);

    let asked = Instant::now();
    assert_eq!(running.stop().await.code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(10), "it took {:?}", asked.elapsed());
}

/// With PostgreSQL, several replicas and a webhook. The operator logs in as the Secret says that the chart mounts; then
/// as one says from which the chart's values take environment variables.
#[tokio::test]
async fn the_chart_s_container_works_on_postgresql_with_a_secret_s_credentials_and_answers_reviews()
{
    let space = Space::new("pod-postgres").await;
    let postgres = Postgres::start(&space).await;
    let (repository, tag) = image().split_once(':').unwrap();
    let of_environment = postgres.environment();
    let of_postgres = |name: &str| {
        of_environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value).unwrap()
    };
    let (username, password) = (of_postgres("PGUSER"), of_postgres("PGPASSWORD"));
    let store = format!("store.url={}", of_postgres("STORE"));
    let both = [
        format!("--from-literal=username={username}"),
        format!("--from-literal=password={password}"),
    ];
    let place = ["-n", space.namespace.as_str(), &both[0], &both[1]];
    run("kubectl", &[["create", "secret", "generic", "database"].as_slice(), &place].concat());
    let values = [
        store,
        "store.credentialsSecret=database".into(),
        "replicas=2".into(),
        format!("image.repository={repository}"),
        format!("image.tag={tag}"),
        // The API server calls this machine, for there is no network of Pods.
        "extraArgs={--webhook-host=127.0.0.1}".into(),
    ];
    let values = values.each_ref().map(String::as_str);
    let hook = Hook::install_with(&space, &values).await;
    let (metrics, health) = (Server::new(), Server::new());
    let addresses = [
        ("metrics", metrics.address.as_str()),
        ("health", health.address.as_str()),
        ("webhook", hook.address.as_str()),
    ];
    let node = Node { namespace: &space.namespace, kubeconfig: &hook.kubeconfig };
    let pod = pod_in(&run("helm", &["get", "manifest", "hook", "--namespace", &space.namespace]));
    let running = node.start(&space, &pod, &addresses).await;
    eventually("it is ready", async || is_ok(&health, "/readyz")).await;
    space.is_reviewed().await;
    space.create::<Tenant>("acme", json!({})).await;
    let acme = space.ready("acme").await;
    assert_eq!(acme.status.unwrap().store.unwrap().kind, "postgres");
    let generated = json!({"tenantRef": {"name": "acme"}, "password": {"generate": {}}});
    space.create::<User>("ada", generated).await;
    space.see("ada", "Ready", User::is_ready).await;
    assert!(metrics.metric("leader_election_master_status", "name=\"hook-keyreeve\"") > 0.5);
    assert_eq!(running.stop().await.code(), Some(0));

    // The same release, with the credentials in the environment.
    let from = |key: &str| json!({"secretKeyRef": {"name": "database", "key": key}});
    let environment = json!([
        {"name": "KEYREEVE_STORE_USERNAME", "valueFrom": from("username")},
        {"name": "KEYREEVE_STORE_PASSWORD", "valueFrom": from("password")},
    ]);
    let environment = format!("extraEnv={environment}");
    let chart = crate::support::CHART;
    let upgrade = ["upgrade", "hook", chart, "--namespace", &space.namespace, "--reuse-values"];
    let changes =
        ["--dry-run=client", "--set", "store.credentialsSecret=", "--set-json", &environment];
    let pod = pod_in(&run("helm", &[upgrade.as_slice(), &changes].concat()));
    let mounts = pod["containers"][0]["volumeMounts"].to_string();
    assert!(!mounts.contains("/etc/keyreeve/store"), "{mounts}");
    let running = node.start(&space, &pod, &addresses).await;
    eventually("it is ready", async || is_ok(&health, "/readyz")).await;
    space.create::<Tenant>("second", json!({})).await;
    space.ready("second").await;
    assert_eq!(running.stop().await.code(), Some(0));
    let tenants = "SELECT tenant_id FROM v1_tenants ORDER BY 1";
    assert_eq!(postgres.texts(tenants).await, ["acme", "second"]);
}

/// On Keycloak, with the id and the secret of a client that the chart mounts.
#[tokio::test]
async fn the_chart_s_container_works_on_keycloak_with_a_secret_s_credentials() {
    let space = Space::new("pod-keycloak").await;
    let (repository, tag) = image().split_once(':').unwrap();
    let secret = fs::read(setting("KEYREEVE_TEST_KEYCLOAK_SECRET_FILE")).unwrap();
    space.make_secret("client", &[("username", b"keyreeve"), ("password", &secret)]).await;
    let values = [
        format!("store.url=keycloak+{}", setting("KEYREEVE_TEST_KEYCLOAK")),
        "store.credentialsSecret=client".into(),
        format!("image.repository={repository}"),
        format!("image.tag={tag}"),
    ];
    let release = Release::install(&space, "pod", &values.each_ref().map(String::as_str));
    let pod = pod_in(&run("helm", &["get", "manifest", "pod", "--namespace", &space.namespace]));
    let health = Server::new();
    let metrics = Server::new();
    let addresses = [("metrics", metrics.address.as_str()), ("health", health.address.as_str())];
    let node = Node { namespace: &space.namespace, kubeconfig: &release.kubeconfig };
    let running = node.start(&space, &pod, &addresses).await;
    eventually("it is ready", async || is_ok(&health, "/readyz")).await;
    // Tenant ids are one for all tests that share this Keycloak.
    let id = space.namespace.as_str();
    space.create::<Tenant>(id, json!({"deletionPolicy": "Delete"})).await;
    let tenant = space.ready(id).await;
    assert_eq!(tenant.status.unwrap().store.unwrap().kind, "keycloak");
    space.delete(id).await;
    space.gone(id).await;
    assert_eq!(running.stop().await.code(), Some(0));
}

/// The Job that runs when the chart is uninstalled, where no operator runs any more.
#[tokio::test]
async fn the_job_s_container_takes_the_finalizers_off_as_nobody_on_a_read_only_root() {
    let space = Space::new("pod-job").await;
    let (repository, tag) = image().split_once(':').unwrap();
    let namespace = &space.namespace;
    let values = json!({
        "image": {"repository": repository, "tag": tag}, "watchNamespaces": [namespace],
        "uninstall": {"removeFinalizers": true}, "crds": {"enabled": false},
    });
    let hook = objects(&render("helm", &space, &values).unwrap());
    let hook: Vec<_> = hook
        .into_iter()
        .filter(|object| object["metadata"]["annotations"]["helm.sh/hook"] == "pre-delete")
        .collect();
    let (jobs, rights): (Vec<_>, Vec<_>) = hook.iter().partition(|o| o["kind"] == "Job");
    let file = space.folder().join("rights.json");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": rights});
    fs::write(&file, list.to_string()).unwrap();
    run("kubectl", &["create", "-f", file.to_str().unwrap()]);
    let pod = &jobs[0]["spec"]["template"]["spec"];
    let kubeconfig = space.folder().join("job.kubeconfig");
    let admin = setting("KEYREEVE_TEST_KUBECONFIG");
    let account = text(&pod["serviceAccountName"]);
    token_kubeconfig(Path::new(&admin), namespace, account, &kubeconfig);
    space.create::<Tenant>("acme", json!({})).await;
    let finalizers = json!({"metadata": {"finalizers": [FINALIZER]}});
    space.merge::<Tenant>("acme", finalizers).await;

    let node = Node { namespace, kubeconfig: &kubeconfig };
    assert_eq!(node.start(&space, pod, &[]).await.ends().await.code(), Some(0));
    let acme = space.tenants().get("acme").await.unwrap();
    assert!(acme.finalizers().is_empty(), "{acme:?}");
}

/// The Pod of the one Deployment in what Helm prints.
fn pod_in(printed: &str) -> Value {
    let mut documents = printed.split("\n---\n");
    let deployment = documents.find(|text| text.contains("\nkind: Deployment\n")).unwrap();
    objects(deployment)[0]["spec"]["template"]["spec"].clone()
}

/// The Pod of the common release, with these values.
fn rendered(space: &Space, values: &Value) -> Value {
    let file = space.folder().join("values.json");
    fs::write(&file, values.to_string()).unwrap();
    let file = file.to_str().unwrap();
    let chart = crate::support::CHART;
    let template =
        ["template", "keyreeve", chart, "--namespace", "keyreeve-system", "--values", file];
    let objects = objects(&run("helm", &template));
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
    deployment["spec"]["template"]["spec"].clone()
}

/// What a node knows of a Pod, beside what that says itself.
struct Node<'a> {
    namespace: &'a str,
    /// As whom the Pod comes to the API server.
    kubeconfig: &'a Path,
}

impl Node<'_> {
    /// Starts the Pod's one container as a node would, with what podman has for each thing that it says. Its ports are
    /// at these addresses, each by its name.
    async fn start(&self, space: &Space, pod: &Value, addresses: &[(&str, &str)]) -> Container {
        let secrets = self.secrets(space, pod).await;
        let container = &pod["containers"][0];
        let flags = self.flags(space, pod, &secrets);
        let arguments = container["args"].as_array().unwrap().iter().map(|argument| {
            addresses.iter().fold(text(argument).to_owned(), |argument, (name, address)| {
                argument.replace(&format!("=:{}", port(container, name)), &format!("={address}"))
            })
        });
        let arguments: Vec<_> = arguments.collect();
        Container::run(space, |podman: &mut Command| {
            podman
                .args(flags)
                .args(["--ulimit=nofile=1024:1024", "--ulimit=nproc=1000:1000"])
                .arg(text(&container["image"]))
                .args(arguments);
        })
    }

    /// What is in the Secrets that the Pod names.
    async fn secrets(
        &self,
        space: &Space,
        pod: &Value,
    ) -> BTreeMap<String, BTreeMap<String, Vec<u8>>> {
        let api = Api::<Secret>::namespaced(space.client.clone(), self.namespace);
        let volumes = pod["volumes"].as_array().into_iter().flatten();
        let mounted = volumes.filter_map(|volume| volume["secret"]["secretName"].as_str());
        let variables = pod["containers"][0]["env"].as_array().into_iter().flatten();
        let named = variables.filter_map(|one| one["valueFrom"]["secretKeyRef"]["name"].as_str());
        let mut secrets = BTreeMap::new();
        for name in mounted.chain(named) {
            let data = api.get(name).await.unwrap().data.unwrap();
            let data = data.into_iter().map(|(key, value)| (key, value.0)).collect();
            secrets.insert(name.to_owned(), data);
        }
        secrets
    }

    fn flags(
        &self,
        space: &Space,
        pod: &Value,
        secrets: &BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    ) -> Vec<String> {
        let container = &pod["containers"][0];
        let folder = space.folder();
        let mut flags = vec!["--read-only-tmpfs=false".to_owned()];
        flags.push(format!(
            "--user={}:{}",
            pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]
        ));
        let security = &container["securityContext"];
        if security["readOnlyRootFilesystem"] == true {
            flags.push("--read-only".into());
        }
        if security["allowPrivilegeEscalation"] == false {
            flags.push("--security-opt=no-new-privileges".into());
        }
        for capability in security["capabilities"]["drop"].as_array().unwrap() {
            flags.push(format!("--cap-drop={}", text(capability).to_lowercase()));
        }
        for variable in container["env"].as_array().into_iter().flatten() {
            let from = &variable["valueFrom"];
            let value = if from["fieldRef"]["fieldPath"] == "metadata.namespace" {
                self.namespace
            } else if from["secretKeyRef"].is_object() {
                let from = &from["secretKeyRef"];
                str::from_utf8(&secrets[text(&from["name"])][text(&from["key"])]).unwrap()
            } else {
                assert!(from.is_null(), "there is no {from} here");
                text(&variable["value"])
            };
            flags.push(format!("--env={}={value}", text(&variable["name"])));
        }
        for mount in container["volumeMounts"].as_array().into_iter().flatten() {
            let path = text(&mount["mountPath"]);
            let volumes = pod["volumes"].as_array().unwrap();
            let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]).unwrap();
            flags.push(
                match volume.as_object().unwrap().keys().find(|key| *key != "name").unwrap() {
                    claim if claim == "persistentVolumeClaim" => format!("--volume={path}"),
                    empty if empty == "emptyDir" => format!("--tmpfs={path}"),
                    secret if secret == "secret" => {
                        let name = text(&volume["secret"]["secretName"]);
                        let mounted = folder.join(name);
                        // As Kubernetes does unless the Pod says otherwise.
                        let mode = volume["secret"]["defaultMode"].as_u64().unwrap_or(0o644);
                        fs::create_dir_all(&mounted).unwrap();
                        for (key, value) in &secrets[name] {
                            let file = mounted.join(key);
                            fs::write(&file, value).unwrap();
                            let mode = fs::Permissions::from_mode(mode.try_into().unwrap());
                            fs::set_permissions(&file, mode).unwrap();
                        }
                        assert_eq!(mount["readOnly"], true, "{mount}");
                        format!("--volume={}:{path}:ro", mounted.display())
                    }
                    other => panic!("there is no {other} here"),
                },
            );
        }
        if pod["automountServiceAccountToken"] == true {
            let account = folder.join("account");
            let server = make_account(self.kubeconfig, self.namespace, &account);
            flags.push(format!("--volume={}:{ACCOUNT}:ro", account.display()));
            let (host, port) = server.rsplit_once(':').unwrap();
            flags.push(format!("--env=KUBERNETES_SERVICE_HOST={host}"));
            flags.push(format!("--env=KUBERNETES_SERVICE_PORT={port}"));
        }
        flags
    }
}

/// Writes what a node mounts, and answers where the API server is.
fn make_account(kubeconfig: &Path, namespace: &str, folder: &Path) -> String {
    let file = format!("--kubeconfig={}", kubeconfig.display());
    let of = |path: &str| {
        let output = format!("jsonpath={{{path}}}");
        run("kubectl", &["config", "view", "--raw", "--minify", &file, "-o", &output])
    };
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("token"), of(".users[0].user.token")).unwrap();
    fs::write(folder.join("namespace"), namespace).unwrap();
    let authority = of(".clusters[0].cluster.certificate-authority-data");
    fs::write(folder.join("ca.crt"), decode(&authority)).unwrap();
    of(".clusters[0].cluster.server").trim_start_matches("https://").to_owned()
}

fn decode(base64: &str) -> Vec<u8> {
    let secret = json!({"": base64});
    let bytes: std::collections::BTreeMap<String, k8s_openapi::ByteString> =
        serde_json::from_value(secret).unwrap();
    bytes.into_values().next().unwrap().0
}

/// The number of a port of the container.
fn port(container: &Value, name: &str) -> u64 {
    let ports = container["ports"].as_array().unwrap();
    ports.iter().find(|port| port["name"] == name).unwrap()["containerPort"].as_u64().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn is_ok(server: &Server, path: &str) -> bool {
    server.get(path).is_some_and(|(head, _)| head.starts_with("HTTP/1.1 200"))
}
