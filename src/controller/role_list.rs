//! Lists of Roles in a spec: those that a Role contains, and those that a User holds.

use super::{
    context::Context,
    home::Home,
    index::{Kind, ObjectId},
    member::{self, Member as _},
    view::target,
};
use crate::{
    api::{ObjectReference, Role},
    policy::{Class, Problem, Reason, composites},
    store::{Key, RoleName},
};

/// A list of Roles in the spec of an object.
pub struct RoleList<'a> {
    /// The field, for messages.
    pub field: &'static str,
    /// What it lists.
    pub references: &'a [ObjectReference],
    /// The roles that the object has in the store.
    pub held: &'a [RoleName],
}

impl RoleList<'_> {
    /// The roles of the list that the object shall have, sorted, and what it still waits for.
    ///
    /// A role whose grant was withdrawn stays in the store where it is; a new one is not given.
    pub async fn resolve(
        &self,
        id: &ObjectId,
        home: &Home,
        context: &Context,
    ) -> Result<(Vec<RoleName>, Option<Problem>), Problem> {
        let (mut roles, mut missing) = (Vec::new(), Vec::new());
        for reference in self.references {
            match self.role(reference, id, home, context).await {
                Ok(role) => roles.push(role),
                Err(problem) if problem.class != Class::Waiting => return Err(problem),
                // Nobody can say what it is called in the store: what is held there stays.
                Err(problem) if is_unreadable(reference, id, context) => return Err(problem),
                Err(problem) => {
                    if problem.reason == Reason::NotAllowed {
                        roles.extend(self.held_by(reference, id, home, context));
                    }
                    missing.push(problem);
                }
            }
        }
        roles.sort();
        roles.dedup();
        Ok((roles, composites::waiting_for(&missing)))
    }

    async fn role(
        &self,
        reference: &ObjectReference,
        id: &ObjectId,
        home: &Home,
        context: &Context,
    ) -> Result<RoleName, Problem> {
        let (role_id, role) = context.view.role_of(reference, &id.namespace, self.field)?;
        home.is_that_of(&role.spec.tenant_ref, &role_id, self.field)?;
        let not_there = |why: &str| {
            let message =
                format!("{}: Role (roles.keyreeve.dev) {} {why}", self.field, role_id.name);
            Problem::waiting(Reason::RoleNotFound, message)
        };
        if role.metadata.deletion_timestamp.is_some() {
            return Err(not_there("is being deleted"));
        }
        let absent = || not_there("is not in the store: its own status says why");
        let name = role.name_there(home, context).ok_or_else(absent)?;
        let (is_held, is_told) = (self.held.contains(&name), role.is_in(context.store.as_ref()));
        if is_held && is_told {
            return Ok(name);
        }
        if !is_held && !is_told {
            return Err(absent());
        }
        // Status may be forged; and it may be lost, as after a restore, where what is held stays.
        let key = Key::Role { tenant: home.tenant_id.clone(), role: name.clone() };
        match member::made(&role, &role_id, (&key, self.field), context).await {
            Err(problem) if is_held && problem.reason == Reason::StoreDependencyMissing => {
                Err(absent())
            }
            made => made.map(|()| name),
        }
    }

    /// Of the roles that the object has, those that the list still names, whether it may be given them or not.
    pub fn still_named(&self, id: &ObjectId, home: &Home, context: &Context) -> Vec<RoleName> {
        // Nobody can say what that one is called in the store.
        if self.references.iter().any(|reference| is_unreadable(reference, id, context)) {
            return self.held.to_vec();
        }
        let named = |reference| self.held_by(reference, id, home, context);
        let mut roles: Vec<_> = self.references.iter().filter_map(named).collect();
        roles.sort();
        roles.dedup();
        roles
    }

    /// A role that the object has, although it may not be given it any more.
    fn held_by(
        &self,
        reference: &ObjectReference,
        id: &ObjectId,
        home: &Home,
        context: &Context,
    ) -> Option<RoleName> {
        let role_id = target(reference, &id.namespace);
        let role = context.view.roles.get(&role_id)?;
        let stays = role.metadata.deletion_timestamp.is_none()
            && target(&role.spec.tenant_ref, &role_id.namespace) == home.id;
        role.name_there(home, context).filter(|name| stays && self.held.contains(name))
    }
}

/// Whether what is referred to is there and cannot be read, or nobody can say whether it is there.
fn is_unreadable(reference: &ObjectReference, id: &ObjectId, context: &Context) -> bool {
    let (view, role_id) = (&context.view, target(reference, &id.namespace));
    view.roles.get_guarded(&role_id).map_or_else(
        || view.reach.is_unseen(&role_id.namespace, Kind::Role),
        |role| role.0.is_err(),
    )
}

impl Role {
    /// What it is called in the store: that is not its status' to say.
    pub(super) fn name_there(&self, home: &Home, context: &Context) -> Option<RoleName> {
        match self.key(&home.tenant_id, context)? {
            Key::Role { role, .. } => Some(role),
            _ => None,
        }
    }
}
