//! The validating webhook: what it says of an object before the API server takes it.
//!
//! It refuses only what is wrong in the object by itself and neither schema nor CEL rule sees;
//! of what depends on other objects it warns. Both are in the words that status would have: the
//! controllers hold every rule by themselves, so that all ends the same with the webhook and
//! without it. It never writes to an object.
//!
//! [`judge`] decides and is pure; [`Webhook`] is the server around it, with its [`certificate`]
//! and its registration at the API server.

pub mod certificate;
mod own_rules;
mod registration;
mod review;
mod server;
mod shorten;
mod webhook;

use kube::core::DeserializeGuard;
use serde::{Deserialize as _, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    api::{Namespace, Role, Tenant, TenantProfile, User},
    policy::Problem,
};

pub use registration::VALIDATE;
pub use webhook::{Now, Options, Seen, Source, Webhook};

/// An object of ours under review.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are the kinds'")]
pub enum Object {
    Tenant(Box<Tenant>),
    TenantProfile(Box<TenantProfile>),
    Namespace(Box<Namespace>),
    Role(Box<Role>),
    User(Box<User>),
}

/// What is known of the other objects.
pub trait Surroundings: Send + Sync {
    /// What status would say of the object because of others: a reference that leads nowhere or is not
    /// allowed, a lock, a limit, a name that is taken. A sentence each, the gravest first.
    fn warnings(&self, object: &Object) -> Vec<String>;
}

/// What is said of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Why it is refused, if it is.
    pub refused: Option<String>,
    /// What whoever applies it should know: at most 10 sentences of at most 256 bytes, which is what
    /// the API server passes on and people can read.
    pub warnings: Vec<String>,
}

/// Judges an object of this kind: one that is created or, with `old`, updated.
///
/// Nothing is said of one that is being deleted, whose finalizers must come off, and of one whose spec
/// stays as it was: an old object stays editable in its metadata.
#[must_use]
pub fn judge(
    kind: &str,
    object: &Value,
    old: Option<&Value>,
    surroundings: &dyn Surroundings,
) -> Judgement {
    let is_deleting = object.pointer("/metadata/deletionTimestamp").is_some_and(|at| !at.is_null());
    if is_deleting || old.is_some_and(|old| old.get("spec") == object.get("spec")) {
        return Judgement::default();
    }
    let read = match kind {
        "Tenant" => read(object).map(Object::Tenant),
        "TenantProfile" => read(object).map(Object::TenantProfile),
        "Namespace" => read(object).map(Object::Namespace),
        "Role" => read(object).map(Object::Role),
        "User" => read(object).map(Object::User),
        // Only what the registration names is asked for.
        _ => return Judgement::default(),
    };
    match read.and_then(|object| own_rules::check(&object).map(|()| object)) {
        Ok(object) => {
            Judgement { refused: None, warnings: shorten::warnings(surroundings.warnings(&object)) }
        }
        Err(problem) => Judgement { refused: Some(problem.message), warnings: Vec::new() },
    }
}

/// Reads an object; one that cannot be read is refused in the words that its status would have.
fn read<K>(object: &Value) -> Result<Box<K>, Problem>
where
    K: DeserializeOwned + kube::Resource,
{
    if let Ok(read) = K::deserialize(object) {
        return Ok(Box::new(read));
    }
    // Read again as the controllers read it, so that the sentence is theirs.
    let why = match DeserializeGuard::<K>::deserialize(object) {
        Ok(DeserializeGuard(Ok(read))) => return Ok(Box::new(read)),
        Ok(DeserializeGuard(Err(invalid))) => invalid.error,
        Err(error) => error.to_string(),
    };
    Err(Problem::unreadable(&why))
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
