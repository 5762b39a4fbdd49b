//! Opening the store, and saying so in status while that does not succeed.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, sleep_until},
};

use crate::{
    controller::Standby,
    leadership::Term,
    store::{OpenError, Store},
};

/// How long a store may be away before status says so: one that starts together with the operator is spared it.
const GRACE: Duration = Duration::from_secs(5);

/// Why the store could not be opened so far.
pub(super) struct Tries(watch::Sender<Option<String>>);

impl Tries {
    fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// A try has failed, and another one follows.
    pub(super) fn failed(&self, error: &OpenError) {
        tracing::warn!("{error}");
        // Not where it is: that is nobody's business who reads a Tenant.
        if let OpenError::Away { cause, hint, .. } = error {
            self.0.send_replace(Some(format!("{cause}. {hint}")));
        }
    }

    /// Waits until one has failed and the grace is over, and answers why the last one did.
    async fn keep_failing(&self) -> String {
        let (over, mut why) = (Instant::now() + GRACE, self.0.subscribe());
        // The sender lives as long as this.
        let _ = why.wait_for(Option::is_some).await;
        sleep_until(over).await;
        let why = self.0.borrow().clone();
        why.unwrap_or_default()
    }
}

/// Opens the store, unless `given_up` is done before. When it is away for longer, status says so until it is open.
pub(super) async fn open(
    standby: &Standby,
    kind: &'static str,
    term: &Term,
    open: impl AsyncFn(&Term, &Tries) -> Result<Arc<dyn Store>, OpenError>,
    given_up: impl Future<Output = ()>,
) -> Option<Result<Arc<dyn Store>, OpenError>> {
    let tries = Tries::new();
    let (ends, ended) = oneshot::channel::<()>();
    // It ends by being dropped.
    let ended = ended.map(|_| ()).boxed().shared();
    let opening = async {
        let opened = tokio::select! {
            opened = open(term, &tries) => Some(opened),
            () = given_up => None,
        };
        drop(ends);
        opened
    };
    let telling = async {
        tokio::select! {
            why = tries.keep_failing() => standby.wait_for_store(kind, why, term, ended.clone()).await,
            () = ended.clone() => {}
        }
    };
    tokio::join!(opening, telling).0
}
