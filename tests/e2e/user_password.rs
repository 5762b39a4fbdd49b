//! Passwords: from a Secret into the store when its author wants a change, and at no other time.

use k8s_openapi::api::core::v1::Secret;
use keyreeve::api::User;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::support::{Conditions, Database, Operator, Space, eventually};

const FIRST: &str = "correct horse battery";
const SECOND: &str = "another horse battery";
const HASH: &str = "SELECT hash FROM v1_credentials WHERE username = 'ada'";

impl Space {
    /// The Secret `ada` with the first password, and a Ready User of it.
    async fn ada_with_password(&self) -> User {
        self.make_secret("ada", &[("password", FIRST.as_bytes())]).await;
        self.made::<User>("ada", from_secret()).await
    }
}

fn from_secret() -> Value {
    json!({"password": {"secretKeyRef": {"name": "ada"}}})
}

/// Whether the store's hash is that of a password.
async fn is_password(database: &mut Database, password: &str) -> bool {
    let Some(hash) = database.text(HASH).await else { return false };
    let password = Zeroizing::new(password.to_owned());
    keyreeve::password::Hasher::new(1).verify(password, Zeroizing::new(hash)).await.unwrap()
}

async fn becomes(database: &mut Database, password: &str) {
    eventually("the password is set", async || is_password(database, password).await).await;
}

#[tokio::test]
async fn a_password_comes_from_its_secret_and_follows_it() {
    let (space, _operator, mut database) = Space::with_acme("pw-follows", json!({})).await;
    let ada = space.ada_with_password().await;
    let credentials = ada.status.unwrap().credentials;
    assert_eq!(credentials.len(), 1);
    assert_eq!(credentials[0].algorithm.as_deref(), Some("argon2id"));
    let hash = database.text(HASH).await.unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    assert!(is_password(&mut database, FIRST).await);
    space.event("ada", "Normal PasswordSet").await;

    // Touched without a change: nothing is written.
    space.edit_secret("ada", json!({"metadata": {"labels": {"touched": "yes"}}})).await;
    space.look_again::<User>("ada").await;
    assert_eq!(database.text(HASH).await.unwrap(), hash);
    space.set_password("ada", SECOND).await;
    becomes(&mut database, SECOND).await;
}

#[tokio::test]
async fn bcrypt_hashes_where_the_tenant_says_so() {
    let (space, _operator, mut database) =
        Space::with_acme("pw-bcrypt", json!({"settings": {"hashFunction": "bcrypt"}})).await;
    let ada = space.ada_with_password().await;
    assert_eq!(ada.status.unwrap().credentials[0].algorithm.as_deref(), Some("bcrypt"));
    assert!(database.text(HASH).await.unwrap().starts_with("$2b$12$"));
    space.set_password("ada", &"long".repeat(19)).await;
    let long = space.stalls::<User>("ada", "PasswordRejected").await;
    assert!(long.message().contains("72 bytes"), "{}", long.message());
}

#[tokio::test]
async fn a_user_waits_for_a_password_that_can_be_set_and_is_made_with_it() {
    let (space, _operator, mut database) = Space::with_acme("pw-waits", json!({})).await;
    space.in_acme::<User>("ada", from_secret()).await;
    let ada = space.waits::<User>("ada", "PasswordSecretMissing").await;
    assert!(ada.message().contains("the Secret ada is not there: create it"), "{}", ada.message());
    space.make_secret("ada", &[("other", b"x")]).await;
    let no_key = |user: &User| user.message().contains("the Secret ada has no key password");
    space.see::<User>("ada", "no key", no_key).await;
    let mebibyte = "x".repeat(1_000_000);
    for (value, said) in [
        (Vec::new(), "at least 12 characters"),
        (vec![0xff, 0xfe], "is not text in UTF-8"),
        (mebibyte.into_bytes(), "too long for a password"),
        (b"short".to_vec(), "settings.policies.password.min"),
        (b"long enough but broken\n".to_vec(), "line break"),
    ] {
        use base64::Engine as _;
        let encoded = base64::prelude::BASE64_STANDARD.encode(value);
        space.edit_secret("ada", json!({"data": {"password": encoded}})).await;
        let told =
            |user: &User| user.is_stalled("PasswordRejected") && user.message().contains(said);
        space.see::<User>("ada", said, told).await;
    }
    assert!(database.users().await.is_empty(), "none is made without its password");
    space.set_password("ada", FIRST).await;
    space.well::<User>("ada").await;
    assert!(is_password(&mut database, FIRST).await);
}

#[tokio::test]
async fn a_secret_that_goes_after_use_is_told_and_one_that_breaks_the_policy_changes_nothing() {
    let (space, _operator, mut database) = Space::with_acme("pw-after", json!({})).await;
    space.ada_with_password().await;
    space.secrets().delete("ada", &DeleteParams::default()).await.unwrap();
    let told = |user: &User| user.is_ready() && user.condition("PasswordSecretMissing").is_some();
    space.see::<User>("ada", "Ready without its Secret", told).await;
    space.make_secret("ada", &[("password", b"tiny")]).await;
    let ada = space.stalls::<User>("ada", "PasswordRejected").await;
    assert!(ada.message().contains("settings.policies.password"), "{}", ada.message());
    assert!(is_password(&mut database, FIRST).await);
    // What else is declared goes on.
    space.change::<User>("ada", json!({"firstName": "Ada"})).await;
    space.stalls::<User>("ada", "PasswordRejected").await;
    let first = "SELECT first_name FROM v1_users";
    assert_eq!(database.text(first).await.as_deref(), Some("Ada"));
    space.set_password("ada", FIRST).await;
    let well = |user: &User| user.is_ready() && user.condition("PasswordSecretMissing").is_none();
    space.see::<User>("ada", "Ready again", well).await;
}

#[tokio::test]
async fn what_the_user_chose_stays_until_the_secret_changes() {
    let (space, operator, mut database) = Space::with_acme("pw-own", json!({})).await;
    space.ada_with_password().await;
    database.execute("UPDATE user_credentials SET hash = 'their own'").await;
    space.look_again::<User>("ada").await;
    operator.stop().await;
    let _operator = Operator::start(&space);
    space.look_again::<User>("ada").await;
    space.change::<User>("ada", json!({"firstName": "Ada"})).await;
    space.well::<User>("ada").await;
    assert_eq!(database.text(HASH).await.unwrap(), "their own");
    space.set_password("ada", SECOND).await;
    becomes(&mut database, SECOND).await;
}

#[tokio::test]
async fn the_last_passwords_are_not_taken_again() {
    let policy = json!({"settings": {"policies": {"password": {"history": 2}}}});
    let (space, _operator, mut database) = Space::with_acme("pw-history", policy).await;
    space.ada_with_password().await;
    space.set_password("ada", SECOND).await;
    becomes(&mut database, SECOND).await;
    space.set_password("ada", FIRST).await;
    let ada = space.stalls::<User>("ada", "PasswordRejected").await;
    assert!(ada.message().contains("one of the last 2 passwords"), "{}", ada.message());
    assert!(is_password(&mut database, SECOND).await);
    space.set_password("ada", "a third horse battery").await;
    space.well::<User>("ada").await;
    space.set_password("ada", FIRST).await;
    becomes(&mut database, FIRST).await;
    space.well::<User>("ada").await;
}

#[tokio::test]
async fn a_tightened_policy_evicts_nobody_and_a_loosened_one_lets_in_at_once() {
    let (space, _operator, mut database) = Space::with_acme("pw-policy", json!({})).await;
    space.ada_with_password().await;
    let min = |min: u32| json!({"spec": {"settings": {"policies": {"password": {"min": min}}}}});
    space.merge::<keyreeve::api::Tenant>("acme", min(64)).await;
    space.ready("acme").await;
    let ada = space.look_again::<User>("ada").await;
    assert!(ada.is_ready(), "{}", ada.message());
    space.set_password("ada", SECOND).await;
    space.stalls::<User>("ada", "PasswordRejected").await;
    assert!(is_password(&mut database, FIRST).await);
    space.merge::<keyreeve::api::Tenant>("acme", min(12)).await;
    becomes(&mut database, SECOND).await;
    space.well::<User>("ada").await;
}

#[tokio::test]
async fn a_generated_password_is_in_a_secret_of_the_users_own() {
    let policy = json!({"settings": {"policies": {"password": {"min": 40, "number": 5, "customChars": "!?"}}}});
    let (space, _operator, mut database) = Space::with_acme("pw-generate", policy).await;
    let ada = space.made::<User>("ada", json!({"password": {"generate": {}}})).await;
    let secret = space.secrets().get("ada-password").await.unwrap();
    assert_eq!(secret.owner_references()[0].uid, ada.uid().unwrap());
    let password = |secret: &Secret| {
        String::from_utf8(secret.data.as_ref().unwrap()["password"].0.clone()).unwrap()
    };
    let made = password(&secret);
    assert_eq!(made.chars().count(), 40);
    assert!(is_password(&mut database, &made).await);

    // Deleted, it does not come back by itself: that would change the password.
    space.secrets().delete("ada-password", &DeleteParams::default()).await.unwrap();
    let told = |user: &User| user.is_ready() && user.condition("PasswordSecretMissing").is_some();
    space.see::<User>("ada", "Ready without its Secret", told).await;
    let again =
        json!({"password": {"generate": {"secretName": "ada-2", "key": "pass", "length": 50}}});
    space.change::<User>("ada", again).await;
    space.well::<User>("ada").await;
    let secret = space.secrets().get("ada-2").await.unwrap();
    let other = String::from_utf8(secret.data.unwrap()["pass"].0.clone()).unwrap();
    assert_eq!(other.chars().count(), 50);
    assert!(is_password(&mut database, &other).await);
    // With the User goes its Secret.
    space.remove::<User>("ada").await;
    eventually("its Secret is gone", async || {
        space.secrets().get_opt("ada-2").await.unwrap().is_none()
    })
    .await;
}

#[tokio::test]
async fn a_secret_that_somebody_else_made_is_not_taken_for_a_generated_one() {
    let (space, _operator, mut database) = Space::with_acme("pw-planted", json!({})).await;
    space.make_secret("ada-password", &[("password", FIRST.as_bytes())]).await;
    space.in_acme::<User>("ada", json!({"password": {"generate": {}}})).await;
    let ada = space.stalls::<User>("ada", "PasswordSecretConflict").await;
    assert!(ada.message().contains("was not made for this User"), "{}", ada.message());
    assert!(database.users().await.is_empty());
    space.secrets().delete("ada-password", &DeleteParams::default()).await.unwrap();
    space.well::<User>("ada").await;
    assert!(!is_password(&mut database, FIRST).await);
}

#[tokio::test]
async fn a_temporary_password_is_changed_at_the_next_login_each_time_it_is_set() {
    let (space, _operator, mut database) = Space::with_acme("pw-temporary", json!({})).await;
    space.make_secret("ada", &[("password", FIRST.as_bytes())]).await;
    let temporary = json!({"password": {"secretKeyRef": {"name": "ada"}, "temporary": true}, "requiredActions": []});
    space.made::<User>("ada", temporary).await;
    let actions = "SELECT required_actions FROM v1_users";
    assert_eq!(database.text(actions).await.unwrap(), r#"["UpdatePassword"]"#);
    // Not in the midst of a look.
    space.look_again::<User>("ada").await;
    database.execute("UPDATE users SET required_actions = '[]'").await;
    space.look_again::<User>("ada").await;
    assert_eq!(database.text(actions).await.unwrap(), "[]");
    space.set_password("ada", SECOND).await;
    becomes(&mut database, SECOND).await;
    assert_eq!(database.text(actions).await.unwrap(), r#"["UpdatePassword"]"#);
}

#[tokio::test]
async fn without_a_fingerprint_or_with_another_clusters_no_password_is_overwritten() {
    let space = Space::new("pw-unknown").await;
    let operator = Operator::start_with(&space, &["--owner-id", "us"]);
    space.made_tenant("acme", json!({})).await;
    let mut database = space.database().await;
    // One that the user has set at the identity provider, before the spec says anything of a password.
    space.made::<User>("ada", json!({})).await;
    database
        .execute("INSERT INTO user_credentials (tenant_id, username, type, algorithm, hash, created_at) \
                  VALUES ('acme', 'ada', 'password', 'argon2id', 'their own', '2026-01-01T00:00:00Z')")
        .await;
    space.make_secret("ada", &[("password", FIRST.as_bytes())]).await;
    space.change::<User>("ada", from_secret()).await;
    space.well::<User>("ada").await;
    space.event("ada", "Warning PasswordNotSet").await;
    assert_eq!(database.text(HASH).await.unwrap(), "their own");
    space.set_password("ada", SECOND).await;
    becomes(&mut database, SECOND).await;

    // The same store with the operator of a rebuilt cluster, which has another key.
    operator.stop().await;
    let system = space.another("system", &[]).await;
    let flags = ["--owner-id", "us", "--operator-namespace", &system];
    let _operator = Operator::start_with(&space, &flags);
    space.look_again::<User>("ada").await;
    assert!(is_password(&mut database, SECOND).await);
    assert_eq!(space.times_told("ada", "PasswordNotSet").await, 2);
    space.set_password("ada", "a third horse battery").await;
    becomes(&mut database, "a third horse battery").await;
}

#[tokio::test]
async fn where_the_operator_may_not_read_secrets_the_user_says_what_to_change() {
    let space = Space::new("pw-forbidden").await;
    let _operator = Operator::start_with(&space, &["--secrets-namespace", "keyreeve-system"]);
    space.made_tenant("acme", json!({})).await;
    space.make_secret("ada", &[("password", FIRST.as_bytes())]).await;
    space.in_acme::<User>("ada", from_secret()).await;
    let ada = space.stalls::<User>("ada", "SecretsForbidden").await;
    assert!(ada.message().contains("secrets.namespaces"), "{}", ada.message());
}

#[tokio::test]
async fn while_the_key_of_fingerprints_is_damaged_no_password_is_set_and_none_is_lost() {
    let space = Space::new("pw-key").await;
    let system = space.another("system", &[]).await;
    let flags = ["--operator-namespace", system.as_str()];
    let operator = Operator::start_with(&space, &flags);
    space.made_tenant("acme", json!({})).await;
    let mut database = space.database().await;
    space.ada_with_password().await;
    // The key is read once, so that the damage shows at the next start.
    operator.stop().await;
    let secrets: Api<Secret> = Api::namespaced(space.client.clone(), &system);
    let whole = secrets.get("keyreeve-fingerprint").await.unwrap().data.unwrap();
    let edit = async |key: Value| {
        let change = Patch::Merge(json!({"data": {"key": key}}));
        secrets.patch("keyreeve-fingerprint", &PatchParams::default(), &change).await.unwrap();
    };
    edit(json!("c2hvcnQ=")).await;
    space.set_password("ada", SECOND).await;
    let _operator = Operator::start_with(&space, &flags);
    let damaged = |user: &User| user.is_reconciling("PasswordKeyDamaged");
    let ada = space.see::<User>("ada", "waiting for the key", damaged).await;
    let said = format!("the Secret {system}/keyreeve-fingerprint does not hold 32 bytes under key");
    assert!(ada.message().starts_with(&said), "{}", ada.message());

    // What else is declared goes on, and nobody is made without the password that is declared.
    space.change::<User>("ada", json!({"firstName": "Ada"})).await;
    space.waits::<User>("ada", "PasswordKeyDamaged").await;
    let first = "SELECT first_name FROM v1_users";
    assert_eq!(database.text(first).await.as_deref(), Some("Ada"));
    space.in_acme::<User>("bob", from_secret()).await;
    space.waits::<User>("bob", "PasswordKeyDamaged").await;
    assert_eq!(database.users().await, ["acme/ada"]);
    assert!(is_password(&mut database, FIRST).await);
    let there = secrets.get("keyreeve-fingerprint").await.unwrap().data.unwrap();
    assert_eq!(there["key"].0, b"short", "it is left to whoever damaged it");

    // Put right it mends by itself, and what changed meanwhile is known to have changed.
    edit(serde_json::to_value(&whole["key"]).unwrap()).await;
    space.well::<User>("ada").await;
    assert!(is_password(&mut database, SECOND).await);
    assert_eq!(space.times_told("ada", "PasswordNotSet").await, 0);
    space.well::<User>("bob").await;
}
