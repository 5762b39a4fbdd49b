//! Rotation on schedule, under a clock that the test turns, as tokens and those who verify them see it.

use std::time::Duration;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use keyreeve::{
    api::{KeyState, Tenant},
    controller::Clock as _,
};
use serde_json::json;

use super::{
    assert_agree,
    jose::{sign, verifies},
};
use crate::support::{Keys, Space, Turned, TurnedClock};

const ROTATIONS: usize = 10;

/// A tenant whose keys are rotated, and the tokens that it issued.
struct Issuer<'a> {
    space: &'a Space,
    clock: &'a TurnedClock,
    name: String,
    tokens: Vec<(String, Timestamp)>,
}

impl Issuer<'_> {
    /// Signs a token that expires as late as the tenant's tokens may: after three hours.
    async fn issue(&mut self) {
        let token = sign(&self.space.keystore(&self.name).await);
        self.tokens.push((token, self.clock.now() + SignedDuration::from_hours(3)));
    }

    /// Lets the operator look, and checks what must always hold; answers the Tenant.
    async fn look(&self) -> Tenant {
        let tenant = self.space.resync(&self.name).await;
        assert_agree(&tenant, &self.space.keystore(&self.name).await);
        for (token, expires) in &self.tokens {
            let (verifies, lives) = (verifies(&tenant, token), *expires > self.clock.now());
            assert_eq!(verifies, lives, "{}: one until {expires}", self.name);
        }
        tenant
    }

    /// Looks when the next key is due to be published; answers the one that signs, and the next.
    async fn publish_next(&self) -> (String, String) {
        let before = self.look().await;
        let standby = before.kids(KeyState::Standby);
        assert_eq!(standby.len(), 1, "{}: published before it signs", self.name);
        (before.active(), standby[0].clone())
    }
}

/// Who signs now can be verified by who asks after that: the JWKS always has the signer.
async fn assert_signer_is_published(space: &Space, names: &[String]) {
    loop {
        for name in names {
            let signer = space.keystore(name).await.active();
            let tenant = space.tenants().get(name).await.unwrap();
            let jwks = tenant.status.unwrap().keystore;
            let is_there =
                |key: &keyreeve::api::Key| key.key.kid == signer && key.state != KeyState::Revoked;
            assert!(jwks.iter().any(is_there), "{name}: {signer} is in no JWKS");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn tokens_verify_until_they_expire_through_ten_rotations_of_every_algorithm() {
    let space = Space::new("rotations").await;
    let clock = TurnedClock::new();
    let operator = Turned::start(&space, &clock).await;
    let mut issuers = Vec::new();
    for algorithm in
        ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
    {
        let name = algorithm.to_lowercase();
        let keystore = json!({"algorithm": algorithm, "rotationPeriod": "2h", "publishBefore": "30m", "retainFor": "0s"});
        let settings = json!({"ttl": {"accessToken": "1h", "idToken": "3h"}});
        space.create::<Tenant>(&name, json!({"keystore": keystore, "settings": settings})).await;
        issuers.push(Issuer { space: &space, clock: &clock, name, tokens: Vec::new() });
    }
    let names: Vec<_> = issuers.iter().map(|issuer| issuer.name.clone()).collect();
    for name in &names {
        let effective = space.ready(name).await.status.unwrap().effective.unwrap();
        let retained = effective.keystore.retain_for.unwrap().to_string();
        assert_eq!(retained, "3h", "not shorter than an ID token lives");
    }

    let rotations = async {
        for _ in 0..ROTATIONS {
            clock.turn(SignedDuration::from_mins(90));
            let next = join_all(issuers.iter().map(Issuer::publish_next)).await;
            clock.turn(SignedDuration::from_mins(30) - SignedDuration::from_secs(1));
            join_all(issuers.iter_mut().map(Issuer::issue)).await;
            clock.turn(SignedDuration::from_secs(1));
            let after = join_all(issuers.iter().map(Issuer::look)).await;
            for (tenant, (old, new)) in after.iter().zip(next) {
                assert_eq!(tenant.active(), new);
                assert!(tenant.has(&old, KeyState::Retired));
            }
        }
    };
    tokio::select! {
        () = rotations => {}
        () = assert_signer_is_published(&space, &names) => {}
    }

    // What is revoked verifies nothing, at once.
    for issuer in &mut issuers {
        issuer.issue().await;
        let (token, _) = issuer.tokens.pop().unwrap();
        let tenant = issuer.look().await;
        assert!(verifies(&tenant, &token));
        let kid = tenant.active();
        space.revoke(&issuer.name, &[&kid]).await;
        let tenant = space
            .tenant(&issuer.name, "rid of its key", |tenant| tenant.has(&kid, KeyState::Revoked))
            .await;
        assert!(!verifies(&tenant, &token));
        let secret = space.keystore(&issuer.name).await;
        assert_agree(&tenant, &secret);
        assert!(verifies(&tenant, &sign(&secret)));
    }
    operator.stop().await;
}

#[tokio::test]
async fn keys_of_3072_and_4096_bits_sign_and_verify() {
    let space = Space::new("sizes").await;
    let operator = Turned::start(&space, &TurnedClock::new()).await;
    for (name, algorithm, size, characters) in
        [("medium", "RS256", 3072, 512), ("large", "PS512", 4096, 683)]
    {
        let keystore = json!({"algorithm": algorithm, "keySize": size});
        space.create::<Tenant>(name, json!({"keystore": keystore})).await;
        let tenant = space.ready(name).await;
        let jwk = &tenant.status.as_ref().unwrap().keystore[0].key;
        assert_eq!(jwk.n.as_ref().unwrap().len(), characters);
        assert!(verifies(&tenant, &sign(&space.keystore(name).await)));
    }
    operator.stop().await;
}

#[tokio::test]
async fn a_clock_that_jumps_a_year_forth_and_back_stops_nothing() {
    let space = Space::new("jumps").await;
    let clock = TurnedClock::new();
    let operator = Turned::start(&space, &clock).await;
    let spec =
        json!({"keystore": {"algorithm": "ES256"}, "settings": {"ttl": {"accessToken": "1h"}}});
    space.create::<Tenant>("acme", spec).await;
    space.ready("acme").await;
    let mut tokens = vec![sign(&space.keystore("acme").await)];
    let look = async |tokens: &[String]| {
        let tenant = space.resync("acme").await;
        assert_agree(&tenant, &space.keystore("acme").await);
        for token in tokens {
            assert!(verifies(&tenant, token), "by the right clock it has not expired");
        }
        tenant
    };
    let (year, day) = (SignedDuration::from_hours(24 * 365), SignedDuration::from_hours(24));
    let first = look(&tokens).await.active();

    clock.turn(year);
    assert_eq!(look(&tokens).await.active(), first, "the next key is published first");
    clock.turn(day);
    let second = look(&tokens).await.active();
    assert_ne!(first, second);
    tokens.push(sign(&space.keystore("acme").await));

    clock.turn(-year - day);
    assert_eq!(look(&tokens).await.active(), second);
    clock.turn(-year);
    assert_eq!(look(&tokens).await.active(), second);
    tokens.push(sign(&space.keystore("acme").await));

    // From then on it rotates as ever.
    clock.turn(day * 89);
    assert_eq!(look(&tokens).await.kids(KeyState::Standby).len(), 1);
    clock.turn(day);
    let third = look(&tokens).await.active();
    assert_ne!(second, third);
    tokens.push(sign(&space.keystore("acme").await));

    // What the wrong clock retired stays published for as long as that said; what the right one did, goes.
    clock.turn(day);
    let tenant = space.resync("acme").await;
    assert!(tenant.has(&first, KeyState::Retired));
    assert_eq!(tenant.kids(KeyState::Retired), [first]);
    operator.stop().await;
}
