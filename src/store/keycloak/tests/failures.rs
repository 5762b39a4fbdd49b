//! What goes wrong on the way: a server that is away, and answers that are none.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use futures::{FutureExt as _, future::join_all};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::Barrier,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivatePkcs8KeyDer},
};

use super::hand::{credentials, variable};
use crate::{
    leadership::Term,
    policy::{Class, Reason},
    store::{
        Error, Expected, Key, OpenError, Source, Store,
        conformance::samples,
        keycloak::{Address, KeycloakStore, Options, server::Server},
    },
};

/// A server that answers each request with the next of these, and its token requests with a token.
async fn answering(answers: Vec<String>) -> Options {
    let (listener, options) = listening().await;
    tokio::spawn(async move {
        let mut answers = answers.into_iter();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 65536];
            let read = stream.read(&mut request).await.unwrap_or_default();
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let answer = if request.contains("/openid-connect/token") {
                a_token()
            } else {
                answers.next().unwrap_or_default()
            };
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    options
}

/// A place for a server, and a store's way to it.
pub(super) async fn listening() -> (TcpListener, Options) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let secret = Source::Value("secret".to_owned().into());
    let credentials = credentials("keyreeve".into(), secret);
    (listener, Options::new(Address::parse(&address).unwrap(), credentials))
}

pub(super) fn a_token() -> String {
    // The claims of `{"sub":"operator"}`.
    let token = json!({"access_token": "x.eyJzdWIiOiJvcGVyYXRvciJ9.x", "expires_in": 60});
    http(200, "", &token.to_string())
}

pub(super) fn http(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

async fn observe(answers: Vec<String>) -> Result<Option<crate::store::Record>, Error> {
    let store = KeycloakStore::open(&answering(answers).await).await.unwrap();
    store.observe(&Key::Tenant { tenant: "acme".into() }).await
}

#[tokio::test]
async fn what_is_no_answer_is_transient() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{\"realm\":".to_owned();
    for (answers, says) in [
        (vec![http(500, "", "{}"); 4], "answered GET /acme with 500"),
        (vec![http(200, "", "<html>")], "cannot be read"),
        (vec![http(200, "", "[\"acme\"]")], "it is no object"),
        (vec![http(200, "", "")], "it is no object"),
        (vec![http(302, "Location: https://id.example\r\n", "")], "scheme and path in --store"),
        (vec![cut.clone(), cut.clone(), cut.clone(), cut], "gave no answer"),
        (vec![String::new(); 4], "gave no answer"),
        (vec![http(401, "", "{}"), http(401, "", "{}")], "client id and secret"),
        (vec![http(404, "", "404 page not found")], "whether Keycloak runs"),
    ] {
        let error = observe(answers).await.unwrap_err();
        assert_eq!((error.class(), error.reason()), (Class::Transient, Reason::StoreUnavailable));
        assert!(error.to_string().contains(says), "{error}");
        assert!(!error.to_string().contains("secret\""), "{error}");
    }
}

#[tokio::test]
async fn what_the_operator_may_not_do_is_not_taken_for_a_server_that_is_away() {
    for answer in [http(403, "", "{}"), http(200, "", r#"{"realm": "acme"}"#)] {
        let error = observe(vec![answer]).await.unwrap_err();
        assert_eq!((error.class(), error.reason()), (Class::Transient, Reason::ForbiddenByStore));
        assert!(error.to_string().contains("manage-realm"), "{error}");
    }
}

#[tokio::test]
async fn a_write_that_was_cut_off_is_not_sent_again() {
    // The realm is not there; its making is cut off; a second one would be well.
    let answers = vec![http(404, "", "{}"), String::new(), http(201, "", "")];
    let store = KeycloakStore::open(&answering(answers).await).await.unwrap();
    let desired = samples::desired(samples::tenant("acme"));
    let error = store.apply(&desired, &Expected::Absent).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for_for_ever() {
    let (_silent, silence) = listening().await;
    // Its token is from another one.
    let mut store = KeycloakStore::open(&answering(Vec::new()).await).await.unwrap();
    let token = store.server.token().await;
    store.server = Server::new(&silence).unwrap();
    store.server.wait_for(Duration::from_millis(200));
    store.server.trust(token).await;
    let error = store.observe(&Key::Tenant { tenant: "acme".into() }).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert!(error.to_string().contains("gave no answer within"), "{error}");
}

#[tokio::test]
async fn no_more_requests_are_under_way_than_may_be() {
    let (listener, options) = listening().await;
    let [under_way, most, tokens] = [(); 3].map(|()| Arc::new(AtomicUsize::new(0)));
    let counted = (under_way, most.clone(), tokens.clone());
    // Each is answered once three are there.
    let three = Arc::new(Barrier::new(3));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let ((under_way, most, tokens), three) = (counted.clone(), three.clone());
            tokio::spawn(async move {
                let mut request = vec![0; 65536];
                let read = stream.read(&mut request).await.unwrap_or_default();
                let answer = if request[..read].starts_with(b"POST") {
                    tokens.fetch_add(1, SeqCst);
                    a_token()
                } else {
                    most.fetch_max(under_way.fetch_add(1, SeqCst) + 1, SeqCst);
                    three.wait().await;
                    under_way.fetch_sub(1, SeqCst);
                    http(404, "", "{}")
                };
                stream.write_all(answer.as_bytes()).await.unwrap();
            });
        }
    });
    let store = KeycloakStore::open(&Options { concurrency: 3, ..options }).await.unwrap();
    // All find that there is no token, and one asks for it.
    store.server.forget(&store.server.token().await).await;
    let keys: Vec<_> = (0..9).map(|n| Key::Tenant { tenant: format!("t{n}") }).collect();
    for observed in join_all(keys.iter().map(|key| store.observe(key))).await {
        assert_eq!(observed.unwrap(), None);
    }
    assert_eq!((most.load(SeqCst), tokens.load(SeqCst)), (3, 2));
}

#[tokio::test]
async fn a_busy_server_is_asked_again_when_it_says() {
    let began = std::time::Instant::now();
    let answers = vec![
        http(429, "Retry-After: 1\r\n", "{}"),
        http(503, "", "{}"),
        // Is it of all of Keycloak?
        http(200, "", "{}"),
        http(401, "", "{}"),
        http(404, "", "{}"),
    ];
    assert_eq!(observe(answers).await.unwrap(), None);
    assert!(began.elapsed() >= Duration::from_secs(1));
}

/// What a proxy says that finds no Keycloak behind it.
#[tokio::test]
async fn what_cannot_be_found_at_all_is_not_taken_for_deleted() {
    let proxy = || http(404, "Content-Type: text/plain\r\n", "404 page not found\n");
    let store = KeycloakStore::open(&answering(vec![proxy()]).await).await.unwrap();
    let ada = samples::user("acme", "ada", None);
    let error = store.delete(&ada.key(), &samples::mark(&ada.key())).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
}

/// Nothing is sent meanwhile, for whatever object.
#[tokio::test]
async fn a_server_that_asks_for_a_long_pause_gets_it() {
    let answers = vec![http(429, "Retry-After: 60\r\n", "{}"), http(404, "", "{}")];
    let store = KeycloakStore::open(&answering(answers).await).await.unwrap();
    for tenant in ["acme", "other"] {
        let error = store.observe(&Key::Tenant { tenant: tenant.into() }).await.unwrap_err();
        assert!(error.to_string().contains("429"), "{error}");
    }
}

#[tokio::test]
async fn who_waits_for_a_place_when_it_asks_for_a_pause_sends_nothing_either() {
    let nothing = || http(404, "", "{}");
    let answers = vec![http(429, "Retry-After: 60\r\n", "{}"), nothing(), nothing()];
    let options = Options { concurrency: 1, ..answering(answers).await };
    let store = KeycloakStore::open(&options).await.unwrap();
    let keys = ["one", "two", "three"].map(|name| Key::Tenant { tenant: name.into() });
    for observed in join_all(keys.iter().map(|key| store.observe(key))).await {
        let error = observed.unwrap_err();
        assert!(error.to_string().contains("429"), "{error}");
    }
}

#[tokio::test]
async fn nobody_is_let_in_with_a_wrong_secret() {
    let options = Options::new(
        Address::parse(&variable("")).unwrap(),
        credentials(variable("_CLIENT_ID"), Source::Value("wrong".to_owned().into())),
    );
    let error = KeycloakStore::open(&options).await.err().unwrap();
    // Somebody may be exchanging it.
    assert!(matches!(error, OpenError::Away { .. }));
    let said = error.to_string();
    assert!(said.contains("--store-password-file") && !said.contains("wrong"), "{said}");

    let far = Options { address: Address::parse("http://id.example").unwrap(), ..options };
    let said = KeycloakStore::open(&far).await.err().unwrap().to_string();
    assert!(said.contains("keycloak+https://"), "{said}");
}

/// A server with a certificate for `name`; and the file with the CA that signed it.
async fn over_tls(name: &str) -> (Options, tempfile::NamedTempFile) {
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, format!("CA of {name}"));
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([name.to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &ca).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), ca.pem()).unwrap();

    let config = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .unwrap();
    let (listener, options) = listening().await;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut vec![0; 65536]).await;
            let _ = stream.write_all(a_token().as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    let address = Address { is_secure: true, ..options.address };
    (Options { address, ..options }, file)
}

#[tokio::test]
async fn a_server_is_known_by_its_certificate() {
    let (options, ca) = over_tls("127.0.0.1").await;
    let with = |options: &Options, ca: &tempfile::NamedTempFile| Options {
        ca_file: Some(ca.path().into()),
        ..options.clone()
    };
    KeycloakStore::open(&with(&options, &ca)).await.unwrap();
    let (other, other_ca) = over_tls("id.example").await;
    for (stranger, says) in [
        (with(&options, &other_ca), "UnknownIssuer"),
        (with(&other, &other_ca), "not valid for name"),
    ] {
        let said = KeycloakStore::open(&stranger).await.err().unwrap().to_string();
        assert!(said.contains(says), "{said}");
    }
}

#[tokio::test]
async fn a_secret_that_changed_is_read_anew() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let secret = std::fs::read_to_string(variable("_SECRET_FILE")).unwrap();
    std::fs::write(file.path(), &secret).unwrap();
    let login = credentials(variable("_CLIENT_ID"), Source::File(file.path().into()));
    let options = Options::new(Address::parse(&variable("")).unwrap(), login);
    let store = KeycloakStore::open(&options).await.unwrap();
    let key = Key::Tenant { tenant: "nobody-has-this-one".into() };
    assert_eq!(store.observe(&key).await.unwrap(), None);
    let token = store.server.token().await;
    // It no longer holds, and neither does the secret.
    std::fs::write(file.path(), "another").unwrap();
    store.server.forget(&token).await;
    let error = store.observe(&key).await.unwrap_err();
    assert!(error.to_string().contains("client id and secret"), "{error}");
    std::fs::write(file.path(), &secret).unwrap();
    assert_eq!(store.observe(&key).await.unwrap(), None);
}

/// Keycloak takes every request, however late: so none is sent once another operator may lead.
#[tokio::test]
async fn once_the_term_has_ended_nothing_is_asked() {
    let term = Term::since(Instant::now());
    let nothing = || http(404, "", "{}");
    let options = Options { term: term.clone(), ..answering(vec![nothing(), nothing()]).await };
    let store = KeycloakStore::open(&options).await.unwrap();
    let key = Key::Tenant { tenant: "acme".into() };
    assert_eq!(store.observe(&key).await.unwrap(), None);

    // What is under way when it ends is given up.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = Address::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let silent = Options { address: silent, ..options };
    let server = super::super::server::Server::new(&silent).unwrap();
    let asked = async {
        let failure = server.read("/acme").await.unwrap_err();
        assert!(failure.to_string().contains("does not lead any more"), "{failure}");
    };
    let ended = async {
        let (_connection, _) = listener.accept().await.unwrap();
        term.end();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = asked => {}
        () = ended => {}
    }
    let error = store.observe(&key).await.unwrap_err();
    assert!(error.to_string().contains("does not lead any more"), "{error}");
    assert!(server.read("/acme").await.is_err());
    assert!(listener.accept().now_or_never().is_none(), "nothing was sent");
}
