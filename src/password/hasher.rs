//! Hashes passwords and verifies them, a bounded number at a time.

use std::{fmt, sync::Arc};

use tokio::{sync::Semaphore, task::spawn_blocking};
use zeroize::Zeroizing;

use super::{
    argon2id::{self, Memories},
    bcrypt,
};
use crate::{
    api::HashFunction,
    policy::password::{Argon2Cost, MAX_BYTES_OF_BCRYPT},
};

/// A hash takes a core for some 40 ms (argon2) or 300 ms (bcrypt), and argon2 19 MiB of memory:
/// so it runs off the async threads, and no more than a given number at a time.
pub struct Hasher {
    places: Arc<Semaphore>,
    memories: Arc<Memories>,
}

/// A password's hash, with all that is needed to verify it.
#[derive(Clone, PartialEq, Eq)]
pub struct Hashed {
    /// `$argon2id$v=19$m=19456,t=2,p=1$…` or `$2b$12$…`.
    pub phc: Zeroizing<String>,
    /// `argon2id` or `bcrypt`.
    pub algorithm: &'static str,
}

/// Shows no hash.
impl fmt::Debug for Hashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hashed").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// A password could not be hashed, or not be verified. Says nothing of the password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// bcrypt would ignore what comes after them; `policy::password::check` refuses it with a sentence.
    #[error("bcrypt takes at most {MAX_BYTES_OF_BCRYPT} bytes of a password: choose a shorter one")]
    TooLong,
    /// What a library answered.
    #[error("the password could not be hashed: {0}")]
    Failed(String),
    /// The program is ending.
    #[error("the password was not hashed, because the program is ending")]
    Interrupted,
}

impl Hasher {
    /// Computes at most this many hashes at a time, and at least one.
    #[must_use]
    pub fn new(parallel: usize) -> Self {
        let places = Arc::new(Semaphore::new(parallel.max(1)));
        Self { places, memories: Arc::default() }
    }

    /// Hashes a password under a new salt, and wipes it.
    pub async fn hash(
        &self,
        password: Zeroizing<String>,
        function: HashFunction,
    ) -> Result<Hashed, HashError> {
        match function {
            HashFunction::Argon2 => self.hash_at(password, Argon2Cost::OURS).await,
            HashFunction::Bcrypt => {
                let made = self.compute(move |_| bcrypt::hash(&password)).await?;
                Ok(Hashed { phc: made?, algorithm: "bcrypt" })
            }
        }
    }

    /// Hashes a password by argon2id at this cost under a new salt, and wipes it.
    pub async fn hash_at(
        &self,
        password: Zeroizing<String>,
        cost: Argon2Cost,
    ) -> Result<Hashed, HashError> {
        let made = self.compute(move |memories| argon2id::hash(memories, &password, cost)).await?;
        Ok(Hashed { phc: made?, algorithm: "argon2id" })
    }

    /// Whether a hash is that of this password, which is wiped.
    ///
    /// Reads argon2id, argon2i and argon2d of at most 256 MiB and 16 passes, and bcrypt (`$2a$`,
    /// `$2b$`, `$2y$`) of a cost of at most 16. What takes more, or cannot be read, counts as the
    /// hash of another password. As everywhere, bcrypt goes by the first 72 bytes alone.
    pub async fn verify(
        &self,
        password: Zeroizing<String>,
        hash: Zeroizing<String>,
    ) -> Result<bool, HashError> {
        self.compute(move |memories| {
            if hash.starts_with("$argon2") {
                argon2id::verify(memories, &password, &hash)
            } else {
                bcrypt::verify(&password, &hash)
            }
            .unwrap_or(false)
        })
        .await
    }

    /// Computes when there is a place. The place is free again when the work is done, not when the
    /// caller has lost interest.
    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Memories) -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|_| HashError::Interrupted)?;
        let memories = Arc::clone(&self.memories);
        let computed = spawn_blocking(move || {
            let _place = place;
            work(&memories)
        });
        computed.await.map_err(|_| HashError::Interrupted)
    }
}

#[cfg(test)]
#[path = "hasher_tests.rs"]
mod tests;
