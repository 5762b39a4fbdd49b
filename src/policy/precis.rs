//! The form in which names are compared: the profile `UsernameCaseMapped` of PRECIS (RFC 8265, section 3.3).
//!
//! It maps full-width and half-width characters to the plain ones, upper case to lower, and composes (NFC);
//! it allows letters, digits and what ASCII prints, and holds right-to-left text to the Bidi rule (RFC 5893).
//! What a letter is, is settled by Unicode 6.3, as in IANA's registry of PRECIS: what came later is refused,
//! and so is upper-case Cherokee, whose lower case came later.

use std::borrow::Cow;

use precis_profiles::{
    UsernameCaseMapped,
    precis_core::{
        CodepointInfo, DerivedPropertyValue, Error, UnexpectedError,
        profile::{Profile, Rules, stabilize},
    },
};
use unicode_bidi::{
    BidiClass::{self, AL, AN, BN, CS, EN, ES, ET, NSM, ON, R},
    bidi_class,
};

/// Why a text has no such form, as the end of a sentence that begins with what the text is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// There is nothing.
    #[error("must have at least one character")]
    Empty,
    /// A character that no name has.
    #[error("must not contain {}, {kind}: use letters, digits and the printable characters of ASCII", named(*character))]
    Character {
        /// The character, as mapped.
        character: char,
        /// What kind of character it is, with its article.
        kind: &'static str,
    },
    /// A character that needs neighbours of a certain kind, beside others (RFC 5892, appendix A).
    #[error("must not contain {} where it stands: only certain characters beside it allow it", named(*.0))]
    Context(char),
    /// A character that needs neighbours, without one.
    #[error(
        "must not begin or end with a character that only others beside it allow, such as a middle dot or a zero-width joiner"
    )]
    Edge,
    /// The Bidi rule is broken (RFC 5893, section 2).
    #[error(
        "must not mix writing directions: beside right-to-left letters, begin with a letter, and use letters of this direction and one kind of digits only"
    )]
    Direction,
}

/// The form in which a text is compared. It is its own form.
pub fn case_mapped(text: &str) -> Result<String, Unfit> {
    // Once is not always enough (RFC 8264, section 7): what a character is mapped to may be refused.
    let form = stabilize(text, enforce);
    form.map(Into::into).map_err(|error| match error {
        Error::BadCodepoint(info) => unfit(&info),
        Error::Unexpected(UnexpectedError::Undefined) => Unfit::Edge,
        _ if text.is_empty() => Unfit::Empty,
        _ => Unfit::Direction,
    })
}

/// The steps of RFC 8265, section 3.3.2. All are the library's but the last.
fn enforce(text: &str) -> Result<Cow<'_, str>, Error> {
    let profile = UsernameCaseMapped::new();
    let text = profile.prepare(text)?;
    let text = profile.case_mapping_rule(text)?;
    let text = profile.normalization_rule(text)?;
    if keeps_bidi_rule(&text) { Ok(text) } else { Err(Error::Invalid) }
}

/// Whether the Bidi rule holds (RFC 5893, section 2), which RFC 8265 asks of texts with right-to-left characters.
///
/// The library's own, of version 0.2, lets no letter follow a mark, as one does in `محمّد`.
fn keeps_bidi_rule(text: &str) -> bool {
    let classes: Vec<BidiClass> = text.chars().map(bidi_class).collect();
    let has = |class: BidiClass| classes.contains(&class);
    if !has(R) && !has(AL) && !has(AN) {
        return true;
    }
    // Conditions 1, 5 and 6: what begins left to right has no right-to-left characters.
    let begins = matches!(classes.first(), Some(R | AL));
    let allowed = classes
        .iter()
        .all(|class| matches!(class, R | AL | AN | EN | ES | CS | ET | ON | BN | NSM));
    let last = classes.iter().rfind(|class| **class != NSM);
    let ends = matches!(last, Some(R | AL | EN | AN));
    begins && allowed && ends && !(has(EN) && has(AN))
}

fn unfit(info: &CodepointInfo) -> Unfit {
    let character = char::from_u32(info.cp).unwrap_or(char::REPLACEMENT_CHARACTER);
    let kind = match info.property {
        DerivedPropertyValue::ContextJ | DerivedPropertyValue::ContextO => {
            return Unfit::Context(character);
        }
        DerivedPropertyValue::Unassigned => "which is newer than Unicode 6.3",
        _ if character.is_control() => "a control character",
        DerivedPropertyValue::Disallowed => "an invisible, obsolete or partial character",
        _ if character.is_whitespace() => "a space",
        _ if character.is_alphanumeric() => "a special form of letters or digits",
        _ => "a symbol or punctuation mark",
    };
    Unfit::Character { character, kind }
}

/// A character as people can see and look it up.
fn named(character: char) -> String {
    format!("{character:?} (U+{:04X})", u32::from(character))
}

#[cfg(test)]
#[path = "precis_tests.rs"]
pub(super) mod tests;
