//! Makes the webhook's certificates: ECDSA on P-256, signed by an authority of its own.

use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use zeroize::{Zeroize as _, Zeroizing};

use super::{
    held::{Content, Pair},
    renewal::Due,
};

/// How long an authority holds.
const AUTHORITY: SignedDuration = SignedDuration::from_hours(365 * 24);

/// How long a certificate holds that is served.
const SERVING: SignedDuration = SignedDuration::from_hours(90 * 24);

/// How far the API server's clock may be behind.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// A certificate could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the webhook's certificate could not be made: {0}")]
pub struct IssueError(#[from] rcgen::Error);

/// Makes anew what is due, for a webhook with these names.
pub fn renew(
    now: Timestamp,
    names: &[String],
    old: Option<Content>,
    due: Due,
) -> Result<Content, IssueError> {
    let authority = match &old {
        Some(old) if !due.authority => old.authority.clone(),
        _ => authority(now)?,
    };
    let mut former = old.as_ref().map(|old| old.still_trusted(now)).unwrap_or_default();
    former.retain(|former| *former != authority.certificate);
    let serving = match old {
        Some(old) if !due.serving => old.serving,
        _ => serving(now, names, &authority)?,
    };
    Ok(Content { authority, former, serving })
}

fn authority(now: Timestamp) -> Result<Pair, rcgen::Error> {
    let mut params = params("keyreeve webhook authority", now, AUTHORITY);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    with_key(|key| params.self_signed(key))
}

fn serving(now: Timestamp, names: &[String], authority: &Pair) -> Result<Pair, rcgen::Error> {
    let mut params = params("keyreeve webhook", now, SERVING);
    params.subject_alt_names = CertificateParams::new(names)?.subject_alt_names;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let mut signing = KeyPair::from_pem(&authority.key)?;
    let signed = Issuer::from_ca_cert_pem(&authority.certificate, &signing)
        .and_then(|issuer| with_key(|key| params.signed_by(key, &issuer)));
    signing.zeroize();
    signed
}

fn params(name: &str, now: Timestamp, life: SignedDuration) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = SystemTime::from(now - SKEW).into();
    params.not_after = SystemTime::from(now + life).into();
    params
}

/// A certificate with a key of its own, as PEM.
fn with_key(
    certify: impl FnOnce(&KeyPair) -> Result<rcgen::Certificate, rcgen::Error>,
) -> Result<Pair, rcgen::Error> {
    let mut key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let pair = certify(&key).map(|certificate| Pair {
        certificate: certificate.pem(),
        key: Zeroizing::new(key.serialize_pem()),
    });
    key.zeroize();
    pair
}

#[cfg(test)]
#[path = "issue_tests.rs"]
mod tests;
