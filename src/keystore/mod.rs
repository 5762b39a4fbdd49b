//! Signing keys: their material, the public JWKs, and the Secret that holds them.
//!
//! One Secret a tenant, `keystore-<tenantId>`, all of them in one Kubernetes
//! namespace. It is the record of the keys; what is to become of them is decided
//! in `policy::rotation`, which sees no key material. docs/keys.md describes the
//! Secret for identity providers that sign with it.
//!
//! Private halves leave this module towards that Secret, and towards a store that signs. Nothing here signs.

mod generate;
pub mod jwk;
mod secret;
mod secrets;

pub use generate::{GenerateError, PrivateKey};
pub use secret::{Damage, name as secret_name, tenant_of};
pub use secrets::{Found, Keystores, Removed};
