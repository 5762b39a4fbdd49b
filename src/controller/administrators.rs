//! Who counts as an administrator for all that the caches tell: for warnings, and to leave seats to those who had
//! one. What decides is the store's own count.

use std::collections::BTreeSet;

use kube::ResourceExt;

use super::{
    context::Context,
    home::Home,
    index::{Kind, Link, ObjectId},
    member::Member as _,
    view::{View, is_stored, target},
};
use crate::{
    api::{Role, User},
    policy::{Problem, Reason},
    store::{self, Counts, Limits, RoleName},
};

impl View {
    /// That the plan has no seat for a User among the administrators.
    pub(super) fn no_seat_for(&self, user: &User, home: &Home) -> Option<Problem> {
        let limits = home.limits();
        limits.administrators?;
        let id = ObjectId::new(user.namespace().unwrap_or_default(), user.name_any());
        let roles = self.administrator_roles(&home.id);
        let mut references = user.spec.roles.iter().flatten();
        if !references.any(|role| roles.contains(&target(role, &id.namespace))) {
            return None;
        }
        let before = self.administrators(&home.id, &roles);
        let after = before.len() + usize::from(!before.contains(&id));
        let full = exceeded(before.len(), after, &limits)?;
        Some(Problem { message: format!("spec.roles: {}", full.message), ..full })
    }

    /// That the plan has no seats for all that a Role would make administrators.
    pub(super) fn no_seats_for_holders(&self, role: &Role, home: &Home) -> Option<Problem> {
        let limits = home.limits();
        limits.administrators?;
        // What is not in the store yet, nobody holds there.
        role.was_in()?;
        let id = ObjectId::new(role.namespace().unwrap_or_default(), role.name_any());
        let mut roles = self.administrator_roles(&home.id);
        let counts = role.spec.administrator == Some(true)
            || role.parts(&id.namespace).iter().any(|part| roles.contains(part));
        if !counts {
            return None;
        }
        let before = self.administrators(&home.id, &roles).len();
        roles.extend(self.index().containers(&id));
        roles.insert(id);
        exceeded(before, self.administrators(&home.id, &roles).len(), &limits)
    }

    /// The Roles whose holders count as administrators of a tenant, by themselves or through what they contain.
    fn administrator_roles(&self, tenant: &ObjectId) -> BTreeSet<ObjectId> {
        let in_tenant = Link::In(tenant.clone());
        let mut roles: Vec<_> = self.index().of_kind(Kind::Role, &in_tenant).cloned().collect();
        roles.retain(|id| {
            let role = self.roles.get_guarded(id);
            let role = role.as_ref().and_then(|role| role.0.as_ref().ok());
            role.is_some_and(|role| role.spec.administrator == Some(true))
        });
        let index = self.index();
        let containers: Vec<_> = roles.iter().flat_map(|role| index.containers(role)).collect();
        roles.into_iter().chain(containers).collect()
    }

    /// What these Roles are called in the store.
    pub(super) fn administrator_role_names(
        &self,
        home: &Home,
        context: &Context,
    ) -> BTreeSet<RoleName> {
        let roles = self.administrator_roles(&home.id).into_iter();
        roles.filter_map(|id| self.roles.get(&id)?.name_there(home, context)).collect()
    }

    /// The Users of a tenant that hold one of these Roles, as far as they are in a store.
    fn administrators(&self, tenant: &ObjectId, roles: &BTreeSet<ObjectId>) -> BTreeSet<ObjectId> {
        let in_tenant = Link::In(tenant.clone());
        let mut holders: BTreeSet<ObjectId> = {
            let index = self.index();
            let of = |role: &ObjectId| {
                index.of_kind(Kind::User, &Link::RefersTo(Kind::Role, role.clone()))
            };
            let holders = roles.iter().flat_map(of);
            holders.filter(|id| index.links(Kind::User, id).contains(&in_tenant)).cloned().collect()
        };
        // Those whose status says that they are without the role have no seat.
        let has_no_seat = |user: User| user.has_reason(Reason::QuotaExceeded);
        holders.retain(|id| {
            is_stored(&self.users, id) && !self.users.get(id).is_some_and(has_no_seat)
        });
        holders
    }
}

/// That going from so many administrators to so many is beyond the limit.
fn exceeded(before: usize, after: usize, limits: &Limits) -> Option<Problem> {
    let counts = |administrators: usize| {
        let administrators = u64::try_from(administrators).unwrap_or(u64::MAX);
        Counts { administrators, ..Counts::default() }
    };
    let (counted, limit) = counts(before).exceeded(&counts(after), limits)?;
    Some(store::Error::LimitReached { counted, limit }.into())
}

#[cfg(test)]
#[path = "administrators_tests.rs"]
mod tests;
