//! The flags of the webhook, a part of `keyreeve run`.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use clap::{Args, builder::FalseyValueParser};

use super::run::BindAddress;
use crate::{
    admission::{Options, Source},
    telemetry,
};

/// How often the webhook's certificate and registration are looked at.
const PERIOD: Duration = Duration::from_mins(1);

/// The flags of the webhook.
#[derive(Debug, Args)]
pub struct Flags {
    /// Answer the API server's admission reviews: what is wrong in an object by itself is refused at once, the rest is warned of.
    #[arg(long, env = "KEYREEVE_WEBHOOK", value_parser = FalseyValueParser::new(), help_heading = "Webhook")]
    webhook: bool,

    /// Where the webhook answers, by HTTPS, such as :9443.
    #[arg(
        long,
        env = "KEYREEVE_WEBHOOK_BIND_ADDRESS",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:9443",
        value_parser = address,
        help_heading = "Webhook"
    )]
    webhook_bind_address: SocketAddr,

    /// The Service in front of the webhook: the certificate is made for it, and kept in a Secret of its name in the operator's namespace.
    #[arg(
        long,
        env = "KEYREEVE_WEBHOOK_SERVICE_NAME",
        value_name = "NAME",
        default_value = "keyreeve-webhook",
        help_heading = "Webhook"
    )]
    webhook_service_name: String,

    /// A further name or address by which the webhook is reached, such as 127.0.0.1 where it is called by URL. Repeatable.
    #[arg(
        long,
        env = "KEYREEVE_WEBHOOK_HOST",
        value_name = "HOST",
        value_delimiter = ',',
        help_heading = "Webhook"
    )]
    webhook_host: Vec<String>,

    /// Take the certificate from this folder (tls.crt, tls.key) instead of making one; it is read again when it changes.
    #[arg(long, env = "KEYREEVE_WEBHOOK_CERT_DIR", value_name = "DIR", help_heading = "Webhook")]
    webhook_cert_dir: Option<PathBuf>,

    /// The ValidatingWebhookConfiguration in which the operator says whose certificate is to be trusted; none: somebody else says it.
    #[arg(
        long,
        env = "KEYREEVE_WEBHOOK_CONFIGURATION",
        value_name = "NAME",
        help_heading = "Webhook"
    )]
    webhook_configuration: Option<String>,
}

impl Flags {
    /// Listens, if there shall be a webhook.
    pub async fn listen(self, operator_namespace: &str) -> Result<Option<Options>, String> {
        if !self.webhook {
            return Ok(None);
        }
        let listener = telemetry::listen(
            self.webhook_bind_address,
            "--webhook-bind-address",
            "leave --webhook out",
        );
        let listener = listener.await.map_err(|error| error.to_string())?;
        let listener =
            listener.into_std().map_err(|error| format!("the webhook cannot listen: {error}"))?;
        // An environment variable that is empty says nothing.
        let folder = self.webhook_cert_dir.filter(|folder| !folder.as_os_str().is_empty());
        Ok(Some(Options {
            listener: Arc::new(listener),
            source: folder.map_or_else(
                || Source::Own {
                    namespace: operator_namespace.to_owned(),
                    service: self.webhook_service_name,
                    hosts: self.webhook_host.into_iter().filter(|host| !host.is_empty()).collect(),
                },
                Source::Files,
            ),
            configuration: self.webhook_configuration.filter(|name| !name.is_empty()),
            period: PERIOD,
        }))
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    const WANTED: &str = "must be ADDRESS:PORT, such as 127.0.0.1:9443 or :9443";
    text.parse::<BindAddress>().ok().and_then(|address| address.0).ok_or_else(|| WANTED.into())
}
