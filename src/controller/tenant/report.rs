//! What a Tenant's status says of a reconcile, and what there is to tell.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::{
    api::{Effective, EffectiveSubscription, KeystoreSpec, StoreReference, Tenant, TenantStatus},
    controller::{
        conditions::Also,
        driver::{Notice, Outcome, Verdict},
        news::{self, News},
        snapshot::{as_map, as_status_holds},
        tenant::keys::KeysOutcome,
    },
    policy::{
        Problem, Reason,
        claim::Claim,
        effective::Document,
        subscription::{self, Standing},
    },
    store::{Applied, Census, Limits, Store, TenantState},
};

/// What a reconcile found and did.
pub struct Report<'a> {
    pub tenant: &'a Tenant,
    pub state: &'a TenantState,
    pub document: &'a Document,
    pub keys: &'a KeysOutcome,
    pub claim: &'a Claim,
    pub applied: &'a Applied,
    /// Another hand had changed the tenant in the store.
    pub drifted: bool,
    /// The store that had the tenant, if it was made anew.
    pub lost_from: Option<&'a StoreReference>,
    /// Why what is declared cannot be in force; what was in force stays in force.
    pub not_ready: Option<Problem>,
    pub store: &'a dyn Store,
    /// Who is in the tenant.
    pub census: Census,
    pub now: Timestamp,
}

impl Report<'_> {
    /// The outcome of the reconcile.
    pub fn outcome(self) -> Outcome {
        let (standing, notices) = (self.standing(), self.notices());
        Outcome {
            status: self.status(),
            also: Some(self.also(standing)),
            notices,
            look_again: match standing {
                Standing::Until(end) => Duration::try_from(end.duration_since(self.now)).ok(),
                Standing::Unlimited | Standing::Expired(_) => None,
            },
            verdict: match self.not_ready {
                Some(problem) => Verdict::NotReady(problem),
                None => Verdict::Ready { reason: Reason::Synced, message: self.ready() },
            },
        }
    }

    fn ready(&self) -> String {
        let ready = format!("tenant {} is in the store as declared", self.state.tenant_id);
        if self.keys.unknown.is_empty() {
            return ready;
        }
        let unknown = self.keys.unknown.join(", ");
        format!("{ready}; spec.keystore.revoke names keys that it does not have: {unknown}")
    }

    fn standing(&self) -> Standing {
        subscription::standing(self.tenant.spec.subscription.as_ref(), self.now)
    }

    fn status(&self) -> Map<String, Value> {
        let status = TenantStatus {
            tenant_id: Some(self.state.tenant_id.clone()),
            short_id: Some(self.state.short_id.clone()),
            type_: self.state.type_.as_deref().map(found),
            region: self.state.region.as_deref().map(found),
            enabled: Some(self.state.enabled),
            keystore: self.keys.public(),
            user_count: Some(i64::try_from(self.census.users).unwrap_or(i64::MAX)),
            admin_username: self.census.administrator.clone(),
            effective: Some(self.effective()),
            unenforced: self.document.unenforced.clone(),
            overridden: self.document.overridden.clone(),
            store: Some(StoreReference {
                kind: self.store.kind().into(),
                id: self.store.id().into(),
            }),
            last_handled: self.keys.handled(),
            // The driver's.
            observed_generation: 0,
            conditions: Vec::new(),
        };
        as_map(&status)
    }

    /// What is in force, without the values that may be long or private.
    fn effective(&self) -> Effective {
        let mut settings = self.document.typed_settings();
        let variables = settings.environment_variables.take().unwrap_or_default();
        let own = self.tenant.spec.subscription.clone().unwrap_or_default();
        Effective {
            settings,
            environment_variables: variables.into_iter().map(|variable| variable.name).collect(),
            subscription: EffectiveSubscription {
                plan: self.document.plan.clone(),
                plan_details: self.document.plan_details.clone(),
                issued_at: own.issued_at,
                expires_at: own.expires_at,
                metadata: own.metadata.unwrap_or_default().into_keys().collect(),
            },
            keystore: KeystoreSpec {
                // Never shorter than the tokens live, whatever is declared.
                retain_for: Some(self.keys.schedule.retain_for),
                ..self.document.typed_keystore()
            },
            sources: self.document.sources.clone(),
        }
    }

    fn also(&self, standing: Standing) -> Vec<Also> {
        let mut also = self.keys.also.clone();
        if let Standing::Expired(end) = standing {
            also.push(Also {
                type_: "Suspended",
                reason: Reason::SubscriptionExpired,
                message: format!(
                    "the subscription expired at {end}: the tenant is disabled in the store, with its data kept. Renew spec.subscription.expiresAt"
                ),
            });
        }
        also.extend(self.over_limit());
        let unenforced = self.document.unenforced_protection();
        if !unenforced.is_empty() {
            also.push(Also {
                type_: "PartiallyEnforced",
                reason: Reason::NotEnforced,
                message: format!("the store does not enforce {}", unenforced.join(", ")),
            });
        }
        also
    }

    /// That there are more members than the plan allows, if there are.
    fn over_limit(&self) -> Option<Also> {
        let limits = self.document.plan_details.as_ref().map(Limits::from)?;
        let counts = self.census.counts;
        let above: Vec<_> = counts
            .above(&limits)
            .into_iter()
            .map(|(counted, limit)| {
                let name = counted.limit();
                format!("{} {counted}, and planDetails.{name} allows {limit}", counts.of(counted))
            })
            .collect();
        (!above.is_empty()).then(|| Also {
            type_: "OverLimit",
            reason: Reason::OverLimit,
            message: format!(
                "there are {}. Nobody is evicted, and nobody is let in: delete some, or raise the limit in the TenantProfile",
                above.join("; ")
            ),
        })
    }

    fn notices(&self) -> Vec<Notice> {
        let mut notices = self.keys.notices.clone();
        notices.extend(news::of(&News {
            what: &format!("tenant {}", self.state.tenant_id),
            claim: self.claim,
            applied: self.applied,
            drifted: self.drifted,
            lost_from: self.lost_from,
            store: self.store,
        }));
        notices
    }
}

/// As much of what was found in an adopted tenant as status holds: it may be longer than a schema of ours allows.
pub fn found(text: &str) -> String {
    as_status_holds(text, 255)
}
