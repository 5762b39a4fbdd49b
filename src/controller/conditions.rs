//! Conditions as kstatus reads them: Ready always, and while it holds Reconciling
//! or Stalled, never both; beside them what else is true now.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::runtime::events::EventType;

use super::driver::{Notice, Verdict};
use crate::{
    api::Condition,
    policy::{Class, Problem, Reason},
};

/// The conditions that the driver itself sets; all others are the controller's.
const OWN: [&str; 4] = ["Ready", "Reconciling", "Stalled", "Paused"];

/// What is true beside Ready, and there only while it is true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Also {
    /// The condition's type.
    pub type_: &'static str,
    /// Why.
    pub reason: Reason,
    /// Why, for people.
    pub message: String,
}

/// Whether these say Ready.
#[must_use]
pub fn is_ready(conditions: &[Condition]) -> bool {
    conditions.iter().any(|ready| ready.type_ == "Ready" && ready.status == "True")
}

/// The conditions that say `verdict` and `also` (`None` keeps what was said before).
/// A condition whose status stays keeps its time.
#[must_use]
pub fn conditions(
    old: &[Condition],
    generation: i64,
    verdict: &Verdict,
    also: Option<&[Also]>,
    now: Timestamp,
) -> Vec<Condition> {
    let make = |type_: &str, status: bool, reason: Reason, message: &str| {
        condition(old, type_, status, reason, message, generation, now)
    };
    let mut conditions = match verdict {
        Verdict::Ready { reason, message } => vec![make("Ready", true, *reason, message)],
        Verdict::NotReady(problem) => {
            let type_ = if problem.is_stalled() { "Stalled" } else { "Reconciling" };
            vec![
                make("Ready", false, problem.reason, &problem.message),
                make(type_, true, problem.reason, &problem.message),
            ]
        }
    };
    match also {
        Some(also) => conditions
            .extend(also.iter().map(|also| make(also.type_, true, also.reason, &also.message))),
        None => conditions.extend(
            old.iter().filter(|condition| !OWN.contains(&condition.type_.as_str())).cloned(),
        ),
    }
    conditions
}

/// The same conditions, and that the object is paused.
#[must_use]
pub fn paused(old: &[Condition], generation: i64, now: Timestamp) -> Vec<Condition> {
    let message =
        "the annotation keyreeve.dev/paused stops everything but deletion: remove it to go on";
    let mut conditions: Vec<_> =
        old.iter().filter(|condition| condition.type_ != "Paused").cloned().collect();
    let paused = condition(old, "Paused", true, Reason::Paused, message, generation, now);
    match old.iter().position(|condition| condition.type_ == "Paused") {
        // Being paused is said once, of the generation that it began with.
        Some(at) => conditions.insert(at, old[at].clone()),
        None => conditions.push(paused),
    }
    conditions
}

fn condition(
    old: &[Condition],
    type_: &str,
    status: bool,
    reason: Reason,
    message: &str,
    generation: i64,
    now: Timestamp,
) -> Condition {
    let status = if status { "True" } else { "False" };
    let unchanged =
        old.iter().find(|condition| condition.type_ == type_ && condition.status == status);
    Condition {
        type_: type_.into(),
        status: status.into(),
        reason: reason.to_string(),
        message: message.chars().take(32_768).collect(),
        observed_generation: generation,
        last_transition_time: unchanged
            .map_or_else(|| to_the_second(now), |condition| condition.last_transition_time.clone()),
    }
}

/// As Kubernetes writes times.
fn to_the_second(now: Timestamp) -> Time {
    Time(Timestamp::from_second(now.as_second()).unwrap_or(now))
}

/// Whether somebody should look: not for what comes by itself; but a keystore does not always.
fn is_alarming(problem: &Problem) -> bool {
    problem.class != Class::Waiting || problem.reason == Reason::KeystoreMissing
}

/// An event for each transition between two sets of conditions: Ready's, and of what else came or went.
#[must_use]
pub fn transitions(old: &[Condition], new: &[Condition], verdict: Option<&Verdict>) -> Vec<Notice> {
    let find = |conditions: &[Condition], type_: &str| {
        conditions.iter().find(|c| c.type_ == type_).cloned()
    };
    let mut notices = Vec::new();
    if let (Some(verdict), Some(ready)) = (verdict, find(new, "Ready")) {
        let before = find(old, "Ready");
        if before
            .is_none_or(|before| (before.status, before.reason) != (ready.status, ready.reason))
        {
            let type_ = match verdict {
                Verdict::NotReady(problem) if is_alarming(problem) => EventType::Warning,
                _ => EventType::Normal,
            };
            notices.push(Notice {
                type_,
                reason: verdict.reason().as_str().into(),
                message: ready.message,
            });
        }
    }
    let others = |conditions: &[Condition]| -> Vec<Condition> {
        conditions
            .iter()
            .filter(|c| c.type_ == "Paused" || !OWN.contains(&c.type_.as_str()))
            .cloned()
            .collect()
    };
    for came in others(new).into_iter().filter(|c| find(old, &c.type_).is_none()) {
        let type_ = if came.type_ == "Paused" { EventType::Normal } else { EventType::Warning };
        notices.push(Notice { type_, reason: came.type_, message: came.message });
    }
    for went in others(old).into_iter().filter(|c| find(new, &c.type_).is_none()) {
        notices.push(Notice {
            type_: EventType::Normal,
            reason: format!("Not{}", went.type_),
            message: format!("the condition {} no longer holds", went.type_),
        });
    }
    notices
}

#[cfg(test)]
#[path = "conditions_tests.rs"]
mod tests;
