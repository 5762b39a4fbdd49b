//! Who may refer to what across Kubernetes namespaces.
//!
//! A reference works within one Kubernetes namespace, and across them only if
//! the target's `allowedFrom` names the referrer's namespace. A target that is
//! missing and one that forbids are answered alike, so that nobody learns what
//! others have.

use std::collections::BTreeMap;

use crate::api::AllowedFrom;

/// A Kubernetes namespace that refers to something.
#[derive(Clone, Copy, Debug)]
pub struct From<'a> {
    /// Its name.
    pub namespace: &'a str,
    /// Its labels, as far as they are known: a label that is not known matches nothing.
    pub labels: &'a BTreeMap<String, String>,
}

/// Whether an object in `target_namespace` with these grants may be referred to.
#[must_use]
pub fn allows(target_namespace: &str, grants: &[AllowedFrom], from: From<'_>) -> bool {
    target_namespace == from.namespace || grants.iter().any(|grant| grant_holds(grant, from))
}

fn grant_holds(grant: &AllowedFrom, from: From<'_>) -> bool {
    // The schema refuses both, but the object may be older than it.
    let gives_labels = grant.match_labels.as_ref().is_some_and(|labels| !labels.is_empty());
    if grant.match_names.is_none() && !gives_labels {
        return false;
    }
    let name = grant
        .match_names
        .as_ref()
        .is_none_or(|names| names.iter().any(|pattern| name_matches(pattern, from.namespace)));
    let labels = grant
        .match_labels
        .as_ref()
        .is_none_or(|labels| labels.iter().all(|(key, value)| from.labels.get(key) == Some(value)));
    name && labels
}

fn name_matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(names: Option<&[&str]>, labels: Option<&[(&str, &str)]>) -> AllowedFrom {
        AllowedFrom {
            match_names: names.map(|names| names.iter().map(ToString::to_string).collect()),
            match_labels: labels.map(|labels| {
                labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
            }),
        }
    }

    #[test]
    fn only_what_is_granted_is_allowed() {
        let labels = BTreeMap::from([("team".to_owned(), "blue".to_owned())]);
        let from = From { namespace: "team-a", labels: &labels };
        let cases = [
            ("no grant", vec![], false),
            ("an entry that gives nothing", vec![grant(None, None)], false),
            ("the name", vec![grant(Some(&["team-a"]), None)], true),
            ("another name", vec![grant(Some(&["team"]), None)], false),
            ("the beginning", vec![grant(Some(&["team-*"]), None)], true),
            ("another beginning", vec![grant(Some(&["team-b*"]), None)], false),
            ("everything", vec![grant(Some(&["*"]), None)], true),
            ("no label at all", vec![grant(None, Some(&[]))], false),
            ("the label", vec![grant(None, Some(&[("team", "blue")]))], true),
            ("another label", vec![grant(None, Some(&[("team", "red")]))], false),
            (
                "one label of two",
                vec![grant(None, Some(&[("team", "blue"), ("tier", "1")]))],
                false,
            ),
            ("name and label", vec![grant(Some(&["team-a"]), Some(&[("team", "blue")]))], true),
            ("name without label", vec![grant(Some(&["team-a"]), Some(&[("team", "red")]))], false),
            (
                "the second of two",
                vec![grant(Some(&["x"]), None), grant(Some(&["team-a"]), None)],
                true,
            ),
        ];
        for (what, grants, expected) in cases {
            assert_eq!(allows("platform", &grants, from), expected, "{what}");
        }
        assert!(allows("team-a", &[], from), "one's own namespace");
    }
}
