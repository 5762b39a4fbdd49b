//! Who may have what is in the store: the promise never to steal.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Problem, Reason};

/// The kinds that live in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the kinds'")]
pub enum Kind {
    Tenant,
    Namespace,
    Role,
    User,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Whose an object in the store is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mark {
    /// The operator: `<UID of kube-system>/<operator's namespace>`, unless `--owner-id` says otherwise.
    pub owner: String,
    /// The kind of the Kubernetes object.
    pub kind: Kind,
    /// Its Kubernetes namespace.
    pub namespace: String,
    /// Its `metadata.name`.
    pub name: String,
    /// Its `metadata.uid`.
    pub uid: String,
}

impl Mark {
    /// Whether both speak of an object of the same owner, kind, namespace and
    /// name; the UID may differ, as after a restore.
    #[must_use]
    pub fn is_same_object(&self, other: &Self) -> bool {
        (&self.owner, self.kind, &self.namespace, &self.name)
            == (&other.owner, other.kind, &other.namespace, &other.name)
    }
}

/// What an object may do with what the store has under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nothing is there: make it.
    Create,
    /// It is this object's.
    Keep,
    /// It carries a mark that gives way: this object's before a restore, or that of an owner named by `--take-over-from`.
    TakeOver,
    /// Nobody's, or left behind by an object that is gone; to be adopted.
    Adopt,
}

/// What the claim depends on beside the marks.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// What is claimed, for messages, such as `tenant acme`.
    pub what: &'a str,
    /// Whether the object says `adoptionPolicy: Adopt`.
    pub adopt: bool,
    /// Whether the operator's `--adoptable` lists the tenant.
    pub adoptable: bool,
    /// Owners named by `--take-over-from`.
    pub take_over_from: &'a [String],
    /// Whether the object that another mark names still exists.
    pub holder_exists: bool,
}

/// Decides what `me` may do with what the store has: nothing, something without
/// a mark (`Some(None)`), or something with one.
#[allow(clippy::option_option, reason = "nothing there and nobody's are two things")]
pub fn decide(me: &Mark, there: Option<Option<&Mark>>, rules: Rules<'_>) -> Result<Claim, Problem> {
    let what = rules.what;
    match there {
        None => Ok(Claim::Create),
        Some(Some(mark)) if mark == me => Ok(Claim::Keep),
        Some(Some(mark)) if mark.is_same_object(me) => Ok(Claim::TakeOver),
        Some(Some(mark)) if mark.owner != me.owner => {
            if rules.take_over_from.contains(&mark.owner) {
                Ok(Claim::TakeOver)
            } else {
                Err(conflict(format!(
                    "{what} in the store belongs to another owner, {}: choose another name, or start this operator with \
                     --take-over-from {} once that one has stopped",
                    mark.owner, mark.owner
                )))
            }
        }
        // Nobody's, or left behind by an object that is gone.
        Some(mark)
            if rules.adopt && rules.adoptable && (mark.is_none() || !rules.holder_exists) =>
        {
            Ok(Claim::Adopt)
        }
        Some(Some(mark)) => Err(conflict(taken(what, me, mark, rules))),
        Some(None) => Err(conflict(format!(
            "{what} is in the store and nobody's: {}",
            how_to_adopt(rules).unwrap_or_default()
        ))),
    }
}

/// Names the other object only within one Kubernetes namespace.
fn taken(what: &str, me: &Mark, mark: &Mark, rules: Rules<'_>) -> String {
    if mark.namespace != me.namespace {
        return format!("{what} is taken: choose another name");
    }
    let holder = format!("{} {}", mark.kind, mark.name);
    match how_to_adopt(rules) {
        Some(how) if !rules.holder_exists => format!(
            "{what} is in the store and was kept when {holder} was deleted: create {holder} again to take it up, or {how}"
        ),
        _ => format!("{what} is taken by {holder}: choose another name, or delete {holder}"),
    }
}

fn how_to_adopt(rules: Rules<'_>) -> Option<String> {
    match (rules.adopt, rules.adoptable) {
        (true, true) => None,
        (false, true) => Some("set adoptionPolicy: Adopt to adopt it".into()),
        (true, false) => Some("ask the platform to list the tenant in the operator's --adoptable".into()),
        (false, false) => Some(
            "to adopt it, set adoptionPolicy: Adopt and have the platform list the tenant in the operator's --adoptable".into(),
        ),
    }
}

fn conflict(message: String) -> Problem {
    Problem::terminal(Reason::Conflict, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(owner: &str, namespace: &str, name: &str, uid: &str) -> Mark {
        Mark {
            owner: owner.into(),
            kind: Kind::Tenant,
            namespace: namespace.into(),
            name: name.into(),
            uid: uid.into(),
        }
    }

    #[test]
    fn decisions() {
        let me = mark("us", "team-a", "acme", "1");
        let restored = mark("us", "team-a", "acme", "0");
        let neighbour = mark("us", "team-a", "other", "2");
        let stranger = mark("us", "team-b", "acme", "3");
        let foreign = mark("them", "team-a", "acme", "4");
        let rules = Rules {
            what: "tenant acme",
            adopt: false,
            adoptable: false,
            take_over_from: &[],
            holder_exists: true,
        };
        let adopting = Rules { adopt: true, adoptable: true, ..rules };
        let them = ["them".to_owned()];

        assert_eq!(decide(&me, None, rules), Ok(Claim::Create));
        assert_eq!(decide(&me, Some(Some(&me)), rules), Ok(Claim::Keep));
        assert_eq!(decide(&me, Some(Some(&restored)), rules), Ok(Claim::TakeOver));
        assert_eq!(decide(&me, Some(None), adopting), Ok(Claim::Adopt));
        assert_eq!(
            decide(&me, Some(Some(&foreign)), Rules { take_over_from: &them, ..rules }),
            Ok(Claim::TakeOver)
        );
        // Left behind by Retain: adopted only when the holder is gone.
        let gone = Rules { holder_exists: false, ..adopting };
        assert_eq!(decide(&me, Some(Some(&neighbour)), gone), Ok(Claim::Adopt));
        assert!(decide(&me, Some(Some(&neighbour)), adopting).is_err());

        for (there, rules, says) in [
            (Some(&foreign), adopting, "another owner, them"),
            (Some(&neighbour), rules, "taken by Tenant other"),
            (Some(&stranger), rules, "taken: choose another"),
            (
                Some(&neighbour),
                Rules { holder_exists: false, ..rules },
                "create Tenant other again",
            ),
            (None, rules, "set adoptionPolicy: Adopt and have the platform"),
            (None, Rules { adopt: true, ..rules }, "ask the platform"),
            (None, Rules { adoptable: true, ..rules }, "set adoptionPolicy: Adopt to adopt it"),
        ] {
            let problem = decide(&me, Some(there), rules).unwrap_err();
            assert_eq!(problem.reason, Reason::Conflict);
            assert!(problem.is_stalled());
            assert!(problem.message.contains(says), "{}", problem.message);
        }
        let problem = decide(&me, Some(Some(&stranger)), rules).unwrap_err();
        assert!(!problem.message.contains("team-b"), "names nobody in another namespace");
    }
}
