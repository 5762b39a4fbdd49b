//! What Keycloak has under a key, and in what it differs from what is desired.

use serde_json::{Map, Value};

use super::{
    beside,
    document::{self, Carried},
    keys::HeldKey,
    native::Fields,
};
use crate::store::{Applied, Desired, Expected, Record, RoleName, State};

/// What is there under a key.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Keycloak's own id of it.
    pub id: String,
    /// Its fields.
    pub fields: Fields,
    /// What our attributes say.
    pub carried: Carried,
    /// What a caller is told.
    pub record: Record,
    /// The roles that it holds or contains, whoever made them.
    pub roles: Vec<HeldRole>,
    /// Of a realm: its keys.
    pub keys: Vec<HeldKey>,
    /// Of a realm: whether its user profile has a place for what is ours.
    pub has_profile: bool,
}

/// A role that somebody holds or that a role contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HeldRole {
    pub name: RoleName,
    pub role: RoleId,
    pub is_marked: bool,
}

/// Where a role is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RoleId {
    /// Keycloak's id of it.
    pub id: String,
    /// Keycloak's id of the client that it is in, if it is in one.
    pub client: Option<String>,
    /// Its name there.
    pub name: String,
}

/// Whether what is there is what the caller knows of.
pub(super) fn is_expected(found: Option<&Found>, expected: &Expected) -> bool {
    match (found.map(|found| &found.carried.mark), expected) {
        (None, Expected::Absent) | (Some(None), Expected::Unmarked) => true,
        (Some(Some(mark)), Expected::Marked(known)) => mark == known,
        (Some(_), Expected::Observed(before)) => {
            found.is_some_and(|found| found.record.is_still(before))
        }
        _ => false,
    }
}

/// A state's document, its roles sorted and without repetition.
pub(super) fn wanted(state: &State) -> Map<String, Value> {
    match state {
        State::Tenant(state) => document::document(state),
        State::Namespace(state) => document::document(state),
        State::Role(state) => {
            let mut state = state.clone();
            if let Some(roles) = &mut state.composites {
                roles.sort();
                roles.dedup();
            }
            document::document(&state)
        }
        State::User(state) => {
            let mut state = state.clone();
            if let Some(roles) = &mut state.roles {
                roles.sort();
                roles.dedup();
            }
            document::document(&state)
        }
    }
}

impl Found {
    /// What is there, in this state: as it was applied, or changed by another hand if it is ours.
    pub(super) fn new(
        id: String,
        fields: Fields,
        carried: Carried,
        state: State,
        is_as_applied: bool,
    ) -> Self {
        let record = Record {
            state,
            mark: carried.mark.clone(),
            memo: carried.memo.clone(),
            drifted: carried.mark.is_some() && !is_as_applied,
            credentials: Vec::new(),
            signing_keys: Vec::new(),
        };
        let (roles, keys) = (Vec::new(), Vec::new());
        Self { id, fields, carried, record, roles, keys, has_profile: true }
    }

    /// The fields in which it differs from what is desired. Another hand may have made it so already, and only what
    /// was applied last, as our attributes remember it, is otherwise: then it is the mark that is written.
    pub(super) fn differences(
        &self,
        desired: &Desired,
        wanted: &Map<String, Value>,
    ) -> Vec<String> {
        let mut fields = document::differences(&self::wanted(&self.record.state), wanted);
        for left in beside::left_over(wanted, &self.fields) {
            if !fields.iter().any(|field| field == left) {
                fields.push(left.into());
            }
        }
        let is_as_applied = self.carried.is_whole
            && document::differences(&self.carried.document, wanted).is_empty();
        if self.carried.mark.as_ref() != Some(&desired.mark)
            || (fields.is_empty() && !is_as_applied)
        {
            fields.push("mark".into());
        }
        if self.carried.memo != desired.memo {
            fields.push("memo".into());
        }
        if !self.has_profile {
            fields.push("profile".into());
        }
        fields
    }

    /// The marked roles that it holds or contains.
    pub(super) fn marked(&self) -> impl Iterator<Item = &HeldRole> {
        self.roles.iter().filter(|role| role.is_marked)
    }
}

/// What an apply did.
pub(super) fn applied(found: Option<&Found>, fields: Vec<String>) -> Applied {
    match found {
        None => Applied::Created,
        Some(_) if fields.is_empty() => Applied::Unchanged,
        Some(_) => Applied::Updated(fields),
    }
}
