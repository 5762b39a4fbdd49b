//! `keyreeve run`: the operator.

use std::{collections::BTreeSet, net::SocketAddr, str::FromStr, sync::Arc};

use clap::Args;
use futures::FutureExt;
use globset::{Glob, GlobSet, GlobSetBuilder};
use kube::{Client, Config};
use tokio::signal::unix::{SignalKind, signal};

use super::{leader, opening::Tries, operate::Operator, store as store_flags, webhook};
use crate::{
    admission,
    api::Duration,
    controller::{self, Clients, Needs, Options, StartError},
    leadership::Term,
    telemetry::{self, Health, LogFormat, Metrics},
};

/// How long the API server may take to answer before the operator gives up starting, and how much longer for each
/// namespace that it is asked about.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
const PATIENCE_A_NAMESPACE: std::time::Duration = std::time::Duration::from_secs(1);

/// How long the API server may take for an answer, and a connection be idle.
const ANSWER: std::time::Duration = std::time::Duration::from_secs(30);

/// How long it may keep silent on a watch: longer than that lasts.
const SILENCE: std::time::Duration = std::time::Duration::from_mins(1);

/// Run the operator until it is told to stop.
///
/// It finds the cluster as kubectl does (KUBECONFIG, ~/.kube/config), or from
/// its ServiceAccount when it runs in one.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    store: store_flags::Flags,

    /// Take over what carries the mark of this owner: the id that the conflict's message prints. Repeatable.
    #[arg(
        long,
        env = "KEYREEVE_TAKE_OVER_FROM",
        value_name = "OWNER",
        value_delimiter = ',',
        help_heading = "Store"
    )]
    take_over_from: Vec<String>,

    /// Tenant ids that Tenants with adoptionPolicy: Adopt may adopt, such as "acme" or "team-*". Repeatable; none unless given.
    #[arg(
        long,
        env = "KEYREEVE_ADOPTABLE",
        value_name = "GLOB",
        value_delimiter = ',',
        help_heading = "Store"
    )]
    adoptable: Vec<Glob>,

    /// The owner that marks in the store carry. Default: the UID of the namespace kube-system, a slash, and the operator's namespace.
    #[arg(long, env = "KEYREEVE_OWNER_ID", value_name = "ID", help_heading = "Store")]
    owner_id: Option<String>,

    /// Watch only this Kubernetes namespace; no cluster-wide right is needed then, but for --webhook-configuration. One that cannot be read holds up none of the others. Repeatable; all unless given.
    #[arg(
        long,
        env = "KEYREEVE_WATCH_NAMESPACE",
        value_name = "NAMESPACE",
        value_delimiter = ',',
        help_heading = "Cluster"
    )]
    watch_namespace: Vec<String>,

    /// The namespace that the operator runs in. Default: that of its ServiceAccount, or of the kubeconfig's context.
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAMESPACE", help_heading = "Cluster")]
    operator_namespace: Option<String>,

    /// The namespace of the Secrets that hold the tenants' signing keys: whoever reads Secrets there can sign for every tenant. Default: that of the operator.
    #[arg(
        long,
        env = "KEYREEVE_KEYSTORE_NAMESPACE",
        value_name = "NAMESPACE",
        help_heading = "Cluster"
    )]
    keystore_namespace: Option<String>,

    /// Kubernetes namespaces whose Secrets may hold the passwords of Users. Repeatable; those that are watched unless given.
    #[arg(
        long,
        env = "KEYREEVE_SECRETS_NAMESPACE",
        value_name = "NAMESPACE",
        value_delimiter = ',',
        help_heading = "Cluster"
    )]
    secrets_namespace: Vec<String>,

    /// The TenantProfile of Tenants that name none.
    #[arg(
        long,
        env = "KEYREEVE_DEFAULT_PROFILE",
        value_name = "NAMESPACE/NAME",
        help_heading = "Cluster"
    )]
    default_profile: Option<ProfileName>,

    #[command(flatten)]
    leader: leader::Flags,

    #[command(flatten)]
    webhook: webhook::Flags,

    /// How often every object is compared with the store again, such as 10m: at least 1s.
    #[arg(long, env = "KEYREEVE_RESYNC", value_name = "DURATION", default_value = "10m", value_parser = resync, help_heading = "Work")]
    resync: Duration,

    /// How many objects of a kind are worked on at the same time.
    #[arg(long, env = "KEYREEVE_MAX_CONCURRENT_RECONCILES", value_name = "NUMBER", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256), help_heading = "Work")]
    max_concurrent_reconciles: u16,

    /// Where /metrics is answered, such as 0.0.0.0:8080; 0 switches it off.
    #[arg(
        long,
        env = "KEYREEVE_METRICS_BIND_ADDRESS",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080",
        help_heading = "Telemetry"
    )]
    metrics_bind_address: BindAddress,

    /// Where /healthz and /readyz are answered, such as 0.0.0.0:8081; 0 switches them off.
    #[arg(
        long,
        env = "KEYREEVE_HEALTH_PROBE_BIND_ADDRESS",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8081",
        help_heading = "Telemetry"
    )]
    health_probe_bind_address: BindAddress,

    /// How logs are written to standard error; auto: text on a terminal, JSON otherwise.
    #[arg(long, env = "KEYREEVE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Auto, help_heading = "Telemetry")]
    log_format: LogFormat,

    /// What is logged: error, warn, info, debug or trace, or a list such as info,keyreeve=debug.
    #[arg(
        long,
        env = "KEYREEVE_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info",
        help_heading = "Telemetry"
    )]
    log_level: String,
}

impl Run {
    pub fn execute(self) -> Result<(), String> {
        telemetry::init_logs(self.log_format, &self.log_level)
            .map_err(|error| format!("--log-level {:?} cannot be read: {error}", self.log_level))?;
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("the runtime cannot be started: {error}"))?
            .block_on(self.run())
    }

    async fn run(mut self) -> Result<(), String> {
        let url = self.store.url()?;
        // An environment variable that is empty says nothing.
        for list in
            [&mut self.watch_namespace, &mut self.secrets_namespace, &mut self.take_over_from]
        {
            list.retain(|item| !item.is_empty());
        }
        self.owner_id = self.owner_id.filter(|owner| !owner.is_empty());
        if let Some(profile) = &self.default_profile
            && !self.watch_namespace.is_empty()
            && !self.watch_namespace.contains(&profile.namespace)
        {
            return Err(format!(
                "--default-profile is in the namespace {0}, which is not watched: add --watch-namespace {0}",
                profile.namespace
            ));
        }
        let stop = stopped()
            .map_err(|error| format!("signals cannot be received: {error}"))?
            .boxed()
            .shared();
        let mut config = Config::infer().await.map_err(|error| {
            format!("no cluster is configured: {error}. Set KUBECONFIG, or run it in a Pod with a ServiceAccount")
        })?;
        // No answer is an answer: a connection that died silently must not hold a reconcile for ever.
        config.read_timeout = Some(ANSWER);
        config.write_timeout = Some(ANSWER);
        // From the request on, not from the answer before it.
        config.reset_reader_on_write = true;
        let operator_namespace = self
            .operator_namespace
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| config.default_namespace.clone());
        let mut watching = config.clone();
        watching.read_timeout = Some(SILENCE);
        let client = |config| {
            Client::try_from(config)
                .map_err(|error| format!("the cluster's configuration cannot be used: {error}"))
        };
        let clients = Clients { asking: client(config)?, watching: client(watching)? };
        let keystore_namespace = self
            .keystore_namespace
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| operator_namespace.clone());
        let webhook = self.webhook.listen(&operator_namespace).await?;
        let candidacy = self.leader.candidacy(&operator_namespace)?;
        let needs = Needs {
            watch_namespaces: self.watch_namespace.clone(),
            secrets_namespaces: self.secrets_namespace.clone(),
            operator_namespace: operator_namespace.clone(),
            keystore_namespace: keystore_namespace.clone(),
            asks_for_owner: self.owner_id.is_none(),
            lease: candidacy.as_ref().map(|candidacy| candidacy.place.clone()),
            webhook_secret: webhook.as_ref().and_then(|webhook| match &webhook.source {
                admission::Source::Own { service, .. } => Some(service.clone()),
                admission::Source::Files(_) => None,
            }),
            webhook_configuration: webhook.as_ref().and_then(|w| w.configuration.clone()),
        };
        let (health, metrics) = (Health::default(), Arc::new(Metrics::default()));
        telemetry::serve(
            self.health_probe_bind_address.0,
            self.metrics_bind_address.0,
            health.clone(),
            metrics.clone(),
            stop.clone(),
        )
        .await
        .map_err(|error| error.to_string())?;
        // From now on it can be asked whether it is alive, however long the cluster takes to answer, and the store to
        // open.
        tokio::spawn(health.clone().beat());
        let asked = ask_cluster(&clients.asking, &needs, self.owner_id);
        let owner = tokio::select! {
            owner = asked => owner.map_err(|error| error.to_string())?,
            () = stop.clone() => return Ok(()),
        };
        let options = Options {
            owner,
            watch_namespaces: BTreeSet::from_iter(self.watch_namespace).into_iter().collect(),
            operator_namespace,
            keystore_namespace,
            secrets_namespaces: BTreeSet::from_iter(self.secrets_namespace).into_iter().collect(),
            default_profile: self.default_profile.map(|profile| (profile.namespace, profile.name)),
            take_over_from: self.take_over_from,
            adoptable: glob_set(self.adoptable)
                .map_err(|error| format!("--adoptable cannot be used: {error}"))?,
            resync: self.resync.into(),
            max_concurrent_reconciles: self.max_concurrent_reconciles,
            webhook,
        };
        let store_kind = url.kind();
        let operator = Operator { store_kind, clients, options, metrics, health, stop };
        let open = async |term: &Term, tries: &Tries| self.store.open(&url, term, tries).await;
        match candidacy {
            Some(candidacy) => Box::pin(operator.elected(candidacy, open)).await,
            None => operator.alone(open).await,
        }
    }
}

/// Checks that the cluster can be worked with, and answers the owner that marks carry.
async fn ask_cluster(
    client: &Client,
    needs: &Needs,
    owner_id: Option<String>,
) -> Result<String, StartError> {
    let asked = async {
        for (namespace, lacks) in controller::check(client, needs).await? {
            tracing::warn!(
                namespace,
                "in this watched namespace the operator may not do all that it has to; it serves the others: {lacks}"
            );
        }
        match owner_id {
            Some(owner) => Ok(owner),
            None => controller::owner_id(client, &needs.operator_namespace).await,
        }
    };
    let namespaces = needs.watch_namespaces.len() + needs.secrets_namespaces.len();
    let patience = PATIENCE_A_NAMESPACE
        .saturating_mul(u32::try_from(namespaces).unwrap_or(u32::MAX))
        .saturating_add(PATIENCE);
    tokio::time::timeout(patience, asked).await.unwrap_or_else(|_| {
        Err(StartError::Unreachable(format!("it gave no answer within {} s", patience.as_secs())))
    })
}

/// Done when the process is told to stop.
fn stopped() -> std::io::Result<impl Future<Output = ()> + Send> {
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("told to stop: finishing what is under way");
    })
}

fn glob_set(globs: Vec<Glob>) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(glob);
    }
    set.build()
}

fn resync(text: &str) -> Result<Duration, String> {
    let duration: Duration = text.parse().map_err(|error| format!("{error}"))?;
    if duration.is_zero() { Err("must be at least 1s".into()) } else { Ok(duration) }
}

/// `NAMESPACE/NAME` of a TenantProfile.
#[derive(Clone, Debug)]
struct ProfileName {
    namespace: String,
    name: String,
}

impl FromStr for ProfileName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((namespace, name))
                if !namespace.is_empty() && !name.is_empty() && !name.contains('/') =>
            {
                Ok(Self { namespace: namespace.into(), name: name.into() })
            }
            _ => Err("must be NAMESPACE/NAME, such as platform/basic".into()),
        }
    }
}

/// An address to listen on, or none.
#[derive(Clone, Copy, Debug)]
pub(super) struct BindAddress(pub(super) Option<SocketAddr>);

impl FromStr for BindAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "0" {
            return Ok(Self(None));
        }
        // controller-runtime writes ":8080" for every address.
        let full = if text.starts_with(':') { format!("[::]{text}") } else { text.to_owned() };
        full.parse().map(|address| Self(Some(address))).map_err(|_| {
            "must be ADDRESS:PORT, such as 127.0.0.1:8080 or :8080, or 0 for none".into()
        })
    }
}
