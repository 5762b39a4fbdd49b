//! The Roles that a Role contains: where they are in the store, and circles among them.

use super::{
    context::Context,
    home::Home,
    index::ObjectId,
    role_list::RoleList,
    view::{View, target},
};
use crate::{
    api::Role,
    policy::{Problem, composites},
    store::RoleName,
};

const FIELD: &str = "spec.composites";

impl Role {
    /// The Roles that it contains, as its spec says.
    pub(super) fn parts(&self, namespace: &str) -> Vec<ObjectId> {
        self.spec.composites.iter().flatten().map(|part| target(part, namespace)).collect()
    }

    /// The parts that the store shall have, if the Role manages any, and what is still missing.
    pub(super) async fn resolve_parts(
        &self,
        id: &ObjectId,
        home: &Home,
        held: &[RoleName],
        context: &Context,
    ) -> Result<(Option<Vec<RoleName>>, Option<Problem>), Problem> {
        let Some(references) = &self.spec.composites else { return Ok((None, None)) };
        self.lies_on_no_circle(id, &context.view)?;
        let list = RoleList { field: FIELD, references, held };
        let (parts, missing) = list.resolve(id, home, context).await?;
        Ok((Some(parts), missing))
    }

    /// Whether it lies on no circle of Roles, itself as it is here: the view may have another version of it, or none.
    pub(super) fn lies_on_no_circle(&self, id: &ObjectId, view: &View) -> Result<(), Problem> {
        let role_of = |of: &ObjectId| {
            if of == id { Some(self.clone()) } else { view.roles.get(of) }
        };
        let parts_of = |of: &ObjectId| {
            role_of(of).map(|role| view.parts_in_force(&role, of, &role_of)).unwrap_or_default()
        };
        let Some(circle) = composites::cycle(id, &parts_of(id), &parts_of) else {
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
    /// The parts of a Role that count: those that it may contain, or still does, of its own tenant, and that
    /// stay. A Role that goes has none. `role_of` knows the Roles.
    fn parts_in_force(
        &self,
        role: &Role,
        id: &ObjectId,
        role_of: &dyn Fn(&ObjectId) -> Option<Role>,
    ) -> Vec<ObjectId> {
        if role.metadata.deletion_timestamp.is_some() {
            return Vec::new();
        }
        let tenant = target(&role.spec.tenant_ref, &id.namespace);
        let mut parts = role.parts(&id.namespace);
        parts.retain(|part_id| {
            role_of(part_id).as_ref().is_some_and(|part| {
                part.metadata.deletion_timestamp.is_none()
                    && target(&part.spec.tenant_ref, &part_id.namespace) == tenant
                    && (role.contains(part)
                        || self.grants(
                            part_id,
                            part.spec.allowed_from.as_deref().unwrap_or_default(),
                            &id.namespace,
                        ))
            })
        });
        parts
    }
}

impl Role {
    /// Whether it contains that one in the store.
    fn contains(&self, part: &Self) -> bool {
        let (Some(status), Some(of_part)) = (&self.status, &part.status) else { return false };
        status.composites.iter().any(|contained| {
            contained.namespace == of_part.namespace && contained.name == part.stored_name()
        })
    }
}
