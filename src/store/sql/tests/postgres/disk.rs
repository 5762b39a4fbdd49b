//! A disk that is full, and has room again.

use std::process::Command;

use super::{Database, Hand, Postgres, server::Server};
use crate::store::{
    Applied, Error, Expected, State, Store,
    conformance::samples::{self, desired},
};

/// A file system of 8 MB under the database; removed with it.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// None where this process may not mount.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let owner = Command::new("id").args(["-u", "postgres"]).output().unwrap().stdout;
        let owner = String::from_utf8(owner).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size=8m,uid={}", owner.trim()), "tmpfs"])
            .arg(folder.path())
            .status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

/// Until there is no room for another row.
const FILL: &str = "DO $$ BEGIN LOOP \
                    INSERT INTO filler SELECT gen_random_uuid() FROM generate_series(1, 200); \
                    END LOOP; EXCEPTION WHEN disk_full THEN NULL; END $$";
const PRETEND: &str = "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS \
                       $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = 'disk_full'; END $$; \
                       CREATE TRIGGER full_disk BEFORE INSERT ON tenants EXECUTE FUNCTION full_disk()";

/// Tables on a small file system, which a stranger's table fills. Where that cannot be mounted the server is
/// told to say what it would say.
#[tokio::test]
async fn a_full_disk() {
    let disk = SmallDisk::mount();
    let server = Server::own(tempfile::tempdir().unwrap(), &[]);
    let backend: Postgres = Database::on(server).await.with_hand().await;
    let tenant = samples::rich().swap_remove(0);
    let (fill, free) = if let Some(disk) = &disk {
        let place = disk.0.path().display();
        backend.sql(&format!("CREATE TABLESPACE small LOCATION '{place}'"), &[]).await;
        backend.sql("ALTER TABLE tenants SET TABLESPACE small", &[]).await;
        backend.sql("CREATE TABLE filler (bytes TEXT) TABLESPACE small", &[]).await;
        (FILL, "DROP TABLE filler")
    } else {
        eprintln!("no file system can be mounted here: the server only says that its disk is full");
        (PRETEND, "DROP TRIGGER full_disk ON tenants")
    };
    let mut admin = backend.database().admin().await;
    sqlx::raw_sql(fill).execute(&mut admin).await.unwrap();
    // The exception above gave the last rows back, so a few tenants may still fit.
    let mut written = 0;
    let sentence = loop {
        let mut state = tenant.clone();
        let State::Tenant(next) = &mut state else { unreachable!() };
        next.tenant_id = format!("tenant-{written}");
        match backend.store.apply(&desired(state), &Expected::Absent).await {
            Ok(applied) => assert_eq!(applied, Applied::Created),
            Err(Error::Unavailable(sentence)) => break sentence,
            Err(error) => panic!("{error}"),
        }
        written += 1;
        assert!(written < 3000, "the disk never becomes full");
    };
    assert_eq!(sentence, "PostgreSQL's disk is full. Free some space, or enlarge its volume.");
    backend.sql(free, &[]).await;
    assert_eq!(backend.store.observe(&tenant.key()).await.unwrap(), None);
    let applied = backend.store.apply(&desired(tenant), &Expected::Absent).await.unwrap();
    assert_eq!(applied, Applied::Created);
    let rows = backend.hand.texts("SELECT count(*)::text FROM tenants", &[]).await;
    assert_eq!(rows[0][0].as_deref(), Some(&*(written + 1).to_string()));
}
