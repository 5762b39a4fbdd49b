//! The versions of objects that our own writes of status made: their watch tells
//! nothing new, so it wakes nobody. Otherwise each write would cost a second
//! reconcile, and a failing object would be tried again at once instead of after
//! its pause.

use std::{collections::HashMap, sync::Mutex};

use super::index::{Kind, ObjectId};

/// The last version that we wrote of each object, until its watch has told of it.
#[derive(Debug, Default)]
pub struct OwnWrites {
    versions: Mutex<HashMap<(Kind, ObjectId), String>>,
}

impl OwnWrites {
    /// This version of the object is our own.
    pub fn remember(&self, kind: Kind, id: &ObjectId, version: Option<String>) {
        if let (Ok(mut versions), Some(version)) = (self.versions.lock(), version) {
            versions.insert((kind, id.clone()), version);
        }
    }

    /// Whether this version of the object is our own. It is told of once.
    pub fn take(&self, kind: Kind, id: &ObjectId, version: Option<&str>) -> bool {
        let Ok(mut versions) = self.versions.lock() else { return false };
        let object = (kind, id.clone());
        let own = version.is_some() && versions.get(&object).map(String::as_str) == version;
        if own {
            versions.remove(&object);
        }
        own
    }

    /// The object is gone.
    pub fn forget(&self, kind: Kind, id: &ObjectId) {
        if let Ok(mut versions) = self.versions.lock() {
            versions.remove(&(kind, id.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_version_is_ours_and_only_once() {
        let (own, acme) = (OwnWrites::default(), ObjectId::new("a", "acme"));
        assert!(!own.take(Kind::Tenant, &acme, Some("7")));
        own.remember(Kind::Tenant, &acme, Some("7".into()));
        assert!(!own.take(Kind::Tenant, &acme, Some("6")));
        assert!(!own.take(Kind::TenantProfile, &acme, Some("7")));
        assert!(own.take(Kind::Tenant, &acme, Some("7")));
        assert!(!own.take(Kind::Tenant, &acme, Some("7")));
        own.remember(Kind::Tenant, &acme, Some("8".into()));
        own.forget(Kind::Tenant, &acme);
        assert!(!own.take(Kind::Tenant, &acme, Some("8")));
    }
}
