//! A network between the operator and its server that fails at the worst moment.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// When the next connection is cut.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Before the server hears of the commit.
    Before,
    /// After it, before its answer gets through.
    After,
}

/// Passes on what it gets, until it is told to cut.
pub(super) struct Proxy {
    pub(super) address: String,
    before: Arc<AtomicBool>,
    after: Arc<AtomicBool>,
}

impl Proxy {
    pub(super) async fn new(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (before, after) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let proxy = Self { address, before: before.clone(), after: after.clone() };
        let server = server.to_owned();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await;
                let (before, after) = (before.clone(), after.clone());
                if let Ok(server) = server {
                    tokio::spawn(pass(client, server, before, after));
                }
            }
        });
        proxy
    }

    /// Cuts the next connection that commits.
    pub(super) fn cut(&self, when: Cut) {
        match when {
            Cut::Before => self.before.store(true, SeqCst),
            Cut::After => self.after.store(true, SeqCst),
        }
    }

    /// Whether a connection is still to be cut.
    pub(super) fn is_armed(&self) -> bool {
        self.before.load(SeqCst) || self.after.load(SeqCst)
    }
}

async fn pass(
    mut client: TcpStream,
    mut server: TcpStream,
    before: Arc<AtomicBool>,
    after: Arc<AtomicBool>,
) {
    let (mut asked, mut answered) = ([0; 16 * 1024], [0; 16 * 1024]);
    let mut last = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                let commits = asked[..length].windows(7).any(|word| word == b"COMMIT\0");
                if commits && before.swap(false, SeqCst) {
                    return;
                }
                last = commits && after.swap(false, SeqCst);
                if server.write_all(&asked[..length]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                // It has answered, so it has committed.
                if last || client.write_all(&answered[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}
