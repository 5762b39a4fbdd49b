//! The state of a user that the store shall have, and what is remembered with it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::password::PasswordOutcome;
use crate::{
    api::{AuthenticationProvider, User},
    controller::{
        inherit::{Inherit, Memo, UserMemo},
        member::Found,
    },
    policy::{self, Problem, Reason, asked::Asked},
    store::{Key, RoleName, UserState},
};

/// What was put into each field and map that is managed.
type Put = BTreeMap<String, BTreeSet<String>>;

impl User {
    /// The state that the store shall have, and what is remembered with it.
    pub(super) fn desired(
        &self,
        found: &Found<'_>,
        roles: Option<Vec<RoleName>>,
        password: &PasswordOutcome,
    ) -> Result<(UserState, Memo), Problem> {
        let Key::User { tenant, username } = &found.key else { return Err(no_user()) };
        let spec = &self.spec;
        let mut memo = found.memo.clone();
        let mut user = memo.user.take().unwrap_or_default();
        let there = found.user_state().cloned();
        let adopted = memo.adopted && there.is_some();
        let enabled = there.as_ref().map(|there| there.enabled);
        let enabled = Inherit { ever_set: &mut memo.ever_set, adopted }
            .of("enabled", spec.enabled.as_ref(), enabled)
            .unwrap_or(true);
        let there = there.unwrap_or_default();
        let id = self.id(&user, &there)?;

        let asked = self.asked();
        let mut last = std::mem::take(&mut user.asked);
        if last.email.is_none() {
            // It was found with this address: what is said of it is not said of another.
            last.email.clone_from(&there.email);
        }
        let put = &mut user.put;
        let email = field(put, "email", spec.email.as_ref(), there.email);
        // Of an address that another hand wrote the key is that hand's as well.
        let email_key = match &spec.email {
            Some(email) => policy::email::email(email).ok(),
            None => there.email_key.filter(|_| email.is_some()),
        };
        let state = UserState {
            tenant_id: tenant.clone(),
            username: username.clone(),
            id: id.clone(),
            email_key,
            email_verified: email.is_some() && asked.email_verified(&last, there.email_verified),
            email,
            first_name: field(put, "firstName", spec.first_name.as_ref(), there.first_name),
            last_name: field(put, "lastName", spec.last_name.as_ref(), there.last_name),
            enabled,
            claims: claims(put, spec.claims.as_ref(), there.claims),
            authentication_providers: providers(
                put,
                spec.authentication_providers.as_ref(),
                there.authentication_providers,
            ),
            required_actions: asked.required_actions(
                &last,
                &there.required_actions,
                password.new.is_some(),
            ),
            roles,
        };
        user.id = id;
        user.asked = asked;
        if password.memo.is_some() {
            user.password.clone_from(&password.memo);
        }
        memo.user = Some(user);
        memo.set_managed(super::ROLES, state.roles.is_some());
        Ok((state, memo))
    }

    /// What it asks of the user now.
    fn asked(&self) -> Asked {
        let spec = &self.spec;
        let temporary = spec.password.as_ref().and_then(|password| password.temporary);
        Asked {
            required_actions: spec.required_actions.clone().unwrap_or_default(),
            temporary: temporary.unwrap_or(false),
            email: spec.email.clone(),
            email_verified: spec.email_verified,
        }
    }

    /// The user's id: it never changes. What is remembered stands above what another hand wrote, and
    /// where the store has lost both, status says it.
    fn id(&self, memo: &UserMemo, there: &UserState) -> Result<String, Problem> {
        let known = [&memo.id, &there.id].into_iter().find(|id| !id.is_empty());
        match (known, &self.spec.id) {
            (Some(known), Some(wanted)) if known != wanted => Err(Problem::terminal(
                Reason::Conflict,
                format!(
                    "spec.id: the store has this user with the id {known}, which never changes: delete this User and create it with that id, or without one"
                ),
            )),
            (Some(known), _) => Ok(known.clone()),
            (None, Some(wanted)) => Ok(wanted.clone()),
            (None, None) => {
                let told = self.status.as_ref().and_then(|status| status.id.clone());
                told.filter(|id| is_id(id)).map_or_else(new_id, Ok)
            }
        }
    }
}

/// A field that a person may fill in as well: never set, it is theirs; taken out again, what was put
/// there goes.
fn field(put: &mut Put, name: &str, own: Option<&String>, there: Option<String>) -> Option<String> {
    if own.is_some() {
        put.insert(name.into(), BTreeSet::new());
        return own.cloned();
    }
    if put.remove(name).is_some() { None } else { there }
}

/// Claims: never set, they stay as they are; taken out again, those that were put there go.
fn claims(
    put: &mut Put,
    own: Option<&BTreeMap<String, Value>>,
    mut there: BTreeMap<String, Value>,
) -> BTreeMap<String, Value> {
    const NAME: &str = "claims";
    if let Some(own) = own {
        put.insert(NAME.into(), own.keys().cloned().collect());
        return own.clone();
    }
    let gone = put.remove(NAME).unwrap_or_default();
    there.retain(|name, _| !gone.contains(name));
    there
}

/// Accounts at other identity providers, by the same rule.
fn providers(
    put: &mut Put,
    own: Option<&Vec<AuthenticationProvider>>,
    mut there: Vec<AuthenticationProvider>,
) -> Vec<AuthenticationProvider> {
    const NAME: &str = "authenticationProviders";
    if let Some(own) = own {
        put.insert(NAME.into(), own.iter().map(|provider| provider.name.clone()).collect());
        return own.clone();
    }
    let gone = put.remove(NAME).unwrap_or_default();
    there.retain(|provider| !gone.contains(&provider.name));
    there
}

/// Whether it is written as ids are: status may be forged.
fn is_id(id: &str) -> bool {
    uuid::Uuid::try_parse(id).is_ok_and(|uuid| uuid.to_string() == id)
}

/// A random UUID (RFC 9562, version 4).
fn new_id() -> Result<String, Problem> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        Problem::transient(Reason::ApiError, format!("no random number for the user's id: {error}"))
    })?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
}

/// A User's key is always that of a user.
fn no_user() -> Problem {
    Problem::terminal(Reason::InvalidObject, "the object has no username")
}
