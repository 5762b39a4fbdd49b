//! A network between the operator and its server that fails at the worst moment.

use std::{
    future::pending,
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// When a connection is cut.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Before the server hears of the commit.
    Before,
    /// After it, before its answer gets through.
    After,
}

/// Passes on what it gets, until it is told otherwise.
pub(super) struct Proxy {
    pub(super) address: String,
    plan: Arc<Mutex<Plan>>,
    silence: watch::Sender<Silence>,
}

/// When nothing gets through any more, and nobody is told.
#[derive(Clone, Copy, Default)]
struct Silence {
    /// How often it fell: on the connections that there were then it lasts for ever.
    fell: usize,
    /// Whether new ones are silent, too.
    lasts: bool,
}

#[derive(Default)]
struct Plan {
    /// At which of the next commits.
    cut: Option<(Cut, usize)>,
    has_cut: bool,
    babbles: bool,
}

impl Plan {
    /// A connection commits: whether it is cut.
    fn at_commit(&mut self) -> Option<Cut> {
        let (when, step) = self.cut?;
        self.cut = (step > 1).then_some((when, step - 1));
        self.has_cut |= self.cut.is_none();
        self.cut.is_none().then_some(when)
    }
}

impl Proxy {
    pub(super) async fn new(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let proxy = Self { address, plan: Arc::default(), silence: watch::Sender::default() };
        let (plan, silence) = (proxy.plan.clone(), proxy.silence.subscribe());
        let server = server.to_owned();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let Ok(mut server) = TcpStream::connect(&server).await else { continue };
                let (plan, mut silence) = (plan.clone(), silence.clone());
                let fell = silence.borrow_and_update().fell;
                tokio::spawn(async move {
                    tokio::select! {
                        biased;
                        () = silent(&mut silence, fell) => {
                            // Both sides are there, and hear nothing.
                            pending::<()>().await;
                        }
                        () = pass(&mut client, &mut server, &plan) => {}
                    }
                });
            }
        });
        proxy
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap()
    }

    /// Cuts the connection that makes the commit of this number, beginning with 1, from now on.
    pub(super) fn cut(&self, when: Cut, step: usize) {
        let mut plan = self.plan();
        (plan.cut, plan.has_cut) = (Some((when, step)), false);
    }

    /// Whether the connection was cut; if not, it no longer will be.
    pub(super) fn has_cut(&self) -> bool {
        let mut plan = self.plan();
        plan.cut = None;
        plan.has_cut
    }

    /// From now on nothing gets through, on new connections neither, until [`Proxy::ends_silence`].
    pub(super) fn falls_silent(&self) {
        self.silence.send_modify(|now| *now = Silence { fell: now.fell + 1, lasts: true });
    }

    /// New connections work again; those from before never will.
    pub(super) fn ends_silence(&self) {
        self.silence.send_modify(|now| now.lasts = false);
    }

    /// Whether answers are what no server of databases says.
    pub(super) fn babble(&self, babbles: bool) {
        self.plan().babbles = babbles;
    }
}

/// Done when nothing gets through any more on a connection that was made when silence had fallen so often.
async fn silent(silence: &mut watch::Receiver<Silence>, fell: usize) {
    // It ends with the test.
    let _ = silence.wait_for(|now| now.lasts || now.fell > fell).await;
}

async fn pass(client: &mut TcpStream, server: &mut TcpStream, plan: &Mutex<Plan>) {
    let (mut asked, mut answered) = ([0; 16 * 1024], [0; 16 * 1024]);
    let mut last = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                if plan.lock().unwrap().babbles {
                    let _ = client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
                    return;
                }
                let commits = asked[..length].windows(7).any(|word| word == b"COMMIT\0");
                let cut = if commits { plan.lock().unwrap().at_commit() } else { None };
                if cut == Some(Cut::Before) {
                    return;
                }
                last = cut == Some(Cut::After);
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
