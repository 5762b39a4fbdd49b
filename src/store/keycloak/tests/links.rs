//! Accounts at other identity providers, where the realm has these.

use serde_json::{Value, json};

use super::backend::Keycloak;
use crate::{
    api::AuthenticationProvider,
    store::{
        Applied, Expected, State,
        conformance::{Backend, samples},
        keycloak::server::path,
    },
};

/// Brings ada to these links.
async fn put(backend: &Keycloak, links: &[&str]) -> Applied {
    let provider = |user_id: &&str| AuthenticationProvider {
        name: "github".into(),
        user_id: (*user_id).to_owned(),
        username: None,
    };
    let mut ada = samples::user("acme", "ada", None);
    if let State::User(ada) = &mut ada {
        ada.authentication_providers = links.iter().map(provider).collect();
    }
    let record = backend.store().observe(&ada.key()).await.unwrap();
    let expected = Expected::as_observed(record.as_ref());
    backend.store().apply(&samples::desired(ada), &expected).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_taken_out_goes_and_one_that_the_user_made_stays() {
    let backend = Keycloak::start().await;
    let (hand, realm) = (&backend.hand, backend.renamed.tenant("acme"));
    let tenant = samples::desired(samples::tenant("acme"));
    backend.store().apply(&tenant, &Expected::Absent).await.unwrap();
    let provider = json!({"alias": "github", "providerId": "oidc", "config": {
        "clientId": "shop", "clientSecret": "secret",
        "authorizationUrl": "http://localhost/authorize", "tokenUrl": "http://localhost/token",
    }});
    let providers = path(&[&realm, "identity-provider", "instances"]);
    hand.post(&providers, &provider).await.unwrap();

    assert_eq!(put(&backend, &["1"]).await, Applied::Created);
    let ada = hand.user(&realm, "ada").await;
    let links = path(&[&realm, "users", &ada, "federated-identity"]);
    let linked = async || -> Vec<Value> {
        let links = hand.0.list(&links).await.unwrap();
        links.iter().map(|link| link["userId"].clone()).collect()
    };
    assert_eq!(linked().await, ["1"]);
    put(&backend, &["2"]).await;
    assert_eq!(linked().await, ["2"]);

    let github = format!("{links}/github");
    hand.delete(&github, None).await.unwrap();
    let own = json!({"identityProvider": "github", "userId": "3", "userName": "ada"});
    hand.post(&github, &own).await.unwrap();
    put(&backend, &[]).await;
    assert_eq!(linked().await, ["3"], "it is the user's own");

    hand.delete(&github, None).await.unwrap();
    put(&backend, &["4"]).await;
    put(&backend, &[]).await;
    assert_eq!(linked().await, [""; 0]);
}
