//! docs/operations.md as it is written: backup, restore and a rebuilt cluster, on each SQL store. Private keys,
//! their kids and the ids of users are the same afterwards.

use std::{collections::BTreeMap, fs, path::Path};

use k8s_openapi::api::{
    authentication::v1::{TokenReview, TokenReviewSpec},
    core::v1::{Namespace as KubeNamespace, Secret},
};
use keyreeve::api::{KeyState, Role, Tenant, User};
use kube::{
    Api,
    api::{DeleteParams, ListParams, PostParams},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::reader::Reader;
use crate::support::{
    CHART, Cluster, Conditions, Database, Keys, Keystore, Member, Node, Postgres, Space,
    eventually, named, run, until_gone,
};

const PAGE: &str = "docs/operations.md";
/// Where the chart is installed.
const RELEASE: &str = "keyreeve-system";
/// Where it keeps the keystores.
const KEYSTORES: &str = "keyreeve-keystores";
/// What ada chose herself, in the place of what her Secret says.
const CHOSEN: &str = "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$chosen-by-ada";

/// A cluster with a node for the operator, and the team's namespace on it.
struct Site {
    node: Node,
    team: Space,
    // Dropped last: the node talks to it.
    cluster: Cluster,
}

impl Site {
    /// A new cluster, at which the reader works from now on.
    async fn new(reader: &mut Reader, folder: &Path) -> Self {
        let cluster = Cluster::bare().await;
        let folder = TempDir::new_in(folder).unwrap().keep();
        let node = Node::start(&cluster.kubeconfig(), RELEASE, &folder);
        let file = cluster.kubeconfig();
        let kubeconfig = file.to_str().unwrap();
        // Commands that name no namespace are about the team's.
        let current = ["config", "set-context", "--current", "--namespace=team-a", "--kubeconfig"];
        run("kubectl", &[&current[..], &[kubeconfig]].concat());
        reader.sets("KUBECONFIG", kubeconfig);
        reader.sets("CLAIM", node.claim("keyreeve").to_str().unwrap());
        reader.sets("KEYSTORES", KEYSTORES);
        let team = cluster.space_in("team-a").await;
        Self { node, team, cluster }
    }

    /// A server with a database for the operator, of which the reader knows from now on.
    async fn postgres(&self, reader: &mut Reader) -> Postgres {
        let postgres = Postgres::start(&self.team).await;
        for (name, value) in postgres.environment() {
            reader.sets(name, &value);
        }
        postgres
    }

    /// Changes values of the release, as those who install it choose them.
    fn has_values(&self, values: &[&str]) {
        let file = format!("--kubeconfig={}", self.cluster.kubeconfig().display());
        let mut helm = vec!["upgrade", "keyreeve", CHART, "--reset-then-reuse-values", &file];
        helm.extend(["--namespace", RELEASE]);
        for value in values {
            helm.extend(["--set", value]);
        }
        run("helm", &helm);
        let rolled = ["rollout", "status", "deployment/keyreeve", "--timeout=5m", &file];
        run("kubectl", &[&rolled[..], &["--namespace", RELEASE]].concat());
    }

    fn keystores(&self) -> Api<Secret> {
        Api::namespaced(self.team.client.clone(), KEYSTORES)
    }

    async fn keystore(&self) -> Keystore {
        Keystore(self.keystores().get("keystore-acme").await.unwrap())
    }

    async fn database(&self) -> Database {
        Database::open(&self.node.claim("keyreeve").join("keyreeve.db")).await
    }

    /// The team's namespace.
    async fn make_namespace(&self) {
        let namespaces = Api::<KubeNamespace>::all(self.team.client.clone());
        let namespace = json!({"metadata": {"name": self.team.namespace, "labels": {"team": "a"}}});
        let namespace = serde_json::from_value(namespace);
        namespaces.create(&PostParams::default(), &namespace.unwrap()).await.unwrap();
    }

    /// Whether the team's namespace has the label that it was made with: grants may go by it.
    async fn knows_its_team(&self) -> bool {
        let namespaces = Api::<KubeNamespace>::all(self.team.client.clone());
        let namespace = namespaces.get(&self.team.namespace).await.unwrap();
        namespace
            .metadata
            .labels
            .is_some_and(|labels| labels.get("team").is_some_and(|it| it == "a"))
    }

    /// A tenant with people: ada, whose password a Secret says, and ben, whose password is made.
    async fn people(&self) {
        let team = &self.team;
        team.made_tenant("acme", json!({})).await;
        team.made::<Role>("clerk", json!({})).await;
        team.make_secret("ada", &[("password", b"correct horse battery")]).await;
        let ada = json!({
            "roles": named(&["clerk"]), "password": {"secretKeyRef": {"name": "ada"}}
        });
        team.made::<User>("ada", ada).await;
        team.made::<User>("ben", json!({"password": {"generate": {}}})).await;
    }

    /// Who has which id, and what tokens are signed with.
    async fn facts(&self) -> Facts {
        let users = self.team.api::<User>().list(&ListParams::default()).await.unwrap().items;
        let id = |user: User| (user.metadata.name.unwrap(), user.status.unwrap().id.unwrap());
        let keystore = self.keystore().await;
        let tenant = self.team.tenants().get("acme").await.unwrap();
        Facts {
            ids: users.into_iter().map(id).collect(),
            active: keystore.active(),
            keys: keystore.pems(),
            published: json!(tenant.status.unwrap().keystore),
        }
    }

    /// Waits until the operator has looked at all of it since it was started.
    async fn looked_at(&self) {
        self.team.resync("acme").await;
        self.team.ready("acme").await;
        self.team.look_again::<Role>("clerk").await;
        for user in ["ada", "ben"] {
            self.team.look_again::<User>(user).await;
            let user = self.team.well::<User>(user).await;
            assert!(user.is_ready() && user.is_told());
        }
    }

    /// Loses the keystores and the Secrets of passwords, as nobody should.
    async fn lose_secrets(&self) {
        self.keystores().delete("keystore-acme", &DeleteParams::default()).await.unwrap();
        until_gone(self.keystores(), "keystore-acme").await;
        self.team.secrets().delete("ada", &DeleteParams::default()).await.unwrap();
    }

    /// Whether the API server takes a token.
    async fn is_let_in(&self, token: &str) -> bool {
        let spec = TokenReviewSpec { token: token.into(), ..TokenReviewSpec::default() };
        let review = TokenReview { spec, ..TokenReview::default() };
        let reviews = Api::<TokenReview>::all(self.team.client.clone());
        let answer = reviews.create(&PostParams::default(), &review).await.unwrap();
        answer.status.and_then(|status| status.authenticated) == Some(true)
    }

    /// How often it was told of this, of anything in the team's namespace.
    async fn told(&self, reason: &str) -> usize {
        let mut told = 0;
        for name in ["acme", "clerk", "ada", "ben"] {
            let events = self.team.events(name).await;
            told += events.iter().filter(|event| event.contains(&format!(" {reason}: "))).count();
        }
        told
    }
}

/// What has to survive.
#[derive(Debug, PartialEq)]
struct Facts {
    ids: BTreeMap<String, String>,
    active: String,
    /// The private halves, by kid.
    keys: BTreeMap<String, String>,
    published: Value,
}

/// What other documents tell people to do on an ordinary day.
async fn everyday(site: &Site, reader: &Reader) {
    let (keys, troubleshooting) = ("docs/keys.md", "docs/troubleshooting.md");
    let read = reader.follows(troubleshooting, &["read"]);
    assert!(read.contains("user.keyreeve.dev/ada condition met"), "{read}");
    reader.follows(troubleshooting, &["look", "retain"]);
    let was_looked_at =
        |ada: &User| ada.last_handled().is_some_and(|handled| handled.reconcile.is_some());
    site.team.see("ada", "looked at", was_looked_at).await;

    let before = site.keystore().await;
    reader.follows(keys, &["backup-one"]);
    site.keystores().delete("keystore-acme", &DeleteParams::default()).await.unwrap();
    reader.follows(keys, &["restore-one"]);
    assert_eq!(site.keystore().await.pems(), before.pems());
    reader.follows(keys, &["rotate"]);
    let rotates = |tenant: &Tenant| !tenant.kids(KeyState::Standby).is_empty();
    let rotating = site.team.tenant("acme", "rotating", rotates).await;
    assert_eq!(rotating.active(), before.active());
}

const IDS: &str = "SELECT username || ' ' || id FROM v1_users ORDER BY 1";
const CHOOSE: &str = "UPDATE user_credentials SET hash = \
     '$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$chosen-by-ada' WHERE username = 'ada'";
/// A table and a view that the backup does not know, and a loss.
const NEWER: &str = "SET ROLE keyreeve; CREATE TABLE newer (LIKE tenants); \
     CREATE VIEW v1_newer AS SELECT username FROM users; DELETE FROM user_credentials";
const HASHES: &str = "SELECT hash FROM v1_credentials ORDER BY username";

#[tokio::test]
async fn with_the_backup_of_a_sqlite_store_all_is_as_before_in_the_cluster_and_in_others() {
    let folder = TempDir::new().unwrap();
    let mut reader = Reader::new(folder.path());
    let site = Site::new(&mut reader, folder.path()).await;
    reader.follows(PAGE, &["install"]);
    // Passwords from this namespace alone: a Role of the chart is in it.
    site.make_namespace().await;
    site.has_values(&["secrets.namespaces={team-a}"]);
    reader.follows(PAGE, &["upgrade", "rollback"]);
    site.people().await;
    everyday(&site, &reader).await;
    site.database().await.execute(CHOOSE).await;
    let before = site.facts().await;
    let ids = site.database().await.texts(IDS).await;
    let hashes = site.database().await.texts(HASHES).await;
    assert_eq!(hashes[0], CHOSEN);
    reader.follows(PAGE, &["stop", "backup", "backup-sqlite"]);

    // In place: Secrets and the volume's content are gone.
    site.lose_secrets().await;
    for file in fs::read_dir(site.node.claim("keyreeve")).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    reader.follows(PAGE, &["restore-secrets", "restore-sqlite", "start", "see"]);
    site.looked_at().await;
    assert_eq!(site.facts().await, before);
    assert_eq!(site.database().await.texts(IDS).await, ids);
    assert_eq!(site.database().await.texts(HASHES).await, hashes);
    drop(site);

    // Another cluster, with the store.
    let site = Site::new(&mut reader, folder.path()).await;
    reader.follows(
        PAGE,
        &[
            "rebuild-namespaces",
            "rebuild",
            "stop",
            "restore-secrets",
            "restore-sqlite",
            "rebuild-resources",
            "start",
            "rebuild-see",
        ],
    );
    site.looked_at().await;
    assert_eq!(site.facts().await, before);
    assert_eq!(site.database().await.texts(IDS).await, ids);
    assert_eq!(site.database().await.texts(HASHES).await, hashes);
    assert_eq!(site.told("TakenOver").await, 4);
    assert!(site.knows_its_team().await);
    assert_eq!(site.told("PasswordSet").await, 0);
    drop(site);

    // Another one, by Helm 4, where Secrets and resources are all that is left.
    reader.has_helm_4();
    let site = Site::new(&mut reader, folder.path()).await;
    reader.follows(
        PAGE,
        &[
            "rebuild-namespaces",
            "rebuild",
            "stop",
            "restore-secrets",
            "rebuild-resources",
            "rebuild-status",
            "start",
            "rebuild-see",
        ],
    );
    site.looked_at().await;
    assert_eq!(site.facts().await, before);
    assert_eq!(site.database().await.texts(IDS).await, ids);
    assert_ne!(site.database().await.texts(HASHES).await, hashes, "set anew");

    // From there to PostgreSQL.
    let postgres = site.postgres(&mut reader).await;
    reader.follows(PAGE, &["credentials"]);
    reader.follows("docs/stores.md", &["move-from", "move-to", "moved"]);
    site.looked_at().await;
    assert_eq!(site.facts().await, before);
    assert_eq!(postgres.texts(IDS).await, ids);

    reader.follows(PAGE, &["delete-resources"]);
    assert_eq!(postgres.texts("SELECT username FROM v1_users").await, Vec::<String>::new());
    assert_eq!(postgres.texts("SELECT tenant_id FROM v1_tenants").await, ["acme"], "it is kept");
    assert_eq!(site.database().await.texts(IDS).await, ids, "the old store is as it was");
    reader.follows(PAGE, &["uninstall", "delete-rest"]);
    let namespaces = Api::<KubeNamespace>::all(site.team.client.clone());
    for gone in [RELEASE, KEYSTORES] {
        assert!(namespaces.get_opt(gone).await.unwrap().is_none(), "{gone}");
    }
}

#[tokio::test]
async fn with_the_backup_of_a_postgresql_store_all_is_as_before_in_the_cluster_and_in_another() {
    let folder = TempDir::new().unwrap();
    let mut reader = Reader::new(folder.path());
    let site = Site::new(&mut reader, folder.path()).await;
    let postgres = site.postgres(&mut reader).await;
    reader.follows(PAGE, &["credentials", "install-postgres"]);
    site.make_namespace().await;
    site.people().await;
    postgres.execute(CHOOSE).await;
    let before = site.facts().await;
    let ids = postgres.texts(IDS).await;
    let hashes = postgres.texts(HASHES).await;
    assert_eq!(hashes[0], CHOSEN);
    reader.follows(PAGE, &["backup", "backup-postgres", "stop"]);

    // In place: Secrets are gone, and in the database there is what a newer version has made.
    site.lose_secrets().await;
    postgres.execute(NEWER).await;
    reader.follows(PAGE, &["restore-secrets", "restore-postgres", "start", "see"]);
    site.looked_at().await;
    assert_eq!(site.facts().await, before);
    assert_eq!(postgres.texts(IDS).await, ids);
    assert_eq!(postgres.texts(HASHES).await, hashes);
    let newer = "SELECT relname::text FROM pg_class WHERE relname LIKE '%newer'";
    assert_eq!(postgres.texts(newer).await, Vec::<String>::new());
    drop(site);

    // Another cluster; the database was not in the old one.
    let site = Site::new(&mut reader, folder.path()).await;
    reader.follows(
        PAGE,
        &[
            "credentials",
            "rebuild-namespaces",
            "rebuild-elsewhere",
            "stop",
            "restore-secrets",
            "rebuild-resources",
            "start",
            "rebuild-see",
        ],
    );
    site.looked_at().await;
    assert_eq!(site.facts().await, before);
    assert_eq!(postgres.texts(IDS).await, ids);
    assert_eq!(postgres.texts(HASHES).await, hashes);
    assert_eq!(site.told("TakenOver").await, 4);
    assert!(site.knows_its_team().await);

    // Credentials change while it runs, and it goes on.
    reader.sets("NEW_PASSWORD", "another-one-of-the-tests");
    reader.follows(PAGE, &["rotate-store"]);
    postgres
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'keyreeve'",
        )
        .await;
    site.team.made::<User>("carla", json!({})).await;
    let stolen = site.node.token();
    reader.follows(PAGE, &["rotate-token"]);
    eventually("the token of before ends", async || !site.is_let_in(&stolen).await).await;
    assert!(site.is_let_in(&site.node.token()).await);
    site.looked_at().await;
}
