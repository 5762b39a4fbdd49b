//! The Pod that the chart renders, run as it is by podman: image, user, root, arguments, environment, mounts and probes.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use keyreeve::api::Tenant;
use serde_json::{Value, json};

use crate::{
    image::{Container, image, podman},
    support::{Server, Space, eventually, objects, run},
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
    let running = start(&space, &pod, &|argument: &str| {
        servers.iter().fold(argument.to_owned(), |argument, (name, server)| {
            argument
                .replace(&format!("=:{}", port(container, name)), &format!("={}", server.address))
        })
    });

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

/// Starts the Pod's one container as a node would, with what podman has for each thing that it says.
fn start(space: &Space, pod: &Value, argument: &dyn Fn(&str) -> String) -> Container {
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
    for variable in container["env"].as_array().unwrap() {
        let value = match variable.pointer("/valueFrom/fieldRef/fieldPath") {
            Some(field) if field == "metadata.namespace" => "keyreeve-system",
            Some(other) => panic!("there is no {other} here"),
            None => text(&variable["value"]),
        };
        flags.push(format!("--env={}={value}", text(&variable["name"])));
    }
    for mount in container["volumeMounts"].as_array().unwrap() {
        let path = text(&mount["mountPath"]);
        let volumes = pod["volumes"].as_array().unwrap();
        let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]).unwrap();
        flags.push(match volume.as_object().unwrap().keys().find(|key| *key != "name").unwrap() {
            claim if claim == "persistentVolumeClaim" => format!("--volume={path}"),
            empty if empty == "emptyDir" => format!("--tmpfs={path}"),
            other => panic!("there is no {other} here"),
        });
    }
    if pod["automountServiceAccountToken"] == true {
        let account = folder.join("account");
        let server = make_account(&space.operator_kubeconfig, &account);
        flags.push(format!("--volume={}:{ACCOUNT}:ro", account.display()));
        let (host, port) = server.rsplit_once(':').unwrap();
        flags.push(format!("--env=KUBERNETES_SERVICE_HOST={host}"));
        flags.push(format!("--env=KUBERNETES_SERVICE_PORT={port}"));
    }
    let arguments = container["args"].as_array().unwrap().iter();
    let arguments: Vec<_> = arguments.map(|one| argument(text(one))).collect();
    Container::run(space, |podman: &mut Command| {
        podman
            .args(flags)
            .args(["--ulimit=nofile=1024:1024", "--ulimit=nproc=1000:1000"])
            .arg(text(&container["image"]))
            .args(arguments);
    })
}

/// Writes what a node mounts, and answers where the API server is.
fn make_account(kubeconfig: &Path, folder: &Path) -> String {
    let file = format!("--kubeconfig={}", kubeconfig.display());
    let of = |path: &str| {
        let output = format!("jsonpath={{{path}}}");
        run("kubectl", &["config", "view", "--raw", "--minify", &file, "-o", &output])
    };
    fs::create_dir(folder).unwrap();
    fs::write(folder.join("token"), of(".users[0].user.token")).unwrap();
    fs::write(folder.join("namespace"), "keyreeve-system").unwrap();
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
