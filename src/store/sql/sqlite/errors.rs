//! What SQLite and the file system say, as sentences.

use std::io;

use sqlx::error::DatabaseError;

use crate::store::{Error, Unique, sql::explained::Explained};

/// A failed statement, as an error of the store.
#[allow(clippy::needless_pass_by_value, reason = "so it is what `map_err` takes")]
pub(in crate::store::sql) fn error(error: sqlx::Error) -> Error {
    // Extended result codes: of the primary key, any other unique index, a foreign key, too big.
    let database = error.as_database_error();
    let message = database.map(DatabaseError::message).unwrap_or_default();
    match database.and_then(code) {
        // The row was not there a moment ago, or what it refers to was.
        Some(1555 | 787) => Error::Raced,
        // It ends in the last column of the index.
        Some(2067) if message.ends_with("users.email_key") => Error::Taken(Unique::EmailAddress),
        Some(2067) if message.ends_with("users.id") => Error::Taken(Unique::Id),
        Some(18) => Error::Refused("it is too big for the database".into()),
        _ => explain(&error).into(),
    }
}

/// SQLite's result code (<https://sqlite.org/rescode.html>).
fn code(error: &dyn DatabaseError) -> Option<u32> {
    error.code()?.parse().ok()
}

/// A failure of the database, as a sentence.
pub(super) fn explain(error: &sqlx::Error) -> Explained {
    match error {
        sqlx::Error::Database(error) => explain_code(code(error.as_ref()).unwrap_or_default()),
        sqlx::Error::Io(error) => explain_io(error),
        sqlx::Error::PoolTimedOut => Explained::new(
            "other writes to the database take too long",
            "It will be tried again; is the disk too slow?",
        ),
        _ => Explained::new("the connection to the database broke", "It will be tried again."),
    }
}

fn explain_code(code: u32) -> Explained {
    // The lowest byte is the primary result code.
    match code & 0xff {
        5 | 6 => Explained::new(
            "another process has locked the database",
            "End its transaction; whoever reads the store must not write to it, nor hold transactions open.",
        ),
        8 => Explained::new(
            "the database is read-only",
            "The operator needs to write to the file, and to its folder for the files -wal, -shm and .lock beside it.",
        ),
        10 => Explained::new(
            format!("reading or writing the database file failed (SQLite error {code})"),
            "Look at the disk and the kernel's log.",
        ),
        11 => Explained::new("the database is damaged", "Restore it from a backup."),
        13 => Explained::new("the disk is full", "Free some space, or enlarge the volume."),
        14 => Explained::new(
            "the database file cannot be opened",
            "Look at the permissions of the file and its folder.",
        ),
        26 => Explained::new(
            "the file is not a SQLite database",
            "Was another file meant? If it was a database once, restore it from a backup.",
        ),
        _ => Explained::new(
            format!("the database failed (SQLite error {code})"),
            "The meaning of the number is at https://sqlite.org/rescode.html.",
        ),
    }
}

/// A failure of the file system, as a sentence.
pub(super) fn explain_io(error: &io::Error) -> Explained {
    use io::ErrorKind as Kind;
    let hint = match error.kind() {
        Kind::NotFound | Kind::NotADirectory => "Make the folder, or mount a volume there.",
        Kind::IsADirectory => "Name a file in it, such as keyreeve.db.",
        Kind::PermissionDenied => {
            "Give the operator's user write access to the file and its folder (in Kubernetes: fsGroup)."
        }
        Kind::ReadOnlyFilesystem => "Mount the volume with write access.",
        Kind::StorageFull | Kind::QuotaExceeded => "Free some space, or enlarge the volume.",
        _ => "Look at the file, its folder and the disk.",
    };
    // The kind, not the error: in lower case and without the number of the operating system.
    let what = match error.kind() {
        Kind::NotFound => "its folder does not exist".to_owned(),
        kind => kind.to_string(),
    };
    Explained::new(what, hint)
}
