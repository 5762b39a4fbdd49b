//! What is wrong in an object by itself.
//!
//! Ranges, enums and CEL rules are the API server's own business; here stands what they cannot see.

use super::Object;
use crate::{
    api::Settings,
    policy::{Problem, Reason, password},
};

/// Checks an object by itself, with the policies' own functions.
pub fn check(object: &Object) -> Result<(), Problem> {
    match object {
        Object::Tenant(tenant) => password_policy(tenant.spec.settings.as_ref()),
        Object::TenantProfile(profile) => password_policy(profile.spec.settings.as_ref()),
        Object::Namespace(_) | Object::Role(_) | Object::User(_) => Ok(()),
    }
}

fn password_policy(settings: Option<&Settings>) -> Result<(), Problem> {
    let policy = settings.and_then(|settings| settings.policies.as_ref()?.password.as_ref());
    match policy.and_then(password::unsatisfiable) {
        None => Ok(()),
        Some(why) => Err(Problem::terminal(
            Reason::PolicyUnsatisfiable,
            format!("spec.settings.policies.password: no password can satisfy it: {why}"),
        )),
    }
}
