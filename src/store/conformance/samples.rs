//! States to try stores with: poor ones, rich ones, and their marks.

use serde_json::{Map, Value, json};

use crate::{
    api::{AccessRule, AuthenticationProvider, Method, Organization, Phones, RequiredAction},
    store::{
        Desired, Key, Kind, Mark, NamespaceState, RoleName, RoleState, State, TenantState,
        UserState,
    },
};

/// What people write: accents, other scripts, from right to left, emoji, quotes.
pub(crate) const TEXT: &str = "Ærø 日本語 שלום‎ مرحبا 👩‍👩‍👧🏽 'q' \"dq\" \\ $1 %s ;-- \t\n e\u{301}";

/// The mark of the sample object for a key.
pub(crate) fn mark(key: &Key) -> Mark {
    let name = format!("{key:?}").chars().filter(char::is_ascii_alphanumeric).collect();
    Mark {
        owner: "cluster-uid/keyreeve".into(),
        kind: key.kind(),
        namespace: "team-a".into(),
        name,
        uid: "uid-1".into(),
    }
}

/// A state to reach, with its sample mark and no memo.
pub(crate) fn desired(state: State) -> Desired {
    let mark = mark(&state.key());
    Desired::new(state, mark, Value::Null)
}

pub(crate) fn tenant(id: &str) -> State {
    State::Tenant(TenantState { tenant_id: id.into(), ..TenantState::default() })
}

pub(crate) fn namespace(tenant: &str, name: &str) -> State {
    State::Namespace(NamespaceState {
        tenant_id: tenant.into(),
        name: name.into(),
        description: None,
    })
}

pub(crate) fn role(tenant: &str, role: &RoleName, composites: Option<&[RoleName]>) -> State {
    State::Role(RoleState {
        tenant_id: tenant.into(),
        role: role.clone(),
        description: None,
        administrator: false,
        rules: Vec::new(),
        composites: composites.map(<[_]>::to_vec),
    })
}

/// A tenant-wide role that makes administrators.
pub(crate) fn administrator(tenant: &str, name: &str) -> State {
    let State::Role(mut state) = role(tenant, &wide(name), None) else { unreachable!() };
    state.administrator = true;
    State::Role(state)
}

pub(crate) fn user(tenant: &str, username: &str, roles: Option<&[RoleName]>) -> State {
    State::User(UserState {
        tenant_id: tenant.into(),
        username: username.into(),
        id: format!("id-of-{username}"),
        roles: roles.map(<[_]>::to_vec),
        ..UserState::default()
    })
}

/// A tenant-wide role's name.
pub(crate) fn wide(name: &str) -> RoleName {
    RoleName { namespace: None, name: name.into() }
}

/// The name of a role in a namespace.
pub(crate) fn narrow(namespace: &str, name: &str) -> RoleName {
    RoleName { namespace: Some(namespace.into()), name: name.into() }
}

/// One state of each kind in the tenant `acme` with nothing optional, in the
/// order in which they refer to each other.
pub(crate) fn poor() -> Vec<State> {
    vec![
        tenant("acme"),
        namespace("acme", "billing"),
        role("acme", &wide("viewer"), None),
        role("acme", &narrow("billing", "viewer"), None),
        user("acme", "ada", None),
    ]
}

/// The same objects with everything.
pub(crate) fn rich() -> Vec<State> {
    vec![
        State::Tenant(rich_tenant()),
        State::Namespace(NamespaceState {
            tenant_id: "acme".into(),
            name: "billing".into(),
            description: Some(TEXT.into()),
        }),
        State::Role(rich_role(wide("viewer"), Some(Vec::new()))),
        State::Role(rich_role(narrow("billing", "viewer"), Some(vec![wide("viewer")]))),
        State::User(rich_user()),
    ]
}

fn rich_tenant() -> TenantState {
    TenantState {
        tenant_id: "acme".into(),
        short_id: "ABCD-EFGH-2345".into(),
        display_name: Some(TEXT.into()),
        type_: Some(String::new()),
        region: Some("eu-1".into()),
        domain: Some("acme.example".into()),
        enabled: true,
        suspended: true,
        organization: Organization {
            name: Some(TEXT.into()),
            legal_name: Some("x".repeat(4096)),
            vat_number: Some(String::new()),
            address_lines: Some(vec![TEXT.into(), String::new()]),
            phones: Some(Phones { office: Some("+45 1".into()), ..Phones::default() }),
            ..Organization::default()
        },
        settings: object(json!({
            "ttl": {"session": "10h", "idToken": "5m"},
            "policies": {"password": {"min": 12, "customChars": ""}},
            "environmentVariables": [{"name": "A", "value": TEXT.repeat(40)}],
            "acrValues": [],
            "ciba": {},
        })),
        keystore: object(json!({"algorithm": "ES256", "rotationPeriod": "2160h"})),
        subscription: object(json!({"plan": "gold", "metadata": {"a.b/c": TEXT}})),
    }
}

fn rich_role(name: RoleName, composites: Option<Vec<RoleName>>) -> RoleState {
    RoleState {
        tenant_id: "acme".into(),
        role: name,
        description: Some(String::new()),
        administrator: true,
        rules: vec![
            AccessRule { paths: vec!["/α/*".into(), "*".into()], methods: vec![Method::Any] },
            AccessRule { paths: vec!["/".into()], methods: vec![Method::Get, Method::Options] },
        ],
        composites,
    }
}

fn rich_user() -> UserState {
    let claims = json!({
        "": "", "a.b": {"c": {"d": [1, -0.5, 48.858_370_099_999_99, 1.797e308, true, [[]], {}]}},
        "big": u64::MAX, "small": i64::MIN, "float": 1.0, "long": "é".repeat(4096), "text": TEXT,
        "z": 1, "a": 2,
    });
    UserState {
        tenant_id: "acme".into(),
        username: "ada".into(),
        id: "6f1c1f0e-0b1a-4c57-9d5c-2f0f6a1f9a11".into(),
        email: Some("Ada@Acme.example".into()),
        email_key: Some("ada@acme.example".into()),
        email_verified: true,
        first_name: Some(TEXT.into()),
        last_name: Some(String::new()),
        enabled: true,
        claims: object(claims).into_iter().collect(),
        authentication_providers: vec![
            AuthenticationProvider { name: "github".into(), user_id: "1".into(), username: None },
            AuthenticationProvider {
                name: "ldap".into(),
                user_id: TEXT.into(),
                username: Some(String::new()),
            },
        ],
        required_actions: vec![RequiredAction::VerifyEmail, RequiredAction::ConfigureTotp],
        roles: Some(vec![wide("viewer"), narrow("billing", "viewer")]),
    }
}

/// An object's members.
pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

/// The kind's sample key in `acme`.
pub(crate) fn key(kind: Kind) -> Key {
    poor().iter().map(State::key).find(|key| key.kind() == kind).unwrap()
}
