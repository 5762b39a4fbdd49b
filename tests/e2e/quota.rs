//! Limits of a plan: who gets a seat when many want one at once, when one becomes free, and when there are fewer.

use futures::future::join_all;
use keyreeve::api::{Namespace, Role, Tenant, TenantProfile, User};
use kube::{Api, ResourceExt, api::ListParams};
use serde_json::{Value, json};

use crate::support::{Conditions, Dice, Operator, Space, eventually};

const USERS: usize = 50;

fn profile(details: &Value) -> Value {
    json!({"keystore": {"algorithm": "ES256"}, "planDetails": details})
}

/// How many users of a tenant are Ready, and how many have no seat; each of the others is on its way.
async fn seated(space: &Space, tenant: &str) -> (usize, usize) {
    let params = ListParams::default().fields(&format!("spec.tenantRef.name={tenant}"));
    let users = space.api::<User>().list(&params).await.unwrap().items;
    let current = |user: &&User| {
        user.condition("Ready")
            .is_some_and(|ready| Some(ready.observed_generation) == user.metadata.generation)
    };
    let count =
        |is_so: fn(&User) -> bool| users.iter().filter(current).filter(|user| is_so(user)).count();
    (count(User::is_ready), count(|user| user.is_stalled("QuotaExceeded")))
}

async fn come_to(space: &Space, tenant: &str, ready: usize, waiting: usize) {
    let what = format!("{ready} users of {tenant} have a seat and {waiting} have none");
    eventually(&what, async || seated(space, tenant).await == (ready, waiting)).await;
}

async fn apply_users(space: &Space, tenant: &str) {
    let users = (0..USERS).map(|number| {
        let spec = json!({"tenantRef": {"name": tenant}, "username": format!("user-{number}")});
        let name = format!("{tenant}-{number}");
        async move { drop(space.create::<User>(&name, spec).await) }
    });
    join_all(users).await;
}

#[tokio::test]
async fn however_many_come_at_once_as_many_as_the_plan_allows_get_a_seat() {
    let space = Space::new("quota").await;
    let mut operator = Operator::start(&space);
    space.make_profile("small", profile(&json!({"maxUsers": 20}))).await;
    let mut dice = Dice(20_261_122);
    for round in 0..10 {
        let tenant = format!("tenant-{round}");
        let spec = json!({"profileRef": {"name": "small"}});
        space.create::<Tenant>(&tenant, spec).await;
        space.ready(&tenant).await;
        if round % 3 == 1 {
            let burst = apply_users(&space, &tenant);
            let kill = async {
                let made = usize::try_from(dice.below(15)).unwrap();
                eventually("some have a seat", async || seated(&space, &tenant).await.0 >= made)
                    .await;
                operator.kill();
                Operator::start(&space)
            };
            ((), operator) = futures::future::join(burst, kill).await;
        } else {
            apply_users(&space, &tenant).await;
        }
        come_to(&space, &tenant, 20, USERS - 20).await;
        let count = |tenant: &Tenant| tenant.status.as_ref().unwrap().user_count == Some(20);
        space.tenant(&tenant, "20 users counted", count).await;
    }
    let mut database = space.database().await;
    assert_eq!(database.number("SELECT count(*) FROM v1_users").await, 200);

    let users: Api<User> = space.api();
    let params = ListParams::default().fields("spec.tenantRef.name=tenant-0");
    let all = users.list(&params).await.unwrap().items;
    let waiting = all.iter().find(|user| !user.is_ready()).unwrap();
    let said = waiting.message();
    assert!(
        said.contains("the plan allows 20 users")
            && said.contains("planDetails.maxUsers")
            && said.contains("raise the limit in the TenantProfile"),
        "{said}"
    );

    let limit = |limit: Value| json!({"spec": {"planDetails": {"maxUsers": limit}}});
    space.merge::<TenantProfile>("small", limit(json!(30))).await;
    come_to(&space, "tenant-0", 30, USERS - 30).await;
    let ready = users.list(&params).await.unwrap().items.into_iter().filter(User::is_ready);
    join_all(ready.take(5).map(|user| {
        let space = &space;
        async move { space.remove::<User>(&user.name_any()).await }
    }))
    .await;
    come_to(&space, "tenant-0", 30, USERS - 35).await;
    space.merge::<TenantProfile>("small", limit(json!(10))).await;
    let over = |tenant: &Tenant| tenant.is_ready() && tenant.condition("OverLimit").is_some();
    let tenant = space.tenant("tenant-0", "over its limit", over).await;
    let said = &tenant.condition("OverLimit").unwrap().message;
    assert!(said.contains("30 users, and planDetails.maxUsers allows 10"), "{said}");
    come_to(&space, "tenant-0", 30, USERS - 35).await;
    space.merge::<TenantProfile>("small", limit(json!(null))).await;
    come_to(&space, "tenant-0", USERS - 5, 0).await;
    space
        .tenant("tenant-0", "within its limit", |tenant| tenant.condition("OverLimit").is_none())
        .await;
}

#[tokio::test]
async fn namespaces_and_roles_have_limits_of_their_own() {
    let space = Space::new("quota-roles").await;
    let _operator = Operator::start(&space);
    space.make_profile("small", profile(&json!({"maxNamespaces": 1, "maxRoles": 2}))).await;
    space.made_tenant("acme", json!({"profileRef": {"name": "small"}})).await;
    space.made::<Namespace>("sales", json!({})).await;
    space.in_acme::<Namespace>("stock", json!({})).await;
    space.stalls::<Namespace>("stock", "QuotaExceeded").await;
    for role in ["one", "two"] {
        space.made::<Role>(role, json!({})).await;
    }
    space.in_acme::<Role>("three", json!({})).await;
    let three = space.stalls::<Role>("three", "QuotaExceeded").await;
    assert!(three.message().contains("planDetails.maxRoles"), "{}", three.message());
    space.remove::<Role>("one").await;
    space.well::<Role>("three").await;
    space.remove::<Namespace>("sales").await;
    space.well::<Namespace>("stock").await;
}

#[tokio::test]
async fn administrators_are_counted_through_composites_and_whichever_way_they_become_such() {
    let space = Space::new("quota-admins").await;
    let _operator = Operator::start(&space);
    space.make_profile("small", profile(&json!({"administrators": 1}))).await;
    space.made_tenant("acme", json!({"profileRef": {"name": "small"}})).await;
    space.made::<Role>("admin", json!({"administrator": true})).await;
    space.made::<Role>("boss", json!({"composites": [{"name": "admin"}]})).await;
    space.made::<Role>("clerk", json!({})).await;
    let with = |role: &str| json!({"roles": [{"name": role}]});
    space.made::<User>("ada", with("boss")).await;
    let tenant = space.tenant("acme", "its administrator named", |tenant| {
        tenant.status.as_ref().unwrap().admin_username.as_deref() == Some("ada")
    });
    tenant.await;
    space.in_acme::<User>("bob", with("admin")).await;
    let bob = space.stalls::<User>("bob", "QuotaExceeded").await;
    assert!(bob.message().contains("the plan allows 1 administrators"), "{}", bob.message());
    assert!(bob.message().ends_with("The user is in the store without admin"), "{}", bob.message());
    space.made::<User>("cleo", with("clerk")).await;

    // A Role cannot make administrators of its holders either.
    space.change::<Role>("clerk", json!({"administrator": true})).await;
    space.stalls::<Role>("clerk", "QuotaExceeded").await;
    space
        .change::<Role>("clerk", json!({"administrator": false, "composites": [{"name": "admin"}]}))
        .await;
    space.stalls::<Role>("clerk", "QuotaExceeded").await;
    space.change::<Role>("clerk", json!({"composites": null})).await;
    space.well::<Role>("clerk").await;

    // The seat is free when its holder gives the role back, however far away that is decided.
    space.change::<Role>("boss", json!({"composites": []})).await;
    space.well::<User>("bob").await;
    space.change::<User>("bob", json!({"roles": []})).await;
    space.well::<User>("bob").await;
    space.change::<Role>("clerk", json!({"administrator": true})).await;
    space.well::<Role>("clerk").await;
}
