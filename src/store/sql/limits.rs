//! Which counts a change can raise. Nothing else is counted before and after it.

use super::change::{Change, Found};
use crate::store::{Counted, State};

/// What has a limit and could be more after the change than before it.
pub(super) fn raised(change: &Change<'_>, found: &Found) -> Vec<Counted> {
    // Only what carries a mark counts.
    let is_new = found.row.as_ref().is_none_or(|row| row.mark.is_none());
    let gains_roles = change.row.held.iter().any(|role| !found.held().contains(role));
    let may_rise = |counted: &Counted| match (counted, &change.desired.state) {
        (Counted::Users, State::User(_))
        | (Counted::Namespaces, State::Namespace(_))
        | (Counted::Roles, State::Role(_)) => is_new,
        (Counted::Administrators, State::User(_)) => is_new || gains_roles,
        (Counted::Administrators, State::Role(role)) => {
            gains_roles || (role.administrator && found.changes("administrator"))
        }
        _ => false,
    };
    let limits = &change.desired.limits;
    let limited = Counted::ALL.into_iter().filter(|counted| limits.of(*counted).is_some());
    limited.filter(may_rise).collect()
}
