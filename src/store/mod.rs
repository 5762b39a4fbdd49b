//! The identity store: where tenants, namespaces, roles and users really live.
//!
//! One trait, several backends, one conformance suite (`conformance`, compiled
//! for tests) that each must pass. The trait speaks in whole desired states: [`Store::observe`],
//! [`Store::apply`], [`Store::delete`]. It decides nothing about ownership: who
//! may take what is decided in `policy::claim` from the [`Mark`] that was
//! observed, and the store makes sure that what it has is still the same when it
//! writes ([`Expected`]).

use std::sync::Arc;

use async_trait::async_trait;
use futures::{
    FutureExt,
    future::{self, BoxFuture},
};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

mod attempts;
#[cfg(test)]
pub(crate) mod conformance;
mod credentials;
mod error;
pub mod keycloak;
mod led;
mod model;
pub mod sql;
pub(crate) mod tried;
mod unopened;
mod url;

pub use credentials::{Credentials, Source};
pub use error::{Error, OpenError, Unique};
pub use led::Led;

pub use model::{
    Key, NamespaceState, NewPassword, Record, RoleName, RoleState, SigningKey, State, TenantState,
    UserState,
};
pub use unopened::Unopened;
pub use url::StoreUrl;

use crate::leadership::Term;
use crate::policy::{Support, password::Argon2Cost};
pub use crate::policy::{
    claim::{Kind, Mark},
    limits::{Counted, Counts, Limits},
};

/// A backing identity store.
#[async_trait]
pub trait Store: Send + Sync {
    /// The kind of store: `sqlite`, `postgres` or `keycloak`.
    fn kind(&self) -> &'static str;

    /// The store's own identity, made with it: another one is another store.
    fn id(&self) -> &str;

    /// What the store can do with a setting of this value.
    fn support(&self, path: &str, value: &Value) -> Support;

    /// The paths of settings that the store enforces only in part, because of what others say.
    fn in_part(&self, _settings: &Map<String, Value>) -> Vec<&'static str> {
        Vec::new()
    }

    /// Whether the store signs itself, and so wants the private halves of a tenant's keys
    /// ([`Desired::keys`]).
    fn signs(&self) -> bool {
        false
    }

    /// How the store wants passwords to be hashed, whatever a tenant says; none if it takes every function.
    fn password_cost(&self) -> Option<Argon2Cost> {
        None
    }

    /// What the store has under this key, if anything. Reads only.
    async fn observe(&self, key: &Key) -> Result<Option<Record>, Error>;

    /// The hashes of a user's last passwords, the current one first, at most so many: what is kept
    /// of them, to see that none is used again. Reads only.
    async fn last_passwords(
        &self,
        key: &Key,
        number: usize,
    ) -> Result<Vec<Zeroizing<String>>, Error>;

    /// Brings the store to this state, all or nothing, and writes only what differs. With a password
    /// it always writes: the password takes the place of the one before, which is remembered as far as
    /// [`NewPassword::remembered`] says.
    ///
    /// # Errors
    /// [`Error::Raced`] when what the store has no longer is as `expected`; [`Error::LimitReached`]
    /// when it would raise a count above its limit; [`Error::Taken`] when another user
    /// has the email address or id.
    async fn apply(&self, desired: &Desired, expected: &Expected) -> Result<Applied, Error>;

    /// Removes what the store has under this key with all that is in it, if it
    /// carries exactly this mark.
    async fn delete(&self, key: &Key, mark: &Mark) -> Result<Deleted, Error>;

    /// Counts who and what is in a tenant. Reads only.
    async fn census(&self, tenant: &str) -> Result<Census, Error>;

    /// Whether it can be used now. It is read; a SQL store is also written, where the last write could not be done.
    async fn check(&self) -> Result<(), Error>;

    /// Done when another operator has taken the store over, so that this one must not go on. Where a
    /// store can be used by one operator at a time only, that never comes.
    fn taken_over(&self) -> BoxFuture<'_, ()> {
        future::pending().boxed()
    }
}

/// What a store around another one, its field `store`, says as that one does. Once for all of them: what one
/// forgot would be the trait's default, and nobody would notice.
macro_rules! says_as_its_store {
    () => {
        fn kind(&self) -> &'static str {
            self.store.kind()
        }

        fn id(&self) -> &str {
            self.store.id()
        }

        fn support(&self, path: &str, value: &serde_json::Value) -> $crate::policy::Support {
            self.store.support(path, value)
        }

        fn in_part(
            &self,
            settings: &serde_json::Map<String, serde_json::Value>,
        ) -> Vec<&'static str> {
            self.store.in_part(settings)
        }

        fn signs(&self) -> bool {
            self.store.signs()
        }

        fn password_cost(&self) -> Option<$crate::policy::password::Argon2Cost> {
            self.store.password_cost()
        }

        fn taken_over(&self) -> futures::future::BoxFuture<'_, ()> {
            self.store.taken_over()
        }
    };
}
pub(crate) use says_as_its_store;

/// Who is in a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// How many users there are, whoever made them.
    pub users: u64,
    /// What of it counts against the plan's limits: what carries a mark.
    pub counts: Counts,
    /// Of the users who hold an administrator role, directly or through composites, the first by name.
    pub administrator: Option<String>,
}

/// Opens the store that a URL names; what needs no credentials looks at none.
pub async fn open(url: &StoreUrl, credentials: &Credentials) -> Result<Arc<dyn Store>, OpenError> {
    open_for(url, credentials, &Term::unlimited()).await
}

/// The same for whoever leads for a term.
pub async fn open_for(
    url: &StoreUrl,
    credentials: &Credentials,
    term: &Term,
) -> Result<Arc<dyn Store>, OpenError> {
    match url {
        StoreUrl::Sqlite(path) => Ok(Arc::new(sql::SqlStore::open_sqlite(path).await?)),
        StoreUrl::Postgres(address) => {
            Ok(Arc::new(sql::SqlStore::open_postgres_for(address, credentials, term).await?))
        }
        StoreUrl::Keycloak(address) => {
            let options = keycloak::Options {
                term: term.clone(),
                ..keycloak::Options::new(address.clone(), credentials.clone())
            };
            Ok(Arc::new(keycloak::KeycloakStore::open(&options).await?))
        }
    }
}

/// A state to reach, with the mark it shall carry.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// The state; its key says where it goes.
    pub state: State,
    /// Whose it is.
    pub mark: Mark,
    /// What the operator wants to find again with the mark; the store does not look into it.
    pub memo: Value,
    /// For a user: the password to set with it. None leaves the one that is there. Other kinds have no
    /// password: for them it is ignored.
    pub password: Option<NewPassword>,
    /// The plan's limits, which this must not exceed more than it did before.
    pub limits: Limits,
    /// For a tenant in a store that signs: all its keys. None leaves those that are there.
    pub keys: Option<Vec<SigningKey>>,
}

impl Desired {
    /// A state with its mark and memo, without limits and without a password to set.
    #[must_use]
    pub fn new(state: State, mark: Mark, memo: Value) -> Self {
        Self { state, mark, memo, password: None, limits: Limits::default(), keys: None }
    }
}

/// What must be in the store for an [`Store::apply`] to go ahead.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// Nothing.
    Absent,
    /// Something that carries no mark, whatever it says.
    Unmarked,
    /// Something that carries this mark, whatever it says.
    Marked(Mark),
    /// What was observed: nobody changed it since.
    Observed(Box<Record>),
}

impl Expected {
    /// That it is still as it was observed.
    #[must_use]
    pub fn as_observed(record: Option<&Record>) -> Self {
        record.map_or(Self::Absent, |record| Self::Observed(Box::new(record.clone())))
    }
}

/// What an [`Store::apply`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was not there.
    Created,
    /// It was there and differed in these fields (column names; JSON columns by path, such as `settings.ttl.session`).
    /// A password that was set is the field `password`.
    Updated(Vec<String>),
    /// It was there as desired: nothing was written.
    Unchanged,
}

/// What a [`Store::delete`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// It was there with this mark, and is gone.
    Removed,
    /// It was not there.
    NotThere,
    /// It carries another mark, or none, and was left alone.
    NotOurs(Option<Mark>),
}
