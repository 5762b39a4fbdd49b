//! The Roles that a Role contains: where they are in the store, and circles among them.

use super::{
    context::Context,
    home::Home,
    index::ObjectId,
    member::Member,
    view::{View, target},
};
use crate::{
    api::{ObjectReference, Role},
    policy::{Problem, Reason, composites},
    store::RoleName,
};

const FIELD: &str = "spec.composites";

impl Role {
    /// The Roles that it contains, as its spec says.
    pub(super) fn parts(&self, namespace: &str) -> Vec<ObjectId> {
        self.spec.composites.iter().flatten().map(|part| target(part, namespace)).collect()
    }

    /// The parts that the store has, if the Role manages any, and what is still missing.
    pub(super) fn resolve_parts(
        &self,
        id: &ObjectId,
        home: &Home,
        context: &Context,
    ) -> Result<(Option<Vec<RoleName>>, Option<Problem>), Problem> {
        let Some(composites) = &self.spec.composites else { return Ok((None, None)) };
        self.lies_on_no_circle(id, &context.view)?;
        let (mut parts, mut missing) = (Vec::new(), Vec::new());
        for reference in composites {
            match Self::part(reference, id, home, context) {
                Ok(part) => parts.push(part),
                Err(problem) if problem.is_stalled() => return Err(problem),
                Err(problem) => missing.push(problem),
            }
        }
        parts.sort();
        parts.dedup();
        Ok((Some(parts), composites::waiting_for(&missing)))
    }

    fn part(
        reference: &ObjectReference,
        id: &ObjectId,
        home: &Home,
        context: &Context,
    ) -> Result<RoleName, Problem> {
        let (part_id, part) = context.view.role_of(reference, &id.namespace, FIELD)?;
        home.is_that_of(&part.spec.tenant_ref, &part_id, FIELD)?;
        part.in_store(&part_id, FIELD, context)
    }

    /// Its name in the store, once it is there.
    pub fn in_store(
        &self,
        id: &ObjectId,
        field: &str,
        context: &Context,
    ) -> Result<RoleName, Problem> {
        let not_there = |why: &str| {
            let message = format!("{field}: Role (roles.keyreeve.dev) {} {why}", id.name);
            Problem::waiting(Reason::RoleNotFound, message)
        };
        if self.metadata.deletion_timestamp.is_some() {
            return Err(not_there("is being deleted"));
        }
        match &self.status {
            Some(status) if self.is_in(context.store.as_ref()) => {
                Ok(RoleName { namespace: status.namespace.clone(), name: self.stored_name() })
            }
            _ => Err(not_there("is not in the store: its own status says why")),
        }
    }

    fn lies_on_no_circle(&self, id: &ObjectId, view: &View) -> Result<(), Problem> {
        let parts_of = |id: &ObjectId| {
            view.roles.get(id).map(|role| view.parts_in_force(&role, id)).unwrap_or_default()
        };
        let Some(circle) = composites::cycle(id, &view.parts_in_force(self, id), &parts_of) else {
            return Ok(());
        };
        // What is further away in other Kubernetes namespaces is none of this one's business.
        let known = self.parts(&id.namespace);
        let named: Vec<_> = circle
            .iter()
            .map(|role| {
                if role.namespace == id.namespace {
                    role.name.clone()
                } else if known.contains(role) {
                    role.to_string()
                } else {
                    "a Role in another Kubernetes namespace".into()
                }
            })
            .collect();
        Err(composites::circle(&named))
    }
}

impl View {
    /// The parts of a Role that count: those that it may contain, of its own tenant, and that stay. A Role
    /// that goes has none.
    fn parts_in_force(&self, role: &Role, id: &ObjectId) -> Vec<ObjectId> {
        if role.metadata.deletion_timestamp.is_some() {
            return Vec::new();
        }
        let tenant = target(&role.spec.tenant_ref, &id.namespace);
        let mut parts = role.parts(&id.namespace);
        parts.retain(|part_id| {
            self.roles.get(part_id).is_some_and(|part| {
                part.metadata.deletion_timestamp.is_none()
                    && target(&part.spec.tenant_ref, &part_id.namespace) == tenant
                    && self.grants(
                        part_id,
                        part.spec.allowed_from.as_deref().unwrap_or_default(),
                        &id.namespace,
                    )
            })
        });
        parts
    }
}
