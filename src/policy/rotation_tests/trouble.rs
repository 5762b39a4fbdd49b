//! What goes wrong on the way: keystores that are lost or restored, too many keys, clocks that are wrong.

use super::*;

#[test]
fn a_lost_keystore_leaves_its_public_keys_for_as_long_as_they_are_retained() {
    let mut tenant = Tenant::signing();
    tenant.rotate = Some("now".into());
    tenant.look();
    let known = std::mem::take(&mut tenant.ledger).keys;
    let lost = take_in(&mut tenant.ledger, &known, tenant.schedule, tenant.now);
    assert_eq!(lost, ["key-1", "key-2"]);
    tenant.look();
    assert_eq!(tenant.states(), [("key-1", Retired), ("key-2", Retired), ("key-3", Active)]);
    assert!(
        take_in(&mut tenant.ledger.clone(), &known, tenant.schedule, tenant.now).is_empty(),
        "once is enough"
    );
    tenant.later(DAY);
    assert_eq!(tenant.states(), [("key-3", Active)]);
    let again = take_in(&mut tenant.ledger, &known, tenant.schedule, tenant.now);
    assert_eq!(
        again,
        ["key-1"],
        "of one that was said to be active nobody knows since when it is lost"
    );
}

#[test]
fn what_was_lost_is_retained_for_the_tokens_of_its_time() {
    let mut tenant = Tenant::signing();
    tenant.schedule.longest_token = hours(48);
    tenant.schedule.retain_for = hours(48);
    let mut known = std::mem::take(&mut tenant.ledger).keys;
    // Status does not tell for how long its tokens live.
    known[0].longest_token = Duration::default();
    take_in(&mut tenant.ledger, &known, tenant.schedule, tenant.now);
    tenant.schedule = schedule();
    tenant.later(2 * DAY - 1);
    assert_eq!(tenant.states(), [("key-1", Retired), ("key-2", Active)]);
}

#[test]
fn a_restored_older_keystore_keeps_what_came_after_it_published() {
    let mut tenant = Tenant::signing();
    let backup = tenant.ledger.clone();
    tenant.rotate = Some("now".into());
    tenant.look();
    tenant.go_on(3 * DAY);
    tenant.revoke = vec!["key-2".into()];
    tenant.look();
    let known = tenant.ledger.keys.clone();
    tenant.revoke.clear();
    tenant.ledger = backup;
    assert_eq!(take_in(&mut tenant.ledger, &known, tenant.schedule, tenant.now), ["key-3"]);
    tenant.look();
    let states: BTreeMap<_, _> = tenant.states().into_iter().collect();
    assert_eq!(states["key-1"], Active);
    assert_eq!(states["key-2"], Revoked, "and what was revoked stays so");
    assert_eq!(states["key-3"], Retired);
}

/// A tenant with as many keys as there may be, all but the last one retired.
fn full() -> Tenant {
    let mut tenant = Tenant::signing();
    tenant.schedule.retain_for = hours(365 * 24);
    for request in 0..MAX_KEYS {
        tenant.rotate = Some(request.to_string());
        tenant.go_on(DAY);
    }
    tenant
}

#[test]
fn a_rotation_that_would_publish_a_21st_key_waits() {
    let mut tenant = full();
    assert!(tenant.too_many);
    assert_eq!(tenant.ledger.keys.len(), MAX_KEYS);
    assert_eq!(tenant.ledger.rotate.as_deref(), Some("18"), "what waits is not said to be done");
    tenant.schedule.retain_for = hours(24);
    tenant.look();
    assert!(!tenant.too_many);
    assert_eq!(tenant.ledger.rotate.as_deref(), Some("19"));
    assert_eq!(tenant.states().last().unwrap().1, Standby);
}

#[test]
fn there_is_always_room_for_a_key_that_signs() {
    let mut tenant = full();
    for _ in 0..3 {
        let leaked = tenant.ledger.active().unwrap().kid().to_owned();
        let known = tenant.ledger.keys.clone();
        tenant.revoke = vec![leaked.clone()];
        tenant.look();
        assert!(tenant.ledger.active().is_some());
        assert!(tenant.ledger.keys.len() <= MAX_KEYS);
        assert!(tenant.ledger.knows(&leaked), "its revocation is remembered");
        tenant.revoke.clear();
        take_in(&mut tenant.ledger, &known, tenant.schedule, tenant.now);
        let back = tenant.ledger.key(&leaked).is_some_and(KeyRecord::is_published);
        assert!(!back, "also where status has not followed yet");
    }
    let known = std::mem::take(&mut tenant.ledger).keys;
    take_in(&mut tenant.ledger, &known, tenant.schedule, tenant.now);
    tenant.look();
    assert!(tenant.ledger.active().is_some());
    assert_eq!(tenant.ledger.keys.len(), MAX_KEYS);
}

#[test]
fn a_clock_that_was_wrong_for_a_while_stops_nothing() {
    let mut tenant = Tenant::signing();
    let right = tenant.now;
    tenant.later(365 * DAY);
    assert_eq!(tenant.states(), [("key-1", Active), ("key-2", Standby)]);
    tenant.now = right;
    tenant.later(HOUR);
    assert_eq!(tenant.states(), [("key-1", Active), ("key-2", Standby)]);
    tenant.later(DAY);
    assert_eq!(tenant.states(), [("key-1", Retired), ("key-2", Active)]);

    let right = tenant.now;
    tenant.later(365 * DAY);
    tenant.later(DAY);
    assert_eq!(tenant.states(), [("key-2", Retired), ("key-3", Active)]);
    tenant.now = right;
    tenant.later(HOUR);
    tenant.go_on(100 * DAY);
    assert_eq!(tenant.ledger.active().unwrap().kid(), "key-4", "it rotates from then on as ever");
    assert_eq!(
        tenant.states()[0],
        ("key-2", Retired),
        "what may have signed for a year ahead stays"
    );
}

#[test]
fn keys_stay_in_the_order_in_which_they_were_made_though_a_clock_was_turned_back() {
    let mut tenant = Tenant::signing();
    tenant.now = tenant.now.saturating_sub(SignedDuration::from_hours(24 * 365)).unwrap();
    tenant.rotate = Some("now".into());
    tenant.look();
    let (before, known) = (tenant.ledger.clone(), tenant.ledger.keys.clone());
    assert_eq!(tenant.states(), [("key-1", Active), ("key-2", Standby)]);
    assert!(take_in(&mut tenant.ledger, &known, tenant.schedule, tenant.now).is_empty());
    assert_eq!(tenant.ledger, before, "there is nothing to write");
}

#[test]
fn a_fraction_of_a_second_is_never_taken_from_anybody() {
    let mut tenant = Tenant::new();
    tenant.now = "2030-01-01T00:00:00.5Z".parse().unwrap();
    tenant.look();
    let created = &tenant.ledger.keys[0].key.created_at;
    assert_eq!(created.0.to_string(), "2030-01-01T00:00:01Z");
}
