//! The flags that say which store, and opening it.

use std::{env, path::PathBuf, sync::Arc, time::Duration};

use backon::{ExponentialBuilder, Retryable};
use clap::Args;

use super::opening::Tries;
use crate::leadership::Term;
use crate::store::{
    self, Credentials, OpenError, Source, Store, StoreUrl,
    keycloak::{self, KeycloakStore},
};

/// How long a store may be away before the operator gives up starting.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
#[group(id = "store-flags")]
#[allow(clippy::doc_markdown, reason = "it is the text of --help")]
pub(super) struct Flags {
    /// Where tenants, roles and users live: sqlite:PATH, a file that is made if it is not there, postgres://HOST/DATABASE, or keycloak+https://HOST[:PORT][/PATH]. One operator at a time can have it.
    #[arg(
        long,
        env = "KEYREEVE_STORE",
        value_name = "URL",
        default_value = "sqlite:/var/lib/keyreeve/keyreeve.db",
        hide_env_values = true,
        help_heading = "Store"
    )]
    store: String,

    /// The file with the operator's name at a store that is a server (at Keycloak, the id of its client; default: keyreeve); read again when the login is refused. Or the environment variable KEYREEVE_STORE_USERNAME, or PGUSER.
    #[arg(long, env = "KEYREEVE_STORE_USERNAME_FILE", value_name = "PATH", help_heading = "Store")]
    store_username_file: Option<PathBuf>,

    /// The file with its password (at Keycloak, the client's secret); read again when the login is refused. Or the environment variable KEYREEVE_STORE_PASSWORD, or PGPASSWORD.
    #[arg(long, env = "KEYREEVE_STORE_PASSWORD_FILE", value_name = "PATH", help_heading = "Store")]
    store_password_file: Option<PathBuf>,

    /// Keycloak: the PEM file with the certificates to trust. Default: those of the system.
    #[arg(long, env = "KEYREEVE_STORE_CA_FILE", value_name = "PATH", help_heading = "Store")]
    store_ca_file: Option<PathBuf>,

    /// Keycloak: speak to it without TLS beyond this machine. Whoever is on the way can read the operator's secret.
    #[arg(long, env = "KEYREEVE_STORE_ALLOW_HTTP", help_heading = "Store")]
    store_allow_http: bool,

    /// Keycloak: how many requests may be under way at the same time.
    #[arg(long, env = "KEYREEVE_STORE_MAX_REQUESTS", value_name = "NUMBER", default_value_t = keycloak::CONCURRENCY, value_parser = of_requests, help_heading = "Store")]
    store_max_requests: usize,
}

fn of_requests(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=256).contains(number));
    number.ok_or_else(|| "it is a number from 1 to 256".into())
}

impl Flags {
    /// The URL. Read here and not by clap, which would print all of it: people write passwords into URLs.
    pub(super) fn url(&self) -> Result<StoreUrl, String> {
        self.store.parse().map_err(|error: OpenError| error.to_string())
    }

    /// Opens the store, and waits for a while if it is away.
    pub(super) async fn open(
        &self,
        url: &StoreUrl,
        term: &Term,
        tries: &Tries,
    ) -> Result<Arc<dyn Store>, OpenError> {
        let credentials = Credentials {
            username: source(self.store_username_file.as_ref(), "KEYREEVE_STORE_USERNAME"),
            password: source(self.store_password_file.as_ref(), "KEYREEVE_STORE_PASSWORD"),
        };
        let backoff = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(5))
            .with_total_delay(Some(PATIENCE))
            .without_max_times();
        (|| self.open_once(url, &credentials, term))
            .retry(backoff)
            .when(|error| matches!(error, OpenError::Away { .. }))
            .notify(|error, _| tries.failed(error))
            .await
    }

    async fn open_once(
        &self,
        url: &StoreUrl,
        credentials: &Credentials,
        term: &Term,
    ) -> Result<Arc<dyn Store>, OpenError> {
        let StoreUrl::Keycloak(address) = url else {
            return store::open_for(url, credentials, term).await;
        };
        let ca_file = self.store_ca_file.clone();
        let options = keycloak::Options {
            ca_file: ca_file.filter(|path| !path.as_os_str().is_empty()),
            allow_http: self.store_allow_http,
            concurrency: self.store_max_requests,
            term: term.clone(),
            ..keycloak::Options::new(address.clone(), credentials.clone())
        };
        Ok(Arc::new(KeycloakStore::open(&options).await?))
    }
}

/// The file if there is one, else the environment variable. Empty says nothing.
fn source(file: Option<&PathBuf>, variable: &str) -> Option<Source> {
    let file = file.filter(|path| !path.as_os_str().is_empty());
    let value = || env::var(variable).ok().filter(|value| !value.is_empty());
    match file {
        Some(path) => Some(Source::File(path.clone())),
        None => value().map(|value| Source::Value(value.into())),
    }
}
