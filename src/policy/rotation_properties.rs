//! Whatever happens to a tenant's keys, in whatever order: no token is let down.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// What may happen to a tenant between two looks.
#[derive(Clone, Debug)]
enum Act {
    /// Nothing but time.
    Wait(u64),
    Rotate,
    RevokeActive,
    RevokeAny(usize),
    Forgive,
    Want(bool),
    Tokens(u64),
    Schedule {
        period: u64,
        before: u64,
        retain: u64,
    },
    Lose,
    /// Status can be written no longer, or again.
    Status(bool),
}

fn act() -> impl Strategy<Value = Act> {
    let wait = || prop_oneof![0..2 * HOUR, 0..3 * DAY, 0..120 * DAY];
    prop_oneof![
        8 => wait().prop_map(Act::Wait),
        2 => Just(Act::Rotate),
        1 => Just(Act::RevokeActive),
        1 => (0..MAX_KEYS).prop_map(Act::RevokeAny),
        1 => Just(Act::Forgive),
        1 => any::<bool>().prop_map(Act::Want),
        2 => (30..400 * DAY).prop_map(Act::Tokens),
        2 => (0..200 * DAY, 300..30 * DAY, 0..60 * DAY).prop_map(|(period, before, retain)| Act::Schedule { period, before, retain }),
        1 => Just(Act::Lose),
        2 => any::<bool>().prop_map(Act::Status),
    ]
}

/// A tenant, the tokens that it has signed, and what was published when.
struct World {
    tenant: Tenant,
    /// (kid, expiry)
    tokens: Vec<(String, Timestamp)>,
    revoked: BTreeSet<String>,
    published: BTreeMap<String, Timestamp>,
}

impl World {
    fn act(&mut self, act: &Act) {
        let tenant = &mut self.tenant;
        // At any look there may be tokens of all lifetimes that were allowed until then.
        let active = tenant.ledger.active().unwrap().kid().to_owned();
        let sign = |at: Timestamp| (active.clone(), after(at, tenant.schedule.longest_token));
        self.tokens.push(sign(tenant.now));
        let may_hurry = match act {
            Act::Wait(seconds) => {
                let end = after(tenant.now, Duration::from_secs(*seconds));
                self.tokens.push(sign(end));
                tenant.now = end;
                false
            }
            Act::Rotate => {
                tenant.rotate = Some(format!("{:?}", tenant.now));
                false
            }
            Act::RevokeActive => {
                tenant.revoke.push(active.clone());
                true
            }
            Act::RevokeAny(number) => {
                let keys = &tenant.ledger.keys;
                let kid = keys[number % keys.len()].kid().to_owned();
                let is_active = kid == active;
                tenant.revoke.push(kid);
                is_active
            }
            Act::Forgive => {
                tenant.revoke.clear();
                false
            }
            Act::Want(ec) => {
                tenant.wanted = if *ec { ES256 } else { RS256 };
                false
            }
            Act::Tokens(seconds) => {
                tenant.schedule.longest_token = Duration::from_secs(*seconds);
                tenant.schedule.retain_for =
                    tenant.schedule.retain_for.max(tenant.schedule.longest_token);
                false
            }
            Act::Schedule { period, before, retain } => {
                let period = if *period < HOUR { 0 } else { *period };
                let before = if period == 0 { *before } else { (*before).min(period - 1) };
                tenant.schedule.rotation_period = Duration::from_secs(period);
                tenant.schedule.publish_before = Duration::from_secs(before);
                tenant.schedule.retain_for =
                    Duration::from_secs(*retain).max(tenant.schedule.longest_token);
                false
            }
            // With a full keystore something must be given up: a test of its own.
            Act::Lose if tenant.ledger.keys.len() < MAX_KEYS => {
                let known = std::mem::take(&mut tenant.ledger).keys;
                take_in(&mut tenant.ledger, &known, tenant.schedule, tenant.now);
                true
            }
            Act::Lose => false,
            Act::Status(is_stuck) => {
                tenant.status_is_stuck = *is_stuck;
                false
            }
        };
        self.revoked.extend(self.tenant.revoke.iter().cloned());
        self.tenant.look();
        self.check(&active, may_hurry);
    }

    fn check(&mut self, active_before: &str, may_hurry: bool) {
        let Tenant { ledger, now, schedule, .. } = &self.tenant;
        let count = |state| ledger.keys.iter().filter(|key| key.is(state)).count();
        assert_eq!(count(Active), 1, "always one that signs");
        assert!(count(Standby) <= 1);
        assert!(ledger.keys.len() <= MAX_KEYS);
        let jwks: BTreeSet<_> =
            ledger.keys.iter().filter(|key| key.is_published()).map(KeyRecord::kid).collect();
        for kid in &self.revoked {
            assert!(!jwks.contains(kid.as_str()), "{kid} was revoked");
        }
        self.tokens.retain(|(kid, expiry)| expiry > now && !self.revoked.contains(kid));
        for (kid, expiry) in &self.tokens {
            assert!(
                jwks.contains(kid.as_str()),
                "a token of {kid} that ends at {expiry} meets a JWKS without it"
            );
        }
        for kid in &self.tenant.shown {
            self.published.entry(kid.clone()).or_insert(*now);
        }
        let halves = ledger.keys.iter().filter(|key| key.needs_private_half());
        assert!(halves.count() <= 2, "that which signs and that which will");
        let active = ledger.active().unwrap().kid();
        if active != active_before && !may_hurry {
            let since = *self.published.get(active).expect("it was shown");
            assert!(
                after(since, schedule.publish_before) <= *now,
                "{active} was published only at {since}"
            );
        }
        if self.tenant.status_is_stuck {
            return;
        }
        // Silence: what was done is done, and until the next look there is nothing to do.
        for then in [
            Some(*now),
            ledger.next_look(*schedule, *now).map(|next| next - SignedDuration::from_secs(1)),
        ]
        .into_iter()
        .flatten()
        {
            let again = self.tenant.plan(then.max(*now));
            assert_eq!((&again.ledger, again.new), (ledger, None), "at {then}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_no_token_is_let_down(acts in prop::collection::vec(act(), 1..80)) {
        let mut world = World {
            tenant: Tenant::signing(),
            tokens: Vec::new(),
            revoked: BTreeSet::new(),
            published: BTreeMap::new(),
        };
        world.published.insert("key-1".into(), world.tenant.now);
        for act in &acts {
            world.act(act);
        }
    }
}
