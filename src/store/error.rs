//! What can go wrong with a store, and what is to be done about it.

use std::fmt;

use super::{Counted, sql::AddressError};
use crate::policy::{Class, Problem, Reason};

/// What no two users of a tenant may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Unique {
    Id,
    EmailAddress,
}

impl fmt::Display for Unique {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Id => "id",
            Self::EmailAddress => "email address",
        })
    }
}

/// A call to a store failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The store is away, locked, full, read-only or too slow: it will be tried again.
    #[error("the store cannot be reached: {0}")]
    Unavailable(String),
    /// The operator may not do this in the store: it will be tried again, for nothing tells when it may.
    #[error("the store does not let the operator do it: {0}")]
    Forbidden(String),
    /// Something broke in the store over a write; whether, or how far, it was done is not known: it will be tried again.
    #[error("the store could not do it: {0}")]
    Broken(String),
    /// Somebody else wrote between observing and applying: it will be tried again.
    #[error("the store changed while it was being written; trying again")]
    Raced,
    /// Something that this state refers to is not in the store yet.
    #[error("the store does not have {0} yet")]
    Missing(String),
    /// Another user has what must be unique: an email address in the tenant, an id wherever the store says.
    #[error("another user has this {0}: choose another one")]
    Taken(Unique),
    /// It would be more than the plan allows.
    #[error(
        "the plan allows {limit} {counted} (planDetails.{}), and there are as many: raise the limit in the TenantProfile, \
         or {} one of them", counted.limit(), if *counted == Counted::Administrators { "take the role from" } else { "delete" }
    )]
    LimitReached {
        /// Of what.
        counted: Counted,
        /// How many there may be.
        limit: u64,
    },
    /// The store refuses this state, and will refuse it again.
    #[error("the store refuses it: {0}")]
    Refused(String),
    /// Another operator has opened the store for writing after this one, which writes no more.
    #[error(
        "another operator has taken this store over, and this one writes no more: stop one of the two; the other goes on when it is restarted"
    )]
    TakenOver,
}

impl Error {
    /// Whether nothing is known of the store but that it cannot be used now.
    pub(super) const fn is_away(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// What a timer does about it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            // What is missing was there for all that is known, so nothing tells of its coming.
            Self::Unavailable(_)
            | Self::Forbidden(_)
            | Self::Broken(_)
            | Self::Raced
            | Self::Missing(_) => Class::Transient,
            // When a seat or a name becomes free, whoever waits for it is woken.
            // Nor is there anything to try again for one that has lost the store: two operators must not take it from each other in turns.
            Self::Refused(_) | Self::Taken(_) | Self::LimitReached { .. } | Self::TakenOver => {
                Class::Terminal
            }
        }
    }

    /// The reason that conditions, events and metrics carry.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Unavailable(_) | Self::Broken(_) => Reason::StoreUnavailable,
            Self::Forbidden(_) => Reason::ForbiddenByStore,
            Self::Raced => Reason::StoreChanged,
            Self::Missing(_) => Reason::StoreDependencyMissing,
            Self::Taken(_) => Reason::Conflict,
            Self::LimitReached { .. } => Reason::QuotaExceeded,
            Self::Refused(_) => Reason::RefusedByStore,
            Self::TakenOver => Reason::StoreTakenOver,
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self { class: error.class(), reason: error.reason(), message: error.to_string() }
    }
}

/// A store could not be opened; the operator cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is of no known form.
    #[error(
        "--store {0:?} is not a store: use sqlite:PATH, such as sqlite:/var/lib/keyreeve/keyreeve.db, postgres://HOST/DATABASE, or keycloak+https://HOST"
    )]
    Url(String),
    /// The URL of a PostgreSQL database cannot be used.
    #[error("--store: {0}")]
    Address(#[from] AddressError),
    /// A file with credentials cannot be read.
    #[error("{0}")]
    Credentials(String),
    /// The database does not answer, or not now: it may soon.
    #[error("the store {store} cannot be reached: {cause}. {hint}")]
    Away {
        /// Where it is.
        store: String,
        /// What went wrong.
        cause: String,
        /// What to do next.
        hint: &'static str,
    },
    /// The database cannot be a store as it is.
    #[error("the store {store} cannot be used: {cause}. {hint}")]
    Database {
        /// Where it is.
        store: String,
        /// What is wrong.
        cause: String,
        /// What to do next.
        hint: &'static str,
    },
    /// Keycloak cannot be spoken to.
    #[error("the store at {address} cannot be opened: {cause}")]
    Keycloak {
        /// Where it is.
        address: String,
        /// What went wrong, and what to do next.
        cause: String,
    },
    /// The file cannot be opened or made.
    #[error("the store {path} cannot be opened: {cause}. {hint}")]
    File {
        /// The file.
        path: String,
        /// What went wrong.
        cause: String,
        /// What to do next.
        hint: &'static str,
    },
    /// Another process has it.
    #[error(
        "the store {path} is in use by another process (lock file {lock}): stop that one first, or give this operator a store of its own"
    )]
    Locked {
        /// The file.
        path: String,
        /// The lock beside it.
        lock: String,
    },
    /// The file is on a file system that cannot lock.
    #[error(
        "the store {path} is on a network file system ({kind}), on which SQLite's locks do not hold: use a local volume, or PostgreSQL"
    )]
    NetworkFileSystem {
        /// The file.
        path: String,
        /// The kind of file system.
        kind: &'static str,
    },
    /// A newer keyreeve has migrated the database.
    #[error(
        "the store {store} was written by a newer keyreeve (schema {found}, this one knows up to {known}): run that version or a later one"
    )]
    Newer {
        /// Where it is.
        store: String,
        /// Its schema's version.
        found: i64,
        /// The newest schema that this version knows.
        known: i64,
    },
}
