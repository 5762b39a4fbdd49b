//! Errors of the Kubernetes API, in the words of [`Problem`].

use kube::core::Status;

use crate::policy::{Problem, Reason};

/// Whether the object was written by somebody else in between, or is gone: the
/// watch will bring the newer state and wake it.
#[must_use]
pub fn is_stale(error: &kube::Error) -> bool {
    // A JSON patch whose test fails, as that of the finalizer does, is answered with "invalid".
    matches!(error, kube::Error::Api(status)
        if status.is_conflict() || status.is_not_found() || status.is_invalid() && status.details.as_ref().is_none_or(|details| details.causes.is_empty()))
}

/// What went wrong while doing `what`.
#[must_use]
pub fn problem(what: &str, error: &kube::Error) -> Problem {
    let cause = match error {
        kube::Error::Api(status) => describe(status),
        other => other.to_string(),
    };
    Problem::transient(Reason::ApiError, format!("{what}: the Kubernetes API answered: {cause}"))
}

fn describe(status: &Status) -> String {
    format!("{} ({})", status.message, status.code)
}
