//! What a store holds, in plain values: the states of the four kinds that live
//! there, and the mark that says whose each is. (The fifth kind, TenantProfile,
//! is not in the store: what it gave a tenant is in the tenant's state.)

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{Kind, Mark};
use crate::api::{
    AccessRule, AuthenticationProvider, Credential, Jwk, KeyState, Organization, RequiredAction,
};

/// Where something is in the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Key {
    Tenant { tenant: String },
    Namespace { tenant: String, name: String },
    Role { tenant: String, role: RoleName },
    User { tenant: String, username: String },
}

impl Key {
    /// What no store has: no tenant can have this name, for it is no DNS label.
    #[must_use]
    pub fn nobodys() -> Self {
        Self::Tenant { tenant: "-".into() }
    }

    /// The kind of what is there.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Tenant { .. } => Kind::Tenant,
            Self::Namespace { .. } => Kind::Namespace,
            Self::Role { .. } => Kind::Role,
            Self::User { .. } => Kind::User,
        }
    }

    /// The identifier of the tenant that it is, or is in.
    #[must_use]
    pub fn tenant(&self) -> &str {
        match self {
            Self::Tenant { tenant }
            | Self::Namespace { tenant, .. }
            | Self::Role { tenant, .. }
            | Self::User { tenant, .. } => tenant,
        }
    }
}

/// A role's name in its tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RoleName {
    /// The identity Namespace that it is in; none for a tenant-wide role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name there.
    pub name: String,
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// What a store holds under one key.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The state as it is now.
    pub state: State,
    /// Whose it is; none if it was made by somebody else's hand.
    pub mark: Option<Mark>,
    /// What the operator wanted to find again with the mark.
    pub memo: Value,
    /// Whether another hand changed the state since the operator wrote it last.
    pub drifted: bool,
    /// What a user can log in with: metadata, never a secret.
    pub credentials: Vec<Credential>,
    /// Of a tenant: the kids of the operator's keys that a store which signs has, with the private half.
    pub signing_keys: Vec<String>,
}

impl Record {
    /// Whether it is still what was observed before: all that a decision rests on is the same.
    #[must_use]
    pub fn is_still(&self, before: &Self) -> bool {
        // Whose hand it was follows from the rest.
        let Self { state, mark, memo, drifted: _, credentials, signing_keys } = self;
        (state, mark, memo) == (&before.state, &before.mark, &before.memo)
            && (credentials, signing_keys) == (&before.credentials, &before.signing_keys)
    }
}

/// A tenant's key as a store that signs takes it.
#[derive(Clone, PartialEq)]
pub struct SigningKey {
    /// The public half, with kid and algorithm.
    pub public: Jwk,
    /// Whether it signs, waits, is retained or revoked.
    pub state: KeyState,
    /// When it was made: of two keys the younger stands above.
    pub created_at: Timestamp,
    /// PKCS#8 in PEM; only of a key that the store did not have when it was observed.
    pub private: Option<Zeroizing<String>>,
}

/// Says nothing of the private half.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.public.kid)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// A password to set, hashed.
#[derive(Clone, PartialEq, Eq)]
pub struct NewPassword {
    /// The hash, as a PHC string or in bcrypt's own form.
    pub hash: Zeroizing<String>,
    /// The algorithm: `argon2id` or `bcrypt`.
    pub algorithm: &'static str,
    /// When it is set.
    pub created_at: Timestamp,
    /// How many passwords are remembered, this one among them; 0 and 1 remember none before it.
    pub remembered: usize,
}

impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewPassword").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// The state of one object.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are the kinds'")]
#[allow(
    clippy::large_enum_variant,
    reason = "few are in memory at a time, and none in a collection"
)]
pub enum State {
    Tenant(TenantState),
    Namespace(NamespaceState),
    Role(RoleState),
    User(UserState),
}

impl State {
    /// Where it is in the store.
    #[must_use]
    pub fn key(&self) -> Key {
        match self {
            Self::Tenant(state) => Key::Tenant { tenant: state.tenant_id.clone() },
            Self::Namespace(state) => {
                Key::Namespace { tenant: state.tenant_id.clone(), name: state.name.clone() }
            }
            Self::Role(state) => {
                Key::Role { tenant: state.tenant_id.clone(), role: state.role.clone() }
            }
            Self::User(state) => {
                Key::User { tenant: state.tenant_id.clone(), username: state.username.clone() }
            }
        }
    }
}

/// A tenant, with every setting that is in force in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantState {
    /// The tenant's identifier.
    pub tenant_id: String,
    /// A short id for people to read out.
    pub short_id: String,
    /// The tenant's name for people.
    pub display_name: Option<String>,
    /// What kind of tenant it is.
    #[serde(rename = "type")]
    pub type_: Option<String>,
    /// Where it lives.
    pub region: Option<String>,
    /// Its DNS domain.
    pub domain: Option<String>,
    /// Whether people can log in: enabled and not suspended.
    pub enabled: bool,
    /// Whether its subscription has expired.
    pub suspended: bool,
    /// The organisation behind it.
    pub organization: Organization,
    /// The settings in force, in the form of `api::Settings`, environment variables with their values.
    pub settings: Map<String, Value>,
    /// How signing keys are made, in the form of `api::KeystoreSpec`, without `revoke`.
    pub keystore: Map<String, Value>,
    /// Plan, plan details, dates and metadata of the subscription.
    pub subscription: Map<String, Value>,
}

/// A partition of a tenant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceState {
    /// The tenant's identifier.
    pub tenant_id: String,
    /// The namespace's name: unique in the tenant.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
}

/// A role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleState {
    /// The tenant's identifier.
    pub tenant_id: String,
    /// The role's name: unique in its tenant and identity namespace.
    pub role: RoleName,
    /// What it is for.
    pub description: Option<String>,
    /// Whether its holders count as administrators.
    pub administrator: bool,
    /// What it allows.
    pub rules: Vec<AccessRule>,
    /// Marked roles that it contains, sorted; `None` leaves them as they are, and
    /// roles that carry no mark of ours are left alone in any case.
    pub composites: Option<Vec<RoleName>>,
}

/// A user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserState {
    /// The tenant's identifier.
    pub tenant_id: String,
    /// The name to log in with: unique in the tenant.
    pub username: String,
    /// The user's id, a UUID.
    pub id: String,
    /// The email address.
    pub email: Option<String>,
    /// The form in which email addresses are compared: unique in the tenant.
    pub email_key: Option<String>,
    /// Whether it counts as verified.
    pub email_verified: bool,
    /// The first name.
    pub first_name: Option<String>,
    /// The last name.
    pub last_name: Option<String>,
    /// Whether the user can log in.
    pub enabled: bool,
    /// Claims: any nested JSON.
    pub claims: BTreeMap<String, Value>,
    /// Accounts at other identity providers.
    pub authentication_providers: Vec<AuthenticationProvider>,
    /// What the user must do at the next login.
    pub required_actions: Vec<RequiredAction>,
    /// Marked roles that the user holds, sorted; `None` leaves them as they are, and
    /// roles that carry no mark of ours are left alone in any case.
    pub roles: Option<Vec<RoleName>>,
}
