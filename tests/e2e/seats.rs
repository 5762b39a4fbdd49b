//! Who comes first to the seats of a plan, when the store is lost and when seats are for a role.

use std::fs;

use keyreeve::api::{Namespace, Role, User};
use serde_json::{Value, json};

use crate::support::{Conditions, Operator, Space, named, so_that_the_next_is_younger};

const FILES: [&str; 3] = ["store.db", "store.db-wal", "store.db-shm"];

async fn acme_with(space: &Space, plan: Value) {
    let spec = json!({"keystore": {"algorithm": "ES256"}, "planDetails": plan});
    space.make_profile("small", spec).await;
    space.made_tenant("acme", json!({"profileRef": {"name": "small"}})).await;
}

/// The store is as it was at the copy, or empty if there is none.
fn restore(space: &Space, copy: bool) {
    for file in FILES {
        // The last two may be gone already.
        let _ = fs::remove_file(space.folder().join(file));
    }
    if copy {
        fs::copy(space.folder().join("copy.db"), space.store_file()).unwrap();
    }
}

async fn those_who_had_a_seat_keep_it(name: &str, from_a_copy: bool) {
    let space = Space::new(name).await;
    let operator = Operator::start(&space);
    acme_with(&space, json!({"maxUsers": 4, "administrators": 1})).await;
    // Everything is in the copy but the users who have a seat later.
    space.made::<Role>("admin", json!({"administrator": true})).await;
    assert!(operator.stop().await.success());
    fs::copy(space.store_file(), space.folder().join("copy.db")).unwrap();

    let operator = Operator::start(&space);
    // Last in the alphabet, and so in many an order.
    space.made::<User>("zoe", json!({"roles": named(&["admin"])})).await;
    for had in ["x-1", "x-2", "x-3"] {
        space.made::<User>(had, json!({})).await;
    }
    operator.kill();
    restore(&space, from_a_copy);
    for number in 0..20 {
        space.in_acme::<User>(&format!("a-{number}"), json!({})).await;
    }
    space.change::<User>("x-1", json!({"roles": named(&["admin"])})).await;

    let _operator = Operator::start(&space);
    for number in 0..20 {
        let name = format!("a-{number}");
        let late = space.stalls::<User>(&name, "QuotaExceeded").await;
        assert!(late.status.unwrap().store.is_none());
    }
    let late = space.stalls::<User>("x-1", "QuotaExceeded").await;
    assert!(
        late.message().ends_with("The user is in the store without admin"),
        "{}",
        late.message()
    );
    for had in ["zoe", "x-2", "x-3"] {
        space.well::<User>(had).await;
    }
    let mut database = space.database().await;
    assert_eq!(database.users().await, ["acme/x-1", "acme/x-2", "acme/x-3", "acme/zoe"]);
    assert_eq!(database.grants().await, ["zoe > admin"]);
    assert!(!space.events("a-0").await.is_empty());
}

#[tokio::test]
async fn who_had_a_seat_has_it_again_after_the_loss_of_the_store() {
    those_who_had_a_seat_keep_it("seats-lost", false).await;
}

#[tokio::test]
async fn who_had_a_seat_has_it_again_after_a_restore_of_the_store() {
    those_who_had_a_seat_keep_it("seats-restored", true).await;
}

#[tokio::test]
async fn a_restart_says_nothing_new_to_those_who_wait() {
    let space = Space::new("seats-restart").await;
    let operator = Operator::start(&space);
    acme_with(&space, json!({"maxUsers": 9, "maxRoles": 2, "maxNamespaces": 1})).await;
    space.made::<User>("ada", json!({"email": "ada@example.com"})).await;
    space.made::<User>("eve", json!({})).await;
    space.made::<Role>("clerk", json!({})).await;
    // There are seats for both, and something else is wrong. Where the address is an older one's, that is
    // said before any seat is asked for.
    so_that_the_next_is_younger().await;
    space.in_acme::<User>("bob", json!({"email": "ada@example.com"})).await;
    space.in_acme::<Role>("double", json!({"name": "clerk"})).await;
    let user = space.stalls::<User>("bob", "Conflict").await;
    let role = space.stalls::<Role>("double", "Conflict").await;
    // And for this one there is none.
    space.made::<Namespace>("sales", json!({})).await;
    space.in_acme::<Namespace>("stock", json!({})).await;
    let namespace = space.stalls::<Namespace>("stock", "QuotaExceeded").await;
    operator.kill();
    let operator = Operator::start(&space);
    for known in ["ada", "eve"] {
        space.look_again::<User>(known).await;
    }
    let conditions = |user: User| user.status.unwrap().conditions;
    assert_eq!(conditions(user), conditions(space.look_again::<User>("bob").await));
    let again = space.look_again::<Namespace>("stock").await;
    assert_eq!(namespace.status.unwrap().conditions, again.status.unwrap().conditions);
    let again = space.look_again::<Role>("double").await;
    assert_eq!(role.status.unwrap().conditions, again.status.unwrap().conditions);
    assert!(!operator.log().contains("SeatsReserved"));
}

#[tokio::test]
async fn a_seat_for_a_role_ends_the_same_whether_the_role_or_the_user_comes_first() {
    let space = Space::new("seats-role").await;
    let _operator = Operator::start(&space);
    acme_with(&space, json!({"administrators": 1})).await;
    space.made::<Role>("admin", json!({"administrator": true})).await;
    space.made::<Role>("clerk", json!({})).await;
    space.made::<User>("ada", json!({"roles": named(&["admin"])})).await;

    let both = json!({"roles": named(&["clerk", "admin", "late"])});
    space.in_acme::<User>("first", both.clone()).await;
    let says = "spec.roles: the plan allows 1 administrators (planDetails.administrators), and there are as many: raise the limit in the TenantProfile, or take the role from one of them. The user is in the store without";
    let first = space.stalls::<User>("first", "QuotaExceeded").await;
    assert_eq!(first.message(), format!("{says} admin"));
    space.made::<Role>("late", json!({"composites": named(&["admin"])})).await;
    let says_both = format!("{says} admin, late");
    let told = |user: &User| user.message() == says_both;
    space.see("first", "told of both roles", told).await;
    space.in_acme::<User>("second", both).await;
    space.see("second", "told of both roles", told).await;
    let mut database = space.database().await;
    let without = ["ada > admin", "first > clerk", "second > clerk"];
    assert_eq!(database.grants().await, without);

    // Nothing is written while it waits.
    let version = database.version().await;
    space.look_again::<User>("second").await;
    assert_eq!(database.version().await, version);

    space.remove::<User>("ada").await;
    space.change::<User>("second", json!({"roles": named(&["clerk"])})).await;
    space.well::<User>("first").await;
    space.well::<User>("second").await;
    let grants = database.grants().await;
    assert_eq!(grants, ["first > admin", "first > clerk", "first > late", "second > clerk"]);
}
