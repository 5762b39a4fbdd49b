//! What `keyreeve run` does once it has started: it reconciles, alone or when it leads, until it is told to stop or
//! loses the store.

use std::sync::Arc;

use futures::{
    FutureExt,
    future::{self, BoxFuture, Shared},
};

use super::{
    leader::Candidacy,
    opening::{self, Tries},
};
use crate::{
    controller::{Clients, Options, Standby, SystemClock},
    leadership::{Election, Term},
    store::{self, OpenError, Store},
    telemetry::{Health, Metrics},
};

/// Done when the process is told to stop.
pub(super) type Stop = Shared<BoxFuture<'static, ()>>;

/// What an operator works with, beside the store.
pub(super) struct Operator {
    /// What the store calls itself, also while it cannot be opened.
    pub(super) store_kind: &'static str,
    pub(super) clients: Clients,
    pub(super) options: Options,
    pub(super) metrics: Arc<Metrics>,
    pub(super) health: Health,
    pub(super) stop: Stop,
}

impl Operator {
    /// Works as the only operator until it is told to stop, or loses the store. Then it must not write to it, nor
    /// say in status what the other operator says; nor does it end, because it would be started again, and take the
    /// store back.
    ///
    /// # Errors
    /// A sentence about a store that cannot be opened.
    pub(super) async fn alone(
        self,
        open: impl AsyncFn(&Term, &Tries) -> Result<Arc<dyn Store>, OpenError>,
    ) -> Result<(), String> {
        let Self { store_kind, clients, options, metrics, health, stop } = self;
        let clock = Arc::new(SystemClock);
        let mut standby =
            Standby::start(clients, options, clock, metrics.clone(), health.clone(), stop.clone());
        tokio::select! {
            () = standby.filled() => {}
            () = stop.clone() => return Ok(()),
        }
        let term = Term::unlimited();
        let opened = opening::open(&standby, store_kind, &term, open, stop.clone()).await;
        let Some(opened) = opened else { return Ok(()) };
        let store = opened.map_err(|error| error.to_string())?;
        health.set_ready();
        let lost = lost(&store, &term, &health);
        standby.lead(store, &term, either(&stop, &lost)).await;
        if lost.now_or_never().is_some() {
            metrics.store.is_up(store_kind, false);
            stop.await;
        }
        standby.end().await;
        Ok(())
    }

    /// Stands by until it is told to stop, and works when it leads. The store is opened then, and not before: that
    /// takes it over.
    ///
    /// # Errors
    /// A sentence about a store that cannot be used as it is.
    pub(super) async fn elected(
        self,
        candidacy: Candidacy,
        open: impl AsyncFn(&Term, &Tries) -> Result<Arc<dyn Store>, OpenError>,
    ) -> Result<(), String> {
        let Self { store_kind, clients, options, metrics, health, stop } = self;
        let (clock, stopped) = (Arc::new(SystemClock), stop.clone());
        let mut standby = Standby::start(
            clients.clone(),
            options,
            clock,
            metrics.clone(),
            health.clone(),
            stopped,
        );
        tokio::select! {
            () = standby.filled() => {}
            () = stop.clone() => return Ok(()),
        }
        health.set_ready();
        let Candidacy { place, identity } = candidacy;
        tracing::info!(
            lease = format!("{}/{}", place.namespace, place.name),
            identity,
            "the caches are filled; standing by"
        );
        let election = Election::new(clients.asking, &place, identity, metrics.clone());
        let end = election
            .run(stop.clone(), async |term| {
                let over = async || {
                    tokio::select! {
                        () = term.ended() => {}
                        () = stop.clone() => {}
                    }
                };
                let opened = opening::open(&standby, store_kind, &term, &open, over()).await;
                let store = match opened {
                    None => return Ok(()),
                    Some(Ok(store)) => store,
                    // It may be this machine that is cut off: another replica tries.
                    Some(Err(error @ OpenError::Away { .. })) => {
                        tracing::warn!("{error}");
                        metrics.store.is_up(store_kind, false);
                        return Ok(());
                    }
                    Some(Err(error)) => return Err(error.to_string()),
                };
                let lost = lost(&store, &term, &health);
                standby.lead(store, &term, either(&stop, &lost)).await;
                if lost.now_or_never().is_some() {
                    metrics.store.is_up(store_kind, false);
                    // It keeps the lease as long as it can: the next replica would only take the store back.
                    over().await;
                    health.set_store_lost(false);
                    metrics.store.is_left(store_kind);
                }
                Ok(())
            })
            .await;
        standby.end().await;
        end
    }
}

/// Done when another operator has taken the store over although this one leads, or is alone.
fn lost(store: &Arc<dyn Store>, term: &Term, health: &Health) -> Stop {
    let (store, term, health) = (store.clone(), term.clone(), health.clone());
    let lost = async move {
        store.taken_over().await;
        if !term.is_held() {
            // By the replica that leads now, as it should be.
            return future::pending().await;
        }
        tracing::error!("{}", store::Error::TakenOver);
        health.set_store_lost(true);
    };
    lost.boxed().shared()
}

fn either(one: &Stop, other: &Stop) -> Stop {
    future::select(one.clone(), other.clone()).map(|_| ()).boxed().shared()
}
