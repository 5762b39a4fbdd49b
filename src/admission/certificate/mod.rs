//! The webhook's certificate: made and renewed by the operator and kept in a Secret ([`own`]), or read
//! from files that somebody else renews ([`files`]).
//!
//! When to renew is decided in [`renewal`], which is pure. What is served is swapped in place.

pub mod files;
mod held;
mod issue;
pub mod own;
pub mod renewal;
mod secret;
mod serving;

use std::sync::Arc;

use jiff::Timestamp;
use tokio_rustls::rustls::{
    self,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};

use renewal::Life;
pub use serving::Serving;

/// A certificate to be served.
#[derive(Clone, Debug)]
pub struct Current {
    /// The certificate with its key.
    pub key: Arc<CertifiedKey>,
    /// How long it holds.
    pub life: Life,
    /// The certificates that the API server shall trust, as PEM; none if somebody else tells it.
    pub bundle: Option<String>,
}

/// A certificate that cannot be served, or a key that is not its own.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// No certificate is in it.
    #[error("there is no certificate in it, or one that is not PEM")]
    NoCertificate,
    /// No private key is in it.
    #[error("there is no private key in it, or one that is not PEM")]
    NoKey,
    /// They do not fit, or are of a kind that cannot be used.
    #[error("{0}")]
    Refused(#[from] rustls::Error),
    /// It is no X.509 certificate.
    #[error("the certificate cannot be read")]
    Unreadable,
}

impl Current {
    /// Reads a certificate, with those that lead to its authority, and its key, both as PEM.
    pub fn read(certificate: &[u8], key: &[u8], bundle: Option<String>) -> Result<Self, Unusable> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<_, _>>()
            .map_err(|_| Unusable::NoCertificate)?;
        let first = chain.first().ok_or(Unusable::NoCertificate)?;
        let life = life(first).ok_or(Unusable::Unreadable)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| Unusable::NoKey)?;
        let key = CertifiedKey::from_der(chain, key, &ring::default_provider())?;
        Ok(Self { key: Arc::new(key), life, bundle })
    }
}

/// How long a certificate holds.
fn life(certificate: &CertificateDer<'_>) -> Option<Life> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let at = |seconds| Timestamp::from_second(seconds).ok();
    let validity = parsed.validity();
    Some(Life {
        from: at(validity.not_before.timestamp())?,
        until: at(validity.not_after.timestamp())?,
    })
}
