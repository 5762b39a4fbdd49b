//! What is counted before and after a change: no more than what it can raise.

use crate::store::{
    Counted::{self, Administrators, Namespaces, Roles, Users},
    Desired, Limits, RoleName, State,
    conformance::samples::{self, desired, wide},
    sql::{change::Change, limits::raised, row::Row},
};

const ALL: Limits =
    Limits { users: Some(9), namespaces: Some(9), roles: Some(9), administrators: Some(9) };

/// What is there, if anything, and whether it is marked.
type There<'a> = Option<(&'a State, bool)>;

/// What is counted on the way from what is there to a state.
fn counted(from: There<'_>, to: &State, limits: Limits) -> Vec<Counted> {
    let to = Desired { limits, ..desired(to.clone()) };
    let row = from.map(|(state, marked)| {
        let mut row = Row::of(&desired(state.clone()));
        row.mark = row.mark.filter(|_| marked);
        row
    });
    let change = Change::of(&to);
    raised(&change, &change.compared_with(row))
}

#[test]
fn only_what_can_be_more_is_counted() {
    let user = |roles: &[&str]| {
        let roles: Vec<RoleName> = roles.iter().map(|role| wide(role)).collect();
        samples::user("acme", "ada", Some(&roles))
    };
    let role = |composites: &[&str]| {
        let roles: Vec<RoleName> = composites.iter().map(|role| wide(role)).collect();
        samples::role("acme", &wide("boss"), Some(&roles))
    };
    let administrator = samples::administrator("acme", "boss");
    let State::User(mut renamed) = user(&["a"]) else { unreachable!() };
    renamed.first_name = Some("Ada".into());
    let renamed = State::User(renamed);
    let (tenant, namespace) = (samples::tenant("acme"), samples::namespace("acme", "billing"));
    let cases: [(&str, There<'_>, &State, &[Counted]); 17] = [
        ("a tenant", None, &tenant, &[]),
        ("a namespace", None, &namespace, &[Namespaces]),
        ("an adopted namespace", Some((&namespace, false)), &namespace, &[Namespaces]),
        ("a namespace as it was", Some((&namespace, true)), &namespace, &[]),
        ("a user", None, &user(&[]), &[Users, Administrators]),
        ("an adopted user", Some((&user(&[]), false)), &user(&[]), &[Users, Administrators]),
        ("a user as it was", Some((&user(&["a"]), true)), &user(&["a"]), &[]),
        ("a renamed user", Some((&user(&["a"]), true)), &renamed, &[]),
        ("a role for a user", Some((&user(&["a"]), true)), &user(&["a", "b"]), &[Administrators]),
        ("one less", Some((&user(&["a", "b"]), true)), &user(&["b"]), &[]),
        ("a role", None, &role(&[]), &[Roles]),
        ("an adopted role", Some((&role(&[]), false)), &role(&[]), &[Roles]),
        ("a part of a role", Some((&role(&["a"]), true)), &role(&["b"]), &[Administrators]),
        ("one part less", Some((&role(&["a"]), true)), &role(&[]), &[]),
        ("administrators", Some((&role(&[]), true)), &administrator, &[Administrators]),
        ("as they were", Some((&administrator, true)), &administrator, &[]),
        ("no longer", Some((&administrator, true)), &role(&[]), &[]),
    ];
    for (what, from, to, expected) in cases {
        assert_eq!(counted(from, to, ALL), expected, "{what}");
        assert_eq!(counted(from, to, Limits::default()), [], "{what}, without a limit");
    }
    let users = Limits { administrators: None, ..ALL };
    assert_eq!(counted(None, &user(&["a"]), users), [Users]);
}
