//! Private keys are nowhere but in their Secret: not in the log at any level, nor in anything else
//! that the operator writes or answers.

use std::{collections::BTreeMap, fs};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use k8s_openapi::api::events::v1::Event;
use keyreeve::api::{KeyState, Tenant};
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::support::{
    Conditions, Keys, Keystore, Operator, Server, Space, Traces, eventually, hex,
};

const ALGORITHMS: [&str; 4] = ["RS256", "ES256", "ES384", "EdDSA"];

/// What was collected, by where it is from.
type Collected = Vec<(String, Vec<u8>)>;

#[tokio::test]
async fn no_private_key_is_in_anything_that_is_told_with_a_log_in_text() {
    no_private_key_is_in_anything_that_is_told("text").await;
}

#[tokio::test]
async fn no_private_key_is_in_anything_that_is_told_with_a_log_in_json() {
    no_private_key_is_in_anything_that_is_told("json").await;
}

async fn no_private_key_is_in_anything_that_is_told(format: &str) {
    let space = Space::new(&format!("canary-{format}")).await;
    let (metrics, health) = (Server::new(), Server::new());
    let store = format!("sqlite:{}", space.store_file().display());
    let arguments = [
        ["--watch-namespace", &space.namespace],
        ["--store", &store],
        ["--metrics-bind-address", &metrics.address],
        ["--health-probe-bind-address", &health.address],
        ["--log-format", format],
        ["--log-level", "trace"],
    ];
    let arguments = arguments.concat();
    let operator = Operator::start_as(&space, &space.operator_kubeconfig, &arguments);
    let (mut keys, mut told) = (BTreeMap::new(), Collected::new());
    for algorithm in ALGORITHMS {
        live(&space, algorithm, &mut keys, &mut told).await;
    }
    assert!(keys.len() >= 3 * ALGORITHMS.len(), "{:?}", keys.keys());

    // A second one cannot have the store.
    let mut refused = Operator::start_as(&space, &space.operator_kubeconfig, &arguments);
    assert!(!refused.ended().await.success());
    for path in ["/metrics", "/healthz", "/readyz"] {
        let server = if path == "/metrics" { &metrics } else { &health };
        told.push((path.into(), server.get(path).unwrap().1.into_bytes()));
    }
    for algorithm in ALGORITHMS {
        space.delete(&algorithm.to_lowercase()).await;
        space.gone(&algorithm.to_lowercase()).await;
        // What it had is gone, so that what is told of the deletion is there.
        space.event(&algorithm.to_lowercase(), "Normal Removed").await;
    }
    tenants_and_store(&space, &mut told).await;
    assert!(operator.stop().await.success());
    let events = space.api::<Event>().list(&ListParams::default()).await.unwrap();
    told.push(("events".into(), json!(events.items).to_string().into_bytes()));
    told.push(("the log".into(), fs::read(space.folder().join("operator.log")).unwrap()));

    let traces = Traces::of(&keys);
    for (from, text) in &told {
        if let Some(found) = traces.find(text) {
            panic!("{from} has {found}");
        }
    }
    // And it is all of what is meant: the log is that of every level, the events are there.
    let text = |wanted: &str| {
        let (_, text) = told.iter().find(|(from, _)| from == wanted).unwrap();
        String::from_utf8_lossy(text)
    };
    assert!(text("the log").contains("TRACE"));
    for reason in ["KeyPublished", "KeyRotated", "KeyRevoked", "KeystoreDamaged"] {
        assert!(text("events").contains(reason), "{reason}");
    }
}

/// Goes through a tenant's life, and collects on the way.
async fn live(
    space: &Space,
    algorithm: &str,
    keys: &mut BTreeMap<String, String>,
    told: &mut Collected,
) {
    let name = &algorithm.to_lowercase();
    let spec = json!({"deletionPolicy": "Delete", "keystore": {"algorithm": algorithm}});
    space.create::<Tenant>(name, spec).await;
    let first = space.ready(name).await.active();
    keys.extend(space.keystore(name).await.pems());
    space.rotate(name, "now").await;
    let published = |tenant: &Tenant| !tenant.kids(KeyState::Standby).is_empty();
    space.tenant(name, "publishing", published).await;
    keys.extend(space.keystore(name).await.pems());
    tenants_and_store(space, told).await;
    space.revoke(name, &[&first]).await;
    let revoked = |tenant: &Tenant| tenant.has(&first, KeyState::Revoked);
    space.tenant(name, "rid of its key", revoked).await;
    space.rotate(name, "again").await;
    space.tenant(name, "publishing", published).await;
    let whole = space.keystore(name).await;
    keys.extend(whole.pems());

    for (entry, text) in damages(&whole) {
        space.edit_keystore(name, &[(&entry, Some(&text))]).await;
        let damaged = |tenant: &Tenant| tenant.is_stalled("KeystoreDamaged");
        space.tenant(name, "Stalled", damaged).await;
        tenants_and_store(space, told).await;
        let original = whole.0.data.as_ref().unwrap().contains_key(&entry);
        let original = original.then(|| whole.text(&entry));
        space.edit_keystore(name, &[(&entry, original.as_deref())]).await;
        space.ready(name).await;
    }
    space.lose_keystore(name).await;
    let missing = |tenant: &Tenant| tenant.is_reconciling("KeystoreMissing");
    space.tenant(name, "waiting for its keystore", missing).await;
    tenants_and_store(space, told).await;
    space.plant(&whole.backup()).await;
    space.ready(name).await;
}

/// Keystores with key material where none should be: the entry that is wrong, and what it holds.
fn damages(whole: &Keystore) -> Vec<(String, String)> {
    let (active, ledger) = (whole.active(), whole.ledger());
    let pem = whole.text(&format!("{active}.pem"));
    let entry = format!("{active}.pem");
    let mut damages = vec![
        ("keys.json".into(), pem.clone()),
        ("keys.json".into(), json!({"keys": pem}).to_string()),
        ("active".into(), pem.clone()),
        ("extra".into(), pem.clone()),
        (entry.clone(), pem[..pem.len() / 2].to_owned()),
        (entry.clone(), pem.replace("PRIVATE", "RSA PRIVATE")),
        (entry, format!("garbage {}", pem.replace('\n', ""))),
    ];
    // As a member of the public JWK, be it one that keys of this type do not have.
    // A line that holds something of the private numbers, in each type of key.
    let line = pem.lines().nth(pem.lines().count() / 3).unwrap();
    let secret = URL_SAFE_NO_PAD.encode(line);
    for member in ["n", "e", "y", "crv", "alg", "use", "kid", "kty"] {
        let mut ledger = ledger.clone();
        for key in ledger["keys"].as_array_mut().unwrap() {
            key["key"][member] = Value::from(secret.as_str());
        }
        damages.push(("keys.json".into(), ledger.to_string()));
    }
    damages
}

async fn tenants_and_store(space: &Space, told: &mut Collected) {
    let tenants = space.tenants().list(&ListParams::default()).await.unwrap();
    told.push(("tenants".into(), json!(tenants.items).to_string().into_bytes()));
    let folder = fs::read_dir(space.folder()).unwrap();
    for file in folder.map(|file| file.unwrap().path()) {
        if file.to_string_lossy().contains("store.db") {
            told.push((file.display().to_string(), fs::read(&file).unwrap_or_default()));
        }
    }
}

#[tokio::test]
async fn the_search_finds_keys_in_every_form() {
    let space = Space::new("canary-search").await;
    let _operator = Operator::start(&space);
    for algorithm in ALGORITHMS {
        let name = &algorithm.to_lowercase();
        space.create::<Tenant>(name, json!({"keystore": {"algorithm": algorithm}})).await;
        let tenant = space.ready(name).await;
        let keystore = space.keystore(name).await;
        let traces = Traces::of(&keystore.pems());
        let pem = keystore.pems().into_values().next().unwrap();
        let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = base64::engine::general_purpose::STANDARD.decode(der).unwrap();
        for (form, text) in [
            ("PEM", pem.clone()),
            ("PEM in JSON", json!({"stringData": pem}).to_string()),
            ("a Secret", json!(keystore.0).to_string()),
            ("bytes", format!("{:?}", pem.as_bytes())),
            ("DER", format!("{der:?}")),
            ("DER in base64url", URL_SAFE_NO_PAD.encode(&der)),
            ("DER in hex", hex(&der)),
            ("DER in upper-case hex", hex(&der).to_uppercase()),
        ] {
            assert!(traces.find(text.as_bytes()).is_some(), "{algorithm} {form}");
        }
        assert!(traces.find(&der).is_some(), "{algorithm} raw");

        // What is public is found where it is, and is no trace of the private half.
        let status = json!(tenant.status).to_string();
        assert_eq!(traces.find(status.as_bytes()), None);
        let jwk = &tenant.status.as_ref().unwrap().keystore[0].key;
        let public = jwk.n.as_ref().or(jwk.x.as_ref()).unwrap();
        let mut traces = Traces::default();
        traces.look_for("the public half", &URL_SAFE_NO_PAD.decode(public).unwrap());
        assert!(traces.find(status.as_bytes()).is_some(), "{algorithm} public");
    }
    eventually("the store has the public half", async || {
        let tenants = space.database().await.tenants().await;
        tenants.len() == ALGORITHMS.len()
    })
    .await;
}
