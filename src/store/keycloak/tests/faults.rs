//! A server between store and Keycloak that does badly with some requests, and passes the others on.

use std::{
    net::SocketAddr,
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What it does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Pass,
    /// Answers it itself, with this status.
    Answer(u16),
    /// Answers it itself, with what is no JSON.
    Babble,
    /// The same, with this status, as what stands before a server does that is away.
    Page(u16),
    /// Closes the connection.
    Cut,
    /// Passes it on, and closes the connection once it is answered.
    CutAfter,
    /// Says nothing for as long as the other one waits.
    Hang,
}

/// By the first line of a request.
type Rule = Box<dyn Fn(&str) -> Act + Send + Sync>;

pub(super) struct Faults {
    pub address: SocketAddr,
    rule: Arc<Mutex<Rule>>,
    /// How many seconds it asks to wait, where it says that it is busy; 0 says nothing of it.
    wait: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Faults {
    pub(super) async fn start(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let rule: Arc<Mutex<Rule>> = Arc::new(Mutex::new(Box::new(|_| Act::Pass)));
        let wait = Arc::<AtomicU64>::default();
        let shared = (rule.clone(), wait.clone());
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let ((rule, wait), server) = (shared.clone(), server.clone());
                tokio::spawn(async move { drop(pass(client, &server, &rule, &wait).await) });
            }
        });
        Self { address, rule, wait, task }
    }

    /// From now on it asks to wait so many seconds, where it says that it is busy.
    pub(super) fn ask_to_wait(&self, seconds: u64) {
        self.wait.store(seconds, Ordering::SeqCst);
    }

    /// From now on the writes between these two numbers are answered so, and all others are passed on.
    pub(super) fn answer_writes(&self, which: Range<usize>, status: u16) {
        let writes = AtomicUsize::new(0);
        self.answer(move |request| {
            let is_write =
                !request.starts_with("GET") && !request.contains("/openid-connect/token");
            let is_one = is_write && which.contains(&writes.fetch_add(1, Ordering::SeqCst));
            is_one.then_some(status)
        });
    }

    /// What is done with requests from now on.
    pub(super) fn act(&self, rule: impl Fn(&str) -> Act + Send + Sync + 'static) {
        *self.rule.lock().unwrap() = Box::new(rule);
    }

    /// From now on requests for which this says a status get it as their answer.
    pub(super) fn answer(&self, rule: impl Fn(&str) -> Option<u16> + Send + Sync + 'static) {
        self.act(move |request| rule(request).map_or(Act::Pass, Act::Answer));
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request a connection.
async fn pass(
    mut client: TcpStream,
    server: &str,
    rule: &Mutex<Rule>,
    wait: &AtomicU64,
) -> std::io::Result<()> {
    let mut request = Vec::new();
    let head = loop {
        if client.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
        if let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = String::from_utf8_lossy(&request[..head]).into_owned();
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    while request.len() < head + length.unwrap_or(0) {
        if client.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let act = rule.lock().unwrap()(text.lines().next().unwrap_or_default());
    match act {
        Act::Answer(status) => {
            let headers = match (status, wait.load(Ordering::SeqCst)) {
                (429 | 503, seconds @ 1..) => format!("Retry-After: {seconds}\r\n"),
                _ => String::new(),
            };
            return answer(&mut client, status, &headers, r#"{"error":"unknown_error"}"#).await;
        }
        Act::Babble => return answer(&mut client, 200, "", "<html>").await,
        Act::Page(status) => return answer(&mut client, status, "", "<html>").await,
        Act::Cut => return Ok(()),
        Act::Hang => return client.read_buf(&mut request).await.map(|_| ()),
        Act::Pass | Act::CutAfter => {}
    }
    let mut server = TcpStream::connect(server).await?;
    let (first, rest) = request.split_at(text.find("\r\n").unwrap_or(0));
    server.write_all(first).await?;
    server.write_all(b"\r\nConnection: close").await?;
    server.write_all(rest).await?;
    if act == Act::CutAfter {
        tokio::io::copy(&mut server, &mut tokio::io::sink()).await?;
    } else {
        tokio::io::copy(&mut server, &mut client).await?;
    }
    Ok(())
}

async fn answer(
    client: &mut TcpStream,
    status: u16,
    headers: &str,
    body: &str,
) -> std::io::Result<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    client.write_all(format!("{head}{body}").as_bytes()).await
}
