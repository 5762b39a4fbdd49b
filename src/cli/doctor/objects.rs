//! What the objects say in status: of the store, and of themselves. Pure.

use jiff::{SignedDuration, Timestamp};

use super::line::{Check, Line, counted};
use crate::{
    api::Condition,
    policy::{
        Reason,
        state::{State, why_not_ready},
    },
};

/// How long the operator may take before it says anything of a new object.
const UNSEEN: SignedDuration = SignedDuration::from_mins(2);

/// How long an object may wait for something before somebody should look whether that will come.
const WAITING: SignedDuration = SignedDuration::from_mins(10);

/// How long a deletion may take before it is said to hang.
const DELETING: SignedDuration = SignedDuration::from_mins(10);

/// What is wrong with the store, whatever object says it.
const TROUBLE: [Reason; 3] =
    [Reason::StoreUnavailable, Reason::ForbiddenByStore, Reason::StoreTakenOver];

/// So many objects are named of those of which the same is said.
const NAMED: usize = 3;

/// An object, as far as it is looked at.
#[derive(Clone, Debug)]
pub struct Object {
    pub kind: &'static str,
    /// Its namespace and name.
    pub id: String,
    pub conditions: Vec<Condition>,
    pub created: Option<Timestamp>,
    /// When it was changed, if status says nothing of that yet.
    pub changed: Option<Timestamp>,
    pub deleted: Option<Timestamp>,
    /// Whether the operator's finalizer is on it.
    pub is_held: bool,
    /// The kind of store that has it.
    pub store: Option<String>,
}

impl Object {
    /// The Kubernetes namespace that it is in.
    pub fn namespace(&self) -> &str {
        self.id.split_once('/').map(|(namespace, _)| namespace).unwrap_or_default()
    }

    fn state(&self) -> State {
        State::of(&self.conditions, self.deleted.is_some())
    }

    /// Whether the operator owes it a word on its last change. Of a paused one it says nothing.
    fn is_behind(&self) -> bool {
        self.deleted.is_none() && self.state() != State::Unseen && self.when("Paused").is_none()
    }

    /// Since when this is true of it, if it is.
    fn when(&self, type_: &str) -> Option<Timestamp> {
        let of_type = self.conditions.iter().find(|condition| condition.type_ == type_);
        of_type.filter(|found| found.status == "True").map(|found| found.last_transition_time.0)
    }

    fn message(&self) -> &str {
        let ready = self.conditions.iter().find(|condition| condition.type_ == "Ready");
        ready.map(|ready| ready.message.as_str()).unwrap_or_default()
    }
}

/// What they say of the store. That none says it is away means something only while an operator works, which would
/// have it said.
pub fn judge_store(objects: &[Object], works: bool) -> Vec<Line> {
    let of_reason = TROUBLE.into_iter().filter_map(|reason| {
        let say_so: Vec<_> =
            objects.iter().filter(|o| why_not_ready(&o.conditions) == Some(reason)).collect();
        let first = say_so.first()?;
        let says = format!("{} say {reason}; the first: {}", named(&say_so), first.message());
        Some(Line::wrong(Check::Store, says, reason.explanation().trim()))
    });
    let lines: Vec<_> = of_reason.collect();
    if !lines.is_empty() {
        return lines;
    }
    let tenants: Vec<_> =
        objects.iter().filter(|o| o.kind == "Tenant" && o.store.is_some()).collect();
    let Some(kind) = tenants.first().and_then(|tenant| tenant.store.as_ref()) else {
        let says = "no Tenant is in it yet, so that none could say that it is away";
        return vec![Line::ok(Check::Store, says)];
    };
    let has = format!("the {kind} store has {}", counted(tenants.len(), "Tenant"));
    vec![if works {
        Line::ok(Check::Store, format!("{has}, and none says that it is away"))
    } else {
        Line::unknown(
            Check::Store,
            format!("{has}, as they said last: no operator is seen to work that would say it now"),
            "look again when one works: see the other lines",
        )
    }]
}

fn is_of_the_store(reason: Reason) -> bool {
    TROUBLE.contains(&reason)
}

/// What they say of themselves.
pub fn judge(objects: &[Object], now: Timestamp) -> Vec<Line> {
    let mut lines = Vec::new();
    for (reason, stalled) in stalled(objects) {
        let advice = reason.map_or(
            "`kubectl describe` it: the operator writes no such reason, so another hand may have",
            |reason| reason.explanation().trim(),
        );
        let reason = reason.map_or("Other", Reason::as_str);
        let first = stalled.first().map(|first| first.message()).unwrap_or_default();
        let (verb, whose) = if stalled.len() == 1 { ("is", "it") } else { ("are", "the first") };
        let what =
            format!("{} {verb} Stalled with {reason}; {whose} says: {first}", named(&stalled));
        lines.push(Line::wrong(Check::Objects, what, advice));
    }
    let since =
        |time: Option<Timestamp>, limit| time.is_some_and(|time| now.duration_since(time) > limit);
    let unseen: Vec<_> = objects
        .iter()
        .filter(|object| object.state() == State::Unseen && since(object.created, UNSEEN))
        .collect();
    if !unseen.is_empty() {
        lines.push(Line::wrong(
            Check::Objects,
            format!("the operator has said nothing of {}", named(&unseen)),
            "it does not run, or does not watch their namespace (watchNamespaces), or may not write their status: see the other lines, and its log",
        ));
    }
    let behind: Vec<_> = objects
        .iter()
        .filter(|object| object.is_behind() && since(object.changed, UNSEEN))
        .collect();
    if !behind.is_empty() {
        lines.push(Line::wrong(
            Check::Objects,
            format!("the operator has said nothing of the last change of {}", named(&behind)),
            "what their status says is of before: the operator does not run, or cannot open its store and so does not work, or may not write status: see the other lines, and its log",
        ));
    }
    let hanging: Vec<_> = objects.iter().filter(|object| since(object.deleted, DELETING)).collect();
    if !hanging.is_empty() {
        lines.push(Line::wrong(
            Check::Objects,
            format!("{} should have gone more than 10 minutes ago", named(&hanging)),
            "their status says what holds them: docs/troubleshooting.md has what to do when a deletion hangs",
        ));
    }
    let waiting: Vec<_> = objects
        .iter()
        .filter(|object| object.state() == State::Reconciling && object.when("Paused").is_none())
        .filter(|object| since(object.when("Reconciling"), WAITING))
        // That is told as one thing, of the store.
        .filter(|object| !why_not_ready(&object.conditions).is_some_and(is_of_the_store))
        .collect();
    if let Some(first) = waiting.first() {
        let verb = if waiting.len() == 1 { "waits" } else { "wait" };
        lines.push(Line::wrong(
            Check::Objects,
            format!(
                "{} {verb} for more than 10 minutes; the first says: {}",
                named(&waiting),
                first.message()
            ),
            "it goes on by itself once that is there: see whether it will come, or whether its name is wrong",
        ));
    }
    if lines.is_empty() {
        let ready = objects.iter().filter(|object| object.state() == State::Ready).count();
        let count = counted(objects.len(), "object");
        let rest =
            if ready == objects.len() { "" } else { "; the others have not waited for long" };
        lines.push(Line::ok(Check::Objects, format!("{ready} of {count} Ready{rest}")));
    }
    lines
}

/// Those that are Stalled, by kind and reason, the most first.
fn stalled(objects: &[Object]) -> Vec<(Option<Reason>, Vec<&Object>)> {
    let mut groups: Vec<(&'static str, Option<Reason>, Vec<&Object>)> = Vec::new();
    for object in objects.iter().filter(|object| object.state() == State::Stalled) {
        let (kind, reason) = (object.kind, why_not_ready(&object.conditions));
        match groups.iter_mut().find(|group| (group.0, group.1) == (kind, reason)) {
            Some(group) => group.2.push(object),
            None => groups.push((kind, reason, vec![object])),
        }
    }
    groups.sort_by_key(|(kind, _, objects)| (std::cmp::Reverse(objects.len()), *kind));
    groups.into_iter().map(|(_, reason, objects)| (reason, objects)).collect()
}

/// How many they are, of which kind, and some of them by name.
pub fn named(objects: &[&Object]) -> String {
    let kind = objects.first().map(|object| object.kind).unwrap_or_default();
    let word = if objects.iter().all(|object| object.kind == kind) { kind } else { "object" };
    let names: Vec<_> = objects.iter().take(NAMED).map(|object| object.id.as_str()).collect();
    let more = if objects.len() > NAMED { ", …" } else { "" };
    format!("{} ({}{more})", counted(objects.len(), word), names.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::line::Verdict, *};

    fn now() -> Timestamp {
        "2026-01-01T12:00:00Z".parse().unwrap()
    }

    /// An object that was made an hour ago, with these conditions.
    fn object(kind: &'static str, id: &str, conditions: &[(&str, &str, &str)]) -> Object {
        let condition = |(type_, status, reason): &(&str, &str, &str)| {
            serde_json::from_value(json!({
                "type": type_, "status": status, "reason": reason, "message": format!("{id} is {reason}"),
                "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z",
            }))
            .unwrap()
        };
        Object {
            kind,
            id: id.into(),
            conditions: conditions.iter().map(condition).collect(),
            created: Some(now() - SignedDuration::from_hours(1)),
            changed: None,
            deleted: None,
            is_held: true,
            store: Some("sqlite".into()),
        }
    }

    fn stalled(kind: &'static str, id: &str, reason: &str) -> Object {
        object(kind, id, &[("Ready", "False", reason), ("Stalled", "True", reason)])
    }

    fn waits(kind: &'static str, id: &str, reason: &str) -> Object {
        object(kind, id, &[("Ready", "False", reason), ("Reconciling", "True", reason)])
    }

    #[test]
    fn what_is_ready_or_waits_needs_nobody() {
        let ready = object("Tenant", "a/acme", &[("Ready", "True", "Synced")]);
        let mut waiting = waits("User", "a/ada", "TenantNotFound");
        waiting.conditions[1].last_transition_time.0 = now();
        let new = Object { created: Some(now()), ..object("User", "a/new", &[]) };
        let going = Object { deleted: Some(now()), ..stalled("User", "a/going", "Conflict") };
        let objects = [ready, waiting, new, going];
        let lines = judge(&objects, now());
        assert_eq!(
            lines,
            [Line::ok(Check::Objects, "1 of 4 objects Ready; the others have not waited for long")]
        );
        let store = judge_store(&objects, true);
        assert_eq!(store[0].says, "the sqlite store has 1 Tenant, and none says that it is away");
        assert_eq!(judge_store(&[], true)[0].verdict, Verdict::Ok);
        let before = judge_store(&objects, false);
        assert_eq!(before[0].verdict, Verdict::Unknown, "it may have gone since: {before:?}");
    }

    #[test]
    fn who_waits_for_long_may_wait_for_what_never_comes() {
        let objects =
            [waits("User", "a/ada", "TenantNotFound"), waits("User", "a/bob", "StoreUnavailable")];
        let lines = judge(&objects, now());
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(
            (lines[0].verdict, lines[0].says.as_str()),
            (
                Verdict::Wrong,
                "1 User (a/ada) waits for more than 10 minutes; the first says: a/ada is TenantNotFound"
            )
        );
    }

    #[test]
    fn what_is_stalled_is_counted_by_reason_with_what_to_do() {
        let mut objects: Vec<_> =
            (0..5).map(|n| stalled("User", &format!("a/{n}"), "Conflict")).collect();
        objects.push(stalled("Role", "a/r", "NotInPlan"));
        let lines = judge(&objects, now());
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert_eq!(
            lines[0].says,
            "5 Users (a/0, a/1, a/2, …) are Stalled with Conflict; the first says: a/0 is Conflict"
        );
        assert_eq!(lines[0].advice, Reason::Conflict.explanation().trim());
        assert!(lines[1].says.starts_with("1 Role (a/r) is Stalled with NotInPlan"), "{lines:?}");
    }

    #[test]
    fn what_nobody_looks_at_or_lets_go_is_told() {
        let unseen = object("User", "a/ada", &[]);
        let hanging = Object {
            deleted: Some(now() - SignedDuration::from_mins(11)),
            ..object("Tenant", "a/acme", &[])
        };
        let lines = judge(&[unseen, hanging], now());
        let says: Vec<_> = lines.iter().map(|line| line.says.as_str()).collect();
        assert_eq!(
            says,
            [
                "the operator has said nothing of 1 User (a/ada)",
                "1 Tenant (a/acme) should have gone more than 10 minutes ago",
            ]
        );
    }

    #[test]
    fn what_was_changed_and_is_not_looked_at_is_told_though_it_was_ready_before() {
        let changed = |minutes| Some(now() - SignedDuration::from_mins(minutes));
        let of = |name, conditions: &[(&str, &str, &str)], minutes| Object {
            changed: changed(minutes),
            ..object("Tenant", name, conditions)
        };
        let ready = ("Ready", "True", "Synced");
        let just_now = of("a/now", &[ready], 1);
        let paused = of("a/paused", &[ready, ("Paused", "True", "Paused")], 5);
        assert_eq!(judge(&[just_now.clone(), paused.clone()], now())[0].verdict, Verdict::Ok);
        let behind = of("a/behind", &[ready], 5);
        let lines = judge(&[just_now, paused, behind], now());
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(
            lines[0].says,
            "the operator has said nothing of the last change of 1 Tenant (a/behind)"
        );
    }

    #[test]
    fn a_store_that_is_away_is_told_as_the_objects_tell_it() {
        let objects = [
            waits("Tenant", "a/acme", "StoreUnavailable"),
            waits("User", "a/ada", "StoreUnavailable"),
        ];
        let lines = judge_store(&objects, true);
        assert_eq!(lines, judge_store(&objects, false));
        assert_eq!(lines.len(), 1);
        assert_eq!(
            lines[0].says,
            "2 objects (a/acme, a/ada) say StoreUnavailable; the first: a/acme is StoreUnavailable"
        );
        assert_eq!(lines[0].verdict, Verdict::Wrong);
        assert_eq!(judge(&objects, now())[0].verdict, Verdict::Ok, "it is told once");
    }
}
