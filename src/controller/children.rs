//! The kinds whose objects live in a Tenant, as far as every controller needs to know them.

use std::collections::BTreeSet;

use kube::{Resource, ResourceExt};

use super::{
    index::{Kind, Link},
    informer::Linked,
    view::target,
};
use crate::api::{Namespace, ObjectReference, Role, User};

/// Links an object to its Tenant.
fn in_tenant<K: Resource>(object: &K, tenant: &ObjectReference) -> BTreeSet<Link> {
    let namespace = object.namespace().unwrap_or_default();
    let tenant = target(tenant, &namespace);
    let mut links = BTreeSet::new();
    if tenant.namespace != namespace {
        links.insert(Link::LooksOutOf(namespace));
    }
    links.insert(Link::In(tenant));
    links
}

impl Linked for Namespace {
    const KIND: Kind = Kind::Namespace;

    fn links(&self) -> BTreeSet<Link> {
        in_tenant(self, &self.spec.tenant_ref)
    }
}

impl Linked for Role {
    const KIND: Kind = Kind::Role;

    fn links(&self) -> BTreeSet<Link> {
        in_tenant(self, &self.spec.tenant_ref)
    }
}

impl Linked for User {
    const KIND: Kind = Kind::User;

    fn links(&self) -> BTreeSet<Link> {
        in_tenant(self, &self.spec.tenant_ref)
    }
}
