//! Servers: the one that all tests share, and those of tests that disturb them.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use sqlx::{
    Connection, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};
use tempfile::TempDir;

/// A server.
#[derive(Clone)]
pub struct Server {
    address: String,
    own: Option<Arc<Own>>,
}

/// One of a test's own.
struct Own {
    folder: TempDir,
    settings: Vec<String>,
    process: Mutex<Option<Child>>,
}

impl Server {
    /// The one that `dev/with-postgres.sh` runs.
    pub fn shared() -> Self {
        let address = env::var("KEYREEVE_TEST_POSTGRES").expect(
            "KEYREEVE_TEST_POSTGRES is not set: these tests need a PostgreSQL server, run them by \
             `make test` or by dev/with-postgres.sh",
        );
        Self { address, own: None }
    }

    /// A new one with these settings. What stands in the folder is there when it starts.
    pub fn own(folder: TempDir, settings: &[&str]) -> Self {
        // The server runs as another user when the test runs as root.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let settings: Vec<_> = settings.iter().map(ToString::to_string).collect();
        let (process, address) = run(folder.path(), &settings);
        let own = Own { folder, settings, process: Mutex::new(Some(process)) };
        Self { address, own: Some(own.into()) }
    }

    fn mine(&self) -> &Own {
        self.own.as_deref().expect("the server is shared with other tests")
    }

    /// Ends it in order, as an administrator does.
    pub fn stop(&self) {
        end(self.mine().process.lock().unwrap().take());
    }

    /// Ends it at once, as a crash does: what was not committed is lost, and nobody is told.
    pub fn crash(&self) {
        let pid =
            fs::read_to_string(self.mine().folder.path().join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap();
        assert!(Command::new("kill").args(["-QUIT", pid]).status().unwrap().success());
        self.stop();
    }

    /// Starts it again, at the same address and with what was in it.
    pub fn start(&self) {
        let own = self.mine();
        let (process, address) = run(own.folder.path(), &own.settings);
        assert_eq!(address, self.address);
        *own.process.lock().unwrap() = Some(process);
    }

    /// `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A connection that may do everything.
    pub async fn admin(&self, database: &str) -> PgConnection {
        let (host, port) = self.address.split_once(':').unwrap();
        let options = PgConnectOptions::new_without_pgpass()
            .host(host)
            .port(port.parse().unwrap())
            .username("postgres")
            .database(database)
            .ssl_mode(PgSslMode::Disable);
        PgConnection::connect_with(&options).await.unwrap()
    }
}

fn run(folder: &Path, settings: &[String]) -> (Child, String) {
    let mut process = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/dev/postgres.sh"))
        .arg(folder)
        .args(settings)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut address = String::new();
    BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut address).unwrap();
    assert!(!address.is_empty(), "PostgreSQL does not start; the reason stands above");
    (process, address.trim().to_owned())
}

/// The script ends the server when its input ends.
fn end(process: Option<Child>) {
    if let Some(mut process) = process {
        drop(process.stdin.take());
        process.wait().unwrap();
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        end(self.process.lock().unwrap().take());
    }
}
