use std::time::Instant;

use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation, jwk::Jwk as OtherJwk};
use serde_json::{Value, json};

use super::*;

const ALL: [KeyType; 11] = {
    const fn of(algorithm: Algorithm, size: u32) -> KeyType {
        KeyType { algorithm, size }
    }
    [
        of(Algorithm::RS256, 2048),
        of(Algorithm::RS256, 3072),
        of(Algorithm::RS384, 2048),
        of(Algorithm::RS512, 4096),
        of(Algorithm::PS256, 2048),
        of(Algorithm::PS384, 2048),
        of(Algorithm::PS512, 3072),
        of(Algorithm::PS256, 4096),
        of(Algorithm::ES256, 2048),
        of(Algorithm::ES384, 2048),
        of(Algorithm::EdDSA, 2048),
    ]
};

/// As an identity provider does, with a library that is not ours.
fn sign(key: &PrivateKey, claims: &Value) -> String {
    let pem = key.pem().as_bytes();
    let encoding = match key.jwk().kty.as_str() {
        "RSA" => EncodingKey::from_rsa_pem(pem),
        "EC" => EncodingKey::from_ec_pem(pem),
        _ => EncodingKey::from_ed_pem(pem),
    };
    let mut header = Header::new(key.jwk().alg.parse().unwrap());
    header.kid = Some(key.jwk().kid.clone());
    jsonwebtoken::encode(&header, claims, &encoding.unwrap()).unwrap()
}

/// As somebody does who has the JWKS and nothing else.
fn verifies(token: &str, jwk: &Jwk) -> bool {
    let jwk: OtherJwk = serde_json::from_value(serde_json::to_value(jwk).unwrap()).unwrap();
    let alg = jsonwebtoken::decode_header(token).unwrap().alg;
    let key = DecodingKey::from_jwk(&jwk).unwrap();
    let mut rules = Validation::new(alg);
    rules.required_spec_claims.clear();
    jsonwebtoken::decode::<Value>(token, &key, &rules).is_ok()
}

#[test]
fn another_library_signs_and_verifies_with_keys_of_every_type() {
    for key_type in ALL {
        let began = Instant::now();
        let key = PrivateKey::generate(key_type).unwrap();
        println!("{key_type:?} took {:.0?}", began.elapsed());
        assert!(key_type.is_of(key.jwk()));
        let token = sign(&key, &json!({"sub": "jane"}));
        assert!(verifies(&token, key.jwk()), "{key_type:?}");
        let (message, _) = token.rsplit_once('.').unwrap();
        let other = sign(&key, &json!({"sub": "john"}));
        let (_, foreign) = other.rsplit_once('.').unwrap();
        assert!(!verifies(&format!("{message}.{foreign}"), key.jwk()), "{key_type:?}");

        assert_eq!(kid_of(key.pem(), &key.jwk().alg).as_ref(), Some(&key.jwk().kid));
        let public = jwk::public_pem(key.jwk()).unwrap();
        assert!(public.starts_with("-----BEGIN PUBLIC KEY-----"), "{public}");
        assert_eq!(format!("{key:?}"), format!("PrivateKey {{ kid: {:?}, .. }}", key.jwk().kid));
    }
}

#[test]
fn a_jwk_has_the_members_of_its_type_and_no_others() {
    for (algorithm, members) in [
        (Algorithm::RS256, vec!["alg", "e", "kid", "kty", "n", "use"]),
        (Algorithm::ES256, vec!["alg", "crv", "kid", "kty", "use", "x", "y"]),
        (Algorithm::ES384, vec!["alg", "crv", "kid", "kty", "use", "x", "y"]),
        (Algorithm::EdDSA, vec!["alg", "crv", "kid", "kty", "use", "x"]),
    ] {
        let key = PrivateKey::generate(KeyType { algorithm, size: 2048 }).unwrap();
        let jwk = serde_json::to_value(key.jwk()).unwrap();
        let mut names: Vec<_> = jwk.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, members);
        assert_eq!(jwk["use"], "sig");
        assert_eq!(jwk["alg"], algorithm.as_str());
    }
}

#[test]
fn what_is_no_key_has_no_kid() {
    let key = PrivateKey::generate(KeyType { algorithm: Algorithm::ES256, size: 2048 }).unwrap();
    for alg in ["RS256", "ES384", "EdDSA"] {
        assert_eq!(kid_of(key.pem(), alg), None);
    }
    assert_eq!(kid_of("", "ES256"), None);
    assert_eq!(
        kid_of("-----BEGIN PRIVATE KEY-----\nMII=\n-----END PRIVATE KEY-----\n", "RS256"),
        None
    );
}
