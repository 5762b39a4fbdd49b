//! Whether the webhook is registered, and the API server trusts the certificate that it serves. Pure.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingWebhook, ValidatingWebhookConfiguration as Configuration,
};
use kube::ResourceExt;
use tokio_rustls::rustls::{
    CertificateError, Error as TlsError, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};

use super::{
    line::{Check, Line},
    settings::Settings,
};
use crate::api::GROUP;

const KINDS: [&str; 5] = ["tenants", "tenantprofiles", "namespaces", "roles", "users"];

const REINSTALL: &str = "`helm upgrade` with webhook.enabled true makes it as it should be";

/// What is to be said of an operator's webhook, with all registrations for objects of ours, and the certificate
/// that it serves, as PEM, or why that could not be seen.
pub fn judge(
    settings: &Settings,
    registrations: &[Configuration],
    served: &Result<String, String>,
    now: Timestamp,
) -> Vec<Line> {
    let registration = registrations.iter().find(|found| belongs_to(found, settings));
    let Some(webhook) = &settings.webhook else {
        return vec![match registration {
            None => Line::ok(Check::Webhook, "is not asked for (webhook.enabled)"),
            Some(left) => Line::wrong(
                Check::Webhook,
                format!(
                    "the ValidatingWebhookConfiguration {} calls an operator that does not answer reviews, so that each write may wait for it",
                    left.name_any()
                ),
                format!("`kubectl delete validatingwebhookconfiguration {}`", left.name_any()),
            ),
        }];
    };
    let Some(registration) = registration else {
        let name = webhook.configuration.as_deref().unwrap_or("of the webhook");
        return vec![Line::wrong(
            Check::Webhook,
            format!(
                "the ValidatingWebhookConfiguration {name} is not there, so nothing is sent to it"
            ),
            REINSTALL,
        )];
    };
    let mut lines = Vec::new();
    for called in registration.webhooks.iter().flatten().filter(|called| is_ours(called)) {
        let name = registration.name_any();
        lines.extend(of_registration(&name, called));
        let (says, advice) = match served {
            Err(why) => {
                let advice = "what the API server trusts was not compared with it";
                lines.push(Line::unknown(Check::Webhook, why.clone(), advice));
                continue;
            }
            Ok(served) => match trusts(called, served, now) {
                Ok(()) => continue,
                Err(wrong) => wrong,
            },
        };
        lines.push(Line::wrong(Check::Webhook, format!("{name}: {says}"), advice));
    }
    if lines.is_empty() {
        let name = registration.name_any();
        lines.push(Line::ok(
            Check::Webhook,
            format!("{name} is registered, and its certificate is trusted"),
        ));
    }
    lines
}

/// Whether a registration calls this operator.
fn belongs_to(registration: &Configuration, settings: &Settings) -> bool {
    let named = settings.webhook.as_ref().and_then(|webhook| webhook.configuration.as_ref());
    if named.is_some() {
        return named == registration.metadata.name.as_ref();
    }
    registration.webhooks.iter().flatten().filter(|called| is_ours(called)).any(|called| {
        let service = called.client_config.service.as_ref();
        service.is_some_and(|service| {
            service.namespace == settings.namespace && service.name == settings.webhook_service()
        })
    })
}

/// Whether a webhook is called for objects of ours.
pub fn is_ours(called: &ValidatingWebhook) -> bool {
    let groups = called.rules.iter().flatten().flat_map(|rule| rule.api_groups.iter().flatten());
    called.name == "validate.keyreeve.dev" || groups.into_iter().any(|group| group == GROUP)
}

/// What is wrong in the registration by itself.
fn of_registration(name: &str, called: &ValidatingWebhook) -> Vec<Line> {
    let mut lines = Vec::new();
    if called.failure_policy.as_deref() != Some("Ignore") {
        lines.push(Line::wrong(
            Check::Webhook,
            format!("{name}: failurePolicy is not Ignore, so that while the operator is down nothing of Keyreeve's can be changed"),
            REINSTALL,
        ));
    }
    let covers = |kind: &str| {
        called.rules.iter().flatten().any(|rule| {
            let has = |list: &Option<Vec<String>>, wanted: &str| {
                list.iter().flatten().any(|item| item == wanted || item == "*")
            };
            has(&rule.api_groups, GROUP)
                && has(&rule.api_versions, "v1alpha1")
                && has(&rule.resources, kind)
                && has(&rule.operations, "CREATE")
                && has(&rule.operations, "UPDATE")
        })
    };
    let missing: Vec<_> = KINDS.into_iter().filter(|kind| !covers(kind)).collect();
    if !missing.is_empty() {
        lines.push(Line::wrong(
            Check::Webhook,
            format!("{name}: nothing is sent to it about {}", missing.join(", ")),
            REINSTALL,
        ));
    }
    lines
}

/// Whether the API server trusts the certificate that is served: by the same rules as itself.
fn trusts(
    called: &ValidatingWebhook,
    served: &str,
    now: Timestamp,
) -> Result<(), (String, String)> {
    let renew = "if the operator makes the certificate, it puts this right within a minute, or its log says why not; with cert-manager, look at its Certificate and its injection of the CA".to_owned();
    let wrong = |says: &str| (says.to_owned(), renew.clone());
    let config = &called.client_config;
    let host = match (&config.url, &config.service) {
        (Some(url), _) => url::Url::parse(url).ok().and_then(|url| url.host_str().map(Into::into)),
        (None, Some(service)) => Some(format!("{}.{}.svc", service.name, service.namespace)),
        (None, None) => None,
    };
    let name = host.and_then(|host: String| ServerName::try_from(host).ok());
    let name = name.ok_or_else(|| wrong("it calls nobody: clientConfig has no address"))?;
    let bundle = config.ca_bundle.as_ref().map(|bundle| bundle.0.as_slice()).unwrap_or_default();
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(bundle).flatten() {
        // One that cannot be read is trusted by nobody.
        let _ = roots.add(authority);
    }
    if roots.is_empty() {
        return Err(wrong(
            "its caBundle has no certificate, so that the API server trusts nobody there",
        ));
    }
    let chain: Vec<_> = CertificateDer::pem_slice_iter(served.as_bytes()).flatten().collect();
    let Some((certificate, rest)) = chain.split_first() else {
        return Err(wrong("there is no certificate to be served"));
    };
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| wrong(&format!("its caBundle cannot be used: {error}")))?;
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let answer = verifier.verify_server_cert(certificate, rest, &name, &[], now);
    answer.map(|_| ()).map_err(|error| match error {
        TlsError::InvalidCertificate(why) => match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                wrong("the certificate that is served has expired")
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => wrong(
                "its caBundle is not that of the certificate that is served, so that the API server does not trust the webhook",
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                wrong(&format!("the certificate that is served is not for {}", name.to_str()))
            }
            other => wrong(&format!("the certificate that is served is refused: {other}")),
        },
        other => wrong(&format!("the certificate that is served is refused: {other}")),
    })
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
