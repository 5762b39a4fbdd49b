//! Where references lead: to an object that is there and may be referred to, or to what to say instead.
//!
//! Across Kubernetes namespaces, missing and forbidden are answered alike, so
//! that nobody learns what others have.

use std::fmt::Debug;

use kube::Resource;

use super::{
    cache::Cache,
    index::{Kind, ObjectId},
    view::{View, target},
};
use crate::{
    api::{AllowedFrom, Namespace, ObjectReference, ReferrerKind, Role, Tenant, TenantProfile},
    policy::{Problem, Reason},
};

/// The profile that holds for a Tenant.
pub enum Profile {
    /// It has none: no limits.
    None,
    /// This one.
    Found(Box<TenantProfile>),
    /// It is missing or forbidden.
    Unavailable(Problem),
}

/// That nobody can say what is in a watched namespace: it is tried again until somebody can.
pub fn unreadable(namespace: &str) -> Problem {
    Problem::transient(
        Reason::ApiError,
        format!(
            "the operator cannot read the namespace {namespace} now, so nothing there is taken for gone. If the namespace is, the platform takes it out of those that the operator watches (watchNamespaces); else it gives the operator its Role there again"
        ),
    )
}

/// What is looked for, in words.
#[derive(Clone, Copy)]
struct Sought<'a> {
    /// The field that refers to it.
    field: &'a str,
    kind: &'a str,
    of: Kind,
    /// Where it is not there, in one's own namespace.
    missing: Reason,
    /// What else can be done.
    otherwise: &'a str,
}

impl View {
    /// Resolves the profile of a Tenant in `namespace`. The platform's default profile needs no grant.
    #[must_use]
    pub fn profile_of(&self, reference: Option<&ObjectReference>, namespace: &str) -> Profile {
        let Some(id) = self.profile_id(reference, namespace) else { return Profile::None };
        if reference.is_none() {
            return self.profiles.get(&id).map_or_else(
                || {
                    Profile::Unavailable(if self.reach.is_unseen(&id.namespace, Kind::TenantProfile) {
                        unreadable(&id.namespace)
                    } else {
                        Problem::waiting(
                            Reason::ProfileNotFound,
                            "the platform's default TenantProfile is not there: ask the platform, or set spec.profileRef",
                        )
                    })
                },
                |profile| Profile::Found(Box::new(profile)),
            );
        }
        let sought = Sought {
            field: "spec.profileRef",
            kind: "TenantProfile",
            of: Kind::TenantProfile,
            missing: Reason::ProfileNotFound,
            otherwise: ", or change spec.profileRef",
        };
        let found = self
            .resolve(&self.profiles, &id, namespace, sought, |profile| profile.grants().to_vec());
        match found {
            Ok(profile) => Profile::Found(Box::new(profile)),
            Err(problem) => Profile::Unavailable(problem),
        }
    }

    /// Resolves the Tenant of an object of this kind in `namespace`.
    pub fn tenant_of(
        &self,
        reference: &ObjectReference,
        namespace: &str,
        kind: ReferrerKind,
    ) -> Result<(ObjectId, Tenant), Problem> {
        let id = target(reference, namespace);
        let sought = Sought {
            field: "spec.tenantRef",
            kind: "Tenant",
            of: Kind::Tenant,
            missing: Reason::TenantNotFound,
            otherwise: "",
        };
        let tenant =
            self.resolve(&self.tenants, &id, namespace, sought, |tenant| tenant.grants_for(kind))?;
        Ok((id, tenant))
    }

    /// Resolves the identity Namespace of an object in `namespace`.
    pub fn namespace_of(
        &self,
        reference: &ObjectReference,
        namespace: &str,
    ) -> Result<(ObjectId, Namespace), Problem> {
        let id = target(reference, namespace);
        let sought = Sought {
            field: "spec.namespaceRef",
            kind: "Namespace (namespaces.keyreeve.dev)",
            of: Kind::Namespace,
            missing: Reason::NamespaceNotFound,
            otherwise: "",
        };
        let found = self.resolve(&self.namespaces, &id, namespace, sought, |found| {
            found.spec.allowed_from.clone().unwrap_or_default()
        })?;
        Ok((id, found))
    }

    /// Resolves a Role that an object in `namespace` holds or contains, as this field says.
    pub fn role_of(
        &self,
        reference: &ObjectReference,
        namespace: &str,
        field: &str,
    ) -> Result<(ObjectId, Role), Problem> {
        let id = target(reference, namespace);
        let sought = Sought {
            field,
            kind: "Role (roles.keyreeve.dev)",
            of: Kind::Role,
            missing: Reason::RoleNotFound,
            otherwise: ", or take it out",
        };
        let role = self.resolve(&self.roles, &id, namespace, sought, |role| {
            role.spec.allowed_from.clone().unwrap_or_default()
        })?;
        Ok((id, role))
    }

    fn resolve<K>(
        &self,
        cache: &Cache<K>,
        id: &ObjectId,
        namespace: &str,
        sought: Sought<'_>,
        grants: impl Fn(&K) -> Vec<AllowedFrom>,
    ) -> Result<K, Problem>
    where
        K: Resource<DynamicType = ()> + Clone + Debug,
    {
        let Sought { field, kind, of, missing, otherwise } = sought;
        match cache.get(id) {
            Some(found) if self.grants(id, &grants(&found), namespace) => Ok(found),
            None if self.reach.is_unseen(&id.namespace, of) => {
                let problem = unreadable(&id.namespace);
                Err(Problem { message: format!("{field}: {}", problem.message), ..problem })
            }
            _ if id.namespace == namespace => Err(Problem::waiting(
                missing,
                if cache.get_guarded(id).is_some() {
                    format!("{field}: {kind} {} cannot be read: its own status says why", id.name)
                } else {
                    format!("{field}: {kind} {} is not there: create it{otherwise}", id.name)
                },
            )),
            _ => Err(Problem::waiting(
                Reason::NotAllowed,
                format!(
                    "{field}: {kind} {id} is not there, or its allowedFrom does not name the namespace {namespace}: ask its owner{otherwise}"
                ),
            )),
        }
    }
}
