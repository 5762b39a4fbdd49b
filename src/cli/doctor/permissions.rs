//! Whether the operator may do what it has to. Pure.

use super::line::{Check, Line, counted};
use crate::controller::Right;

/// What is to be said of rights that were asked for, of whom, and whether it has them.
pub fn judge(user: &str, asked: &[(Right, bool)]) -> Vec<Line> {
    let missing: Vec<_> = asked.iter().filter(|(_, has)| !has).map(|(right, _)| right).collect();
    if missing.is_empty() {
        let number = counted(asked.len(), "right");
        return vec![Line::ok(
            Check::Permissions,
            format!("{user} has the {number} that it needs"),
        )];
    }
    // One line for what is missing in one place.
    let mut places: Vec<(String, Vec<&str>)> = Vec::new();
    for right in missing {
        let place = right.to_string();
        match places.iter_mut().find(|(known, _)| *known == place) {
            Some((_, verbs)) => verbs.push(right.verb),
            None => places.push((place, vec![right.verb])),
        }
    }
    let advice = "give it back what the chart grants: `helm upgrade` does with rbac.create true; templates/rbac.yaml and templates/leader-election.yaml in charts/keyreeve list it";
    let say = |(place, verbs): (String, Vec<&str>)| {
        Line::wrong(
            Check::Permissions,
            format!("{user} may not {} {place}", verbs.join(", ")),
            advice,
        )
    };
    places.into_iter().map(say).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::line::Verdict, *};
    use crate::controller::Needs;

    fn needs() -> Needs {
        Needs {
            watch_namespaces: vec!["team".into()],
            operator_namespace: "sys".into(),
            keystore_namespace: "sys".into(),
            webhook_configuration: Some("hook".into()),
            ..Needs::default()
        }
    }

    #[test]
    fn what_is_missing_is_named_once_for_each_place() {
        let lacks = |lacks: &dyn Fn(&Right) -> bool| {
            let rights = needs().rights().into_iter();
            let asked: Vec<_> = rights.map(|right| (right.clone(), !lacks(&right))).collect();
            judge("robot", &asked)
        };
        let all = lacks(&|_| false);
        assert_eq!((all.len(), all[0].verdict), (1, Verdict::Ok), "{all:?}");
        for (missing, says) in [
            (
                (|right: &Right| right.resource == "users/status") as fn(&Right) -> bool,
                "robot may not patch users.keyreeve.dev/status in the namespace team",
            ),
            (
                |right| right.resource == "events",
                "robot may not create, patch events.events.k8s.io in the namespace team",
            ),
            (
                |right| right.name.as_deref() == Some("keyreeve-fingerprint"),
                "robot may not get secrets keyreeve-fingerprint in the namespace sys",
            ),
            (
                |right| right.name.as_deref() == Some("hook") && right.verb == "patch",
                "robot may not patch validatingwebhookconfigurations.admissionregistration.k8s.io hook",
            ),
        ] {
            let lines = lacks(&missing);
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert_eq!((lines[0].says.as_str(), lines[0].verdict), (says, Verdict::Wrong));
        }
    }

    #[test]
    fn what_is_needed_in_all_namespaces_is_asked_for_in_all() {
        let needs = Needs { watch_namespaces: Vec::new(), ..needs() };
        let asked: Vec<_> = needs.rights().into_iter().map(|right| (right, false)).collect();
        let lines = judge("robot", &asked);
        let says =
            |text: &str| lines.iter().any(|line| line.says == format!("robot may not {text}"));
        assert!(
            says("get, list, patch, watch tenants.keyreeve.dev in every namespace"),
            "{lines:?}"
        );
        assert!(says("get, list, watch namespaces in every namespace"), "{lines:?}");
    }
}
