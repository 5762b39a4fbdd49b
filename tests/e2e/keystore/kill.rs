//! An operator that is killed again and again never makes a second key where one was asked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Secret;
use keyreeve::api::{KeyState, Tenant};
use kube::{
    ResourceExt,
    api::ListParams,
    runtime::{
        WatchStreamExt,
        watcher::{Config, watcher},
    },
};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use super::{assert_agree, es256};
use crate::support::{Conditions, Dice, Keys, Keystore, Operator, Space, eventually, is_current};

const KILLS: usize = 50;
const TENANTS: usize = 9;
/// How often something is done with the keys of a tenant.
const ACTS: usize = 4;

/// The kids that were ever seen, by tenant.
type Seen = Mutex<BTreeMap<String, BTreeSet<String>>>;

#[tokio::test]
async fn kills_at_any_moment_make_no_second_key() {
    let space = Space::new("killed-keys").await;
    let (kills, done, seen) = (AtomicUsize::new(0), AtomicBool::new(false), Seen::default());
    let written = Notify::new();
    let people = async {
        for round in 0..ACTS * TENANTS {
            // Not ahead of the kills, so that each finds something under way.
            eventually("the operator was killed", async || kills.load(Relaxed) >= round).await;
            act(&space, round).await;
        }
        done.store(true, Relaxed);
    };
    let killer = async {
        let mut dice = Dice(20_261_123);
        while kills.load(Relaxed) < KILLS || !done.load(Relaxed) {
            let operator = Operator::start(&space);
            // Some are killed while they start, most while they work.
            if dice.below(8) > 0 {
                operator.works().await;
            }
            // Once there were enough, it gets further between two: a busy machine is to end as well.
            let longest = if kills.load(Relaxed) < KILLS { 200 } else { 2000 };
            let pause = Duration::from_millis(dice.below(longest));
            if dice.below(3) == 0 {
                // In the midst of it: a Secret was just written, and nothing else knows of its key.
                let _ = timeout(pause, written.notified()).await;
            } else {
                sleep(pause).await;
            }
            operator.kill();
            kills.fetch_add(1, Relaxed);
        }
    };
    let all = async {
        let began = Instant::now();
        tokio::join!(people, killer);
        println!("{} kills in {:.1?}", kills.load(Relaxed), began.elapsed());
        let operator = Operator::start(&space);
        eventually("everything is as declared", async || {
            let tenants = space.tenants().list(&ListParams::default()).await.unwrap().items;
            tenants.len() == TENANTS && tenants.iter().all(|tenant| is_done(tenant, ACTS))
        })
        .await;
        assert!(operator.stop().await.success());
    };
    tokio::select! {
        () = all => {}
        () = look_on(&space, &seen, &written) => {}
    }

    let secrets = space.secrets().list(&ListParams::default()).await.unwrap().items;
    assert_eq!(secrets.len(), TENANTS, "one Secret a tenant");
    let seen = seen.into_inner().unwrap();
    for number in 0..TENANTS {
        let (tenant, keystore) =
            (space.ready(&name(number)).await, space.keystore(&name(number)).await);
        assert_agree(&tenant, &keystore);
        // The first, the one that was asked for, and the one that takes the place of both.
        let keys = keystore.states();
        assert_eq!(keys.len(), 3, "{}: {keys:?}", name(number));
        // No other one ever was, in the Secret or in status, not even for a moment.
        let others: Vec<_> =
            seen[&name(number)].iter().filter(|kid| !keys.contains_key(*kid)).collect();
        assert!(others.is_empty(), "{}: {others:?} beside {keys:?}", name(number));
    }
}

/// What people do in a round, with one tenant after the other: create it, ask for a rotation, revoke
/// the key that signs, so that the published one takes over, and revoke that too, so that one is made.
async fn act(space: &Space, round: usize) {
    let (act, name) = (round / TENANTS, name(round % TENANTS));
    if act == 0 {
        space.create::<Tenant>(&name, es256()).await;
        return;
    }
    let tenant =
        space.tenant(&name, "done with the act before", |tenant| is_done(tenant, act)).await;
    if act == 1 {
        space.rotate(&name, "now").await;
    } else {
        let mut revoked = tenant.kids(KeyState::Revoked);
        revoked.push(tenant.active());
        let revoked: Vec<_> = revoked.iter().map(String::as_str).collect();
        space.revoke(&name, &revoked).await;
    }
}

/// Whether the keys are as so many acts make them.
fn is_done(tenant: &Tenant, acts: usize) -> bool {
    let number = |state| tenant.kids(state).len();
    tenant.is_ready()
        && is_current(tenant)
        && number(KeyState::Active) == 1
        && number(KeyState::Standby) == usize::from(acts == 2)
        && number(KeyState::Revoked) == acts.saturating_sub(2)
}

fn name(number: usize) -> String {
    format!("tenant-{number:02}")
}

/// Notes each key that is ever in a Secret or in status, and tells of each write to a Secret.
async fn look_on(space: &Space, seen: &Seen, written: &Notify) {
    let note = |tenant: String, kids: BTreeSet<String>| {
        seen.lock().unwrap().entry(tenant).or_default().extend(kids);
    };
    let secrets = watcher(space.secrets(), Config::default()).applied_objects();
    let secrets = secrets.try_for_each(async |secret| {
        written.notify_waiters();
        let tenant = secret.name_any().trim_start_matches("keystore-").to_owned();
        note(tenant, kids(secret));
        Ok(())
    });
    let tenants = watcher(space.tenants(), Config::default()).applied_objects();
    let tenants = tenants.try_for_each(async |tenant| {
        let keys = tenant.status.iter().flat_map(|status| &status.keystore);
        note(tenant.name_any(), keys.map(|key| key.key.kid.clone()).collect());
        Ok(())
    });
    let end = futures::try_join!(secrets, tenants);
    panic!("the watches ended: {end:?}");
}

/// All that a Secret tells of.
fn kids(secret: Secret) -> BTreeSet<String> {
    let keystore = Keystore(secret);
    let told = keystore.states().into_keys().chain(keystore.pems().into_keys());
    told.chain([keystore.active()]).collect()
}
