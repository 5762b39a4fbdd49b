//! What is said of one thing that was looked at.

use serde::Serialize;

/// What was found of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is as it should be.
    Ok,
    /// It is not.
    Wrong,
    /// It could not be looked at.
    Unknown,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Check {
    #[serde(rename = "CRDs")]
    Crds,
    Operator,
    Permissions,
    Store,
    Webhook,
    Objects,
}

impl Check {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Crds => "CRDs",
            Self::Operator => "Operator",
            Self::Permissions => "Permissions",
            Self::Store => "Store",
            Self::Webhook => "Webhook",
            Self::Objects => "Objects",
        }
    }
}

/// What is said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    pub check: Check,
    pub verdict: Verdict,
    /// What was found.
    pub says: String,
    /// What to do about it; nothing if all is well.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub advice: String,
}

impl Line {
    pub fn ok(check: Check, says: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, says: says.into(), advice: String::new() }
    }

    pub fn wrong(check: Check, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Wrong, says: says.into(), advice: advice.into() }
    }

    pub fn unknown(check: Check, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Unknown, says: says.into(), advice: advice.into() }
    }
}

/// How many there are, with the right word: `3 Users`.
pub fn counted(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}
