//! Which Secrets there are, by name alone, for warnings: kept where the webhook answers.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::index::ObjectId;

/// What one watch covers: a Kubernetes namespace, or all of them.
pub type Scope = Option<String>;

/// The names of the Secrets of each scope that was listed.
#[derive(Debug)]
pub struct SecretNames {
    kept: bool,
    scopes: Mutex<HashMap<Scope, HashSet<ObjectId>>>,
}

impl SecretNames {
    /// None are known; if they are not `kept`, none ever are.
    #[must_use]
    pub fn new(kept: bool) -> Self {
        Self { kept, scopes: Mutex::default() }
    }

    /// All Secrets of a scope are these.
    pub fn listed(&self, scope: &Scope, secrets: HashSet<ObjectId>) {
        if self.kept {
            self.scopes().insert(scope.clone(), secrets);
        }
    }

    /// One of a scope that was listed is there.
    pub fn add(&self, scope: &Scope, secret: ObjectId) {
        if let Some(secrets) = self.scopes().get_mut(scope) {
            secrets.insert(secret);
        }
    }

    /// One is gone.
    pub fn remove(&self, scope: &Scope, secret: &ObjectId) {
        if let Some(secrets) = self.scopes().get_mut(scope) {
            secrets.remove(secret);
        }
    }

    /// Whether names are kept at all.
    #[must_use]
    pub const fn are_kept(&self) -> bool {
        self.kept
    }

    /// Whether there is no such Secret. Where the Secrets were not listed, nothing is known to be missing.
    #[must_use]
    pub fn is_missing(&self, secret: &ObjectId) -> bool {
        let scopes = self.scopes();
        let listed = scopes.get(&None).or_else(|| scopes.get(&Some(secret.namespace.clone())));
        listed.is_some_and(|secrets| !secrets.contains(secret))
    }

    /// What a panicking holder of the lock left behind is still in order.
    fn scopes(&self) -> MutexGuard<'_, HashMap<Scope, HashSet<ObjectId>>> {
        self.scopes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_missing_only_where_all_were_listed() {
        let [ada, bob, far] = [("a", "ada"), ("a", "bob"), ("b", "far")]
            .map(|(space, name)| ObjectId::new(space, name));
        let (a, all) = (Some("a".to_owned()), None);
        let names = SecretNames::new(true);
        names.add(&a, ada.clone());
        assert!(!names.is_missing(&ada) && !names.is_missing(&bob));
        names.listed(&a, HashSet::from([ada.clone()]));
        assert!(!names.is_missing(&ada) && names.is_missing(&bob) && !names.is_missing(&far));
        names.add(&a, bob.clone());
        names.remove(&a, &ada);
        assert!(names.is_missing(&ada) && !names.is_missing(&bob));
        // Listed anew, as after a watch that broke off.
        names.listed(&a, HashSet::new());
        assert!(names.is_missing(&bob));
        let names = SecretNames::new(true);
        names.listed(&all, HashSet::from([ada.clone()]));
        assert!(!names.is_missing(&ada) && names.is_missing(&far));
        let names = SecretNames::new(false);
        names.listed(&all, HashSet::new());
        assert!(!names.is_missing(&ada));
    }
}
