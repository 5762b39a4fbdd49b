//! Who had a seat before the operator started: they come first. After the loss of the store, or its
//! restore, a seat would otherwise go to whoever is looked at first, and somebody who could log in
//! yesterday could not today.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    context::Context,
    index::{Kind, Link, ObjectId},
    member::Member,
    view::{View, target},
};
use crate::{
    api::{Role, User},
    policy::{Class, Problem, Reason},
    store::{Counted, Mark, RoleName, State},
};

/// How long after the start others wait for them. Something may be wrong with one of them that only a
/// person mends.
const LONGEST: Duration = Duration::from_mins(2);

/// The objects that a store had, as their status says, and that have not come back to it since the start.
#[derive(Debug)]
pub struct Returning {
    objects: Mutex<Objects>,
    start: Instant,
}

#[derive(Debug, Default)]
struct Objects {
    had: HashMap<(Kind, ObjectId), Had>,
    /// How many of them there are in a tenant.
    left: HashMap<ObjectId, usize>,
}

/// What an object had.
#[derive(Debug)]
struct Had {
    tenant: ObjectId,
    /// Whether it is still to come back itself.
    seat: bool,
    /// The roles that it held or contained.
    roles: Vec<RoleName>,
}

impl Returning {
    /// All that were there at the start.
    pub fn of(view: &View) -> Self {
        let mut objects = Objects::default();
        view.namespaces.each(|id, namespace| objects.remember(id, namespace, Vec::new()));
        view.roles.each(|id, role| objects.remember(id, role, contained(role)));
        view.users.each(|id, user| objects.remember(id, user, held(user)));
        Self { objects: Mutex::new(objects), start: Instant::now() }
    }

    /// Whether it is still to come back: its status does not say so any more once it was looked at.
    pub fn awaits(&self, kind: Kind, id: &ObjectId) -> bool {
        self.objects().had.contains_key(&(kind, id.clone()))
    }

    /// The roles that this user had before the start.
    pub fn roles_of(&self, user: &ObjectId) -> Vec<RoleName> {
        let objects = self.objects();
        let had = objects.had.get(&(Kind::User, user.clone()));
        had.map(|had| had.roles.clone()).unwrap_or_default()
    }

    /// Whether others in this tenant had a seat of which that is not decided yet.
    pub fn others(&self, tenant: &ObjectId, counted: Counted, me: &ObjectId, view: &View) -> bool {
        let objects = self.objects();
        if !objects.left.contains_key(tenant) || self.start.elapsed() > LONGEST {
            return false;
        }
        let kinds: &[Kind] = match counted {
            Counted::Users => &[Kind::User],
            Counted::Namespaces => &[Kind::Namespace],
            Counted::Roles => &[Kind::Role],
            Counted::Administrators => &[Kind::Role, Kind::User],
        };
        // What is gone is not in the index.
        let (index, link) = (view.index(), Link::In(tenant.clone()));
        kinds.iter().any(|kind| {
            let others = index.of_kind(*kind, &link).filter(|id| *id != me);
            let mut had = others.filter_map(|id| objects.had.get(&(*kind, id.clone())));
            had.any(|had| had.seat || counted == Counted::Administrators)
        })
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Objects {
    fn remember<M: Member>(&mut self, id: ObjectId, member: &M, roles: Vec<RoleName>) {
        if member.was_in().is_some() {
            let tenant = target(member.tenant_ref(), &id.namespace);
            *self.left.entry(tenant.clone()).or_default() += 1;
            self.had.insert((M::KIND, id), Had { tenant, seat: true, roles });
        }
    }

    /// It is waited for no longer; the tenant, if it was the last one there.
    fn forget(&mut self, object: &(Kind, ObjectId)) -> Option<ObjectId> {
        let Had { tenant, .. } = self.had.remove(object)?;
        let left = self.left.get_mut(&tenant)?;
        *left -= 1;
        if *left > 0 {
            return None;
        }
        self.left.remove(&tenant);
        Some(tenant)
    }
}

fn contained(role: &Role) -> Vec<RoleName> {
    let parts = role.status.iter().flat_map(|status| &status.composites);
    parts.map(|part| name(part.namespace.as_ref(), &part.name)).collect()
}

/// Without those that came through others.
fn held(user: &User) -> Vec<RoleName> {
    let roles = user.status.iter().flat_map(|status| &status.roles);
    let granted = roles.filter(|role| role.through.is_none());
    granted.map(|role| name(role.namespace.as_ref(), &role.name)).collect()
}

fn name(namespace: Option<&String>, name: &str) -> RoleName {
    RoleName { namespace: namespace.cloned(), name: name.into() }
}

impl Context {
    /// The store has it, in this state. It has come back when it has the roles that it had.
    pub(super) fn has_come_back(&self, mark: &Mark, state: &State) {
        let roles = match state {
            State::Tenant(_) | State::Namespace(_) => None,
            State::Role(role) => role.composites.as_deref(),
            State::User(user) => user.roles.as_deref(),
        };
        let object = (mark.kind.into(), ObjectId::marked(mark));
        let mut objects = self.returning.objects();
        let Some(had) = objects.had.get_mut(&object) else { return };
        had.seat = false;
        let roles = roles.unwrap_or_default();
        if had.roles.iter().all(|role| roles.contains(role)) {
            let last_of = objects.forget(&object);
            drop(objects);
            self.wake_waiting_in(last_of);
        }
    }

    /// It was looked at, with this end. It is waited for no longer, unless what it waits for may itself come back.
    pub(super) fn was_looked_at(&self, kind: Kind, id: &ObjectId, problem: Option<&Problem>) {
        let may_come_back = |problem: &Problem| match problem.reason {
            Reason::TenantNotReady | Reason::NamespaceNotFound | Reason::RoleNotFound => true,
            // It has its seat, and leaves that of a role to others.
            Reason::SeatsReserved => false,
            _ => problem.class == Class::Transient,
        };
        if !problem.is_some_and(may_come_back) {
            let last_of = self.returning.objects().forget(&(kind, id.clone()));
            self.wake_waiting_in(last_of);
        }
    }

    fn wake_waiting_in(&self, tenant: Option<ObjectId>) {
        if let Some(tenant) = tenant {
            self.wake_waiting(&tenant);
        }
    }
}
