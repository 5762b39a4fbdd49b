//! Who may have what is in the store: the promise never to steal.

use std::fmt;

use jiff::Timestamp;
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
    /// Nobody's, to be adopted.
    Adopt,
}

impl Claim {
    /// Whether the object comes to it only now.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        matches!(self, Self::Create | Self::Adopt)
    }
}

/// Another object that claims the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// When it was created; it orders claimants that nobody's mark tells apart.
    pub created: Option<Timestamp>,
    /// Its UID, which orders those of one moment.
    pub uid: String,
    /// Its Kubernetes namespace.
    pub namespace: String,
    /// Its `metadata.name`.
    pub name: String,
}

impl Claimant {
    fn precedes(&self, other: &Self) -> bool {
        (self.created, &self.uid) < (other.created, &other.uid)
    }
}

/// What the claim depends on beside the marks.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// What is claimed, for messages, such as `tenant acme`.
    pub what: &'a str,
    /// How the object gets another one, such as `delete it and create it with another tenantId`.
    pub otherwise: &'a str,
    /// All objects that claim it, this one among them.
    pub claimants: &'a [Claimant],
    /// Whether the object says `adoptionPolicy: Adopt`.
    pub adopt: bool,
    /// Whether the operator's `--adoptable` lists the tenant.
    pub adoptable: bool,
    /// Owners named by `--take-over-from`.
    pub take_over_from: &'a [String],
    /// Whether the object that another mark names still exists; for messages only.
    pub holder_exists: bool,
}

/// Decides what `me` may do with what the store has: nothing, something without
/// a mark (`Some(None)`), or something with one.
///
/// A mark stands above all: whoever's it is keeps it, and what carries the mark
/// of another object is never adopted, also when that object is gone. Where no
/// mark decides, the oldest claimant does.
#[allow(clippy::option_option, reason = "nothing there and nobody's are two things")]
pub fn decide(me: &Mark, there: Option<Option<&Mark>>, rules: Rules<'_>) -> Result<Claim, Problem> {
    let what = rules.what;
    let claim = match there {
        Some(Some(mark)) if mark == me => return Ok(Claim::Keep),
        Some(Some(mark)) if mark.is_same_object(me) => return Ok(Claim::TakeOver),
        Some(Some(mark)) if mark.owner == me.owner => {
            return Err(conflict(taken(me, mark, rules)));
        }
        Some(Some(mark)) if rules.take_over_from.contains(&mark.owner) => Claim::TakeOver,
        Some(Some(mark)) => {
            return Err(conflict(format!(
                "{what} in the store belongs to another owner, {}: {}, or start this operator with --take-over-from {} once that one has stopped",
                mark.owner, rules.otherwise, mark.owner
            )));
        }
        Some(None) if rules.adopt && rules.adoptable => Claim::Adopt,
        Some(None) => {
            return Err(conflict(format!(
                "{what} is in the store and nobody's: {}",
                how_to_adopt(rules)
            )));
        }
        None => Claim::Create,
    };
    match first(me, rules.claimants) {
        Some(first) if first.namespace == me.namespace => Err(conflict(format!(
            "{what} is taken by {} {}, which came first: {}, or delete that one",
            me.kind, first.name, rules.otherwise
        ))),
        Some(_) => Err(conflict(format!("{what} is taken: {}", rules.otherwise))),
        None => Ok(claim),
    }
}

/// The conflict that `me` comes to while the store has nothing: whether another one of the claimants comes
/// before it. One that is not among them is not there yet, and comes last. `what` is claimed; `otherwise`
/// is how it gets another one.
#[must_use]
pub fn taken_before(
    me: &Mark,
    mut claimants: Vec<Claimant>,
    (what, otherwise): (&str, &str),
) -> Option<Problem> {
    if !claimants.iter().any(|claimant| claimant.uid == me.uid) {
        claimants.push(Claimant {
            created: Some(Timestamp::MAX),
            uid: me.uid.clone(),
            namespace: me.namespace.clone(),
            name: me.name.clone(),
        });
    }
    let rules = Rules {
        what,
        otherwise,
        claimants: &claimants,
        adopt: false,
        adoptable: false,
        take_over_from: &[],
        holder_exists: true,
    };
    decide(me, None, rules).err()
}

/// A claimant that comes before `me`.
fn first<'a>(me: &Mark, claimants: &'a [Claimant]) -> Option<&'a Claimant> {
    let own = claimants.iter().find(|claimant| claimant.uid == me.uid)?;
    claimants.iter().find(|other| other.precedes(own))
}

/// Names the other object only within one Kubernetes namespace.
fn taken(me: &Mark, mark: &Mark, rules: Rules<'_>) -> String {
    let (what, otherwise) = (rules.what, rules.otherwise);
    let holder = format!("{} {}", mark.kind, mark.name);
    if mark.namespace != me.namespace {
        format!("{what} is taken: {otherwise}")
    } else if rules.holder_exists {
        format!("{what} is taken by {holder}: {otherwise}, or delete {holder}")
    } else {
        format!(
            "{what} was kept in the store when {holder} was deleted: create {holder} again to take it up, or {otherwise}"
        )
    }
}

fn how_to_adopt(rules: Rules<'_>) -> &'static str {
    match (rules.adopt, rules.adoptable) {
        (true, _) => "ask the platform to list the tenant in the operator's --adoptable",
        (false, true) => "set adoptionPolicy: Adopt to adopt it",
        (false, false) => {
            "to adopt it, set adoptionPolicy: Adopt and have the platform list the tenant in the operator's --adoptable"
        }
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
            otherwise: "choose another",
            claimants: &[],
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
        for (there, rules, says) in [
            (Some(&foreign), adopting, "another owner, them"),
            (Some(&neighbour), rules, "taken by Tenant other"),
            (Some(&neighbour), adopting, "taken by Tenant other"),
            (Some(&stranger), Rules { holder_exists: false, ..adopting }, "taken: choose another"),
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

    #[test]
    fn where_no_mark_decides_the_oldest_does() {
        let (one, two) = (mark("us", "team-a", "one", "1"), mark("us", "team-a", "two", "2"));
        let far = mark("us", "team-b", "far", "3");
        let claimant = |mark: &Mark, created: i64| Claimant {
            created: Timestamp::from_second(created).ok(),
            uid: mark.uid.clone(),
            namespace: mark.namespace.clone(),
            name: mark.name.clone(),
        };
        let claimants = [claimant(&two, 10), claimant(&one, 10), claimant(&far, 20)];
        let them = ["them".to_owned()];
        let rules = Rules {
            what: "tenant acme",
            otherwise: "choose another",
            claimants: &claimants,
            adopt: true,
            adoptable: true,
            take_over_from: &them,
            holder_exists: true,
        };
        let foreign = mark("them", "team-a", "acme", "4");
        for (there, claim) in [
            (None, Claim::Create),
            (Some(None), Claim::Adopt),
            (Some(Some(&foreign)), Claim::TakeOver),
        ] {
            assert_eq!(decide(&one, there, rules), Ok(claim), "the lowest UID of one moment");
            let near = decide(&two, there, rules).unwrap_err().message;
            assert!(near.contains("taken by Tenant one, which came first"), "{near}");
            let far = decide(&far, there, rules).unwrap_err().message;
            assert!(far.contains("is taken: choose"), "{far}");
        }
        // Its own mark stands above anybody's age, be it from before a restore.
        assert_eq!(decide(&far, Some(Some(&far)), rules), Ok(Claim::Keep));
        assert_eq!(
            decide(&two, Some(Some(&mark("us", "team-a", "two", "0"))), rules),
            Ok(Claim::TakeOver)
        );
    }
}
