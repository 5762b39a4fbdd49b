//! Roles that contain roles: circles among them, and parts that are not there.

use std::{collections::BTreeSet, hash::Hash};

use super::{Problem, Reason};

/// The circle that leads from an object back to itself, if there is one: the object, what leads on, and the
/// object again. `parts` are its own; `parts_of` says those of the others, none of one that is not there.
#[must_use]
pub fn cycle<Id: Clone + Ord + Hash>(
    start: &Id,
    parts: &[Id],
    parts_of: &dyn Fn(&Id) -> Vec<Id>,
) -> Option<Vec<Id>> {
    // By breadth, so that the shortest circle is named, and each object is looked at once.
    let mut seen = BTreeSet::new();
    let mut paths: Vec<Vec<Id>> =
        parts.iter().map(|part| vec![start.clone(), part.clone()]).collect();
    while !paths.is_empty() {
        let mut longer = Vec::new();
        for path in paths {
            let Some(last) = path.last() else { continue };
            if last == start {
                return Some(path);
            }
            if seen.insert(last.clone()) {
                longer.extend(parts_of(last).into_iter().map(|part| {
                    let mut path = path.clone();
                    path.push(part);
                    path
                }));
            }
        }
        paths = longer;
    }
    None
}

/// What a circle is told by: the names along it, from a Role back to itself.
#[must_use]
pub fn circle(names: &[String]) -> Problem {
    Problem::terminal(
        Reason::RoleCycle,
        format!(
            "spec.composites: roles contain each other in a circle: {}. Take one of them out of another's composites",
            names.join(" → ")
        ),
    )
}

/// One problem that names all that is missing, if anything is.
#[must_use]
pub fn waiting_for(missing: &[Problem]) -> Option<Problem> {
    let (first, others) = missing.split_first()?;
    let mut message = first.message.clone();
    for other in others {
        message.push_str("; ");
        message.push_str(&other.message);
    }
    Some(Problem { message, ..first.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(edges: &[(char, &str)], start: char) -> Option<String> {
        let parts_of = |id: &char| -> Vec<char> {
            edges.iter().filter(|(from, _)| from == id).flat_map(|(_, to)| to.chars()).collect()
        };
        let cycle = cycle(&start, &parts_of(&start), &parts_of);
        cycle.map(|path| path.into_iter().collect())
    }

    #[test]
    fn circles_are_found_and_the_shortest_is_named() {
        assert_eq!(found(&[('a', "a")], 'a').as_deref(), Some("aa"));
        assert_eq!(found(&[('a', "b"), ('b', "a")], 'a').as_deref(), Some("aba"));
        assert_eq!(
            found(&[('a', "bd"), ('b', "c"), ('c', "a"), ('d', "a")], 'a').as_deref(),
            Some("ada")
        );
        // A circle that it does not lie on is not its own.
        assert_eq!(found(&[('a', "b"), ('b', "c"), ('c', "b")], 'a'), None);
        assert_eq!(found(&[('a', "bc"), ('b', "d"), ('c', "d"), ('d', "e")], 'a'), None);
        assert_eq!(found(&[('a', "gone")], 'a'), None);
    }

    #[test]
    fn all_that_is_missing_is_named() {
        let missing =
            |name: &str| Problem::waiting(Reason::RoleNotFound, format!("{name} is not there"));
        assert_eq!(waiting_for(&[]), None);
        let both = waiting_for(&[missing("a"), missing("b")]).unwrap();
        assert_eq!(both.message, "a is not there; b is not there");
    }
}
