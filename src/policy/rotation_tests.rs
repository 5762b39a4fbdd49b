use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::{
    api::{Algorithm, KeystoreSpec},
    policy::ledger::after,
};

#[path = "rotation_properties.rs"]
mod properties;
#[path = "rotation_tests/trouble.rs"]
mod trouble;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * HOUR)
}

fn schedule() -> Schedule {
    Schedule {
        rotation_period: hours(90 * 24),
        publish_before: hours(24),
        retain_for: hours(24),
        longest_token: Duration::from_secs(300),
    }
}

const RS256: KeyType = KeyType { algorithm: Algorithm::RS256, size: 2048 };
const ES256: KeyType = KeyType { algorithm: Algorithm::ES256, size: 2048 };

/// A tenant's keystore under a clock that the test turns.
struct Tenant {
    ledger: Ledger,
    schedule: Schedule,
    wanted: KeyType,
    revoke: Vec<String>,
    rotate: Option<String>,
    first: FirstKey,
    now: Timestamp,
    made: u32,
    too_many: bool,
    /// What status shows; it follows each look, unless it cannot be written.
    shown: BTreeSet<String>,
    status_is_stuck: bool,
}

impl Tenant {
    /// One that has not been looked at yet.
    fn new() -> Self {
        Self {
            ledger: Ledger::default(),
            schedule: schedule(),
            wanted: RS256,
            revoke: Vec::new(),
            rotate: None,
            first: FirstKey::Signs,
            now: "2030-01-01T00:00:00Z".parse().unwrap(),
            made: 0,
            too_many: false,
            shown: BTreeSet::new(),
            status_is_stuck: false,
        }
    }

    /// One that signs already.
    fn signing() -> Self {
        let mut tenant = Self::new();
        tenant.look();
        tenant
    }

    fn plan(&self, now: Timestamp) -> Plan {
        plan(
            &self.ledger,
            &Inputs {
                wanted: self.wanted,
                schedule: self.schedule,
                revoke: &self.revoke,
                rotate: self.rotate.as_deref(),
                first: self.first,
                shown: &self.shown,
                now,
            },
        )
    }

    /// Carries out the plan of now; answers whether it changed anything.
    fn look(&mut self) -> bool {
        let plan = self.plan(self.now);
        self.carry_out(plan)
    }

    fn carry_out(&mut self, plan: Plan) -> bool {
        self.too_many = plan.too_many;
        let after = match plan.new {
            Some(new) => {
                self.made += 1;
                plan.with_key(new, jwk(&format!("key-{}", self.made), new.key_type))
            }
            None => plan.ledger,
        };
        let changed = after != self.ledger;
        self.ledger = after;
        if !self.status_is_stuck {
            self.shown = self.ledger.keys.iter().map(|key| key.kid().to_owned()).collect();
        }
        changed
    }

    fn turn(&mut self, seconds: u64) {
        self.now = after(self.now, Duration::from_secs(seconds));
    }

    /// Turns the clock and looks.
    fn later(&mut self, seconds: u64) -> bool {
        self.turn(seconds);
        self.look()
    }

    /// Goes on for so long, as the operator does: looking whenever there is something to do.
    fn go_on(&mut self, seconds: u64) {
        let end = after(self.now, Duration::from_secs(seconds));
        self.look();
        while let Some(next) =
            self.ledger.next_look(self.schedule, self.now).filter(|next| *next <= end)
        {
            self.now = next;
            self.look();
        }
        self.now = end;
    }

    fn states(&self) -> Vec<(&str, KeyState)> {
        self.ledger.keys.iter().map(|key| (key.kid(), key.key.state)).collect()
    }
}

fn jwk(kid: &str, key_type: KeyType) -> Jwk {
    let rsa = key_type.algorithm == Algorithm::RS256;
    Jwk {
        kty: if rsa { "RSA" } else { "EC" }.into(),
        use_: "sig".into(),
        alg: key_type.algorithm.as_str().into(),
        kid: kid.into(),
        n: rsa.then(|| "x".repeat(usize::try_from(key_type.size).unwrap().div_ceil(6))),
        e: None,
        crv: None,
        x: None,
        y: None,
    }
}

use KeyState::{Active, Retired, Revoked, Standby};

#[test]
fn the_life_of_keys_on_schedule() {
    let mut tenant = Tenant::new();
    assert!(tenant.look());
    assert_eq!(tenant.states(), [("key-1", Active)]);
    assert!(!tenant.look(), "nothing more to do");
    assert!(!tenant.later(89 * DAY - 1));
    assert!(tenant.later(1));
    assert_eq!(tenant.states(), [("key-1", Active), ("key-2", Standby)]);
    assert!(!tenant.later(DAY - 1));
    assert!(tenant.later(1));
    assert_eq!(tenant.states(), [("key-1", Retired), ("key-2", Active)]);
    assert!(!tenant.later(DAY - 1));
    assert!(tenant.later(1));
    assert_eq!(tenant.states(), [("key-2", Active)]);
}

#[test]
fn an_operator_that_was_away_publishes_first_all_the_same() {
    let mut tenant = Tenant::signing();
    tenant.later(400 * DAY);
    assert_eq!(tenant.states(), [("key-1", Active), ("key-2", Standby)]);
    tenant.later(DAY);
    assert_eq!(tenant.states(), [("key-1", Retired), ("key-2", Active)]);
}

#[test]
fn a_key_that_nobody_could_see_is_published_from_when_it_can_be_seen() {
    let mut tenant = Tenant::signing();
    tenant.status_is_stuck = true;
    tenant.later(89 * DAY);
    tenant.later(DAY - 60);
    tenant.status_is_stuck = false;
    tenant.look();
    assert!(!tenant.later(DAY - 1), "a minute before it was due it was not published for a day");
    assert_eq!(tenant.states()[1].1, Standby);
    assert!(tenant.later(1));
    assert_eq!(tenant.states()[1].1, Active);
}

#[test]
fn a_request_stands_until_a_key_has_taken_over() {
    for withdraw in [
        |tenant: &mut Tenant| tenant.wanted = ES256,
        |tenant: &mut Tenant| {
            tenant.revoke = vec!["key-2".into()];
        },
    ] {
        let mut tenant = Tenant::signing();
        tenant.rotate = Some("now".into());
        tenant.look();
        withdraw(&mut tenant);
        tenant.look();
        tenant.wanted = RS256;
        tenant.look();
        tenant.go_on(3 * DAY);
        let active = tenant.ledger.active().unwrap();
        assert_ne!(active.kid(), "key-1");
        assert!(!tenant.look() && !tenant.later(DAY), "and then no other");
        assert_eq!(tenant.ledger.keys.iter().filter(|key| key.is_published()).count(), 1);
    }
}

#[test]
fn tokens_that_were_allowed_just_before_another_key_took_over_are_outlived() {
    let mut tenant = Tenant::signing();
    tenant.rotate = Some("now".into());
    tenant.look();
    tenant.schedule.longest_token = hours(30 * 24);
    tenant.later(DAY);
    assert_eq!(tenant.states(), [("key-1", Retired), ("key-2", Active)]);
    tenant.schedule.longest_token = Duration::from_secs(300);
    tenant.later(30 * DAY - 1);
    assert_eq!(tenant.states()[0], ("key-1", Retired));
}

#[test]
fn an_older_keystore_that_is_restored_learns_how_long_its_tokens_lived() {
    let mut tenant = Tenant::signing();
    let backup = tenant.ledger.clone();
    tenant.schedule.longest_token = hours(30 * 24);
    tenant.look();
    let known = tenant.ledger.keys.clone();
    tenant.schedule.longest_token = Duration::from_secs(300);
    tenant.ledger = backup;
    assert!(take_in(&mut tenant.ledger, &known, tenant.schedule, tenant.now).is_empty());
    tenant.rotate = Some("now".into());
    tenant.look();
    tenant.later(DAY);
    tenant.later(30 * DAY - 1);
    assert_eq!(tenant.states(), [("key-1", Retired), ("key-2", Active)]);
}

#[test]
fn each_new_value_of_the_annotation_rotates_once() {
    let mut tenant = Tenant::new();
    tenant.rotate = Some("from the start".into());
    tenant.look();
    assert_eq!(tenant.states(), [("key-1", Active)], "the first key is new enough");
    tenant.rotate = Some("a".into());
    assert!(tenant.look());
    assert_eq!(tenant.states(), [("key-1", Active), ("key-2", Standby)]);
    assert_eq!(tenant.ledger.rotate.as_deref(), Some("a"));
    tenant.rotate = Some("b".into());
    tenant.look();
    assert_eq!(tenant.states().len(), 2, "a rotation is under way already");
    assert_eq!(tenant.ledger.rotate.as_deref(), Some("b"));
    tenant.go_on(3 * DAY);
    assert_eq!(tenant.states(), [("key-2", Active)]);
    tenant.rotate = None;
    assert!(!tenant.look(), "taking the annotation away rotates nothing");
    tenant.rotate = Some("b".into());
    assert!(!tenant.look(), "nor does a value that was carried out");
}

#[test]
fn scheduled_rotation_can_be_switched_off_and_a_request_still_rotates() {
    let mut tenant = Tenant::signing();
    tenant.schedule.rotation_period = Duration::default();
    assert_eq!(tenant.ledger.next_look(tenant.schedule, tenant.now), None);
    assert!(!tenant.later(10_000 * DAY));
    tenant.rotate = Some("now".into());
    tenant.look();
    tenant.go_on(DAY);
    assert_eq!(tenant.ledger.active().unwrap().kid(), "key-2");
}

#[test]
fn another_algorithm_or_size_rotates_gracefully_and_back_again_withdraws() {
    for wanted in [ES256, KeyType { algorithm: Algorithm::RS256, size: 3072 }] {
        let mut tenant = Tenant::signing();
        tenant.wanted = wanted;
        assert!(tenant.look());
        assert_eq!(tenant.states(), [("key-1", Active), ("key-2", Standby)]);
        assert!(wanted.is_of(&tenant.ledger.keys[1].key.key));
        tenant.wanted = RS256;
        assert!(tenant.look());
        assert_eq!(tenant.states(), [("key-1", Active)], "it never signed");
        tenant.wanted = wanted;
        tenant.look();
        tenant.later(DAY);
        assert_eq!(tenant.states(), [("key-1", Retired), ("key-3", Active)]);
    }
}

#[test]
fn a_size_is_told_from_the_modulus() {
    for (size, characters) in [(2048, 342), (3072, 512), (4096, 683)] {
        let rsa = KeyType { algorithm: Algorithm::RS256, size };
        let mut jwk = jwk("k", rsa);
        jwk.n = Some("A".repeat(characters));
        assert!(rsa.is_of(&jwk));
        assert!(!KeyType { size: size + 1024, ..rsa }.is_of(&jwk));
    }
}

#[test]
fn revocation_acts_at_once_and_for_good() {
    let mut tenant = Tenant::signing();
    tenant.revoke = vec!["key-1".into(), "never-seen".into()];
    assert!(tenant.look());
    assert_eq!(tenant.states(), [("key-1", Revoked), ("key-2", Active)]);
    assert!(!tenant.look());
    tenant.revoke.clear();
    assert!(!tenant.look(), "taken out of the list it stays revoked");

    tenant.rotate = Some("now".into());
    tenant.look();
    tenant.revoke = vec!["key-2".into()];
    tenant.look();
    let states = [("key-1", Revoked), ("key-2", Revoked), ("key-3", Active)];
    assert_eq!(tenant.states(), states, "the one in waiting takes over at once");

    tenant.rotate = Some("again".into());
    tenant.look();
    tenant.revoke = vec!["key-4".into()];
    tenant.look();
    let states = [("key-3", Active), ("key-4", Revoked), ("key-5", Standby)];
    assert_eq!(tenant.states()[2..], states, "what was asked for is still to come");
    tenant.revoke = vec!["key-3".into()];
    tenant.look();
    assert_eq!(tenant.ledger.active().unwrap().kid(), "key-5");
}

#[test]
fn an_adopted_tenant_publishes_its_first_key_before_that_signs() {
    let mut tenant = Tenant::new();
    tenant.first = FirstKey::IsPublished;
    tenant.look();
    assert_eq!(tenant.states(), [("key-1", Standby)]);
    tenant.revoke = vec!["key-1".into()];
    tenant.look();
    assert_eq!(
        tenant.states(),
        [("key-1", Revoked), ("key-2", Standby)],
        "nor does the next one hurry"
    );
    assert!(!tenant.later(DAY - 1));
    tenant.later(1);
    assert_eq!(tenant.states(), [("key-1", Revoked), ("key-2", Active)]);
}

#[test]
fn what_is_retained_outlives_the_tokens_that_it_signed() {
    let mut tenant = Tenant::signing();
    // A token of 30 days may have been signed before the lifetime was shortened again.
    tenant.schedule.longest_token = hours(30 * 24);
    assert!(tenant.look());
    tenant.schedule.longest_token = Duration::from_secs(300);
    assert!(!tenant.look());
    tenant.rotate = Some("now".into());
    tenant.look();
    tenant.later(DAY);
    assert!(!tenant.later(30 * DAY - 1));
    assert_eq!(tenant.states(), [("key-1", Retired), ("key-2", Active)]);
    tenant.later(1);
    assert_eq!(tenant.states(), [("key-2", Active)]);
}

#[test]
fn the_schedule_in_force_follows_the_token_lifetimes() {
    let settings =
        |ttl: serde_json::Value| serde_json::from_value(serde_json::json!({"ttl": ttl})).unwrap();
    let keystore = KeystoreSpec { retain_for: Some(hours(1)), ..KeystoreSpec::default() };
    for (ttl, retained) in [
        (serde_json::json!({"accessToken": "5m"}), hours(1)),
        (serde_json::json!({"accessToken": "2h", "session": "9h"}), hours(2)),
        (serde_json::json!({"accessToken": "2h", "idToken": "3h"}), hours(3)),
        (serde_json::json!({"accessToken": "2h", "clientCredentials": "4h"}), hours(4)),
    ] {
        assert_eq!(Schedule::of(&keystore, &settings(ttl)).retain_for, retained);
    }
}
