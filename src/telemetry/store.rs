//! A store that counts its calls.

use std::{sync::Arc, time::Instant};

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::Metrics;
use crate::store::{
    Applied, Census, Deleted, Desired, Error, Expected, Key, Mark, Record, Store, says_as_its_store,
};

/// Passes every call on and counts it by operation and outcome.
pub struct Measured {
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
}

impl Measured {
    /// Counts the calls to `store` in `metrics`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, metrics: Arc<Metrics>) -> Self {
        Self { store, metrics }
    }

    fn count<T>(
        &self,
        operation: &'static str,
        began: Instant,
        result: Result<T, Error>,
        outcome: impl FnOnce(&T) -> &'static str,
    ) -> Result<T, Error> {
        let outcome = match &result {
            Ok(value) => outcome(value),
            Err(error) => error.class().as_str(),
        };
        self.metrics.store.called(self.store.kind(), operation, outcome, began.elapsed());
        result
    }
}

#[async_trait]
impl Store for Measured {
    says_as_its_store!();

    async fn observe(&self, key: &Key) -> Result<Option<Record>, Error> {
        let began = Instant::now();
        let result = self.store.observe(key).await;
        self.count(
            "observe",
            began,
            result,
            |record| if record.is_some() { "found" } else { "absent" },
        )
    }

    async fn last_passwords(
        &self,
        key: &Key,
        number: usize,
    ) -> Result<Vec<Zeroizing<String>>, Error> {
        let began = Instant::now();
        let result = self.store.last_passwords(key, number).await;
        self.count("last_passwords", began, result, |_| "found")
    }

    async fn apply(&self, desired: &Desired, expected: &Expected) -> Result<Applied, Error> {
        let began = Instant::now();
        let result = self.store.apply(desired, expected).await;
        self.count("apply", began, result, |applied| match applied {
            Applied::Created => "created",
            Applied::Updated(_) => "updated",
            Applied::Unchanged => "unchanged",
        })
    }

    async fn delete(&self, key: &Key, mark: &Mark) -> Result<Deleted, Error> {
        let began = Instant::now();
        let result = self.store.delete(key, mark).await;
        self.count("delete", began, result, |deleted| match deleted {
            Deleted::Removed => "removed",
            Deleted::NotThere => "absent",
            Deleted::NotOurs(_) => "left_alone",
        })
    }

    async fn census(&self, tenant: &str) -> Result<Census, Error> {
        let began = Instant::now();
        let result = self.store.census(tenant).await;
        self.count("census", began, result, |_| "counted")
    }

    async fn check(&self) -> Result<(), Error> {
        let began = Instant::now();
        let result = self.store.check().await;
        self.count("check", began, result, |()| "usable")
    }
}
