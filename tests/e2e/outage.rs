//! The store goes away and comes back: who says so, and what becomes of what was applied meanwhile.

use std::fs;

use keyreeve::api::{Role, Tenant, User};
use serde_json::json;

use crate::support::{Conditions, Space, eventually, named};

#[tokio::test]
async fn a_store_that_goes_away_is_told_of_by_every_tenant_and_missed_by_nobody_when_it_is_back() {
    let (space, operator, mut database) = Space::with_acme("outage", json!({})).await;
    space.made_tenant("second", json!({})).await;
    space.made::<Role>("clerk", json!({})).await;
    space.made::<User>("ada", json!({})).await;
    let before = database.users().await;

    // Whoever has the file open goes on to see it; the operator notices that it is gone from its place.
    let aside = space.folder().join("aside.db");
    fs::rename(space.store_file(), &aside).unwrap();
    for tenant in ["acme", "second"] {
        let says = |tenant: &Tenant| tenant.is_reconciling("StoreUnavailable");
        space.tenant(tenant, "saying that the store is away", says).await;
    }
    space.change::<User>("ada", json!({"roles": named(&["clerk"])})).await;
    space.in_acme::<User>("bob", json!({})).await;
    space.waits::<User>("ada", "StoreUnavailable").await;
    space.waits::<User>("bob", "StoreUnavailable").await;
    assert_eq!(database.users().await, before);

    fs::rename(&aside, space.store_file()).unwrap();
    for tenant in ["acme", "second"] {
        space.ready(tenant).await;
    }
    space.well::<User>("ada").await;
    space.well::<User>("bob").await;
    assert_eq!(database.users().await, ["acme/ada", "acme/bob"]);
    assert_eq!(database.grants().await, ["ada > clerk"]);
    // What had a short pause was back before the operator asked.
    let told = |what| operator.log().lines().filter(|line| line.contains(what)).count();
    let again = "INFO the store can be reached again";
    eventually("the log says so", async || told(again) == 1).await;
    assert_eq!(told("WARN the store cannot be reached: "), 1);
}
