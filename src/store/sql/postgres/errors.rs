//! What PostgreSQL and the network say, as sentences.

use std::{io, time::Duration};

use sqlx::postgres::PgDatabaseError;

use crate::store::{Error, Unique, sql::explained::Explained};

/// A failed statement, as an error of the store.
#[allow(clippy::needless_pass_by_value, reason = "so it is what `map_err` takes")]
pub(in crate::store::sql) fn error(error: sqlx::Error) -> Error {
    let Some(database) = of_database(&error) else { return explain(&error).into() };
    match database.code() {
        "23505" => match database.constraint() {
            Some("users_by_email_key") => Error::Taken(Unique::EmailAddress),
            Some("users_tenant_id_id_key") => Error::Taken(Unique::Id),
            // The row was not there a moment ago.
            _ => Error::Raced,
        },
        // What it refers to was there a moment ago; or another transaction was in the way.
        "23503" | "40001" | "40P01" => Error::Raced,
        "22021" | "22P05" => Error::Refused(
            "a text in it has the character U+0000, which PostgreSQL cannot keep: take it out"
                .into(),
        ),
        "54000" | "54001" | "54011" | "54023" | "22001" => {
            Error::Refused("it is too big for the database: make it shorter".into())
        }
        "42501" => {
            let Explained { cause, hint } = explain(&error);
            Error::Forbidden(format!("{cause}. {hint}"))
        }
        _ => explain(&error).into(),
    }
}

/// No answer came in time.
pub(in crate::store::sql) fn silent(waited: Duration) -> Error {
    Explained::new(
        format!("PostgreSQL gave no answer within {} s", waited.as_secs()),
        "It will be tried again; look at the server and the network.",
    )
    .into()
}

/// PostgreSQL's own error, if it is one.
fn of_database(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error()?.try_downcast_ref()
}

/// Whether the server refuses the user's name or password.
pub(super) fn is_login(error: &sqlx::Error) -> bool {
    of_database(error).is_some_and(|error| error.code().starts_with("28"))
}

/// Whether the server, or the role, has no connection left.
pub(super) fn is_full(error: &sqlx::Error) -> bool {
    of_database(error).is_some_and(|error| error.code() == "53300")
}

/// Whether it may work in a moment: nobody has to change anything.
pub(super) fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() != io::ErrorKind::InvalidData,
        sqlx::Error::PoolTimedOut => true,
        _ => of_database(error).is_some_and(|error| {
            let code = error.code();
            // Connections, resources, locks and time-outs, an operator's hand.
            ["08", "40", "53", "55", "57"].iter().any(|class| code.starts_with(class))
        }),
    }
}

/// A failure, as a sentence.
pub(super) fn explain(error: &sqlx::Error) -> Explained {
    match error {
        sqlx::Error::Io(error) => explain_io(error),
        sqlx::Error::Tls(error) => explain_tls(error),
        sqlx::Error::PoolTimedOut => Explained::new(
            "all connections to PostgreSQL are busy",
            "It will be tried again; is the server too slow?",
        ),
        _ => match of_database(error) {
            Some(error) => explain_code(error.code()),
            None => Explained::new("the connection to PostgreSQL broke", "It will be tried again."),
        },
    }
}

/// The meaning of an SQLSTATE (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn explain_code(code: &str) -> Explained {
    let (cause, hint) = match code {
        "28P01" | "28000" => (
            "PostgreSQL refuses the operator's login",
            "Check --store-username-file and --store-password-file (or KEYREEVE_STORE_USERNAME and KEYREEVE_STORE_PASSWORD), and pg_hba.conf; files are read again.",
        ),
        "3D000" => ("there is no database of this name", "Create it, or correct --store."),
        "42501" => (
            "the operator's role may not do this in PostgreSQL",
            "Make it the owner of the database and of all that is in it.",
        ),
        "42P01" | "42703" | "3F000" | "0A000" => (
            "the tables of the store are not there, or not as they were",
            "Restore them from a backup, or restart the operator to begin anew.",
        ),
        "25006" => (
            "PostgreSQL is read-only",
            "Connect to the primary, not to a replica, or end default_transaction_read_only.",
        ),
        "53100" => ("PostgreSQL's disk is full", "Free some space, or enlarge its volume."),
        "53200" => ("PostgreSQL is out of memory", "Look at the server."),
        "53300" => (
            "PostgreSQL has no connection left for the operator",
            "Raise max_connections or the role's limit, or close other clients' connections.",
        ),
        "55P03" => (
            "another session holds a lock on what is to be written",
            "End its transaction; whoever reads the store must not keep locks.",
        ),
        "57014" => (
            "PostgreSQL took too long, or somebody cancelled the statement",
            "It will be tried again; is the server too slow?",
        ),
        "57P01" | "57P02" => (
            "PostgreSQL is shutting down, or somebody ended the connection",
            "It will be tried again.",
        ),
        "57P03" => ("PostgreSQL is starting up or shutting down", "It will be tried again."),
        "25P03" | "25P04" => (
            "PostgreSQL ended a transaction that had been idle for too long",
            "It will be tried again; has the operator too little CPU?",
        ),
        "58030" | "58P01" | "XX001" | "XX002" => (
            "PostgreSQL cannot read or write its files, or they are damaged",
            "Look at the server's log and its disk.",
        ),
        _ => {
            return Explained::new(
                format!("PostgreSQL failed (SQLSTATE {code})"),
                "The server's log says more; the codes are at https://www.postgresql.org/docs/current/errcodes-appendix.html.",
            );
        }
    };
    Explained::new(cause, hint)
}

fn explain_io(error: &io::Error) -> Explained {
    use io::ErrorKind as Kind;
    let (cause, hint) = match error.kind() {
        // rustls says it so.
        Kind::InvalidData => return explain_tls(error),
        Kind::ConnectionRefused => {
            ("nothing listens at its address", "Start PostgreSQL, or correct --store.")
        }
        Kind::NotFound => (
            "PostgreSQL's Unix socket, or a file that sslrootcert, sslcert or sslkey names, is not there",
            "Start PostgreSQL, mount the file, or correct --store.",
        ),
        Kind::PermissionDenied => (
            "the operator may not use PostgreSQL's Unix socket, or read the files of --store",
            "Give its user the right to.",
        ),
        Kind::TimedOut | Kind::HostUnreachable | Kind::NetworkUnreachable => {
            ("PostgreSQL's machine does not answer", "Look at the network, and at --store.")
        }
        Kind::ConnectionReset
        | Kind::ConnectionAborted
        | Kind::BrokenPipe
        | Kind::UnexpectedEof
        | Kind::NotConnected => {
            ("PostgreSQL closed the connection", "It will be tried again; look at the server.")
        }
        kind => {
            return Explained::new(
                format!("PostgreSQL cannot be reached ({kind})"),
                "Look at the name of its host, at DNS and at the network.",
            );
        }
    };
    Explained::new(cause, hint)
}

/// What rustls says names certificates and protocols, no secrets.
fn explain_tls(error: &(impl std::fmt::Display + ?Sized)) -> Explained {
    Explained::new(
        format!("no trusted TLS connection to PostgreSQL is possible ({error})"),
        "Name the file of its CA in --store (sslrootcert=PATH) and the host as its certificate does.",
    )
}
