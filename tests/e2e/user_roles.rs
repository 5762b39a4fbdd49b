//! The roles that Users hold: granted, through others, waited for, withdrawn, and taken away.

use keyreeve::api::{Namespace, Role, Tenant, User};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::support::{Audit, Conditions, Operator, Space, eventually, named, until, until_gone};

/// What status says that the user holds: `namespace/name < through`.
fn held(user: &User) -> Vec<String> {
    let roles = &user.status.as_ref().unwrap().roles;
    roles
        .iter()
        .map(|role| {
            let namespace = role.namespace.iter().map(|namespace| format!("{namespace}/"));
            let through = role.through.iter().map(|through| format!(" < {through}"));
            namespace.chain([role.name.clone()]).chain(through).collect()
        })
        .collect()
}

async fn holds(space: &Space, user: &str, expected: &[&str]) {
    let so = |user: &User| user.is_ready() && held(user) == expected;
    space.see(user, &format!("holding {expected:?}"), so).await;
}

#[tokio::test]
async fn status_names_every_role_and_the_way_to_it_and_follows_changes_far_away() {
    let (space, _operator, mut database) = Space::with_acme("user-roles", json!({})).await;
    space.made::<Namespace>("sales", json!({})).await;
    space.made::<Role>("reader", json!({"namespaceRef": {"name": "sales"}})).await;
    space.made::<Role>("clerk", json!({"composites": named(&["reader"])})).await;
    space.made::<Role>("boss", json!({"composites": named(&["clerk"])})).await;
    space.made::<User>("ada", json!({"roles": named(&["boss"])})).await;
    holds(&space, "ada", &["boss", "clerk < boss", "sales/reader < boss"]).await;
    assert_eq!(database.grants().await, ["ada > boss"]);

    space.made::<Role>("auditor", json!({})).await;
    space.change::<Role>("clerk", json!({"composites": named(&["auditor"])})).await;
    holds(&space, "ada", &["boss", "clerk < boss", "auditor < boss"]).await;
    space.change::<User>("ada", json!({"roles": named(&["boss", "auditor"])})).await;
    holds(&space, "ada", &["auditor", "boss", "clerk < boss"]).await;
    space.change::<Role>("boss", json!({"composites": []})).await;
    holds(&space, "ada", &["auditor", "boss"]).await;
}

#[tokio::test]
async fn a_role_that_comes_later_is_given_at_once_and_one_that_goes_is_taken() {
    let (space, _operator, mut database) = Space::with_acme("user-waits", json!({})).await;
    space.made::<Role>("clerk", json!({})).await;
    space.in_acme::<User>("ada", json!({"roles": named(&["clerk", "boss"])})).await;
    let ada = space.waits::<User>("ada", "RoleNotFound").await;
    assert!(
        ada.message().contains("spec.roles: Role (roles.keyreeve.dev) boss is not there"),
        "{}",
        ada.message()
    );
    assert_eq!(database.grants().await, ["ada > clerk"], "what there is, is given");
    space.made::<Role>("boss", json!({})).await;
    space.well::<User>("ada").await;
    assert_eq!(database.grants().await, ["ada > boss", "ada > clerk"]);

    space.remove::<Role>("clerk").await;
    let ada = space.waits::<User>("ada", "RoleNotFound").await;
    assert_eq!(held(&ada), ["boss"]);
    assert_eq!(database.grants().await, ["ada > boss"]);
    // Kept in the store, it is no Role any more, and nobody's to grant.
    space.change::<Role>("boss", json!({"deletionPolicy": "Retain"})).await;
    space.well::<Role>("boss").await;
    space.remove::<Role>("boss").await;
    eventually("it is taken as well", async || database.grants().await.is_empty()).await;
}

#[tokio::test]
async fn what_was_missing_ends_the_wait_and_nobody_looks_before() {
    let (space, _operator, _database) = Space::with_acme("user-order", json!({})).await;
    space.in_acme::<User>("ada", json!({"roles": named(&["boss"])})).await;
    space.waits::<User>("ada", "RoleNotFound").await;
    let audit = Audit::begin(&space);
    space.made::<Role>("boss", json!({})).await;
    space.well::<User>("ada").await;
    let writes = audit.taken();
    let last = |write: &str| writes.iter().rposition(|done| done == write);
    let (role, user) = (last("patch roles/status boss"), last("patch users/status ada"));
    assert!(role.is_some() && role < user, "{writes:?}");
    // One more at most, when the Role was there and not yet in the store.
    let looks = writes.iter().filter(|done| *done == "patch users/status ada").count();
    assert!(looks <= 2, "{writes:?}");
}

#[tokio::test]
async fn a_role_whose_status_is_lost_is_taken_from_nobody() {
    let (space, _operator, mut database) = Space::with_acme("user-status-lost", json!({})).await;
    space.made::<Role>("part", json!({})).await;
    space.made::<Role>("boss", json!({"composites": named(&["part"])})).await;
    space.made::<User>("ada", json!({"roles": named(&["boss", "part"])})).await;
    for note in [
        "CREATE TABLE noted (what)",
        "CREATE TRIGGER of_users AFTER DELETE ON user_roles BEGIN INSERT INTO noted VALUES (old.role_name); END",
        "CREATE TRIGGER of_roles AFTER DELETE ON role_composites BEGIN INSERT INTO noted VALUES (old.role_name); END",
    ] {
        database.execute(note).await;
    }
    for role in ["part", "boss"] {
        let nothing = Patch::Merge(json!({"status": null}));
        let roles = space.api::<Role>();
        roles.patch_status(role, &PatchParams::default(), &nothing).await.unwrap();
    }
    for role in ["part", "boss"] {
        space.well::<Role>(role).await;
        space.look_again::<Role>(role).await;
    }
    space.look_again::<User>("ada").await;
    holds(&space, "ada", &["boss", "part"]).await;
    assert_eq!(database.texts("SELECT what FROM noted").await, Vec::<String>::new());
    assert_eq!(database.grants().await, ["ada > boss", "ada > part"]);
}

#[tokio::test]
async fn what_was_granted_is_taken_out_again_and_nothing_else() {
    let (space, _operator, mut database) = Space::with_acme("user-managed", json!({})).await;
    space.made::<Role>("clerk", json!({})).await;
    space.made::<Role>("guest", json!({})).await;
    space.made::<User>("ada", json!({})).await;
    database.execute("INSERT INTO roles (tenant_id, name) VALUES ('acme', 'by-hand')").await;
    for give in [
        "INSERT INTO user_roles (tenant_id, username, role_name) VALUES ('acme', 'ada', 'by-hand')",
        "INSERT INTO user_roles (tenant_id, username, role_name) VALUES ('acme', 'ada', 'guest')",
    ] {
        database.execute(give).await;
    }
    space.look_again::<User>("ada").await;
    assert_eq!(
        database.grants().await,
        ["ada > by-hand", "ada > guest"],
        "never set is not managed"
    );
    space.change::<User>("ada", json!({"roles": named(&["clerk"])})).await;
    space.well::<User>("ada").await;
    assert_eq!(database.grants().await, ["ada > by-hand", "ada > clerk"]);
    space.change::<User>("ada", json!({"roles": []})).await;
    space.well::<User>("ada").await;
    assert_eq!(database.grants().await, ["ada > by-hand"]);
    space.change::<User>("ada", json!({"roles": named(&["clerk", "guest"])})).await;
    space.well::<User>("ada").await;
    space.change::<User>("ada", json!({"roles": null})).await;
    space.well::<User>("ada").await;
    assert_eq!(database.grants().await, ["ada > by-hand"]);
    database
        .execute("INSERT INTO user_roles (tenant_id, username, role_name) VALUES ('acme', 'ada', 'guest')")
        .await;
    space.look_again::<User>("ada").await;
    assert_eq!(database.grants().await, ["ada > by-hand", "ada > guest"], "not managed again");
}

#[tokio::test]
async fn a_grant_across_namespaces_is_asked_and_one_withdrawn_leaves_the_store_as_it_is() {
    let (space, operator, mut database) = Space::with_acme("user-grant", json!({})).await;
    operator.kill();
    let team = space.another("team", &[]).await;
    let _operator = Operator::start_with(&space, &["--watch-namespace", &team]);
    let allow = json!({"spec": {"allowedFrom": [{"matchNames": [team]}]}});
    space.merge::<Tenant>("acme", allow.clone()).await;
    let here = |name: &str| json!({"name": name, "namespace": space.namespace});
    let user = json!({"tenantRef": here("acme"), "roles": [here("boss")]});
    space.create_in::<User>(&team, "ada", user).await;
    let there: Api<User> = Api::namespaced(space.client.clone(), &team);
    let refused = |user: &User| user.is_reconciling("NotAllowed");
    let missing = until(there.clone(), "ada", "not allowed", refused).await;
    space.made::<Role>("boss", json!({})).await;
    let patch = |change: Value| {
        let there = there.clone();
        async move { there.patch("ada", &PatchParams::default(), &Patch::Merge(change)).await.unwrap() }
    };
    patch(json!({"spec": {"firstName": "Ada"}})).await;
    let forbidden = until(there.clone(), "ada", "still not allowed", |user: &User| {
        refused(user)
            && user.condition("Ready").map(|ready| ready.observed_generation)
                == user.metadata.generation
    })
    .await;
    assert_eq!(forbidden.message(), missing.message(), "nobody learns what others have");
    assert!(database.grants().await.is_empty());

    space.merge::<Role>("boss", allow).await;
    until(there.clone(), "ada", "Ready", User::is_ready).await;
    assert_eq!(database.grants().await, ["ada > boss"]);
    space.merge::<Role>("boss", json!({"spec": {"allowedFrom": null}})).await;
    until(there.clone(), "ada", "not allowed any more", refused).await;
    assert_eq!(database.grants().await, ["ada > boss"], "the store stays as it is");
    patch(json!({"spec": {"roles": []}})).await;
    until(there.clone(), "ada", "Ready", User::is_ready).await;
    assert!(database.grants().await.is_empty());
}

#[tokio::test]
async fn a_role_whose_grant_is_withdrawn_while_its_status_is_lost_is_taken_from_nobody() {
    let (space, operator, mut database) = Space::with_acme("user-grant-lost", json!({})).await;
    operator.kill();
    let team = space.another("team", &[]).await;
    let flags = ["--watch-namespace", team.as_str()];
    let operator = Operator::start_with(&space, &flags);
    let allow = json!({"allowedFrom": [{"matchNames": [team]}]});
    space.merge::<Tenant>("acme", json!({"spec": allow})).await;
    space.made::<Role>("boss", allow).await;
    let here = |name: &str| json!({"name": name, "namespace": space.namespace});
    let user = json!({"tenantRef": here("acme"), "roles": [here("boss")]});
    space.create_in::<User>(&team, "ada", user).await;
    let there: Api<User> = Api::namespaced(space.client.clone(), &team);
    until(there.clone(), "ada", "Ready", User::is_ready).await;
    for note in [
        "CREATE TABLE noted (what)",
        "CREATE TRIGGER of_users AFTER DELETE ON user_roles BEGIN INSERT INTO noted VALUES (old.role_name); END",
    ] {
        database.execute(note).await;
    }
    // The Role's own turn never comes, so that its status stays lost.
    let paused = json!({
        "metadata": {"annotations": {"keyreeve.dev/paused": "true"}}, "spec": {"allowedFrom": null},
    });
    operator.kill();
    space.merge::<Role>("boss", paused).await;
    let nothing = Patch::Merge(json!({"status": null}));
    let roles = space.api::<Role>();
    roles.patch_status("boss", &PatchParams::default(), &nothing).await.unwrap();
    let _operator = Operator::start_with(&space, &flags);
    let refused = |user: &User| user.is_reconciling("NotAllowed");
    until(there.clone(), "ada", "not allowed any more", refused).await;
    let status = space.api::<Role>().get("boss").await.unwrap().status;
    assert!(status.is_none_or(|status| status.store.is_none()), "its status is still lost");
    assert_eq!(database.grants().await, ["ada > boss"]);
    assert_eq!(database.texts("SELECT what FROM noted").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_namespace_that_goes_names_its_roles_and_to_whom_they_are_granted() {
    let (space, _operator, _database) = Space::with_acme("user-namespace", json!({})).await;
    space.made::<Namespace>("sales", json!({})).await;
    space.made::<Role>("clerk", json!({"namespaceRef": {"name": "sales"}})).await;
    space.made::<User>("ada", json!({"roles": named(&["clerk"])})).await;
    space.let_go::<Namespace>("sales").await;
    let sales = space.waits::<Namespace>("sales", "DeletionBlocked").await;
    let place = &space.namespace;
    let said = format!("Role {place}/clerk. Who holds it loses it: User {place}/ada");
    assert!(sales.message().contains(&said), "{}", sales.message());
    space.let_go::<Role>("clerk").await;
    until_gone(space.api::<Namespace>(), "sales").await;
    space.waits::<User>("ada", "RoleNotFound").await;
}
