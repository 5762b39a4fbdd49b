//! The one read-only view of all objects, through which every reference is
//! resolved. Backed by the controllers' caches.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Debug,
    sync::{Mutex, MutexGuard, PoisonError, RwLock},
};

use kube::{Resource, ResourceExt, runtime::reflector::store::Writer};

use super::{
    cache::{Cache, Guarded},
    context::Options,
    index::{Index, Kind, Link, ObjectId},
    member,
    reach::Reach,
    secret_names::SecretNames,
};
use crate::{
    api::{
        AllowedFrom, FINALIZER, Namespace, ObjectReference, ReferrerKind, Role, Tenant,
        TenantProfile, User,
    },
    policy::{
        claim::{self, Claimant},
        grant,
    },
};

/// All objects as the watches last saw them.
pub struct View {
    pub(super) tenants: Cache<Tenant>,
    pub(super) profiles: Cache<TenantProfile>,
    pub(super) namespaces: Cache<Namespace>,
    pub(super) roles: Cache<Role>,
    pub(super) users: Cache<User>,
    pub(super) index: Mutex<Index>,
    pub(super) labels: RwLock<HashMap<String, BTreeMap<String, String>>>,
    pub(super) default_profile: Option<ObjectId>,
    pub(super) secrets: SecretNames,
    /// The Kubernetes namespaces that are watched; all if empty.
    pub(super) watched: Vec<String>,
    pub(super) reach: Reach,
}

/// An object in a tenant that may hold back the tenant's deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its kind.
    pub kind: Kind,
    /// Which one.
    pub id: ObjectId,
}

/// Where a reference from an object in `namespace` leads.
#[must_use]
pub fn target(reference: &ObjectReference, namespace: &str) -> ObjectId {
    ObjectId::new(reference.namespace.as_deref().unwrap_or(namespace), &reference.name)
}

/// What fills a [`View`]: the writers of its caches, one a shard.
pub struct Writers {
    pub(super) tenants: Vec<Writer<Guarded<Tenant>>>,
    pub(super) profiles: Vec<Writer<Guarded<TenantProfile>>>,
    pub(super) namespaces: Vec<Writer<Guarded<Namespace>>>,
    pub(super) roles: Vec<Writer<Guarded<Role>>>,
    pub(super) users: Vec<Writer<Guarded<User>>>,
}

impl View {
    /// An empty view with this many shards, and what fills it.
    #[must_use]
    pub fn new(options: &Options, shards: usize) -> (Self, Writers) {
        let (tenants, tenant_writers) = Cache::new(shards);
        let (profiles, profile_writers) = Cache::new(shards);
        let (namespaces, namespace_writers) = Cache::new(shards);
        let (roles, role_writers) = Cache::new(shards);
        let (users, user_writers) = Cache::new(shards);
        let watched = options.watch_namespaces.clone();
        let labels = watched.iter().map(|name| (name.clone(), known_labels(name))).collect();
        let default_profile = options.default_profile.as_ref();
        let view = Self {
            tenants,
            profiles,
            namespaces,
            roles,
            users,
            index: Mutex::default(),
            labels: RwLock::new(labels),
            default_profile: default_profile
                .map(|(namespace, name)| ObjectId::new(namespace, name)),
            secrets: SecretNames::new(options.webhook.is_some()),
            reach: Reach::of(&watched),
            watched,
        };
        let writers = Writers {
            tenants: tenant_writers,
            profiles: profile_writers,
            namespaces: namespace_writers,
            roles: role_writers,
            users: user_writers,
        };
        (view, writers)
    }

    /// Waits until every cache was filled once, but for those of watched namespaces that cannot be read.
    pub async fn filled(&self) {
        if !self.watched.is_empty() {
            return self.reach.settled().await;
        }
        self.tenants.filled().await;
        self.profiles.filled().await;
        self.namespaces.filled().await;
        self.roles.filled().await;
        self.users.filled().await;
    }

    /// The lock on the index; what a panicking holder left behind is still in order.
    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The labels of a Kubernetes namespace, as far as they are known.
    #[must_use]
    pub fn labels_of(&self, namespace: &str) -> BTreeMap<String, String> {
        let labels = self.labels.read().unwrap_or_else(PoisonError::into_inner);
        labels.get(namespace).cloned().unwrap_or_default()
    }

    /// The profile that a Tenant in `namespace` uses, if any.
    #[must_use]
    pub fn profile_id(
        &self,
        reference: Option<&ObjectReference>,
        namespace: &str,
    ) -> Option<ObjectId> {
        reference
            .map(|reference| target(reference, namespace))
            .or_else(|| self.default_profile.clone())
    }

    /// How many Tenants use a profile, and may.
    #[must_use]
    pub fn users_of_profile(&self, id: &ObjectId, profile: &TenantProfile) -> usize {
        let index = self.index();
        let named: Vec<_> = index.with(&Link::Uses(id.clone())).map(|(_, tenant)| tenant).collect();
        let allowed =
            named.into_iter().filter(|tenant| self.grants(id, profile.grants(), &tenant.namespace));
        let by_default = self.default_profile.as_ref() == Some(id);
        allowed.count() + if by_default { index.count(&Link::UsesDefault) } else { 0 }
    }

    /// The links of the Tenants that use a profile.
    pub(super) fn links_to_profile(&self, id: &ObjectId) -> Vec<Link> {
        let mut links = vec![Link::Uses(id.clone())];
        if self.default_profile.as_ref() == Some(id) {
            links.push(Link::UsesDefault);
        }
        links
    }

    /// The objects that claim a name, but those that have let it go and are only waited for by others.
    #[must_use]
    pub fn claimants(&self, name: &str) -> Vec<Claimant> {
        let claims: Vec<_> = self.index().with(&Link::Claims(name.into())).cloned().collect();
        claims
            .into_iter()
            .filter_map(|(kind, id)| match kind {
                Kind::Tenant => claimant(&self.tenants, &id),
                Kind::Namespace => claimant(&self.namespaces, &id),
                Kind::Role => claimant(&self.roles, &id),
                Kind::User => claimant(&self.users, &id),
                Kind::TenantProfile => None,
            })
            .collect()
    }

    /// Whether that Tenant is there and claims the tenant id, for all that is known: of one that
    /// cannot be read, or is in a namespace that is not watched, nothing is.
    #[must_use]
    pub fn may_claim(&self, id: &ObjectId, tenant_id: &str) -> bool {
        let watched = self.watched.is_empty() || self.watched.contains(&id.namespace);
        !watched
            || self.reach.is_unseen(&id.namespace, Kind::Tenant)
            || self.tenants.get_guarded(id).is_some_and(|tenant| {
                tenant.0.as_ref().map_or(true, |tenant| tenant.tenant_id() == tenant_id)
            })
    }

    /// The objects in a Tenant that are not being deleted themselves and that the Tenant allows.
    #[must_use]
    pub fn members(&self, tenant: &Tenant, id: &ObjectId) -> Vec<Member> {
        let linked: Vec<_> = self.index().with(&Link::In(id.clone())).cloned().collect();
        linked
            .into_iter()
            .filter(|(kind, member)| {
                let referrer = match kind {
                    Kind::Namespace => ReferrerKind::Namespace,
                    Kind::Role => ReferrerKind::Role,
                    Kind::User => ReferrerKind::User,
                    Kind::Tenant | Kind::TenantProfile => return false,
                };
                self.is_deleting(*kind, member) == Some(false)
                    && self.grants(id, &tenant.grants_for(referrer), &member.namespace)
            })
            .map(|(kind, id)| Member { kind, id })
            .collect()
    }

    /// A watched namespace that was never read, and from which objects of one of these kinds may refer to this one
    /// by these grants.
    pub(super) fn unseen_by(
        &self,
        id: &ObjectId,
        mut kinds: impl Iterator<Item = (Kind, Vec<AllowedFrom>)>,
    ) -> Option<String> {
        kinds.find_map(|(kind, grants)| {
            let mut unseen = self.reach.unseen(kind).into_iter();
            unseen.find(|namespace| self.grants(id, &grants, namespace))
        })
    }

    /// The same, of objects in a Tenant.
    #[must_use]
    pub fn unseen_members(&self, tenant: &Tenant, id: &ObjectId) -> Option<String> {
        let kinds = [
            (Kind::Namespace, ReferrerKind::Namespace),
            (Kind::Role, ReferrerKind::Role),
            (Kind::User, ReferrerKind::User),
        ];
        let grants = kinds.into_iter().map(|(kind, as_)| (kind, tenant.grants_for(as_)));
        self.unseen_by(id, grants)
    }

    /// The same, of Roles in an identity Namespace.
    #[must_use]
    pub fn unseen_roles_in(&self, namespace: &Namespace, id: &ObjectId) -> Option<String> {
        let grants = namespace.spec.allowed_from.clone().unwrap_or_default();
        self.unseen_by(id, std::iter::once((Kind::Role, grants)))
    }

    /// How many members of this kind a tenant has in a store, as their status says.
    #[must_use]
    pub fn stored_members(&self, kind: claim::Kind, tenant: &ObjectId) -> usize {
        let kind = match kind {
            claim::Kind::Tenant => Kind::Tenant,
            claim::Kind::Namespace => Kind::Namespace,
            claim::Kind::Role => Kind::Role,
            claim::Kind::User => Kind::User,
        };
        let link = Link::In(tenant.clone());
        let members: Vec<_> = self.index().of_kind(kind, &link).cloned().collect();
        let is_stored = |id: &&ObjectId| match kind {
            Kind::User => is_stored(&self.users, id),
            Kind::Role => is_stored(&self.roles, id),
            Kind::Namespace => is_stored(&self.namespaces, id),
            Kind::Tenant | Kind::TenantProfile => false,
        };
        members.iter().filter(is_stored).count()
    }

    /// The Roles in an identity Namespace that are not being deleted themselves and that it allows.
    #[must_use]
    pub fn roles_in(&self, namespace: &Namespace, id: &ObjectId) -> Vec<Member> {
        let link = Link::RefersTo(Kind::Namespace, id.clone());
        let linked: Vec<_> = self.index().with(&link).cloned().collect();
        let grants = namespace.spec.allowed_from.as_deref().unwrap_or_default();
        let tenant = target(&namespace.spec.tenant_ref, &id.namespace);
        linked
            .into_iter()
            .filter(|(kind, role)| {
                self.is_deleting(*kind, role) == Some(false)
                    && self.grants(id, grants, &role.namespace)
                    // One of another tenant never was in it.
                    && self.roles.get(role).is_none_or(|found| {
                        target(&found.spec.tenant_ref, &role.namespace) == tenant
                    })
            })
            .map(|(kind, id)| Member { kind, id })
            .collect()
    }

    /// The Users and Roles to which these Roles are granted, beside those among them that are being deleted.
    #[must_use]
    pub fn granted(&self, roles: &[Member]) -> Vec<Member> {
        let index = self.index();
        let mut holders: Vec<Member> = roles
            .iter()
            .filter(|role| role.kind == Kind::Role)
            .flat_map(|role| index.with(&Link::RefersTo(Kind::Role, role.id.clone())).cloned())
            .map(|(kind, id)| Member { kind, id })
            .filter(|holder| {
                !roles.contains(holder) && self.is_deleting(holder.kind, &holder.id) == Some(false)
            })
            .collect();
        holders.sort_by(|a, b| (a.kind, &a.id).cmp(&(b.kind, &b.id)));
        holders.dedup();
        holders
    }

    /// Whether an object is being deleted; none if it is not there.
    #[must_use]
    pub fn is_deleting(&self, kind: Kind, id: &ObjectId) -> Option<bool> {
        match kind {
            Kind::Tenant => is_deleting(&self.tenants, id),
            Kind::TenantProfile => is_deleting(&self.profiles, id),
            Kind::Namespace => is_deleting(&self.namespaces, id),
            Kind::Role => is_deleting(&self.roles, id),
            Kind::User => is_deleting(&self.users, id),
        }
    }

    /// Whether an object with these grants may be referred to from that namespace.
    pub(super) fn grants(
        &self,
        target: &ObjectId,
        grants: &[AllowedFrom],
        namespace: &str,
    ) -> bool {
        let labels = self.labels_of(namespace);
        grant::allows(&target.namespace, grants, grant::From { namespace, labels: &labels })
    }
}

impl TenantProfile {
    pub(super) fn grants(&self) -> &[AllowedFrom] {
        self.spec.allowed_from.as_deref().unwrap_or_default()
    }
}

impl Tenant {
    pub(super) fn grants_for(&self, kind: ReferrerKind) -> Vec<AllowedFrom> {
        self.spec.allowed_from.iter().flatten().filter_map(|grant| grant.for_kind(kind)).collect()
    }
}

/// An object as one that claims a name, unless it has let it go or cannot be read.
fn claimant<K>(cache: &Cache<K>, id: &ObjectId) -> Option<Claimant>
where
    K: Resource<DynamicType = ()> + Clone + Debug,
{
    let object = cache.get_guarded(id)?;
    let has_let_go = object.meta().deletion_timestamp.is_some()
        && !object.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
    (object.0.is_ok() && !has_let_go).then(|| Claimant {
        created: object.creation_timestamp().map(|time| time.0),
        uid: object.uid().unwrap_or_default(),
        namespace: id.namespace.clone(),
        name: id.name.clone(),
    })
}

/// Whether an object is in a store, as its status says.
pub(super) fn is_stored<K: member::Member>(cache: &Cache<K>, id: &ObjectId) -> bool {
    cache.get(id).is_some_and(|member| member.was_in().is_some())
}

/// Whether an object is being deleted; none if it is not there.
fn is_deleting<K>(cache: &Cache<K>, id: &ObjectId) -> Option<bool>
where
    K: Resource<DynamicType = ()> + Clone + Debug,
{
    cache.get_guarded(id).map(|object| object.meta().deletion_timestamp.is_some())
}

/// The labels of Kubernetes namespaces that are watched one by one: those that
/// every namespace has. More would need a cluster-wide right.
fn known_labels(namespace: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("kubernetes.io/metadata.name".to_owned(), namespace.to_owned())])
}
