//! Stands for election, holds the Lease while it leads, and lets go of it at the end.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, Client, ResourceExt,
    api::{PostParams, WatchEvent, WatchParams},
};
use tokio::time::{sleep, timeout};

use super::{
    Term,
    lease::{new, record, released, renewed, taken},
};
use crate::{
    policy::election::{Next, Observed, RENEW_DEADLINE, RETRY},
    telemetry::Metrics,
};

/// How long one request may take: so that a second one can be made before the term ends, over another
/// connection, where the first has died silently.
const ANSWER: Duration = Duration::from_secs(5);

/// How long letting go may take: Kubernetes waits for the process to end.
const LAST_ANSWER: Duration = Duration::from_secs(2);

/// How long somebody who could not make use of the lead leaves it to others.
const BACK: Duration = Duration::from_secs(4);

/// A watch on the Lease is begun anew so often, in seconds.
const WATCH: u32 = 50;

/// Where the Lease is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its Kubernetes namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// An operator that stands for election.
pub struct Election {
    api: Api<Lease>,
    name: String,
    identity: String,
    metrics: Arc<Metrics>,
}

/// What became of a renewal.
enum Renewal {
    Done,
    /// Somebody else leads, for all that is known: why.
    Lost(String),
    /// It is tried again until the term ends: why.
    Failed(String),
}

impl Election {
    /// One by the Lease in this place. The identity is another one in each process that ever stands.
    #[must_use]
    pub fn new(client: Client, place: &Place, identity: String, metrics: Arc<Metrics>) -> Self {
        metrics.leads(&place.name, false);
        let api = Api::namespaced(client, &place.namespace);
        Self { api, name: place.name.clone(), identity, metrics }
    }

    /// Stands for election until `stop` is done, and calls `lead` each time that it wins. That is to end
    /// soon after `stop` or the term; when it ends by itself, others may lead. What it fails with ends the election.
    pub async fn run<E>(
        &self,
        stop: impl Future<Output = ()> + Clone,
        mut lead: impl AsyncFnMut(Term) -> Result<(), E>,
    ) -> Result<(), E> {
        loop {
            let (term, lease) = tokio::select! {
                won = self.win() => won,
                () = stop.clone() => return Ok(()),
            };
            self.metrics.leads(&self.name, true);
            let (end, lease) = self.hold(lease, &term, lead(term.clone())).await;
            self.metrics.leads(&self.name, false);
            // In this order: whoever takes the lease next finds nothing begun by this one.
            let is_held = term.is_held();
            term.end();
            if is_held && timeout(LAST_ANSWER, self.release(lease)).await.is_err() {
                tracing::warn!(lease = self.name, "the lease could not be released in time");
            }
            end?;
            let pause = if is_held { BACK } else { Duration::ZERO };
            tokio::select! {
                biased;
                () = stop.clone() => return Ok(()),
                () = sleep(pause) => {}
            }
            tracing::info!(lease = self.name, "standing by");
        }
    }

    /// Renews the lease as long as this one leads.
    async fn hold<T>(
        &self,
        mut lease: Lease,
        term: &Term,
        lead: impl Future<Output = T>,
    ) -> (T, Lease) {
        let mut lead = pin!(lead);
        let end = tokio::select! {
            end = &mut lead => Some(end),
            () = self.keep(&mut lease, term) => None,
        };
        let end = match end {
            Some(end) => end,
            // What it asks for from now on is refused.
            None => lead.await,
        };
        (end, lease)
    }

    /// Waits until the lease is this one's.
    async fn win(&self) -> (Term, Lease) {
        let (mut observed, mut changes, mut news) = (None, None, None);
        let mut troubles = Troubles::default();
        loop {
            let looked = match news.take() {
                Some(lease) => Ok(Some(lease)),
                None => self.answer(self.api.get_opt(&self.name)).await,
            };
            let asked = Instant::now();
            let (wanted, pause) = match &looked {
                Ok(None) => (Some(new(&self.name, &self.identity, Timestamp::now())), RETRY),
                Ok(Some(lease)) => {
                    let seen = Observed::after(observed.take(), record(lease), asked);
                    let next = seen.next(&self.identity, asked);
                    observed = Some(seen);
                    match next {
                        Next::Take => (Some(taken(lease, &self.identity, Timestamp::now())), RETRY),
                        Next::Wait(pause) => (None, pause),
                    }
                }
                Err(trouble) => {
                    troubles.tell("read", trouble);
                    (None, RETRY)
                }
            };
            if let Some(wanted) = wanted {
                let written = match &looked {
                    Ok(None) => self.create(&wanted).await,
                    _ => self.replace(&wanted).await,
                };
                match written {
                    Ok(lease) => {
                        tracing::info!(
                            lease = self.name,
                            identity = self.identity,
                            "this operator leads"
                        );
                        return (Term::since(asked), lease);
                    }
                    // Another one was faster, or just renewed it.
                    Err(Trouble::Conflict) => continue_soon().await,
                    Err(trouble) => {
                        troubles.tell("taken", &trouble);
                        sleep(RETRY).await;
                    }
                }
                continue;
            }
            if let Ok(Some(lease)) = &looked {
                troubles.over();
                let version = lease.resource_version().unwrap_or_default();
                tokio::select! {
                    () = sleep(pause) => {}
                    lease = self.change(&mut changes, &version) => news = Some(lease),
                }
            } else {
                sleep(pause).await;
            }
        }
    }

    /// The Lease as soon as it is another one than this version of it.
    async fn change(
        &self,
        changes: &mut Option<BoxStream<'static, kube::Result<WatchEvent<Lease>>>>,
        version: &str,
    ) -> Lease {
        if changes.is_none() {
            let fields = format!("metadata.name={}", self.name);
            let params = WatchParams::default().fields(&fields).timeout(WATCH).disable_bookmarks();
            *changes = self.api.watch(&params, version).await.ok().map(StreamExt::boxed);
        }
        while let Some(stream) = changes {
            match stream.try_next().await {
                Ok(Some(WatchEvent::Modified(lease) | WatchEvent::Added(lease)))
                    if lease.resource_version().as_deref() != Some(version) =>
                {
                    return lease;
                }
                Ok(Some(WatchEvent::Modified(_) | WatchEvent::Added(_))) => {}
                // It is begun anew after the next look.
                _ => *changes = None,
            }
        }
        std::future::pending().await
    }

    /// Renews the lease until it is lost.
    async fn keep(&self, lease: &mut Lease, term: &Term) {
        let mut troubles = Troubles::default();
        let renewing = async {
            loop {
                tokio::select! {
                    () = sleep(RETRY) => {}
                    () = term.asked() => {}
                }
                match self.renew(lease, term).await {
                    Renewal::Done => troubles.over(),
                    Renewal::Lost(why) => return why,
                    Renewal::Failed(why) => troubles.tell_why("renewed", why),
                }
            }
        };
        let why = tokio::select! {
            biased;
            () = term.ended() => format!("it could not be renewed for {} s", RENEW_DEADLINE.as_secs()),
            why = renewing => why,
        };
        term.end();
        self.metrics.leads(&self.name, false);
        tracing::warn!(lease = self.name, why, "this operator does not lead any more");
    }

    async fn renew(&self, lease: &mut Lease, term: &Term) -> Renewal {
        for _ in 0..2 {
            let asked = Instant::now();
            match self.replace(&renewed(lease, Timestamp::now())).await {
                Ok(written) => {
                    *lease = written;
                    return match term.renew(asked) {
                        Ok(()) => Renewal::Done,
                        Err(ended) => Renewal::Lost(ended.to_string()),
                    };
                }
                Err(Trouble::Conflict) => {}
                Err(Trouble::Other(why)) => return Renewal::Failed(why),
            }
            // Another hand has written to it, such as a label; or this one, without hearing of it.
            match self.answer(self.api.get_opt(&self.name)).await {
                Ok(Some(found))
                    if record(&found).holder.as_ref() == Some(&self.identity)
                        && found.uid() == lease.uid() =>
                {
                    *lease = found;
                }
                Ok(Some(_)) => return Renewal::Lost("another one holds it".into()),
                Ok(None) => return Renewal::Lost("it was deleted".into()),
                Err(trouble) => return Renewal::Failed(trouble.why()),
            }
        }
        Renewal::Failed("it is written by others all the time".into())
    }

    /// Lets go of the lease, so that nobody has to wait for its end.
    async fn release(&self, mut lease: Lease) {
        for _ in 0..2 {
            match self.replace(&released(&lease, Timestamp::now())).await {
                Ok(_) => return tracing::info!(lease = self.name, "the lease is released"),
                Err(Trouble::Other(why)) => {
                    return tracing::warn!(lease = self.name, "it could not be released: {why}");
                }
                Err(Trouble::Conflict) => {}
            }
            // A renewal that nobody waited for any more.
            match self.answer(self.api.get_opt(&self.name)).await {
                Ok(Some(found)) if record(&found).holder.as_ref() == Some(&self.identity) => {
                    lease = found;
                }
                _ => return,
            }
        }
    }

    async fn create(&self, lease: &Lease) -> Result<Lease, Trouble> {
        let created = self.answer(async {
            match self.api.create(&PostParams::default(), lease).await {
                // Not the Lease, but its namespace: it will hardly come by itself.
                Err(kube::Error::Api(status)) if status.is_not_found() => Ok(Err(status.message)),
                answer => answer.map(Ok),
            }
        });
        created.await?.map_err(Trouble::Other)
    }

    async fn replace(&self, lease: &Lease) -> Result<Lease, Trouble> {
        self.answer(self.api.replace(&self.name, &PostParams::default(), lease)).await
    }

    async fn answer<T>(
        &self,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Trouble> {
        match timeout(ANSWER, request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(kube::Error::Api(status)))
                if status.is_conflict() || status.is_already_exists() || status.is_not_found() =>
            {
                Err(Trouble::Conflict)
            }
            Ok(Err(error)) => Err(Trouble::Other(error.to_string())),
            Err(_) => Err(Trouble::Other(format!("no answer within {} s", ANSWER.as_secs()))),
        }
    }
}

/// Long enough that two who are as fast as each other do not keep the API server busy.
async fn continue_soon() {
    sleep(Duration::from_millis(100)).await;
}

/// Why a request did not do what it should.
enum Trouble {
    /// The Lease is not as it was read.
    Conflict,
    Other(String),
}

impl Trouble {
    fn why(&self) -> String {
        match self {
            Self::Conflict => "another one was faster".into(),
            Self::Other(why) => why.clone(),
        }
    }
}

/// Says a trouble once, while it lasts.
#[derive(Default)]
struct Troubles(Option<String>);

impl Troubles {
    fn tell(&mut self, what: &str, trouble: &Trouble) {
        self.tell_why(what, trouble.why());
    }

    fn tell_why(&mut self, what: &str, why: String) {
        if self.0.as_ref() != Some(&why) {
            tracing::warn!("the lease cannot be {what}: {why}. It is tried again");
            self.0 = Some(why);
        }
    }

    fn over(&mut self) {
        self.0 = None;
    }
}
