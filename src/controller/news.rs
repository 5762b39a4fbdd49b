//! What there is to tell of how an object came to what the store has, and of what was put right there.

use super::driver::Notice;
use crate::{
    api::StoreReference,
    policy::{Reason, claim::Claim},
    store::{Applied, Store},
};

/// What an update may touch without putting anything right.
const NOTES: [&str; 2] = ["mark", "memo"];

/// What a reconcile found and did.
pub struct News<'a> {
    /// What it is called, such as `tenant acme`.
    pub what: &'a str,
    pub claim: &'a Claim,
    pub applied: &'a Applied,
    /// Another hand had changed it in the store.
    pub drifted: bool,
    /// The store that had it, if it was made anew.
    pub lost_from: Option<&'a StoreReference>,
    pub store: &'a dyn Store,
}

/// An event for each thing that is worth telling.
pub fn of(news: &News<'_>) -> Vec<Notice> {
    let News { what, claim, applied, drifted, lost_from, store } = *news;
    let mut notices = Vec::new();
    match claim {
        Claim::Adopt => notices.push(Notice::normal(
            Reason::Adopted,
            format!("{what} was adopted: what is not set stays as found"),
        )),
        Claim::TakeOver => notices.push(Notice::normal(
            Reason::TakenOver,
            format!("{what} was taken over from its former mark"),
        )),
        Claim::Create | Claim::Keep => {}
    }
    if let Some(before) = lost_from {
        let message = if before.id == store.id() {
            format!("{what} was not in the store any more and was made anew")
        } else {
            format!(
                "the store is another one than before ({} {}, now {} {}): {what} was made anew in it; what else was in the old one is not here",
                before.kind,
                before.id,
                store.kind(),
                store.id()
            )
        };
        notices.push(Notice::warning(Reason::DriftCorrected, message));
    }
    if drifted && let Applied::Updated(fields) = applied {
        // What stays as the other hand left it is only noted down.
        let fields: Vec<_> =
            fields.iter().map(String::as_str).filter(|field| !NOTES.contains(field)).collect();
        if !fields.is_empty() {
            notices.push(Notice::warning(
                Reason::DriftCorrected,
                format!(
                    "another hand had changed {what} in the store; it is as declared again, by writing {}",
                    fields.join(", ")
                ),
            ));
        }
    }
    notices
}
