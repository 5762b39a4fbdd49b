//! How the objects stand, as gauges. They are counted from the caches when somebody scrapes, and at no other time.

use std::{
    collections::BTreeMap,
    fmt::{self, Debug},
    sync::{Arc, OnceLock},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
};

use crate::{
    api::{Condition, Key, KeyState},
    policy::{
        Reason,
        next_rotation::NextRotation,
        state::{State, why_not_ready},
    },
};

/// The kinds, as the label `kind` has them.
pub const KINDS: [&str; 5] = ["Tenant", "TenantProfile", "Namespace", "Role", "User"];

/// What may hold beside Ready, and of which kind.
const CONDITIONS: [(&str, &str); 10] = [
    ("Tenant", "Suspended"),
    ("Tenant", "OverLimit"),
    ("Tenant", "PartiallyEnforced"),
    ("Tenant", "TooManyKeys"),
    ("User", "PasswordSecretMissing"),
    ("Tenant", "Paused"),
    ("TenantProfile", "Paused"),
    ("Namespace", "Paused"),
    ("Role", "Paused"),
    ("User", "Paused"),
];

const KEY_STATES: [(KeyState, &str); 4] = [
    (KeyState::Standby, "standby"),
    (KeyState::Active, "active"),
    (KeyState::Retired, "retired"),
    (KeyState::Revoked, "revoked"),
];

/// What a reason is called that is none of ours.
const OTHER: &str = "Other";

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// How many objects stand where. What may be counted is there from the beginning, as zero; reasons come and go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objects {
    states: BTreeMap<Labels<2>, i64>,
    reasons: BTreeMap<Labels<3>, i64>,
    conditions: BTreeMap<Labels<2>, i64>,
    rotations: BTreeMap<Labels<1>, i64>,
    keys: BTreeMap<Labels<1>, i64>,
}

impl Default for Objects {
    fn default() -> Self {
        let of_kind =
            |kind| State::ALL.map(|state| ([("kind", kind), ("state", state.as_str())], 0));
        let of_type = |(kind, type_)| ([("kind", kind), ("condition", type_)], 0);
        Self {
            states: KINDS.into_iter().flat_map(of_kind).collect(),
            reasons: BTreeMap::new(),
            conditions: CONDITIONS.map(of_type).into(),
            rotations: NextRotation::ALL.map(|next| ([("due", next.as_str())], 0)).into(),
            keys: KEY_STATES.map(|(_, state)| ([("state", state)], 0)).into(),
        }
    }
}

impl Objects {
    /// Counts an object of this kind, one of [`KINDS`], with these conditions.
    pub fn count(&mut self, kind: &'static str, conditions: &[Condition], is_deleting: bool) {
        let state = State::of(conditions, is_deleting);
        let ready = conditions.iter().find(|condition| condition.type_ == "Ready");
        let reason = ready
            .filter(|ready| ready.status != "True")
            .map(|_| why_not_ready(conditions).map_or(OTHER, Reason::as_str));
        self.add(kind, state, reason);
        for (_, type_) in CONDITIONS.iter().filter(|(of, _)| *of == kind) {
            if conditions.iter().any(|c| c.type_ == *type_ && c.status == "True") {
                *self.conditions.entry([("kind", kind), ("condition", *type_)]).or_default() += 1;
            }
        }
    }

    /// Counts an object of this kind that cannot be read.
    pub fn count_unreadable(&mut self, kind: &'static str, is_deleting: bool) {
        let state = if is_deleting { State::Deleting } else { State::Stalled };
        self.add(kind, state, Some(Reason::InvalidObject.as_str()));
    }

    /// Counts a tenant's signing keys.
    pub fn count_keys(&mut self, keys: &[Key], next: Option<NextRotation>) {
        if let Some(next) = next {
            *self.rotations.entry([("due", next.as_str())]).or_default() += 1;
        }
        for (state, name) in KEY_STATES {
            let number = keys.iter().filter(|key| key.state == state).count();
            *self.keys.entry([("state", name)]).or_default() +=
                i64::try_from(number).unwrap_or(i64::MAX);
        }
    }

    fn add(&mut self, kind: &'static str, state: State, reason: Option<&'static str>) {
        let (kind, state) = (("kind", kind), ("state", state.as_str()));
        *self.states.entry([kind, state]).or_default() += 1;
        if let Some(reason) = reason {
            *self.reasons.entry([kind, state, ("reason", reason)]).or_default() += 1;
        }
    }

    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        write(encoder, "keyreeve_objects", "Objects by kind and where they stand", &self.states)?;
        write(
            encoder,
            "keyreeve_not_ready_objects",
            "Objects that are not Ready, by kind, where they stand, and Ready's reason",
            &self.reasons,
        )?;
        write(
            encoder,
            "keyreeve_conditions",
            "Objects of which a condition beside Ready holds, by kind and condition",
            &self.conditions,
        )?;
        write(
            encoder,
            "keyreeve_key_rotations",
            "Tenants by when their signing key is replaced next",
            &self.rotations,
        )?;
        write(encoder, "keyreeve_signing_keys", "Signing keys by state", &self.keys)
    }
}

fn write<const N: usize>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    numbers: &BTreeMap<Labels<N>, i64>,
) -> fmt::Result
where
    Labels<N>: EncodeLabelSet,
{
    if numbers.is_empty() {
        return Ok(());
    }
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, number) in numbers {
        ConstGauge::new(*number).encode(metric.encode_family(labels)?)?;
    }
    Ok(())
}

type Count = Box<dyn Fn() -> Objects + Send + Sync>;

/// Counts the objects when somebody scrapes, once it was told how.
#[derive(Clone, Default)]
pub(super) struct Counted(Arc<OnceLock<Count>>);

impl Counted {
    /// How they are counted. Only the first counts.
    pub fn by(&self, count: impl Fn() -> Objects + Send + Sync + 'static) {
        let _ = self.0.set(Box::new(count));
    }
}

impl Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counted").finish_non_exhaustive()
    }
}

impl Collector for Counted {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0.get().map_or(Ok(()), |count| count().encode(&mut encoder))
    }
}

#[cfg(test)]
#[path = "objects_tests.rs"]
mod tests;
