//! Namespaces that are watched by their names, with a Role in each: one that is gone, or whose Role is, stops none of
//! the others, and what is in it is taken for neither there nor gone. docs/operations.md has the way without any of
//! this, which tests/e2e/documents/watched.rs goes.

use std::fmt::Debug;

use k8s_openapi::api::{core::v1::Namespace as KubeNamespace, rbac::v1::RoleBinding};
use keyreeve::api::{Role, Tenant, User};
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
    core::NamespaceResourceScope,
};
use serde_json::{Value, json};

use crate::support::{
    CHART, Conditions, Operator, Release, Server, Space, command, eventually, run, until,
    until_gone,
};

/// What the log says of a namespace that cannot be read, and once more when it can be.
const LOST: &str = "the watched namespace cannot be read";
const FOUND: &str = "the watched namespace can be read again";

/// A release that watches the namespaces of two teams, and is in neither.
struct Teams {
    system: Space,
    release: Release,
    one: String,
    two: String,
}

impl Teams {
    async fn new(name: &str) -> Self {
        let system = Space::new(name).await;
        let (one, two) = (system.another("one", &[]).await, system.another("two", &[]).await);
        let watched = format!("watchNamespaces={{{one},{two}}}");
        let release = Release::install_to_weaken(&system, "watch", &[&watched]);
        Self { system, release, one, two }
    }

    fn start(&self, metrics: &Server) -> Operator {
        let store = format!("sqlite:{}", self.system.store_file().display());
        let flags = [
            ["--watch-namespace", &self.one],
            ["--watch-namespace", &self.two],
            ["--keystore-namespace", &self.system.namespace],
            ["--operator-namespace", &self.system.namespace],
            ["--owner-id", "watch"],
            ["--store", &store],
            ["--metrics-bind-address", &metrics.address],
            ["--health-probe-bind-address", "0"],
        ];
        Operator::start_as(&self.system, &self.release.kubeconfig, &flags.concat())
    }

    fn of<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.system.client.clone(), namespace)
    }

    async fn tenant(&self, namespace: &str, name: &str, more: Value) {
        let mut spec = json!({"keystore": {"algorithm": "ES256"}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.system.create_in::<Tenant>(namespace, name, spec).await;
        until(self.of::<Tenant>(namespace), name, "Ready", Conditions::is_ready).await;
    }

    /// `helm upgrade` with these values, and whether it succeeds.
    fn upgrade(&self, watched: &[&str]) -> Result<(), String> {
        let watched = format!("watchNamespaces={{{}}}", watched.join(","));
        let namespace = self.system.namespace.as_str();
        let helm = ["upgrade", "watch", CHART, "--namespace", namespace, "--reuse-values"];
        let output = command("helm", &[&helm[..], &["--set", &watched]].concat());
        let error = String::from_utf8(output.stderr).unwrap();
        if output.status.success() { Ok(()) } else { Err(error) }
    }
}

/// How many namespaces the operator says that it cannot read.
fn unreadable(metrics: &Server) -> Option<u32> {
    let (_, text) = metrics.get("/metrics")?;
    let line =
        text.lines().find_map(|line| line.strip_prefix("keyreeve_unreadable_namespaces "))?;
    line.parse().ok()
}

async fn delete<K>(api: Api<K>, name: &str)
where
    K: Resource + Clone + Debug + serde::de::DeserializeOwned + Send + 'static,
{
    api.delete(name, &DeleteParams::default()).await.unwrap();
    until_gone(api, name).await;
}

#[tokio::test]
async fn one_that_is_gone_stops_none_of_the_others_and_is_taken_up_when_it_is_back() {
    let teams = Teams::new("watch-gone").await;
    let namespaces: Api<KubeNamespace> = Api::all(teams.system.client.clone());
    delete(namespaces, &teams.two).await;

    let metrics = Server::new();
    let mut operator = teams.start(&metrics);
    teams.tenant(&teams.one, "acme", json!({})).await;
    assert_eq!(unreadable(&metrics), Some(1));
    let log = operator.log();
    assert!(log.contains(LOST) && log.contains(&teams.two), "{log}");

    // Helm cannot make a Role in it; without it in the list, or with it there again, it can.
    let refused = teams.upgrade(&[&teams.one, &teams.two]).unwrap_err();
    assert!(refused.contains(&format!("namespaces \"{}\" not found", teams.two)), "{refused}");
    teams.upgrade(&[&teams.one]).unwrap();
    run("kubectl", &["create", "namespace", &teams.two]);
    teams.upgrade(&[&teams.one, &teams.two]).unwrap();
    teams.tenant(&teams.two, "other", json!({})).await;
    eventually("it says so", async || unreadable(&metrics) == Some(0)).await;
    let log = operator.log();
    assert_eq!((log.matches(LOST).count(), log.matches(FOUND).count()), (1, 1), "{log}");
    assert!(operator.is_running());
}

#[tokio::test]
async fn what_cannot_be_seen_is_not_taken_for_gone() {
    let teams = Teams::new("watch-unseen").await;
    let (one, two) = (teams.one.as_str(), teams.two.as_str());
    let metrics = Server::new();
    let operator = teams.start(&metrics);
    let from = |namespace: &str| json!([{"matchNames": [namespace]}]);
    teams.tenant(one, "acme", json!({"deletionPolicy": "Delete", "allowedFrom": from(two)})).await;
    teams.tenant(two, "other", json!({"allowedFrom": from(one)})).await;
    let (acme, other) =
        (json!({"name": "acme", "namespace": one}), json!({"name": "other", "namespace": two}));
    let clerk = json!({"tenantRef": acme, "allowedFrom": from(one)});
    teams.system.create_in::<Role>(two, "clerk", clerk).await;
    let clerk = json!({"name": "clerk", "namespace": two});
    let bob = json!({"tenantRef": {"name": "acme"}, "roles": [clerk]});
    let users = [
        (one, "bob", bob),
        (two, "ada", json!({"tenantRef": acme})),
        (one, "eve", json!({"tenantRef": other})),
    ];
    for (namespace, name, spec) in users {
        teams.system.create_in::<User>(namespace, name, spec).await;
        until(teams.of::<User>(namespace), name, "Ready", User::is_ready).await;
    }
    assert!(operator.stop().await.success());

    // From now on it may do nothing in the namespace of the second team.
    let name = format!("{}:{}", teams.system.namespace, teams.release.name);
    let bindings = teams.of::<RoleBinding>(two);
    let mut binding = bindings.get(&name).await.unwrap();
    delete(bindings.clone(), &name).await;
    let _operator = teams.start(&metrics);
    eventually("it says so", async || unreadable(&metrics) == Some(1)).await;
    let says = format!("the operator cannot read the namespace {two} now");

    // A role that it cannot see stays with who has it.
    let change = Patch::Merge(json!({"spec": {"firstName": "Bob"}}));
    teams.of::<User>(one).patch("bob", &PatchParams::default(), &change).await.unwrap();
    let waits = |user: &User| !user.is_ready() && user.message().contains(&says);
    until(teams.of::<User>(one), "bob", "waiting for its Role", waits).await;
    let mut database = teams.system.database().await;
    assert_eq!(database.grants().await, ["bob > clerk"]);
    // So does a user in the store whose Tenant may be there, and a tenant in which somebody may be.
    for name in ["bob", "eve"] {
        teams.of::<User>(one).delete(name, &DeleteParams::default()).await.unwrap();
    }
    until_gone(teams.of::<User>(one), "bob").await;
    until(teams.of::<User>(one), "eve", "waiting for its Tenant", waits).await;
    teams.of::<Tenant>(one).delete("acme", &DeleteParams::default()).await.unwrap();
    let waits = |tenant: &Tenant| tenant.message().contains(&says);
    until(teams.of::<Tenant>(one), "acme", "waiting for who is in it", waits).await;
    assert_eq!(database.users().await, ["acme/ada", "other/eve"]);

    // It may again.
    binding.meta_mut().resource_version = None;
    binding.meta_mut().uid = None;
    binding.managed_fields_mut().clear();
    bindings.create(&PostParams::default(), &binding).await.unwrap();
    until_gone(teams.of::<User>(one), "eve").await;
    let blocked = |tenant: &Tenant| tenant.message().contains(&format!("User {two}/ada"));
    until(teams.of::<Tenant>(one), "acme", "blocked by those in it", blocked).await;
    delete(teams.of::<User>(two), "ada").await;
    delete(teams.of::<Role>(two), "clerk").await;
    until_gone(teams.of::<Tenant>(one), "acme").await;
    assert_eq!(database.users().await, Vec::<String>::new());
    assert_eq!(database.tenants().await.into_keys().collect::<Vec<_>>(), ["other"]);
}
