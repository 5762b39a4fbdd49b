//! The versions of objects that our own writes of status made: their watch tells
//! nothing new, so it wakes nobody. Otherwise each write would cost a second
//! reconcile, and a failing object would be tried again at once instead of after
//! its pause.
//!
//! Until the watch has told of our write, the cache has an older object: a look at it would
//! find status as it was before, and be refused when it writes. It is put off until then.

use std::{collections::HashMap, sync::Mutex};

use super::index::{Kind, ObjectId};

/// The last version that we wrote of each object, until its watch has told of it.
#[derive(Debug, Default)]
pub struct OwnWrites {
    written: Mutex<HashMap<(Kind, ObjectId), Written>>,
}

#[derive(Debug)]
struct Written {
    version: String,
    /// Somebody wanted to look at the object since.
    put_off: bool,
}

impl OwnWrites {
    /// This version of the object is our own.
    pub fn remember(&self, kind: Kind, id: &ObjectId, version: Option<String>) {
        if let (Ok(mut written), Some(version)) = (self.written.lock(), version) {
            written.insert((kind, id.clone()), Written { version, put_off: false });
        }
    }

    /// Whether the watch, which tells of this version, tells nothing new: it is our own, and nobody
    /// waits for it.
    pub fn take(&self, kind: Kind, id: &ObjectId, version: Option<&str>) -> bool {
        let Ok(mut written) = self.written.lock() else { return false };
        let object = (kind, id.clone());
        let Some(own) = written.get(&object) else { return false };
        let is_it = version == Some(own.version.as_str());
        let told = is_it && !own.put_off;
        if is_it || is_newer(version, &own.version) {
            written.remove(&object);
        }
        told
    }

    /// Whether a look at this version of the object is to be put off: it is older than our last write, of
    /// which the watch is still to tell. It will wake the object then.
    pub fn puts_off(&self, kind: Kind, id: &ObjectId, version: Option<&str>) -> bool {
        let Ok(mut written) = self.written.lock() else { return false };
        let object = (kind, id.clone());
        let Some(own) = written.get_mut(&object) else { return false };
        if version == Some(own.version.as_str()) || is_newer(version, &own.version) {
            written.remove(&object);
            return false;
        }
        own.put_off = true;
        true
    }

    /// The object is gone.
    pub fn forget(&self, kind: Kind, id: &ObjectId) {
        if let Ok(mut written) = self.written.lock() {
            written.remove(&(kind, id.clone()));
        }
    }
}

/// Whether a version came after another; one that is no number counts as such, so that nothing waits for it.
fn is_newer(version: Option<&str>, than: &str) -> bool {
    match (version.map(str::parse::<u64>), than.parse::<u64>()) {
        (Some(Ok(version)), Ok(than)) => version > than,
        _ => true,
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

    #[test]
    fn a_look_at_what_is_older_than_our_write_is_put_off_until_the_watch_tells_of_it() {
        let (own, acme) = (OwnWrites::default(), ObjectId::new("a", "acme"));
        assert!(!own.puts_off(Kind::Tenant, &acme, Some("6")), "nothing was written");
        own.remember(Kind::Tenant, &acme, Some("7".into()));
        assert!(own.puts_off(Kind::Tenant, &acme, Some("6")));
        assert!(!own.take(Kind::Tenant, &acme, Some("7")), "now it wakes");
        assert!(!own.puts_off(Kind::Tenant, &acme, Some("7")));

        // What came after it, or cannot be compared, is waited for by nobody.
        for newer in ["10", "strange"] {
            own.remember(Kind::Tenant, &acme, Some("9".into()));
            assert!(own.puts_off(Kind::Tenant, &acme, Some("8")));
            assert!(!own.take(Kind::Tenant, &acme, Some(newer)));
            assert!(!own.puts_off(Kind::Tenant, &acme, Some("8")), "{newer}");
            own.remember(Kind::Tenant, &acme, Some("9".into()));
            assert!(!own.puts_off(Kind::Tenant, &acme, Some(newer)), "{newer}");
        }
    }
}
