//! Tenants: resolve the profile, decide what is in force, apply it to the store, report.

mod desired;
mod key_news;
mod keys;
mod report;

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::{
    api_error,
    cache::Guarded,
    context::Context,
    deletion,
    driver::{Controlled, Notice, Outcome, Verdict},
    index::{Kind, Link, ObjectId},
    informer::Linked,
    member,
    references::{self, Profile},
    snapshot::as_map,
    view::{View, target},
};
use crate::{
    api::{self, AdoptionPolicy, Condition, DeletionPolicy, StoreReference, Tenant},
    keystore::Removed,
    policy::{
        Problem, Reason,
        claim::{self, Claim},
        effective, own_rules,
    },
    store::{
        self, Applied, Census, Deleted, Desired, Expected, Key, Mark, Record, State, TenantState,
    },
};
use desired::Memo;
use keys::{Keys, KeysOutcome};
use report::Report;

impl Tenant {
    /// The tenant id in force.
    #[must_use]
    pub fn tenant_id(&self) -> String {
        self.spec.tenant_id.clone().unwrap_or_else(|| self.name_any())
    }
}

impl Linked for Tenant {
    const KIND: Kind = Kind::Tenant;

    fn links(&self) -> BTreeSet<Link> {
        let namespace = self.namespace().unwrap_or_default();
        let mut links = BTreeSet::from([Link::Claims(self.tenant_id())]);
        if let Some(reference) = &self.spec.profile_ref {
            let profile = target(reference, &namespace);
            if profile.namespace != namespace {
                links.insert(Link::LooksOutOf(namespace));
            }
            links.insert(Link::Uses(profile));
        } else {
            links.insert(Link::UsesDefault);
        }
        links
    }

    fn standing(&self) -> String {
        let Some(status) = &self.status else { return String::new() };
        let in_force = status.effective.as_ref().map(|effective| {
            let (subscription, settings) = (&effective.subscription, &effective.settings);
            let passwords = settings.policies.as_ref().map(|policies| &policies.password);
            (&subscription.plan, &subscription.plan_details, passwords, settings.hash_function)
        });
        json!([status.store, in_force]).to_string()
    }
}

#[async_trait]
impl Controlled for Tenant {
    const IN_STORE: bool = true;

    fn latest(view: &View, id: &ObjectId) -> Option<Arc<Guarded<Self>>> {
        view.tenants.get_guarded(id)
    }

    async fn reconcile(
        &self,
        id: &ObjectId,
        broken: Option<Problem>,
        context: &Context,
    ) -> Result<Outcome, Problem> {
        // Resolve.
        let broken = own_rules::settings(self.spec.settings.as_ref()).err().or(broken);
        let tenant_id = self.tenant_id();
        let profile = context.view.profile_of(self.spec.profile_ref.as_ref(), &id.namespace);
        let record = context.store.observe(&Key::Tenant { tenant: tenant_id.clone() }).await?;

        // Decide.
        let mark = context.mark(store::Kind::Tenant, id, &self.uid().unwrap_or_default());
        let claim = match self.claim(&mark, &tenant_id, record.as_ref(), context) {
            Ok(claim) => claim,
            Err(problem) => {
                // Another one was faster to the store than this one, which had made its keys by then.
                // Keys that were ever in use stay.
                if self.shown_keys().is_empty() {
                    remove_keystore(&tenant_id, &mark, context).await?;
                }
                return Ok(not_in_store(self.shown_keys(), problem));
            }
        };
        let found = record.as_ref().and_then(tenant_state);
        let mut memo = record.as_ref().map(|record| Memo::read(&record.memo)).unwrap_or_default();
        memo.adopted |= claim == Claim::Adopt;
        let decided = match (broken, &profile) {
            (Some(problem), _) => Err(problem),
            (None, Profile::None) => self.decide(None, found, &memo, context),
            (None, Profile::Found(profile)) => self.decide(Some(profile), found, &memo, context),
            (None, Profile::Unavailable(problem)) => Err(problem.clone()),
        };
        // What was in force stays in force, and what does not depend on it still holds: whether
        // the tenant is enabled, and when its subscription ends. One that never had anything waits.
        let (document, not_ready) = match (decided, memo.document.clone()) {
            (Ok(document), _) => (document, None),
            (Err(problem), Some(document)) => (document, Some(problem)),
            (Err(problem), None) if claim == Claim::Keep => return Err(problem),
            (Err(problem), None) => return Ok(not_in_store(self.shown_keys(), problem)),
        };
        let now = context.clock.now();

        // The keys come first: nothing learns of one before the keystore has it.
        let keys = Keys {
            tenant: self,
            tenant_id: &tenant_id,
            mark: &mark,
            document: &document,
            memo: &mut memo,
            context,
            now,
        };
        let keys = keys.bring_about().await;
        let not_ready = not_ready.or_else(|| keys.problem.clone());
        if let Some(problem) = &keys.problem
            && problem.reason != Reason::KeystoreMissing
            && claim.is_new()
        {
            return Ok(not_in_store(&keys.public(), problem.clone()));
        }
        let state = desired::state(self, &tenant_id, &document, found, &mut memo, now);
        memo.remember(&document);

        // Apply.
        let for_store = keys::for_store(&keys.ledger, record.as_ref(), &tenant_id, context).await;
        let for_store = match for_store {
            Ok(for_store) => for_store,
            Err(problem) => return Ok(self.with_keys_alone(keys, problem)),
        };
        let desired = Desired {
            keys: for_store,
            ..Desired::new(State::Tenant(state.clone()), mark, memo.write())
        };
        let expected = Expected::as_observed(record.as_ref());
        let applied = match context.store.apply(&desired, &expected).await {
            Ok(applied) => applied,
            Err(error) => return Ok(self.with_keys_alone(keys, error.into())),
        };

        let lost_from = self.was_in().filter(|_| applied == Applied::Created);
        if lost_from.is_some() {
            context.wake_dependents(Kind::Tenant, id);
        }

        // Report.
        let (census, look_again) = match self.census(id, &tenant_id, context).await {
            Ok(census) => census,
            Err(problem) => return Ok(self.with_keys_alone(keys, problem)),
        };
        let mut outcome = Report {
            tenant: self,
            state: &state,
            document: &document,
            keys: &keys,
            claim: &claim,
            applied: &applied,
            drifted: record.as_ref().is_some_and(|record| record.drifted),
            lost_from,
            not_ready,
            store: context.store.as_ref(),
            census,
            now,
        }
        .outcome();
        let wakes = [outcome.look_again, look_again, keys.look_again];
        outcome.look_again = wakes.into_iter().flatten().min();
        Ok(outcome)
    }

    async fn clean_up(&self, id: &ObjectId, context: &Context) -> Result<Vec<Notice>, Problem> {
        let tenant_id = self.tenant_id();
        if self.spec.deletion_policy.unwrap_or(DeletionPolicy::Retain) == DeletionPolicy::Retain {
            if self.was_in().is_none() {
                self.give_up_unused_keys(&tenant_id, id, context).await;
                let message =
                    "nothing in the store was known to be this object's, and nothing was changed";
                return Ok(vec![Notice::normal(Reason::LeftAlone, message)]);
            }
            let message = format!(
                "tenant {tenant_id} is kept in the store, and its signing keys in {}, with its mark: a Tenant of the same namespace and name takes it up again",
                context.keystores.place(&tenant_id)
            );
            return Ok(vec![if deletion::has_waited(self.conditions()) {
                Notice::warning(Reason::Retained, message)
            } else {
                Notice::normal(Reason::Retained, message)
            }]);
        }
        let key = Key::Tenant { tenant: tenant_id.clone() };
        let mark = context.mark(store::Kind::Tenant, id, &self.uid().unwrap_or_default());
        // What is not there, or another's, has nobody in it that would lose something.
        let record = context.store.observe(&key).await.map_err(deletion::waits)?;
        if record.is_some_and(|record| record.mark.as_ref() == Some(&mark)) {
            let members = context.view.members(self, id);
            if !members.is_empty() {
                return Err(deletion::blocked("the tenant", &members, &[]));
            }
            if let Some(unseen) = context.view.unseen_members(self, id) {
                return Err(deletion::waits(references::unreadable(&unseen)));
            }
        }
        let deleted = context.store.delete(&key, &mark).await.map_err(deletion::waits)?;
        let keystore =
            remove_keystore(&tenant_id, &mark, context).await.map_err(deletion::waits)?;
        let with_keys =
            if keystore == Removed::Gone { ", and so are its signing keys" } else { "" };
        let mut notices = vec![match deleted {
            Deleted::Removed => Notice::normal(
                Reason::Removed,
                format!("tenant {tenant_id} is gone from the store{with_keys}"),
            ),
            Deleted::NotThere => {
                Notice::normal(Reason::Removed, format!("tenant {tenant_id} was not in the store"))
            }
            Deleted::NotOurs(_) => Notice::normal(
                Reason::LeftAlone,
                format!(
                    "tenant {tenant_id} in the store was not made by this object, and was left alone"
                ),
            ),
        }];
        if keystore == Removed::NotOurs && !matches!(deleted, Deleted::NotOurs(_)) {
            let place = context.keystores.place(&tenant_id);
            notices.push(Notice::warning(
                Reason::LeftAlone,
                format!(
                    "the Secret {place} does not carry this object's mark, and was left with what is in it: delete it if nothing needs it"
                ),
            ));
        }
        Ok(notices)
    }
}

impl Tenant {
    /// Whether this Tenant may have the tenant id, and how it comes to it.
    fn claim(
        &self,
        me: &Mark,
        tenant_id: &str,
        record: Option<&Record>,
        context: &Context,
    ) -> Result<Claim, Problem> {
        let there = record.map(|record| record.mark.as_ref());
        claim::decide(
            me,
            there,
            claim::Rules {
                what: &what(tenant_id),
                otherwise: self.otherwise(),
                claimants: &context.view.claimants(tenant_id),
                adopt: self.spec.adoption_policy == Some(AdoptionPolicy::Adopt),
                adoptable: context.options.adoptable.is_match(tenant_id),
                take_over_from: &context.options.take_over_from,
                holder_exists: there.flatten().is_some_and(|mark| {
                    context.view.may_claim(&ObjectId::new(&mark.namespace, &mark.name), tenant_id)
                }),
            },
        )
    }

    /// How it gets another tenant id, for messages.
    fn otherwise(&self) -> &'static str {
        if self.spec.tenant_id.is_some() {
            "delete this Tenant and create it with another spec.tenantId"
        } else {
            "delete this Tenant and create it with another metadata.name, or with a spec.tenantId"
        }
    }

    /// The conflict of a Tenant that is in no store, and whose tenant id another one has claimed before,
    /// for all that the view knows.
    pub(super) fn taken(&self, me: &Mark, view: &View) -> Option<Problem> {
        let tenant_id = self.tenant_id();
        let claimants = view.claimants(&tenant_id);
        let names = (what(&tenant_id), self.otherwise());
        claim::taken_before(me, claimants, (&names.0, names.1))
    }

    fn decide(
        &self,
        profile: Option<&crate::api::TenantProfile>,
        found: Option<&TenantState>,
        memo: &Memo,
        context: &Context,
    ) -> Result<effective::Document, Problem> {
        let profile_name = profile.map(ResourceExt::name_any).unwrap_or_default();
        let document = effective::decide(effective::Inputs {
            tenant: &self.spec,
            profile: profile.map(|profile| (profile_name.as_str(), &profile.spec)),
            found: found.filter(|_| memo.adopted).map(|found| effective::Found {
                settings: &found.settings,
                keystore: &found.keystore,
                ever_set: &memo.ever_set,
            }),
            support: &|path: &str, value: &Value| context.store.support(path, value),
        })?;
        let in_part = context.store.in_part(&document.settings);
        Ok(document.with_unenforced(&in_part))
    }

    /// Who is in the tenant, told at most once a second; and when to look again if it is too soon.
    async fn census(
        &self,
        id: &ObjectId,
        tenant_id: &str,
        context: &Context,
    ) -> Result<(Census, Option<Duration>), Problem> {
        let mut census = context.store.census(tenant_id).await?;
        // As status holds it, so that both can be compared.
        census.administrator = census.administrator.as_deref().map(report::found);
        let Some(status) = &self.status else { return Ok((census, None)) };
        let told = Census {
            users: status
                .user_count
                .and_then(|users| u64::try_from(users).ok())
                .unwrap_or_default(),
            administrator: status.admin_username.clone(),
            counts: census.counts,
        };
        if status.user_count.is_none() || told == census {
            return Ok((census, None));
        }
        Ok(match context.throttle.turn(Kind::Tenant, id, Instant::now()) {
            Ok(()) => (census, None),
            Err(wait) => (told, Some(wait)),
        })
    }

    /// Removes the keys that the Tenant made if nobody ever saw them and the store has nothing of it: it was
    /// deleted before it was made. What cannot be asked or done now is left: `Retain` waits for nobody.
    async fn give_up_unused_keys(&self, tenant_id: &str, id: &ObjectId, context: &Context) {
        let mark = context.mark(store::Kind::Tenant, id, &self.uid().unwrap_or_default());
        let key = Key::Tenant { tenant: tenant_id.to_owned() };
        let is_ours = |record: &Record| record.mark.as_ref() == Some(&mark);
        if self.shown_keys().is_empty()
            && let Ok(record) = context.store.observe(&key).await
            && !record.as_ref().is_some_and(is_ours)
            && let Err(problem) = remove_keystore(tenant_id, &mark, context).await
        {
            tracing::warn!(%problem, "keys that were never used are left");
        }
    }

    pub(super) fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default()
    }

    /// The store that had the tenant, as status says.
    pub(super) fn was_in(&self) -> Option<&StoreReference> {
        self.status.as_ref()?.store.as_ref()
    }

    /// The outcome where the keys went on and the store could not follow: status says of the keys what is,
    /// above all of one that was revoked, and of all else what it said before.
    fn with_keys_alone(&self, keys: KeysOutcome, problem: Problem) -> Outcome {
        let mut status = self.status.clone().unwrap_or_default();
        // Of a tenant that never was in the store status says nothing yet.
        if self.was_in().is_some() || !self.shown_keys().is_empty() {
            status.keystore = keys.public();
            status.last_handled = keys.handled();
        }
        Outcome {
            status: as_map(&status),
            verdict: Verdict::NotReady(problem),
            also: None,
            notices: keys.notices,
            look_again: keys.look_again,
        }
    }
}

/// What it claims, for messages.
fn what(tenant_id: &str) -> String {
    format!("tenant id {tenant_id}")
}

/// The outcome where nothing in the store is this Tenant's: status says nothing of a tenant, but for
/// the public keys that were in use, by which a keystore that is lost is known to have been there.
fn not_in_store(keys: &[api::Key], problem: Problem) -> Outcome {
    let keys = Some(keys).filter(|keys| !keys.is_empty());
    Outcome {
        status: keys.map(|keys| ("keystore".to_owned(), json!(keys))).into_iter().collect(),
        ..member::not_in_store(problem)
    }
}

/// Removes a tenant's keystore, if it is this Tenant's.
async fn remove_keystore(
    tenant_id: &str,
    mark: &Mark,
    context: &Context,
) -> Result<Removed, Problem> {
    let removed = context.keystores.remove(tenant_id, mark).await;
    removed.map_err(|error| api_error::problem("removing the keystore", &error))
}

/// What the store remembers to be in force in a tenant.
pub fn document(memo: &Value) -> Option<effective::Document> {
    Memo::read(memo).document
}

fn tenant_state(record: &Record) -> Option<&TenantState> {
    match &record.state {
        State::Tenant(state) => Some(state),
        _ => None,
    }
}
