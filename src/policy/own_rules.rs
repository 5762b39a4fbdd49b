//! What is wrong with one object by itself, whatever else there is, and its schema cannot say.
//!
//! Controllers ask before they act, and the validating webhook before an object is stored: both say the same.
//! What the schema says, the API server has refused already, and a controller by [`crate::api::validation`].
//! Of a Namespace nothing is left to say: what is wrong with one there arises with its tenant or the store.

use serde_json::Value;

use super::{
    Problem, Reason, Support, claims, composites, effective, email::email, password, username,
};
use crate::api::{
    GeneratedPassword, HashFunction, PasswordSource, RoleSpec, Settings, TenantProfileSpec,
    TenantSpec, UserSpec, validation::Violation,
};

/// The most characters of a Secret's name.
const MAX_SECRET_NAME: usize = 253;

/// What is wrong with a User of this `metadata.name`: its username, email address, claims, and the names of
/// Secrets that Kubernetes would not take.
///
/// # Errors
/// All of it in one message, first field first.
pub fn user(spec: &UserSpec, object_name: &str) -> Result<(), Problem> {
    let mut violations = Vec::new();
    violations.extend(username::in_force(spec, object_name).err());
    if let Some(Err(error)) = spec.email.as_deref().map(email) {
        violations.push(violation("spec.email", error.to_string()));
    }
    if let Some(Err(of_claims)) = spec.claims.as_ref().map(claims::check) {
        violations.extend(of_claims);
    }
    if let Some(password) = &spec.password {
        violations.extend(secret_names(password, object_name));
    }
    all(&violations)
}

/// What is wrong with the settings of a Tenant or a TenantProfile: that no password can satisfy its policy. An
/// API server with today's schema says it first, a controller where the object is older than that.
///
/// # Errors
/// Why none can.
pub fn settings(settings: Option<&Settings>) -> Result<(), Problem> {
    let policy = settings.and_then(|settings| settings.policies.as_ref()?.password.as_ref());
    // What bcrypt makes impossible arises with the function in force, which may be the profile's.
    policy.map_or(Ok(()), |policy| {
        password::satisfiable("spec.settings.policies.password", policy, HashFunction::Argon2)
    })
}

/// What is wrong with a Role of this Kubernetes namespace and `metadata.name`: that it contains itself.
///
/// # Errors
/// The circle, as the controller says it of longer ones.
pub fn role(spec: &RoleSpec, namespace: &str, object_name: &str) -> Result<(), Problem> {
    let contains_itself = spec.composites.iter().flatten().any(|part| {
        part.name == object_name && part.namespace.as_deref().is_none_or(|other| other == namespace)
    });
    if contains_itself {
        return Err(composites::circle(&[object_name.to_owned(), object_name.to_owned()]));
    }
    Ok(())
}

/// What is wrong with a TenantProfile: that with the built-in values it makes what cannot be.
/// Who has no store to ask passes a `support` that is always [`Support::Enforced`]. It is for a warning, not for a
/// refusal: a tenant that sets what does not fit can use the profile.
///
/// # Errors
/// Why a tenant that sets nothing cannot use it.
pub fn profile(
    spec: &TenantProfileSpec,
    support: &dyn Fn(&str, &Value) -> Support,
) -> Result<(), Problem> {
    let decided = effective::decide(effective::Inputs {
        tenant: &TenantSpec::default(),
        profile: Some(("", spec)),
        found: None,
        support,
    });
    decided.map(drop).map_err(|problem| Problem {
        message: format!("a tenant that sets nothing cannot use this profile: {problem}"),
        ..problem
    })
}

/// The name of the Secret that is made for a generated password.
#[must_use]
pub fn generated_secret_name(generate: &GeneratedPassword, object_name: &str) -> String {
    generate.secret_name.clone().unwrap_or_else(|| format!("{object_name}-password"))
}

/// Names of Secrets, and of keys in them, that the schema lets through and Kubernetes does not.
fn secret_names(password: &PasswordSource, object_name: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut check = |path: &str, is_right: bool, message: String| {
        if !is_right {
            violations.push(violation(path, message));
        }
    };
    let bad_name = || {
        "must be the name of a Secret: between dots and at both ends there must be letters or digits".to_owned()
    };
    let bad_key =
        || "must be a key of a Secret: it must not be a dot, and not begin with two".to_owned();
    if let Some(secret) = &password.secret_key_ref {
        check("spec.password.secretKeyRef.name", is_secret_name(&secret.name), bad_name());
        let key = secret.key.as_deref();
        check("spec.password.secretKeyRef.key", key.is_none_or(is_secret_key), bad_key());
    }
    if let Some(generate) = &password.generate {
        let path = "spec.password.generate.secretName";
        let name = generated_secret_name(generate, object_name);
        if generate.secret_name.is_some() {
            check(path, is_secret_name(&name), bad_name());
        } else {
            let message = format!(
                "must be set: the Secret would be called {name}, and may have at most {MAX_SECRET_NAME} characters"
            );
            check(path, name.len() <= MAX_SECRET_NAME, message);
        }
        let key = generate.key.as_deref();
        check("spec.password.generate.key", key.is_none_or(is_secret_key), bad_key());
    }
    violations
}

/// Whether a name of lower-case letters, digits, `-` and `.` is a DNS subdomain, as names of Secrets are.
fn is_secret_name(name: &str) -> bool {
    let is_label =
        |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
    name.split('.').all(is_label)
}

/// Whether Kubernetes takes a key of letters, digits, `-`, `_` and `.`: it could be a file's name.
fn is_secret_key(key: &str) -> bool {
    key != "." && !key.starts_with("..")
}

fn violation(path: &str, message: String) -> Violation {
    Violation { path: path.into(), message }
}

/// One problem that names all that is wrong.
fn all(violations: &[Violation]) -> Result<(), Problem> {
    if violations.is_empty() {
        return Ok(());
    }
    let messages: Vec<_> = violations.iter().map(Violation::to_string).collect();
    Err(Problem::terminal(Reason::InvalidSpec, messages.join("; ")))
}

#[cfg(test)]
#[path = "own_rules_tests.rs"]
mod tests;
