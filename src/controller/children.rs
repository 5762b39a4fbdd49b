//! Users, as far as other controllers need to know them.

use std::collections::BTreeSet;

use kube::ResourceExt;

use super::{
    index::{Kind, Link},
    informer::Linked,
    member,
};
use crate::api::User;

impl Linked for User {
    const KIND: Kind = Kind::User;

    fn links(&self) -> BTreeSet<Link> {
        member::links(&self.spec.tenant_ref, &self.namespace().unwrap_or_default())
    }
}
