//! What is written: users as people have them, with an address, a password, a role and claims.

use std::collections::BTreeMap;

use jiff::Timestamp;
use keyreeve::store::{
    Desired, Expected, Kind, Mark, NewPassword, RoleName, RoleState, State, Store, TenantState,
    UserState,
};
use serde_json::{Value, json};

use crate::Result;

/// A hash at Keycloak's own cost, of no password: nothing is computed with it.
const HASH: &str = "$argon2id$v=19$m=7168,t=5,p=1$AAAAAAAAAAAAAAAAAAAAAA$BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA";
/// The role that everybody has.
pub const ROLE: &str = "clerk";

/// Makes a tenant with the role.
pub async fn make_tenant(store: &dyn Store, tenant: &str) -> Result<()> {
    let state = TenantState { tenant_id: tenant.into(), enabled: true, ..TenantState::default() };
    let role = RoleState {
        tenant_id: tenant.into(),
        role: RoleName { namespace: None, name: ROLE.into() },
        description: None,
        administrator: false,
        rules: Vec::new(),
        composites: None,
    };
    for state in [State::Tenant(state), State::Role(role)] {
        store.apply(&desired(state, tenant), &Expected::Absent).await?;
    }
    Ok(())
}

/// A user, as it is to be; the password apart.
pub fn user(tenant: &str, name: &str, id: &str) -> Desired {
    let email = format!("{name}@acme.example");
    let claims = json!({"department": "sales", "sites": ["north", "south"], "limit": 1000});
    let state = UserState {
        tenant_id: tenant.into(),
        username: name.into(),
        id: id.into(),
        email: Some(email.clone()),
        email_key: Some(email),
        email_verified: true,
        first_name: Some("Ada".into()),
        last_name: Some("Lovelace".into()),
        enabled: true,
        claims: claims
            .as_object()
            .cloned()
            .unwrap_or_default()
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
        roles: Some(vec![RoleName { namespace: None, name: ROLE.into() }]),
        ..UserState::default()
    };
    desired(State::User(state), name)
}

/// The same with a password to set.
pub fn new_user(tenant: &str, name: &str, id: &str) -> Desired {
    let password = NewPassword {
        hash: HASH.to_owned().into(),
        algorithm: "argon2id",
        created_at: Timestamp::UNIX_EPOCH,
        remembered: 1,
    };
    Desired { password: Some(password), ..user(tenant, name, id) }
}

/// An id of a user. Keycloak wants it to be new among all of its users.
pub fn id(run: usize, number: usize) -> String {
    format!("{:08x}-{run:04x}-4000-8000-{number:012x}", std::process::id())
}

fn desired(state: State, name: &str) -> Desired {
    let kind = match &state {
        State::Tenant(_) => Kind::Tenant,
        State::Namespace(_) => Kind::Namespace,
        State::Role(_) => Kind::Role,
        State::User(_) => Kind::User,
    };
    let mark = Mark {
        owner: "cluster/keyreeve".into(),
        kind,
        namespace: "bench".into(),
        name: name.into(),
        uid: "uid".into(),
    };
    Desired::new(state, mark, Value::Null)
}
