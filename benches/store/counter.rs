//! A way to Keycloak that counts the requests on it, whoever sends them.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{TcpListener, TcpStream},
};

use crate::Result;

/// How many requests there were.
#[derive(Clone, Copy, Debug, Default)]
pub struct Requests {
    pub reads: usize,
    pub writes: usize,
    pub tokens: usize,
}

impl Requests {
    pub const fn all(self) -> usize {
        self.reads + self.writes + self.tokens
    }
}

#[derive(Default)]
struct Seen {
    requests: Requests,
    import: Vec<u8>,
}

/// Passes connections on to a server.
pub struct Counter {
    /// `HOST:PORT`.
    pub address: String,
    seen: Arc<Mutex<Seen>>,
}

impl Counter {
    pub async fn before(server: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let seen = Arc::<Mutex<Seen>>::default();
        let (server, shared) = (server.to_owned(), seen.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, seen) = (server.clone(), shared.clone());
                tokio::spawn(async move {
                    // A connection that breaks is seen by who uses it.
                    let _ = pass(client, &server, seen).await;
                });
            }
        });
        Ok(Self { address, seen })
    }

    /// The requests since this was asked last.
    pub fn take(&self) -> Requests {
        mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner).requests)
    }

    /// The body of the last import.
    pub fn import(&self) -> Vec<u8> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).import.clone()
    }
}

async fn pass(client: TcpStream, server: &str, seen: Arc<Mutex<Seen>>) -> Result<()> {
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ((mut asks, mut hears), (mut answers, mut is_asked)) =
        (client.into_split(), server.into_split());
    let back = tokio::spawn(async move { copy(&mut answers, &mut hears).await });
    let mut reader = Reader { seen, ..Reader::default() };
    let mut bytes = vec![0; 16 * 1024];
    while let length @ 1.. = asks.read(&mut bytes).await? {
        reader.feed(&bytes[..length]);
        is_asked.write_all(&bytes[..length]).await?;
    }
    back.abort();
    Ok(())
}

/// Reads requests of HTTP/1.1 whose bodies have a length.
#[derive(Default)]
struct Reader {
    seen: Arc<Mutex<Seen>>,
    head: Vec<u8>,
    body: Vec<u8>,
    /// What of the body is still to come.
    missing: usize,
    is_import: bool,
}

impl Reader {
    fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.missing == 0 {
                self.head.push(*byte);
                if self.head.ends_with(b"\r\n\r\n") {
                    self.begin();
                }
                continue;
            }
            self.body.push(*byte);
            self.missing -= 1;
            if self.missing == 0 {
                let body = mem::take(&mut self.body);
                if self.is_import {
                    self.seen.lock().unwrap_or_else(PoisonError::into_inner).import = body;
                }
            }
        }
    }

    fn begin(&mut self) {
        let head = String::from_utf8_lossy(&mem::take(&mut self.head)).to_ascii_lowercase();
        let line = head.lines().next().unwrap_or_default();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        self.missing = length.and_then(|length| length.trim().parse().ok()).unwrap_or_default();
        self.is_import = line.contains("/partialimport ");
        let requests = &mut self.seen.lock().unwrap_or_else(PoisonError::into_inner).requests;
        if line.contains("/openid-connect/token ") {
            requests.tokens += 1;
        } else if line.starts_with("get ") {
            requests.reads += 1;
        } else {
            requests.writes += 1;
        }
    }
}
