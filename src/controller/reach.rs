//! Which of the watched Kubernetes namespaces the operator can read. One that it cannot, because the namespace is
//! gone or its Role is, holds up none of the others: it is looked at again until it can be read, and what is in it
//! is taken for neither there nor gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use kube::{Client, runtime::watcher};
use tokio::{sync::watch, time::sleep};

use super::{index::Kind, informer::Informer, start};

/// How long a namespace that cannot be read is left alone before it is looked at again.
const PAUSE: Duration = Duration::from_secs(10);

/// What is known of each namespace that is watched by its name; of none where all are watched.
#[derive(Debug)]
pub struct Reach(watch::Sender<BTreeMap<String, Space>>);

#[derive(Debug, Default)]
struct Space {
    /// Whether it cannot be read now.
    lost: bool,
    /// The kinds whose objects were listed at least once.
    listed: BTreeSet<Kind>,
}

impl Space {
    fn is_settled(&self) -> bool {
        self.lost || self.listed.len() == Kind::ALL.len()
    }
}

impl Reach {
    /// Nothing is known of these yet.
    #[must_use]
    pub fn of(watched: &[String]) -> Self {
        let spaces = watched.iter().map(|name| (name.clone(), Space::default()));
        Self(watch::Sender::new(spaces.collect()))
    }

    /// All objects of a kind were listed in this namespace.
    pub fn listed(&self, namespace: &str, kind: Kind) {
        self.change(namespace, |space| space.listed.insert(kind));
    }

    /// It cannot be read now; whether that is news.
    pub fn lose(&self, namespace: &str) -> bool {
        self.change(namespace, |space| !std::mem::replace(&mut space.lost, true))
    }

    /// It can be read again.
    pub fn find(&self, namespace: &str) {
        self.change(namespace, |space| std::mem::replace(&mut space.lost, false));
    }

    /// Whether it is watched and cannot be read now.
    #[must_use]
    pub fn is_lost(&self, namespace: &str) -> bool {
        self.0.borrow().get(namespace).is_some_and(|space| space.lost)
    }

    /// How many there are of those.
    #[must_use]
    pub fn number_lost(&self) -> usize {
        self.0.borrow().values().filter(|space| space.lost).count()
    }

    /// Whether a namespace is watched whose objects of this kind were never listed: of what is not in the cache
    /// nobody can say then that it is not there.
    #[must_use]
    pub fn is_unseen(&self, namespace: &str, kind: Kind) -> bool {
        self.0.borrow().get(namespace).is_some_and(|space| !space.listed.contains(&kind))
    }

    /// The namespaces whose objects of this kind were never listed.
    #[must_use]
    pub fn unseen(&self, kind: Kind) -> Vec<String> {
        let spaces = self.0.borrow();
        let unseen = spaces.iter().filter(|(_, space)| !space.listed.contains(&kind));
        unseen.map(|(name, _)| name.clone()).collect()
    }

    /// Waits until each was listed, or cannot be read.
    pub async fn settled(&self) {
        self.until(|spaces| spaces.values().all(Space::is_settled)).await;
    }

    /// Waits until this one can be read, for all that is known.
    pub async fn readable(&self, namespace: &str) {
        self.until(|spaces| !spaces.get(namespace).is_some_and(|space| space.lost)).await;
    }

    async fn lost(&self, namespace: &str) {
        self.until(|spaces| spaces.get(namespace).is_some_and(|space| space.lost)).await;
    }

    async fn until(&self, is_so: impl FnMut(&BTreeMap<String, Space>) -> bool) {
        // The sender lives as long as this.
        let _ = self.0.subscribe().wait_for(is_so).await;
    }

    /// Changes one that is watched, and answers whether there was a change.
    fn change(&self, namespace: &str, change: impl FnOnce(&mut Space) -> bool) -> bool {
        self.0.send_if_modified(|spaces| spaces.get_mut(namespace).is_some_and(change))
    }
}

/// Whether the API server refused a watch for lack of a right.
#[must_use]
pub fn is_forbidden(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => {
            matches!(error, kube::Error::Api(status) if status.is_forbidden())
        }
        watcher::Error::WatchError(status) => status.is_forbidden(),
        watcher::Error::NoResourceVersion => false,
    }
}

/// Looks at a namespace again and again while it cannot be read, until the operator stops.
pub async fn look_after(client: Client, informer: Informer, namespace: String) {
    let reach = &informer.view.reach;
    loop {
        reach.lost(&namespace).await;
        sleep(PAUSE).await;
        if start::may_read(&client, &namespace).await {
            reach.find(&namespace);
            tracing::info!(namespace, "the watched namespace can be read again");
            informer.tell_what_is_lost();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn one_that_cannot_be_read_holds_up_nobody_and_what_was_never_listed_is_unseen() {
        let reach = Reach::of(&["a".into(), "b".into()]);
        assert!(reach.settled().now_or_never().is_none());
        for kind in Kind::ALL {
            reach.listed("a", kind);
        }
        reach.listed("b", Kind::Tenant);
        assert!(reach.settled().now_or_never().is_none(), "Users of b may come any moment");
        assert!(reach.lose("b") && !reach.lose("b"), "it is told once");
        assert!(reach.settled().now_or_never().is_some());
        assert_eq!((reach.number_lost(), reach.is_lost("b"), reach.is_lost("a")), (1, true, false));
        assert!(reach.is_unseen("b", Kind::User) && !reach.is_unseen("b", Kind::Tenant));
        assert_eq!(reach.unseen(Kind::User), ["b"]);
        assert!(reach.readable("b").now_or_never().is_none());
        reach.find("b");
        assert!(reach.readable("b").now_or_never().is_some());
        assert!(reach.settled().now_or_never().is_none());
        for kind in Kind::ALL {
            reach.listed("b", kind);
        }
        assert!(reach.settled().now_or_never().is_some());
        // What was listed once and cannot be read now is known as it was.
        reach.lose("b");
        assert!(!reach.is_unseen("b", Kind::User));
    }

    #[test]
    fn of_namespaces_that_are_not_watched_by_their_names_nothing_is_unseen() {
        let reach = Reach::of(&[]);
        assert!(reach.settled().now_or_never().is_some());
        assert!(!reach.lose("a") && !reach.is_lost("a") && !reach.is_unseen("a", Kind::User));
        assert!(reach.unseen(Kind::User).is_empty());
    }
}
