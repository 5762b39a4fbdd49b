//! An administrator of Keycloak, and people who log in there.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use crate::support::setting;

/// The client that people log in by.
pub const CLIENT: &str = "shop";
/// Where a browser comes back to it. Nobody listens there.
pub const BACK: &str = "http://127.0.0.1/back";

/// Whoever does something in a realm beside the operator.
pub struct Hand {
    pub realm: String,
}

impl Hand {
    pub fn of(realm: &str) -> Self {
        Self { realm: realm.to_owned() }
    }

    /// An administrator's request about a path below `/admin/realms`; the answer must be good.
    pub fn admin(method: &str, path: &str, body: Option<&Value>) -> Value {
        let secret = fs::read_to_string(setting("KEYREEVE_TEST_KEYCLOAK_HAND_FILE")).unwrap();
        let id = setting("KEYREEVE_TEST_KEYCLOAK_HAND_ID");
        let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
        let token = send("POST", "/realms/master/protocol/openid-connect/token", None, Some(&form));
        let token = token.1["access_token"].as_str().unwrap().to_owned();
        let body = body.map(ToString::to_string);
        let path = format!("/admin/realms{path}");
        let (mut status, mut answer) = send(method, &path, Some(&token), body.as_deref());
        for _ in 0..3 {
            if status == 500 {
                // A race in its cache of roles, while others make realms: nothing is done then.
                (status, answer) = send(method, &path, Some(&token), body.as_deref());
            }
        }
        assert!(status < 300, "{method} {path}: {status} {answer}");
        answer
    }

    /// The same in the realm.
    pub fn here(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        Self::admin(method, &format!("/{}{path}", self.realm), body)
    }

    /// Makes the client that people log in by.
    pub fn add_client(&self) {
        let client = json!({"clientId": CLIENT, "publicClient": true, "directAccessGrantsEnabled": true,
                "redirectUris": [BACK]});
        self.here("POST", "/clients", Some(&client));
    }

    /// Lets the operator into a realm that it did not make, as docs/stores-keycloak.md says.
    pub fn let_the_operator_in(&self) {
        let client = |id: &str| {
            let clients = Self::admin("GET", &format!("/master/clients?clientId={id}"), None);
            clients[0]["id"].as_str().unwrap().to_owned()
        };
        let operator = client(&setting("KEYREEVE_TEST_KEYCLOAK_CLIENT_ID"));
        let account = format!("/master/clients/{operator}/service-account-user");
        let account = Self::admin("GET", &account, None)["id"].as_str().unwrap().to_owned();
        let realm = client(&format!("{}-realm", self.realm));
        let roles = ["manage-realm", "manage-users", "manage-clients"];
        let role =
            |role| Self::admin("GET", &format!("/master/clients/{realm}/roles/{role}"), None);
        let roles: Vec<Value> = roles.into_iter().map(role).collect();
        let mappings = format!("/master/users/{account}/role-mappings/clients/{realm}");
        Self::admin("POST", &mappings, Some(&roles.into()));
    }

    /// The user of this name.
    pub fn user(&self, username: &str) -> Value {
        self.here("GET", &format!("/users?username={username}&exact=true"), None)[0].clone()
    }

    /// The access token of a login; none if it is refused.
    pub fn login(&self, username: &str, password: &str) -> Option<String> {
        self.login_asking(username, password, "openid")
    }

    /// The same with these scopes.
    pub fn login_asking(&self, username: &str, password: &str, scopes: &str) -> Option<String> {
        let form = format!(
            "grant_type=password&client_id={CLIENT}&scope={}&username={username}&password={}",
            scopes.replace(' ', "+"),
            password.replace(' ', "+")
        );
        let place = format!("/realms/{}/protocol/openid-connect/token", self.realm);
        let (_, answer) = send("POST", &place, None, Some(&form));
        answer["access_token"].as_str().map(ToOwned::to_owned)
    }

    /// Whether Keycloak takes a token for one of its own.
    pub fn accepts(&self, token: &str) -> bool {
        let place = format!("/realms/{}/protocol/openid-connect/userinfo", self.realm);
        send("GET", &place, Some(token), None).0 == 200
    }

    /// The keys that verify signatures, as everybody gets them.
    fn keys(&self) -> Vec<Value> {
        let place = format!("/realms/{}/protocol/openid-connect/certs", self.realm);
        let (_, jwks) = send("GET", &place, None, None);
        let keys = jwks["keys"].as_array().unwrap().iter().filter(|key| key["use"] == "sig");
        keys.cloned().collect()
    }

    /// The kids of those keys, sorted.
    pub fn kids(&self) -> Vec<String> {
        let keys = self.keys();
        let mut kids: Vec<_> =
            keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect();
        kids.sort();
        kids
    }

    /// Whether somebody who has nothing but those keys takes a token for one of the realm's, which they sign by RS256.
    pub fn verifies(&self, token: &str) -> bool {
        let kid = part(token, 0)["kid"].clone();
        let keys = self.keys();
        let Some(key) = keys.iter().find(|key| key["kid"] == kid) else { return false };
        let number = |name: &str| key[name].as_str().unwrap();
        let key = DecodingKey::from_rsa_components(number("n"), number("e")).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_aud = false;
        jsonwebtoken::decode::<Value>(token, &key, &validation).is_ok()
    }
}

/// A part of a token: its header (0), or its claims (1).
pub fn part(token: &str, place: usize) -> Value {
    let part = URL_SAFE_NO_PAD.decode(token.split('.').nth(place).unwrap()).unwrap();
    serde_json::from_slice(&part).unwrap()
}

/// A request, and what is answered. A body that begins with a bracket is JSON, another one a form.
fn send(method: &str, path: &str, token: Option<&str>, body: Option<&str>) -> (u16, Value) {
    let address = setting("KEYREEVE_TEST_KEYCLOAK");
    let mut config = vec![format!("url = \"{address}{path}\""), format!("request = \"{method}\"")];
    config.extend(token.map(|token| format!("header = \"Authorization: Bearer {token}\"")));
    if let Some(body) = body {
        let is_json = body.starts_with(['{', '[']);
        let media = if is_json { "json" } else { "x-www-form-urlencoded" };
        config.push(format!("header = \"Content-Type: application/{media}\""));
        config.push(format!("data-raw = {}", Value::from(body)));
    }
    let mut curl = Command::new("curl")
        .args(["--silent", "--show-error", "--write-out", "\n%{http_code}", "--config", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    curl.stdin.take().unwrap().write_all(config.join("\n").as_bytes()).unwrap();
    let answer = String::from_utf8(curl.wait_with_output().unwrap().stdout).unwrap();
    let (body, status) = answer.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
}
