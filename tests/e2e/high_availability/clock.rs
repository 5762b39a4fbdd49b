//! Three replicas, of which one's clock is off by a minute.

use std::time::{Duration, Instant};

use jiff::SignedDuration;

use super::{TAKEOVER, acquired, install, on, one_comes_to_lead, renewed_for, two_others, within};
use crate::support::{Postgres, Replica, Space, run};

/// By this faketime turns the clock of a process, and nothing but the clock.
fn turned(by: &str) -> Vec<(String, String)> {
    let library = run("faketime", &["-f", "+0", "printenv", "LD_PRELOAD"]);
    [
        ("LD_PRELOAD", library.trim()),
        ("FAKETIME", by),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .to_vec()
}

#[tokio::test]
async fn a_leader_whose_clock_is_a_minute_slow_is_left_alone_until_it_dies() {
    clock_is_off("slow", "-60s", -60).await;
}

#[tokio::test]
async fn a_leader_whose_clock_is_a_minute_fast_is_left_alone_until_it_dies() {
    clock_is_off("fast", "+60s", 60).await;
}

async fn clock_is_off(name: &str, by: &str, seconds: i64) {
    let space = Space::new(name).await;
    let (release, postgres) = (install(&space), Postgres::start(&space).await);
    let of = (&space, &release);
    let environment = turned(by);
    let environment: Vec<_> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let off = on(&postgres, of, "off", None, &environment);
    off.comes_to_lead().await;
    let others = two_others(&postgres, of).await;

    let (holder, transitions, renewed) = space.lease(&release).await;
    assert!(holder.starts_with("off_"), "{holder}");
    let difference = renewed.duration_since(jiff::Timestamp::now()).as_secs();
    assert!((difference - seconds).abs() < 20, "its clock is not off: {difference} s");
    // Longer than a lease lasts.
    let after = renewed_for(&space, &release, Duration::from_secs(17)).await;
    assert_eq!(after, transitions, "it was not left alone");
    assert!(off.leads() && !others.iter().any(Replica::leads));

    off.operator.kill();
    let killed = Instant::now();
    let (_, _, renewed) = space.lease(&release).await;
    one_comes_to_lead(&others).await;
    let took = killed.elapsed();
    println!("the clock is {by} off: another one leads after {took:.2?}");
    let allowed = within(TAKEOVER, &space, &release).await;
    assert!(took < allowed, "{took:?}, and allowed are {allowed:?}");
    // By the clock of the other one: when it was renewed for the last time, however long before its end.
    let renewed = renewed - SignedDuration::from_secs(seconds);
    let waited = acquired(&space, &release).await.duration_since(renewed);
    assert!(waited > SignedDuration::from_secs(14), "the lease is to be waited for: {waited:?}");
}
