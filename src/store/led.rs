//! A store that is used only as long as its operator leads.

use std::sync::Arc;

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::{
    Applied, Census, Deleted, Desired, Error, Expected, Key, Mark, Record, Store, says_as_its_store,
};
use crate::leadership::Term;

/// Passes calls on during a term. Afterwards none is begun, and what is under way is given up: a transaction
/// that was not committed is rolled back. What was sent to Keycloak may still be done; the next apply completes it.
pub struct Led {
    store: Arc<dyn Store>,
    term: Term,
}

impl Led {
    /// The store, during this term.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, term: Term) -> Self {
        Self { store, term }
    }

    async fn call<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let called = self.term.during(call).await;
        called.unwrap_or_else(|ended| Err(Error::Unavailable(ended.to_string())))
    }
}

#[async_trait]
impl Store for Led {
    says_as_its_store!();

    async fn observe(&self, key: &Key) -> Result<Option<Record>, Error> {
        self.call(self.store.observe(key)).await
    }

    async fn last_passwords(
        &self,
        key: &Key,
        number: usize,
    ) -> Result<Vec<Zeroizing<String>>, Error> {
        self.call(self.store.last_passwords(key, number)).await
    }

    async fn apply(&self, desired: &Desired, expected: &Expected) -> Result<Applied, Error> {
        self.call(self.store.apply(desired, expected)).await
    }

    async fn delete(&self, key: &Key, mark: &Mark) -> Result<Deleted, Error> {
        self.call(self.store.delete(key, mark)).await
    }

    async fn census(&self, tenant: &str) -> Result<Census, Error> {
        self.call(self.store.census(tenant)).await
    }

    async fn check(&self) -> Result<(), Error> {
        self.call(self.store.check()).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::store::{
        conformance::samples::{self, desired},
        open,
    };

    #[tokio::test]
    async fn once_the_term_has_ended_no_call_is_begun() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("store.db").display());
        let store =
            open(&url.parse().unwrap(), &crate::store::Credentials::default()).await.unwrap();
        let term = Term::since(Instant::now());
        let led = Led::new(store.clone(), term.clone());
        let acme = desired(samples::tenant("acme"));
        assert_eq!(led.apply(&acme, &Expected::Absent).await.unwrap(), Applied::Created);

        term.end();
        let (key, other) = (acme.state.key(), desired(samples::tenant("other")));
        for refused in [
            led.observe(&key).await.map(drop),
            led.last_passwords(&key, 1).await.map(drop),
            led.apply(&other, &Expected::Absent).await.map(drop),
            led.delete(&key, &acme.mark).await.map(drop),
            led.census("acme").await.map(drop),
            led.check().await,
        ] {
            let error = refused.unwrap_err().to_string();
            assert!(error.contains("does not lead any more"), "{error}");
        }
        assert!(store.observe(&key).await.unwrap().is_some(), "nothing was deleted");
        assert_eq!(store.observe(&other.state.key()).await.unwrap(), None);
    }
}
