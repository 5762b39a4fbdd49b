//! The same YAML, on each store: people see the same.

use keyreeve::api::{Namespace, Role, Tenant, User};

use crate::{
    keycloak,
    support::{Conditions, Operator, Postgres, Space, until},
};

const BUNDLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/bundle.yaml");

/// What `kubectl get` shows of all kinds once all has become what it says; without the ages.
async fn tables(space: &Space) -> Vec<String> {
    space.kubectl(&["apply", "-f", BUNDLE]);
    space.well::<Namespace>("bundle-orders").await;
    space.well::<Role>("bundle-order-reader").await;
    space.well::<Role>("bundle-admin").await;
    space.well::<User>("bundle-alice").await;
    // Counted at most once a second.
    let counted = |tenant: &Tenant| {
        let status = tenant.status.as_ref().unwrap();
        status.user_count == Some(1) && status.admin_username.as_deref() == Some("alice")
    };
    until(space.tenants(), "bundle", "Ready and counted", |tenant: &Tenant| {
        tenant.is_ready() && counted(tenant)
    })
    .await;
    until(space.profiles(), "team", "used", |profile| {
        profile.status.as_ref().is_some_and(|status| status.tenants == Some(1))
    })
    .await;
    let shown = space.kubectl(&["get", "keyreeve", "-o", "wide"]);
    let mut age = 0;
    let row = |line: &str| {
        age = line.find("AGE").unwrap_or(age);
        let (before, rest) = line.split_at(line.len().min(age));
        let after = rest.find(' ').map_or("", |end| &rest[end..]);
        format!("{before}{after}").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    shown.lines().map(row).filter(|row| !row.is_empty()).collect()
}

#[tokio::test]
async fn the_same_yaml_ends_in_the_same_tables_on_each_store() {
    let [sqlite, on_postgres, on_keycloak] = [
        Space::new("tables-sqlite").await,
        Space::new("tables-postgres").await,
        Space::new("tables-keycloak").await,
    ];
    let postgres = Postgres::start(&on_postgres).await;
    let flags = postgres.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let _operators = [
        Operator::start_with(&sqlite, &[]),
        Operator::start_with(&on_postgres, &flags),
        keycloak::operator_at(&on_keycloak, &keycloak::server()),
    ];
    let (first, second, third) =
        tokio::join!(tables(&sqlite), tables(&on_postgres), tables(&on_keycloak));
    assert_eq!(first.len(), 11, "{first:#?}");
    assert!(
        first.iter().any(|row| row.ends_with("bundle-alice bundle alice true True Synced")),
        "{first:#?}"
    );
    assert_eq!(first, second);
    assert_eq!(first, third);
}
