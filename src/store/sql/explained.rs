//! What databases, networks and file systems say, as sentences: the cause, and what to do.
//!
//! Their own texts are not passed on, because they may quote statements.

use crate::store::Error;

/// A cause, and what to do about it.
#[derive(Debug)]
pub(super) struct Explained {
    pub cause: String,
    pub hint: &'static str,
}

impl Explained {
    pub(super) fn new(cause: impl Into<String>, hint: &'static str) -> Self {
        Self { cause: cause.into(), hint }
    }
}

impl From<Explained> for Error {
    fn from(Explained { cause, hint }: Explained) -> Self {
        Self::Unavailable(format!("{cause}. {hint}"))
    }
}
