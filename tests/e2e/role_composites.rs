//! Roles that contain roles: in any order, across Namespaces, in circles, taken away again.

use keyreeve::api::{Namespace, Role};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::support::{Conditions, Operator, Space, named, until};

/// A space with an operator and the tenant `acme`.
fn of(parts: &[&str]) -> Value {
    json!({"composites": named(parts)})
}

/// Waits until each of these lies on a circle, and says so in these words.
async fn circles(space: &Space, said: &[(&str, &str)]) {
    for (role, circle) in said {
        let message = format!("roles contain each other in a circle: {circle}. Take");
        let stalls =
            |role: &Role| role.is_stalled("RoleCycle") && role.message().contains(&message);
        space.see(role, circle, stalls).await;
    }
}

#[tokio::test]
async fn parts_may_be_in_other_namespaces_and_may_come_later() {
    let (space, _operator, mut database) = Space::with_acme("parts", json!({})).await;
    for namespace in ["sales", "stock"] {
        space.made::<Namespace>(namespace, json!({})).await;
    }
    space.made::<Role>("clerk", json!({"namespaceRef": {"name": "sales"}})).await;
    space.in_acme::<Role>("boss", of(&["clerk", "keeper", "guest"])).await;
    let waiting = space.waits::<Role>("boss", "RoleNotFound").await;
    for missing in ["keeper", "guest"] {
        let says = format!("spec.composites: Role (roles.keyreeve.dev) {missing} is not there");
        assert!(waiting.message().contains(&says), "{}", waiting.message());
    }
    assert!(!waiting.message().contains("clerk"), "{}", waiting.message());
    assert!(waiting.status.unwrap().store.is_some());
    assert_eq!(database.composites().await, ["boss > sales/clerk"]);
    // Who contains one that waits itself needs not wait for that.
    space.made::<Role>("chief", of(&["boss"])).await;

    let keeper = json!({"namespaceRef": {"name": "stock"}, "name": "key-keeper"});
    space.made::<Role>("keeper", keeper).await;
    let less = |role: &Role| role.has_reason("RoleNotFound") && !role.message().contains("keeper");
    space.see("boss", "waiting for one", less).await;
    space.made::<Role>("guest", json!({})).await;
    space.well::<Role>("boss").await;
    let all = ["boss > guest", "boss > sales/clerk", "boss > stock/key-keeper", "chief > boss"];
    assert_eq!(database.composites().await, all);

    space.remove::<Role>("keeper").await;
    let lost = space.waits::<Role>("boss", "RoleNotFound").await;
    assert!(lost.message().contains("keeper"), "{}", lost.message());
    assert_eq!(database.composites().await, ["boss > guest", "boss > sales/clerk", "chief > boss"]);
    space.change::<Role>("boss", of(&["clerk", "guest"])).await;
    space.well::<Role>("boss").await;
    let events = space.events("boss").await;
    assert!(events.iter().all(|event| !event.contains("Drift")), "{events:#?}");
}

#[tokio::test]
async fn a_retained_part_is_taken_from_what_contained_it() {
    let (space, _operator, mut database) = Space::with_acme("part-kept", json!({})).await;
    space.made::<Role>("clerk", json!({"deletionPolicy": "Retain"})).await;
    space.made::<Role>("boss", of(&["clerk"])).await;
    space.remove::<Role>("clerk").await;
    space.waits::<Role>("boss", "RoleNotFound").await;
    assert_eq!(database.roles().await, ["boss", "clerk"]);
    assert!(database.composites().await.is_empty());
    space.made::<Role>("clerk", json!({})).await;
    space.well::<Role>("boss").await;
    assert_eq!(database.composites().await, ["boss > clerk"]);
}

#[tokio::test]
async fn a_circle_is_named_by_each_of_its_roles_and_mends_wherever_it_is_broken() {
    let (space, _operator, mut database) = Space::with_acme("circle", json!({})).await;
    space.in_acme::<Role>("self", of(&["self"])).await;
    circles(&space, &[("self", "self → self")]).await;
    space.in_acme::<Role>("x", of(&["y"])).await;
    space.in_acme::<Role>("y", of(&["x"])).await;
    circles(&space, &[("x", "x → y → x"), ("y", "y → x → y")]).await;
    assert!(database.roles().await.is_empty());
    for (role, parts) in [("self", of(&[])), ("x", of(&[]))] {
        space.change::<Role>(role, parts).await;
        space.well::<Role>(role).await;
    }
    space.well::<Role>("y").await;
    assert_eq!(database.composites().await, ["y > x"]);

    // Those that are there and contain each other: `a > b > c`, and then `c > a`.
    let (ring, next) = (["a", "b", "c"], |role: &str| match role {
        "a" => "b",
        "b" => "c",
        _ => "a",
    });
    space.made::<Role>("c", json!({})).await;
    space.made::<Role>("b", of(&["c"])).await;
    space.made::<Role>("a", of(&["b"])).await;
    space.made::<Role>("outside", of(&["a"])).await;
    let said = [("a", "a → b → c → a"), ("b", "b → c → a → b"), ("c", "c → a → b → c")];
    let mut open = "c";
    for broken in ring {
        space.change::<Role>(open, of(&[next(open)])).await;
        circles(&space, &said).await;
        space.well::<Role>("outside").await;
        let before = format!("{open} > {}", next(open));
        assert!(!database.composites().await.contains(&before), "the store stays as it was");
        space.change::<Role>(broken, of(&[])).await;
        for role in ring {
            space.well::<Role>(role).await;
        }
        let mut left: Vec<_> = ring
            .iter()
            .filter(|role| **role != broken)
            .map(|role| format!("{role} > {}", next(role)))
            .collect();
        left.extend(["outside > a".into(), "y > x".into()]);
        assert_eq!(database.composites().await, left);
        open = broken;
    }
    // Or one of them goes.
    space.change::<Role>(open, of(&[next(open)])).await;
    circles(&space, &said).await;
    space.remove::<Role>("b").await;
    let gone = "Role (roles.keyreeve.dev) b is not there";
    let waits = |role: &Role| role.is_reconciling("RoleNotFound") && role.message().contains(gone);
    space.see::<Role>("a", gone, waits).await;
    space.well::<Role>("c").await;
}

/// None of those between shows in its status that the circle has closed or opened.
#[tokio::test]
async fn a_circle_is_noticed_through_roles_that_are_not_ready_anyhow() {
    let (space, _operator, _database) = Space::with_acme("circle-far", json!({})).await;
    space.made::<Role>("c", json!({})).await;
    space.made::<Role>("d", of(&["c"])).await;
    space.in_acme::<Role>("b", of(&["c", "missing"])).await;
    space.waits::<Role>("b", "RoleNotFound").await;
    space.made::<Role>("a", of(&["b"])).await;
    space.change::<Role>("c", of(&["a", "d"])).await;
    circles(
        &space,
        &[("a", "a → b → c → a"), ("b", "b → c → a → b"), ("c", "c → d → c"), ("d", "d → c → d")],
    )
    .await;
    space.change::<Role>("a", of(&[])).await;
    space.well::<Role>("a").await;
    space.waits::<Role>("b", "RoleNotFound").await;
    circles(&space, &[("c", "c → d → c"), ("d", "d → c → d")]).await;
    space.change::<Role>("d", of(&[])).await;
    space.well::<Role>("d").await;
    space.well::<Role>("c").await;
}

#[tokio::test]
async fn a_part_is_of_the_same_tenant_and_in_another_kubernetes_namespace_it_must_allow_it() {
    let (space, operator, mut database) = Space::with_acme("part-grant", json!({})).await;
    operator.kill();
    let team = space.another("team", &[]).await;
    let _operator = Operator::start_with(&space, &["--watch-namespace", &team]);
    space
        .merge::<keyreeve::api::Tenant>(
            "acme",
            json!({"spec": {"allowedFrom": [{"matchNames": [team]}]}}),
        )
        .await;
    space.made_tenant("other", json!({})).await;
    space.create::<Role>("foreign", json!({"tenantRef": {"name": "other"}})).await;
    space.in_acme::<Role>("boss", of(&["foreign"])).await;
    let mixed = space.stalls::<Role>("boss", "TenantMismatch").await;
    assert!(
        mixed.message().contains("spec.composites: foreign belongs to another tenant"),
        "{}",
        mixed.message()
    );

    let there: Api<Role> = Api::namespaced(space.client.clone(), &team);
    let change = async |spec: Value| {
        there
            .patch("away", &PatchParams::default(), &Patch::Merge(json!({"spec": spec})))
            .await
            .unwrap();
    };
    let away = json!({"composites": [{"name": "away", "namespace": team}]});
    space.change::<Role>("boss", away).await;
    let missing = space.waits::<Role>("boss", "NotAllowed").await.message().to_owned();
    let here = |name: &str| json!({"name": name, "namespace": space.namespace});
    space.create_in::<Role>(&team, "away", json!({"tenantRef": here("acme")})).await;
    until(there.clone(), "away", "Ready", Role::is_ready).await;
    assert_eq!(
        space.look_again::<Role>("boss").await.message(),
        missing,
        "nobody learns what others have"
    );
    change(json!({"allowedFrom": [{"matchNames": [space.namespace]}]})).await;
    space.well::<Role>("boss").await;
    assert_eq!(database.composites().await, ["boss > away"]);

    // A circle is one only where each may contain the next.
    change(json!({"composites": [here("boss")]})).await;
    until(there.clone(), "away", "not allowed", |role: &Role| role.has_reason("NotAllowed")).await;
    space.look_again::<Role>("boss").await;
    space.well::<Role>("boss").await;
    space.change::<Role>("boss", json!({"allowedFrom": [{"matchNames": [team]}]})).await;
    circles(&space, &[("boss", &format!("boss → {team}/away → boss"))]).await;
    change(json!({"composites": null, "allowedFrom": null})).await;
    until(there.clone(), "away", "Ready", Role::is_ready).await;
    let withdrawn = space.waits::<Role>("boss", "NotAllowed").await;
    assert_eq!(withdrawn.message(), missing);
}

#[tokio::test]
async fn what_was_put_there_is_taken_out_again_and_nothing_else() {
    let (space, _operator, mut database) = Space::with_acme("managed", json!({})).await;
    space.made::<Role>("clerk", json!({})).await;
    space.made::<Role>("guest", json!({})).await;
    space.made::<Role>("boss", json!({})).await;
    let give =
        "INSERT INTO role_composites (tenant_id, name, role_name) VALUES ('acme', 'boss', 'guest')";
    database.execute(give).await;
    // Never set is not managed.
    space.look_again::<Role>("boss").await;
    space.change::<Role>("boss", json!({"description": "Leads"})).await;
    space.well::<Role>("boss").await;
    assert_eq!(database.composites().await, ["boss > guest"]);

    // Roles made by hand are nobody's to manage.
    database.execute("INSERT INTO roles (tenant_id, name) VALUES ('acme', 'by-hand')").await;
    database.execute("INSERT INTO role_composites (tenant_id, name, role_name) VALUES ('acme', 'boss', 'by-hand')").await;
    space.change::<Role>("boss", of(&["clerk"])).await;
    space.well::<Role>("boss").await;
    assert_eq!(
        database.composites().await,
        ["boss > by-hand", "boss > clerk"],
        "set is authoritative"
    );
    database.execute(give).await;
    space.look_again::<Role>("boss").await;
    space.event("boss", "Warning DriftCorrected: another hand had changed role boss in the store; it is as declared again, by writing composites").await;
    assert_eq!(database.composites().await, ["boss > by-hand", "boss > clerk"]);

    space.change::<Role>("boss", json!({"composites": null})).await;
    space.well::<Role>("boss").await;
    assert_eq!(database.composites().await, ["boss > by-hand"]);
    database.execute(give).await;
    space.look_again::<Role>("boss").await;
    assert_eq!(
        database.composites().await,
        ["boss > by-hand", "boss > guest"],
        "not managed any more"
    );
    space.change::<Role>("boss", of(&[])).await;
    space.well::<Role>("boss").await;
    assert_eq!(database.composites().await, ["boss > by-hand"]);
    let version = database.version().await;
    space.look_again::<Role>("boss").await;
    assert_eq!(database.version().await, version);
}
