//! Namespaces: find the tenant, decide whose the name is, apply it to the store, report.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use kube::ResourceExt;
use serde_json::{Map, Value};

use super::{
    cache::Guarded,
    context::Context,
    driver::{Controlled, Notice, Outcome},
    home::Home,
    index::{Kind, Link, ObjectId},
    informer::Linked,
    inherit::Inherit,
    member::{self, Found, Member},
    snapshot::as_map,
    view::{View, target},
};
use crate::{
    api::{Namespace, NamespaceStatus, ReferrerKind},
    policy::Problem,
    store::{self, Key, NamespaceState, State},
};

impl Namespace {
    /// What it is called in the store.
    #[must_use]
    pub fn stored_name(&self) -> String {
        self.spec.name.clone().unwrap_or_else(|| self.name_any())
    }
}

impl Linked for Namespace {
    const KIND: Kind = Kind::Namespace;

    fn links(&self) -> BTreeSet<Link> {
        member::links(self)
    }

    fn standing(&self) -> String {
        member::standing(self)
    }
}

impl Member for Namespace {
    const STORED: store::Kind = store::Kind::Namespace;
    const REFERS_AS: ReferrerKind = ReferrerKind::Namespace;
    const NAMED_BY: &'static str = "spec.name";

    member::fields_alike!();

    fn key(&self, tenant_id: &str, _: &Context) -> Option<Key> {
        Some(Key::Namespace { tenant: tenant_id.into(), name: self.stored_name() })
    }

    fn called(&self) -> String {
        format!("namespace {}", self.stored_name())
    }

    fn claims(&self) -> Link {
        let tenant = target(&self.spec.tenant_ref, &self.namespace().unwrap_or_default());
        Link::Claims(format!("{tenant}/namespace/{}", self.stored_name()))
    }
}

#[async_trait]
impl Controlled for Namespace {
    const IN_STORE: bool = true;

    fn latest(view: &View, id: &ObjectId) -> Option<Arc<Guarded<Self>>> {
        view.namespaces.get_guarded(id)
    }

    async fn reconcile(
        &self,
        id: &ObjectId,
        broken: Option<Problem>,
        context: &Context,
    ) -> Result<Outcome, Problem> {
        // Resolve.
        if let Some(problem) = broken {
            return Err(problem);
        }
        let tenant = &self.spec.tenant_ref;
        let home = Home::of(tenant, &id.namespace, ReferrerKind::Namespace, context).await?;
        home.has_rbac()?;
        let key = Key::Namespace { tenant: home.tenant_id.clone(), name: self.stored_name() };

        // Decide.
        let mut found = match Found::of(self, id, (&key, &home), context).await? {
            Ok(found) => found,
            Err(conflict) => return Ok(member::waits_for(&key, conflict)),
        };
        let there = found.record.as_ref().and_then(|record| match &record.state {
            State::Namespace(state) => Some(state.clone()),
            _ => None,
        });
        let adopted = found.memo.adopted && there.is_some();
        let mut inherit = Inherit { ever_set: &mut found.memo.ever_set, adopted };
        let description = self.spec.description.as_ref();
        let state = NamespaceState {
            tenant_id: home.tenant_id.clone(),
            name: self.stored_name(),
            description: inherit.of(
                "description",
                description,
                there.and_then(|there| there.description),
            ),
        };

        // Apply, report.
        let applied = match found.apply(State::Namespace(state), context).await {
            Err(problem) if found.claim.is_new() => return Ok(member::waits_for(&key, problem)),
            applied => applied?,
        };
        let status = self.report(&home, context);
        Ok(found.outcome(self, &applied, status, None, context))
    }

    async fn clean_up(&self, id: &ObjectId, context: &Context) -> Result<Vec<Notice>, Problem> {
        let holding = context.view.roles_in(self, id);
        let unseen = context.view.unseen_roles_in(self, id);
        member::clean_up(self, id, (&holding, unseen.as_deref()), context).await
    }
}

impl Namespace {
    fn report(&self, home: &Home, context: &Context) -> Map<String, Value> {
        as_map(&NamespaceStatus {
            tenant_id: Some(home.tenant_id.clone()),
            name: Some(self.stored_name()),
            store: Some(context.store_reference()),
            // The driver's.
            observed_generation: 0,
            conditions: Vec::new(),
            last_handled: None,
        })
    }
}
