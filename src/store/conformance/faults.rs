//! What a store can suffer: one table for all of them, of what the error of a write is meanwhile and what the store
//! has afterwards. Once it is over the same write is done, once.
//!
//! A cut in the middle of a write is made at each of its steps. Of the four classes an error of a store has two: nothing in
//! a store waits for another object, and what it does not support it says by `Store::support`. That a state itself
//! is refused is shown where that is tried (`values`, `unique`, `limits`).

use super::{
    Backend, create, observed, put,
    samples::{self, desired, narrow, wide},
};
use crate::{
    policy::{Class, Reason},
    store::{Applied, Deleted, Error, Expected, Key, Record, RoleName, State, Store},
};

/// What a store can suffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nobody is at its address.
    Away,
    /// What it is in is not in its place: the file, or a table.
    Gone,
    /// It gives no answer in time.
    Silent,
    /// It ends the connection while it writes.
    Ended,
    /// It does not let the operator in: 401.
    Unauthorized,
    /// The operator may not write: 403.
    Forbidden,
    /// What is written to is not there any more: 404.
    NotFound,
    /// Somebody else wrote at the same moment: 409.
    Conflict,
    /// It has too much to do: 429, or no connection left.
    Busy,
    /// Something breaks in it: 500.
    Broken,
    /// What it answers cannot be read.
    Malformed,
    /// It refuses what is written: 400.
    Refused,
    /// Somebody else holds a lock.
    Locked,
    /// Nobody may write.
    ReadOnly,
    /// The connection is cut before a step of a write reaches it.
    CutBefore,
    /// The same, after it was done and before its answer gets through.
    CutAfter,
}

/// What the store has after a write that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// What it had.
    AsBefore,
    /// Nobody can know: that, what was to be written, or a part of it.
    Unknown,
}

// So that a row fits into a line.
use After::{AsBefore, Unknown};

/// What the error of a write is while this lasts, and what the store has afterwards.
#[rustfmt::skip]
const TABLE: [(Fault, Class, Reason, After); 16] = [
    (Fault::Away,         Class::Transient, Reason::StoreUnavailable, AsBefore),
    (Fault::Gone,         Class::Transient, Reason::StoreUnavailable, AsBefore),
    (Fault::Silent,       Class::Transient, Reason::StoreUnavailable, AsBefore),
    (Fault::Ended,        Class::Transient, Reason::StoreUnavailable, AsBefore),
    (Fault::Unauthorized, Class::Transient, Reason::StoreUnavailable, AsBefore),
    (Fault::Forbidden,    Class::Transient, Reason::ForbiddenByStore, AsBefore),
    (Fault::NotFound,     Class::Transient, Reason::StoreChanged,     AsBefore),
    (Fault::Conflict,     Class::Transient, Reason::StoreChanged,     AsBefore),
    (Fault::Busy,         Class::Transient, Reason::StoreUnavailable, AsBefore),
    (Fault::Broken,       Class::Transient, Reason::StoreUnavailable, AsBefore),
    (Fault::Malformed,    Class::Transient, Reason::StoreUnavailable, AsBefore),
    (Fault::Refused,      Class::Terminal,  Reason::RefusedByStore,   AsBefore),
    (Fault::Locked,       Class::Transient, Reason::StoreUnavailable, AsBefore),
    (Fault::ReadOnly,     Class::Transient, Reason::StoreUnavailable, AsBefore),
    (Fault::CutBefore,    Class::Transient, Reason::StoreUnavailable, Unknown),
    (Fault::CutAfter,     Class::Transient, Reason::StoreUnavailable, Unknown),
];

/// What words of a statement or of a state have no place in a sentence for people.
const UNSAID: [&str; 5] = ["SELECT", "INSERT", "UPDATE", "DELETE FROM", samples::TEXT];

/// A write: from what is there to what shall be.
struct Way {
    what: &'static str,
    key: Key,
    from: Option<State>,
    to: Option<State>,
}

impl Way {
    fn new(what: &'static str, from: Option<&State>, to: Option<&State>) -> Self {
        let key = from.or(to).unwrap().key();
        Self { what, key, from: from.cloned(), to: to.cloned() }
    }

    /// Brings the store to where the way begins.
    async fn begin(&self, store: &dyn Store) -> Option<Record> {
        reach(store, &self.key, self.from.as_ref()).await;
        store.observe(&self.key).await.unwrap()
    }

    /// The write, by who saw this before it.
    async fn go(&self, store: &dyn Store, seen: Option<&Record>) -> Result<(), Error> {
        match &self.to {
            Some(state) => {
                let expected = Expected::as_observed(seen);
                store.apply(&desired(state.clone()), &expected).await.map(|_| ())
            }
            None => store.delete(&self.key, &samples::mark(&self.key)).await.map(|deleted| {
                assert!(!matches!(deleted, Deleted::NotOurs(_)), "{}: {deleted:?}", self.what);
            }),
        }
    }

    /// Asserts that it is done: whole, once, and with nothing left to do.
    async fn is_done(&self, backend: &impl Backend, why: &str) {
        let (store, why) = (backend.store(), format!("{} {:?} {why}", self.what, self.key));
        let Some(state) = &self.to else {
            assert_eq!(store.observe(&self.key).await.unwrap(), None, "{why}");
            return;
        };
        let record = observed(&*store, &self.key).await;
        assert_eq!((&record.state, record.drifted), (state, false), "{why}");
        assert_eq!(record.mark, Some(samples::mark(&self.key)), "{why}");
        let expected = Expected::as_observed(Some(&record));
        let again = store.apply(&desired(state.clone()), &expected).await.unwrap();
        assert_eq!(again, Applied::Unchanged, "{why}");
        let mut roles = match state {
            State::User(user) => user.roles.clone().unwrap_or_default(),
            State::Role(role) => role.composites.clone().unwrap_or_default(),
            State::Tenant(_) | State::Namespace(_) => return,
        };
        roles.sort();
        assert_eq!(backend.held(&self.key).await, roles, "{why}");
    }
}

/// Brings the store to a state, or to having nothing.
async fn reach(store: &dyn Store, key: &Key, state: Option<&State>) {
    if let Some(state) = state {
        put(store, state).await;
    } else {
        store.delete(key, &samples::mark(key)).await.unwrap();
    }
}

fn user(name: &str, first_name: &str, roles: &[RoleName]) -> State {
    let State::User(mut user) = samples::user("acme", name, Some(roles)) else { unreachable!() };
    user.first_name = Some(first_name.into());
    user.email = Some(format!("{name}@acme.example"));
    user.email_key.clone_from(&user.email);
    State::User(user)
}

/// The tenant, and what its users hold.
async fn set_up(backend: &impl Backend) {
    let store = backend.store();
    create(&*store, &samples::tenant("acme")).await;
    create(&*store, &samples::namespace("acme", "billing")).await;
    for role in [wide("viewer"), wide("editor"), narrow("billing", "clerk")] {
        create(&*store, &samples::role("acme", &role, None)).await;
    }
}

/// Asserts that there is nothing that was not set up.
async fn nothing_is_left(backend: &impl Backend) {
    let census = backend.store().census("acme").await.unwrap();
    let counts = census.counts;
    assert_eq!((census.users, counts.users, counts.namespaces, counts.roles), (0, 0, 1, 3));
}

/// What is in the table of a fault that this store can suffer, with what its error says.
fn rows<B: Backend>(after: After) -> Vec<(Fault, Class, Reason, &'static str)> {
    for (fault, _) in B::suffers() {
        assert!(TABLE.iter().any(|row| row.0 == *fault), "{fault:?} is not in the table");
    }
    let of = |row: &(Fault, Class, Reason, After)| {
        let (fault, says) = B::suffers().iter().find(|(fault, _)| *fault == row.0)?;
        (row.3 == after).then_some((*fault, row.1, row.2, *says))
    };
    TABLE.iter().filter_map(of).collect()
}

pub(crate) async fn each_has_its_class_and_passes<B: Backend>(_: &B) {
    let backend = B::start_to_disturb().await;
    set_up(&backend).await;
    let roles = [wide("editor"), narrow("billing", "clerk")];
    let [made, changed, removed] = ["made", "changed", "removed"]
        .map(|name| (user(name, "Poor", &[wide("viewer")]), user(name, samples::TEXT, &roles)));
    let ways = [
        Way::new("make", None, Some(&made.0)),
        Way::new("change", Some(&changed.0), Some(&changed.1)),
        Way::new("remove", Some(&removed.1), None),
    ];
    let rows = rows::<B>(AsBefore);
    assert!(rows.len() > 2, "{rows:?}");
    for (fault, class, reason, says) in rows {
        let mut before = Vec::new();
        for way in &ways {
            before.push(way.begin(&*backend.store()).await);
        }
        backend.disturb(fault, 1).await;
        let mut went = Vec::new();
        for (way, before) in ways.iter().zip(&before) {
            let store = backend.store();
            match store.observe(&way.key).await {
                Ok(seen) => assert_eq!(seen.is_some(), before.is_some(), "{fault:?}"),
                Err(error) => assert_eq!(error.class(), Class::Transient, "{fault:?}: {error}"),
            }
            went.push(way.go(&*store, before.as_ref()).await);
        }
        backend.calm(fault).await;
        assert!(went.iter().filter(|went| went.is_err()).count() > 1, "{fault:?}: {went:?}");
        for ((way, before), went) in ways.iter().zip(before).zip(went) {
            let store = backend.store();
            if let Err(error) = went {
                let what = format!("{fault:?}: {}: {error}", way.what);
                assert_eq!((error.class(), error.reason()), (class, reason), "{what}");
                assert!(error.to_string().contains(says), "{what}");
                assert!(!UNSAID.iter().any(|word| error.to_string().contains(word)), "{what}");
                assert_eq!(store.observe(&way.key).await.unwrap(), before, "{what}");
                // Now that it is over.
                way.go(&*store, before.as_ref()).await.expect(&what);
            }
            way.is_done(&backend, &format!("after {fault:?}")).await;
        }
    }
    for state in [made.0, changed.1] {
        reach(&*backend.store(), &state.key(), None).await;
    }
    nothing_is_left(&backend).await;
}

pub(crate) async fn a_cut_at_each_step_of_a_write<B: Backend>(_: &B) {
    let rows = rows::<B>(Unknown);
    if rows.is_empty() {
        // A store without a connection has a crash instead, which its own tests are about.
        return;
    }
    let backend = B::start_to_disturb().await;
    set_up(&backend).await;
    let both = [wide("editor"), narrow("billing", "clerk")];
    let role = |composites: &[RoleName]| samples::role("acme", &wide("boss"), Some(composites));
    let (ada, rich_ada) = (user("ada", "Poor", &[wide("viewer")]), user("ada", "Rich", &both));
    let (boss, rich_boss) = (role(&[wide("viewer")]), role(&both));
    let ways = [
        Way::new("make", None, Some(&samples::tenant("other"))),
        Way::new("make", None, Some(&samples::namespace("acme", "sales"))),
        Way::new("make", None, Some(&boss)),
        Way::new("change", Some(&boss), Some(&rich_boss)),
        Way::new("make", None, Some(&ada)),
        Way::new("change", Some(&ada), Some(&rich_ada)),
        Way::new("remove", Some(&rich_ada), None),
    ];
    for (cut, class, reason, says) in rows {
        for way in &ways {
            let mut failed = 0;
            for step in 1.. {
                let before = way.begin(&*backend.store()).await;
                backend.disturb(cut, step).await;
                let store = backend.store();
                let went = way.go(&*store, before.as_ref()).await;
                let is_cut = backend.calm(cut).await;
                let what = format!("{} {:?}, {cut:?} at step {step}", way.what, way.key);
                if let Err(error) = &went {
                    assert!(is_cut, "{what}: {error}");
                    assert_eq!((error.class(), error.reason()), (class, reason), "{what}: {error}");
                    assert!(error.to_string().contains(says), "{what}: {error}");
                    failed += 1;
                    // The next try begins with a look.
                    let seen = store.observe(&way.key).await.unwrap();
                    way.go(&*store, seen.as_ref()).await.expect(&what);
                }
                way.is_done(&backend, &what).await;
                if !is_cut {
                    // It has fewer steps.
                    break;
                }
            }
            assert!(failed > 0, "{cut:?} is never made while to {} {:?}", way.what, way.key);
        }
    }
    for key in
        [samples::tenant("other"), samples::namespace("acme", "sales"), boss].map(|it| it.key())
    {
        reach(&*backend.store(), &key, None).await;
    }
    nothing_is_left(&backend).await;
}
