//! What the Secret with the webhook's certificates holds, and what of it is of use.

use jiff::Timestamp;
use tokio_rustls::rustls::{
    RootCertStore,
    client::{verify_server_cert_signed_by_trust_anchor, verify_server_name},
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};
use zeroize::Zeroizing;

use super::{
    Current, Unusable, life,
    renewal::{Held, Life},
};

/// How many former authorities are trusted at most: more there are only where a clock jumps.
const FORMER: usize = 3;

/// A certificate and its private key, as PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// The private key.
    pub key: Zeroizing<String>,
}

/// All certificates and keys of the webhook.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// The authority that signs.
    pub authority: Pair,
    /// Former authorities, as PEM, the latest first.
    pub former: Vec<String>,
    /// The certificate that is served.
    pub serving: Pair,
}

impl Content {
    /// What the API server shall trust, as PEM.
    #[must_use]
    pub fn bundle(&self) -> String {
        let all = std::iter::once(&self.authority.certificate).chain(&self.former);
        all.flat_map(|certificate| [certificate.trim(), "\n"]).collect()
    }

    /// Reads the parts; what is missing is empty, and of no use.
    #[must_use]
    pub fn read(bundle: &str, authority_key: Zeroizing<String>, serving: Pair) -> Self {
        const END: &str = "-----END CERTIFICATE-----";
        let mut certificates = bundle
            .split_inclusive(END)
            .filter(|text| text.ends_with(END))
            .map(|text| text.trim().to_owned());
        let authority =
            Pair { certificate: certificates.next().unwrap_or_default(), key: authority_key };
        Self { authority, former: certificates.collect(), serving }
    }

    /// As it is served.
    pub fn current(&self) -> Result<Current, Unusable> {
        let Pair { certificate, key } = &self.serving;
        Current::read(certificate.as_bytes(), key.as_bytes(), Some(self.bundle()))
    }

    /// What of it is of use to a webhook with these names.
    #[must_use]
    pub fn held(&self, names: &[String]) -> Held {
        let Pair { certificate, key } = &self.authority;
        let authority = Current::read(certificate.as_bytes(), key.as_bytes(), None);
        let serving = self.current().ok().filter(|serving| self.is_trusted(serving, names));
        Held {
            authority: authority.ok().map(|authority| authority.life),
            serving: serving.map(|serving| serving.life),
            former: self.former.iter().filter_map(|pem| life_of(pem)).collect(),
        }
    }

    /// The authorities that stay trusted beside a new one.
    #[must_use]
    pub fn still_trusted(&self, now: Timestamp) -> Vec<String> {
        let all = std::iter::once(&self.authority.certificate).chain(&self.former);
        all.filter(|pem| life_of(pem).is_some_and(|life| now < life.until))
            .take(FORMER)
            .cloned()
            .collect()
    }

    /// Whether the certificate is for all these names, and signed by one of those that are trusted.
    fn is_trusted(&self, serving: &Current, names: &[String]) -> bool {
        let Ok(Ok(parsed)) = serving.key.end_entity_cert().map(ParsedCertificate::try_from) else {
            return false;
        };
        let is_for = |name: &String| {
            ServerName::try_from(name.as_str())
                .is_ok_and(|name| verify_server_name(&parsed, &name).is_ok())
        };
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(self.bundle().as_bytes()).flatten() {
            // One that is none is not trusted.
            let _ = roots.add(authority);
        }
        // How long it holds is another question.
        let then = serving.life.from.duration_since(Timestamp::UNIX_EPOCH);
        let then = UnixTime::since_unix_epoch(then.unsigned_abs());
        let algorithms = ring::default_provider().signature_verification_algorithms.all;
        names.iter().all(is_for)
            && verify_server_cert_signed_by_trust_anchor(&parsed, &roots, &[], then, algorithms)
                .is_ok()
    }
}

fn life_of(pem: &str) -> Option<Life> {
    life(&CertificateDer::from_pem_slice(pem.as_bytes()).ok()?)
}
