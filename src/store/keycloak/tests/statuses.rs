//! Writes over which something breaks in Keycloak: when they are tried again, and when refused.

use super::{
    faults::Faults,
    hand::{Hand, options, unless_broken, variable},
    renamed::signing_key,
};
use crate::{
    policy::{Class, Reason},
    store::{
        Applied, Desired, Error, Expected, State, Store,
        conformance::samples::{self, wide},
        keycloak::{KeycloakStore, broken::TRIES},
    },
};

/// A tenant of its own in a real Keycloak, behind a server that makes faults.
pub(super) async fn start(tenant: &str) -> (Faults, KeycloakStore, String) {
    let faults = Faults::start(variable("").replace("http://", "")).await;
    let address = format!("http://{}", faults.address);
    let options = options(&address, "_CLIENT_ID", "_SECRET_FILE");
    let store = KeycloakStore::open(&options).await.unwrap();
    let tenant = format!("s{}-{tenant}", std::process::id());
    let keys = Some(vec![signing_key()]);
    let realm = Desired { keys, ..samples::desired(samples::tenant(&tenant)) };
    let made = unless_broken!(store.apply(&realm, &Expected::Absent), Error::Broken(_));
    assert_eq!(made.unwrap(), Applied::Created);
    (faults, store, tenant)
}

async fn make(store: &KeycloakStore, state: &State) -> Result<Applied, Error> {
    store.apply(&samples::desired(state.clone()), &Expected::Absent).await
}

#[tokio::test]
async fn what_keycloak_cannot_hold_is_refused_once_it_broke_often_enough() {
    // Longer than the name of any Role may be: its database has no place for it, which it does not say.
    let (_faults, store, tenant) = start("long").await;
    let long = samples::role(&tenant, &wide(&"x".repeat(300)), None);
    for _ in 1..TRIES {
        let error = make(&store, &long).await.unwrap_err();
        assert_eq!((error.class(), error.reason()), (Class::Transient, Reason::StoreUnavailable));
        assert!(error.to_string().contains("500"), "{error}");
    }
    // Others fare well meanwhile.
    let other = samples::role(&tenant, &wide("short"), None);
    let made = unless_broken!(make(&store, &other), Error::Broken(_));
    assert_eq!(made.unwrap(), Applied::Created);
    for _ in 0..2 {
        let error = make(&store, &long).await.unwrap_err();
        assert_eq!((error.class(), error.reason()), (Class::Terminal, Reason::RefusedByStore));
        assert!(error.to_string().contains("a value that it cannot hold"), "{error}");
    }
    let like_it = format!("/{tenant}/roles?search=xxx");
    assert_eq!(Hand::new().0.list(&like_it).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn while_all_breaks_each_is_tried_until_it_is_done() {
    let (faults, store, tenant) = start("trouble").await;
    let roles = ["one", "two"].map(|name| samples::role(&tenant, &wide(name), None));
    faults.answer(|request| request.starts_with("POST").then_some(500));
    for _ in 0..2 * TRIES {
        for role in &roles {
            let error = make(&store, role).await.unwrap_err();
            assert!(matches!(error, Error::Broken(_)), "{error}");
        }
    }
    // Reads break as well: nothing is known of what is there.
    faults.answer(|_| Some(500));
    assert!(matches!(make(&store, &roles[0]).await, Err(Error::Unavailable(_))));
    faults.answer(|_| None);
    for role in &roles {
        let made = unless_broken!(make(&store, role), Error::Broken(_));
        assert_eq!(made.unwrap(), Applied::Created);
    }
}
