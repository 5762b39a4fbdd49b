//! Deletions that wait: for the store, or for what is in the object that goes.

use super::view::Member;
use crate::{
    api::Condition,
    policy::{Problem, Reason},
};

/// How each message of a deletion that is not done yet begins; a later pass knows it by that.
const WAITS: &str = "the deletion waits";

/// What was answered to a deletion that is tried again.
pub fn waits(problem: impl Into<Problem>) -> Problem {
    let problem = problem.into();
    Problem {
        message: format!("{WAITS}, unless deletionPolicy is set to Retain: {problem}"),
        ..problem
    }
}

/// It waits for these, which are in what goes; they are granted to those.
pub fn blocked(what: &str, by: &[Member], granted_to: &[Member]) -> Problem {
    let granted = if granted_to.is_empty() {
        String::new()
    } else {
        format!(". Who holds it loses it: {}", listed(granted_to))
    };
    Problem::waiting(
        Reason::DeletionBlocked,
        format!(
            "{WAITS} for what is in {what}, which is to be deleted first, unless deletionPolicy is set to Retain: {}{granted}",
            listed(by)
        ),
    )
}

/// The first ten by name.
fn listed(members: &[Member]) -> String {
    let named: Vec<_> =
        members.iter().take(10).map(|member| format!("{:?} {}", member.kind, member.id)).collect();
    let more = members.len().saturating_sub(named.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", named.join(", "))
}

/// Whether status says that the deletion could not be done at once.
pub fn has_waited(conditions: &[Condition]) -> bool {
    conditions.iter().any(|condition| condition.message.starts_with(WAITS))
}
