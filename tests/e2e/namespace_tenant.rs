//! What lives in a tenant follows it: missing, in conflict, in another Kubernetes namespace, of another
//! plan, deleted. Shown with Namespaces and Roles.

use k8s_openapi::api::{
    admissionregistration::v1::{
        ValidatingAdmissionPolicy as Policy, ValidatingAdmissionPolicyBinding as Binding,
    },
    core::v1::Namespace as KubeNamespace,
};
use keyreeve::api::{KeyState, Namespace, Role, Tenant, TenantProfile};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::support::{Conditions, Keys, Operator, Server, Space, eventually, until, until_gone};

#[tokio::test]
async fn a_tenant_that_is_missing_is_waited_for() {
    let space = Space::new("home-missing").await;
    let _operator = Operator::start(&space);
    space.in_acme::<Namespace>("sales", json!({})).await;
    let waiting = space.waits::<Namespace>("sales", "TenantNotFound").await;
    assert!(
        waiting.message().contains("Tenant acme is not there: create it"),
        "{}",
        waiting.message()
    );
    space.event("sales", "Normal TenantNotFound").await;
    let tenant = space.made_tenant("acme", json!({})).await;
    space.well::<Namespace>("sales").await;

    // Retained, it comes back; meanwhile nothing of it changes.
    space.delete("acme").await;
    space.gone("acme").await;
    space.waits::<Namespace>("sales", "TenantNotFound").await;
    space.change::<Namespace>("sales", json!({"description": "Sells"})).await;
    space.waits::<Namespace>("sales", "TenantNotFound").await;
    let mut database = space.database().await;
    assert_eq!(database.namespaces().await, ["acme/sales"]);
    let again = space.made_tenant("acme", json!({})).await;
    assert_ne!(tenant.metadata.uid, again.metadata.uid);
    space.well::<Namespace>("sales").await;
    assert_eq!(database.namespaces().await, ["acme/sales Sells"]);
}

#[tokio::test]
async fn a_tenant_in_conflict_is_waited_for() {
    let space = Space::new("home-conflict").await;
    let _operator = Operator::start(&space);
    space.made_tenant("acme", json!({"deletionPolicy": "Delete"})).await;
    let quick = json!({"tenantId": "acme", "keystore": {"algorithm": "ES256"}});
    space.create::<Tenant>("second", quick).await;
    space.tenant("second", "in conflict", |tenant| tenant.is_stalled("Conflict")).await;
    let spec = json!({"tenantRef": {"name": "second"}});
    space.create::<Namespace>("sales", spec).await;
    space.waits::<Namespace>("sales", "TenantNotReady").await;
    let mut database = space.database().await;
    assert!(database.namespaces().await.is_empty());
    space.delete("acme").await;
    space.ready("second").await;
    space.well::<Namespace>("sales").await;
    assert_eq!(database.namespaces().await, ["acme/sales"]);
}

#[tokio::test]
async fn from_another_kubernetes_namespace_the_tenant_must_allow_it() {
    let space = Space::new("home-grant").await;
    let team = space.another("team", &[]).await;
    let _operator = Operator::start_with(&space, &["--watch-namespace", &team]);
    let there: Api<Namespace> = Api::namespaced(space.client.clone(), &team);
    let seen = async |what: &str, reason: &str, ready: bool| -> Namespace {
        until(there.clone(), "sales", what, |found: &Namespace| {
            found.has_reason(reason)
                && found.is_ready() == ready
                && found.condition("Ready").map(|ready| ready.observed_generation)
                    == found.metadata.generation
        })
        .await
    };
    let allow = async |allowed: Value| {
        space.merge::<Tenant>("acme", json!({"spec": {"allowedFrom": allowed}})).await;
        space.ready("acme").await;
    };
    let spec = json!({"tenantRef": {"name": "acme", "namespace": space.namespace}, "description": "Sells"});
    space.create_in::<Namespace>(&team, "sales", spec).await;
    let missing = seen("not allowed where nothing is", "NotAllowed", false).await;
    space
        .made_tenant("acme", json!({"allowedFrom": [{"matchNames": [team], "kinds": ["User"]}]}))
        .await;
    // It was woken by the Tenant, and its answer is the same.
    space.made::<Namespace>("own", json!({})).await;
    let forbidden = seen("not allowed as its kind", "NotAllowed", false).await;
    assert_eq!(forbidden.message(), missing.message(), "nobody learns what others have");

    allow(json!([{"matchNames": [team], "kinds": ["Namespace"]}])).await;
    seen("allowed", "Synced", true).await;
    allow(json!(null)).await;
    seen("not allowed any more", "NotAllowed", false).await;
    let edit = Patch::Merge(json!({"spec": {"description": "Buys"}}));
    there.patch("sales", &PatchParams::default(), &edit).await.unwrap();
    let withdrawn = seen("not allowed as edited", "NotAllowed", false).await;
    assert_eq!(withdrawn.message(), missing.message());
    assert!(withdrawn.status.unwrap().store.is_some(), "it is still there");
    let mut database = space.database().await;
    assert_eq!(database.namespaces().await, ["acme/own", "acme/sales Sells"]);
    there.delete("sales", &DeleteParams::default()).await.unwrap();
    until_gone(there.clone(), "sales").await;
    assert_eq!(database.namespaces().await, ["acme/own"]);
}

#[tokio::test]
async fn a_plan_without_roles_has_neither_them_nor_namespaces() {
    let space = Space::new("home-plan").await;
    let _operator = Operator::start(&space);
    let plan = |has: bool| json!({"plan": "small", "planDetails": {"rbacManagement": has}});
    space.make_profile("small", plan(false)).await;
    space.made_tenant("acme", json!({"profileRef": {"name": "small"}})).await;
    space.in_acme::<Namespace>("sales", json!({})).await;
    space.in_acme::<Role>("boss", json!({})).await;
    let refused = space.stalls::<Namespace>("sales", "NotInPlan").await;
    assert!(refused.message().contains("the plan small of tenant acme"), "{}", refused.message());
    assert!(
        refused.message().contains("planDetails.rbacManagement is false"),
        "{}",
        refused.message()
    );
    space.stalls::<Role>("boss", "NotInPlan").await;
    space.merge::<TenantProfile>("small", json!({"spec": plan(true)})).await;
    space.well::<Namespace>("sales").await;
    space.well::<Role>("boss").await;
    // What is there stays there, and can be deleted.
    space.merge::<TenantProfile>("small", json!({"spec": plan(false)})).await;
    space.stalls::<Namespace>("sales", "NotInPlan").await;
    space.stalls::<Role>("boss", "NotInPlan").await;
    let mut database = space.database().await;
    assert_eq!(
        (database.namespaces().await, database.roles().await),
        (vec!["acme/sales".into()], vec!["boss".into()])
    );
    space.remove::<Role>("boss").await;
    space.remove::<Namespace>("sales").await;
    assert!(database.namespaces().await.is_empty() && database.roles().await.is_empty());
}

#[tokio::test]
async fn a_tenant_with_delete_waits_for_its_namespaces_and_roles_and_then_takes_all_along() {
    let space = Space::new("home-delete").await;
    let _operator = Operator::start(&space);
    space.made_tenant("acme", json!({"deletionPolicy": "Delete"})).await;
    space.made::<Namespace>("sales", json!({})).await;
    space.made::<Role>("clerk", json!({"namespaceRef": {"name": "sales"}})).await;
    space.delete("acme").await;
    let here = &space.namespace;
    let blocked = format!(
        "in the tenant, which is to be deleted first, unless deletionPolicy is set to Retain: Namespace {here}/sales, Role {here}/clerk"
    );
    let waits = |tenant: &Tenant| tenant.message().contains(&blocked);
    space.tenant("acme", "waiting for what is in it", waits).await;
    space.waits::<Role>("clerk", "TenantDeleting").await;
    // While it goes, its deletionPolicy says what becomes of what is in it.
    space.remove::<Namespace>("sales").await;
    space.event("sales", "Normal LeftAlone").await;
    let mut database = space.database().await;
    assert_eq!(database.namespaces().await, ["acme/sales"]);
    space.let_go::<Role>("clerk").await;
    space.gone("acme").await;
    assert!(database.namespaces().await.is_empty() && database.roles().await.is_empty());
}

#[tokio::test]
async fn when_a_kubernetes_namespace_goes_a_retained_tenant_keeps_what_is_in_it() {
    let space = Space::new("home-goes").await;
    let (keystores, team) =
        (space.another_for_keystores("keystores").await, space.another("team", &[]).await);
    let flags = ["--keystore-namespace", &keystores, "--watch-namespace", &team];
    let _operator = Operator::start_with(&space, &flags);
    space
        .made_tenant(
            "acme",
            json!({"deletionPolicy": "Retain", "allowedFrom": [{"matchNames": [team]}]}),
        )
        .await;
    space.made_tenant("lost", json!({"deletionPolicy": "Delete"})).await;
    for tenant in ["acme", "lost"] {
        let (place, role) = (format!("{tenant}-sales"), format!("{tenant}-clerk"));
        let spec = json!({"tenantRef": {"name": tenant}, "name": "sales"});
        space.create::<Namespace>(&place, spec).await;
        let spec = json!({"tenantRef": {"name": tenant}, "name": "clerk", "namespaceRef": {"name": place}});
        space.create::<Role>(&role, spec).await;
        space.well::<Role>(&role).await;
    }
    let tenant = json!({"name": "acme", "namespace": space.namespace});
    space.create_in::<Role>(&team, "away", json!({"tenantRef": tenant})).await;
    until(Api::namespaced(space.client.clone(), &team), "away", "Ready", Role::is_ready).await;
    let namespaces: Api<KubeNamespace> = Api::all(space.client.clone());
    // The going of what only refers to the Tenant removes what it made.
    let mut database = space.database().await;
    assert_eq!(database.roles().await, ["away", "sales/clerk", "sales/clerk"]);
    namespaces.delete(&team, &DeleteParams::default()).await.unwrap();
    until_gone(namespaces.clone(), &team).await;
    assert_eq!(database.roles().await, ["sales/clerk", "sales/clerk"]);

    // As if the deletion came to the Tenants last.
    let hold = TenantsStay::of(&space).await;
    namespaces.delete(&space.namespace, &DeleteParams::default()).await.unwrap();
    for tenant in ["acme", "lost"] {
        until_gone(space.api::<Role>(), &format!("{tenant}-clerk")).await;
        until_gone(space.api::<Namespace>(), &format!("{tenant}-sales")).await;
        let left = space.tenants().get(tenant).await.unwrap();
        assert!(left.metadata.deletion_timestamp.is_none());
    }
    assert_eq!(database.namespaces().await, ["acme/sales", "lost/sales"]);
    assert_eq!(database.roles().await, ["sales/clerk", "sales/clerk"]);
    hold.end().await;
    until_gone(namespaces, &space.namespace).await;
    assert_eq!(database.namespaces().await, ["acme/sales"]);
    assert_eq!(database.roles().await, ["sales/clerk"]);
}

/// A policy of the cluster that nobody may delete the Tenants of a test.
struct TenantsStay(Api<Policy>, Api<Binding>, String);

impl TenantsStay {
    async fn of(space: &Space) -> Self {
        let name = &space.namespace;
        let policy = json!({"metadata": {"name": name}, "spec": {
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
                "resourceRules": [{
                    "apiGroups": ["keyreeve.dev"], "apiVersions": ["*"],
                    "operations": ["DELETE"], "resources": ["tenants"],
                }],
            },
            "validations": [{"expression": "false"}],
        }});
        let binding = json!({"metadata": {"name": name}, "spec": {
            "policyName": name, "validationActions": ["Deny"],
        }});
        let policies: Api<Policy> = Api::all(space.client.clone());
        let bindings: Api<Binding> = Api::all(space.client.clone());
        let create = PostParams::default();
        policies.create(&create, &serde_json::from_value(policy).unwrap()).await.unwrap();
        bindings.create(&create, &serde_json::from_value(binding).unwrap()).await.unwrap();
        eventually("Tenants stay", async || {
            let trial = DeleteParams { dry_run: true, ..DeleteParams::default() };
            space.tenants().delete("acme", &trial).await.is_err()
        })
        .await;
        Self(policies, bindings, name.clone())
    }

    async fn end(self) {
        let Self(policies, bindings, name) = self;
        bindings.delete(&name, &DeleteParams::default()).await.unwrap();
        policies.delete(&name, &DeleteParams::default()).await.unwrap();
    }
}

#[tokio::test]
async fn users_and_keys_of_a_tenant_wake_nobody_in_it() {
    let space = Space::new("home-quiet").await;
    let metrics = Server::new();
    let _operator = Operator::start_with(&space, &["--metrics-bind-address", &metrics.address]);
    space.made_tenant("acme", json!({})).await;
    space.made::<Namespace>("sales", json!({})).await;
    space.made::<Role>("clerk", json!({"namespaceRef": {"name": "sales"}})).await;
    let looks = |kind: &str| {
        let labels = format!("controller=\"{kind}\"");
        metrics.metric("controller_runtime_reconcile_total", &labels)
    };
    // One look that is asked for comes after all that was woken before.
    let count = async || {
        space.look_again::<Namespace>("sales").await;
        space.look_again::<Role>("clerk").await;
        eventually("both looks have ended", async || {
            let active = |kind| metrics.metric("controller_runtime_active_workers", kind);
            active("\"namespace\"") + active("\"role\"") == 0.0
        })
        .await;
        (looks("namespace"), looks("role"))
    };
    let before = count().await;
    let mut database = space.database().await;
    for users in 1..=5 {
        let user = "INSERT INTO users (tenant_id, username, id) \
                    SELECT 'acme', 'user-' || count(*), count(*) FROM users";
        database.execute(user).await;
        space.resync("acme").await;
        let counted = |tenant: &Tenant| tenant.status.as_ref().unwrap().user_count == Some(users);
        space.tenant("acme", "counting its users", counted).await;
    }
    let key = space.tenants().get("acme").await.unwrap().active();
    space.rotate("acme", "now").await;
    let rotated = |tenant: &Tenant| {
        !tenant.has(&key, KeyState::Active) || !tenant.kids(KeyState::Standby).is_empty()
    };
    space.tenant("acme", "rotated", rotated).await;
    // The look that was asked for; and those that status written by two looks may cost, where its watch
    // was faster than the answer to the write.
    let after = count().await;
    let more = (after.0 - before.0, after.1 - before.1);
    assert!(more.0 <= 3.0 && more.1 <= 3.0, "six changes of the Tenant's status cost {more:?}");
}
