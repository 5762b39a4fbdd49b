//! Durations as Kubernetes writes them: `15m`, `720h`, `1m30s`.

use std::{borrow::Cow, fmt, str::FromStr, time};

use kube::core::Rule;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Hours, minutes and seconds, each at most once and in this order.
///
/// Narrower than Go's `time.ParseDuration` on purpose: whole seconds are what
/// token lifetimes have, and the digit limits keep CEL's `duration()`, which
/// evaluates the ranges in the API server, from overflowing into a message that
/// names no field.
pub const PATTERN: &str = "^([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?$";

/// A span of whole seconds. Reads every notation of [`PATTERN`], writes the
/// shortest one (`90s` is written `1m30s`), so that equal spans are equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(u64);

impl Duration {
    /// A span of this many seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds)
    }

    /// The span in seconds.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// Whether the span is empty, which switches some settings off.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl From<Duration> for time::Duration {
    fn from(value: Duration) -> Self {
        Self::from_secs(value.0)
    }
}

/// A text that is not a [`Duration`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a duration: write hours, minutes and seconds in this order, such as 720h, 15m or 1m30s"
)]
pub struct ParseDurationError(String);

impl FromStr for Duration {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseDurationError(text.chars().take(32).collect());
        let mut rest = text;
        let mut seconds = 0;
        for (unit, in_seconds, digits) in [('h', 3600, 6), ('m', 60, 7), ('s', 1, 9)] {
            if let Some((number, tail)) = rest.split_once(unit) {
                if number.len() > digits || !number.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(error());
                }
                seconds += number.parse::<u64>().map_err(|_| error())? * in_seconds;
                rest = tail;
            }
        }
        if text.is_empty() || !rest.is_empty() {
            return Err(error());
        }
        Ok(Self(seconds))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hours, minutes, seconds) = (self.0 / 3600, self.0 / 60 % 60, self.0 % 60);
        for (number, unit) in [(hours, 'h'), (minutes, 'm')] {
            if number > 0 {
                write!(f, "{number}{unit}")?;
            }
        }
        if seconds > 0 || self.0 == 0 {
            write!(f, "{seconds}s")?;
        }
        Ok(())
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": PATTERN, "minLength": 2, "maxLength": 20})
    }
}

/// The rule that a duration lies between `min` and `max`, both included.
pub(super) fn between(min: &str, max: &str) -> Rule {
    Rule::new(format!("duration(self) >= duration('{min}') && duration(self) <= duration('{max}')"))
        .message(format!("must be between {min} and {max}").as_str())
}

/// The rule that a duration is off (`0s`) or lies between `min` and `max`.
pub(super) fn off_or_between(min: &str, max: &str) -> Rule {
    Rule::new(format!(
        "duration(self) == duration('0s') || (duration(self) >= duration('{min}') && duration(self) <= duration('{max}'))"
    ))
    .message(format!("must be 0s (off) or between {min} and {max}").as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notation_of_one_span_reads_and_writes_alike() {
        for (text, written) in [
            ("90s", "1m30s"),
            ("1m30s", "1m30s"),
            ("0s", "0s"),
            ("720h", "720h"),
            ("2592000s", "720h"),
            ("43200m", "720h"),
            ("1h0m5s", "1h5s"),
        ] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(duration.to_string(), written, "{text}");
        }
    }

    #[test]
    fn what_the_pattern_refuses_does_not_parse() {
        let pattern = regex::Regex::new(PATTERN).unwrap();
        for text in
            ["", "h", "s", "1", "1.5h", "-1s", "5s1m", "1d", "1 h", "1000000h", "1h1h", "m5s"]
        {
            assert!(text.parse::<Duration>().is_err(), "{text}");
            assert!(text.is_empty() || !pattern.is_match(text), "{text}");
        }
    }
}
