//! The five kinds and the types that they share.
//!
//! The API is the product: every range, enum and immutability rule of the
//! resource model stands here, in the schema or in a CEL rule beside the field.
//! No I/O, and no logic beyond the built-in values ([`defaults`]) and checking
//! an object against its own schema ([`validation`]).

pub mod defaults;
mod duration;
mod keystore;
mod namespace;
pub mod paths;
mod plan;
mod profile;
mod role;
pub mod schema;
mod settings;
mod shared;
mod status;
mod tenant;
mod user;
pub mod validation;

pub use duration::Duration;
pub use keystore::{Algorithm, Jwk, Key, KeyState, KeystoreDefaults, KeystoreSpec};
pub use namespace::{Namespace, NamespaceSpec, NamespaceStatus};
pub use plan::{Connections, Mfa, PlanDetails};
pub use profile::{SettingPath, TenantProfile, TenantProfileSpec, TenantProfileStatus};
pub use role::{AccessRule, Method, Role, RoleSpec, RoleStatus, StoredRole};
pub use settings::{
    AccountBlocking, ApiVersion, Authenticator, BruteForce, Ciba, CibaDeliveryMode,
    EnvironmentVariable, HashFunction, PasswordPolicy, Policies, Settings, Ttl, UserSelfDeletion,
};
pub use shared::{
    AdoptionPolicy, AllowedFrom, DeletionPolicy, ObjectReference, ReferrerKind, TenantAllowedFrom,
};
pub use status::{Condition, LastHandled, StoreReference};
pub use tenant::{
    Effective, EffectiveSubscription, Organization, Phones, Source, Subscription, Tenant,
    TenantSpec, TenantStatus,
};
pub use user::{
    AuthenticationProvider, Credential, GeneratedPassword, PasswordSource, RESERVED_CLAIMS,
    RequiredAction, ResolvedRole, SecretKeyReference, User, UserSpec, UserStatus,
};

/// The API group of all five kinds.
pub const GROUP: &str = "keyreeve.dev";
/// The finalizer that every object of ours carries while the store may know it.
pub const FINALIZER: &str = "keyreeve.dev/finalizer";
/// Any new value resyncs the object now.
pub const RECONCILE_ANNOTATION: &str = "keyreeve.dev/reconcile";
/// Any new value rotates the signing keys once.
pub const ROTATE_ANNOTATION: &str = "keyreeve.dev/rotate";
/// `"true"` stops everything but deletion.
pub const PAUSED_ANNOTATION: &str = "keyreeve.dev/paused";
