//! The operator's client id and secret: from the environment or from files, read anew when Keycloak
//! no longer accepts them.

use std::{fmt, path::PathBuf};

use zeroize::Zeroizing;

/// Who the operator is to Keycloak.
#[derive(Clone)]
pub struct Credentials {
    /// The client's id in the realm master.
    pub client_id: String,
    /// Its secret.
    pub secret: SecretSource,
}

/// Where a secret comes from.
#[derive(Clone)]
pub enum SecretSource {
    /// It is given.
    Value(Zeroizing<String>),
    /// It stands in a file, which may change; white space around it does not count.
    File(PathBuf),
}

impl SecretSource {
    /// The secret as it is now.
    pub(super) async fn read(&self) -> Result<Zeroizing<String>, String> {
        let path = match self {
            Self::Value(secret) => return Ok(secret.clone()),
            Self::File(path) => path.clone(),
        };
        let place = path.display().to_string();
        let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await;
        let content = read
            .map_err(|error| error.to_string())
            .and_then(|content| content.map_err(|error| error.to_string()))
            .map_err(|error| format!("the file {place} cannot be read: {error}"))?;
        let content = Zeroizing::new(content);
        let secret = content.trim();
        if secret.is_empty() {
            return Err(format!("the file {place} is empty"));
        }
        Ok(Zeroizing::new(secret.to_owned()))
    }
}

/// Shows no secret.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}
