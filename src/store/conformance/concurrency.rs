//! Many at once: each is done once, and no more are let in than there are seats.

use futures::future::join_all;

use super::{
    Backend, create,
    limits::{at_first, limit, nth, role, set_up, user},
    observed, samples,
};
use crate::store::{
    Applied, Counted, Desired, Error, Expected, Limits, State, conformance::samples::desired,
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

/// More of a kind at once than there are seats for: exactly as many are let in.
async fn twenty_for_five_seats(backend: &impl Backend, counted: Counted) {
    set_up(backend).await;
    let seats = at_first(counted) + 5;
    let came = (0..20).map(|n| (nth(counted, n), Expected::Absent)).collect();
    assert_eq!(let_in_at_once(backend, limit(counted, seats), came).await, 5);
    let census = backend.store().census("acme").await.unwrap();
    assert_eq!(census.counts.of(counted), seats);
}

/// Applies all of these at once, and answers how many were let in; the others met the limit.
async fn let_in_at_once(
    backend: &impl Backend,
    limits: Limits,
    came: Vec<(State, Expected)>,
) -> usize {
    let tasks = came.into_iter().map(|(state, expected)| {
        let (store, desired) = (backend.store(), Desired { limits, ..desired(state) });
        tokio::spawn(async move { store.apply(&desired, &expected).await })
    });
    let mut let_in = 0;
    for applied in join_all(tasks).await {
        match applied.unwrap() {
            Ok(Applied::Created | Applied::Updated(_)) => let_in += 1,
            Err(Error::LimitReached { counted, limit }) => {
                assert_eq!(limits.of(counted), Some(limit));
            }
            other => panic!("{other:?}"),
        }
    }
    let_in
}

pub(crate) async fn twenty_users_for_five_seats(backend: &impl Backend) {
    twenty_for_five_seats(backend, Counted::Users).await;
}

pub(crate) async fn twenty_namespaces_for_five_seats(backend: &impl Backend) {
    twenty_for_five_seats(backend, Counted::Namespaces).await;
}

pub(crate) async fn twenty_roles_for_five_seats(backend: &impl Backend) {
    twenty_for_five_seats(backend, Counted::Roles).await;
}

pub(crate) async fn twenty_administrators_for_five_seats(backend: &impl Backend) {
    twenty_for_five_seats(backend, Counted::Administrators).await;
}

/// New users, users who are given a role, roles that are given a part, and roles that are marked themselves.
pub(crate) async fn administrators_by_all_ways_at_once(backend: &impl Backend) {
    set_up(backend).await;
    let store = backend.store();
    create(&*store, &role("boss", &["admin"])).await;
    let mut came = Vec::new();
    for n in 0..3 {
        came.push((user(&format!("new-{n}"), &["boss"]), Expected::Absent));
        let mut is_there = Vec::new();
        let (plain, team, crew) = (format!("plain-{n}"), format!("team-{n}"), format!("crew-{n}"));
        is_there.push((user(&plain, &[]), user(&plain, &["admin"])));
        is_there.push((role(&team, &[]), role(&team, &["boss"])));
        is_there.push((role(&crew, &[]), samples::administrator("acme", &crew)));
        for (state, wanted) in is_there {
            create(&*store, &state).await;
            came.push((wanted, Expected::Marked(samples::mark(&state.key()))));
        }
        create(&*store, &user(&format!("of-{team}"), &[&team])).await;
        create(&*store, &user(&format!("of-{crew}"), &[&crew])).await;
    }
    assert_eq!(let_in_at_once(backend, limit(Counted::Administrators, 5), came).await, 5);
    let census = store.census("acme").await.unwrap();
    assert_eq!(census.counts.administrators, 5);
}
