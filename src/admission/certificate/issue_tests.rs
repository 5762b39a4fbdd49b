//! What is made is of use, is renewed in time, and never leaves anybody untrusted.

use jiff::ToSpan;

use super::*;
use crate::admission::certificate::renewal::needs_renewal;

fn at(day: i64) -> Timestamp {
    let start: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
    start + (day * 24).hours()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// As it comes back from the Secret.
fn stored(content: &Content) -> Content {
    Content::read(&content.bundle(), content.authority.key.clone(), content.serving.clone())
}

fn look(now: Timestamp, names: &[String], content: Content) -> Content {
    let due = needs_renewal(now, &content.held(names));
    if due.any() { stored(&renew(now, names, Some(content), due).unwrap()) } else { content }
}

fn fresh(names: &[String]) -> Content {
    let all = Due { authority: true, serving: true, bundle: false };
    stored(&renew(at(0), names, None, all).unwrap())
}

#[test]
fn what_was_just_made_is_good_for_its_names() {
    let own = names(&["hook.keyreeve-system.svc", "127.0.0.1", "localhost"]);
    let content = fresh(&own);
    let held = content.held(&own);
    assert_eq!(needs_renewal(at(0), &held), Due::default());
    let (authority, serving) = (held.authority.unwrap(), held.serving.unwrap());
    assert_eq!((authority.until, serving.until), (at(365), at(90)));
    assert!(serving.from < at(0), "a clock may be behind");
    // For fewer names it is good, too; for another it is not.
    assert!(content.held(&own[..1]).serving.is_some());
    for other in ["other.keyreeve-system.svc", "127.0.0.2"] {
        assert_eq!(content.held(&names(&[other])).serving, None, "{other}");
    }
}

#[test]
fn in_years_of_renewals_what_is_served_is_always_trusted_already() {
    let own = names(&["hook.keyreeve-system.svc"]);
    let mut content = fresh(&own);
    let (mut authorities, mut certificates) = (1, 1);
    for day in 0..3 * 365 {
        let next = look(at(day), &own, content.clone());
        let held = next.held(&own);
        assert_eq!(needs_renewal(at(day), &held), Due::default(), "day {day}");
        if next.serving != content.serving {
            certificates += 1;
            // Whoever trusts what was told to be trusted the day before trusts it.
            let before = Content { serving: next.serving.clone(), ..content.clone() };
            assert!(before.held(&own).serving.is_some(), "day {day}");
        }
        authorities += usize::from(next.authority != content.authority);
        assert!(next.former.len() <= 1, "day {day}");
        content = next;
    }
    assert_eq!((authorities, certificates), (5, 19));
}

#[test]
fn what_is_damaged_is_made_anew() {
    let own = names(&["hook.keyreeve-system.svc"]);
    let (good, other) = (fresh(&own), fresh(&own));
    let no_key = Zeroizing::new(String::new());
    let damaged = [
        Content { serving: other.serving.clone(), ..good.clone() },
        Content {
            serving: Pair { key: other.serving.key.clone(), ..good.serving.clone() },
            ..good.clone()
        },
        Content {
            authority: Pair { key: no_key.clone(), ..good.authority.clone() },
            ..good.clone()
        },
        Content { authority: other.authority.clone(), ..good.clone() },
        Content::read("", no_key.clone(), Pair { certificate: "?".into(), key: no_key }),
    ];
    for content in damaged {
        let due = needs_renewal(at(1), &content.held(&own));
        assert!(due.authority || due.serving, "{due:?}");
        let mended = look(at(1), &own, content);
        assert_eq!(needs_renewal(at(1), &mended.held(&own)), Due::default());
    }
}

#[test]
fn a_clock_that_jumps_leaves_few_authorities() {
    let own = names(&["hook.keyreeve-system.svc"]);
    let mut content = fresh(&own);
    for day in [0, 3000, 0, 3000, 0, 3000, 0] {
        content = look(at(day), &own, content);
        assert!(content.former.len() <= 3, "{}", content.former.len());
    }
}
