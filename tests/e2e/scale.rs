//! Many tenants at once, and then silence.

use std::time::Instant;

use futures::{StreamExt, stream};
use keyreeve::api::{Tenant, TenantProfile};
use kube::api::ListParams;
use serde_json::json;

use crate::support::{Audit, Conditions, Operator, Server, Space, eventually, is_current};

const TENANTS: usize = 200;
const PROFILES: usize = 5;

#[tokio::test]
async fn two_hundred_tenants_take_four_writes_each_and_a_restart_and_resyncs_none() {
    let space = Space::new("scale").await;
    let operator = Operator::start(&space);
    operator.works().await;
    let (audit, began) = (Audit::begin(&space), Instant::now());
    for number in 0..PROFILES {
        space
            .create::<TenantProfile>(
                &profile(number),
                json!({"plan": profile(number), "keystore": {"algorithm": "ES256"}}),
            )
            .await;
    }
    let creations = (0..TENANTS).map(async |number| {
        let spec = json!({"profileRef": {"name": profile(number % PROFILES)}});
        space.create::<Tenant>(&format!("tenant-{number}"), spec).await;
    });
    stream::iter(creations).buffer_unordered(16).collect::<()>().await;
    let created = began.elapsed();
    eventually("all tenants are Ready", async || {
        let tenants = space.tenants().list(&ListParams::default()).await.unwrap().items;
        tenants.len() == TENANTS
            && tenants.iter().all(|tenant| tenant.is_ready() && is_current(tenant))
    })
    .await;
    let ready = began.elapsed();
    println!("{TENANTS} tenants: created in {created:.1?}, all Ready after {ready:.1?}");
    for number in 0..PROFILES {
        space
            .profile(&profile(number), "counting its tenants", |profile| {
                let count = profile.status.as_ref().and_then(|status| status.tenants);
                count == Some((TENANTS / PROFILES).try_into().unwrap())
            })
            .await;
    }

    let of =
        |writes: &[String], what: &str| writes.iter().filter(|write| write.contains(what)).count();
    eventually("every tenant has its event", async || {
        of(&audit.writes(), "create events tenant-") == TENANTS
    })
    .await;
    let writes = audit.writes();
    assert_eq!(of(&writes, "patch tenants tenant-"), TENANTS, "finalizers");
    assert_eq!(of(&writes, "patch tenants/status tenant-"), TENANTS, "statuses");
    assert_eq!(of(&writes, "create secrets keystore-tenant-"), TENANTS, "keystores");
    assert_eq!(of(&writes, "create events profile-"), PROFILES, "events of the profiles");
    let counts = of(&writes, "patch tenantprofiles/status");
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap();
    assert!(counts <= PROFILES * (seconds + 2), "{counts} counts in {seconds} s");
    assert_eq!(writes.len(), 4 * TENANTS + PROFILES + counts, "and nothing else");

    let mut database = space.database().await;
    let version = database.version().await;
    assert!(operator.stop().await.success());
    let metrics = Server::new();
    let flags = ["--resync", "2s", "--metrics-bind-address", &metrics.address];
    let operator = Operator::start_with(&space, &flags);
    operator.works().await;
    // Once after the start, three times as resyncs, and once more so that none was left out.
    let five_rounds = 5.0 * f64::from(u16::try_from(TENANTS).unwrap());
    eventually("every tenant was looked at again and again", async || {
        let labels = "controller=\"tenant\"";
        metrics.metric("controller_runtime_reconcile_total", labels) >= five_rounds
    })
    .await;
    assert_eq!(
        audit.writes().len(),
        writes.len(),
        "restart and resyncs write nothing to the API server"
    );
    assert_eq!(database.version().await, version, "nor to the store");
}

fn profile(number: usize) -> String {
    format!("profile-{number}")
}
