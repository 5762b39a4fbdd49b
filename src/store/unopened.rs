//! A store that could not be opened so far: what asks it for something is told so.

use async_trait::async_trait;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Applied, Census, Deleted, Desired, Error, Expected, Key, Mark, Record, Store};
use crate::policy::Support;

/// Stands in for a store while that is away. Every call fails as one to a store that went away does. Nothing is decided
/// from what else it says: whoever decides has observed before.
pub struct Unopened {
    kind: &'static str,
    why: String,
}

impl Unopened {
    /// One of this kind, and why it could not be opened.
    #[must_use]
    pub fn new(kind: &'static str, why: impl Into<String>) -> Self {
        Self { kind, why: why.into() }
    }

    fn error(&self) -> Error {
        Error::Unavailable(self.why.clone())
    }
}

#[async_trait]
impl Store for Unopened {
    fn kind(&self) -> &'static str {
        self.kind
    }

    /// That of no store.
    fn id(&self) -> &'static str {
        ""
    }

    fn support(&self, _path: &str, _value: &Value) -> Support {
        Support::Enforced
    }

    async fn observe(&self, _key: &Key) -> Result<Option<Record>, Error> {
        Err(self.error())
    }

    async fn last_passwords(
        &self,
        _key: &Key,
        _number: usize,
    ) -> Result<Vec<Zeroizing<String>>, Error> {
        Err(self.error())
    }

    async fn apply(&self, _desired: &Desired, _expected: &Expected) -> Result<Applied, Error> {
        Err(self.error())
    }

    async fn delete(&self, _key: &Key, _mark: &Mark) -> Result<Deleted, Error> {
        Err(self.error())
    }

    async fn census(&self, _tenant: &str) -> Result<Census, Error> {
        Err(self.error())
    }

    async fn check(&self) -> Result<(), Error> {
        Err(self.error())
    }
}
