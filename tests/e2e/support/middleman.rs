//! A way to the API server that a test looks into: it records who writes, makes answers late, and answers watches
//! that their version is gone.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use axum::{body::Body, extract::State, http::StatusCode, response::IntoResponse};
use futures::StreamExt as _;
use http::{Method, Request, Response, header};
use http_body_util::BodyExt as _;
use kube::{
    Client, Config,
    config::{AuthInfo, KubeConfigOptions, Kubeconfig},
};
use serde_json::json;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// As much as an object may be.
const MAX_BODY: usize = 4 << 20;

/// Passes requests on to the API server, with the sender's own token.
pub struct Middleman {
    address: String,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

struct Seen {
    client: Client,
    /// How long an answer is held back, in milliseconds.
    delay: AtomicU64,
    /// Whether watches of our kinds are told that their version is gone.
    gone: AtomicBool,
    /// How many were told.
    told: AtomicU64,
    /// When each write came, with method and path.
    writes: Mutex<Vec<(Instant, String)>>,
    /// How many lists of our kinds came.
    lists: AtomicU64,
    /// How often watches were cut.
    cuts: watch::Sender<u64>,
}

impl Middleman {
    /// A way to the server of this kubeconfig.
    pub async fn to(kubeconfig: &Path) -> Self {
        let mut kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
        for user in &mut kubeconfig.auth_infos {
            user.auth_info = Some(AuthInfo::default());
        }
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let seen = Arc::new(Seen {
            client,
            delay: AtomicU64::new(0),
            gone: AtomicBool::new(false),
            told: AtomicU64::new(0),
            writes: Mutex::default(),
            lists: AtomicU64::new(0),
            cuts: watch::Sender::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = axum::Router::new().fallback(pass).with_state(seen.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, seen, task }
    }

    /// Its address as a kubeconfig has it.
    pub fn server(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends the watches that there are; they are begun anew.
    pub fn cut(&self) {
        self.seen.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Holds back each answer from now on for so long.
    pub fn delay(&self, delay: Duration) {
        self.seen.delay.store(delay.as_millis().try_into().unwrap(), Relaxed);
    }

    /// Answers watches of our kinds that their version is gone, as the API server does; or no longer.
    pub fn say_gone(&self, gone: bool) {
        self.seen.gone.store(gone, Relaxed);
    }

    /// How many watches were told that their version is gone.
    pub fn told(&self) -> u64 {
        self.seen.told.load(Relaxed)
    }

    /// How many lists of our kinds there were.
    pub fn lists(&self) -> u64 {
        self.seen.lists.load(Relaxed)
    }

    /// The writes that came after this moment, but for those to the Lease.
    pub fn writes_since(&self, moment: Instant) -> Vec<String> {
        let writes = self.seen.writes.lock().unwrap();
        let after = writes.iter().filter(|(at, _)| *at > moment);
        after.map(|(_, what)| what.clone()).filter(|what| !what.contains("/leases/")).collect()
    }
}

impl Drop for Middleman {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(State(seen): State<Arc<Seen>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let is_ours = parts.uri.path().starts_with("/apis/keyreeve.dev/");
    let query = parts.uri.query().unwrap_or_default();
    let watches = parts.method == Method::GET && query.contains("watch=true");
    if parts.method != Method::GET {
        let what = format!("{} {}", parts.method, parts.uri.path());
        seen.writes.lock().unwrap().push((Instant::now(), what));
    } else if is_ours && !watches {
        seen.lists.fetch_add(1, Relaxed);
    }
    if is_ours && watches && seen.gone.load(Relaxed) {
        seen.told.fetch_add(1, Relaxed);
        let event = json!({"type": "ERROR", "object": {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 410,
            "reason": "Expired", "message": "too old resource version: 1 (2)",
        }});
        let body = Body::from(format!("{event}\n"));
        let answer = Response::builder().header(header::CONTENT_TYPE, "application/json");
        return answer.body(body).unwrap();
    }
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    // By its path alone: the client knows the server.
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut passed = Request::builder().method(parts.method).uri(path);
    for name in [header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT] {
        if let Some(value) = parts.headers.get(&name) {
            passed = passed.header(name, value);
        }
    }
    let answer =
        seen.client.send(passed.body(kube::client::Body::from(body.to_vec())).unwrap()).await;
    let delay = Duration::from_millis(seen.delay.load(Relaxed));
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let mut cuts = seen.cuts.subscribe();
    match answer {
        Ok(answer) if watches => answer.map(|body| {
            let cut = async move {
                let _ = cuts.changed().await;
            };
            Body::from_stream(body.into_data_stream().take_until(Box::pin(cut)))
        }),
        Ok(answer) => answer.map(Body::new),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}
