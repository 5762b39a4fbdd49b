//! The Keycloak store: a Tenant is a realm, a Namespace a client, a Role a role, a User a user.
//!
//! `server` speaks to the Admin REST API (`transport`, `token`, `failure`). What is sent and how it
//! is read are pure functions: `document` for what Keycloak has no field for, `native` for the
//! rest, and one file a kind; `beside` is what a tenant's settings stand for outside of its realm's fields. `found` is what is there under a key, and `relations`, `census` and
//! `limits` are what goes beyond one object.
//!
//! Keycloak has no transactions. So writes to one tenant come one after the other, each decides on
//! what was read just before, and each order of writes is one that the next apply completes.

mod beside;
mod body;
mod broken;
mod census;
mod credential;
mod document;
mod failure;
mod found;
mod keys;
mod limits;
mod namespaces;
mod native;
mod options;
mod password_policy;
mod profile;
mod realm;
mod realm_turn;
mod recent;
mod relations;
mod retry_after;
mod roles;
mod server;
mod settings;
mod slow_realms;
mod support;
mod tenants;
#[cfg(test)]
mod tests;
mod token;
mod transport;
mod users;

use std::time::Instant;

use async_trait::async_trait;
use serde_json::{Map, Value};
use tokio::sync::OwnedMutexGuard;
use zeroize::Zeroizing;

pub use options::{Address, CONCURRENCY, Options};

use self::{
    broken::{Broken, TRIES},
    failure::Failure,
    found::Found,
    recent::{Locks, Recent},
    relations::Names,
    server::Server,
};
use super::{
    Applied, Census, Deleted, Desired, Error, Expected, Key, Mark, OpenError, Record, State, Store,
};
use crate::policy::{Support, password::Argon2Cost};

/// An identity store in a Keycloak.
pub struct KeycloakStore {
    server: Server,
    id: String,
    locks: Locks,
    recent: Recent,
    broken: Broken,
    names: Names,
}

impl KeycloakStore {
    /// Opens it: finds out whether Keycloak knows the operator.
    ///
    /// # Errors
    /// What is wrong with the options; or that Keycloak is away, which is also what it is for whom it does not let in.
    pub async fn open(options: &Options) -> Result<Self, OpenError> {
        let address = &options.address.rest;
        let failed = |cause: String| OpenError::Keycloak { address: address.clone(), cause };
        if !options.address.is_private() && !options.allow_http {
            return Err(failed(
                "without TLS everybody on the way could read the operator's secret: use keycloak+https://, or --store-allow-http where the way is private".into(),
            ));
        }
        let server = Server::new(options).map_err(failed)?;
        // All of it may mend while the operator waits: a server that starts, a secret that is being exchanged.
        let subject = server.subject().await.map_err(|failure| OpenError::Away {
            store: address.clone(),
            cause: failure.to_string(),
            hint: match failure {
                Failure::Unauthorized(_) => "They are read again at each try.",
                _ => "Start Keycloak, or look whether the address is right.",
            },
        })?;
        if subject.is_empty() {
            return Err(failed("the token says nothing of whom it is for (sub)".into()));
        }
        Ok(Self {
            server,
            id: subject,
            locks: Locks::default(),
            recent: Recent::default(),
            broken: Broken::default(),
            names: Names::default(),
        })
    }

    /// What Keycloak can do with a setting.
    #[must_use]
    pub fn supports(path: &str, value: &Value) -> Support {
        support::of(path, value)
    }

    /// The turn to write in a tenant; or what went wrong meanwhile, which would only go wrong again, as slowly.
    async fn turn(&self, tenant: &str) -> Result<OwnedMutexGuard<()>, Error> {
        let came = Instant::now();
        self.server.told(tenant)?;
        let turn = self.locks.of(tenant).await;
        self.server.failed_since(tenant, came)?;
        Ok(turn)
    }

    /// What is there under a key.
    async fn find(&self, key: &Key) -> Result<Option<Found>, Error> {
        match key {
            Key::Tenant { tenant } => self.find_tenant(tenant).await,
            Key::Namespace { tenant, name } => self.find_namespace(tenant, name).await,
            Key::Role { tenant, role } => self.find_role(tenant, role).await,
            Key::User { tenant, username } => self.find_user(tenant, username).await,
        }
    }
}

#[async_trait]
impl Store for KeycloakStore {
    fn kind(&self) -> &'static str {
        "keycloak"
    }

    /// The id of the operator's service account: it stays through restarts, restores and new secrets.
    fn id(&self) -> &str {
        &self.id
    }

    fn support(&self, path: &str, value: &Value) -> Support {
        Self::supports(path, value)
    }

    fn in_part(&self, settings: &Map<String, Value>) -> Vec<&'static str> {
        support::in_part(settings)
    }

    fn signs(&self) -> bool {
        true
    }

    fn password_cost(&self) -> Option<Argon2Cost> {
        Some(credential::COST)
    }

    async fn observe(&self, key: &Key) -> Result<Option<Record>, Error> {
        let found = self.find(key).await?;
        let record = found.as_ref().map(|found| found.record.clone());
        self.recent.remember(key, found);
        Ok(record)
    }

    /// None: Keycloak never tells a hash. Its own policy holds people back; what comes from a Secret
    /// is compared with the one before by its fingerprint alone.
    async fn last_passwords(&self, _: &Key, _: usize) -> Result<Vec<Zeroizing<String>>, Error> {
        Ok(Vec::new())
    }

    async fn apply(&self, desired: &Desired, expected: &Expected) -> Result<Applied, Error> {
        let key = desired.state.key();
        // Most of the time nothing is to be written, and what was observed a moment ago tells so.
        if let Some(found) = self.recent.take(&key)
            && found::is_expected(Some(&found), expected)
            && is_as_desired(&found, desired)
        {
            self.broken.done(&key, false);
            return Ok(Applied::Unchanged);
        }
        let _turn = self.turn(key.tenant()).await?;
        let found = self.find(&key).await?;
        if !found::is_expected(found.as_ref(), expected) {
            return Err(Error::Raced);
        }
        let found = found.as_ref();
        let applied = match &desired.state {
            State::Tenant(state) => self.apply_tenant(state, desired, found).await,
            State::Namespace(state) => self.apply_namespace(state, desired, found).await,
            State::Role(state) => self.apply_role(state, desired, found).await,
            State::User(state) => self.apply_user(state, desired, found).await,
        };
        match &applied {
            Ok(applied) => self.broken.done(&key, *applied != Applied::Unchanged),
            Err(Error::Broken(why))
                if self
                    .broken
                    .comes_from_it(&key, document::digest(&found::wanted(&desired.state))) =>
            {
                return Err(Error::Refused(format!(
                    "{why}. It did so {TRIES} times or more to the same, and nothing else shows it to be in trouble: look for a value that it cannot hold"
                )));
            }
            Err(_) => {}
        }
        applied
    }

    async fn delete(&self, key: &Key, mark: &Mark) -> Result<Deleted, Error> {
        let _turn = self.turn(key.tenant()).await?;
        self.recent.take(key);
        let Some(found) = self.find(key).await? else { return Ok(Deleted::NotThere) };
        if found.carried.mark.as_ref() != Some(mark) {
            return Ok(Deleted::NotOurs(found.carried.mark));
        }
        let tenant = key.tenant();
        let path = match key {
            Key::Tenant { .. } => server::path(&[tenant]),
            Key::Namespace { .. } => server::path(&[tenant, "clients", &found.id]),
            Key::Role { .. } => server::path(&[tenant, "roles-by-id", &found.id]),
            Key::User { .. } => server::path(&[tenant, "users", &found.id]),
        };
        let realm_turn = match key {
            Key::Tenant { .. } => Some(self.server.realm_turn().await?),
            _ => None,
        };
        self.server.delete(&path, None).await?;
        drop(realm_turn);
        self.broken.done(key, true);
        // What was in it, or held it, was observed with it.
        self.recent.forget(tenant);
        self.names.forget(tenant);
        Ok(Deleted::Removed)
    }

    async fn census(&self, tenant: &str) -> Result<Census, Error> {
        self.take_census(tenant).await
    }

    async fn check(&self) -> Result<(), Error> {
        self.observe(&Key::nobodys()).await.map(|_| ())
    }
}

/// Whether nothing is to be written.
fn is_as_desired(found: &Found, desired: &Desired) -> bool {
    let wanted = found::wanted(&desired.state);
    let is_user = matches!(desired.state, State::User(_));
    found.differences(desired, &wanted).is_empty()
        && !(is_user && desired.password.is_some())
        && tenants::keys_are_right(found, desired)
}

/// Refuses what does not fit, before anything of it is written: Keycloak would say no more than that
/// something broke.
fn check_length(attributes: &document::Attributes, longest: usize) -> Result<(), Error> {
    match attributes.iter().find(|(_, value)| value.len() > longest) {
        None => Ok(()),
        Some((name, value)) => Err(Error::Refused(format!(
            "Keycloak holds {longest} bytes of {}, and this is {}: make it shorter",
            name.trim_start_matches(document::PREFIX),
            value.len()
        ))),
    }
}
