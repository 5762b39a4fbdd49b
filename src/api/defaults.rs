//! Built-in values, as documents of the same form as the specs.
//!
//! No field of any spec has a schema default: a default is what stands here. It
//! is generated into the field's description and shows in `status.effective`.

use serde_json::{Value, json};

use super::{Algorithm, Duration, paths::for_each_leaf};

/// What signing keys are of.
pub const KEY_ALGORITHM: Algorithm = Algorithm::RS256;
/// The size of RSA keys in bits.
pub const KEY_SIZE: u32 = 2048;
/// How long a key signs: 90 days.
pub const ROTATION_PERIOD: Duration = Duration::from_secs(2160 * 3600);
/// How long a key is published before it signs.
pub const PUBLISH_BEFORE: Duration = Duration::from_secs(24 * 3600);
/// How long a replaced key stays published.
pub const RETAIN_FOR: Duration = Duration::from_secs(24 * 3600);

/// What `settings` and `keystore` are where neither tenant nor profile says: every leaf, exactly once.
///
/// From the PlusAuth tenant document where it has a default. Against it:
/// `hashFunction` is argon2, and both `blockDuration`s are 15 minutes, because 20
/// years lock an account for good after ten wrong passwords.
#[must_use]
pub fn tenant_settings() -> Value {
    json!({
        "settings": {
            "acrValues": [],
            "autoSignIn": false,
            "exposeUnsafeErrors": false,
            "extraParams": [],
            "extraScopes": [],
            "forceEmailVerification": false,
            "forgotPasswordEnabled": true,
            "hashFunction": "argon2",
            "registerEnabled": false,
            "rememberMe": false,
            "tenantLoginUrl": "",
            "welcomeEmailsEnabled": false,
            "apiVersion": "2021-07-04",
            "defaultStrategy": "",
            "authenticator": {"bindSim": false},
            "ciba": {"deliveryMode": "poll", "notifierEndpoint": ""},
            "environmentVariables": [],
            "policies": {
                "accountBlocking": {
                    "allowUserUnblock": true,
                    "allowedAttempts": 10,
                    "blockDuration": "15m",
                    "duration": "2160h",
                    "enabled": true,
                    "notification": true,
                    "resetAfterSuccess": true,
                },
                "bruteForce": {
                    "allowedAttempts": 10,
                    "blockDuration": "15m",
                    "duration": "2160h",
                    "enabled": true,
                    "notification": true,
                    "whiteList": [],
                },
                "password": {
                    "customChars": "",
                    "history": 0,
                    "lowerCase": 0,
                    "max": 128,
                    "min": 12,
                    "number": 0,
                    "upperCase": 0,
                },
            },
            "ttl": {
                "accessToken": "5m",
                "authorizationCode": "1m",
                "backchannelAuthenticationRequest": "2m",
                "clientCredentials": "5m",
                "deviceCode": "10m",
                "idToken": "5m",
                "refreshToken": "10h",
                "session": "10h",
            },
            "userSelfDeletion": {"enabled": false},
        },
        "keystore": {
            "algorithm": KEY_ALGORITHM,
            "keySize": KEY_SIZE,
            "rotationPeriod": ROTATION_PERIOD,
            "publishBefore": PUBLISH_BEFORE,
            "retainFor": RETAIN_FOR,
        },
    })
}

/// Built-in values of a kind's spec, for the descriptions of its fields. What is not here
/// has no default, or one that its description says in words.
#[must_use]
pub fn spec(kind: &str) -> Value {
    let mut defaults = json!({"deletionPolicy": "Delete", "adoptionPolicy": "Fail"});
    let own = match kind {
        "Tenant" => json!({"enabled": true, "deletionPolicy": "Retain"}),
        "Role" => json!({"administrator": false, "description": ""}),
        "Namespace" => json!({"description": ""}),
        "User" => json!({
            "enabled": true,
            "password": {
                "temporary": false,
                "secretKeyRef": {"key": "password"},
                "generate": {"key": "password", "length": 24},
            },
        }),
        _ => Value::Null,
    };
    if let (Value::Object(defaults), Value::Object(own)) = (&mut defaults, own) {
        defaults.extend(own);
    }
    if let (Value::Object(defaults), "Tenant" | "TenantProfile", Value::Object(settings)) =
        (&mut defaults, kind, tenant_settings())
    {
        defaults.extend(settings);
    }
    defaults
}

/// Every path that a profile can lock: the leaves, and the groups above them.
#[must_use]
pub fn lockable_paths() -> Vec<String> {
    let mut paths = Vec::new();
    if let Value::Object(settings) = tenant_settings() {
        for_each_leaf(&settings, "", &mut |path, _| {
            for (end, _) in path.match_indices('.') {
                let group = path[..end].to_owned();
                if !paths.contains(&group) {
                    paths.push(group);
                }
            }
            paths.push(path.to_owned());
        });
    }
    paths.sort();
    paths
}
