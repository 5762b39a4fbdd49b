//! What is wrong in an object by itself.
//!
//! Ranges, enums and CEL rules are the API server's own business; here stands what they cannot see.

use kube::ResourceExt;

use super::Object;
use crate::policy::{Problem, own_rules};

/// Checks an object by itself, with the policies' own functions.
pub fn check(object: &Object) -> Result<(), Problem> {
    match object {
        Object::Tenant(tenant) => own_rules::settings(tenant.spec.settings.as_ref()),
        Object::TenantProfile(profile) => own_rules::settings(profile.spec.settings.as_ref()),
        Object::Namespace(_) => Ok(()),
        Object::Role(role) => {
            let namespace = role.namespace().unwrap_or_default();
            own_rules::role(&role.spec, &namespace, &role.name_any())
        }
        Object::User(user) => own_rules::user(&user.spec, &user.name_any()),
    }
}
