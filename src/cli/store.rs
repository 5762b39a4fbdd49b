//! The flags of the store, and opening it.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use zeroize::Zeroizing;

use crate::store::{
    self, Store, StoreUrl,
    keycloak::{Credentials, KeycloakStore, Options, SecretSource},
};

/// The variable that holds the secret of the operator's client, where no file does.
const SECRET: &str = "KEYREEVE_STORE_CLIENT_SECRET";

/// What a store takes beside its URL.
#[derive(Debug, Args)]
pub(super) struct StoreFlags {
    /// Keycloak: the id of the operator's client in the realm master.
    #[arg(
        long = "store-client-id",
        env = "KEYREEVE_STORE_CLIENT_ID",
        value_name = "ID",
        default_value = "keyreeve",
        help_heading = "Store"
    )]
    client_id: String,

    /// Keycloak: the file with the secret of that client. It is read again when Keycloak no longer accepts it. Default: the environment variable `KEYREEVE_STORE_CLIENT_SECRET`.
    #[arg(
        long = "store-client-secret-file",
        env = "KEYREEVE_STORE_CLIENT_SECRET_FILE",
        value_name = "PATH",
        help_heading = "Store"
    )]
    client_secret_file: Option<PathBuf>,

    /// Keycloak: the PEM file with the certificates to trust. Default: those of the system.
    #[arg(
        long = "store-ca-file",
        env = "KEYREEVE_STORE_CA_FILE",
        value_name = "PATH",
        help_heading = "Store"
    )]
    ca_file: Option<PathBuf>,

    /// Keycloak: speak to it without TLS beyond this machine. Whoever is on the way can read the operator's secret.
    #[arg(long = "store-allow-http", env = "KEYREEVE_STORE_ALLOW_HTTP", help_heading = "Store")]
    allow_http: bool,

    /// Keycloak: how many requests may be under way at the same time.
    #[arg(long = "store-max-requests", env = "KEYREEVE_STORE_MAX_REQUESTS", value_name = "NUMBER", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256), help_heading = "Store")]
    max_requests: u16,
}

impl StoreFlags {
    /// Opens the store of this URL.
    pub(super) async fn open(self, url: &StoreUrl) -> Result<Arc<dyn Store>, String> {
        let StoreUrl::Keycloak(address) = url else {
            return store::open(url).await.map_err(|error| error.to_string());
        };
        let file = self.client_secret_file.filter(|path| !path.as_os_str().is_empty());
        let secret = match file {
            Some(path) => SecretSource::File(path),
            None => match std::env::var(SECRET) {
                Ok(secret) if !secret.is_empty() => SecretSource::Value(Zeroizing::new(secret)),
                _ => {
                    return Err(format!(
                        "the secret of the client {} is missing: give --store-client-secret-file, or set {SECRET}",
                        self.client_id
                    ));
                }
            },
        };
        let options = Options {
            address: address.clone(),
            credentials: Credentials { client_id: self.client_id, secret },
            ca_file: self.ca_file.filter(|path| !path.as_os_str().is_empty()),
            allow_http: self.allow_http,
            concurrency: self.max_requests.into(),
        };
        let store = KeycloakStore::open(&options).await.map_err(|error| error.to_string())?;
        Ok(Arc::new(store))
    }
}
