//! What is wrong in an object by itself.
//!
//! Ranges, enums and CEL rules are the API server's own business; here stands what they cannot see.

use kube::ResourceExt;

use super::Object;
use crate::{
    api::{HashFunction, Settings},
    policy::{Problem, Reason, own_rules, password},
};

/// Checks an object by itself, with the policies' own functions.
pub fn check(object: &Object) -> Result<(), Problem> {
    match object {
        Object::Tenant(tenant) => password_policy(tenant.spec.settings.as_ref()),
        Object::TenantProfile(profile) => password_policy(profile.spec.settings.as_ref()),
        Object::Namespace(_) => Ok(()),
        Object::Role(role) => {
            let namespace = role.namespace().unwrap_or_default();
            own_rules::role(&role.spec, &namespace, &role.name_any())
        }
        Object::User(user) => own_rules::user(&user.spec, &user.name_any()),
    }
}

fn password_policy(settings: Option<&Settings>) -> Result<(), Problem> {
    let policy = settings.and_then(|settings| settings.policies.as_ref()?.password.as_ref());
    // What bcrypt makes impossible arises with the function in force, which may be the profile's.
    match policy.and_then(|policy| password::unsatisfiable(policy, HashFunction::Argon2)) {
        None => Ok(()),
        Some(why) => Err(Problem::terminal(
            Reason::PolicyUnsatisfiable,
            format!("spec.settings.policies.password: no password can satisfy it: {why}"),
        )),
    }
}
