//! Passwords: how they are hashed, and how a Secret's content is known again.
//!
//! What a password must be and when one is set is decided in `policy::password` and
//! `policy::fingerprint`. Hashes leave this module towards the store only, passwords
//! do not leave it at all.

mod argon2id;
mod bcrypt;
mod fingerprint;
mod hasher;

pub use fingerprint::FingerprintKey;
pub use hasher::{HashError, Hashed, Hasher};
