//! A client of Keycloak that knows what it wants and looks at nothing: it makes users, and no more.

use std::{
    fs,
    time::{Duration, Instant},
};

use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::{Result, sample, setting};

/// How long a token is used; Keycloak gives one for a minute.
const RENEWAL: Duration = Duration::from_secs(40);

pub struct Bare {
    http: Client<HttpConnector, Full<Bytes>>,
    server: String,
    realm: String,
    /// The import of one user, as the store sends it: its name and its id stand in it wherever they belong.
    import: String,
    name: String,
    id: String,
    token: Mutex<Option<(Instant, String)>>,
}

impl Bare {
    /// One that makes users in a realm like the one in this import.
    pub fn new(server: &str, realm: &str, import: &[u8], (name, id): (&str, &str)) -> Result<Self> {
        Ok(Self {
            http: Client::builder(TokioExecutor::new()).build_http(),
            server: server.into(),
            realm: realm.into(),
            import: String::from_utf8(import.to_vec())?,
            name: name.into(),
            id: id.into(),
            token: Mutex::default(),
        })
    }

    /// By an import of one, as the store does it.
    pub async fn import(&self, name: &str, id: &str) -> Result<()> {
        let body = self.import.replace(&self.name, name).replace(&self.id, id);
        self.admin(Method::POST, "/partialImport", body).await.map(|_| ())
    }

    /// By a user without roles, under an id that Keycloak chooses, and a role for it: as most clients do it.
    pub async fn add(&self, name: &str, role: &Value) -> Result<()> {
        let mut import: Value = serde_json::from_str(&self.import.replace(&self.name, name))?;
        let mut user = import["users"][0].take();
        if let Some(user) = user.as_object_mut() {
            user.retain(|field, _| {
                !["id", "realmRoles", "clientRoles", "federatedIdentities"]
                    .contains(&field.as_str())
            });
        }
        let (_, id) = self.admin(Method::POST, "/users", user.to_string()).await?;
        let place = format!("/users/{id}/role-mappings/realm");
        self.admin(Method::POST, &place, json!([role]).to_string()).await.map(|_| ())
    }

    /// The role that everybody has, as a reference.
    pub async fn role(&self) -> Result<Value> {
        let place = format!("/roles/{}", sample::ROLE);
        let (role, _) = self.admin(Method::GET, &place, String::new()).await?;
        Ok(json!({"id": role["id"], "name": role["name"]}))
    }

    /// What is answered, and the last part of where something was made.
    async fn admin(&self, method: Method, path: &str, body: String) -> Result<(Value, String)> {
        let token = self.token().await?;
        let url = format!("http://{}/admin/realms/{}{path}", self.server, self.realm);
        let request = Request::builder()
            .method(method)
            .uri(url)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Full::new(body.into()))?).await
    }

    async fn token(&self) -> Result<String> {
        let mut token = self.token.lock().await;
        if let Some((since, token)) = token.as_ref()
            && since.elapsed() < RENEWAL
        {
            return Ok(token.clone());
        }
        let secret = fs::read_to_string(setting("KEYREEVE_TEST_KEYCLOAK_SECRET_FILE")?)?;
        let client = setting("KEYREEVE_TEST_KEYCLOAK_CLIENT_ID")?;
        let form =
            format!("grant_type=client_credentials&client_id={client}&client_secret={secret}");
        let url = format!("http://{}/realms/master/protocol/openid-connect/token", self.server);
        let request = Request::post(url)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::new(form.into()))?;
        let (answer, _) = self.send(request).await?;
        let new = answer["access_token"].as_str().ok_or("Keycloak gives no token")?.to_owned();
        *token = Some((Instant::now(), new.clone()));
        Ok(new)
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<(Value, String)> {
        let what = format!("{} {}", request.method(), request.uri().path());
        let answer = self.http.request(request).await?;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        if !parts.status.is_success() {
            return Err(format!("{what}: {}", parts.status).into());
        }
        let place = parts.headers.get(header::LOCATION).and_then(|place| place.to_str().ok());
        let id = place.and_then(|place| place.rsplit('/').next()).unwrap_or_default().to_owned();
        Ok((serde_json::from_slice(&body).unwrap_or_default(), id))
    }
}
