//! The store goes away while many users are being applied: status says so, and when it is back all of them are there,
//! each once.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use keyreeve::api::{Tenant, User};
use kube::{ResourceExt, api::ListParams};
use serde_json::json;

use crate::{
    keycloak::{self, Hand},
    support::{Conditions, Gate, Operator, Postgres, Space, eventually},
};

const USERS: usize = 30;
/// Within how long status says that the store is away.
const SECONDS: Duration = Duration::from_secs(30);

fn name(number: usize) -> String {
    format!("user-{number:02}")
}

fn names() -> Vec<String> {
    (0..USERS).map(name).collect()
}

/// Those of the tenant of this place among so many.
fn names_of(place: usize, tenants: usize) -> Vec<String> {
    (place..USERS).step_by(tenants).map(name).collect()
}

/// The tenants have turns.
async fn make_users(space: &Space, tenants: &[&str], numbers: Range<usize>) {
    let creations = numbers.map(async |number| {
        let tenant = tenants[number % tenants.len()];
        let email = format!("{}@acme.example", name(number));
        let spec = json!({"tenantRef": {"name": tenant}, "email": email});
        space.create::<User>(&name(number), spec).await;
    });
    stream::iter(creations).buffer_unordered(8).collect::<()>().await;
}

async fn users(space: &Space) -> Vec<User> {
    space.api::<User>().list(&ListParams::default()).await.unwrap().items
}

/// Makes one half of the users, takes the store away as soon as the first of them is Ready, and makes the other
/// half. Answers when the store went.
async fn goes_away(space: &Space, tenants: &[&str], go: impl AsyncFnOnce()) -> Instant {
    let away = async {
        eventually("a user is Ready", async || users(space).await.iter().any(User::is_ready)).await;
        go().await;
        Instant::now()
    };
    let ((), gone) = futures::join!(make_users(space, tenants, 0..USERS / 2), away);
    make_users(space, tenants, USERS / 2..USERS).await;
    gone
}

async fn tenants_say_so(space: &Space, tenants: &[&str], gone: Instant) {
    for tenant in tenants {
        let says = |tenant: &Tenant| tenant.is_reconciling("StoreUnavailable");
        space.tenant(tenant, "saying that the store is away", says).await;
    }
    let after = gone.elapsed();
    println!("Tenants say it after {after:.1?}");
    assert!(after < SECONDS, "{after:?}");
}

async fn users_say_so(space: &Space, gone: Instant) {
    let says = |user: &User| user.is_reconciling("StoreUnavailable");
    eventually("the first users say it", async || users(space).await.iter().any(says)).await;
    let first = gone.elapsed();
    eventually("all users that are not in the store say it", async || {
        users(space).await.iter().all(|user| user.is_ready() || says(user))
    })
    .await;
    let after = gone.elapsed();
    println!("Users say it after {first:.1?} to {after:.1?}");
    assert!(after < SECONDS, "{after:?}");
}

async fn all_are_ready(space: &Space, tenants: &[&str]) {
    let back = Instant::now();
    for tenant in tenants {
        space.ready(tenant).await;
    }
    eventually("all users are Ready", async || {
        let users = users(space).await;
        users.len() == USERS && users.iter().all(User::is_ready)
    })
    .await;
    println!("all are Ready {:.1?} after its return", back.elapsed());
}

#[tokio::test]
async fn thirty_users_outlive_a_postgresql_that_is_stopped_and_started() {
    let space = Space::new("load-pg").await;
    let postgres = Postgres::start(&space).await;
    let flags = postgres.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let _operator = Operator::start_with(&space, &flags);
    let tenants = ["acme", "second"];
    for tenant in tenants {
        space.made_tenant(tenant, json!({})).await;
    }
    let gone = goes_away(&space, &tenants, async || postgres.stop()).await;
    tenants_say_so(&space, &tenants, gone).await;
    users_say_so(&space, gone).await;
    postgres.start_again();
    all_are_ready(&space, &tenants).await;
    let there =
        postgres.texts("SELECT tenant_id || '/' || username FROM v1_users ORDER BY 1").await;
    let mut expected = Vec::new();
    for (place, tenant) in tenants.iter().enumerate() {
        let names = names_of(place, tenants.len());
        expected.extend(names.iter().map(|name| format!("{tenant}/{name}")));
    }
    assert_eq!(there, expected);
}

/// Requests get stuck, and Keycloak does late what the operator has given up: by then it has tried again.
#[tokio::test]
async fn thirty_users_outlive_a_keycloak_that_is_stopped_and_goes_on() {
    let space = Space::new("load-kc").await;
    let gate = Gate::to(&keycloak::server()).await;
    let _operator = keycloak::operator_at(&space, &gate.address);
    let tenants = ["acme", "second"];
    let realms = tenants.map(|tenant| Hand::of(&format!("{}-{tenant}", space.namespace)));
    for (tenant, hand) in tenants.iter().zip(&realms) {
        space.create::<Tenant>(tenant, json!({"tenantId": hand.realm})).await;
    }
    for tenant in tenants {
        space.ready(tenant).await;
    }
    let gone = goes_away(&space, &tenants, async || gate.close()).await;
    tenants_say_so(&space, &tenants, gone).await;
    users_say_so(&space, gone).await;
    gate.open();
    all_are_ready(&space, &tenants).await;
    for (place, hand) in realms.iter().enumerate() {
        let there = hand.here("GET", "/users?max=100", None);
        let there = there.as_array().unwrap().iter();
        let mut there: Vec<&str> = there.map(|user| user["username"].as_str().unwrap()).collect();
        there.sort_unstable();
        assert_eq!(there, names_of(place, tenants.len()));
    }
}

/// Readers of a SQLite file are never locked out: what is as declared stays Ready, and what is to be written says why
/// it is not.
#[tokio::test]
async fn thirty_users_outlive_a_sqlite_file_that_another_process_locks() {
    let (space, _operator, mut other) = Space::with_acme("load-lite", json!({})).await;
    let gone = goes_away(&space, &["acme"], async || {
        other.execute("BEGIN IMMEDIATE").await;
    })
    .await;
    users_say_so(&space, gone).await;
    let mut reader = space.database().await;
    let (before, late) = (reader.users().await, name(USERS - 1));
    let late = space.waits::<User>(&late, "StoreUnavailable").await;
    assert!(late.message().contains("lock"), "{}", late.message());
    assert!(before.len() < USERS, "{before:?}");
    assert_eq!(reader.users().await, before);
    assert!(space.ready("acme").await.is_ready());
    other.execute("ROLLBACK").await;
    all_are_ready(&space, &["acme"]).await;
    let there = reader.texts("SELECT username FROM v1_users ORDER BY 1").await;
    assert_eq!(there, names());
    let all = users(&space).await.into_iter().map(|user| user.name_any()).collect::<Vec<_>>();
    assert_eq!(all, names(), "and nobody else");
}
