//! An operator that is killed again and again leaves in the end what one that was left alone leaves.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use keyreeve::api::{Tenant, TenantProfile};
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams},
};
use serde_json::{Value, json};

use crate::support::{Conditions, Dice, Operator, Space, eventually, is_current};

const ROUNDS: usize = 55;
const TENANTS: usize = 40;

#[tokio::test]
async fn kills_at_any_moment_change_nothing_in_the_end() {
    let (disturbed, undisturbed) = tokio::join!(with_kills(), without_kills());
    let names = |end: &End| end.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&disturbed), names(&undisturbed));
    for (name, end) in &undisturbed {
        assert_eq!(&disturbed[name], end, "{name}");
    }
}

async fn with_kills() -> End {
    let space = Space::new("killed").await;
    let (kills, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let people = async {
        for round in 0..ROUNDS {
            // Not ahead of the kills, so that each finds something under way.
            eventually("the operator was killed", async || kills.load(Relaxed) >= round).await;
            act(&space, round).await;
        }
        done.store(true, Relaxed);
    };
    let killer = async {
        let mut dice = Dice(20_261_122);
        while !done.load(Relaxed) {
            let (operator, started) = (Operator::start(&space), Instant::now());
            // Some are killed while they start, most while they work: on a machine that is busy that takes longer.
            let mut most = 300;
            if dice.below(5) > 0 {
                operator.works().await;
                most = most.max(u64::try_from(started.elapsed().as_millis()).unwrap());
            }
            tokio::time::sleep(Duration::from_millis(dice.below(most))).await;
            operator.kill();
            kills.fetch_add(1, Relaxed);
        }
    };
    let began = Instant::now();
    tokio::join!(people, killer);
    println!("{} kills in {:.1?}", kills.load(Relaxed), began.elapsed());
    end(&space).await
}

async fn without_kills() -> End {
    let space = Space::new("unkilled").await;
    {
        let _operator = Operator::start(&space);
        for round in 0..ROUNDS {
            act(&space, round).await;
        }
    }
    end(&space).await
}

/// What people do in a round: create a tenant, edit an earlier one, delete one before that, edit a profile.
async fn act(space: &Space, round: usize) {
    match round {
        0 => {
            space.create::<TenantProfile>("gold", session("1h")).await;
        }
        // Until then its tenants wait for it.
        3 => {
            space.create::<TenantProfile>("silver", session("3h")).await;
        }
        20 => {
            space.merge::<TenantProfile>("gold", json!({"spec": session("2h")})).await;
        }
        // What was in force stays in force meanwhile.
        26 => {
            space.profiles().delete("silver", &DeleteParams::default()).await.unwrap();
        }
        30 => {
            space.create::<TenantProfile>("silver", session("4h")).await;
        }
        _ => {}
    }
    if round < TENANTS {
        let mut spec = json!({"profileRef": {"name": if round.is_multiple_of(2) { "gold" } else { "silver" }}});
        if deletion_policy(round) == Some("Delete") {
            spec["deletionPolicy"] = "Delete".into();
        }
        space.create::<Tenant>(&name(round), spec).await;
    }
    if let Some(edited) = round.checked_sub(4).filter(|number| *number < TENANTS) {
        let change = match edited % 4 {
            0 => json!({"displayName": "edited"}),
            1 => json!({"settings": {"ttl": {"accessToken": "9m"}, "rememberMe": true}}),
            2 => json!({"profileRef": {"name": "silver"}}),
            _ => json!({"enabled": false, "organization": {"name": "Edited Ltd"}}),
        };
        space.merge::<Tenant>(&name(edited), json!({"spec": change})).await;
    }
    let deleted = round.checked_sub(8).filter(|number| *number < TENANTS);
    if let Some(deleted) = deleted.filter(|number| deletion_policy(*number).is_some()) {
        if deletion_policy(deleted) == Some("Retain") {
            // One that was never in the store would just go.
            let in_store = |tenant: &Tenant| {
                tenant.status.as_ref().is_some_and(|status| status.store.is_some())
            };
            space.tenant(&name(deleted), "in the store", in_store).await;
        }
        space.delete(&name(deleted)).await;
    }
}

/// How a tenant is deleted, if it is.
fn deletion_policy(number: usize) -> Option<&'static str> {
    match number % 6 {
        2 => Some("Delete"),
        5 => Some("Retain"),
        _ => None,
    }
}

fn name(number: usize) -> String {
    format!("tenant-{number:02}")
}

fn session(session: &str) -> Value {
    // RSA keys take longer than an operator lives here.
    json!({"settings": {"ttl": {"session": session}}, "keystore": {"algorithm": "ES256"}})
}

/// What there is in the end of each tenant in the store, in status and store; of one that was
/// retained that it is there, for it is as it was when it was deleted.
type End = BTreeMap<String, Option<(Value, Value)>>;

/// Lets an operator work until everything is as declared.
async fn end(space: &Space) -> End {
    let operator = Operator::start(space);
    operator.works().await;
    eventually("everything is as declared", async || {
        let tenants = space.tenants().list(&ListParams::default()).await.unwrap().items;
        tenants.iter().all(is_as_declared)
    })
    .await;
    let tenants = space.tenants().list(&ListParams::default()).await.unwrap().items;
    let statuses: BTreeMap<_, _> =
        tenants.iter().map(|tenant| (tenant.name_any(), status(tenant))).collect();
    let remaining: Vec<_> =
        (0..TENANTS).filter(|number| deletion_policy(*number).is_none()).map(name).collect();
    assert!(statuses.keys().eq(&remaining), "what was deleted is gone, and nothing else");
    let rows = space.database().await.tenants().await;
    let kept: Vec<_> = (0..TENANTS)
        .filter(|number| deletion_policy(*number) != Some("Delete"))
        .map(name)
        .collect();
    assert!(rows.keys().eq(&kept), "{:?} are not {kept:?}", rows.keys());
    assert!(operator.stop().await.success());
    rows.into_iter()
        .map(|(name, row)| {
            let end = statuses.get(&name).map(|status| (status.clone(), row));
            (name, end)
        })
        .collect()
}

fn is_as_declared(tenant: &Tenant) -> bool {
    let silver = tenant.spec.profile_ref.as_ref().is_some_and(|profile| profile.name == "silver");
    let session = || {
        let effective = tenant.status.as_ref()?.effective.as_ref()?;
        Some(effective.settings.ttl.as_ref()?.session.as_ref()?.to_string())
    };
    tenant.is_ready()
        && is_current(tenant)
        && tenant.metadata.deletion_timestamp.is_none()
        && session().as_deref() == Some(if silver { "4h" } else { "2h" })
}

/// Status without what is another one in each run.
fn status(tenant: &Tenant) -> Value {
    let mut status = serde_json::to_value(tenant.status.as_ref()).unwrap();
    status["store"]["id"].take();
    for condition in status["conditions"].as_array_mut().unwrap() {
        condition["lastTransitionTime"].take();
    }
    for key in status["keystore"].as_array_mut().unwrap() {
        *key = json!({"state": key["state"], "alg": key["key"]["alg"]});
    }
    status
}
