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
    state: Arc<watch::Sender<State>>,
    task: JoinHandle<()>,
}

#[derive(Clone, Copy, Default)]
struct State {
    is_closed: bool,
    /// How many connections there have been.
    count: u64,
    /// The first of them that get something through.
    first: u64,
}

impl Gate {
    /// A way to the server at `HOST:PORT`, open.
    pub async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(watch::Sender::new(State::default()));
        let (connections, server) = (state.clone(), server.to_owned());
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (state, server) = (connections.clone(), server.clone());
                let number = state.borrow().count;
                state.send_modify(|state| state.count += 1);
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(&server).await else { return };
                    pass(client, server, &state, number).await;
                });
            }
        });
        Self { address, state, task }
    }

    /// From now on nothing gets through.
    pub fn close(&self) {
        self.state.send_modify(|state| state.is_closed = true);
    }

    /// The connections that there are die silently: nothing gets through them ever again, and nobody is told.
    /// New ones are as good as any.
    pub fn freeze(&self) {
        self.state.send_modify(|state| state.first = state.count);
    }

    /// Lets everything through again.
    pub fn open(&self) {
        self.state.send_modify(|state| state.is_closed = false);
    }
}

async fn pass(
    mut client: TcpStream,
    mut server: TcpStream,
    state: &watch::Sender<State>,
    number: u64,
) {
    let ((mut asks, mut hears), (mut answers, mut is_asked)) = (client.split(), server.split());
    let there = one_way(&mut asks, &mut is_asked, state.subscribe(), number);
    let back = one_way(&mut answers, &mut hears, state.subscribe(), number);
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
    mut state: watch::Receiver<State>,
    number: u64,
) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        let opened =
            state.wait_for(|state| !state.is_closed && number >= state.first).await.is_ok();
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
