//! Usernames: the one in force, which store and status have, and which is unique in the tenant.

use super::precis::{self, Unfit};
use crate::api::{UserSpec, validation::Violation};

/// The most characters of a username, as written and in force.
pub const MAX_LENGTH: usize = 128;

/// Why a text is no username, as the end of a sentence that begins with the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsernameError {
    /// It has too many characters.
    #[error("must have at most {MAX_LENGTH} characters, and has {0}")]
    TooLong(usize),
    /// It is within the bound as written, and not in force.
    #[error("must have at most {MAX_LENGTH} characters, and has {0} in lower case")]
    GrowsTooLong(usize),
    /// It has no form in which it could be compared.
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

/// The username in force: the text by the profile `UsernameCaseMapped` of PRECIS (RFC 8265, section 3.3), so
/// `Ada` is `ada`. Two users of a tenant may not have the same one. It is its own username in force.
pub fn username(text: &str) -> Result<String, UsernameError> {
    let length = text.chars().count();
    if length > MAX_LENGTH {
        return Err(UsernameError::TooLong(length));
    }
    let form = precis::case_mapped(text)?;
    // `İ`, for one, is two characters in lower case.
    let length = form.chars().count();
    if length > MAX_LENGTH {
        return Err(UsernameError::GrowsTooLong(length));
    }
    Ok(form)
}

/// The username in force of a User of this `metadata.name`: of what its spec says, else of that.
pub fn in_force(spec: &UserSpec, object_name: &str) -> Result<String, Violation> {
    match &spec.username {
        Some(text) => username(text).map_err(|error| Violation {
            path: "spec.username".into(),
            message: error.to_string(),
        }),
        None => username(object_name).map_err(|error| Violation {
            path: "metadata.name".into(),
            message: format!(
                "is the username unless spec.username is set, and {error}: create the User with a spec.username"
            ),
        }),
    }
}

#[cfg(test)]
#[path = "username_tests.rs"]
mod tests;
