//! The schema, step by step: one text for both databases. A step that was released never changes.
//!
//! PostgreSQL gets each text with two substitutions. Every column of type `TEXT` is made with
//! `COLLATE "C"`, byte order, which is what SQLite compares and sorts by. And a view that is
//! dropped and made anew with more columns is replaced, because the rights that were granted on it
//! would go with it; SQLite knows neither rights nor `CREATE OR REPLACE`.

use sqlx::{
    AssertSqlSafe, SqlSafeStr,
    migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator},
};

use super::explained::Explained;

/// A step of the schema: its number, its name, its SQL.
pub(super) type Step = (i64, &'static str, &'static str);

pub(super) const STEPS: [Step; 2] = [
    (1, "identities", include_str!("migrations/0001_identities.sql")),
    (2, "passwords", include_str!("migrations/0002_passwords.sql")),
];

/// Which database's SQL it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// Why the schema is not as it shall be.
pub(super) enum Refused {
    /// A later version has made a step that this one does not know.
    Newer { found: i64, known: i64 },
    /// Somebody else's, or edited.
    Foreign(Explained),
    /// The database failed.
    Failed(sqlx::Error),
}

/// Makes the steps that are missing, each in a transaction. PostgreSQL lets one process at a time
/// do it, by an advisory lock of the database; for SQLite the lock beside the file does.
pub(super) async fn migrate(
    conn: &mut impl Migrate,
    dialect: Dialect,
    steps: &'static [Step],
) -> Result<(), Refused> {
    let known = steps.iter().map(|(version, ..)| *version).max().unwrap_or_default();
    let migrations = steps.iter().map(|(version, name, sql)| {
        let sql = AssertSqlSafe(text(sql, dialect)).into_sql_str();
        Migration::new(*version, (*name).into(), MigrationType::Simple, sql, false)
    });
    match Migrator::with_migrations(migrations.collect()).run_direct(None, conn, false).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(found)) => Err(Refused::Newer { found, known }),
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
            Err(Refused::Failed(error))
        }
        Err(_) => Err(Refused::Foreign(Explained::new(
            "its schema is not one that a keyreeve made",
            "Restore it from a backup, or name another one.",
        ))),
    }
}

/// A step's text as a database understands it.
fn text(sql: &'static str, dialect: Dialect) -> String {
    match dialect {
        Dialect::Sqlite => sql.into(),
        Dialect::Postgres => {
            let lines = sql.lines().filter(|line| !line.starts_with("DROP VIEW "));
            let text: Vec<&str> = lines.collect();
            text.join("\n")
                .replace(" TEXT", " TEXT COLLATE \"C\"")
                .replace("CREATE VIEW ", "CREATE OR REPLACE VIEW ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_column_is_in_byte_order() {
        for (_, name, sql) in STEPS {
            let postgres = text(sql, Dialect::Postgres);
            let columns = |sql: &str| {
                let code = sql.lines().filter(|line| !line.starts_with("--"));
                code.filter(|line| {
                    line.split_whitespace().any(|w| w.trim_matches(',') == "TEXT" || w == "TEXT;")
                })
                .count()
            };
            assert_eq!(postgres.matches("TEXT COLLATE \"C\"").count(), columns(sql), "{name}");
            assert_eq!(text(sql, Dialect::Sqlite), sql);
        }
    }

    #[test]
    fn no_right_on_a_view_is_lost() {
        for (_, name, sql) in STEPS {
            let postgres = text(sql, Dialect::Postgres);
            assert!(!postgres.contains("DROP VIEW"), "{name}");
            assert_eq!(
                postgres.matches("CREATE OR REPLACE VIEW").count(),
                sql.matches("CREATE VIEW").count(),
                "{name}"
            );
        }
    }
}
