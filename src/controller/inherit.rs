//! What was found, where an adopted object never said otherwise; and what the mark remembers of that.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::policy::{asked::Asked, fingerprint::Fingerprint};

/// What is remembered with the mark of an object that lives in a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Memo {
    /// Whether it was there before us: what was never set stays as found.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
    /// In an adopted one: the fields that were ever set.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ever_set: BTreeSet<String>,
    /// The lists that are managed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub managed: BTreeSet<String>,
    /// Of a user alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserMemo>,
}

/// What is remembered with the mark of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UserMemo {
    /// The user's id, so that it comes back if another hand changes it.
    pub id: String,
    /// What was last asked of the user.
    pub asked: Asked,
    /// Of each field and map that is managed, what was put there: names of a map, nothing of a field.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub put: BTreeMap<String, BTreeSet<String>>,
    /// The password that was last set from a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordMemo>,
}

/// Which password was last set from a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordMemo {
    /// The Secret, and the key in it.
    pub secret: String,
    /// Of what was in it.
    pub fingerprint: Fingerprint,
}

impl Memo {
    /// Reads what was remembered. Of what is ours and remembers nothing that can be read, it is taken
    /// that it was adopted: then nothing of it is overwritten that nobody sets.
    pub fn read(memo: &Value) -> Self {
        serde_json::from_value(memo.clone())
            .unwrap_or_else(|_| Self { adopted: true, ..Self::default() })
    }

    /// Remembers whether a list is managed.
    pub fn set_managed(&mut self, list: &str, is_managed: bool) {
        if is_managed {
            self.managed.insert(list.into());
        } else {
            self.managed.remove(list);
        }
    }

    /// As the store keeps it.
    pub fn write(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// Own values before found ones.
pub struct Inherit<'a> {
    pub ever_set: &'a mut BTreeSet<String>,
    /// Whether there is anything found to go by.
    pub adopted: bool,
}

impl Inherit<'_> {
    /// The object's own value, else the one that was found; remembers what is set.
    pub fn of<T: Clone>(&mut self, path: &str, own: Option<&T>, found: Option<T>) -> Option<T> {
        if own.is_some() && self.adopted {
            self.ever_set.insert(path.to_owned());
        }
        if self.adopted && !self.ever_set.contains(path) { found } else { own.cloned() }
    }
}
