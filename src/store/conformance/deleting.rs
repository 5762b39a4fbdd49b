//! Deleting: what is ours and all that is in it, and nothing else.

use super::{
    Backend, create, observed, put,
    samples::{self, narrow, wide},
};
use crate::store::{Deleted, Kind, Mark};

pub(crate) async fn removes_only_its_own(backend: &impl Backend) {
    let store = backend.store();
    for state in samples::rich() {
        create(&*store, &state).await;
    }
    for state in samples::rich().into_iter().rev() {
        let key = state.key();
        let mark = samples::mark(&key);
        let before = backend.fingerprint().await;
        for other in [
            Mark { uid: "uid-2".into(), ..mark.clone() },
            Mark { owner: "another".into(), ..mark.clone() },
            Mark { namespace: "team-b".into(), ..mark.clone() },
        ] {
            let deleted = store.delete(&key, &other).await.unwrap();
            assert_eq!(deleted, Deleted::NotOurs(Some(mark.clone())));
        }
        assert_eq!(backend.fingerprint().await, before);
        assert_eq!(observed(&*store, &key).await.state, state);
        assert_eq!(store.delete(&key, &mark).await.unwrap(), Deleted::Removed);
        assert_eq!(store.observe(&key).await.unwrap(), None);
        let before = backend.fingerprint().await;
        assert_eq!(store.delete(&key, &mark).await.unwrap(), Deleted::NotThere);
        assert_eq!(backend.fingerprint().await, before);
    }
    for state in samples::poor() {
        let key = state.key();
        backend.add(&key).await;
        let deleted = store.delete(&key, &samples::mark(&key)).await.unwrap();
        assert_eq!(deleted, Deleted::NotOurs(None));
        assert_eq!(observed(&*store, &key).await.mark, None);
    }
}

pub(crate) async fn a_tenant_takes_all_with_it(backend: &impl Backend) {
    let store = backend.store();
    for state in samples::rich() {
        create(&*store, &state).await;
    }
    let by_hand = samples::user("acme", "by-hand", None).key();
    backend.add(&by_hand).await;
    create(&*store, &samples::tenant("other")).await;
    create(&*store, &samples::user("other", "ada", None)).await;
    let tenant = samples::key(Kind::Tenant);
    let deleted = store.delete(&tenant, &samples::mark(&tenant)).await.unwrap();
    assert_eq!(deleted, Deleted::Removed);
    for key in samples::rich().iter().map(crate::store::State::key).chain([by_hand]) {
        assert_eq!(store.observe(&key).await.unwrap(), None, "{key:?}");
    }
    observed(&*store, &samples::user("other", "ada", None).key()).await;
    // And nothing comes back with a new one of that name.
    for state in samples::poor() {
        create(&*store, &state).await;
        put(&*store, &state).await;
        assert_eq!(observed(&*store, &state.key()).await.state, state);
    }
    assert_eq!(backend.held(&samples::key(Kind::User)).await, []);
}

pub(crate) async fn a_namespace_takes_its_roles(backend: &impl Backend) {
    let store = backend.store();
    for state in samples::rich() {
        create(&*store, &state).await;
    }
    let namespace = samples::key(Kind::Namespace);
    let deleted = store.delete(&namespace, &samples::mark(&namespace)).await.unwrap();
    assert_eq!(deleted, Deleted::Removed);
    let gone = samples::role("acme", &narrow("billing", "viewer"), None).key();
    assert_eq!(store.observe(&gone).await.unwrap(), None);
    observed(&*store, &samples::role("acme", &wide("viewer"), None).key()).await;
    assert_eq!(backend.held(&samples::key(Kind::User)).await, [wide("viewer")]);
}
