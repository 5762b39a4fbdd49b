//! Where an object stands, as its conditions say: what is counted in metrics and told by `keyreeve doctor`.

use super::Reason;
use crate::api::Condition;

/// Where an object stands, in the words of kstatus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It is as declared.
    Ready,
    /// It is not, and mends by itself.
    Reconciling,
    /// It is not, and needs a person.
    Stalled,
    /// It is being deleted, whatever else is true.
    Deleting,
    /// The operator has not said anything of it yet.
    Unseen,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Ready, Self::Reconciling, Self::Stalled, Self::Deleting, Self::Unseen];

    /// Where an object with these conditions stands.
    #[must_use]
    pub fn of(conditions: &[Condition], is_deleting: bool) -> Self {
        let holds = |type_: &str| {
            conditions
                .iter()
                .any(|condition| condition.type_ == type_ && condition.status == "True")
        };
        if is_deleting {
            Self::Deleting
        } else if holds("Stalled") {
            Self::Stalled
        } else if holds("Ready") {
            Self::Ready
        } else if holds("Reconciling") {
            Self::Reconciling
        } else {
            Self::Unseen
        }
    }

    /// The metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Reconciling => "reconciling",
            Self::Stalled => "stalled",
            Self::Deleting => "deleting",
            Self::Unseen => "unseen",
        }
    }
}

/// Why an object is not Ready, if it says so. What is no reason of ours, as another hand may write it, is none.
#[must_use]
pub fn why_not_ready(conditions: &[Condition]) -> Option<Reason> {
    let ready = conditions.iter().find(|condition| condition.type_ == "Ready")?;
    (ready.status != "True").then(|| Reason::named(&ready.reason))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(of: &[(&str, &str, &str)]) -> Vec<Condition> {
        of.iter()
            .map(|(type_, status, reason)| {
                serde_json::from_value(serde_json::json!({
                    "type": type_, "status": status, "reason": reason, "message": "",
                    "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z",
                }))
                .unwrap()
            })
            .collect()
    }

    #[test]
    fn an_object_stands_where_its_conditions_say_unless_it_is_being_deleted() {
        let ready = [("Ready", "True", "Synced")].as_slice();
        let waits =
            &[("Ready", "False", "TenantNotFound"), ("Reconciling", "True", "TenantNotFound")];
        let stalled = &[("Ready", "False", "Conflict"), ("Stalled", "True", "Conflict")];
        let odd = &[("Ready", "False", "Mine"), ("Stalled", "False", "Mine")];
        for (of, state, why) in [
            (ready, State::Ready, None),
            (waits, State::Reconciling, Some(Reason::TenantNotFound)),
            (stalled, State::Stalled, Some(Reason::Conflict)),
            (odd, State::Unseen, None),
            (&[], State::Unseen, None),
        ] {
            let conditions = conditions(of);
            assert_eq!(State::of(&conditions, false), state, "{of:?}");
            assert_eq!(State::of(&conditions, true), State::Deleting, "{of:?}");
            assert_eq!(why_not_ready(&conditions), why, "{of:?}");
        }
    }

    #[test]
    fn every_reason_is_known_by_its_name() {
        for reason in Reason::ALL {
            assert_eq!(Reason::named(reason.as_str()), Some(*reason));
        }
        assert_eq!(Reason::named("Mine"), None);
    }
}
