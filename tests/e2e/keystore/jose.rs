//! An identity provider and a resource server that know nothing of ours but the Secret and the JWKS.

use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation, jwk::Jwk};
use keyreeve::api::{KeyState, Tenant};
use serde_json::{Value, json};

use crate::support::Keystore;

/// Signs with the key that the Secret says to sign with.
pub fn sign(keystore: &Keystore) -> String {
    let kid = keystore.active();
    let ledger = keystore.ledger();
    let keys = ledger["keys"].as_array().unwrap();
    let key = &keys.iter().find(|key| key["key"]["kid"] == kid.as_str()).unwrap()["key"];
    let pem = keystore.text(&format!("{kid}.pem"));
    let pem = pem.as_bytes();
    let encoding = match key["kty"].as_str().unwrap() {
        "RSA" => EncodingKey::from_rsa_pem(pem),
        "EC" => EncodingKey::from_ec_pem(pem),
        _ => EncodingKey::from_ed_pem(pem),
    };
    let mut header = Header::new(key["alg"].as_str().unwrap().parse().unwrap());
    header.kid = Some(kid);
    jsonwebtoken::encode(&header, &json!({"sub": "jane"}), &encoding.unwrap()).unwrap()
}

/// Whether a token verifies with the JWKS in status. When it expires is for the test to know:
/// the library would ask the machine's clock.
pub fn verifies(tenant: &Tenant, token: &str) -> bool {
    let header = jsonwebtoken::decode_header(token).unwrap();
    let jwks = &tenant.status.as_ref().unwrap().keystore;
    let published = jwks.iter().filter(|key| key.state != KeyState::Revoked);
    let Some(jwk) = published
        .map(|key| serde_json::from_value::<Jwk>(json!(key.key)).unwrap())
        .find(|jwk| jwk.common.key_id == header.kid)
    else {
        return false;
    };
    let mut rules = Validation::new(header.alg);
    rules.required_spec_claims.clear();
    rules.validate_exp = false;
    let key = DecodingKey::from_jwk(&jwk).unwrap();
    jsonwebtoken::decode::<Value>(token, &key, &rules).is_ok()
}
