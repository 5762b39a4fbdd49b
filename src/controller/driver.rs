//! What every controller does around its decisions: the finalizer, pausing,
//! status only when it changed, events on transitions, and one class of problem
//! that drives the timer, the condition, the metric and the event alike.

use std::{
    fmt::Debug,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, Patch, PatchParams},
    core::ApiResource,
    runtime::{
        controller::Action,
        events::{Event as KubeEvent, EventType},
        finalizer::{Error as FinalizerError, Event, finalizer},
    },
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tracing::Instrument;

use super::{
    api_error,
    cache::Guarded,
    conditions::{self, Also},
    context::Context,
    index::{Kind, ObjectId},
    informer::{Linked, name},
    patch::merge_patch,
    snapshot::{Snapshot, put_conditions, put_last_handled},
    view::View,
};
use crate::{
    api::{FINALIZER, PAUSED_ANNOTATION, validation},
    policy::{Class, Problem, Reason},
    telemetry::ReconcileResult,
};

/// When an object is looked at once more that has just come to wait for a seat.
const SOON: Duration = Duration::from_secs(1);

/// A kind that has a controller.
#[async_trait]
pub trait Controlled: Linked + Serialize {
    /// Whether objects of the kind are in the store, so that their deletion must wait for it.
    const IN_STORE: bool;

    /// The object as the watch last saw it.
    fn latest(view: &View, id: &ObjectId) -> Option<Arc<Guarded<Self>>>;

    /// Brings the store to what the object says. An object that breaks a rule of its schema
    /// comes with the rule: what it says cannot be in force.
    async fn reconcile(
        &self,
        id: &ObjectId,
        broken: Option<Problem>,
        context: &Context,
    ) -> Result<Outcome, Problem>;

    /// Removes from the store what the object made. Done when it answers what there is to tell.
    async fn clean_up(&self, id: &ObjectId, context: &Context) -> Result<Vec<Notice>, Problem>;
}

/// What a reconcile reached.
pub struct Outcome {
    /// The kind's own fields of status.
    pub status: Map<String, Value>,
    /// Whether the object is as declared.
    pub verdict: Verdict,
    /// What else is true; none: what status says.
    pub also: Option<Vec<Also>>,
    /// What happened on the way.
    pub notices: Vec<Notice>,
    /// When to look again, if before the resync.
    pub look_again: Option<Duration>,
}

/// Whether an object is as declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Ready {
        /// In one word.
        reason: Reason,
        /// For people.
        message: String,
    },
    /// It is not.
    NotReady(Problem),
}

impl Verdict {
    /// In one word.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Ready { reason, .. } => *reason,
            Self::NotReady(problem) => problem.reason,
        }
    }
}

/// Something that happened, to be told in an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whether it is worth a look.
    pub type_: EventType,
    /// In one word.
    pub reason: String,
    /// For people.
    pub message: String,
}

impl Notice {
    /// Something that is as it should be.
    pub fn normal(reason: Reason, message: impl Into<String>) -> Self {
        Self { type_: EventType::Normal, reason: reason.to_string(), message: message.into() }
    }

    /// Something that is worth a look.
    pub fn warning(reason: Reason, message: impl Into<String>) -> Self {
        Self { type_: EventType::Warning, reason: reason.to_string(), message: message.into() }
    }
}

/// Reconciles one object, in a span of its own, and says when to look again.
pub async fn reconcile<K: Controlled>(object: Arc<Guarded<K>>, context: Arc<Context>) -> Action {
    let id = ObjectId::new(object.namespace().unwrap_or_default(), object.name_any());
    // Not `name`: in JSON that is the span's own.
    let span = tracing::info_span!("reconcile", kind = %K::kind(&()), namespace = %id.namespace, object = %id.name);
    async {
        let _turn = context.turns.of(K::KIND).await;
        let known = K::latest(&context.view, &id).unwrap_or(object);
        let (controller, began) = (name(K::KIND), Instant::now());
        if context.own_writes.puts_off(K::KIND, &id, known.resource_version().as_deref()) {
            context.metrics.dropped(controller, &id.to_string());
            return Action::await_change();
        }
        // Again: what the watch told of in between, as our own, wakes nobody any more.
        let object = K::latest(&context.view, &id).unwrap_or(known);
        let _active = context.metrics.began(controller, &id.to_string());
        let pass = Pass {
            kind: K::KIND,
            in_store: K::IN_STORE,
            id: &id,
            context: &context,
            resource: ApiResource::erase::<K>(&()),
        };
        let end = match &object.0 {
            Ok(readable) if readable.meta().deletion_timestamp.is_some() => {
                pass.delete(readable).await
            }
            Ok(readable) => pass.bring_about(readable).await,
            Err(invalid) => pass.report_unreadable(&invalid.metadata, &invalid.error).await,
        };
        let problem = end.as_ref().err().map(|trouble| &trouble.problem);
        context.was_looked_at(K::KIND, &id, problem);
        let (action, result) = pass.conclude(end);
        context.metrics.ended(controller, result, began.elapsed());
        action
    }
    .instrument(span)
    .await
}

/// Another hand changed the store between a look and its write, and nothing was written: the next look, at once,
/// says what there is to say.
fn untold(result: &Result<Outcome, Problem>) -> Option<&Problem> {
    let problem = match result {
        Ok(Outcome { verdict: Verdict::NotReady(problem), notices, .. }) if notices.is_empty() => {
            problem
        }
        Ok(_) => return None,
        Err(problem) => problem,
    };
    (problem.reason == Reason::StoreChanged).then_some(problem)
}

/// How a pass ended, with when to look again.
type End = Result<Option<Duration>, Trouble>;

/// A problem, and when to look again whatever its class: a subscription ends on
/// time, and what another hand changed is put right, although a profile is missing.
#[derive(Debug)]
struct Trouble {
    problem: Problem,
    look_again: Option<Duration>,
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self { problem, look_again: None }
    }
}

/// One reconcile of one object.
struct Pass<'a> {
    kind: Kind,
    in_store: bool,
    id: &'a ObjectId,
    context: &'a Context,
    resource: ApiResource,
}

impl Pass<'_> {
    /// Turns the end of the pass into a timer, by the class of its problem. The log has the problem
    /// when it comes ([`Self::tell`]); here it says that it is tried again, or still there.
    fn conclude(&self, end: End) -> (Action, ReconcileResult) {
        let timer = |after: Option<Duration>| after.map_or(Action::await_change(), Action::requeue);
        let Trouble { problem, look_again } = match end {
            Ok(after) => {
                self.context.is_well(self.kind, self.id);
                let result =
                    after.map_or(ReconcileResult::success, |_| ReconcileResult::requeue_after);
                return (timer(after), result);
            }
            Err(trouble) => trouble,
        };
        self.context.metrics.problem(name(self.kind), &problem);
        match problem.class {
            Class::Transient => {
                let pause = self.context.backoff.next(self.kind, self.id);
                tracing::info!(reason = %problem.reason, ?pause, "{problem}");
                (Action::requeue(pause), ReconcileResult::error)
            }
            Class::Waiting => {
                tracing::debug!(reason = %problem.reason, "{problem}");
                self.context.is_well(self.kind, self.id);
                (timer(look_again), ReconcileResult::success)
            }
            Class::Terminal | Class::Unsupported => {
                tracing::debug!(reason = %problem.reason, "{problem}");
                self.context.is_well(self.kind, self.id);
                (timer(look_again), ReconcileResult::error)
            }
        }
    }

    /// An object that shall be.
    async fn bring_about<K: Controlled>(&self, object: &K) -> End {
        let snapshot = Snapshot::of(object, &())?;
        if object.annotations().get(PAUSED_ANNOTATION).is_some_and(|paused| paused == "true") {
            let conditions = conditions::paused(
                &snapshot.conditions,
                snapshot.generation,
                self.context.clock.now(),
            );
            let mut status = snapshot.status.clone();
            put_conditions(&mut status, &conditions)?;
            let told = conditions::transitions(&snapshot.conditions, &conditions, None);
            return self
                .write_status(&snapshot, status, told)
                .await
                .map(|()| None)
                .map_err(Trouble::from);
        }
        let violations = validation::check(&K::kind(&()), &snapshot.object, None);
        let broken = violations.first().map(|violation| {
            Problem::terminal(
                Reason::InvalidSpec,
                format!("{violation}. The object is older than its schema: edit it"),
            )
        });
        if !self.in_store {
            let result = object.reconcile(self.id, broken, self.context).await;
            return self.report(&snapshot, result).await;
        }
        let has_finalizer = object.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
        let end = self.with_finalizer(object, broken, &snapshot).await;
        if !has_finalizer && snapshot.is_in_store() && end.is_ok() {
            let message =
                format!("the finalizer {FINALIZER} had been removed by hand and was put back");
            self.tell(&snapshot, Notice::warning(Reason::FinalizerRestored, message)).await;
        }
        end
    }

    /// An object that shall go.
    async fn delete<K: Controlled>(&self, object: &K) -> End {
        if !self.in_store {
            return Ok(None);
        }
        let snapshot = Snapshot::of(object, &())?;
        self.with_finalizer(object, None, &snapshot).await
    }

    /// kube's finalizer decides by itself which half to run, and writes the finalizer.
    async fn with_finalizer<K: Controlled>(
        &self,
        object: &K,
        broken: Option<Problem>,
        snapshot: &Snapshot,
    ) -> End {
        let api: Api<K> = Api::namespaced(self.context.client.clone(), &self.id.namespace);
        let mut end = Ok(None);
        let mut notices = Vec::new();
        let result = finalizer(&api, FINALIZER, Arc::new(object.clone()), |event| {
            let (end, notices) = (&mut end, &mut notices);
            async move {
                *end = match event {
                    Event::Apply(object) => {
                        let result = object.reconcile(self.id, broken, self.context).await;
                        self.report(snapshot, result).await
                    }
                    Event::Cleanup(object) => match object.clean_up(self.id, self.context).await {
                        Ok(happened) => {
                            *notices = happened;
                            Ok(None)
                        }
                        Err(problem) => self.report(snapshot, Err(problem)).await,
                    },
                };
                // Only a clean-up that failed must keep the finalizer.
                match end {
                    Ok(_) => Ok(Action::await_change()),
                    Err(trouble) => Err(trouble.problem.clone()),
                }
            }
        })
        .await;
        match result {
            Ok(_) | Err(FinalizerError::ApplyFailed(_) | FinalizerError::CleanupFailed(_)) => {
                // Once the object is let go: before, a pass that is repeated would tell another story.
                for notice in notices {
                    self.tell(snapshot, notice).await;
                }
                end
            }
            Err(FinalizerError::AddFinalizer(error) | FinalizerError::RemoveFinalizer(error)) => {
                match unless_stale("writing the finalizer", &error) {
                    Ok(()) => Ok(None),
                    // A policy of the cluster may refuse it: the log alone would not tell anybody.
                    Err(problem) => self.report(snapshot, Err(problem)).await,
                }
            }
            Err(FinalizerError::UnnamedObject | FinalizerError::InvalidFinalizer) => {
                Err(Problem::terminal(Reason::ApiError, "the object has no name").into())
            }
        }
    }

    /// Writes what was reached into status and tells what changed. The problem, if there is one, goes on.
    async fn report(&self, snapshot: &Snapshot, result: Result<Outcome, Problem>) -> End {
        if let Some(problem) = untold(&result)
            && self.context.backoff.is_first(self.kind, self.id)
        {
            return Err(problem.clone().into());
        }
        let resync = spread(self.context.options.resync, self.id);
        let (verdict, also, own, notices, look_again) = match result {
            // It is in the store, Ready or not, and stays as it is there.
            Ok(outcome) => (
                outcome.verdict,
                outcome.also,
                Some(outcome.status),
                outcome.notices,
                Some(outcome.look_again.map_or(resync, |after| after.min(resync))),
            ),
            // Nobody tells of what happens in the store, such as the end of a conflict there.
            Err(problem) => {
                let look_again = self.in_store.then_some(resync);
                (Verdict::NotReady(problem), None, None, Vec::new(), look_again)
            }
        };
        for notice in notices {
            self.tell(snapshot, notice).await;
        }
        let conditions = conditions::conditions(
            &snapshot.conditions,
            snapshot.generation,
            &verdict,
            also.as_deref(),
            self.context.clock.now(),
        );
        let mut status = own.unwrap_or_else(|| snapshot.status.clone());
        status.insert("observedGeneration".into(), snapshot.generation.into());
        put_conditions(&mut status, &conditions)?;
        put_last_handled(&mut status, snapshot);
        let told = conditions::transitions(&snapshot.conditions, &conditions, Some(&verdict));
        self.write_status(snapshot, status, told).await?;
        match verdict {
            Verdict::Ready { .. } => Ok(look_again),
            // What became free before the watch told that this one waits for it woke it not.
            Verdict::NotReady(problem)
                if problem.reason == Reason::QuotaExceeded && snapshot.is_ready() =>
            {
                Err(Trouble { problem, look_again: Some(SOON) })
            }
            Verdict::NotReady(problem) => Err(Trouble { problem, look_again }),
        }
    }

    /// An object that does not deserialize: said in its status, and let go if it is being deleted.
    async fn report_unreadable(&self, metadata: &kube::core::ObjectMeta, error: &str) -> End {
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.context.client.clone(), &self.id.namespace, &self.resource);
        let object = match api.get(&self.id.name).await {
            Ok(object) => object,
            Err(error) => {
                unless_stale("reading the object", &error)?;
                return Ok(None);
            }
        };
        let snapshot = Snapshot::of(&object, &self.resource)?;
        let ours = metadata.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER);
        if metadata.deletion_timestamp.is_some() {
            if !ours {
                return Ok(None);
            }
            // Nobody can say what it asked for, so what is in the store is kept.
            let others: Vec<_> =
                metadata.finalizers.iter().flatten().filter(|other| *other != FINALIZER).collect();
            let patch = json!({"metadata": {"finalizers": others, "resourceVersion": metadata.resource_version}});
            if let Err(error) = api
                .patch_metadata(&self.id.name, &PatchParams::default(), &Patch::Merge(patch))
                .await
            {
                unless_stale("removing the finalizer", &error)?;
                return Ok(None);
            }
            let message =
                "the object could not be read, so what it made is kept in the store, with its mark";
            self.tell(&snapshot, Notice::warning(Reason::Retained, message)).await;
            return Ok(None);
        }
        self.report(&snapshot, Err(Problem::unreadable(error))).await
    }

    /// Patches status if it differs, on condition that the object is the one that was read.
    async fn write_status(
        &self,
        snapshot: &Snapshot,
        status: Map<String, Value>,
        told: Vec<Notice>,
    ) -> Result<(), Problem> {
        let Some(patch) = merge_patch(&snapshot.status, &status) else { return Ok(()) };
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.context.client.clone(), &self.id.namespace, &self.resource);
        let patch = json!({
            "metadata": {"resourceVersion": snapshot.resource_version},
            "status": patch,
        });
        match api.patch_status(&self.id.name, &PatchParams::default(), &Patch::Merge(patch)).await {
            Ok(written) => {
                self.context.own_writes.remember(self.kind, self.id, written.resource_version());
                for notice in told {
                    self.tell(snapshot, notice).await;
                }
                Ok(())
            }
            Err(error) => unless_stale("writing status", &error),
        }
    }

    /// Publishes an event. One that cannot be written fails nothing.
    async fn tell(&self, snapshot: &Snapshot, notice: Notice) {
        match notice.type_ {
            EventType::Normal => tracing::info!(reason = notice.reason, "{}", notice.message),
            EventType::Warning => tracing::warn!(reason = notice.reason, "{}", notice.message),
        }
        let event = KubeEvent {
            type_: notice.type_,
            reason: notice.reason,
            note: Some(shortened(notice.message)),
            action: "Reconcile".into(),
            secondary: None,
        };
        if let Err(error) = self.context.events.publish(&event, &snapshot.reference).await {
            tracing::debug!(%error, "an event could not be written");
        }
    }
}

/// An event's note has at most 1024 bytes.
fn shortened(note: String) -> String {
    if note.len() <= 1024 {
        return note;
    }
    let mut end = 1024 - '…'.len_utf8();
    while !note.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &note[..end])
}

/// Resyncs of many objects, spread over a fifth of the period: each object keeps its own pace.
fn spread(period: Duration, id: &ObjectId) -> Duration {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    let tenths_of_percent = u32::try_from(hasher.finish() % 200).unwrap_or_default();
    period * (900 + tenths_of_percent) / 1000
}

/// An object that changed or went in between is no problem: its watch wakes it.
fn unless_stale(what: &str, error: &kube::Error) -> Result<(), Problem> {
    if api_error::is_stale(error) {
        tracing::debug!(what, "the object has changed; its newer state follows");
        return Ok(());
    }
    Err(api_error::problem(what, error))
}
