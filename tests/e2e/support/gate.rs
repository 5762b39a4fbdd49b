//! A way to a server that a test can close, so that it has an outage of its own of a server that others use.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// Passes connections on to a server. Closed, it is like a server that was stopped: it takes connections and
/// requests, and answers none; once it is open again, the server gets all of it, also what nobody waits for any more.
pub struct Gate {
    /// `HOST:PORT`.
    pub address: String,
    is_open: Arc<watch::Sender<bool>>,
    task: JoinHandle<()>,
}

impl Gate {
    /// A way to the server at `HOST:PORT`, open.
    pub async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let is_open = Arc::new(watch::Sender::new(true));
        let (open, server) = (is_open.clone(), server.to_owned());
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (open, server) = (open.clone(), server.clone());
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(&server).await else { return };
                    pass(client, server, &open).await;
                });
            }
        });
        Self { address, is_open, task }
    }

    /// From now on nothing gets through.
    pub fn close(&self) {
        self.is_open.send_replace(false);
    }

    /// Lets everything through again.
    pub fn open(&self) {
        self.is_open.send_replace(true);
    }
}

async fn pass(mut client: TcpStream, mut server: TcpStream, is_open: &watch::Sender<bool>) {
    let ((mut asks, mut hears), (mut answers, mut is_asked)) = (client.split(), server.split());
    let there = one_way(&mut asks, &mut is_asked, is_open.subscribe());
    let back = one_way(&mut answers, &mut hears, is_open.subscribe());
    tokio::select! {
        () = there => {
            // Who asked has gone. The server still has time to do what it was asked for.
            let _ = is_asked.shutdown().await;
            let _ = tokio::time::timeout(Duration::from_secs(5), answers.read_to_end(&mut Vec::new())).await;
        }
        () = back => {}
    }
}

async fn one_way(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    mut is_open: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        let opened = is_open.wait_for(|is_open| *is_open).await.is_ok();
        if !opened || to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}
