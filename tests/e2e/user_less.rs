//! Less right gets through, whatever else is wrong with a User: the login switched off, and roles taken.

use keyreeve::api::{Role, TenantProfile, User};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::{Conditions, Member as _, Operator, Space, named};

/// Each thing that can be wrong with a User that is in the store, and how status calls it.
fn wrongs() -> Vec<(&'static str, Value)> {
    vec![
        ("Conflict", json!({"email": "bob@example.com"})),
        ("InvalidSpec", json!({"claims": {"a": "x".repeat(40_000)}})),
        ("TenantMismatch", json!({"roles": named(&["clerk", "of-another"])})),
    ]
}

#[tokio::test]
async fn who_is_shut_out_is_shut_out_whatever_else_is_wrong() {
    let (space, _operator, mut database) = Space::with_acme("less", json!({})).await;
    space.made_tenant("second", json!({})).await;
    space.create::<Role>("of-another", json!({"tenantRef": {"name": "second"}})).await;
    for role in ["clerk", "boss"] {
        space.made::<Role>(role, json!({})).await;
    }
    space.made::<User>("bob", json!({"email": "bob@example.com"})).await;
    for (number, (reason, wrong)) in wrongs().into_iter().enumerate() {
        let name = format!("ada-{number}");
        space.made::<User>(&name, json!({"roles": named(&["clerk", "boss"])})).await;
        let mut change = json!({"enabled": false, "roles": named(&["clerk"])});
        change.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        space.change::<User>(&name, change).await;
        let shut_out = |user: &User| {
            let status = user.status.as_ref().unwrap();
            user.has_reason(reason)
                && status.enabled == Some(false)
                && status.roles.iter().map(|role| &role.name).eq(["clerk"])
        };
        space.see(&name, &format!("shut out beside {reason}"), shut_out).await;
        let grants = database.grants().await;
        assert_eq!(grants, [format!("{name} > clerk")], "{reason}");
        let users = database.users().await;
        assert!(users.contains(&format!("acme/{name} !")), "{reason}: {users:?}");

        // More right waits for the mending.
        let more = json!({"enabled": true, "roles": named(&["boss", "clerk", "of-another"])});
        space.change::<User>(&name, more).await;
        let stalled = |user: &User| {
            user.is_told() && (user.is_stalled(reason) || user.is_stalled("TenantMismatch"))
        };
        space.see(&name, "stalled", stalled).await;
        assert_eq!(database.grants().await, grants, "{reason}");
        assert_eq!(database.users().await, users, "{reason}");
        space.remove::<User>(&name).await;
    }
}

#[tokio::test]
async fn a_list_that_is_taken_out_of_the_spec_takes_its_roles_although_the_rest_waits() {
    let (space, _operator, mut database) = Space::with_acme("less-list", json!({})).await;
    space.made::<Role>("clerk", json!({})).await;
    space.made::<User>("bob", json!({"email": "bob@example.com"})).await;
    space.made::<User>("ada", json!({"roles": named(&["clerk"])})).await;
    let change = json!({"roles": null, "email": "bob@example.com", "firstName": "Ada"});
    space.change::<User>("ada", change).await;
    let ada = space.stalls::<User>("ada", "Conflict").await;
    // Whether the operator or the store finds out depends on the second in which each was made.
    let said = ada.message();
    assert!(said.starts_with("spec.email: ") && said.contains("User bob"), "{said}");
    assert!(database.grants().await.is_empty());
    space.change::<User>("ada", json!({"email": null})).await;
    space.well::<User>("ada").await;
    let name = "SELECT first_name FROM v1_users WHERE username = 'ada'";
    assert_eq!(database.text(name).await.as_deref(), Some("Ada"));
}

/// The operator knows of no older claim, and the store does.
#[tokio::test]
async fn an_address_that_only_the_store_knows_to_be_taken_is_named_with_its_field() {
    let (space, operator, mut database) = Space::with_acme("less-email", json!({})).await;
    space.made::<User>("ada", json!({})).await;
    space.made::<User>("bob", json!({})).await;
    operator.kill();
    database.execute("UPDATE users SET email = 'x@example.com', email_key = 'x@example.com' WHERE username = 'bob'").await;
    space.change::<User>("ada", json!({"email": "x@example.com"})).await;
    let _operator = Operator::start(&space);
    let ada = space.stalls::<User>("ada", "Conflict").await;
    assert_eq!(
        ada.message(),
        "spec.email: another user has this email address: choose another one"
    );
}

/// The operator may have died, or been refused, between the store and status.
#[tokio::test]
async fn status_tells_what_was_taken_also_where_it_was_not_told_at_once() {
    let space = Space::new("less-status").await;
    let _operator = Operator::start(&space);
    let plan = |has: bool| json!({"planDetails": {"userManagement": has}});
    let mut profile = plan(true);
    profile["keystore"] = json!({"algorithm": "ES256"});
    space.make_profile("small", profile).await;
    space.made_tenant("acme", json!({"profileRef": {"name": "small"}})).await;
    space.made::<User>("ada", json!({})).await;
    space.merge::<TenantProfile>("small", json!({"spec": plan(false)})).await;
    space.stalls::<User>("ada", "NotInPlan").await;
    space.change::<User>("ada", json!({"enabled": false})).await;
    let shut_out = |user: &User| {
        user.has_reason("NotInPlan") && user.status.as_ref().unwrap().enabled == Some(false)
    };
    space.see("ada", "shut out", shut_out).await;

    let untrue = Patch::Merge(json!({"status": {"enabled": true}}));
    let users = space.api::<User>();
    users.patch_status("ada", &PatchParams::default(), &untrue).await.unwrap();
    space.look_again::<User>("ada").await;
    space.see("ada", "shut out", shut_out).await;
}
