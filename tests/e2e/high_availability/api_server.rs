//! An API server that is slow, or away for long.

use std::time::{Duration, Instant};

use keyreeve::api::{Tenant, User};
use kube::api::ListParams;
use serde_json::json;

use super::{TAKEOVER, install, on, one_comes_to_lead, renewed_for, two_others, within};
use crate::support::{
    Audit, Conditions, Gate, Middleman, Postgres, Replica, Space, eventually, server_of,
};

/// How long the API server is away.
const AWAY: Duration = Duration::from_secs(90);

#[tokio::test]
async fn a_leader_leads_by_a_slow_api_server_and_stops_in_time_when_it_is_too_slow() {
    let space = Space::new("slow-server").await;
    let (release, postgres) = (install(&space), Postgres::start(&space).await);
    let of = (&space, &release);
    let middleman = Middleman::to(&release.kubeconfig).await;
    let way = middleman.server();
    let slow = on(&postgres, of, "slow", Some(&way), &[]);
    slow.comes_to_lead().await;
    let others = two_others(&postgres, of).await;

    middleman.delay(Duration::from_secs(2));
    let (_, transitions, _) = space.lease(&release).await;
    space.create::<Tenant>("acme", json!({})).await;
    assert_eq!(renewed_for(&space, &release, Duration::from_secs(17)).await, transitions);
    space.ready("acme").await;
    assert!(slow.leads());

    middleman.delay(Duration::from_secs(30));
    let began = Instant::now();
    eventually("it does not lead any more", async || !slow.leads()).await;
    let (ended, took) = (Instant::now(), began.elapsed());
    println!("too slow: it stopped after {took:.2?}");
    // The lease lasts for 15 s from its last renewal, which was before.
    assert!(took < Duration::from_secs(15), "{took:?}");
    assert!(!others.iter().any(Replica::leads), "the others wait for the end of the lease");
    one_comes_to_lead(&others).await;
    println!("too slow: another one leads after {:.2?}", began.elapsed());
    // The last renewal that came through was not answered for as long as one may take.
    let allowed = within(TAKEOVER + Duration::from_secs(10), &space, &release).await;
    assert!(began.elapsed() < allowed, "allowed are {allowed:?}");
    space.create::<Tenant>("second", json!({})).await;
    space.ready("second").await;
    assert_eq!(middleman.writes_since(ended), Vec::<String>::new());
    assert!(slow.says("/healthz") && slow.says("/readyz"));
}

#[tokio::test]
async fn an_api_server_that_is_away_for_a_minute_and_a_half_is_waited_for() {
    let space = Space::new("api-away").await;
    let (release, postgres) = (install(&space), Postgres::start(&space).await);
    let gate = Gate::to(&server_of(&release.kubeconfig)).await;
    let way = format!("https://{}", gate.address);
    let mut replica = on(&postgres, (&space, &release), "away", Some(&way), &[]);
    replica.comes_to_lead().await;
    space.create::<Tenant>("acme", json!({})).await;
    space.ready("acme").await;

    gate.close();
    let closed = Instant::now();
    for number in 0..20 {
        space.in_acme::<User>(&format!("user-{number}"), json!({})).await;
    }
    let end = tokio::time::Instant::now() + AWAY;
    let mut looks = tokio::time::interval(Duration::from_secs(1));
    while tokio::time::Instant::now() < end {
        looks.tick().await;
        assert!(replica.operator.is_running(), "it ended after {:?}", closed.elapsed());
        // Neither would mend anything.
        assert!(replica.says("/healthz"), "not alive after {:?}", closed.elapsed());
        assert!(replica.says("/readyz"), "not ready after {:?}", closed.elapsed());
        let may_lead = closed.elapsed() < Duration::from_secs(15);
        assert!(may_lead || !replica.leads(), "it leads after {:?}", closed.elapsed());
    }
    let audit = Audit::of(&release.user(), Some(&space.namespace));
    gate.open();
    let opened = Instant::now();
    eventually("all users are Ready", async || {
        let users = space.api::<User>().list(&ListParams::default()).await.unwrap().items;
        users.iter().all(Conditions::is_ready)
    })
    .await;
    println!("away for {AWAY:?}: converged after {:.2?}", opened.elapsed());
    replica.comes_to_lead().await;
    let written = audit.taken();
    println!("away for {AWAY:?}: {} writes", written.len());
    // A finalizer, status and an event for each, a count of them once a second, and what was under way.
    let seconds = usize::try_from(opened.elapsed().as_secs()).unwrap();
    assert!(written.len() <= 3 * 20 + 20 + seconds, "{written:#?}");
}
