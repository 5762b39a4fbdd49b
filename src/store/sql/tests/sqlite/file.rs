//! The database file: opening it, losing it, sharing it, filling the disk.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use sqlx::{Connection, Executor, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{Hand, SqliteHand};
use crate::store::{
    self, Applied, Credentials, Error, Expected, OpenError, Store, StoreUrl,
    conformance::samples::{self, desired},
    sql::SqlStore,
};

async fn refusal(path: &Path) -> OpenError {
    match SqlStore::open_sqlite(path).await {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

fn unavailable<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Unavailable(sentence)) => {
            for word in ["SELECT", "INSERT", "BEGIN", "tenants", samples::TEXT] {
                assert!(!sentence.contains(word), "{sentence}");
            }
            sentence
        }
        other => panic!("{other:?}"),
    }
}

/// What a crash leaves behind is what had been applied.
#[tokio::test]
async fn all_is_there_after_a_crash_and_after_an_end() {
    let backend = SqliteHand::start().await;
    let store = &backend.store;
    for state in samples::rich() {
        store.apply(&desired(state), &Expected::Absent).await.unwrap();
    }
    let crashed = tempfile::tempdir().unwrap();
    for name in ["store.db", "store.db-wal"] {
        fs::copy(backend.folder().join(name), crashed.path().join(name)).unwrap();
    }
    let id = store.id().to_owned();
    for folder in [crashed, backend.closed()] {
        let url = format!("sqlite:{}/store.db", folder.path().display());
        let store =
            store::open(&url.parse::<StoreUrl>().unwrap(), &Credentials::default()).await.unwrap();
        assert_eq!((store.kind(), store.id()), ("sqlite", &*id));
        for state in samples::rich() {
            let record = store.observe(&state.key()).await.unwrap().unwrap();
            assert!(!record.drifted);
            assert_eq!(record.state, state);
        }
    }
}

#[tokio::test]
async fn one_operator_at_a_time() {
    let backend = SqliteHand::start().await;
    let link = backend.folder().join("link.db");
    std::os::unix::fs::symlink(backend.path(), &link).unwrap();
    for path in [backend.path(), link] {
        let error = refusal(&path).await;
        assert!(matches!(error, OpenError::Locked { .. }), "{error}");
        assert!(error.to_string().contains("store.db.lock"), "{error}");
    }
    let path = backend.path();
    let _folder = backend.closed();
    SqlStore::open_sqlite(&path).await.unwrap();
}

#[tokio::test]
async fn two_stores_have_two_ids() {
    let (one, two) = (SqliteHand::start().await, SqliteHand::start().await);
    assert_ne!(one.store.id(), two.store.id());
    assert_eq!(one.store.id().len(), 32);
}

#[tokio::test]
async fn settings_of_the_connections() {
    let backend = SqliteHand::start().await;
    for (pragma, value) in
        [("PRAGMA synchronous", 2), ("PRAGMA foreign_keys", 1), ("PRAGMA busy_timeout", 2000)]
    {
        let is: i64 = sqlx::query_scalar(pragma).fetch_one(backend.writer()).await.unwrap();
        assert_eq!(is, value, "{pragma}");
    }
    for name in ["store.db", "store.db-wal", "store.db.lock"] {
        let mode = fs::metadata(backend.folder().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o007, 0, "others may read {name}");
    }
    // The group may, whatever the umask: it is how an identity provider gets in.
    for name in ["store.db", "store.db-wal", "store.db-shm"] {
        let mode = fs::metadata(backend.folder().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660, "{name}");
    }
}

#[tokio::test]
async fn files_that_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let cases: [(&str, &str); 5] = [
        (
            "missing/store.db",
            "its folder does not exist. Make the folder, or mount a volume there.",
        ),
        ("", "is a directory. Name a file in it, such as keyreeve.db."),
        ("text", "the file is not a SQLite database. Was another file meant?"),
        ("damaged", "the database is damaged. Restore it from a backup."),
        ("foreign", "it is another program's database. Name a file of its own for the store."),
    ];
    fs::write(path("text"), "nothing that SQLite knows\n".repeat(100)).unwrap();
    let foreign = SqliteConnectOptions::new().filename(path("foreign")).create_if_missing(true);
    let mut foreign = SqliteConnection::connect_with(&foreign).await.unwrap();
    foreign.execute("CREATE TABLE users (name TEXT)").await.unwrap();
    foreign.close().await.unwrap();
    let foreign = fs::read(path("foreign")).unwrap();
    drop(SqlStore::open_sqlite(&path("damaged")).await.unwrap());
    let mut pages = closed(&path("damaged")).await;
    let length = pages.len();
    pages[4096..length - 4096].fill(0xa5);
    fs::write(path("damaged"), pages).unwrap();
    for (name, sentence) in cases {
        let error = refusal(&path(name)).await.to_string();
        assert!(error.contains(sentence), "{name}: {error}");
        assert!(error.contains(&path(name).display().to_string()), "{error}");
    }
    // Refusing leaves them as they were.
    assert!(fs::read_to_string(path("text")).unwrap().starts_with("nothing that SQLite knows"));
    assert!(fs::read(path("foreign")).unwrap() == foreign, "its mode is not altered either");
}

/// The content of a database whose connections are closed, with all of its log in it.
async fn closed(path: &Path) -> Vec<u8> {
    let options = SqliteConnectOptions::new().filename(path);
    let mut conn = SqliteConnection::connect_with(&options).await.unwrap();
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
    conn.close().await.unwrap();
    fs::read(path).unwrap()
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let backend = SqliteHand::start().await;
    backend
        .sql(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (7, 'of the future', TRUE, x'00', 0)",
            &[],
        )
        .await;
    let path = backend.path();
    let _folder = backend.closed();
    let error = refusal(&path).await;
    assert!(matches!(error, OpenError::Newer { found: 7, known: 2, .. }), "{error}");
}

#[tokio::test]
async fn the_file_goes_and_comes_back() {
    let backend = SqliteHand::start().await;
    let (path, store) = (backend.path(), &backend.store);
    let away = backend.aside();
    let tenant = samples::tenant("acme");
    store.apply(&desired(tenant.clone()), &Expected::Absent).await.unwrap();
    let calls = async || {
        let ours = Expected::Marked(samples::mark(&tenant.key()));
        let sentences = [
            unavailable(store.observe(&tenant.key()).await),
            unavailable(store.apply(&desired(tenant.clone()), &ours).await),
            unavailable(store.delete(&tenant.key(), &samples::mark(&tenant.key())).await),
            unavailable(store.last_passwords(&tenant.key(), 1).await),
            unavailable(store.census("acme").await),
        ];
        assert_eq!(sentences, [(); 5].map(|()| sentences[0].clone()));
        sentences[0].clone()
    };

    fs::rename(&path, &away).unwrap();
    let sentence = calls().await;
    assert!(sentence.contains("was deleted or moved away. Put it back"), "{sentence}");
    fs::copy(&away, &path).unwrap();
    let sentence = calls().await;
    assert!(sentence.contains("another file has taken the place of"), "{sentence}");
    fs::rename(&away, &path).unwrap();
    assert!(store.observe(&tenant.key()).await.unwrap().is_some());
    let other = samples::tenant("other");
    let applied = store.apply(&desired(other), &Expected::Absent).await.unwrap();
    assert_eq!(applied, Applied::Created);
}

/// `SQLite` ends the transaction by itself then; the next ones must be none the worse for it.
#[tokio::test]
async fn a_full_disk_heals() {
    let backend = SqliteHand::start().await;
    let tenant = desired(samples::rich().swap_remove(0));
    for _ in 0..3 {
        // Of this connection only: the store gives up a connection that was left in such a state.
        backend.writer().execute("PRAGMA max_page_count = 1").await.unwrap();
        let sentence = unavailable(backend.store.apply(&tenant, &Expected::Absent).await);
        assert_eq!(sentence, "the disk is full. Free some space, or enlarge the volume.");
        assert_eq!(backend.store.observe(&tenant.state.key()).await.unwrap(), None);
    }
    let applied = backend.store.apply(&tenant, &Expected::Absent).await.unwrap();
    assert_eq!(applied, Applied::Created);
}

/// Steady state asks for no lock: another process may hold it as long as it likes.
#[tokio::test]
async fn unchanged_needs_no_lock() {
    let backend = SqliteHand::start().await;
    for state in samples::rich() {
        backend.store.apply(&desired(state), &Expected::Absent).await.unwrap();
    }
    backend.hand.lock().await;
    for state in samples::rich() {
        let ours = Expected::Marked(samples::mark(&state.key()));
        let applied = backend.store.apply(&desired(state.clone()), &ours).await.unwrap();
        assert_eq!(applied, Applied::Unchanged);
    }
    backend.hand.unlock().await;
}
