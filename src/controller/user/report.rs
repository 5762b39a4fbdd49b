//! What a User's status says.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Map, Value};

use super::password::PasswordOutcome;
use crate::{
    api::{Credential, ResolvedRole, UserStatus},
    controller::{
        context::Context,
        home::Home,
        index::{Kind, Link},
        member::{Found, Member as _},
        snapshot::{as_map, as_status_holds},
        view::View,
    },
    store::{RoleName, Store, UserState},
};

/// As many roles as status names.
const ROLES: usize = 500;
/// As many credentials as status names beside the one that is new.
const CREDENTIALS: usize = 15;

/// The own fields of status.
pub(super) fn report(
    state: &UserState,
    password: &PasswordOutcome,
    found: &Found<'_>,
    context: &Context,
) -> Map<String, Value> {
    let there = found.record.as_ref().map(|record| record.credentials.clone());
    let mut credentials = there.unwrap_or_default();
    credentials.truncate(CREDENTIALS);
    for credential in &mut credentials {
        credential.type_ = as_status_holds(&credential.type_, 63);
        credential.algorithm =
            credential.algorithm.as_deref().map(|word| as_status_holds(word, 63));
    }
    if let Some(new) = &password.new {
        credentials.retain(|credential| credential.type_ != "password");
        credentials.push(Credential {
            type_: "password".into(),
            algorithm: Some(new.algorithm.into()),
            created_at: Some(Time(new.created_at)),
        });
    }
    let held = state.roles.as_deref().unwrap_or_default();
    let roles = if held.is_empty() {
        Vec::new()
    } else {
        resolved(held, &contained(found.home, &context.view, context.store.as_ref()))
    };
    as_map(&UserStatus {
        tenant_id: Some(state.tenant_id.clone()),
        username: Some(state.username.clone()),
        id: Some(as_status_holds(&state.id, 36)),
        enabled: Some(state.enabled),
        credentials,
        roles,
        store: Some(context.store_reference()),
        // The driver's.
        observed_generation: 0,
        conditions: Vec::new(),
        last_handled: None,
    })
}

/// What each Role of the tenant contains in the store, as its own status says.
fn contained(home: &Home, view: &View, store: &dyn Store) -> BTreeMap<RoleName, Vec<RoleName>> {
    let link = Link::In(home.id.clone());
    let roles: Vec<_> = view.index().of_kind(Kind::Role, &link).cloned().collect();
    let roles = roles.iter().filter_map(|id| view.roles.get(id));
    roles
        .filter(|role| role.is_in(store))
        .filter_map(|role| {
            let name = role.stored_name();
            let status = role.status?;
            let parts = status.composites.into_iter();
            let parts =
                parts.map(|part| RoleName { namespace: part.namespace, name: part.name }).collect();
            Some((RoleName { namespace: status.namespace, name }, parts))
        })
        .collect()
}

/// The roles that a user holds: those that it was granted, then those that come with them, each with the
/// granted role through which it came first.
fn resolved(
    granted: &[RoleName],
    contained: &BTreeMap<RoleName, Vec<RoleName>>,
) -> Vec<ResolvedRole> {
    let mut seen: BTreeSet<&RoleName> = granted.iter().collect();
    let mut queue: VecDeque<(&RoleName, &RoleName)> =
        granted.iter().map(|role| (role, role)).collect();
    let mut resolved: Vec<_> = granted.iter().map(|role| held(role, None)).collect();
    while let Some((role, through)) = queue.pop_front() {
        for part in contained.get(role).into_iter().flatten() {
            if seen.insert(part) {
                resolved.push(held(part, Some(through)));
                queue.push_back((part, through));
            }
        }
    }
    resolved.truncate(ROLES);
    resolved
}

fn held(role: &RoleName, through: Option<&RoleName>) -> ResolvedRole {
    ResolvedRole {
        name: role.name.clone(),
        namespace: role.namespace.clone(),
        through: through.map(ToString::to_string),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_is_named_once_with_the_first_way_to_it() {
        let role = |name: &str| RoleName { namespace: None, name: name.into() };
        let contained: BTreeMap<_, _> =
            [("boss", "clerk guard"), ("clerk", "reader"), ("guard", "reader boss"), ("x", "y")]
                .map(|(name, parts)| (role(name), parts.split(' ').map(role).collect::<Vec<_>>()))
                .into();
        let names = |granted: &[&str]| -> Vec<String> {
            let granted: Vec<_> = granted.iter().map(|name| role(name)).collect();
            resolved(&granted, &contained)
                .into_iter()
                .map(|role| match role.through {
                    Some(through) => format!("{} < {through}", role.name),
                    None => role.name,
                })
                .collect()
        };
        assert!(names(&[]).is_empty());
        assert_eq!(names(&["reader"]), ["reader"]);
        assert_eq!(names(&["boss"]), ["boss", "clerk < boss", "guard < boss", "reader < boss"]);
        assert_eq!(
            names(&["clerk", "guard"]),
            ["clerk", "guard", "reader < clerk", "boss < guard"]
        );
    }
}
