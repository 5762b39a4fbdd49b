//! Email addresses: the form in which those of a tenant are compared, for each is unique there.

use super::precis::{self, Unfit};

/// The most characters of an email address (RFC 5321, section 4.5.3.1.3, without its brackets).
pub const MAX_LENGTH: usize = 254;

/// Why a text has no such form, as the end of a sentence that begins with the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// It has too many characters.
    #[error("must have at most {MAX_LENGTH} characters, and has {0}")]
    TooLong(usize),
    /// It is not two parts with an `@` between them, a full-width one counted.
    #[error("must have exactly one @, as in ada@example.com")]
    At,
    /// What stands before the `@`.
    #[error("is wrong before the @: this part {0}")]
    Local(Unfit),
    /// A label of the domain.
    #[error("is wrong after the @: each part between dots {0}")]
    Domain(Unfit),
}

/// The form in which an address is compared. What is stored and shown is the address as written.
///
/// The whole of it, local part and domain alike, goes through the profile `UsernameCaseMapped` of PRECIS
/// (RFC 8265, section 3.3): the local part as one, the domain label by label, so that a right-to-left name at
/// a left-to-right domain is none that mixes directions. Local parts are compared without case although RFC
/// 5321, section 2.4, lets them differ: no provider in practice tells them apart, and two accounts whose
/// addresses differ in case alone are an attack on one of them. An `xn--` domain is not its Unicode form.
pub fn email(text: &str) -> Result<String, EmailError> {
    let length = text.chars().count();
    if length > MAX_LENGTH {
        return Err(EmailError::TooLong(length));
    }
    // Full-width signs are mapped to the plain ones: they separate, too, or a second look would find other parts.
    let mut parts = text.split(['@', '＠']);
    let (Some(local), Some(domain), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(EmailError::At);
    };
    let local = precis::case_mapped(local).map_err(EmailError::Local)?;
    let labels: Result<Vec<_>, _> = domain.split(['.', '．']).map(precis::case_mapped).collect();
    Ok(format!("{local}@{}", labels.map_err(EmailError::Domain)?.join(".")))
}

#[cfg(test)]
#[path = "email_tests.rs"]
mod tests;
