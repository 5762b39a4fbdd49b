//! A leader whose store is away, or was taken over by an operator that is none of the replicas.

use k8s_openapi::api::coordination::v1::Lease;
use keyreeve::api::{Tenant, User};
use kube::{
    Resource,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;

use super::install;
use crate::support::{
    Audit, Conditions, Operator, Postgres, Release, Replica, Space, eventually, until_gone,
};

fn start(space: &Space, release: &Release, postgres: &Postgres, name: &str) -> Replica {
    let flags = postgres.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    Replica::start(space, release, name, None, &[], &flags)
}

#[tokio::test]
async fn a_leader_that_cannot_open_its_store_has_every_tenant_say_so_once() {
    let space = Space::new("unopened").await;
    let (release, postgres) = (install(&space), Postgres::start(&space).await);
    let before = start(&space, &release, &postgres, "before");
    for tenant in ["acme", "second", "retained"] {
        space.create::<Tenant>(tenant, json!({})).await;
        space.ready(tenant).await;
    }
    space.made::<User>("ada", json!({})).await;
    assert!(before.operator.stop().await.success());
    postgres.stop();
    // While nobody looked.
    space.in_acme::<User>("eve", json!({})).await;

    let replica = start(&space, &release, &postgres, "after");
    let audit = Audit::of(&release.user(), Some(&space.namespace));
    for tenant in ["acme", "second", "retained"] {
        let says = |tenant: &Tenant| tenant.is_reconciling("StoreUnavailable");
        let tenant = space.tenant(tenant, "saying that the store cannot be opened", says).await;
        let says = "the store cannot be reached: nothing listens at its address. Start PostgreSQL";
        assert!(tenant.message().starts_with(says), "{}", tenant.message());
        // Neither where it is, nor as whom and by which password.
        for secret in [postgres.address(), "tests-only", "password"] {
            assert!(!tenant.message().contains(secret), "{}", tenant.message());
        }
    }
    assert!(replica.leads());
    // What changes says so, too; what needs no store is done.
    space.change::<User>("ada", json!({"firstName": "Ada"})).await;
    for user in ["ada", "eve"] {
        space.waits::<User>(user, "StoreUnavailable").await;
    }
    space.delete("retained").await;
    until_gone(space.tenants(), "retained").await;
    // It tries again: the second try to open it after the one of which status tells.
    let tries = |replica: &Replica| replica.operator.log().matches("cannot be reached").count();
    let known = tries(&replica);
    eventually("it tries again", async || tries(&replica) >= known + 2).await;
    for probe in ["/healthz", "/readyz"] {
        assert!(replica.says(probe), "{probe} fails while the store is away");
    }
    let mut written = audit.writes();
    written.retain(|write| !write.contains(" events"));
    written.sort();
    let expected = [
        // A finalizer is taken off, and below one is put on.
        "patch tenants retained",
        "patch tenants/status acme",
        "patch tenants/status retained",
        "patch tenants/status second",
        "patch users eve",
        "patch users/status ada",
        "patch users/status eve",
    ];
    assert_eq!(written, expected);

    postgres.start_again();
    for tenant in ["acme", "second"] {
        space.ready(tenant).await;
    }
    let is_there = |user: &User| user.is_ready() && user.meta().generation == Some(2);
    space.see("ada", "Ready as changed", is_there).await;
    space.well::<User>("eve").await;
    let names = "SELECT first_name FROM v1_users WHERE username = 'ada'";
    assert_eq!(postgres.texts(names).await, ["Ada"]);
}

#[tokio::test]
async fn a_leader_that_lost_its_store_stands_by_when_it_loses_the_lead_and_opens_it_anew_when_it_leads()
 {
    let space = Space::new("lost-both").await;
    let (release, postgres) = (install(&space), Postgres::start(&space).await);
    let replica = start(&space, &release, &postgres, "it");
    space.create::<Tenant>("first", json!({})).await;
    space.ready("first").await;
    let is_up = || replica.metrics.metric("keyreeve_store_up", "store=\"postgres\"") > 0.0;
    let is_measured = || {
        let answer = replica.metrics.get("/metrics");
        answer.is_some_and(|(_, body)| body.contains("\nkeyreeve_store_up{"))
    };
    eventually("the store is up", async || is_up()).await;

    // Another operator opens the store, and goes before it would have to share its work.
    let flags = postgres.flags();
    let other = space.another("other", &[]).await;
    let mut all = vec!["--watch-namespace", &other, "--owner-id", "another"];
    all.extend(flags.iter().map(String::as_str));
    let other = Operator::start_with(&space, &all);
    other.works().await;
    assert!(other.stop().await.success());
    space.create::<Tenant>("second", json!({})).await;
    let sentence = "ERROR another operator has taken this store over";
    eventually("it has lost the store", async || replica.operator.log().contains(sentence)).await;
    eventually("it is not ready", async || !replica.says("/readyz")).await;
    eventually("the store is not up", async || is_measured() && !is_up()).await;
    assert!(replica.leads() && replica.says("/healthz"));

    // Somebody else holds the lease.
    let leases = space.api::<Lease>();
    let taken = json!({"spec": {"holderIdentity": "somebody", "renewTime": jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()}});
    let patch = Patch::Merge(taken);
    leases.patch(&release.name, &PatchParams::default(), &patch).await.unwrap();
    eventually("it stands by", async || !replica.leads() && replica.says("/readyz")).await;
    eventually("it tells nothing of the store", async || !is_measured()).await;

    leases.delete(&release.name, &DeleteParams::default()).await.unwrap();
    replica.comes_to_lead().await;
    space.ready("second").await;
    eventually("the store is up again", async || is_up()).await;
    assert!(replica.says("/readyz") && replica.says("/healthz"));
}

#[tokio::test]
async fn an_operator_that_is_alone_says_so_too_before_it_gives_up() {
    let space = Space::new("unopened-alone").await;
    let postgres = Postgres::start(&space).await;
    let flags = postgres.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let operator = Operator::start_with(&space, &flags);
    space.create::<Tenant>("acme", json!({})).await;
    space.ready("acme").await;
    assert!(operator.stop().await.success());
    postgres.stop();

    let mut operator = Operator::start_with(&space, &flags);
    let says = |tenant: &Tenant| tenant.is_reconciling("StoreUnavailable");
    space.tenant("acme", "saying that the store cannot be opened", says).await;
    postgres.start_again();
    space.ready("acme").await;
    assert!(operator.is_running());
}
