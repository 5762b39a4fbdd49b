//! Many at once, and the store away for a while.

use futures::future::join_all;

use super::{Backend, assert_fails, create, observed, samples};
use crate::store::{
    Applied, Counted, Desired, Error, Expected, Limits, conformance::samples::desired,
};

pub(crate) async fn fifty_tenants(backend: &impl Backend) {
    let states: Vec<_> =
        (0..backend.many()).map(|n| samples::tenant(&format!("tenant-{n}"))).collect();
    let tasks = states.iter().map(|state| {
        let (store, desired) = (backend.store(), desired(state.clone()));
        tokio::spawn(async move { store.apply(&desired, &Expected::Absent).await })
    });
    for applied in join_all(tasks).await {
        assert_eq!(applied.unwrap().unwrap(), Applied::Created);
    }
    for state in &states {
        assert_eq!(&observed(&*backend.store(), &state.key()).await.state, state);
    }
}

pub(crate) async fn one_tenant_twenty_times(backend: &impl Backend) {
    let desired = desired(samples::tenant("acme"));
    let tasks = (0..20).map(|_| {
        let (store, desired) = (backend.store(), desired.clone());
        tokio::spawn(async move { store.apply(&desired, &Expected::Absent).await })
    });
    let mut created = 0;
    for applied in join_all(tasks).await {
        match applied.unwrap() {
            Ok(Applied::Created) => created += 1,
            Err(Error::Raced) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(created, 1);
}

pub(crate) async fn forty_users_for_ten_seats(backend: &impl Backend) {
    create(&*backend.store(), &samples::tenant("acme")).await;
    let limits = Limits { users: Some(10), ..Limits::default() };
    let tasks = (0..40).map(|n| {
        let user = samples::user("acme", &format!("user-{n}"), None);
        let (store, desired) = (backend.store(), Desired { limits, ..desired(user) });
        tokio::spawn(async move { store.apply(&desired, &Expected::Absent).await })
    });
    let mut created = 0;
    for applied in join_all(tasks).await {
        match applied.unwrap() {
            Ok(Applied::Created) => created += 1,
            Err(Error::LimitReached { counted: Counted::Users, limit: 10 }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(created, 10);
    let census = backend.store().census("acme").await.unwrap();
    assert_eq!((census.users, census.counts.users), (10, 10));
}

pub(crate) async fn an_outage_heals(backend: &impl Backend) {
    let store = backend.store();
    create(&*store, &samples::tenant("acme")).await;
    let other = samples::tenant("other");
    backend.fail().await;
    let applied = store.apply(&desired(other.clone()), &Expected::Absent).await;
    assert_fails!(applied, Error::Unavailable(_));
    let key = samples::tenant("acme").key();
    assert_fails!(store.delete(&key, &samples::mark(&key)).await, Error::Unavailable(_));
    backend.heal().await;
    assert_eq!(observed(&*store, &key).await.state, samples::tenant("acme"));
    assert_eq!(store.observe(&other.key()).await.unwrap(), None);
    create(&*store, &other).await;
}
