//! `keyreeve jwks`, and what docs/keys.md gives in its place: the public keys for whoever verifies tokens.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use keyreeve::api::{KeyState, Tenant};
use serde_json::{Value, json};

use crate::support::{Conditions, Keys, Operator, Space, run, setting};

const DOC: &str = include_str!("../../docs/keys.md");

#[tokio::test]
async fn the_jwks_is_what_status_publishes_and_what_the_documented_commands_print() {
    let space = Space::new("jwks").await;
    let _operator = Operator::start(&space);
    let reader = Reader::of(&space);
    space.create::<Tenant>("acme", json!({"keystore": {"algorithm": "ES256"}})).await;
    let tenant = space.ready("acme").await;
    assert_eq!(reader.jwks(), published(&tenant, &[KeyState::Active]));

    space.rotate("acme", "now").await;
    let rotates = |tenant: &Tenant| !tenant.kids(KeyState::Standby).is_empty();
    let tenant = space.tenant("acme", "rotating", rotates).await;
    let (active, standby) = (tenant.active(), tenant.kids(KeyState::Standby).remove(0));
    assert_eq!(reader.jwks(), published(&tenant, &[KeyState::Active, KeyState::Standby]));
    assert_eq!(reader.documented("the JWKS"), reader.jwks());
    assert_eq!(reader.documented("the kid that signs"), json!([active]));
    let all = [format!("{active} Active"), format!("{standby} Standby")];
    assert_eq!(reader.documented("all kids"), json!(all));

    // Somebody who has nothing but the PEM verifies what somebody signed who has the Secret.
    let token = sign(&space.keystore("acme").await.pems()[&active]);
    assert!(verifies(&token, &reader.keyreeve(&["acme", "--pem", &active]).unwrap()));
    assert!(!verifies(&token, &reader.keyreeve(&["acme", "--pem", &standby]).unwrap()));

    space.revoke("acme", &[&active]).await;
    let tenant = space.tenant("acme", "revoked", |tenant| tenant.has(&active, KeyState::Revoked));
    let tenant = tenant.await;
    assert_eq!(tenant.active(), standby);
    assert_eq!(reader.jwks(), published(&tenant, &[KeyState::Active]));
    assert_eq!(reader.documented("the JWKS"), reader.jwks());
    let refused = reader.keyreeve(&["acme", "--pem", &active]).unwrap_err();
    assert!(refused.contains(&format!("has revoked the key {active}")), "{refused}");
}

#[tokio::test]
async fn what_cannot_be_printed_is_told_in_a_sentence() {
    let space = Space::new("jwks-none").await;
    let _operator = Operator::start(&space);
    let reader = Reader::of(&space);
    let namespace = space.namespace.as_str();
    space.create::<Tenant>("acme", json!({"keystore": {"algorithm": "ES256"}})).await;
    let active = space.ready("acme").await.active();
    space.create::<Tenant>("other", json!({"tenantId": "acme"})).await;
    space.tenant("other", "refused", |other| other.has_reason("Conflict")).await;
    for (arguments, says) in [
        (vec!["missing"], format!("there is no Tenant missing in the namespace {namespace}")),
        (vec!["acme", "--namespace", "default"], "you may not get Tenant acme".into()),
        (vec!["acme", "--pem", "none"], format!("has no key none: say one of {active}")),
        (vec!["other"], format!("Tenant other in the namespace {namespace} has no keys: ")),
    ] {
        let sentence = reader.keyreeve(&arguments).unwrap_err();
        assert!(sentence.contains(&says), "{arguments:?}: {sentence}");
    }
    let jwks = reader.keyreeve(&["acme", "-n", namespace]).unwrap();
    assert!(jwks.contains(&active), "{jwks}");
}

/// Somebody who may get Tenants in the test's namespace, and nothing else.
struct Reader {
    kubeconfig: PathBuf,
}

impl Reader {
    fn of(space: &Space) -> Self {
        let namespace = format!("--namespace={}", space.namespace);
        let account = format!("--serviceaccount={}:reader", space.namespace);
        let kubectl =
            |arguments: &[&str]| run("kubectl", &[&[namespace.as_str()], arguments].concat());
        kubectl(&["create", "serviceaccount", "reader"]);
        kubectl(&["create", "role", "reader", "--verb=get", "--resource=tenants.keyreeve.dev"]);
        kubectl(&["create", "rolebinding", "reader", "--role=reader", &account]);
        let token = format!("--token={}", kubectl(&["create", "token", "reader"]).trim());

        let kubeconfig = space.folder().join("reader.kubeconfig");
        fs::copy(setting("KEYREEVE_TEST_KUBECONFIG"), &kubeconfig).unwrap();
        let file = format!("--kubeconfig={}", kubeconfig.display());
        run("kubectl", &["config", &file, "set-credentials", "reader", &token]);
        let current = ["config", &file, "set-context", "--current", "--user=reader", &namespace];
        run("kubectl", &current);
        Self { kubeconfig }
    }

    /// What `keyreeve jwks` prints, or the sentence with which it refuses: one or the other.
    fn keyreeve(&self, arguments: &[&str]) -> Result<String, String> {
        let output = self
            .command(Path::new(env!("CARGO_BIN_EXE_keyreeve")))
            .arg("jwks")
            .args(arguments)
            .output();
        let output = output.unwrap();
        let [out, error] =
            [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        if output.status.success() {
            assert_eq!(error, "");
            return Ok(out);
        }
        assert_eq!(out, "");
        assert!(error.starts_with("keyreeve: ") && error.lines().count() == 1, "{error}");
        Err(error)
    }

    fn jwks(&self) -> Value {
        serde_json::from_str(&self.keyreeve(&["acme"]).unwrap()).unwrap()
    }

    /// What the command prints that docs/keys.md gives for this, with the lines gathered as `jq -s` does.
    fn documented(&self, what: &str) -> Value {
        let line = DOC.lines().find(|line| line.ends_with(&format!("# {what}"))).unwrap().trim();
        let (command, gathered) = line
            .split_once(" | jq -s '{keys: .}'")
            .map_or((line, false), |(command, _)| (command, true));
        let output = self.command(Path::new("bash")).args(["-c", command]).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {error}");
        let text = String::from_utf8(output.stdout).unwrap();
        if gathered {
            let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            json!({"keys": lines.collect::<Vec<_>>()})
        } else {
            json!(text.lines().collect::<Vec<_>>())
        }
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env("KUBECONFIG", &self.kubeconfig);
        command
    }
}

/// The JWKS of the keys in these states, in this order.
fn published(tenant: &Tenant, states: &[KeyState]) -> Value {
    let keys = &tenant.status.as_ref().unwrap().keystore;
    let of = |state: KeyState| keys.iter().filter(move |key| key.state == state);
    json!({"keys": states.iter().copied().flat_map(of).map(|key| &key.key).collect::<Vec<_>>()})
}

fn sign(pem: &str) -> String {
    let key = EncodingKey::from_ec_pem(pem.as_bytes()).unwrap();
    jsonwebtoken::encode(&Header::new(Algorithm::ES256), &json!({"sub": "jane"}), &key).unwrap()
}

fn verifies(token: &str, pem: &str) -> bool {
    let mut rules = Validation::new(Algorithm::ES256);
    rules.required_spec_claims.clear();
    let key = DecodingKey::from_ec_pem(pem.as_bytes()).unwrap();
    jsonwebtoken::decode::<Value>(token, &key, &rules).is_ok()
}
