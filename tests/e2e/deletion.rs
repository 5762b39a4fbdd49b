//! Deleting Tenants: what goes, what stays, what is waited for, and that nothing waits for ever.

use std::fs;

use k8s_openapi::api::core::v1::Namespace as KubeNamespace;
use keyreeve::api::{Namespace, Role, Tenant, User};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
    core::ApiResource,
};
use serde_json::{Value, json};

use crate::support::{Cluster, Conditions, Database, Operator, Space, until, until_gone};

const COUNT: &str = "SELECT COUNT(*) FROM tenants WHERE tenant_id = 'acme'";

/// A Tenant that is in the store.
async fn made(space: &Space, name: &str, spec: Value) -> Tenant {
    space.create::<Tenant>(name, spec).await;
    space.ready(name).await
}

/// From now on the Tenant is not reconciled, only deleted.
async fn pause(space: &Space, name: &str) {
    let paused = json!({"metadata": {"annotations": {"keyreeve.dev/paused": "true"}}});
    space.merge::<Tenant>(name, paused).await;
    space.tenant(name, "paused", |tenant| tenant.condition("Paused").is_some()).await;
}

/// A lock as a reader must not take it, until the connection ends the transaction.
async fn locked(space: &Space) -> Database {
    let mut database = space.database().await;
    database.execute("BEGIN EXCLUSIVE").await;
    database
}

async fn waits_for_the_store(space: &Space, name: &str) -> Tenant {
    let waits = |tenant: &Tenant| tenant.is_reconciling("StoreUnavailable");
    space.tenant(name, "waiting for the store", waits).await
}

/// Not just an object that has not been seen to be deleted yet.
async fn deletion_waits_for_the_store(space: &Space, name: &str) -> Tenant {
    let waits = |tenant: &Tenant| {
        tenant.is_reconciling("StoreUnavailable")
            && tenant.message().starts_with("the deletion waits")
    };
    space.tenant(name, "deletion waiting for the store", waits).await
}

/// `{}` in `members` is the test's namespace.
async fn blocked_by(space: &Space, name: &str, members: &str) {
    let members = members.replace("{}", &space.namespace);
    let waits = |tenant: &Tenant| {
        tenant.is_reconciling("DeletionBlocked")
            && tenant.message().contains(&format!("in the tenant, which is to be deleted first, unless deletionPolicy is set to Retain: {members}"))
    };
    space.tenant(name, &format!("waiting for {members}"), waits).await;
}

#[tokio::test]
async fn delete_removes_the_row_and_the_event_says_so() {
    let space = Space::new("delete").await;
    let _operator = Operator::start(&space);
    made(&space, "acme", json!({"deletionPolicy": "Delete"})).await;
    space.delete("acme").await;
    space.gone("acme").await;
    assert_eq!(space.database().await.number(COUNT).await, 0);
    space.event("acme", "Normal Removed: tenant acme is gone from the store").await;
}

#[tokio::test]
async fn retain_is_the_default_and_needs_no_store_and_the_same_name_takes_the_row_up_again() {
    let space = Space::new("retain").await;
    let _operator = Operator::start(&space);
    made(&space, "acme", json!({"displayName": "Acme"})).await;
    let aside = space.folder().join("aside.db");
    fs::rename(space.store_file(), &aside).unwrap();
    space.delete("acme").await;
    space.gone("acme").await;
    space.event("acme", "Normal Retained").await;
    fs::rename(&aside, space.store_file()).unwrap();

    let mut database = space.database().await;
    let since = "SELECT created_at FROM tenants WHERE display_name = 'Acme' AND mark_name = 'acme'";
    let created_at = database.text(since).await.unwrap();
    let again = made(&space, "acme", json!({"displayName": "Acme"})).await;
    space.event("acme", "Normal TakenOver").await;
    assert_eq!(database.text(since).await.unwrap(), created_at);
    let mark = database.text("SELECT mark_uid FROM tenants").await;
    assert_eq!(mark, again.uid());
}

#[tokio::test]
async fn retain_ends_a_deletion_that_waits_and_warns() {
    let space = Space::new("retain-late").await;
    let _operator = Operator::start(&space);
    made(&space, "acme", json!({"deletionPolicy": "Delete"})).await;
    made(&space, "full", json!({"deletionPolicy": "Delete"})).await;
    space.create::<User>("ada", json!({"tenantRef": {"name": "full"}})).await;
    let mut lock = locked(&space).await;
    space.delete("acme").await;
    space.delete("full").await;
    waits_for_the_store(&space, "acme").await;
    blocked_by(&space, "full", "User {}/ada").await;
    for name in ["acme", "full"] {
        space.merge::<Tenant>(name, json!({"spec": {"deletionPolicy": "Retain"}})).await;
        space.gone(name).await;
        space.event(name, "Warning Retained").await;
    }
    lock.execute("ROLLBACK").await;
    assert_eq!(lock.number("SELECT COUNT(*) FROM tenants WHERE mark_uid <> ''").await, 2);
}

#[tokio::test]
async fn what_the_store_does_not_have_any_more_just_goes() {
    let space = Space::new("lost").await;
    let _operator = Operator::start(&space);
    made(&space, "acme", json!({"deletionPolicy": "Delete"})).await;
    pause(&space, "acme").await;
    space.database().await.execute("DELETE FROM tenants").await;
    space.delete("acme").await;
    space.gone("acme").await;
    space.event("acme", "Normal Removed: tenant acme was not in the store").await;
}

#[tokio::test]
async fn a_row_with_a_foreign_mark_is_left_alone_and_the_object_goes() {
    let space = Space::new("foreign").await;
    let _operator = Operator::start(&space);
    made(&space, "acme", json!({"deletionPolicy": "Delete"})).await;
    let mut database = space.database().await;
    database.execute("UPDATE tenants SET mark_owner = 'them'").await;
    space.delete("acme").await;
    space.gone("acme").await;
    space.event("acme", "Normal LeftAlone").await;
    let owner = database.text("SELECT mark_owner FROM tenants").await;
    assert_eq!(owner.as_deref(), Some("them"));
}

#[tokio::test]
async fn a_tenant_in_conflict_just_goes_even_with_users_in_it() {
    let space = Space::new("loser").await;
    let _operator = Operator::start(&space);
    let first = made(&space, "acme", json!({"deletionPolicy": "Delete"})).await;
    space.create::<Tenant>("second", json!({"tenantId": "acme", "deletionPolicy": "Delete"})).await;
    space.create::<User>("ada", json!({"tenantRef": {"name": "second"}})).await;
    space.tenant("second", "in conflict", |tenant| tenant.is_stalled("Conflict")).await;
    space.delete("second").await;
    space.gone("second").await;
    space.event("second", "Normal LeftAlone").await;
    let mark = space.database().await.text("SELECT mark_uid FROM tenants").await;
    assert_eq!(mark, first.uid());
    space.ready("acme").await;
}

#[tokio::test]
async fn a_deletion_waits_for_a_locked_store_and_ends_when_the_lock_does() {
    let space = Space::new("locked").await;
    let _operator = Operator::start(&space);
    made(&space, "acme", json!({"deletionPolicy": "Delete"})).await;
    let mut lock = locked(&space).await;
    space.delete("acme").await;
    let waiting = waits_for_the_store(&space, "acme").await;
    assert!(waiting.message().contains("another process has locked"), "{}", waiting.message());
    space.event("acme", "Warning StoreUnavailable").await;
    lock.execute("ROLLBACK").await;
    space.gone("acme").await;
    assert_eq!(lock.number(COUNT).await, 0);
}

#[tokio::test]
async fn a_deletion_waits_for_a_removed_file_until_retain_or_an_operator_with_an_empty_store() {
    let space = Space::new("removed").await;
    let operator = Operator::start(&space);
    made(&space, "acme", json!({"deletionPolicy": "Delete"})).await;
    made(&space, "kept", json!({"deletionPolicy": "Delete"})).await;
    fs::remove_file(space.store_file()).unwrap();
    space.delete("acme").await;
    space.delete("kept").await;
    for name in ["acme", "kept"] {
        let waiting = deletion_waits_for_the_store(&space, name).await;
        assert!(waiting.message().contains("was deleted or moved away"), "{}", waiting.message());
    }
    space.merge::<Tenant>("kept", json!({"spec": {"deletionPolicy": "Retain"}})).await;
    space.gone("kept").await;
    space.event("kept", "Warning Retained").await;

    assert!(operator.stop().await.success());
    let _operator = Operator::start(&space);
    space.gone("acme").await;
    space.event("acme", "Normal Removed: tenant acme was not in the store").await;
}

#[tokio::test]
async fn a_disk_that_takes_no_writes_is_reported_and_waited_for() {
    let space = Space::new("readonly").await;
    let operator = Operator::start_refusable(&space);
    made(&space, "acme", json!({"deletionPolicy": "Delete"})).await;
    made(&space, "other", json!({})).await;
    operator.refuse_writes(true);
    space.delete("acme").await;
    space.merge::<Tenant>("other", json!({"spec": {"displayName": "Other"}})).await;
    for name in ["acme", "other"] {
        let waiting = waits_for_the_store(&space, name).await;
        assert!(waiting.message().contains("writing the database file"), "{}", waiting.message());
    }
    operator.refuse_writes(false);
    space.gone("acme").await;
    space.ready("other").await;
    let mut database = space.database().await;
    assert_eq!(database.number(COUNT).await, 0);
    let name = database.text("SELECT display_name FROM tenants").await;
    assert_eq!(name.as_deref(), Some("Other"));
}

#[tokio::test]
async fn a_deletion_waits_for_what_is_in_the_tenant_and_is_woken_by_its_going() {
    let space = Space::new("members").await;
    let operator = Operator::start(&space);
    made(&space, "acme", json!({"deletionPolicy": "Delete"})).await;
    let in_tenant = json!({"tenantRef": {"name": "acme"}});
    space.create::<User>("ada", in_tenant.clone()).await;
    space.create::<Role>("editor", in_tenant.clone()).await;
    space.create::<Namespace>("sales", in_tenant.clone()).await;
    space.create::<User>("other", json!({"tenantRef": {"name": "other"}})).await;
    space.delete("acme").await;
    blocked_by(&space, "acme", "Namespace {}/sales, Role {}/editor, User {}/ada").await;
    space.event("acme", "Normal DeletionBlocked").await;
    space.api::<Role>().delete("editor", &DeleteParams::default()).await.unwrap();
    blocked_by(&space, "acme", "Namespace {}/sales, User {}/ada").await;
    // What is being deleted does not hold it back, however long that takes.
    space.merge::<Namespace>("sales", json!({"metadata": {"finalizers": ["test.dev/slow"]}})).await;
    space.api::<Namespace>().delete("sales", &DeleteParams::default()).await.unwrap();
    blocked_by(&space, "acme", "User {}/ada").await;
    space.api::<User>().delete("ada", &DeleteParams::default()).await.unwrap();
    space.gone("acme").await;
    space.event("acme", "Normal Removed").await;
    // Woken by the deletion and by each of three that went, and by its own status after each.
    let looks = operator.log().matches("the deletion waits for").count();
    assert!(looks <= 12, "it looked {looks} times:\n{}", operator.log());
    space.merge::<Namespace>("sales", json!({"metadata": {"finalizers": null}})).await;
}

#[tokio::test]
async fn only_namespaces_that_the_tenant_allows_hold_its_deletion_back() {
    let space = Space::new("outside").await;
    let (allowed, stranger) =
        (space.another("allowed", &[]).await, space.another("stranger", &[]).await);
    let more = ["--watch-namespace", &allowed, "--watch-namespace", &stranger];
    let _operator = Operator::start_with(&space, &more);
    let spec = json!({"deletionPolicy": "Delete", "allowedFrom": [{"matchNames": [allowed], "kinds": ["User"]}]});
    made(&space, "acme", spec).await;
    let in_tenant = json!({"tenantRef": {"name": "acme", "namespace": space.namespace}});
    space.create_in::<User>(&allowed, "ada", in_tenant.clone()).await;
    space.create_in::<Role>(&allowed, "editor", in_tenant.clone()).await;
    space.create_in::<User>(&stranger, "eve", in_tenant).await;
    space.delete("acme").await;
    blocked_by(&space, "acme", "User {}-allowed/ada").await;
    let users: Api<User> = Api::namespaced(space.client.clone(), &allowed);
    users.delete("ada", &DeleteParams::default()).await.unwrap();
    space.gone("acme").await;
}

#[tokio::test]
async fn a_withdrawn_grant_ends_the_wait() {
    let space = Space::new("withdrawn").await;
    let allowed = space.another("allowed", &[]).await;
    let _operator = Operator::start_with(&space, &["--watch-namespace", &allowed]);
    let spec = json!({"deletionPolicy": "Delete", "allowedFrom": [{"matchNames": [allowed]}]});
    made(&space, "acme", spec).await;
    let in_tenant = json!({"tenantRef": {"name": "acme", "namespace": space.namespace}});
    space.create_in::<User>(&allowed, "ada", in_tenant).await;
    space.delete("acme").await;
    blocked_by(&space, "acme", "User {}-allowed/ada").await;
    space.merge::<Tenant>("acme", json!({"spec": {"allowedFrom": null}})).await;
    space.gone("acme").await;
}

#[tokio::test]
async fn a_whole_kubernetes_namespace_goes_at_once() {
    let space = Space::new("namespace").await;
    // With the namespace the operator's rights on Secrets in it go.
    let keystores = space.another_for_keystores("keystores").await;
    let _operator = Operator::start_with(&space, &["--keystore-namespace", &keystores]);
    made(&space, "acme", json!({"deletionPolicy": "Delete"})).await;
    made(&space, "kept", json!({"deletionPolicy": "Retain"})).await;
    for (user, tenant) in [("ada", "acme"), ("bob", "kept"), ("eve", "nobody")] {
        space.create::<User>(user, json!({"tenantRef": {"name": tenant}})).await;
    }
    let namespaces: Api<KubeNamespace> = Api::all(space.client.clone());
    namespaces.delete(&space.namespace, &DeleteParams::default()).await.unwrap();
    until_gone(namespaces, &space.namespace).await;
    let left = space.database().await.text("SELECT group_concat(tenant_id) FROM tenants").await;
    assert_eq!(left.as_deref(), Some("kept"));
}

#[tokio::test]
async fn a_tenant_deleted_while_the_operator_is_down_goes_when_it_is_back() {
    let space = Space::new("down").await;
    let operator = Operator::start(&space);
    made(&space, "acme", json!({"deletionPolicy": "Delete"})).await;
    operator.kill();
    space.delete("acme").await;
    let deleting = space.tenants().get("acme").await.unwrap();
    assert!(deleting.metadata.deletion_timestamp.is_some());
    let _operator = Operator::start(&space);
    space.gone("acme").await;
    assert_eq!(space.database().await.number(COUNT).await, 0);
}

#[tokio::test]
async fn a_paused_tenant_is_deleted() {
    let space = Space::new("paused").await;
    let _operator = Operator::start(&space);
    made(&space, "acme", json!({"deletionPolicy": "Delete"})).await;
    pause(&space, "acme").await;
    space.delete("acme").await;
    space.gone("acme").await;
    assert_eq!(space.database().await.number(COUNT).await, 0);
}

#[tokio::test]
async fn a_tenant_that_cannot_be_read_is_reported_harms_no_other_and_can_be_deleted() {
    let cluster = Cluster::start().await;
    let space = cluster.space("unreadable").await;
    let operator = Operator::start(&space);
    made(&space, "acme", json!({"deletionPolicy": "Delete"})).await;
    operator.kill();

    cluster.take_any_tenant(true).await;
    let kind = ApiResource::erase::<Tenant>(&());
    let tenants: Api<DynamicObject> =
        Api::namespaced_with(space.client.clone(), &space.namespace, &kind);
    let unreadable = json!({"spec": {"enabled": "perhaps"}});
    let patch = Patch::Merge(&unreadable);
    tenants.patch("acme", &PatchParams::default(), &patch).await.unwrap();
    let mut never_read = DynamicObject::new("broken", &kind).data(unreadable);
    never_read.metadata.namespace = Some(space.namespace.clone());
    tenants.create(&PostParams::default(), &never_read).await.unwrap();
    cluster.take_any_tenant(false).await;

    let _operator = Operator::start_with(&space, &["--adoptable", "*"]);
    for name in ["acme", "broken"] {
        until(tenants.clone(), name, "reported", |tenant| {
            let conditions = tenant.data["status"]["conditions"].as_array();
            conditions.is_some_and(|all| {
                all.iter().any(|c| c["type"] == "Stalled" && c["reason"] == "InvalidObject")
            })
        })
        .await;
        space.event(name, "Warning InvalidObject: the object cannot be read").await;
    }
    made(&space, "other", json!({})).await;
    let adopting = json!({"tenantId": "acme", "adoptionPolicy": "Adopt"});
    space.create::<Tenant>("thief", adopting).await;
    let refused = |tenant: &Tenant| tenant.message().contains("taken by Tenant acme");
    space.tenant("thief", "refused", refused).await;

    for name in ["acme", "broken"] {
        tenants.delete(name, &DeleteParams::default()).await.unwrap();
        until_gone(tenants.clone(), name).await;
    }
    // Nobody can say what it asked for, so it is kept.
    space.event("acme", "Warning Retained").await;
    assert_eq!(space.database().await.number(COUNT).await, 1);
}

#[tokio::test]
async fn a_label_taken_away_ends_the_wait() {
    // Labels are known to an operator for all namespaces, which needs a control plane of its own.
    let cluster = Cluster::start().await;
    let space = cluster.space("label").await;
    let allowed = space.another("allowed", &[("team", "a")]).await;
    let store = format!("sqlite:{}", space.store_file().display());
    let off = ["--metrics-bind-address", "0", "--health-probe-bind-address", "0"];
    let _operator = Operator::start_plain(&space, &[&["--store", &store], &off[..]].concat());
    let grant = json!([{"matchLabels": {"team": "a"}}]);
    made(&space, "acme", json!({"deletionPolicy": "Delete", "allowedFrom": grant})).await;
    let in_tenant = json!({"tenantRef": {"name": "acme", "namespace": space.namespace}});
    space.create_in::<User>(&allowed, "ada", in_tenant).await;
    space.delete("acme").await;
    blocked_by(&space, "acme", "User {}-allowed/ada").await;
    let namespaces: Api<KubeNamespace> = Api::all(space.client.clone());
    let unlabelled = Patch::Merge(json!({"metadata": {"labels": {"team": null}}}));
    namespaces.patch(&allowed, &PatchParams::default(), &unlabelled).await.unwrap();
    space.gone("acme").await;
}
