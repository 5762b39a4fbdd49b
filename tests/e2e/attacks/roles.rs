//! Roles that Eve wants to hold, to contain, or to be.

use keyreeve::api::{Namespace, Role, Tenant, User};
use serde_json::json;

use super::{Attack, named};
use crate::support::{Conditions, Member, until};

#[tokio::test]
async fn a_role_of_another_tenant_is_neither_held_nor_contained_nor_redefined() {
    let mut attack = Attack::new("att-tenant").await;
    attack.make_evil().await;
    attack.space.made::<Role>("boss", json!({"administrator": true})).await;
    let before = attack.everything().await;
    let boss = json!([attack.alices("boss")]);
    attack.eve_creates_at_home::<User>("holder", json!({"roles": boss})).await;
    attack.denied::<User>("holder", "NotAllowed").await;
    attack.eve_creates_at_home::<Role>("around", json!({"composites": boss})).await;
    attack.denied::<Role>("around", "NotAllowed").await;
    // Named as hers, in a tenant that does not let her in.
    let redefined = json!({"name": "boss", "rules": [{"paths": ["/*"], "methods": ["*"]}]});
    attack.eve_creates::<Role>("mine", redefined).await;
    attack.denied::<Role>("mine", "NotAllowed").await;
    attack.eve_creates::<User>("guest", json!({"roles": boss})).await;
    attack.denied::<User>("guest", "NotAllowed").await;
    attack.eve_creates::<Namespace>("sales", json!({})).await;
    attack.denied::<Namespace>("sales", "NotAllowed").await;

    // Where Alice lets Eve use the Role, it still is one of Alice's tenant.
    let allow = json!({"allowedFrom": attack.to_eve()});
    attack.space.change::<Role>("boss", allow).await;
    attack.denied::<User>("holder", "TenantMismatch").await;
    attack.denied::<Role>("around", "TenantMismatch").await;
    attack.denied::<User>("guest", "NotAllowed").await;
    let after = attack.everything().await;
    let acme: Vec<_> = after.iter().filter(|row| row.contains("acme")).cloned().collect();
    assert_eq!(acme, before);
    assert!(attack.database.grants().await.is_empty());
    assert!(attack.database.composites().await.is_empty());

    // What never came in goes without a trace.
    for role in ["mine", "around"] {
        attack.eve_removes::<Role>(role).await;
    }
    for user in ["holder", "guest"] {
        attack.eve_removes::<User>(user).await;
    }
    attack.eve_removes::<Namespace>("sales").await;
    assert_eq!(attack.everything().await, before);
    attack.space.well::<Role>("boss").await;
}

#[tokio::test]
async fn within_a_tenant_what_is_another_teams_takes_a_grant_of_its_own() {
    let mut attack = Attack::new("att-within").await;
    attack.let_eve_in().await;
    attack.space.made::<Namespace>("sales", json!({})).await;
    attack.space.made::<Role>("boss", json!({"description": "Alice's"})).await;
    let placed = json!({"name": "clerk", "namespaceRef": {"name": "sales"}});
    attack.space.made::<Role>("sales-clerk", placed).await;
    let before = attack.everything().await;
    // There, or not there: the same answer.
    for role in ["boss", "nobody"] {
        let roles = json!([attack.alices(role)]);
        let (user, around) = (format!("holds-{role}"), format!("around-{role}"));
        attack.eve_creates::<User>(&user, json!({"roles": roles})).await;
        attack.eve_creates::<Role>(&around, json!({"composites": roles})).await;
        let (user, around) = (
            attack.denied::<User>(&user, "NotAllowed").await,
            attack.denied::<Role>(&around, "NotAllowed").await,
        );
        for message in [user.message(), around.message()] {
            assert!(
                message.contains("is not there, or its allowedFrom does not name"),
                "{message}"
            );
        }
    }
    let place = json!({"namespaceRef": attack.alices("sales")});
    attack.eve_creates::<Role>("intruder", place).await;
    attack.denied::<Role>("intruder", "NotAllowed").await;
    // Her own grant says nothing of Alice's, and her own identity Namespace of that name is none.
    let own =
        json!({"name": "boss", "allowedFrom": [{"matchNames": ["*"]}], "description": "Eve's"});
    attack.eve_creates::<Role>("mine", own).await;
    attack.is_taken::<Role>("mine", &["sales-clerk"]).await;
    attack.eve_creates::<Namespace>("market", json!({"name": "sales"})).await;
    attack.is_taken::<Namespace>("market", &["sales-clerk"]).await;
    let in_it = json!({"name": "clerk", "namespaceRef": {"name": "market"}});
    attack.eve_creates::<Role>("clerk", in_it).await;
    attack.denied::<Role>("clerk", "NamespaceNotFound").await;
    attack.eve_creates::<User>("mallory", json!({"roles": named(&["mine", "clerk"])})).await;
    attack.denied::<User>("mallory", "RoleNotFound").await;

    assert!(attack.database.grants().await.is_empty());
    assert!(attack.database.composites().await.is_empty());
    for role in ["mine", "clerk", "intruder", "around-boss", "around-nobody"] {
        attack.eve_removes::<Role>(role).await;
    }
    attack.eve_removes::<Namespace>("market").await;
    for user in ["mallory", "holds-boss", "holds-nobody"] {
        attack.eve_removes::<User>(user).await;
    }
    assert_eq!(attack.everything().await, before);
}

#[tokio::test]
async fn a_role_whose_grant_is_withdrawn_stays_where_it_is_and_comes_to_nobody_else() {
    let mut attack = Attack::new("att-withdrawn").await;
    attack.let_eve_in().await;
    let allow = json!({"allowedFrom": attack.to_eve()});
    attack.space.made::<Role>("boss", allow.clone()).await;
    let boss = json!([attack.alices("boss")]);
    attack.eve_creates::<User>("first", json!({"roles": boss})).await;
    attack.eves_is_well::<User>("first").await;
    attack.eve_creates::<Role>("around", json!({"composites": boss})).await;
    attack.eves_is_well::<Role>("around").await;
    let before = attack.everything().await;

    attack.space.change::<Role>("boss", json!({"allowedFrom": null})).await;
    attack.denied::<User>("first", "NotAllowed").await;
    attack.denied::<Role>("around", "NotAllowed").await;
    assert_eq!(attack.everything().await, before, "the store is as it was");
    attack.eve_creates::<User>("second", json!({"roles": boss})).await;
    attack.denied::<User>("second", "NotAllowed").await;
    attack.eve_creates::<Role>("another", json!({"composites": boss})).await;
    attack.denied::<Role>("another", "NotAllowed").await;
    assert_eq!(attack.database.grants().await, ["first > boss"]);
    assert_eq!(attack.database.composites().await, ["around > boss"]);

    // What another hand has taken does not come back.
    attack.database.execute("DELETE FROM user_roles").await;
    attack.eve_changes::<User>("first", json!({"firstName": "First"})).await;
    attack.denied::<User>("first", "NotAllowed").await;
    assert!(attack.database.grants().await.is_empty());
    for user in ["first", "second"] {
        attack.eve_removes::<User>(user).await;
    }
    for role in ["around", "another"] {
        attack.eve_removes::<Role>(role).await;
    }
    assert_eq!(attack.database.roles().await, ["boss"]);
    assert!(attack.database.users().await.is_empty());
    attack.space.well::<Role>("boss").await;
}

#[tokio::test]
async fn who_may_have_users_in_a_tenant_may_not_have_roles_or_namespaces_there() {
    let mut attack = Attack::new("att-kinds").await;
    let users = json!([{"matchNames": [attack.eve], "kinds": ["User"]}]);
    attack.space.merge::<Tenant>("acme", json!({"spec": {"allowedFrom": users}})).await;
    attack.space.ready("acme").await;
    let rules = json!([{"paths": ["/*"], "methods": ["*"]}]);
    attack.eve_creates::<Role>("boss", json!({"administrator": true, "rules": rules})).await;
    attack.denied::<Role>("boss", "NotAllowed").await;
    attack.eve_creates::<Namespace>("sales", json!({})).await;
    attack.denied::<Namespace>("sales", "NotAllowed").await;
    attack.eve_creates::<User>("mallory", json!({"roles": named(&["boss"])})).await;
    attack.denied::<User>("mallory", "RoleNotFound").await;
    assert_eq!(attack.database.users().await, ["acme/mallory"]);
    assert_eq!(attack.everything().await.len(), 1, "and nothing else");
    // What is denied keeps no name from Alice.
    attack.space.made::<Role>("boss", json!({})).await;
    attack.space.made::<Namespace>("sales", json!({})).await;
    assert!(attack.database.grants().await.is_empty());
}

#[tokio::test]
async fn a_tenant_whose_grant_is_withdrawn_keeps_what_it_has_and_lets_in_nobody_else() {
    let mut attack = Attack::new("att-closed").await;
    attack.let_eve_in().await;
    attack.eve_creates::<Role>("clerk", json!({})).await;
    attack.eves_is_well::<Role>("clerk").await;
    attack.eve_creates::<User>("first", json!({"roles": named(&["clerk"])})).await;
    attack.eves_is_well::<User>("first").await;
    let before = attack.everything().await;
    attack.space.merge::<Tenant>("acme", json!({"spec": {"allowedFrom": null}})).await;
    attack.denied::<User>("first", "NotAllowed").await;
    attack.denied::<Role>("clerk", "NotAllowed").await;
    attack.eve_changes::<User>("first", json!({"email": "eve@acme.example"})).await;
    attack.denied::<User>("first", "NotAllowed").await;
    attack.eve_creates::<User>("second", json!({})).await;
    attack.denied::<User>("second", "NotAllowed").await;
    assert_eq!(attack.everything().await, before);

    // Alice's own come in, and what Eve had can go.
    attack.space.made::<User>("ada", json!({})).await;
    for user in ["first", "second"] {
        attack.eve_removes::<User>(user).await;
    }
    attack.eve_removes::<Role>("clerk").await;
    assert_eq!(attack.database.users().await, ["acme/ada"]);
    assert!(attack.database.roles().await.is_empty());
}

#[tokio::test]
async fn an_object_changes_its_tenant_only_as_a_new_one_that_is_asked_for_its_grant() {
    let mut attack = Attack::new("att-moves").await;
    attack.let_eve_in().await;
    attack.make_evil().await;
    attack.eve_creates::<Role>("clerk", json!({})).await;
    attack.eves_is_well::<Role>("clerk").await;
    attack.eve_creates::<User>("ada", json!({"roles": named(&["clerk"])})).await;
    let id = attack.eves_is_well::<User>("ada").await.status.unwrap().id;

    let home = json!({"spec": {"tenantRef": {"name": "evil", "namespace": null}}});
    let patch = kube::api::Patch::Merge(home);
    let moved =
        attack.eves::<User>().patch("ada", &kube::api::PatchParams::default(), &patch).await;
    assert!(moved.unwrap_err().to_string().contains("immutable"), "tenantRef");
    attack.eve_removes::<User>("ada").await;
    attack.eve_removes::<Role>("clerk").await;
    attack.eve_creates_at_home::<Role>("clerk", json!({})).await;
    attack.eve_creates_at_home::<User>("ada", json!({"roles": named(&["clerk"])})).await;
    let moved = attack.eves_is_well::<User>("ada").await;
    assert_ne!(moved.status.unwrap().id, id, "it is another user");
    let rows = attack.everything().await;
    assert!(!rows.is_empty() && rows.iter().all(|row| row.contains("evil")), "{rows:#?}");

    // And back, where nobody lets her in any more.
    attack.space.merge::<Tenant>("acme", json!({"spec": {"allowedFrom": null}})).await;
    attack.eve_removes::<User>("ada").await;
    attack.eve_creates::<User>("ada", json!({})).await;
    attack.denied::<User>("ada", "NotAllowed").await;
    let acme = attack.everything().await.into_iter().filter(|row| row.contains("acme"));
    assert_eq!(acme.count(), 0);
    let tenant = |user: &User| user.is_told() && user.status.as_ref().unwrap().tenant_id.is_none();
    until(attack.eves::<User>(), "ada", "of no tenant", tenant).await;
}
