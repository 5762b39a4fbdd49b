//! A whole bundle applied at once in any order, with kills in between, ends as in any other order.

use futures::{StreamExt, stream};
use keyreeve::api::{Namespace, Role, Tenant, TenantProfile, User};
use serde_json::{Value, json};

use crate::support::{Conditions, Dice, Operator, Space};

const ORDERS: u64 = 12;

#[tokio::test]
async fn a_bundle_ends_the_same_in_whatever_order_it_is_applied() {
    let ends: Vec<_> = stream::iter(1..=ORDERS).map(end).buffered(4).collect().await;
    let (_, first) = &ends[0];
    for (what, number) in [("roles", 5), ("users", 3), ("grants", 3), ("passwords", 2)] {
        assert_eq!(first[what].as_array().unwrap().len(), number, "{first:#}");
    }
    for (order, end) in &ends {
        assert_eq!(end, first, "{order:?}");
    }
}

/// One object of the bundle.
#[derive(Clone, Copy, Debug)]
enum Part {
    Profile,
    Tenant,
    Namespace(&'static str),
    /// Its name, identity Namespace and parts.
    Role(&'static str, Option<&'static str>, &'static [&'static str]),
    /// Its name, roles, and whether it has a password of the Secret.
    User(&'static str, &'static [&'static str], bool),
    Secret,
}

const BUNDLE: [Part; 13] = [
    Part::Profile,
    Part::Tenant,
    Part::Namespace("sales"),
    Part::Namespace("stock"),
    Part::Role("reader", None, &[]),
    Part::Role("clerk", Some("sales"), &["reader"]),
    Part::Role("keeper", Some("stock"), &["reader"]),
    Part::Role("boss", None, &["clerk", "keeper"]),
    Part::Role("owner", Some("sales"), &["boss", "reader"]),
    Part::User("ada", &["boss"], true),
    Part::User("bob", &["clerk", "reader"], true),
    Part::User("robot", &[], false),
    Part::Secret,
];

/// Applies the bundle in an order of its own, and answers the order and what there is in the end.
async fn end(seed: u64) -> (Vec<Part>, Value) {
    let mut dice = Dice(seed * 20_261_122);
    let mut order = BUNDLE.to_vec();
    for place in (1..order.len()).rev() {
        order.swap(place, usize::try_from(dice.below(place as u64 + 1)).unwrap());
    }
    let space = Space::new("bundle").await;
    let mut operator = Operator::start(&space);
    // Two thirds of them with kills: before, between or after any two objects.
    let kills: Vec<_> = (0..seed % 3).map(|_| dice.below(order.len() as u64)).collect();
    for (place, part) in order.iter().enumerate() {
        apply(&space, *part).await;
        if kills.contains(&(place as u64)) {
            if dice.below(2) > 0 {
                operator.works().await;
            }
            operator.kill();
            operator = Operator::start(&space);
        }
    }
    (order, reached(&space).await)
}

async fn apply(space: &Space, part: Part) {
    match part {
        Part::Profile => {
            let spec =
                json!({"settings": {"ttl": {"session": "2h"}}, "keystore": {"algorithm": "ES256"}});
            space.create::<TenantProfile>("gold", spec).await;
        }
        Part::Tenant => {
            space.create::<Tenant>("acme", json!({"profileRef": {"name": "gold"}})).await;
        }
        Part::Namespace(name) => {
            space.in_acme::<Namespace>(name, json!({"description": name})).await;
        }
        Part::Role(name, namespace, parts) => {
            let parts: Vec<_> = parts.iter().map(|part| json!({"name": part})).collect();
            let mut spec = json!({"rules": [{"paths": [format!("/{name}/*")], "methods": ["*"]}]});
            if let Some(namespace) = namespace {
                spec["namespaceRef"] = json!({"name": namespace});
            }
            if !parts.is_empty() {
                spec["composites"] = parts.into();
            }
            space.in_acme::<Role>(name, spec).await;
        }
        Part::User(name, roles, with_password) => {
            let roles: Vec<_> = roles.iter().map(|role| json!({"name": role})).collect();
            let mut spec = json!({"email": format!("{name}@acme.example"), "roles": roles});
            if with_password {
                spec["password"] = json!({"secretKeyRef": {"name": "passwords", "key": name}});
            }
            space.in_acme::<User>(name, spec).await;
        }
        Part::Secret => {
            let password = b"correct horse battery".as_slice();
            space.make_secret("passwords", &[("ada", password), ("bob", password)]).await;
        }
    }
}

/// Waits until all are Ready and answers what an identity provider reads.
async fn reached(space: &Space) -> Value {
    for part in BUNDLE {
        match part {
            Part::Profile => drop(space.profile("gold", "Ready", Conditions::is_ready).await),
            Part::Tenant => drop(space.ready("acme").await),
            Part::Namespace(name) => drop(space.well::<Namespace>(name).await),
            Part::Role(name, ..) => drop(space.well::<Role>(name).await),
            Part::User(name, ..) => drop(space.well::<User>(name).await),
            Part::Secret => {}
        }
    }
    let mut database = space.database().await;
    json!({
        "tenant": database.acme().await,
        "namespaces": database.namespaces().await,
        "roles": database.roles().await,
        "composites": database.composites().await,
        "users": database.users().await,
        "grants": database.grants().await,
        "passwords": database.texts("SELECT username FROM v1_credentials ORDER BY 1").await,
    })
}
