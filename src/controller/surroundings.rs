//! What an object's status would say of other objects, for the webhook: the same problems, from the same
//! caches, in the same words, before the object is there.
//!
//! What only the store knows is left to status.

use kube::{Resource, ResourceExt};

use super::{
    home::Home,
    index::ObjectId,
    member::{self, Member},
    references::Profile,
    user,
    view::View,
};
use crate::{
    admission::{Object, Surroundings},
    api::{
        AdoptionPolicy, Namespace, ObjectReference, ReferrerKind, Role, Tenant, TenantProfile, User,
    },
    policy::{
        Problem, Support,
        claim::{self, Mark},
        effective::{self, Document},
        own_rules,
    },
    store::{self, Counted},
};

impl Surroundings for View {
    fn warnings(&self, object: &Object) -> Vec<String> {
        match object {
            Object::Tenant(tenant) => self.about_tenant(tenant),
            Object::TenantProfile(profile) => about_profile(profile),
            Object::Namespace(namespace) => self.about_namespace(namespace),
            Object::Role(role) => self.about_role(role),
            Object::User(user) => self.about_user(user),
        }
    }
}

/// The sentences of what is wrong.
fn sentences(problems: impl IntoIterator<Item = Problem>) -> Vec<String> {
    problems.into_iter().map(|problem| problem.message).collect()
}

/// A profile that a tenant cannot use which sets nothing; one that sets something may.
fn about_profile(profile: &TenantProfile) -> Vec<String> {
    sentences(own_rules::profile(&profile.spec, &supported).err())
}

/// What the store supports is not asked here.
fn supported(_: &str, _: &serde_json::Value) -> Support {
    Support::Enforced
}

impl View {
    fn about_tenant(&self, tenant: &Tenant) -> Vec<String> {
        let mut warnings = Vec::new();
        if tenant.was_in().is_none() {
            warnings.extend(sentences(tenant.taken(&mark(claim::Kind::Tenant, tenant), self)));
        }
        match self.in_force(tenant) {
            Ok(document) => warnings.extend(document.overridden.iter().map(|path| {
                format!(
                    "spec.{path}: its TenantProfile locks it, so what is set here has no effect"
                )
            })),
            Err(problem) => warnings.extend(sentences([problem])),
        }
        warnings
    }

    fn about_namespace(&self, namespace: &Namespace) -> Vec<String> {
        self.about_member(namespace, Home::has_rbac).1
    }

    fn about_role(&self, role: &Role) -> Vec<String> {
        let (home, mut warnings) = self.about_member(role, Home::has_rbac);
        let no_seats = home.as_ref().and_then(|home| self.no_seats_for_holders(role, home));
        warnings.extend(sentences(no_seats));
        let own = role.namespace().unwrap_or_default();
        if let Some(reference) = &role.spec.namespace_ref {
            let problem = match self.namespace_of(reference, &own) {
                Err(problem) => Some(problem),
                Ok((id, found)) => {
                    another_tenants(home.as_ref(), &found.spec.tenant_ref, &id, "spec.namespaceRef")
                }
            };
            warnings.extend(sentences(problem));
        }
        let id = ObjectId::new(&own, role.name_any());
        warnings.extend(sentences(role.lies_on_no_circle(&id, self).err()));
        let composites = role.spec.composites.iter().flatten();
        warnings.extend(self.about_roles(composites, home.as_ref(), &own, "spec.composites"));
        warnings
    }

    fn about_user(&self, user: &User) -> Vec<String> {
        let own = user.namespace().unwrap_or_default();
        let (home, mut warnings) = self.about_member(user, Home::has_users);
        if let Some(home) = home.as_ref().filter(|_| user.was_in().is_none()) {
            let me = mark(claim::Kind::User, user);
            warnings.extend(sentences(user.email_taken(&me, home, self)));
        }
        let no_seat = home.as_ref().and_then(|home| self.no_seat_for(user, home));
        warnings.extend(sentences(no_seat));
        let roles = user.spec.roles.iter().flatten();
        warnings.extend(self.about_roles(roles, home.as_ref(), &own, "spec.roles"));
        warnings.extend(self.about_password(user, &own));
        warnings
    }

    /// That the Secret of a new User's password is not there. What it holds is not looked at.
    fn about_password(&self, user: &User, namespace: &str) -> Option<String> {
        let secret = &user.spec.password.as_ref()?.secret_key_ref.as_ref()?.name;
        let is_missing = self.secrets.is_missing(&ObjectId::new(namespace, secret));
        (user.was_in().is_none() && is_missing).then(|| user::secret_missing(secret))
    }

    /// What all members of a tenant may have wrong, and the tenant, if it is there. `limits` says what the
    /// tenant's plan has against the object.
    fn about_member<M: Member>(
        &self,
        member: &M,
        limits: impl Fn(&Home) -> Result<(), Problem>,
    ) -> (Option<Home>, Vec<String>) {
        let own = member.namespace().unwrap_or_default();
        let home = match self.home_of(member.tenant_ref(), &own, M::REFERS_AS) {
            Ok(home) => home,
            Err(problem) => return (None, sentences([problem])),
        };
        let is_new = member.was_in().is_none();
        let me = mark(M::STORED, member);
        let taken = is_new.then(|| member::taken(member, &me, &home, self)).flatten();
        let full = is_new.then(|| self.full(M::STORED, &home)).flatten();
        let warnings = sentences(limits(&home).err().into_iter().chain(taken).chain(full));
        (Some(home), warnings)
    }

    /// That the plan has no seat for one more, as far as status tells of those that there are.
    fn full(&self, kind: claim::Kind, home: &Home) -> Option<Problem> {
        let counted = Counted::of(kind)?;
        let limit = home.limits().of(counted)?;
        let is_full = u64::try_from(self.stored_members(kind, &home.id)).ok()? >= limit;
        is_full.then(|| store::Error::LimitReached { counted, limit }.into())
    }

    /// Roles that an object in this namespace holds or contains.
    fn about_roles<'a>(
        &self,
        references: impl Iterator<Item = &'a ObjectReference>,
        home: Option<&Home>,
        namespace: &str,
        field: &str,
    ) -> Vec<String> {
        sentences(references.filter_map(
            |reference| match self.role_of(reference, namespace, field) {
                Err(problem) => Some(problem),
                Ok((id, found)) => another_tenants(home, &found.spec.tenant_ref, &id, field),
            },
        ))
    }

    /// The tenant that an object would live in, as it would be in force.
    fn home_of(
        &self,
        reference: &ObjectReference,
        namespace: &str,
        kind: ReferrerKind,
    ) -> Result<Home, Problem> {
        let (id, tenant) = self.tenant_of(reference, namespace, kind)?;
        // What is wrong with the Tenant is told with the Tenant.
        let document = self.in_force(&tenant).unwrap_or_default();
        Ok(Home { id, tenant_id: tenant.tenant_id(), document })
    }

    /// What would be in force in a tenant.
    fn in_force(&self, tenant: &Tenant) -> Result<Document, Problem> {
        let namespace = tenant.namespace().unwrap_or_default();
        let profile = match self.profile_of(tenant.spec.profile_ref.as_ref(), &namespace) {
            Profile::None => None,
            Profile::Found(profile) => Some(profile),
            Profile::Unavailable(problem) => return Err(problem),
        };
        let name = profile.as_ref().map(|profile| profile.name_any()).unwrap_or_default();
        let decided = effective::decide(effective::Inputs {
            tenant: &tenant.spec,
            profile: profile.as_ref().map(|profile| (name.as_str(), &profile.spec)),
            found: None,
            support: &supported,
        });
        match decided {
            // What an adopted tenant never set is as it was found, which may fit better.
            Err(_) if tenant.spec.adoption_policy == Some(AdoptionPolicy::Adopt) => {
                Ok(Document::default())
            }
            decided => decided,
        }
    }
}

/// Whether what is referred to belongs to another tenant, as far as the object's own is known.
fn another_tenants(
    home: Option<&Home>,
    tenant: &ObjectReference,
    referred: &ObjectId,
    field: &str,
) -> Option<Problem> {
    home?.is_that_of(tenant, referred, field).err()
}

/// An object that may not be there yet, as one that claims its name. Whose mark it would be matters only
/// beside one in the store.
fn mark<K: Resource>(kind: claim::Kind, object: &K) -> Mark {
    Mark {
        owner: String::new(),
        kind,
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
        uid: object.uid().unwrap_or_default(),
    }
}

#[cfg(test)]
#[path = "surroundings_tests.rs"]
pub(super) mod tests;
