//! What another hand does to the store is seen, and put right by the next apply.

use super::{Backend, assert_fails, create, observed, put, samples};
use crate::store::{Applied, Error, Expected, Kind};

pub(crate) async fn no_drift_by_ourselves(backend: &impl Backend) {
    let store = backend.store();
    for state in samples::poor() {
        create(&*store, &state).await;
    }
    for state in samples::rich().into_iter().chain(samples::poor()) {
        put(&*store, &state).await;
        for state in samples::poor() {
            assert!(!observed(&*store, &state.key()).await.drifted, "{:?}", state.key());
        }
    }
}

pub(crate) async fn an_edit_is_drift(backend: &impl Backend) {
    let store = backend.store();
    for state in samples::rich() {
        create(&*store, &state).await;
        backend.edit(&state.key()).await;
        let record = observed(&*store, &state.key()).await;
        assert!(record.drifted);
        assert_ne!(record.state, state);
        let Applied::Updated(fields) = put(&*store, &state).await else { panic!("{state:?}") };
        assert_eq!(fields.len(), 1, "{fields:?}");
        let record = observed(&*store, &state.key()).await;
        assert!(!record.drifted);
        assert_eq!(record.state, state);
    }
}

/// What stays as another hand made it is put right in nothing, and nobody is told that it were.
pub(crate) async fn what_stays_as_another_hand_made_it_is_noted(backend: &impl Backend) {
    let store = backend.store();
    for state in samples::rich() {
        create(&*store, &state).await;
        let key = state.key();
        backend.edit(&key).await;
        let record = observed(&*store, &key).await;
        assert!(record.drifted);
        let noted = put(&*store, &record.state).await;
        assert_eq!(noted, Applied::Updated(vec!["mark".into()]), "{key:?}");
        let after = observed(&*store, &key).await;
        assert_eq!((after.drifted, &after.state), (false, &record.state));
    }
}

/// Also where the mark is the same: what was decided by the old state is out of date.
pub(crate) async fn what_changed_since_it_was_observed_is_left_alone(backend: &impl Backend) {
    let store = backend.store();
    for state in samples::rich() {
        create(&*store, &state).await;
        let key = state.key();
        let before = observed(&*store, &key).await;
        backend.edit(&key).await;
        let after = observed(&*store, &key).await;
        let desired = samples::desired(state);
        let stale = store.apply(&desired, &Expected::as_observed(Some(&before))).await;
        assert_fails!(stale, Error::Raced);
        assert_eq!(observed(&*store, &key).await, after);
        let fresh = store.apply(&desired, &Expected::as_observed(Some(&after))).await.unwrap();
        assert!(matches!(fresh, Applied::Updated(_)), "{fresh:?}");
        let now = Expected::as_observed(Some(&observed(&*store, &key).await));
        assert_eq!(store.apply(&desired, &now).await.unwrap(), Applied::Unchanged);
    }
}

pub(crate) async fn a_nested_edit_is_drift(backend: &impl Backend) {
    let store = backend.store();
    for state in samples::rich() {
        create(&*store, &state).await;
        if state.key().kind() == Kind::Namespace {
            continue;
        }
        backend.edit_nested(&state.key()).await;
        let record = observed(&*store, &state.key()).await;
        assert!(record.drifted);
        assert_ne!(record.state, state);
        assert!(matches!(put(&*store, &state).await, Applied::Updated(_)));
        let record = observed(&*store, &state.key()).await;
        assert!(!record.drifted);
        assert_eq!(record.state, state);
    }
}

pub(crate) async fn a_removed_one_is_absent(backend: &impl Backend) {
    let store = backend.store();
    for state in samples::rich() {
        create(&*store, &state).await;
    }
    for state in samples::rich().into_iter().rev() {
        backend.remove(&state.key()).await;
        assert_eq!(store.observe(&state.key()).await.unwrap(), None);
    }
    for state in samples::rich() {
        assert_eq!(put(&*store, &state).await, Applied::Created);
    }
}

pub(crate) async fn made_by_hand_is_unmarked(backend: &impl Backend) {
    let store = backend.store();
    for state in samples::poor() {
        backend.add(&state.key()).await;
        let record = observed(&*store, &state.key()).await;
        assert_eq!(record.mark, None);
        assert!(!record.drifted);
    }
    for state in samples::rich() {
        assert!(matches!(put(&*store, &state).await, Applied::Updated(_)));
        let record = observed(&*store, &state.key()).await;
        assert_eq!(record.mark, Some(samples::mark(&state.key())));
        assert_eq!(record.state, state);
        assert!(!record.drifted);
    }
}
