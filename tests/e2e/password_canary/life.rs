//! The lives of three users, with passwords that are set and such that are not.

use keyreeve::api::User;
use kube::api::DeleteParams;
use serde_json::json;

use super::Canary;
use crate::support::Conditions;

/// Goes through the lives of three users, and collects on the way.
pub async fn live(canary: &mut Canary) {
    // Given, in both algorithms.
    for (user, tenant) in [("ada", "acme"), ("bcrypt", "old")] {
        let first = canary.password(48);
        canary.space.make_secret(user, &[("other", first.as_bytes())]).await;
        let spec = json!({"tenantRef": {"name": tenant}, "password": {"secretKeyRef": {"name": user}, "temporary": true}});
        canary.space.create::<User>(user, spec).await;
        canary.space.waits::<User>(user, "PasswordSecretMissing").await;
        canary.look().await;
        canary.put(user, first.as_bytes()).await;
        canary.is_set(user).await;
        for round in 1..=2 {
            let next = canary.password(60);
            canary.put(user, next.as_bytes()).await;
            canary.is_set(user).await;
            if round == 1 {
                canary.put(user, first.as_bytes()).await;
                canary.is_rejected(user, "one of the last 2 passwords").await;
            }
        }
        rejected(canary, user).await;
        // What the store does not take.
        let mut stranger = canary.space.database().await;
        stranger.execute("BEGIN EXCLUSIVE").await;
        let last = canary.password(55);
        canary.put(user, last.as_bytes()).await;
        canary
            .space
            .see::<User>(user, "waiting for the store", |user| {
                user.is_reconciling("StoreUnavailable")
            })
            .await;
        stranger.execute("ROLLBACK").await;
        canary.is_set(user).await;
    }
    // Made by the operator.
    let made = json!({"tenantRef": {"name": "acme"}, "password": {"generate": {"length": 40}}});
    canary.space.create::<User>("made", made).await;
    canary.is_set("made").await;
    let secret = canary.space.secrets().get("made-password").await.unwrap();
    canary.secret.insert(secret.data.unwrap()["password"].0.clone());
    canary.space.secrets().delete("made-password", &DeleteParams::default()).await.unwrap();
    let told = |user: &User| user.condition("PasswordSecretMissing").is_some();
    canary.space.see::<User>("made", "without its Secret", told).await;
    let again = json!({"password": {"generate": {"secretName": "made-again"}}});
    canary.space.change::<User>("made", again).await;
    canary.is_set("made").await;
    let secret = canary.space.secrets().get("made-again").await.unwrap();
    canary.secret.insert(secret.data.unwrap()["password"].0.clone());
}

/// Contents of which each is rejected for another reason.
async fn rejected(canary: &mut Canary, user: &str) {
    for (content, says) in [
        (canary.password(20), "settings.policies.password.min"),
        (
            canary.password(101),
            if user == "ada" { "settings.policies.password.max" } else { "bytes" },
        ),
        (format!("{}\n", canary.password(40)), "line break"),
        (canary.password(5000), "too long for a password"),
    ] {
        canary.put(user, content.as_bytes()).await;
        canary.is_rejected(user, says).await;
    }
    let mut binary = canary.password(40).into_bytes();
    binary.push(0xff);
    canary.put(user, &binary).await;
    canary.is_rejected(user, "is not text in UTF-8").await;
}
