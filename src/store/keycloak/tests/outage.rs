//! Keycloak is away: one finds out whether it is back, and the others say at once that it is not.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt as _, poll, stream};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Notify,
    time::timeout,
};

use super::{
    failures::{a_token, http, listening},
    faults::{Act, Faults},
    hand::{options, variable},
};
use crate::store::{
    Error, Key, Store,
    keycloak::{KeycloakStore, server::Server},
};

/// As many as the operator looks at at a time.
const AT_A_TIME: usize = 4;

async fn start() -> (Faults, KeycloakStore) {
    let faults = Faults::start(variable("").replace("http://", "")).await;
    let address = format!("http://{}", faults.address);
    let options = options(&address, "_CLIENT_ID", "_SECRET_FILE");
    (faults, KeycloakStore::open(&options).await.unwrap())
}

/// Looks at so many tenants that are not there, and asserts that each look fails and says this.
async fn all_say(store: &KeycloakStore, tenants: usize, says: &str) {
    let keys = (0..tenants).map(|n| Key::Tenant { tenant: format!("nobody-{n}") });
    let look = |key: Key| async move { store.observe(&key).await };
    let mut looks = stream::iter(keys).map(look).buffer_unordered(AT_A_TIME);
    while let Some(looked) = looks.next().await {
        let error = looked.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[tokio::test]
async fn where_a_proxy_answers_in_its_place_the_last_one_soon_says_so() {
    let (faults, store) = start().await;
    for status in [502, 503, 504] {
        faults.act(move |_| Act::Page(status));
        // Were each sent four times, it would take more than a minute.
        let says = format!("something says {status}");
        let all = all_say(&store, 200, &says);
        timeout(Duration::from_secs(40), all).await.expect("some wait for too long");
        faults.act(|_| Act::Pass);
        let look = store.observe(&Key::Tenant { tenant: "nobody".into() }).await;
        assert_eq!(look.unwrap(), None);
    }
}

#[tokio::test]
async fn a_page_in_its_place_is_no_sign_that_keycloak_answers_others() {
    let (faults, mut store) = start().await;
    let patience = Duration::from_secs(1);
    store.server.wait_for(patience);
    for status in [503, 404, 200] {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        faults.act(move |request| {
            if request.contains("/admin/") {
                counted.fetch_add(1, SeqCst);
                Act::Hang
            } else if request.starts_with("GET /realms/master ") {
                Act::Page(status)
            } else {
                Act::Pass
            }
        });
        let began = Instant::now();
        all_say(&store, 20, "gave no answer within 1 s").await;
        // At first nothing is known; then one after the other finds out, and the others need not.
        let most = AT_A_TIME as u64 + began.elapsed().as_secs();
        assert!(asked.load(SeqCst) as u64 <= most, "{asked:?} of {most}");
        faults.act(|_| Act::Pass);
        let look = async {
            while store.observe(&Key::Tenant { tenant: "nobody".into() }).await.is_err() {}
        };
        timeout(Duration::from_mins(1), look).await.expect("it is back");
    }
}

/// Whoever is told of it has sent nothing.
#[tokio::test]
async fn a_connection_that_breaks_does_not_fail_the_writes_of_others() {
    let (listener, options) = listening().await;
    let [came, may_go_on] = [(); 2].map(|()| Arc::new(Notify::new()));
    let (has_come, goes_on) = (came.clone(), may_go_on.clone());
    let reads = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (came, may_go_on, reads) = (came.clone(), may_go_on.clone(), reads.clone());
            tokio::spawn(async move {
                let mut request = vec![0; 65536];
                let read = stream.read(&mut request).await.unwrap_or_default();
                let request = String::from_utf8_lossy(&request[..read]).into_owned();
                let answer = if request.contains("/openid-connect/token") {
                    a_token()
                } else if request.starts_with("POST") {
                    http(201, "", "")
                } else if reads.fetch_add(1, SeqCst) == 0 {
                    return;
                } else {
                    came.notify_one();
                    may_go_on.notified().await;
                    http(404, "", "{}")
                };
                stream.write_all(answer.as_bytes()).await.unwrap();
            });
        }
    });
    let mut server = Server::new(&options).unwrap();
    server.wait_for(Duration::from_mins(5));
    let read = server.read("/one");
    let write = async {
        // The read was cut off, and is sent again.
        has_come.notified().await;
        let body = json!({});
        let mut write = pin!(server.post("/two/users", &body));
        assert!(poll!(&mut write).is_pending(), "it waits for what comes of that");
        goes_on.notify_one();
        write.await
    };
    let (read, write) = tokio::join!(read, write);
    assert_eq!(read.unwrap(), None);
    write.unwrap();
}
