//! TenantProfiles: nothing of theirs is in the store; they say whether they hold and who uses them.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::{
    cache::Guarded,
    context::Context,
    driver::{Controlled, Notice, Outcome, Verdict},
    index::{Kind, Link, ObjectId},
    informer::Linked,
    view::View,
};
use crate::{
    api::TenantProfile,
    policy::{Problem, Reason, own_rules},
};

impl Linked for TenantProfile {
    const KIND: Kind = Kind::TenantProfile;

    fn links(&self) -> BTreeSet<Link> {
        BTreeSet::new()
    }
}

#[async_trait]
impl Controlled for TenantProfile {
    const IN_STORE: bool = false;

    fn latest(view: &View, id: &ObjectId) -> Option<Arc<Guarded<Self>>> {
        view.profiles.get_guarded(id)
    }

    async fn reconcile(
        &self,
        id: &ObjectId,
        broken: Option<Problem>,
        context: &Context,
    ) -> Result<Outcome, Problem> {
        let broken = own_rules::settings(self.spec.settings.as_ref()).err().or(broken);
        let plan = self.spec.plan.clone().unwrap_or_else(|| id.name.clone());
        let (tenants, look_again) = self.count(id, context);
        let status = Map::from_iter([
            ("plan".to_owned(), Value::from(plan)),
            ("tenants".to_owned(), Value::from(tenants)),
        ]);
        Ok(Outcome {
            status,
            verdict: broken.map_or_else(|| self.verdict(context), Verdict::NotReady),
            also: Some(Vec::new()),
            notices: Vec::new(),
            look_again,
        })
    }

    async fn clean_up(&self, _: &ObjectId, _: &Context) -> Result<Vec<Notice>, Problem> {
        Ok(Vec::new())
    }
}

impl TenantProfile {
    /// Whether a tenant that sets nothing can use it.
    fn verdict(&self, context: &Context) -> Verdict {
        let support = |path: &str, value: &Value| context.store.support(path, value);
        match own_rules::profile(&self.spec, &support) {
            Ok(()) => Verdict::Ready {
                reason: Reason::Accepted,
                message: "tenants can use this profile".into(),
            },
            Err(problem) => Verdict::NotReady(problem),
        }
    }

    /// The Tenants that use it, written at most once a second; and when to look again if it is too soon.
    fn count(&self, id: &ObjectId, context: &Context) -> (i64, Option<Duration>) {
        let count = i64::try_from(context.view.users_of_profile(id, self)).unwrap_or(i64::MAX);
        match self.status.as_ref().and_then(|status| status.tenants) {
            Some(before) if before != count => {
                match context.throttle.turn(Kind::TenantProfile, id, Instant::now()) {
                    Ok(()) => (count, None),
                    Err(wait) => (before, Some(wait)),
                }
            }
            _ => (count, None),
        }
    }
}
