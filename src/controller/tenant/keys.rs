//! A Tenant's signing keys: find its keystore, decide what is due (`policy::rotation`), make and write it, tell of it.
//!
//! The Secret is written before anything else learns of a key, so that a crash
//! at any moment makes no second one. The store's memo and status repeat the
//! public halves: from them a keystore that was lost is known to have been.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use super::{desired::Memo, key_news};
use crate::{
    api::{Key, KeyState, LastHandled, ROTATE_ANNOTATION, Tenant},
    controller::{api_error, conditions::Also, context::Context, driver::Notice},
    keystore::{Found, PrivateKey},
    policy::{
        Problem, Reason,
        claim::Mark,
        effective::Document,
        ledger::{self, KeyRecord, KeyType, Ledger, Schedule},
        rotation::{self, FirstKey},
    },
    store::{Record, SigningKey},
};

/// How long a keystore that is gone is waited for: a restore of the cluster may be under way.
const GRACE: SignedDuration = SignedDuration::from_mins(5);

/// What there is to work with.
pub struct Keys<'a> {
    pub tenant: &'a Tenant,
    pub tenant_id: &'a str,
    /// This Tenant's mark.
    pub mark: &'a Mark,
    /// What is in force.
    pub document: &'a Document,
    pub memo: &'a mut Memo,
    pub context: &'a Context,
    pub now: Timestamp,
}

/// What came of it.
pub struct KeysOutcome {
    /// The keys as status shows them.
    pub ledger: Ledger,
    pub schedule: Schedule,
    /// Why the keys are not as declared.
    pub problem: Option<Problem>,
    pub also: Vec<Also>,
    pub notices: Vec<Notice>,
    /// Kids to revoke that the keystore does not have.
    pub unknown: Vec<String>,
    pub look_again: Option<Duration>,
}

impl KeysOutcome {
    /// The keys as status shows them.
    pub fn public(&self) -> Vec<Key> {
        self.ledger.keys.iter().map(|key| key.key.clone()).collect()
    }

    /// The request to rotate that was carried out, as status tells it.
    pub fn handled(&self) -> Option<LastHandled> {
        let rotate = self.ledger.rotate.clone()?;
        Some(LastHandled { rotate: Some(rotate), ..LastHandled::default() })
    }
}

/// The keys for a store that signs, with the private halves that it does not have yet. They were written to
/// the Secret before: nothing learns of a key before that has it.
pub async fn for_store(
    ledger: &Ledger,
    record: Option<&Record>,
    tenant_id: &str,
    context: &Context,
) -> Result<Option<Vec<SigningKey>>, Problem> {
    if !context.store.signs() {
        return Ok(None);
    }
    let has = |kid: &str| record.is_some_and(|r| r.signing_keys.iter().any(|known| known == kid));
    let missing = ledger.keys.iter().filter(|key| key.needs_private_half() && !has(key.kid()));
    let missing: Vec<String> = missing.map(|key| key.kid().to_owned()).collect();
    let mut private = if missing.is_empty() {
        HashMap::new()
    } else {
        let halves = context.keystores.private_halves(tenant_id, &missing).await;
        halves.map_err(|error| api_error::problem("reading the keystore", &error))?
    };
    let mut key = |record: &KeyRecord| SigningKey {
        public: record.key.key.clone(),
        state: record.key.state,
        created_at: record.key.created_at.0,
        private: private.remove(record.kid()),
    };
    Ok(Some(ledger.keys.iter().map(&mut key).collect()))
}

/// Why an attempt did not succeed, and whether that was because another hand wrote at the same moment.
struct Failure {
    problem: Problem,
    is_stale: bool,
}

impl Failure {
    fn of(what: &str, error: &kube::Error) -> Self {
        let is_stale = matches!(error, kube::Error::Api(status) if status.code == 409);
        Self { problem: api_error::problem(what, error), is_stale }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { problem, is_stale: false }
    }
}

impl Keys<'_> {
    /// Brings the keystore to what is due; where that cannot be, says why, and what is known of the keys.
    pub async fn bring_about(mut self) -> KeysOutcome {
        let schedule =
            Schedule::of(&self.document.typed_keystore(), &self.document.typed_settings());
        let mut attempt = self.attempt(schedule).await;
        if attempt.as_ref().is_err_and(|failure| failure.is_stale) {
            attempt = self.attempt(schedule).await;
        }
        let mut outcome = attempt.unwrap_or_else(|failure| self.blocked(schedule, failure.problem));
        let told = key_news::of(self.shown(), &outcome.ledger, schedule, self.now);
        outcome.notices.extend(told);
        outcome
    }

    async fn attempt(&mut self, schedule: Schedule) -> Result<KeysOutcome, Failure> {
        let found = self.context.keystores.observe(self.tenant_id).await;
        let found = found.map_err(|error| Failure::of("reading the keystore", &error))?;
        let known = self.known();
        let Some(found) = found else {
            if known.keys.is_empty() {
                return self.carry_out(None, Ledger::default(), schedule, None).await;
            }
            // Under a clock that was turned back it begins anew.
            let since = self.memo.keystore_missing.filter(|since| *since <= self.now);
            let since = *self.memo.keystore_missing.insert(since.unwrap_or(self.now));
            let end = since.saturating_add(GRACE).unwrap_or(Timestamp::MAX);
            if self.now < end {
                return Ok(self.missing(schedule, end));
            }
            let mut ledger = Ledger { forgotten: known.forgotten, ..Ledger::default() };
            let lost = rotation::take_in(&mut ledger, &known.keys, schedule, self.now);
            let news = Notice::warning(Reason::KeystoreLost, self.lost(&lost));
            return self.carry_out(None, ledger, schedule, Some(news)).await;
        };
        self.memo.keystore_missing = None;
        let before = self.whole(&found)?.clone();
        let mut ledger = before.clone();
        let newer = rotation::take_in(&mut ledger, &known.keys, schedule, self.now);
        let news = (!newer.is_empty())
            .then(|| Notice::warning(Reason::KeystoreRestored, self.restored(&newer)));
        self.carry_out(Some((&found, &before)), ledger, schedule, news).await
    }

    /// Decides what is due, makes the key that it takes, and writes the keystore if it changes.
    async fn carry_out(
        &mut self,
        found: Option<(&Found, &Ledger)>,
        ledger: Ledger,
        schedule: Schedule,
        news: Option<Notice>,
    ) -> Result<KeysOutcome, Failure> {
        let revoke = self.revoked();
        let mut inputs = rotation::Inputs {
            wanted: KeyType::of(&self.document.typed_keystore()),
            schedule,
            revoke: &revoke,
            rotate: self.tenant.asks_to_rotate(),
            first: if self.memo.adopted { FirstKey::IsPublished } else { FirstKey::Signs },
            shown: &self.shown().iter().map(|key| key.key.kid.clone()).collect::<BTreeSet<_>>(),
            now: self.now,
        };
        let mut plan = rotation::plan(&ledger, &inputs);
        let mut key = None;
        if let Some(new) = plan.new {
            key = Some(self.make(new.key_type).await?);
            // That took its time: what is due is decided as of when there is a key.
            self.now = self.context.clock.now();
            inputs.now = self.now;
            plan = rotation::plan(&ledger, &inputs);
        }
        let too_many = plan.too_many;
        let (after, key) = match (plan.new, key) {
            (Some(new), Some(key)) => (plan.with_key(new, key.jwk().clone()), Some(key)),
            _ => (plan.ledger, None),
        };
        self.write(found, &after, key.as_ref()).await?;
        self.memo.ledger.clone_from(&after);
        let look_again = after.next_look(schedule, self.now);
        let revokes = self.tenant.revokes();
        Ok(KeysOutcome {
            problem: None,
            also: too_many.then(|| too_many_keys(&after, schedule)).into_iter().collect(),
            notices: news.into_iter().collect(),
            unknown: revokes.filter(|kid| !after.knows(kid)).cloned().collect(),
            look_again: look_again
                .and_then(|at| Duration::try_from(at.duration_since(self.now)).ok()),
            ledger: after,
            schedule,
        })
    }

    async fn make(&self, key_type: KeyType) -> Result<PrivateKey, Problem> {
        self.context.keystores.generate(key_type).await.map_err(|error| {
            Problem::transient(Reason::KeyNotMade, format!("{error}; it is tried again"))
        })
    }

    async fn write(
        &self,
        found: Option<(&Found, &Ledger)>,
        after: &Ledger,
        key: Option<&PrivateKey>,
    ) -> Result<(), Failure> {
        let Self { tenant_id, mark, context, .. } = self;
        let written = match (found, key) {
            (None, Some(key)) => {
                context.keystores.create(tenant_id, mark, after.clone(), key).await
            }
            (Some((found, before)), _)
                if before != after || found.mark.as_ref() != Some(self.mark) || found.has_copy =>
            {
                let change = (before, after.clone());
                context.keystores.update(tenant_id, found, mark, change, key).await
            }
            // A first plan always makes a key.
            _ => Ok(()),
        };
        written.map_err(|error| Failure::of("writing the keystore", &error))
    }

    /// The keys that status shows.
    fn shown(&self) -> &[Key] {
        self.tenant.shown_keys()
    }

    /// The keys of a keystore that is this Tenant's and whole.
    fn whole<'f>(&self, found: &'f Found) -> Result<&'f Ledger, Problem> {
        let place = self.context.keystores.place(self.tenant_id);
        let is_ours = found.mark.as_ref().is_some_and(|mark| {
            mark.is_same_object(self.mark)
                || self.context.options.take_over_from.contains(&mark.owner)
        });
        if !is_ours {
            let has_lost_its_mark = || {
                let active = found.ledger.as_ref().ok().and_then(Ledger::active);
                found.mark.is_none() && active.is_some_and(|key| self.known().knows(key.kid()))
            };
            if has_lost_its_mark() {
                return Err(Problem::terminal(
                    Reason::KeystoreConflict,
                    format!(
                        "the Secret {place} has this tenant's keys and has lost its annotation that says whose it is. If nobody but you can write there, put it back: {}",
                        self.context.keystores.how_to_mark(self.tenant_id, self.mark)
                    ),
                ));
            }
            let whose = match &found.mark {
                None => "was not made by this operator".into(),
                Some(mark) if mark.owner != self.mark.owner => {
                    format!("belongs to another owner, {}", mark.owner)
                }
                Some(mark) if mark.namespace == self.mark.namespace => {
                    format!("is that of Tenant {}", mark.name)
                }
                Some(_) => "is that of another Tenant".into(),
            };
            return Err(Problem::terminal(
                Reason::KeystoreConflict,
                format!(
                    "the Secret {place} {whose}, and nothing is done with it: look where it comes from, and delete it if nothing needs it"
                ),
            ));
        }
        found.ledger.as_ref().map_err(|damage| {
            Problem::terminal(
                Reason::KeystoreDamaged,
                format!(
                    "the Secret {place} was changed by another hand: {damage}. Restore it from a backup (kubectl replace --force -f FILE); or delete it, and new keys are made after {} minutes",
                    GRACE.as_mins()
                ),
            )
        })
    }

    /// What the store knows of the keys; or status, where the store knows of none, as after its loss.
    /// Beside the store status has no say: who can forge it would have keys published whose private half
    /// is theirs.
    fn known(&self) -> Ledger {
        let mut known = self.memo.ledger.clone();
        if known.keys.is_empty() {
            let shown = self.shown().iter();
            let shown = shown.filter(|key| !known.forgotten.contains(&key.key.kid));
            known.keys.extend(shown.map(|key| KeyRecord {
                key: key.clone(),
                published_at: None,
                asked_for: false,
                longest_token: crate::api::Duration::default(),
            }));
        }
        known
    }

    /// The kids to revoke: those that the Tenant names, and those that were revoked before, whatever a
    /// Secret that was restored says of them.
    fn revoked(&self) -> Vec<String> {
        let Ledger { keys, forgotten, .. } = self.known();
        let before = keys.iter().filter(|key| !key.is_published()).map(|key| key.kid().to_owned());
        self.tenant.revokes().cloned().chain(before).chain(forgotten).collect()
    }

    fn missing(&mut self, schedule: Schedule, end: Timestamp) -> KeysOutcome {
        let place = self.context.keystores.place(self.tenant_id);
        let problem = Problem::waiting(
            Reason::KeystoreMissing,
            format!(
                "the Secret {place} with the signing keys is gone: restore it, or new keys are made at {}",
                end.strftime("%FT%TZ")
            ),
        );
        let look_again = Duration::try_from(end.duration_since(self.now)).ok();
        KeysOutcome { look_again, ..self.blocked(schedule, problem) }
    }

    /// The outcome where the keystore is left as it is. What is revoked leaves the JWKS all the same.
    fn blocked(&mut self, schedule: Schedule, problem: Problem) -> KeysOutcome {
        let mut known = self.known();
        rotation::note_longest_token(&mut known.keys, schedule);
        rotation::revoke(&mut known.keys, &self.revoked(), self.now);
        let handled = self.tenant.status.as_ref().and_then(|status| status.last_handled.as_ref());
        known.rotate = handled.and_then(|handled| handled.rotate.clone());
        self.memo.ledger.clone_from(&known);
        let message = if known.keys.is_empty() || known.active().is_some() {
            problem.message
        } else {
            let meanwhile = if self.context.store.signs() {
                "the identity provider signs with a key of its own, if with any,"
            } else {
                "no other one signs"
            };
            format!(
                "{}. The key that signed is revoked, and {meanwhile} until then",
                problem.message
            )
        };
        let problem = Problem { message, ..problem };
        KeysOutcome {
            ledger: known,
            schedule,
            problem: Some(problem),
            also: Vec::new(),
            notices: Vec::new(),
            unknown: Vec::new(),
            look_again: None,
        }
    }

    fn lost(&self, kids: &[String]) -> String {
        format!(
            "the Secret {} with the signing keys did not come back: the tenant signs with a new key. The public keys {} stay published until what they signed has expired",
            self.context.keystores.place(self.tenant_id),
            kids.join(", ")
        )
    }

    fn restored(&self, kids: &[String]) -> String {
        format!(
            "the Secret {} is an older one than was there: the private halves of {} are lost, and their public keys stay published until what they signed has expired",
            self.context.keystores.place(self.tenant_id),
            kids.join(", ")
        )
    }
}

impl Tenant {
    fn revokes(&self) -> impl Iterator<Item = &String> {
        self.spec.keystore.iter().flat_map(|keystore| keystore.revoke.iter().flatten())
    }

    /// The keys that status shows.
    pub(super) fn shown_keys(&self) -> &[Key] {
        self.status.as_ref().map(|status| status.keystore.as_slice()).unwrap_or_default()
    }

    fn asks_to_rotate(&self) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(ROTATE_ANNOTATION).map(String::as_str)
    }
}

fn too_many_keys(ledger: &Ledger, schedule: Schedule) -> Also {
    let retired = ledger.keys.iter().filter(|key| key.is(KeyState::Retired));
    let leaves = retired.map(|key| key.leaves_at(schedule)).min().unwrap_or(Timestamp::MAX);
    let shorten = if schedule.retain_for == schedule.longest_token {
        "the longest of settings.ttl.accessToken, .clientCredentials and .idToken"
    } else {
        "keystore.retainFor"
    };
    Also {
        type_: "TooManyKeys",
        reason: Reason::TooManyKeys,
        message: format!(
            "a rotation waits: there are {} keys, as many as there may be, because each is retained for {}. The next one goes at {leaves}; shorten {shorten}, or lengthen keystore.rotationPeriod",
            ledger::MAX_KEYS,
            schedule.retain_for
        ),
    }
}
