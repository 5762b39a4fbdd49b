//! The classes of errors and of support that drive everything above.

use super::Reason;

/// What a timer does about an error; the condition, the metric's label and the event follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// It will mend by itself: tried again with growing pauses. Reconciling.
    Transient,
    /// It needs a person: no timer. Stalled.
    Terminal,
    /// It needs something else that is not there yet, and whose coming wakes it: no timer. Reconciling.
    Waiting,
    /// The store cannot do what was asked for: no timer. Stalled.
    Unsupported,
}

impl Class {
    /// The metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Terminal => "terminal",
            Self::Waiting => "waiting",
            Self::Unsupported => "unsupported",
        }
    }
}

/// What a store can do with a setting of a given value.
#[derive(Clone, Debug, PartialEq)]
pub enum Support {
    /// It does it, or whoever reads the store does.
    Enforced,
    /// It keeps the value, and nothing acts on it.
    Carried,
    /// It cannot do it; where nobody set the value, it has one of its own.
    Unsupported {
        /// The store's own value.
        own: Option<serde_json::Value>,
    },
}

/// Why an object cannot be as declared, and what a timer does about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// What a timer does about it.
    pub class: Class,
    /// The word that condition, event and metric carry.
    pub reason: Reason,
    /// What, where, and what to do next.
    pub message: String,
}

impl Problem {
    /// Needs a person.
    pub fn terminal(reason: Reason, message: impl Into<String>) -> Self {
        Self { class: Class::Terminal, reason, message: message.into() }
    }

    /// Needs something that is not there yet.
    pub fn waiting(reason: Reason, message: impl Into<String>) -> Self {
        Self { class: Class::Waiting, reason, message: message.into() }
    }

    /// Mends by itself.
    pub fn transient(reason: Reason, message: impl Into<String>) -> Self {
        Self { class: Class::Transient, reason, message: message.into() }
    }

    /// An object that cannot be read, and why.
    #[must_use]
    pub fn unreadable(why: &str) -> Self {
        Self::terminal(
            Reason::InvalidObject,
            format!("the object cannot be read: {why}. Edit or delete it"),
        )
    }

    /// Whether it needs a person (Stalled) or mends by itself (Reconciling).
    #[must_use]
    pub const fn is_stalled(&self) -> bool {
        matches!(self.class, Class::Terminal | Class::Unsupported)
    }
}
