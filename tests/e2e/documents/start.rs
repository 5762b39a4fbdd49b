//! docs/getting-started.md and the README's first tenant, as they are written.

use std::{fs, path::PathBuf};

use keyreeve::api::{Tenant, User};
use serde_json::{Value, json};

use super::{
    page::{blocks, text},
    reader::Reader,
};
use crate::{
    keycloak::{Hand, operator_at, server},
    support::{Conditions, Keys, Operator, Space, run, setting},
};

const START: &str = "docs/getting-started.md";
const README: &str = "README.md";

/// A reader whose commands are about the test's namespace.
pub fn reader(space: &Space) -> Reader {
    let file: PathBuf = space.folder().join("reader.kubeconfig");
    fs::copy(setting("KEYREEVE_TEST_KUBECONFIG"), &file).unwrap();
    let kubeconfig = file.to_str().unwrap();
    let namespace = format!("--namespace={}", space.namespace);
    run("kubectl", &["config", "--kubeconfig", kubeconfig, "set-context", "--current", &namespace]);
    let mut reader = Reader::new(&space.folder());
    reader.sets("KUBECONFIG", kubeconfig);
    reader
}

#[tokio::test]
async fn whoever_gets_started_comes_to_a_token() {
    let space = Space::new("getting-started").await;
    let mut reader = reader(&space);
    reader.sets("KEYCLOAK", &setting("KEYREEVE_TEST_KEYCLOAK"));
    reader.follows(START, &["crds"]);
    let _operator = operator_at(&space, &server());
    let listed = reader.follows(START, &["apply"]);
    assert!(listed.contains("user.keyreeve.dev/ada"), "{listed}");
    Hand::of("my-first").add_client();

    let says = reader.follows(START, &["login"]);
    let parts: Vec<Value> =
        serde_json::Deserializer::from_str(&says).into_iter().map(Result::unwrap).collect();
    let [header, claims] = parts.as_slice() else { panic!("{says}") };
    let tenant = space.tenants().get("my-first").await.unwrap();
    assert_eq!(header["kid"], tenant.active());
    let ada = space.api::<User>().get("ada").await.unwrap();
    assert_eq!(claims["sub"], json!(ada.status.unwrap().id));
    let roles = claims["realm_access"]["roles"].as_array().unwrap();
    assert!(roles.contains(&"reader".into()), "{roles:?}");
    let compared = reader.follows(START, &["compare"]);
    for part in [&header["kid"], &claims["sub"]] {
        assert!(compared.contains(part.as_str().unwrap()), "{compared}: {part}");
    }

    let message = reader.follows(START, &["wrong"]);
    assert!(message.contains("writer"), "{message}");
    reader.follows(START, &["clean"]);
    let realms = Hand::admin("GET", "?briefRepresentation=true", None);
    let has_realm = realms.as_array().unwrap().iter().any(|realm| realm["realm"] == "my-first");
    assert!(!has_realm, "{realms}");
}

#[tokio::test]
async fn the_first_tenant_and_user_of_the_readme_become_what_it_shows() {
    let space = Space::new("readme").await;
    let reader = reader(&space);
    let _operator = Operator::start(&space);
    let shown = reader.follows(README, &["first-tenant"]);
    assert!(shown.contains(r#""accessToken":"5m","authorizationCode":"1m""#), "{shown}");
    // The sentence that it shows is the one that is said.
    let refused = reader.is_refused(README, "refused");
    let block = blocks(README, &text(README));
    let is_refused = |words: &str| words == "refused";
    let block = block.iter().find(|it| it.words.get("run").is_some_and(|name| is_refused(name)));
    let sentence = block.unwrap().text.lines().last().unwrap();
    assert!(refused.contains(sentence), "{refused}");

    let shown = reader.follows(README, &["first-user"]);
    for line in ["role.keyreeve.dev/reader created", "user.keyreeve.dev/ada condition met"] {
        assert!(shown.contains(line), "{shown}");
    }
    assert!(shown.trim_end().lines().last().unwrap().len() >= 24, "a password: {shown}");
    let tenant: Tenant = space.ready("minimal").await;
    assert!(tenant.is_ready());
}
