//! Passwords are nowhere but in their Secrets, and their hashes nowhere but in the store: not in the log at
//! any level, nor in anything else that the operator writes or answers. So it is with private keys, too:
//! `keystore/canary.rs`.

mod life;
mod search;

use std::{collections::BTreeSet, fs};

use k8s_openapi::api::{
    core::v1::{ConfigMap, Event as CoreEvent, Secret},
    events::v1::Event,
};
use keyreeve::api::{Namespace, Role, Tenant, TenantProfile, User};
use kube::{Api, Resource, ResourceExt, api::ListParams, core::NamespaceResourceScope};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::support::{
    Conditions, Database, Dice, Operator, Server, Space, Traces, eventually, run,
};

/// What is looked for, and what was found to look through.
struct Canary {
    space: Space,
    database: Database,
    dice: Dice,
    /// Passwords and other bytes that Secrets held.
    secret: BTreeSet<Vec<u8>>,
    /// Hashes that the store had.
    hashes: BTreeSet<String>,
    /// What was told, by where it is from.
    told: Vec<(String, Vec<u8>)>,
}

impl Canary {
    /// A password that is nothing else by chance; the same in each run.
    fn password(&mut self, length: usize) -> String {
        const LETTERS: &[u8] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
        let mut letter =
            || LETTERS[usize::try_from(self.dice.below(LETTERS.len() as u64)).unwrap()];
        let password: Vec<u8> = (0..length).map(|_| letter()).collect();
        self.secret.insert(password.clone());
        String::from_utf8(password).unwrap()
    }

    /// Puts what is to be a password into the Secret of a user.
    async fn put(&mut self, user: &str, content: &[u8]) {
        use base64::Engine as _;
        self.secret.insert(content.to_vec());
        let encoded = base64::prelude::BASE64_STANDARD.encode(content);
        self.space.edit_secret(user, json!({"data": {"password": encoded}})).await;
    }

    /// Collects what there is now.
    async fn look(&mut self) {
        let hashes = "SELECT hash FROM v1_credentials UNION SELECT hash FROM v1_former_passwords \
                      UNION SELECT memo ->> '$.user.password.fingerprint' FROM users WHERE memo LIKE '%fingerprint%'";
        let hashes = self.database.texts(hashes).await;
        self.hashes.extend(hashes);
        let space = &self.space;
        let mut told = vec![
            listed::<Tenant>(space).await,
            listed::<TenantProfile>(space).await,
            listed::<Namespace>(space).await,
            listed::<Role>(space).await,
            listed::<User>(space).await,
            listed::<ConfigMap>(space).await,
            listed::<Event>(space).await,
            listed::<CoreEvent>(space).await,
        ];
        let secrets = space.secrets().list(&ListParams::default()).await.unwrap();
        for secret in secrets {
            let whole = json!(secret).to_string().into_bytes();
            let is_own =
                ["ada", "bcrypt", "made"].iter().any(|own| secret.name_any().starts_with(own));
            // Of a Secret that has a password, all but the data.
            let text = if is_own { json!(secret.metadata).to_string().into_bytes() } else { whole };
            told.push((format!("the Secret {}", secret.name_any()), text));
        }
        self.told.append(&mut told);
    }

    /// Waits until the password in the Secret of a user is that of the store, and looks around.
    async fn is_set(&mut self, user: &str) {
        let (database, known) = (&mut self.database, &self.hashes);
        let of_user = format!("{user} ");
        eventually("the password is set", async || {
            let hashes = database.texts("SELECT username || ' ' || hash FROM v1_credentials").await;
            let mut hashes = hashes.iter().filter_map(|hash| hash.strip_prefix(&of_user));
            hashes.any(|hash| !known.contains(hash))
        })
        .await;
        self.space.well::<User>(user).await;
        self.look().await;
    }

    /// Waits until the User is stalled with this in its message, and looks around.
    async fn is_rejected(&mut self, user: &str, says: &str) {
        let rejected =
            |user: &User| user.is_stalled("PasswordRejected") && user.message().contains(says);
        self.space.see::<User>(user, says, rejected).await;
        self.look().await;
    }
}

async fn listed<K>(space: &Space) -> (String, Vec<u8>)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + Serialize
        + DeserializeOwned,
{
    let list = space.api::<K>().list(&ListParams::default()).await.unwrap();
    (K::plural(&()).into_owned(), json!(list.items).to_string().into_bytes())
}

#[tokio::test]
async fn no_password_and_no_hash_is_in_anything_that_is_told_with_a_log_in_text() {
    no_password_is_told("text").await;
}

#[tokio::test]
async fn no_password_and_no_hash_is_in_anything_that_is_told_with_a_log_in_json() {
    no_password_is_told("json").await;
}

async fn no_password_is_told(format: &str) {
    let space = Space::new(&format!("pw-canary-{format}")).await;
    let (metrics, health, namespace) = (Server::new(), Server::new(), space.namespace.clone());
    let store = format!("sqlite:{}", space.store_file().display());
    let arguments = [
        ["--watch-namespace", &namespace],
        ["--store", &store],
        ["--metrics-bind-address", &metrics.address],
        ["--health-probe-bind-address", &health.address],
        ["--log-format", format],
        ["--log-level", "trace"],
    ];
    let arguments = arguments.concat();
    let database = space.new_store().await;
    let mut canary = Canary {
        space,
        database,
        dice: Dice(0x5eed_cafe),
        secret: BTreeSet::new(),
        hashes: BTreeSet::new(),
        told: Vec::new(),
    };
    let operator = Operator::start_as(&canary.space, &canary.space.operator_kubeconfig, &arguments);
    let policy = json!({"history": 2, "min": 30, "max": 100});
    for (tenant, function) in [("acme", "argon2"), ("old", "bcrypt")] {
        let settings = json!({"hashFunction": function, "policies": {"password": policy}});
        canary.space.made_tenant(tenant, json!({"settings": settings})).await;
    }
    life::live(&mut canary).await;
    let process = format!("/proc/{}", operator.id());
    for of_process in ["cmdline", "environ"] {
        let text = fs::read(format!("{process}/{of_process}")).unwrap();
        canary.told.push((of_process.into(), text));
    }
    for path in ["/metrics", "/healthz", "/readyz"] {
        let server = if path == "/metrics" { &metrics } else { &health };
        canary.told.push((path.into(), server.get(path).unwrap().1.into_bytes()));
    }
    assert!(operator.stop().await.success());
    // It knows what it set before.
    let operator = Operator::start_as(&canary.space, &canary.space.operator_kubeconfig, &arguments);
    canary.space.look_again::<User>("ada").await;
    for user in ["ada", "bcrypt", "made"] {
        canary.space.remove::<User>(user).await;
        canary.space.event(user, "Normal Removed").await;
    }
    canary.look().await;
    assert!(operator.stop().await.success());
    let log = fs::read(canary.space.folder().join("operator.log")).unwrap();
    canary.told.push(("the log".into(), log));
    search::nothing_is_found(&canary);
}

/// The key of the fingerprints is in its Secret alone; with it and the store's fingerprints passwords can be tried.
#[tokio::test]
async fn the_key_of_the_fingerprints_is_in_its_own_secret_alone() {
    let space = Space::new("pw-canary-key").await;
    let system = space.another_for_keystores("system").await;
    let metrics = Server::new();
    let store = format!("sqlite:{}", space.store_file().display());
    let arguments = [
        ["--watch-namespace", &space.namespace],
        ["--operator-namespace", &system],
        ["--store", &store],
        ["--metrics-bind-address", &metrics.address],
        ["--health-probe-bind-address", "0"],
        ["--log-level", "trace"],
    ];
    let operator = Operator::start_as(&space, &space.operator_kubeconfig, &arguments.concat());
    space.made_tenant("acme", json!({})).await;
    space.made::<User>("made", json!({"password": {"generate": {}}})).await;
    let key = Api::<Secret>::namespaced(space.client.clone(), &system);
    let key = key.get("keyreeve-fingerprint").await.unwrap().data.unwrap().remove("key").unwrap().0;
    let mut traces = Traces::default();
    traces.look_for("the key", &key);
    let mut told = vec![
        ("metrics".into(), metrics.get("/metrics").unwrap().1.into_bytes()),
        listed::<User>(&space).await,
        listed::<Event>(&space).await,
        listed::<Secret>(&space).await,
    ];
    assert!(operator.stop().await.success());
    for file in fs::read_dir(space.folder()).unwrap().map(|file| file.unwrap().path()) {
        if file.is_file() {
            told.push((file.display().to_string(), fs::read(&file).unwrap()));
        }
    }
    assert!(told.iter().any(|(from, _)| from.contains("operator.log")));
    for (from, text) in &told {
        if let Some(found) = traces.find(text) {
            panic!("{from} has {found}");
        }
    }
    let secret = run(
        "kubectl",
        &["get", "secret", "--namespace", &system, "-o", "yaml", "keyreeve-fingerprint"],
    );
    assert!(traces.find(secret.as_bytes()).is_some());
}
