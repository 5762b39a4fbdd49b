//! How the operator logs in, and how it knows the server.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::{BUSY, Database, Hand, PASSWORD, server::Server};
use crate::leadership::Term;
use crate::store::{
    Credentials, Error, Expected, OpenError, Source, Store,
    conformance::samples::{self, desired},
    sql::{SqlStore, postgres::Address},
};

async fn open(address: &Address, credentials: &Credentials) -> Result<SqlStore, OpenError> {
    SqlStore::open_postgres_within(address, credentials, &Term::unlimited(), BUSY).await
}

#[tokio::test]
async fn a_password_that_changes_is_read_again() {
    let database = Database::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let credentials =
        Credentials { password: Some(Source::File(file.clone())), ..database.credentials() };
    let store = open(&database.address(), &credentials).await.unwrap();
    let tenant = desired(samples::tenant("acme"));
    store.apply(&tenant, &Expected::Absent).await.unwrap();

    let Database { name, .. } = &database;
    let hand = database.hand().await;
    hand.sql(&format!("ALTER ROLE {name} PASSWORD 'another password'"), &[]).await;
    hand.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_database()",
        &[],
    )
    .await;
    match store.observe(&tenant.state.key()).await {
        Err(Error::Unavailable(sentence)) => {
            assert!(
                sentence.contains("refuses the operator's login. Check --store-username-file"),
                "{sentence}"
            );
            assert!(!sentence.contains(PASSWORD), "{sentence}");
        }
        other => panic!("{other:?}"),
    }
    // As Kubernetes does: another file takes its place.
    fs::write(folder.path().join("new"), "another password\n").unwrap();
    fs::rename(folder.path().join("new"), &file).unwrap();
    assert!(store.observe(&tenant.state.key()).await.unwrap().is_some());
    store.apply(&desired(samples::tenant("other")), &Expected::Absent).await.unwrap();
    fs::remove_file(&file).unwrap();
    let error = SqlStore::open_postgres(&database.address(), &credentials).await.err().unwrap();
    assert!(matches!(error, OpenError::Credentials(_)), "{error}");
}

/// Makes a CA, and a server's certificate for this name, signed by it.
fn certificates(folder: &std::path::Path, name: &str) {
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    fs::write(folder.join("ca.crt"), ca.pem()).unwrap();
    fs::write(folder.join("server.crt"), certificate.pem()).unwrap();
    fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
}

#[tokio::test]
async fn a_server_must_prove_who_it_is() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path(), "localhost");
    let ca = folder.path().join("ca.crt").display().to_string();
    let strangers = tempfile::tempdir().unwrap();
    certificates(strangers.path(), "localhost");
    let strangers = strangers.path().join("ca.crt").display().to_string();
    let database = Database::on(Server::own(folder, &[])).await;
    let port = database.server.address().split_once(':').unwrap().1;
    let opened = async |host: &str, parameters: &str| {
        let url = format!("postgres://{host}:{port}/{}?{parameters}", database.name);
        open(&url.parse().unwrap(), &database.credentials()).await
    };
    for (host, parameters) in [
        ("127.0.0.1", "sslmode=verify-full".to_owned()),
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={ca}")),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={strangers}")),
    ] {
        let error = opened(host, &parameters).await.err().expect(&parameters).to_string();
        assert!(
            error.contains("no trusted TLS connection to PostgreSQL is possible"),
            "{parameters}: {error}"
        );
    }
    for (host, parameters) in [
        ("localhost", format!("sslmode=verify-full&sslrootcert={ca}")),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={ca}")),
        ("127.0.0.1", "sslmode=require".to_owned()),
    ] {
        let store =
            opened(host, &parameters).await.unwrap_or_else(|error| panic!("{parameters}: {error}"));
        store.observe(&samples::tenant("acme").key()).await.unwrap();
        let hand = database.hand().await;
        let plain = hand.texts(
            "SELECT 'plain' FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) \
             WHERE application_name = 'keyreeve' AND NOT ssl",
            &[],
        );
        assert_eq!(plain.await, Vec::<Vec<_>>::new());
    }
    // One that speaks no TLS.
    let plain = Database::new().await;
    let address = plain.address_with("?sslmode=verify-full");
    let error = SqlStore::open_postgres(&address, &plain.credentials()).await.err().unwrap();
    assert!(error.to_string().contains("no trusted TLS connection"), "{error}");
}
