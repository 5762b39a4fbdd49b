//! Which objects have to do with which: the links that wake an object when
//! another one changes.
//!
//! Kept from the watches alone, so there is nothing to lose at a restart. It
//! remembers the links of each object as it was last seen, so that both the old
//! and the new end of a changed reference are woken.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
};

use crate::store::{self, Mark};

/// The kinds that have to do with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are the kinds'")]
pub enum Kind {
    Tenant,
    TenantProfile,
    Namespace,
    Role,
    User,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Tenant, Self::TenantProfile, Self::Namespace, Self::Role, Self::User];
}

impl From<store::Kind> for Kind {
    fn from(kind: store::Kind) -> Self {
        match kind {
            store::Kind::Tenant => Self::Tenant,
            store::Kind::Namespace => Self::Namespace,
            store::Kind::Role => Self::Role,
            store::Kind::User => Self::User,
        }
    }
}

/// An object of one kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Its Kubernetes namespace.
    pub namespace: String,
    /// Its `metadata.name`.
    pub name: String,
}

impl ObjectId {
    /// The object of this name in this namespace.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The object that carries this mark.
    pub fn marked(mark: &Mark) -> Self {
        Self::new(&mark.namespace, &mark.name)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What an object has to do with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Link {
    /// It claims this name: a tenant id, or a name in a tenant.
    Claims(String),
    /// It uses this profile.
    Uses(ObjectId),
    /// It uses the platform's default profile, if there is one.
    UsesDefault,
    /// It is in this Tenant.
    In(ObjectId),
    /// It is in this Tenant, and for all that is known not as declared: it may wait for a seat there.
    WaitsIn(ObjectId),
    /// Its password comes from this Secret.
    UsesSecret(ObjectId),
    /// It is placed in this object, contains or holds it.
    RefersTo(Kind, ObjectId),
    /// It is in this Kubernetes namespace and refers to another one.
    LooksOutOf(String),
}

/// The links of all objects that were seen.
#[derive(Debug, Default)]
pub struct Index {
    objects: HashMap<(Kind, ObjectId), BTreeSet<Link>>,
    linked: HashMap<Link, BTreeSet<(Kind, ObjectId)>>,
}

impl Index {
    /// Sets the links of an object and answers those that it had.
    pub fn set(&mut self, kind: Kind, id: &ObjectId, links: BTreeSet<Link>) -> BTreeSet<Link> {
        let old = self.remove(kind, id);
        for link in &links {
            self.linked.entry(link.clone()).or_default().insert((kind, id.clone()));
        }
        self.objects.insert((kind, id.clone()), links);
        old
    }

    /// Forgets an object and answers the links that it had.
    pub fn remove(&mut self, kind: Kind, id: &ObjectId) -> BTreeSet<Link> {
        let object = (kind, id.clone());
        let links = self.objects.remove(&object).unwrap_or_default();
        for link in &links {
            if let Some(objects) = self.linked.get_mut(link) {
                objects.remove(&object);
                if objects.is_empty() {
                    self.linked.remove(link);
                }
            }
        }
        links
    }

    /// The links of an object.
    #[must_use]
    pub fn links(&self, kind: Kind, id: &ObjectId) -> BTreeSet<Link> {
        self.objects.get(&(kind, id.clone())).cloned().unwrap_or_default()
    }

    /// The objects with this link, in order.
    pub fn with<'a>(&'a self, link: &Link) -> impl Iterator<Item = &'a (Kind, ObjectId)> + use<'a> {
        self.linked.get(link).into_iter().flatten()
    }

    /// The objects that have to do with this one because they refer to it; of a Tenant: what is in it.
    pub fn dependents<'a>(
        &'a self,
        kind: Kind,
        id: &ObjectId,
    ) -> impl Iterator<Item = &'a (Kind, ObjectId)> + use<'a> {
        self.with(&match kind {
            Kind::Tenant => Link::In(id.clone()),
            _ => Link::RefersTo(kind, id.clone()),
        })
    }

    /// The objects of one kind with this link, in order.
    pub fn of_kind<'a>(
        &'a self,
        kind: Kind,
        link: &Link,
    ) -> impl Iterator<Item = &'a ObjectId> + use<'a> {
        // They stand beside each other, however many there are of other kinds.
        let from = (kind, ObjectId::new("", ""));
        let objects = self.linked.get(link).into_iter();
        let objects = objects.flat_map(move |objects| objects.range(from.clone()..));
        objects.take_while(move |(of, _)| *of == kind).map(|(_, id)| id)
    }

    /// The Roles that contain a Role, directly or through others; itself, too, if they do so in a circle.
    #[must_use]
    pub fn containers(&self, role: &ObjectId) -> BTreeSet<ObjectId> {
        let (mut containers, mut parts) = (BTreeSet::new(), vec![role.clone()]);
        while let Some(part) = parts.pop() {
            for (kind, id) in self.with(&Link::RefersTo(Kind::Role, part)) {
                if *kind == Kind::Role && containers.insert(id.clone()) {
                    parts.push(id.clone());
                }
            }
        }
        containers
    }

    /// The Users who hold a Role, directly or through others.
    #[must_use]
    pub fn holders(&self, role: &ObjectId) -> BTreeSet<ObjectId> {
        let roles = self.containers(role).into_iter().chain([role.clone()]);
        roles
            .flat_map(|role| {
                self.with(&Link::RefersTo(Kind::Role, role)).cloned().collect::<Vec<_>>()
            })
            .filter_map(|(kind, id)| (kind == Kind::User).then_some(id))
            .collect()
    }

    /// The objects whose passwords come from a Secret.
    pub fn users_of_secrets(&self) -> impl Iterator<Item = &(Kind, ObjectId)> {
        let secrets = self.linked.iter().filter(|(link, _)| matches!(link, Link::UsesSecret(_)));
        secrets.flat_map(|(_, users)| users)
    }

    /// How many objects have this link.
    #[must_use]
    pub fn count(&self, link: &Link) -> usize {
        self.linked.get(link).map_or(0, BTreeSet::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_objects_as_they_change_and_go() {
        let mut index = Index::default();
        let (acme, gold, silver) = (
            ObjectId::new("a", "acme"),
            Link::Uses(ObjectId::new("p", "gold")),
            Link::Uses(ObjectId::new("p", "silver")),
        );
        assert!(index.set(Kind::Tenant, &acme, BTreeSet::from([gold.clone()])).is_empty());
        assert_eq!(index.count(&gold), 1);
        let old = index.set(Kind::Tenant, &acme, BTreeSet::from([silver.clone()]));
        assert_eq!(old, BTreeSet::from([gold.clone()]));
        assert_eq!((index.count(&gold), index.count(&silver)), (0, 1));
        assert_eq!(index.with(&silver).collect::<Vec<_>>(), [&(Kind::Tenant, acme.clone())]);
        assert_eq!(index.of_kind(Kind::Tenant, &silver).collect::<Vec<_>>(), [&acme]);
        assert_eq!(index.of_kind(Kind::Role, &silver).count(), 0);
        assert_eq!(index.remove(Kind::Tenant, &acme), BTreeSet::from([silver.clone()]));
        assert_eq!(index.count(&silver), 0);
        assert!(index.objects.is_empty() && index.linked.is_empty());
    }

    #[test]
    fn finds_all_that_contain_a_role_through_others_and_in_circles() {
        let id = |name: char| ObjectId::new("a", name);
        let mut index = Index::default();
        for (role, parts) in [('a', "b"), ('b', "cd"), ('c', "a"), ('e', "a"), ('d', "")] {
            let links = parts.chars().map(|part| Link::RefersTo(Kind::Role, id(part)));
            index.set(Kind::Role, &id(role), links.collect());
        }
        let user = ObjectId::new("a", "ada");
        index.set(Kind::User, &user, BTreeSet::from([Link::RefersTo(Kind::Role, id('d'))]));
        let containers = |role| index.containers(&id(role));
        assert_eq!(containers('d'), "abce".chars().map(id).collect());
        assert_eq!(containers('c'), "abce".chars().map(id).collect());
        assert!(containers('e').is_empty());
        assert_eq!(index.holders(&id('d')), BTreeSet::from([user.clone()]));
        index.set(Kind::User, &user, BTreeSet::from([Link::RefersTo(Kind::Role, id('e'))]));
        assert_eq!(index.holders(&id('d')), BTreeSet::from([user]), "through a, which e contains");
    }
}
