//! Many users of one tenant at once.

use std::time::Instant;

use futures::{StreamExt, stream};
use keyreeve::api::{Tenant, User};
use kube::api::ListParams;
use serde_json::json;

use crate::support::{Audit, Conditions, Operator, Space, eventually};

const USERS: usize = 500;

#[tokio::test]
async fn a_burst_of_five_hundred_users_is_counted_once_a_second() {
    let space = Space::new("burst").await;
    let operator = Operator::start(&space);
    space.made_tenant("acme", json!({})).await;
    space.event("acme", "Normal Synced").await;
    let (audit, began, computed) = (Audit::begin(&space), Instant::now(), operator.cpu_seconds());
    let creations = (0..USERS)
        .map(async |number| space.in_acme::<User>(&format!("user-{number}"), json!({})).await);
    stream::iter(creations).buffer_unordered(16).collect::<()>().await;
    let created = began.elapsed();
    let mut database = space.database().await;
    database.reaches("SELECT count(*) FROM v1_users", USERS).await;
    eventually("all users are Ready", async || {
        let users = space.api::<User>().list(&ListParams::default()).await.unwrap().items;
        users.len() == USERS && users.iter().all(User::is_ready)
    })
    .await;
    let (ready, computed) = (began.elapsed(), operator.cpu_seconds() - computed);
    println!(
        "{USERS} users: created in {created:.1?}, all Ready after {ready:.1?}, {computed:.1} s of CPU"
    );
    let all = |tenant: &Tenant| {
        let count = tenant.status.as_ref().unwrap().user_count;
        count == Some(USERS.try_into().unwrap())
    };
    space.tenant("acme", "all its users counted", all).await;
    let counts = || {
        let writes = audit.taken();
        writes.iter().filter(|write| *write == "patch tenants/status acme").count()
    };
    let (written, seconds) = (counts(), began.elapsed().as_secs());
    println!("{written} counts in {seconds} s");
    assert!(written <= usize::try_from(seconds).unwrap() + 1, "{written} counts in {seconds} s");
    eventually("every user has its event", async || {
        let writes = audit.writes();
        writes.iter().filter(|write| write.starts_with("create events user-")).count() == USERS
    })
    .await;
    assert_eq!(counts(), written, "what is counted is not told again");
    assert_eq!(audit.taken().len(), 3 * USERS + written, "three writes for each, and no other");
}
