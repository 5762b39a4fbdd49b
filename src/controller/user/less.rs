//! What goes through whatever else is wrong with a User: less right. Nobody shall have to find a free email
//! address first to shut somebody out.

use crate::{
    api::User,
    controller::{
        context::Context,
        driver::{Outcome, Verdict},
        index::ObjectId,
        inherit::Memo,
        member::Found,
        role_list::RoleList,
    },
    policy::Problem,
    store::{RoleName, State, UserState},
};

use super::{ROLES, password::PasswordOutcome, report::report};

impl User {
    /// Takes from the user in the store what the spec no longer gives: the login, and roles. All else stays as it
    /// is there, for the reason that the problem says.
    pub(super) async fn take_away(
        &self,
        problem: Problem,
        id: &ObjectId,
        found: &mut Found<'_>,
        context: &Context,
    ) -> Result<Outcome, Problem> {
        let Some(there) = found.user_state() else { return Err(problem) };
        let roles = self.roles_kept(there, id, found, context);
        let state = less(there, self.spec.enabled, roles);
        if state != *there {
            // What the rest would have been remembered for did not come.
            let memo = found.record.as_ref().map(|record| Memo::read(&record.memo));
            found.memo = memo.unwrap_or_default();
            found.apply(State::User(state.clone()), context).await?;
        }
        // Also where nothing was taken: status may not have been told what an earlier look took.
        Ok(Outcome {
            status: report(&state, &PasswordOutcome::default(), found, context),
            verdict: Verdict::NotReady(problem),
            also: None,
            notices: Vec::new(),
            look_again: None,
        })
    }

    /// Of the roles that the user has, those that the spec still names; none of them where it does not
    /// manage roles.
    fn roles_kept(
        &self,
        there: &UserState,
        id: &ObjectId,
        found: &Found<'_>,
        context: &Context,
    ) -> Option<Vec<RoleName>> {
        let held = there.roles.as_deref()?;
        match &self.spec.roles {
            None => found.leaves(ROLES, false).then(Vec::new),
            Some(references) => {
                let list = RoleList { field: super::ROLES_FIELD, references, held };
                Some(list.still_named(id, found.home, context))
            }
        }
    }
}

/// The state without the login if it is switched off, and with these roles if any are managed.
fn less(there: &UserState, enabled: Option<bool>, kept: Option<Vec<RoleName>>) -> UserState {
    UserState {
        enabled: there.enabled && enabled != Some(false),
        roles: kept.or_else(|| there.roles.clone()),
        ..there.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_given() {
        let role = |name: &str| RoleName { namespace: None, name: name.into() };
        let there = |enabled, roles: &[&str]| UserState {
            username: "ada".into(),
            enabled,
            roles: Some(roles.iter().map(|name| role(name)).collect()),
            ..UserState::default()
        };
        for (was, enabled, kept, is) in [
            (there(true, &["a", "b"]), Some(false), None, there(false, &["a", "b"])),
            (there(true, &["a", "b"]), None, Some(vec![role("b")]), there(true, &["b"])),
            (there(true, &["a"]), Some(true), Some(Vec::new()), there(true, &[])),
            (there(false, &["a"]), Some(true), None, there(false, &["a"])),
            (there(false, &["a"]), None, None, there(false, &["a"])),
        ] {
            assert_eq!(less(&was, enabled, kept), is);
        }
    }
}
