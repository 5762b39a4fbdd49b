//! A thousand objects of all kinds, and then silence.

use std::time::Instant;

use futures::{StreamExt, stream};
use keyreeve::api::{Namespace, Role, Tenant, User};
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::support::{Audit, Database, Member, Operator, Server, Space, eventually};

const TENANTS: usize = 20;
const PROFILES: usize = 3;
const NAMESPACES: usize = 60;
const ROLES: usize = 200;
const USERS: usize = 717;
/// Of the users, those with a password.
const PASSWORDS: usize = 20;

#[tokio::test]
async fn a_thousand_objects_of_all_kinds_are_looked_at_three_times_without_a_write() {
    let space = Space::new("steady").await;
    let operator = Operator::start(&space);
    operator.works().await;
    let began = Instant::now();
    let mut database = space.database().await;
    create(&space, &mut database).await;
    let created = began.elapsed();
    database.reaches("SELECT count(*) FROM v1_users", USERS).await;
    are_well::<Namespace>(&space, NAMESPACES).await;
    are_well::<Role>(&space, ROLES).await;
    are_well::<User>(&space, USERS).await;
    let (ready, computed) = (began.elapsed(), operator.cpu_seconds());
    println!("created in {created:.1?}, all Ready after {ready:.1?}, {computed:.1} s of CPU");
    eventually("all users are counted", async || {
        let tenants = space.tenants().list(&ListParams::default()).await.unwrap().items;
        let counts = tenants.iter().map(|tenant| tenant.status.as_ref()?.user_count);
        counts.flatten().sum::<i64>() == i64::try_from(USERS).unwrap()
    })
    .await;

    // Whatever it had still to say, it has said when it has ended.
    assert!(operator.stop().await.success());
    let (audit, version, began) = (Audit::begin(&space), database.version().await, Instant::now());
    let metrics = Server::new();
    let flags = ["--resync", "5s", "--metrics-bind-address", &metrics.address];
    let operator = Operator::start_with(&space, &flags);
    operator.works().await;
    let kinds = [
        ("tenant", TENANTS),
        ("tenantprofile", PROFILES),
        ("namespace", NAMESPACES),
        ("role", ROLES),
        ("user", USERS),
    ];
    for (controller, count) in kinds {
        // Once after the start, three times as resyncs, and once more so that none was left out.
        for round in 1..=5 {
            let looks = f64::from(u16::try_from(round * count).unwrap());
            let labels = format!("controller=\"{controller}\"");
            eventually(&format!("every {controller} was looked at {round} times"), async || {
                metrics.metric("controller_runtime_reconcile_total", &labels) >= looks
            })
            .await;
        }
    }
    let computed = operator.cpu_seconds();
    println!("a restart and three resyncs in {:.1?}, {computed:.1} s of CPU", began.elapsed());
    assert_eq!(audit.writes(), Vec::<String>::new(), "nothing is written to the API server");
    assert_eq!(database.version().await, version, "nor to the store");
}

/// All at once within a kind, which waits for the kinds that it refers to.
async fn create(space: &Space, database: &mut Database) {
    for number in 0..PROFILES {
        let spec = json!({"plan": format!("plan-{number}"), "keystore": {"algorithm": "ES256"},
            "settings": {"ttl": {"session": "1h"}}, "planDetails": {"maxUsers": 500}});
        space.make_profile(&format!("profile-{number}"), spec).await;
    }
    let tenants = (0..TENANTS).map(async |number| {
        let spec = json!({"profileRef": {"name": format!("profile-{}", number % PROFILES)}});
        space.create::<Tenant>(&tenant(number), spec).await;
    });
    stream::iter(tenants).buffer_unordered(8).collect::<()>().await;
    for number in 0..TENANTS {
        space.ready(&tenant(number)).await;
    }
    all(NAMESPACES, async |number| {
        let spec = json!({"tenantRef": {"name": tenant(number)}, "description": "A part"});
        space.create::<Namespace>(&format!("part-{number}"), spec).await;
    })
    .await;
    database.reaches("SELECT count(*) FROM v1_namespaces", NAMESPACES).await;
    all(ROLES, async |number| {
        let mut spec = json!({
            "tenantRef": {"name": tenant(number)},
            "rules": [{"paths": [format!("/{number}/*")], "methods": ["GET"]}],
        });
        // Of each tenant's ten, some are in a part of it and some contain its first.
        match number / TENANTS {
            0 => {}
            1..4 => spec["namespaceRef"] = json!({"name": format!("part-{}", number % NAMESPACES)}),
            _ => spec["composites"] = json!([{"name": format!("role-{}", number % TENANTS)}]),
        }
        space.create::<Role>(&format!("role-{number}"), spec).await;
    })
    .await;
    database.reaches("SELECT count(*) FROM v1_roles", ROLES).await;
    all(USERS, async |number| space.create::<User>(&format!("user-{number}"), user(number)).await)
        .await;
}

async fn all<T>(count: usize, make: impl AsyncFn(usize) -> T) {
    let makings = stream::iter(0..count).map(|number| make(number)).buffer_unordered(16);
    makings.for_each(async |_| ()).await;
}

fn tenant(number: usize) -> String {
    format!("tenant-{}", number % TENANTS)
}

fn user(number: usize) -> Value {
    let role = format!("role-{}", (number % TENANTS) + TENANTS * (number / TENANTS % 10));
    let mut spec = json!({
        "tenantRef": {"name": tenant(number)},
        "email": format!("user-{number}@acme.example"),
        "firstName": "Ada",
        "roles": [{"name": role}],
        "claims": {"number": number, "team": {"leads": ["ada", "bob"]}},
    });
    if number < PASSWORDS {
        spec["password"] = json!({"generate": {}});
    }
    spec
}

async fn are_well<M: Member>(space: &Space, count: usize) {
    eventually(&format!("all {count} of {} are Ready", M::kind(&())), async || {
        let members = space.api::<M>().list(&ListParams::default()).await.unwrap().items;
        members.len() == count && members.iter().all(|member| member.is_ready() && member.is_told())
    })
    .await;
}
