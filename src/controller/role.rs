//! Roles: find the tenant, the identity Namespace and the parts, decide whose the name is, apply it
//! to the store, report.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use kube::ResourceExt;
use serde_json::{Map, Value, json};

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
    api::{ReferrerKind, Role, RoleStatus, StoredRole},
    policy::{Problem, Reason},
    store::{self, Key, RoleName, RoleState, State},
};

/// The list that memos name when it is managed.
const COMPOSITES: &str = "composites";

impl Role {
    /// What it is called in the store, in its tenant or identity Namespace.
    #[must_use]
    pub fn stored_name(&self) -> String {
        self.spec.name.clone().unwrap_or_else(|| self.name_any())
    }

    fn own_namespace(&self) -> String {
        self.namespace().unwrap_or_default()
    }
}

impl Linked for Role {
    const KIND: Kind = Kind::Role;

    fn links(&self) -> BTreeSet<Link> {
        let own = self.own_namespace();
        let mut links = member::links(self);
        let referred = self.placed_in().map(|namespace| (Kind::Namespace, namespace));
        let referred =
            referred.into_iter().chain(self.parts(&own).into_iter().map(|part| (Kind::Role, part)));
        for (kind, id) in referred {
            if id.namespace != own {
                links.insert(Link::LooksOutOf(own.clone()));
            }
            links.insert(Link::RefersTo(kind, id));
        }
        links
    }

    /// Also what it contains, and which spec the store follows: who holds it looks again after it is written.
    fn standing(&self) -> String {
        let status = self.status.as_ref();
        let composites = status.map(|status| &status.composites);
        let observed = status.map(|status| status.observed_generation);
        json!([member::standing(self), composites, observed]).to_string()
    }
}

impl Member for Role {
    const STORED: store::Kind = store::Kind::Role;
    const REFERS_AS: ReferrerKind = ReferrerKind::Role;
    const NAMED_BY: &'static str = "spec.name";

    member::fields_alike!();

    /// With the Namespace the Role goes from the store, too; until then its name is known.
    fn key(&self, tenant_id: &str, context: &Context) -> Option<Key> {
        let namespace = match self.placed_in() {
            None => None,
            Some(id) => {
                let there = context.view.namespaces.get(&id).map(|there| there.stored_name());
                let told = || self.status.as_ref().and_then(|status| status.namespace.clone());
                Some(there.or_else(told)?)
            }
        };
        let role = RoleName { namespace, name: self.stored_name() };
        Some(Key::Role { tenant: tenant_id.into(), role })
    }

    fn called(&self) -> String {
        format!("role {}", self.stored_name())
    }

    fn claims(&self) -> Link {
        let own = self.own_namespace();
        let tenant = target(&self.spec.tenant_ref, &own);
        let namespace = self.placed_in().map(|namespace| namespace.to_string()).unwrap_or_default();
        Link::Claims(format!("{tenant}/role/{namespace}/{}", self.stored_name()))
    }

    fn placed_in(&self) -> Option<ObjectId> {
        self.spec.namespace_ref.as_ref().map(|namespace| target(namespace, &self.own_namespace()))
    }
}

#[async_trait]
impl Controlled for Role {
    const IN_STORE: bool = true;

    fn latest(view: &View, id: &ObjectId) -> Option<Arc<Guarded<Self>>> {
        view.roles.get_guarded(id)
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
        let home = Home::of(tenant, &id.namespace, ReferrerKind::Role, context).await?;
        home.has_rbac()?;
        let name =
            RoleName { namespace: self.place(id, &home, context).await?, name: self.stored_name() };
        let key = Key::Role { tenant: home.tenant_id.clone(), role: name.clone() };

        // Decide.
        let mut found = match Found::of(self, id, (&key, &home), context).await? {
            Ok(found) => found,
            Err(conflict) => return Ok(member::waits_for(&key, conflict)),
        };
        let held = found.role_state().and_then(|there| there.composites.clone());
        let held = held.unwrap_or_default();
        let (parts, missing) = self.resolve_parts(id, &home, &held, context).await?;
        let mut state = self.desired(&home, &name, &mut found);
        state.composites = parts;
        let is_managed = state.composites.is_some();

        // Apply, report.
        if found.leaves(COMPOSITES, is_managed) {
            let emptied = RoleState { composites: Some(Vec::new()), ..state.clone() };
            found.apply(State::Role(emptied), context).await?;
            found.observe_again(context).await?;
        }
        found.memo.set_managed(COMPOSITES, is_managed);
        let applied = match found.apply(State::Role(state.clone()), context).await {
            Err(problem) if found.claim.is_new() => return Ok(member::waits_for(&key, problem)),
            applied => applied?,
        };
        let status = report(&state, context);
        Ok(found.outcome(self, &applied, status, missing, context))
    }

    async fn clean_up(&self, id: &ObjectId, context: &Context) -> Result<Vec<Notice>, Problem> {
        member::clean_up(self, id, (&[], None), context).await
    }
}

impl Role {
    /// The name of the identity Namespace that it is in, once the store has that.
    async fn place(
        &self,
        id: &ObjectId,
        home: &Home,
        context: &Context,
    ) -> Result<Option<String>, Problem> {
        let Some(reference) = &self.spec.namespace_ref else { return Ok(None) };
        let (namespace_id, namespace) = context.view.namespace_of(reference, &id.namespace)?;
        home.is_that_of(&namespace.spec.tenant_ref, &namespace_id, "spec.namespaceRef")?;
        if namespace.metadata.deletion_timestamp.is_some() {
            return Err(Problem::waiting(
                Reason::NamespaceNotFound,
                format!(
                    "spec.namespaceRef: Namespace (namespaces.keyreeve.dev) {} is being deleted",
                    reference.name
                ),
            ));
        }
        if !namespace.is_in(context.store.as_ref()) {
            return Err(Problem::waiting(
                Reason::NamespaceNotFound,
                format!(
                    "spec.namespaceRef: Namespace (namespaces.keyreeve.dev) {} is not in the store: its own status says why",
                    reference.name
                ),
            ));
        }
        let name = namespace.stored_name();
        let key = Key::Namespace { tenant: home.tenant_id.clone(), name: name.clone() };
        member::made(&namespace, &namespace_id, (&key, "spec.namespaceRef"), context).await?;
        Ok(Some(name))
    }

    /// The state that the store shall have, but for the parts.
    fn desired(&self, home: &Home, name: &RoleName, found: &mut Found<'_>) -> RoleState {
        let there = found.role_state().cloned();
        let adopted = found.memo.adopted && there.is_some();
        let mut inherit = Inherit { ever_set: &mut found.memo.ever_set, adopted };
        let spec = &self.spec;
        let (description, administrator, rules) = match there {
            Some(there) => (there.description, Some(there.administrator), Some(there.rules)),
            None => (None, None, None),
        };
        RoleState {
            tenant_id: home.tenant_id.clone(),
            role: name.clone(),
            description: inherit.of("description", spec.description.as_ref(), description),
            administrator: inherit
                .of("administrator", spec.administrator.as_ref(), administrator)
                .unwrap_or_default(),
            rules: inherit.of("rules", spec.rules.as_ref(), rules).unwrap_or_default(),
            composites: None,
        }
    }
}

fn report(state: &RoleState, context: &Context) -> Map<String, Value> {
    let stored =
        |role: &RoleName| StoredRole { name: role.name.clone(), namespace: role.namespace.clone() };
    as_map(&RoleStatus {
        tenant_id: Some(state.tenant_id.clone()),
        namespace: state.role.namespace.clone(),
        name: Some(state.role.name.clone()),
        composites: state.composites.iter().flatten().map(stored).collect(),
        store: Some(context.store_reference()),
        // The driver's.
        observed_generation: 0,
        conditions: Vec::new(),
        last_handled: None,
    })
}
