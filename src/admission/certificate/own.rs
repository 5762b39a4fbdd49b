//! The operator's own certificate: one for all replicas, in a Secret, renewed in time.
//!
//! Whoever finds something due makes it and writes the Secret on condition that it is as it was read.
//! Of two at once one loses, and reads what the other has written.

use std::fmt;

use jiff::Timestamp;
use kube::Client;

use super::{
    Current, Unusable,
    issue::{self, IssueError},
    renewal::{self, Due},
    secret::Place,
};

/// How often in a row another hand may be faster.
const ATTEMPTS: usize = 5;

/// The certificate that the operator makes for itself.
#[derive(Clone)]
pub struct Own {
    place: Place,
    /// The names that it is for.
    names: Vec<String>,
}

/// The certificate cannot be had. It is tried again.
#[derive(Debug, thiserror::Error)]
pub enum OwnError {
    /// The API server says no, or nothing.
    #[error("the webhook's certificate, in the Secret {0}: {1}")]
    Api(String, kube::Error),
    /// There is another Secret in its place.
    #[error(
        "the Secret {0} is in the place of the webhook's certificate, and is not the operator's own (label app.kubernetes.io/managed-by): delete it if nothing needs it, or name another one by --webhook-service-name"
    )]
    NotOurs(String),
    /// It could not be made.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// What was made cannot be served.
    #[error("the webhook's certificate cannot be served: {0}")]
    Unusable(#[from] Unusable),
    /// Others were faster, again and again.
    #[error("the Secret {0} with the webhook's certificate is written by others all the time")]
    Contended(String),
}

impl Own {
    /// The certificate in the Secret of this name, for these names.
    #[must_use]
    pub fn new(client: Client, namespace: String, name: String, names: Vec<String>) -> Self {
        Self { place: Place { client, namespace, name }, names }
    }

    /// The certificate as it is to be served now; made anew if it is due.
    pub async fn look(&self, now: Timestamp) -> Result<Current, OwnError> {
        let api = |error| OwnError::Api(self.to_string(), error);
        for _ in 0..ATTEMPTS {
            let mut found = self.place.read().await.map_err(api)?;
            let content = match &mut found {
                None => None,
                Some(found) => match found.content.take() {
                    Some(content) => Some(content),
                    None => return Err(OwnError::NotOurs(self.to_string())),
                },
            };
            let held = content.as_ref().map(|content| content.held(&self.names));
            let due = renewal::needs_renewal(now, &held.unwrap_or_default());
            let content = match content {
                Some(content) if !due.any() => return Ok(content.current()?),
                content => issue::renew(now, &self.names, content, due)?,
            };
            match self.place.write(found.as_ref(), &content).await {
                Ok(()) => {
                    self.tell(due);
                    return Ok(content.current()?);
                }
                // Another one was faster, or removed it: what there is now is read.
                Err(kube::Error::Api(status))
                    if status.is_conflict()
                        || status.is_already_exists()
                        || status.is_not_found() => {}
                Err(error) => return Err(api(error)),
            }
        }
        Err(OwnError::Contended(self.to_string()))
    }

    fn tell(&self, due: Due) {
        let Due { authority, serving, .. } = due;
        tracing::info!(
            secret = %self, authority, serving, "the webhook's certificates were made anew"
        );
    }
}

/// Where it is, for people.
impl fmt::Display for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.place.namespace, self.place.name)
    }
}
