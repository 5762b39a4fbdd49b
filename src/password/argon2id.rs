//! Argon2 (RFC 9106), in PHC strings.

use std::sync::{Mutex, PoisonError};

use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use zeroize::{Zeroize as _, Zeroizing};

use super::HashError;
use crate::policy::password::Argon2Cost;

/// Bytes, as RFC 9106 recommends (section 3.1, section 4).
const SALT: usize = 16;
const OUTPUT: usize = 32;

/// What a hash to verify may take: 256 MiB, in KiB, …
const MAX_MEMORY: u32 = 256 * 1024;
/// … and passes over that.
const MAX_PASSES: u32 = 16;

/// Memories of our own size, kept from one hash to the next: mapping fresh ones costs a third of a hash.
#[derive(Default)]
pub(super) struct Memories(Mutex<Vec<Vec<Block>>>);

impl Memories {
    /// Lends so many blocks of 1 KiB, and wipes them: from what is in them a password is found fast.
    fn lend<T>(&self, blocks: usize, work: impl FnOnce(&mut [Block]) -> T) -> T {
        let ours = Argon2Cost::OURS.memory as usize;
        let kept = if blocks > ours { None } else { self.idle().pop() };
        let mut memory = kept.unwrap_or_else(|| vec![Block::new(); blocks.max(ours)]);
        let used = &mut memory[..blocks];
        let result = work(used);
        used.iter_mut().zeroize();
        if blocks <= ours {
            self.idle().push(memory);
        }
        result
    }

    pub(super) fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Vec<Block>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn hash(
    memories: &Memories,
    password: &str,
    cost: Argon2Cost,
) -> Result<Zeroizing<String>, HashError> {
    let Argon2Cost { memory, passes, lanes } = cost;
    let params = Params::new(memory, passes, lanes, Some(OUTPUT)).map_err(failed)?;
    let mut salt = [0; SALT];
    getrandom::fill(&mut salt).map_err(failed)?;
    let mut output = Zeroizing::new([0; OUTPUT]);
    memories
        .lend(params.block_count(), |memory| {
            Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
                password.as_bytes(),
                &salt,
                output.as_mut(),
                memory,
            )
        })
        .map_err(failed)?;
    let beginning = format!("$argon2id$v=19$m={memory},t={passes},p={lanes}$");
    // Of its full size at once: what a growing one leaves behind is not wiped.
    let mut phc = Zeroizing::new(String::with_capacity(128));
    phc.push_str(&beginning);
    STANDARD_NO_PAD.encode_string(salt, &mut phc);
    phc.push('$');
    STANDARD_NO_PAD.encode_string(output.as_slice(), &mut phc);
    Ok(phc)
}

/// None if it cannot be told.
pub(super) fn verify(memories: &Memories, password: &str, hash: &str) -> Option<bool> {
    let hash = PasswordHash::new(hash).ok()?;
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
    // As the reference implementation reads it, a string without a version is of the first.
    let version = hash.version.map_or(Ok(Version::V0x10), Version::try_from).ok()?;
    let params = Params::try_from(&hash).ok()?;
    if params.m_cost() > MAX_MEMORY || params.t_cost() > MAX_PASSES {
        return None;
    }
    let (salt, expected) = (hash.salt?, hash.hash?);
    let mut output = Zeroizing::new(vec![0; expected.len()]);
    memories
        .lend(params.block_count(), |memory| {
            Argon2::new(algorithm, version, params).hash_password_into_with_memory(
                password.as_bytes(),
                &salt,
                &mut output,
                memory,
            )
        })
        .ok()?;
    // In constant time.
    Some(argon2::password_hash::phc::Output::new(&output).ok()? == expected)
}

fn failed(error: impl std::fmt::Display) -> HashError {
    HashError::Failed(error.to_string())
}
