//! A password's hash, as Keycloak takes it and as it tells of it.

use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{
    api::Credential,
    policy::password::Argon2Cost,
    store::{Error, NewPassword},
};

/// Keycloak's own cost, one of OWASP's equivalent sets: a hash of another one would be made anew at
/// the first login.
pub(super) const COST: Argon2Cost = Argon2Cost { memory: 7168, passes: 5, lanes: 1 };

/// What we call a password that we set; a reset by another hand takes it away.
pub(super) const LABEL: &str = "keyreeve";

/// The credential for a hash: a PHC string of argon2 (RFC 9106).
pub(super) fn credential(password: &NewPassword) -> Result<Value, Error> {
    credential_of(&password.hash, password.created_at.as_millisecond()).ok_or_else(|| {
        Error::Refused(format!(
            "Keycloak takes hashes of argon2 only, and this one is of {}",
            password.algorithm
        ))
    })
}

fn credential_of(phc: &str, created: i64) -> Option<Value> {
    let mut parts = phc.strip_prefix("$argon2")?.split('$');
    let (type_, version, costs) = (parts.next()?, parts.next()?, parts.next()?);
    let (salt, hash) = (padded(parts.next()?), padded(parts.next()?));
    let cost = |name: &str| {
        costs.split(',').find_map(|cost| cost.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
    };
    let (memory, passes, lanes): (u32, u32, u32) = (cost("m")?, cost("t")?, cost("p")?);
    let version = match version {
        "v=19" => "1.3",
        "v=16" => "1.0",
        _ => return None,
    };
    let length = hash.trim_end_matches('=').len() * 3 / 4;
    // All of them are needed: without one the password is taken, and no login succeeds.
    let data = json!({
        "hashIterations": passes,
        "algorithm": "argon2",
        "additionalParameters": {
            "hashLength": [length.to_string()],
            "memory": [memory.to_string()],
            "type": [type_],
            "version": [version],
            "parallelism": [lanes.to_string()],
        },
    });
    let secret = Zeroizing::new(
        json!({"value": *hash, "salt": *salt, "additionalParameters": {}}).to_string(),
    );
    Some(json!({
        "type": "password",
        "userLabel": LABEL,
        "createdDate": created,
        "credentialData": data.to_string(),
        "secretData": *secret,
    }))
}

/// Base64 with the padding that PHC strings leave out.
fn padded(base64: &str) -> Zeroizing<String> {
    let padding = (4 - base64.len() % 4) % 4;
    let mut padded = Zeroizing::new(String::with_capacity(base64.len() + padding));
    padded.push_str(base64);
    padded.extend(std::iter::repeat_n('=', padding));
    padded
}

/// What a user can log in with, without the secrets.
pub(super) fn metadata(credentials: &[Value]) -> Vec<Credential> {
    let credential = |credential: &Value| {
        let type_ = credential["type"].as_str()?;
        let data: Value = credential["credentialData"]
            .as_str()
            .and_then(|data| serde_json::from_str(data).ok())
            .unwrap_or_default();
        // Keycloak calls argon2id by its family's name.
        let algorithm = match data["algorithm"].as_str() {
            Some("argon2") => {
                let kind = data["additionalParameters"]["type"][0].as_str().unwrap_or("id");
                Some(format!("argon2{kind}"))
            }
            other => other.map(Into::into),
        };
        let created = credential["createdDate"].as_i64();
        let created = created.and_then(|time| jiff::Timestamp::from_millisecond(time).ok());
        Some(Credential { type_: type_.into(), algorithm, created_at: created.map(Into::into) })
    };
    // A former password opens nothing.
    let is_former = |credential: &Credential| credential.type_ == "password-history";
    let mut metadata: Vec<Credential> = credentials.iter().filter_map(credential).collect();
    metadata.retain(|credential| !is_former(credential));
    metadata.sort_by(|a, b| a.type_.cmp(&b.type_));
    metadata
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phc_string_becomes_a_credential() {
        let phc = "$argon2id$v=19$m=7168,t=5,p=1$AAAAAAAAAAAAAAAAAAAAAA$BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA";
        let credential = credential_of(phc, 1).unwrap();
        let data: Value =
            serde_json::from_str(credential["credentialData"].as_str().unwrap()).unwrap();
        assert_eq!(data["hashIterations"], 5);
        assert_eq!(data["additionalParameters"]["hashLength"][0], "32");
        let secret: Value =
            serde_json::from_str(credential["secretData"].as_str().unwrap()).unwrap();
        assert_eq!(secret["salt"], "AAAAAAAAAAAAAAAAAAAAAA==");
        assert!(secret["value"].as_str().unwrap().ends_with("BBA="));
        let told = metadata(&[credential, json!({"type": "password-history"})]);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].algorithm.as_deref(), Some("argon2id"));
        for other in
            ["", "$2b$12$abc", "$argon2id$v=19$m=1,t=2$AA$AA", "$argon2id$v=7$m=1,t=1,p=1$AA$AA"]
        {
            assert_eq!(credential_of(other, 1), None);
        }
    }
}
