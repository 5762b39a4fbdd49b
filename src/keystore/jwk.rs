//! Public keys as JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rsa::{
    BoxedUint, RsaPublicKey,
    pkcs8::{EncodePublicKey as _, LineEnding},
    traits::PublicKeyParts as _,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::api::{Algorithm, Jwk};

/// A JWK that is none.
#[derive(Debug, thiserror::Error)]
#[error("the JWK {kid} cannot be read: {cause}")]
pub struct Unreadable {
    kid: String,
    cause: String,
}

/// The JWK of an RSA key.
#[must_use]
pub fn of_rsa(key: &RsaPublicKey, algorithm: Algorithm) -> Jwk {
    let mut jwk = empty("RSA", algorithm);
    jwk.n = Some(encode(&key.n_bytes()));
    jwk.e = Some(encode(&key.e_bytes()));
    with_kid(jwk)
}

/// The JWK of a key on a NIST curve, from its point in SEC 1's uncompressed form.
#[must_use]
pub fn of_point(point: &[u8], algorithm: Algorithm) -> Jwk {
    let mut jwk = empty("EC", algorithm);
    let (x, y) = point.get(1..).unwrap_or_default().split_at(point.len() / 2);
    jwk.crv = Some(if algorithm == Algorithm::ES384 { "P-384" } else { "P-256" }.into());
    jwk.x = Some(encode(x));
    jwk.y = Some(encode(y));
    with_kid(jwk)
}

/// The JWK of an Ed25519 key.
#[must_use]
pub fn of_ed25519(key: &ed25519_dalek::VerifyingKey) -> Jwk {
    let mut jwk = empty("OKP", Algorithm::EdDSA);
    jwk.crv = Some("Ed25519".into());
    jwk.x = Some(encode(key.as_bytes()));
    with_kid(jwk)
}

/// The public key as PEM (`SubjectPublicKeyInfo`).
pub fn public_pem(jwk: &Jwk) -> Result<String, Unreadable> {
    let unreadable = |cause: String| Unreadable { kid: jwk.kid.clone(), cause };
    let pem = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => RsaPublicKey::new(
            BoxedUint::from_be_slice_vartime(&part(jwk, "n", jwk.n.as_ref())?),
            BoxedUint::from_be_slice_vartime(&part(jwk, "e", jwk.e.as_ref())?),
        )
        .map_err(|error| unreadable(error.to_string()))?
        .to_public_key_pem(LineEnding::LF),
        ("EC", Some("P-256")) => p256::PublicKey::from_sec1_bytes(&point(jwk)?)
            .map_err(|error| unreadable(error.to_string()))?
            .to_public_key_pem(LineEnding::LF),
        ("EC", Some("P-384")) => p384::PublicKey::from_sec1_bytes(&point(jwk)?)
            .map_err(|error| unreadable(error.to_string()))?
            .to_public_key_pem(LineEnding::LF),
        ("OKP", Some("Ed25519")) => {
            let x = part(jwk, "x", jwk.x.as_ref())?;
            let x = x.try_into().map_err(|_| unreadable("x is not 32 bytes".into()))?;
            ed25519_dalek::VerifyingKey::from_bytes(&x)
                .map_err(|error| unreadable(error.to_string()))?
                .to_public_key_pem(LineEnding::LF)
        }
        (kty, curve) => {
            let curve = curve.map(|curve| format!(" on {curve}")).unwrap_or_default();
            return Err(unreadable(format!("{kty}{curve} is no key of ours")));
        }
    };
    pem.map_err(|error| unreadable(error.to_string()))
}

/// The kid: the SHA-256 thumbprint of RFC 7638, of the members that make the key, in the order of their names.
#[must_use]
pub fn thumbprint(jwk: &Jwk) -> String {
    let members = match jwk.kty.as_str() {
        "RSA" => json!({"e": jwk.e, "kty": jwk.kty, "n": jwk.n}),
        "EC" => json!({"crv": jwk.crv, "kty": jwk.kty, "x": jwk.x, "y": jwk.y}),
        _ => json!({"crv": jwk.crv, "kty": jwk.kty, "x": jwk.x}),
    };
    // serde_json writes members in the order of their names, without white space, as the RFC asks for.
    encode(&Sha256::digest(members.to_string()))
}

/// Whether a JWK is as those made here are: of an algorithm of ours, with the members that make its key
/// and no other one, and named by its thumbprint, which alone says nothing of the rest.
#[must_use]
pub fn is_whole(jwk: &Jwk) -> bool {
    let members = [&jwk.n, &jwk.e, &jwk.x, &jwk.y].map(Option::is_some);
    let kind = (jwk.kty.as_str(), jwk.crv.as_deref(), members);
    let fits = match jwk.alg.as_str() {
        "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" => {
            kind == ("RSA", None, [true, true, false, false])
        }
        "ES256" => kind == ("EC", Some("P-256"), [false, false, true, true]),
        "ES384" => kind == ("EC", Some("P-384"), [false, false, true, true]),
        "EdDSA" => kind == ("OKP", Some("Ed25519"), [false, false, true, false]),
        _ => false,
    };
    fits && jwk.use_ == "sig" && jwk.kid == thumbprint(jwk)
}

fn empty(kty: &str, algorithm: Algorithm) -> Jwk {
    Jwk {
        kty: kty.into(),
        use_: "sig".into(),
        alg: algorithm.as_str().into(),
        kid: String::new(),
        n: None,
        e: None,
        crv: None,
        x: None,
        y: None,
    }
}

fn with_kid(jwk: Jwk) -> Jwk {
    Jwk { kid: thumbprint(&jwk), ..jwk }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn part(jwk: &Jwk, name: &str, value: Option<&String>) -> Result<Vec<u8>, Unreadable> {
    let unreadable = |cause| Unreadable { kid: jwk.kid.clone(), cause };
    let value = value.ok_or_else(|| unreadable(format!("{name} is missing")))?;
    URL_SAFE_NO_PAD
        .decode(value)
        .map_err(|error| unreadable(format!("{name} is not base64url: {error}")))
}

/// The point in SEC 1's uncompressed form.
fn point(jwk: &Jwk) -> Result<Vec<u8>, Unreadable> {
    let (x, y) = (part(jwk, "x", jwk.x.as_ref())?, part(jwk, "y", jwk.y.as_ref())?);
    Ok([&[4][..], &x, &y].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_of_rfc_7638() {
        // RFC 7638, section 3.1.
        let mut jwk = empty("RSA", Algorithm::RS256);
        jwk.n = Some("0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw".into());
        jwk.e = Some("AQAB".into());
        assert_eq!(thumbprint(&jwk), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        // RFC 8037, appendix A.3.
        let mut jwk = empty("OKP", Algorithm::EdDSA);
        jwk.crv = Some("Ed25519".into());
        jwk.x = Some("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".into());
        assert_eq!(thumbprint(&jwk), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn what_is_no_key_is_said_to_be_none() {
        let mut jwk = empty("RSA", Algorithm::RS256);
        jwk.kid = "broken".into();
        let error = public_pem(&jwk).unwrap_err().to_string();
        assert_eq!(error, "the JWK broken cannot be read: n is missing");
        jwk.kty = "EC".into();
        jwk.crv = Some("P-521".into());
        assert!(
            public_pem(&jwk).unwrap_err().to_string().contains("EC on P-521 is no key of ours")
        );
    }
}
