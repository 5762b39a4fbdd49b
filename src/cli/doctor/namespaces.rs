//! Whether the namespaces are there that are watched by their names, and whether one that is being deleted hangs on
//! the operator's finalizers. Pure.

use super::{
    line::{Check, Line},
    objects::{self, Object},
};
use crate::controller::Right;

/// How a Kubernetes namespace is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    There,
    /// It is being deleted.
    Going,
    Gone,
}

/// What is to be said of the watched namespaces that are gone or going, with the rights that the operator was asked
/// for, and the objects in them.
pub fn judge(
    watched: &[(String, Space)],
    asked: &[(Right, bool)],
    objects: &[Object],
) -> Vec<Line> {
    let of_one = |(name, space): &(String, Space)| match space {
        Space::There => None,
        Space::Gone => Some(Line::wrong(
            Check::Operator,
            format!("the namespace {name} is one of the operator's and is not there"),
            "take it out of watchNamespaces and secrets.namespaces by `helm upgrade`, which fails as long as it is listed and not there; or make it again, and `helm upgrade` gives the operator its Role in it",
        )),
        Space::Going => {
            let has_lost_a_right =
                asked.iter().any(|(right, has)| !has && right.namespace.as_ref() == Some(name));
            let is_held = |object: &&Object| object.is_held && object.namespace() == name;
            let held: Vec<_> = objects.iter().filter(is_held).collect();
            (has_lost_a_right && !held.is_empty()).then(|| {
                Line::wrong(
                    Check::Objects,
                    format!(
                        "the namespace {name} is being deleted and hangs: {} waiting for the operator, whose rights there went first",
                        objects::named(&held)
                    ),
                    format!(
                        "`keyreeve uninstall --watch-namespace {name}` lets them go, while the operator serves the others; what is in the store stays there. Then take it out of watchNamespaces and secrets.namespaces"
                    ),
                )
            })
        }
    };
    watched.iter().filter_map(of_one).collect()
}

/// The rights that are worth a line of their own: not those in a namespace that is gone, or going.
pub fn worth_telling(watched: &[(String, Space)], asked: Vec<(Right, bool)>) -> Vec<(Right, bool)> {
    let is_there =
        |name: &String| !watched.iter().any(|(of, space)| of == name && *space != Space::There);
    asked.into_iter().filter(|(right, _)| right.namespace.as_ref().is_none_or(is_there)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::Needs;

    fn object(id: &str, is_held: bool) -> Object {
        Object {
            kind: "Tenant",
            id: id.into(),
            conditions: Vec::new(),
            created: None,
            changed: None,
            deleted: None,
            is_held,
            store: None,
        }
    }

    /// The rights in these namespaces, of which it has those in the last one.
    fn asked() -> Vec<(Right, bool)> {
        let watch_namespaces = ["gone", "going", "team"].map(ToOwned::to_owned).to_vec();
        let needs = Needs { watch_namespaces, ..Needs::default() };
        let has = |right: &Right| right.namespace.as_deref() == Some("team");
        needs.watched().into_iter().map(|right| (right.clone(), has(&right))).collect()
    }

    #[test]
    fn one_that_is_gone_and_one_that_hangs_are_named_with_what_to_type() {
        let watched = [("gone", Space::Gone), ("going", Space::Going), ("team", Space::There)]
            .map(|(name, space)| (name.to_owned(), space));
        let objects =
            [object("going/acme", true), object("going/let-go", false), object("team/acme", true)];
        let lines = judge(&watched, &asked(), &objects);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert_eq!(lines[0].says, "the namespace gone is one of the operator's and is not there");
        assert_eq!(
            lines[1].says,
            "the namespace going is being deleted and hangs: 1 Tenant (going/acme) waiting for the operator, whose rights there went first"
        );
        assert!(lines[1].advice.starts_with("`keyreeve uninstall --watch-namespace going`"));
        let told = worth_telling(&watched, asked());
        assert!(!told.is_empty() && told.iter().all(|(_, has)| *has), "{told:?}");
    }

    #[test]
    fn one_that_goes_while_the_operator_may_work_there_or_that_nothing_holds_is_left_to_it() {
        let going = [("going".to_owned(), Space::Going)];
        let has_all: Vec<_> = asked().into_iter().map(|(right, _)| (right, true)).collect();
        assert_eq!(judge(&going, &has_all, &[object("going/acme", true)]), []);
        assert_eq!(judge(&going, &asked(), &[object("going/acme", false)]), []);
    }
}
