//! What is written where there is nothing to do, and what a rotation takes.

use jiff::SignedDuration;
use keyreeve::api::{KeyState, Tenant};

use super::{assert_agree, es256, signing};
use crate::support::{Audit, Keys, Operator, Server, Space, Turned, TurnedClock, eventually};

#[tokio::test]
async fn resyncs_of_tenants_with_keys_write_nothing() {
    let space = Space::new("steady").await;
    let metrics = Server::new();
    let flags = ["--resync", "1s", "--metrics-bind-address", &metrics.address];
    let _operator = Operator::start_with(&space, &flags);
    for name in ["plain", "rotating", "revoked"] {
        space.create::<Tenant>(name, es256()).await;
    }
    for name in ["plain", "rotating"] {
        space.ready(name).await;
    }
    let first = space.ready("revoked").await.active();
    space.revoke("revoked", &[&first]).await;
    space.event("revoked", "Normal KeyRotated").await;
    space.rotate("rotating", "now").await;
    space.event("rotating", "Normal KeyPublished").await;
    // Their statuses follow their events, and the log follows at some distance.
    let audit = Audit::begin(&space);
    for name in ["rotating", "revoked"] {
        space.resync(name).await;
    }
    eventually("all of it is in the log", async || {
        let writes = audit.writes();
        ["rotating", "revoked"]
            .iter()
            .all(|name| writes.iter().any(|write| *write == format!("patch tenants/status {name}")))
    })
    .await;

    let (audit, mut database) = (Audit::begin(&space), space.database().await);
    let version = database.version().await;
    let looks = || metrics.metric("controller_runtime_reconcile_total", "controller=\"tenant\"");
    let enough = looks() + 10.0;
    eventually("each was looked at again and again", async || looks() >= enough).await;
    let writes = audit.writes();
    assert!(writes.is_empty(), "{writes:?}");
    assert_eq!(database.version().await, version, "nothing to the store either");
}

#[tokio::test]
async fn each_half_of_a_rotation_is_one_write_to_the_secret_one_event_and_one_status() {
    let space = Space::new("exact").await;
    let clock = TurnedClock::new();
    let operator = Turned::start(&space, &clock).await;
    let (before, _) = signing(&space, "acme").await;
    space.event("acme", "Normal Synced").await;

    let audit = Audit::begin(&space);
    space.rotate("acme", "now").await;
    let published = |tenant: &Tenant| !tenant.kids(KeyState::Standby).is_empty();
    space.tenant("acme", "publishing", published).await;
    assert_one_write_each(&audit).await;

    let (audit, mut database) = (Audit::begin(&space), space.database().await);
    let version = database.version().await;
    clock.turn(SignedDuration::from_hours(24));
    let after = space.resync("acme").await;
    assert_one_write_each(&audit).await;
    assert_ne!(database.version().await, version, "the store remembers the public keys");
    assert!(after.has(&before.active(), KeyState::Retired));
    assert_agree(&after, &space.keystore("acme").await);
    operator.stop().await;
}

async fn assert_one_write_each(audit: &Audit) {
    eventually("all of it is in the log", async || audit.taken().len() >= 3).await;
    let mut writes = audit.taken();
    // Where a wake-up came sooner than the watch told of the request, its status was refused, and the look at
    // what is new told the event again.
    if audit.writes().len() > writes.len() {
        writes.retain(|write| !write.starts_with("patch events"));
    }
    // A resync that was asked for is noted in status, with the rest or after it.
    if writes.len() == 4 && writes[3] == writes[2] {
        writes.pop();
    }
    // An event's name is another one each time.
    writes[1].truncate("create events".len());
    let expected = ["patch secrets keystore-acme", "create events", "patch tenants/status acme"];
    assert_eq!(writes, expected);
}
