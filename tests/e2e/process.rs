//! The process: how it refuses to start, how it stops, and what it tells meanwhile.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use k8s_openapi::api::{authentication::v1::TokenRequest, core::v1::ServiceAccount};
use keyreeve::api::Tenant;
use kube::api::{ListParams, PostParams};
use serde_json::{Value, json};

use crate::support::{Conditions, Operator, Server, Space, eventually, setting};

/// Kubernetes kills it so long after it told it to stop.
const KILLED_AFTER: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_store_that_cannot_be_used_is_refused_in_a_sentence() {
    let space = Space::new("bad-store").await;
    let store = |file: &Path| format!("sqlite:{}", file.display());
    let folder = space.folder();
    let garbage = folder.join("garbage.db");
    fs::write(&garbage, "This is no database. ".repeat(1000)).unwrap();
    let operator = Operator::start(&space);
    operator.works().await;
    for (store, says) in [
        (store(&folder.join("missing/keyreeve.db")), "Make the folder"),
        (store(&folder), "Name a file in it"),
        (store(&garbage), "not a SQLite database"),
        (store(&space.store_file()), "in use by another process"),
    ] {
        let sentence = refusal(&space, &["--store", &store]).await;
        assert!(sentence.contains(says), "{store}: {sentence}");
    }
    assert!(operator.stop().await.success());
    let newer =
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (999, 'of a later version', TRUE, x'00', 0)";
    space.database().await.execute(newer).await;
    let sentence = refusal(&space, &["--store", &store(&space.store_file())]).await;
    assert!(sentence.contains("written by a newer keyreeve (schema 999"), "{sentence}");
}

#[tokio::test]
async fn an_address_in_use_is_refused_in_a_sentence() {
    let space = Space::new("bad-address").await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    let store = format!("sqlite:{}", space.store_file().display());
    for flag in ["--metrics-bind-address", "--health-probe-bind-address"] {
        let sentence = refusal(&space, &["--store", &store, flag, &taken]).await;
        assert!(sentence.contains(&format!("cannot listen on {taken} ({flag})")), "{sentence}");
    }
}

#[tokio::test]
async fn a_cluster_that_cannot_be_used_is_refused_in_a_sentence() {
    let space = Space::new("bad-cluster").await;
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (kubeconfig, says) in [
        (of_server(&space, &format!("https://{closed}")), "cannot be reached"),
        (of_a_stranger(&space).await, "may not list tenants.keyreeve.dev"),
        (space.folder().join("missing.kubeconfig"), "no cluster is configured"),
    ] {
        let sentence = refusal_as(&space, &kubeconfig, &[]).await;
        assert!(sentence.contains(says), "{}: {sentence}", kubeconfig.display());
    }
}

#[tokio::test]
async fn flags_that_cannot_be_read_are_refused() {
    let space = Space::new("bad-flags").await;
    let sentence = refusal(&space, &["--log-level", "keyreeve=loud"]).await;
    assert!(sentence.contains("--log-level"), "{sentence}");
    for store in ["mysql://x", "postgres://me:secret@db/x"] {
        let sentence = refusal(&space, &["--store", store]).await;
        assert!(sentence.contains("--store") && !sentence.contains("secret"), "{sentence}");
    }
    for arguments in [
        ["--resync", "0s"],
        ["--resync", "soon"],
        ["--default-profile", "basic"],
        ["--adoptable", "[a"],
        ["--metrics-bind-address", "here"],
        ["--webhook-bind-address", "0"],
        ["--max-concurrent-reconciles", "0"],
        ["--no-such-flag", "1"],
    ] {
        let mut operator = Operator::start_plain(&space, &arguments);
        assert_eq!(operator.ended().await.code(), Some(2), "{arguments:?}");
        let log = operator.log();
        assert!(log.starts_with("error: ") && log.contains(arguments[0]), "{arguments:?}: {log}");
    }
}

#[tokio::test]
async fn told_to_stop_it_finishes_what_is_under_way() {
    let space = Space::new("stop").await;
    let operator = Operator::start(&space);
    operator.works().await;
    for number in 0..30 {
        space.create::<Tenant>(&format!("tenant-{number}"), json!({})).await;
    }
    space.tenant("tenant-0", "Ready", Conditions::is_ready).await;
    let asked = Instant::now();
    assert!(operator.stop().await.success());
    assert!(asked.elapsed() < KILLED_AFTER);
    let tenants = space.tenants().list(&ListParams::default()).await.unwrap().items;
    let ready = tenants.iter().filter(|tenant| tenant.is_ready()).count();
    let rows = space.database().await.tenants().await.len();
    assert_eq!(rows, ready, "whatever reached the store is reported");
}

#[tokio::test]
async fn told_to_stop_while_the_api_server_is_silent_it_stops() {
    let space = Space::new("silent").await;
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let probes = Server::new();
    let operator = Operator::start_as(
        &space,
        &of_server(&space, &format!("http://{address}")),
        &["--metrics-bind-address", "0", "--health-probe-bind-address", &probes.address],
    );
    // It has asked, and gets no answer.
    let (_connection, _) =
        tokio::task::spawn_blocking(move || silent.accept().unwrap()).await.unwrap();
    // Kubernetes must not kill it for that.
    let answers = |path, code| {
        probes.get(path).is_some_and(|(head, _)| head.starts_with(&format!("HTTP/1.1 {code}")))
    };
    assert!(answers("/healthz", 200) && !answers("/readyz", 200));
    let asked = Instant::now();
    assert!(operator.stop().await.success());
    assert!(asked.elapsed() < KILLED_AFTER);
}

#[tokio::test]
async fn probes_and_metrics_are_answered() {
    let space = Space::new("telemetry").await;
    let (metrics, probes) = (Server::new(), Server::new());
    let _operator = Operator::start_with(
        &space,
        &[
            "--metrics-bind-address",
            &metrics.address,
            "--health-probe-bind-address",
            &probes.address,
        ],
    );
    for path in ["/healthz", "/readyz"] {
        eventually("the probe succeeds", async || {
            probes
                .get(path)
                .is_some_and(|(head, body)| head.starts_with("HTTP/1.1 200") && body == "ok")
        })
        .await;
    }
    space.create::<Tenant>("acme", json!({})).await;
    space.ready("acme").await;
    eventually("the reconcile is counted", async || {
        metrics.metric("controller_runtime_reconcile_total", "controller=\"tenant\"") >= 2.0
    })
    .await;
    let (head, body) = metrics.get("/metrics").unwrap();
    assert!(head.to_lowercase().contains("content-type: application/openmetrics-text"), "{head}");
    for name in [
        "controller_runtime_reconcile_time_seconds_bucket",
        "controller_runtime_reconcile_errors_total",
        "controller_runtime_active_workers",
        "workqueue_depth",
        "workqueue_adds_total",
        "keyreeve_store_call_time_seconds_count",
    ] {
        assert!(body.contains(&format!("\n{name}{{")), "{name} is not in {body}");
    }
    assert!(
        metrics.metric("keyreeve_store_calls_total", "operation=\"apply\",outcome=\"created\"")
            >= 1.0
    );
    assert!(body.ends_with("# EOF\n"));

    // A store that is away makes neither probe fail: no restart would mend it.
    let aside = space.folder().join("aside.db");
    fs::rename(space.store_file(), &aside).unwrap();
    let says = |tenant: &Tenant| tenant.is_reconciling("StoreUnavailable");
    space.tenant("acme", "saying that the store is away", says).await;
    are_well(&probes);
    fs::rename(&aside, space.store_file()).unwrap();
    space.ready("acme").await;
    are_well(&probes);
}

/// Both probes succeed at once.
fn are_well(probes: &Server) {
    for path in ["/healthz", "/readyz"] {
        let (head, body) = probes.get(path).unwrap();
        assert!(head.starts_with("HTTP/1.1 200") && body == "ok", "{path}: {head} {body}");
    }
}

#[tokio::test]
async fn logs_are_json_and_name_the_object() {
    let space = Space::new("logs").await;
    let operator = Operator::start_with(&space, &["--log-format", "json"]);
    space.create::<Tenant>("acme", json!({})).await;
    space.ready("acme").await;

    eventually("the reconcile is logged", async || operator.log().contains("Synced")).await;
    let log = operator.log();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let synced = lines.iter().find(|line| line["reason"] == "Synced").unwrap();
    let span = &synced["span"];
    assert_eq!(span["kind"], "Tenant");
    assert_eq!(span["namespace"], space.namespace.as_str());
    assert_eq!(span["object"], "acme", "{synced}");
    assert_eq!(synced["level"], "INFO");
}

/// The sentence with which the operator refuses to start.
async fn refusal(space: &Space, arguments: &[&str]) -> String {
    refusal_as(space, setting("KEYREEVE_TEST_OPERATOR_KUBECONFIG").as_ref(), arguments).await
}

async fn refusal_as(space: &Space, kubeconfig: &Path, arguments: &[&str]) -> String {
    let mut all = vec!["--watch-namespace", &space.namespace];
    for off in ["--metrics-bind-address", "--health-probe-bind-address"] {
        if !arguments.contains(&off) {
            all.extend([off, "0"]);
        }
    }
    all.extend(arguments);
    let began = Instant::now();
    let mut operator = Operator::start_as(space, kubeconfig, &all);
    let status = operator.ended().await;
    // Before it would give up on a cluster that does not answer.
    assert!(began.elapsed() < Duration::from_secs(30), "{arguments:?} took {:?}", began.elapsed());
    let log = operator.log();
    assert_eq!(status.code(), Some(1), "{arguments:?}: {log}");
    assert_eq!(log.lines().count(), 1, "{arguments:?}: {log}");
    assert!(log.starts_with("keyreeve: "), "{arguments:?}: {log}");
    log
}

/// A kubeconfig for this server, with no credentials.
fn of_server(space: &Space, server: &str) -> PathBuf {
    let path = space.folder().join("server.kubeconfig");
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": {"server": server}}],
        "users": [{"name": "it", "user": {}}],
    });
    fs::write(&path, config.to_string()).unwrap();
    path
}

/// A kubeconfig of a ServiceAccount without rights.
async fn of_a_stranger(space: &Space) -> PathBuf {
    let accounts = space.api::<ServiceAccount>();
    let account = serde_json::from_value(json!({"metadata": {"name": "stranger"}})).unwrap();
    accounts.create(&PostParams::default(), &account).await.unwrap();
    let request: TokenRequest = serde_json::from_value(json!({"spec": {"audiences": []}})).unwrap();
    let answer =
        accounts.create_token_request("stranger", &PostParams::default(), &request).await.unwrap();
    let token = answer.status.unwrap().token.unwrap();
    let operators = fs::read_to_string(setting("KEYREEVE_TEST_OPERATOR_KUBECONFIG")).unwrap();
    let (before, rest) = operators.split_once("{token: ").unwrap();
    let (_, after) = rest.split_once('}').unwrap();
    let path = space.folder().join("stranger.kubeconfig");
    fs::write(&path, format!("{before}{{token: {token}}}{after}")).unwrap();
    path
}
