//! The webhook: its server, its certificate and its registration, for as long as the operator runs.

use std::{path::PathBuf, sync::Arc, time::Duration};

use jiff::Timestamp;
use kube::Client;
use tokio::{net::TcpListener, sync::watch, time::sleep};

use super::{
    certificate::{Current, Serving, files::Files, own::Own},
    registration, review, server,
};
use crate::telemetry::{Health, Metrics};

pub use super::review::Seen;

/// How often files are looked at for changes.
const FILES_PERIOD: Duration = Duration::from_secs(10);

/// How soon what failed is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// What the webhook was started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it answers: an address that is listened on already.
    pub listener: Arc<std::net::TcpListener>,
    /// Where its certificate comes from.
    pub source: Source,
    /// The ValidatingWebhookConfiguration in which the operator says whose certificates are trusted.
    pub configuration: Option<String>,
    /// How often the operator's own certificate and the registration are looked at.
    pub period: Duration,
}

/// Where a certificate comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The operator makes it, in a Secret of the Service's name.
    Own {
        /// The operator's namespace, which the Service is in, too.
        namespace: String,
        /// The Service in front of the webhook.
        service: String,
        /// More names and addresses by which it is reached.
        hosts: Vec<String>,
    },
    /// From files in this folder, which somebody else makes.
    Files(PathBuf),
}

/// The clock.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the webhook has at hand.
pub struct Webhook {
    /// What it was started with.
    pub options: Options,
    /// As whom it comes to the API server.
    pub client: Client,
    /// The clock that certificates go by.
    pub now: Now,
    /// What other objects say, once all were seen.
    pub seen: Seen,
    /// What it counts in.
    pub metrics: Arc<Metrics>,
    /// Where it says that it has a certificate.
    pub health: Health,
}

impl Webhook {
    /// Answers until `stop` is done.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let serving = Arc::new(Serving::default());
        let listener = self.options.listener.try_clone().and_then(TcpListener::from_std);
        let (listener, tls) = match (listener, server::tls(serving.clone())) {
            (Ok(listener), Ok(tls)) => (listener, tls),
            (Err(error), _) => return tracing::error!(%error, "the webhook cannot listen"),
            (_, Err(error)) => return tracing::error!(%error, "the webhook cannot speak TLS"),
        };
        let router = review::router(self.seen.clone(), self.metrics.clone());
        let (trusted, to_trust) = watch::channel(None);
        let shown = Shown {
            serving,
            trusted,
            health: self.health.clone(),
            metrics: self.metrics.clone(),
            last: None,
        };
        tokio::select! {
            () = server::serve(listener, tls, router, stop) => {}
            () = self.keep_certificate(shown) => {}
            () = self.keep_registered(to_trust) => {}
        }
    }

    async fn keep_certificate(&self, mut shown: Shown) {
        let mut trouble = Trouble::default();
        match &self.options.source {
            Source::Own { namespace, service, hosts } => {
                let mut names = vec![format!("{service}.{namespace}.svc")];
                names.extend(hosts.iter().cloned());
                let own = Own::new(self.client.clone(), namespace.clone(), service.clone(), names);
                loop {
                    let looked = own.look((self.now)()).await;
                    let period = trouble.pause(&looked, self.options.period);
                    if let Ok(current) = looked {
                        shown.show(current);
                    }
                    sleep(period).await;
                }
            }
            Source::Files(folder) => {
                let mut files = Files::new(folder.clone());
                loop {
                    match files.look() {
                        Ok(None) => {}
                        Ok(Some(current)) => shown.show(current),
                        Err(error) => tracing::warn!(
                            "{error}. {}",
                            if shown.last.is_some() {
                                "The one before is served"
                            } else {
                                "Nothing is served"
                            }
                        ),
                    }
                    sleep(FILES_PERIOD.min(self.options.period)).await;
                }
            }
        }
    }

    /// Puts the registration right whenever the certificates change, and looks after it.
    async fn keep_registered(&self, mut to_trust: watch::Receiver<Option<String>>) {
        let Some(name) = &self.options.configuration else {
            return std::future::pending().await;
        };
        let mut trouble = Trouble::default();
        loop {
            let bundle = to_trust.borrow_and_update().clone();
            let mut period = self.options.period;
            if let Some(bundle) = bundle {
                let trusted = registration::trust(&self.client, name, &bundle).await;
                if let Ok(true) = trusted {
                    tracing::info!(name, "the API server was told whom to trust");
                }
                period = trouble.pause(&trusted, period);
            }
            tokio::select! {
                changed = to_trust.changed() => if changed.is_err() { return },
                () = sleep(period) => {}
            }
        }
    }
}

/// What is served, and shown to whoever goes by it.
struct Shown {
    serving: Arc<Serving>,
    trusted: watch::Sender<Option<String>>,
    health: Health,
    metrics: Arc<Metrics>,
    last: Option<Current>,
}

impl Shown {
    fn show(&mut self, current: Current) {
        let is_new = self.last.as_ref().is_none_or(|last| last.key.cert != current.key.cert);
        if is_new {
            self.serving.set(current.key.clone());
            tracing::info!(until = %current.life.until, "the webhook serves a new certificate");
        }
        self.trusted.send_if_modified(|trusted| {
            let differs = *trusted != current.bundle;
            trusted.clone_from(&current.bundle);
            differs
        });
        self.health.webhook_is_served();
        self.metrics.webhook.serves_until(registration::VALIDATE, current.life.until);
        self.last = Some(current);
    }
}

/// Says a trouble once, while it lasts.
#[derive(Default)]
struct Trouble(Option<String>);

impl Trouble {
    /// When to look again.
    fn pause<T, E: std::error::Error>(
        &mut self,
        result: &Result<T, E>,
        period: Duration,
    ) -> Duration {
        let Err(error) = result else {
            self.0 = None;
            return period;
        };
        let sentence = error.to_string();
        if self.0.as_ref() != Some(&sentence) {
            tracing::warn!("{sentence}");
            self.0 = Some(sentence);
        }
        RETRY.min(period)
    }
}
