use super::*;
use crate::policy::Problem;

const THEN: &str = "2027-01-01T00:00:00Z";
const NOW: &str = "2027-01-02T00:00:00.5Z";

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn ready() -> Verdict {
    Verdict::Ready { reason: Reason::Synced, message: "in the store".into() }
}

fn names(conditions: &[Condition]) -> Vec<(&str, &str, &str)> {
    conditions.iter().map(|c| (c.type_.as_str(), c.status.as_str(), c.reason.as_str())).collect()
}

#[test]
fn never_both_reconciling_and_stalled() {
    for (problem, type_) in [
        (Problem::waiting(Reason::ProfileNotFound, "x"), "Reconciling"),
        (Problem::transient(Reason::StoreUnavailable, "x"), "Reconciling"),
        (Problem::terminal(Reason::Conflict, "x"), "Stalled"),
        (
            Problem {
                class: Class::Unsupported,
                reason: Reason::UnsupportedByStore,
                message: "x".into(),
            },
            "Stalled",
        ),
    ] {
        let reason = problem.reason.as_str();
        let made = conditions(&[], 3, &Verdict::NotReady(problem), None, at(NOW));
        assert_eq!(names(&made), [("Ready", "False", reason), (type_, "True", reason)]);
        assert!(made.iter().all(|c| c.observed_generation == 3));
    }
    assert_eq!(names(&conditions(&[], 3, &ready(), None, at(NOW))), [("Ready", "True", "Synced")]);
}

#[test]
fn a_time_moves_only_when_its_status_does() {
    let first = conditions(&[], 1, &ready(), None, at(THEN));
    let again = conditions(&first, 2, &ready(), None, at(NOW));
    assert_eq!(again[0].last_transition_time.0, at(THEN));
    assert_eq!(again[0].observed_generation, 2);
    let broken = conditions(
        &first,
        2,
        &Verdict::NotReady(Problem::terminal(Reason::Conflict, "x")),
        None,
        at(NOW),
    );
    assert_eq!(
        broken[0].last_transition_time.0.to_string(),
        "2027-01-02T00:00:00Z",
        "whole seconds"
    );
}

#[test]
fn what_else_is_true_comes_stays_and_goes() {
    let also = [Also {
        type_: "Suspended",
        reason: Reason::SubscriptionExpired,
        message: "expired".into(),
    }];
    let suspended = conditions(&[], 1, &ready(), Some(&also), at(THEN));
    assert_eq!(names(&suspended)[1], ("Suspended", "True", "SubscriptionExpired"));
    let problem = Verdict::NotReady(Problem::transient(Reason::StoreUnavailable, "x"));
    let unknown = conditions(&suspended, 1, &problem, None, at(NOW));
    assert_eq!(
        names(&unknown).last(),
        Some(&("Suspended", "True", "SubscriptionExpired")),
        "kept while nothing is known"
    );
    let gone = conditions(&unknown, 1, &ready(), Some(&[]), at(NOW));
    assert_eq!(names(&gone), [("Ready", "True", "Synced")]);
}

#[test]
fn an_event_for_each_transition_and_only_then() {
    let reasons =
        |notices: &[Notice]| notices.iter().map(|notice| notice.reason.clone()).collect::<Vec<_>>();
    let first = conditions(&[], 1, &ready(), Some(&[]), at(THEN));
    assert_eq!(reasons(&transitions(&[], &first, Some(&ready()))), ["Synced"]);
    let again = conditions(&first, 2, &ready(), Some(&[]), at(NOW));
    assert!(transitions(&first, &again, Some(&ready())).is_empty());
    let also = [Also {
        type_: "Suspended",
        reason: Reason::SubscriptionExpired,
        message: "expired".into(),
    }];
    let suspended = conditions(&again, 2, &ready(), Some(&also), at(NOW));
    assert_eq!(reasons(&transitions(&again, &suspended, Some(&ready()))), ["Suspended"]);
    assert_eq!(reasons(&transitions(&suspended, &again, Some(&ready()))), ["NotSuspended"]);
    let paused = paused(&again, 3, at(NOW));
    assert_eq!(reasons(&transitions(&again, &paused, None)), ["Paused"]);
    assert_eq!(super::paused(&paused, 4, at(NOW)), paused, "said once");
}
