//! A Tenant's signing keys: find its keystore, decide what is due (`policy::rotation`), make and write it, tell of it.
//!
//! The Secret is written before anything else learns of a key, so that a crash
//! at any moment makes no second one. The store's memo and status repeat the
//! public halves: from them a keystore that was lost is known to have been.

use std::{collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::desired::Memo;
use crate::{
    api::{ROTATE_ANNOTATION, Tenant},
    controller::{api_error, conditions::Also, context::Context, driver::Notice},
    keystore::{Found, PrivateKey},
    policy::{
        Problem, Reason,
        claim::Mark,
        effective::Document,
        ledger::{self, KeyRecord, KeyType, Ledger, Schedule},
        rotation::{self, FirstKey, Plan},
    },
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

impl Keys<'_> {
    /// Brings the keystore to what is due.
    pub async fn bring_about(mut self) -> Result<KeysOutcome, Problem> {
        let schedule =
            Schedule::of(&self.document.typed_keystore(), &self.document.typed_settings());
        let found = self.context.keystores.observe(self.tenant_id).await;
        let found = found.map_err(|error| api_error::problem("reading the keystore", &error))?;
        let known = self.known();
        let Some(found) = found else {
            if known.is_empty() {
                return self.carry_out(None, Ledger::default(), schedule, Vec::new()).await;
            }
            // Under a clock that was turned back it begins anew.
            let since = self.memo.keystore_missing.filter(|since| *since <= self.now);
            let since = *self.memo.keystore_missing.insert(since.unwrap_or(self.now));
            let end = since.saturating_add(GRACE).unwrap_or(Timestamp::MAX);
            if self.now < end {
                return Ok(self.missing(known, schedule, end));
            }
            let mut ledger = Ledger::default();
            let lost = rotation::take_in(&mut ledger, &known, schedule, self.now);
            let news = Notice::warning(Reason::KeystoreLost, self.lost(&lost));
            return self.carry_out(None, ledger, schedule, vec![news]).await;
        };
        let before = match self.whole(&found) {
            Ok(before) => before.clone(),
            Err(problem) => return Ok(self.blocked(known, schedule, problem)),
        };
        let mut ledger = before.clone();
        let newer = rotation::take_in(&mut ledger, &known, schedule, self.now);
        let news = if newer.is_empty() {
            Vec::new()
        } else {
            vec![Notice::warning(Reason::KeystoreRestored, self.restored(&newer))]
        };
        self.carry_out(Some((&found, &before)), ledger, schedule, news).await
    }

    /// Decides what is due, makes the key that it takes, and writes the keystore if it changes.
    async fn carry_out(
        self,
        found: Option<(&Found, &Ledger)>,
        ledger: Ledger,
        schedule: Schedule,
        mut notices: Vec<Notice>,
    ) -> Result<KeysOutcome, Problem> {
        let revoke = self.revoked();
        let Self { tenant, tenant_id, mark, memo, context, now, .. } = self;
        let status = tenant.status.iter().flat_map(|status| &status.keystore);
        let inputs = rotation::Inputs {
            wanted: KeyType::of(&self.document.typed_keystore()),
            schedule,
            revoke: &revoke,
            rotate: tenant.asks_to_rotate(),
            first: if memo.adopted { FirstKey::IsPublished } else { FirstKey::Signs },
            shown: &status.map(|key| key.key.kid.clone()).collect::<BTreeSet<_>>(),
            now,
        };
        let plan = rotation::plan(&ledger, &inputs);
        let too_many = plan.too_many;
        let (after, key) = make(plan, context).await?;
        let written = match found {
            None => match &key {
                Some(key) => context.keystores.create(tenant_id, mark, after.clone(), key).await,
                // A first plan always makes a key.
                None => Ok(()),
            },
            Some((found, before)) if *before != after || found.mark.as_ref() != Some(mark) => {
                let change = (before, after.clone());
                context.keystores.update(tenant_id, found, mark, change, key.as_ref()).await
            }
            Some(_) => Ok(()),
        };
        written.map_err(|error| api_error::problem("writing the keystore", &error))?;
        if let Some((_, before)) = found {
            notices.extend(super::key_news::of(before, &after, schedule));
        }
        memo.keys.clone_from(&after.keys);
        memo.keystore_missing = None;
        let look_again = after.next_look(schedule, now);
        Ok(KeysOutcome {
            problem: None,
            also: too_many.then(|| too_many_keys(&after, schedule)).into_iter().collect(),
            notices,
            unknown: tenant.revokes().filter(|kid| after.key(kid).is_none()).cloned().collect(),
            look_again: look_again.and_then(|at| Duration::try_from(at.duration_since(now)).ok()),
            ledger: after,
            schedule,
        })
    }

    /// The keys of a keystore that is this Tenant's and whole.
    fn whole<'f>(&self, found: &'f Found) -> Result<&'f Ledger, Problem> {
        let place = self.context.keystores.place(self.tenant_id);
        let is_ours = found.mark.as_ref().is_some_and(|mark| {
            mark.is_same_object(self.mark)
                || self.context.options.take_over_from.contains(&mark.owner)
        });
        if !is_ours {
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
                    "the Secret {place} was changed by another hand: {damage}. Restore it from a backup; or delete it, and new keys are made after {} minutes",
                    GRACE.as_mins()
                ),
            )
        })
    }

    /// The public keys that the store or status knows.
    fn known(&self) -> Vec<KeyRecord> {
        let mut known = self.memo.keys.clone();
        for key in self.tenant.status.iter().flat_map(|status| &status.keystore) {
            if !known.iter().any(|other| other.kid() == key.key.kid) {
                known.push(KeyRecord {
                    key: key.clone(),
                    published_at: None,
                    longest_token: crate::api::Duration::default(),
                });
            }
        }
        known
    }

    /// The kids to revoke: those that the Tenant names, and those that were revoked before, whatever a
    /// Secret that was restored says of them.
    fn revoked(&self) -> Vec<String> {
        let known = self.known();
        let before = known.iter().filter(|key| !key.is_published()).map(|key| key.kid().to_owned());
        self.tenant.revokes().cloned().chain(before).collect()
    }

    fn missing(
        &mut self,
        known: Vec<KeyRecord>,
        schedule: Schedule,
        end: Timestamp,
    ) -> KeysOutcome {
        let place = self.context.keystores.place(self.tenant_id);
        let problem = Problem::waiting(
            Reason::KeystoreMissing,
            format!(
                "the Secret {place} with the signing keys is gone: restore it, or new keys are made at {}",
                end.strftime("%FT%TZ")
            ),
        );
        let look_again = Duration::try_from(end.duration_since(self.now)).ok();
        KeysOutcome { look_again, ..self.blocked(known, schedule, problem) }
    }

    /// The outcome where the keystore is left as it is. What is revoked leaves the JWKS all the same.
    fn blocked(
        &mut self,
        mut known: Vec<KeyRecord>,
        schedule: Schedule,
        problem: Problem,
    ) -> KeysOutcome {
        rotation::revoke(&mut known, &self.revoked(), self.now);
        self.memo.keys.clone_from(&known);
        let handled = self.tenant.status.as_ref().and_then(|status| status.last_handled.as_ref());
        KeysOutcome {
            ledger: Ledger {
                keys: known,
                rotate: handled.and_then(|handled| handled.rotate.clone()),
            },
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

    fn asks_to_rotate(&self) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(ROTATE_ANNOTATION).map(String::as_str)
    }
}

/// Removes the keystore that a Tenant made which did not get its tenant id after all.
pub async fn give_back(tenant_id: &str, mark: &Mark, context: &Context) -> Result<bool, Problem> {
    let problem = |error| api_error::problem("removing the keystore", &error);
    let found = context.keystores.observe(tenant_id).await.map_err(problem)?;
    let Some(found) = found.filter(|found| found.mark.as_ref() == Some(mark)) else {
        return Ok(false);
    };
    match context.keystores.delete(tenant_id, &found).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(false),
        end => end.map(|()| true).map_err(problem),
    }
}

/// Makes the key that a plan takes, if it takes one.
async fn make(plan: Plan, context: &Context) -> Result<(Ledger, Option<PrivateKey>), Problem> {
    let Some(new) = plan.new else { return Ok((plan.ledger, None)) };
    let key = context.keystores.generate(new.key_type).await.map_err(|error| {
        Problem::transient(Reason::KeyNotMade, format!("{error}; it is tried again"))
    })?;
    Ok((plan.with_key(new, key.jwk().clone()), Some(key)))
}

fn too_many_keys(ledger: &Ledger, schedule: Schedule) -> Also {
    let retired = ledger.keys.iter().filter(|key| key.is(crate::api::KeyState::Retired));
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
