//! Seats among a tenant's administrators. A role for which there is none is left out, and the user has the
//! others: whether the role or the user came first, it ends the same.

use crate::{
    controller::{context::Context, home::Home, index::ObjectId, member::Found},
    policy::{Problem, Reason},
    store::{Applied, Counted, Error, NewPassword, RoleName, State, UserState},
};

/// What was applied.
pub(super) struct Seated {
    pub applied: Applied,
    pub state: UserState,
    /// Roles are missing for which there is no seat.
    pub problem: Option<Problem>,
}

/// Brings the store to this state, but for the roles that would make one administrator too many.
pub(super) async fn apply(
    found: &mut Found<'_>,
    mut state: UserState,
    password: Option<NewPassword>,
    context: &Context,
) -> Result<Seated, Error> {
    let whole = found.apply_with(State::User(state.clone()), password.clone(), context).await;
    let full = match whole {
        Err(error @ Error::LimitReached { counted: Counted::Administrators, .. }) => error,
        whole => return whole.map(|applied| Seated { applied, state, problem: None }),
    };
    let Some(wanted) = state.roles.take() else { return Err(full) };
    let held = found.user_state().and_then(|there| there.roles.as_deref()).unwrap_or_default();
    let (mut given, new): (Vec<_>, Vec<_>) =
        wanted.into_iter().partition(|role| held.contains(role));
    let with = |roles: &[RoleName]| {
        State::User(UserState { roles: Some(roles.to_vec()), ..state.clone() })
    };
    let mut applied = found.apply_with(with(&given), password, context).await?;
    let mut refused = Vec::new();
    for role in new {
        found.observe_again(context).await?;
        given.push(role);
        match found.apply_with(with(&given), None, context).await {
            Ok(more) if applied == Applied::Unchanged => applied = more,
            Ok(_) => {}
            Err(Error::LimitReached { counted: Counted::Administrators, .. }) => {
                refused.extend(given.pop());
            }
            Err(error) => return Err(error),
        }
    }
    given.sort();
    let problem = (!refused.is_empty()).then(|| no_seat(full, &refused));
    Ok(Seated { applied, state: UserState { roles: Some(given), ..state }, problem })
}

/// Says which roles the user does not have.
fn no_seat(full: Error, refused: &[RoleName]) -> Problem {
    let names: Vec<_> = refused.iter().map(ToString::to_string).collect();
    let full = Problem::from(full);
    let message = format!(
        "spec.roles: {}. The user is in the store without {}",
        full.message,
        names.join(", ")
    );
    Problem { message, ..full }
}

/// Leaves the seats of administrators to those who had one before the operator started: of the
/// roles that would make it one the user gets now only those that it had, while others are still to come back.
pub(super) async fn leave(
    home: &Home,
    id: &ObjectId,
    held: &[RoleName],
    wanted: Vec<RoleName>,
    context: &Context,
) -> (Vec<RoleName>, Option<Problem>) {
    let problem = match home.is_turn_of(id, Counted::Administrators, context).await {
        Err(problem) if problem.reason == Reason::SeatsReserved => problem,
        // It is free to come, or finds out in the store why not.
        _ => return (wanted, None),
    };
    let had = context.returning.roles_of(id);
    let ruling = context.view.administrator_role_names(home, context);
    let (had, new): (Vec<_>, Vec<_>) = wanted
        .into_iter()
        .partition(|role| held.contains(role) || had.contains(role) || !ruling.contains(role));
    (had, (!new.is_empty()).then_some(problem))
}
