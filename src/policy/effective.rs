//! What is in force in a tenant: each setting from the tenant, its profile, the
//! store or the built-in values, with locks and features applied.
//!
//! Works on documents of the form of the specs, leaf by leaf ([`for_each_leaf`]),
//! so that a new setting is covered by being in the built-in values.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use super::{Class, Problem, Reason, Support, password};
use crate::api::{
    HashFunction, KeystoreSpec, PlanDetails, Settings, Source, TenantProfileSpec, TenantSpec,
    defaults,
    paths::{for_each_leaf, insert, is_at_or_below, look_up, remove},
    validation,
};

/// What is in force in a tenant. The store keeps it with the tenant, so that it
/// stays in force while the profile is missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Document {
    /// Every setting, in the form of `api::Settings`.
    pub settings: Map<String, Value>,
    /// How signing keys are made, in the form of `api::KeystoreDefaults`.
    pub keystore: Map<String, Value>,
    /// Where each value comes from; a path that is not here has its built-in value.
    pub sources: BTreeMap<String, Source>,
    /// The plan's name; none without a profile.
    pub plan: Option<String>,
    /// What the plan allows; none without a profile.
    pub plan_details: Option<PlanDetails>,
    /// Paths that the tenant sets and a lock of its profile overrides.
    pub overridden: Vec<String>,
    /// Paths that the store carries but does not enforce.
    pub unenforced: Vec<String>,
    /// Paths of an adopted tenant whose value, as found, is none that a Tenant could set: it stays
    /// in the store, and status shows only where it comes from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
}

/// What the decision depends on.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// What the tenant says.
    pub tenant: &'a TenantSpec,
    /// What its profile says, with the profile's name; none if it has no profile.
    pub profile: Option<(&'a str, &'a TenantProfileSpec)>,
    /// In an adopted tenant: what the store has.
    pub found: Option<Found<'a>>,
    /// What the store can do.
    pub support: &'a dyn Fn(&str, &Value) -> Support,
}

/// What the store has of an adopted tenant.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    /// The settings as they are in the store.
    pub settings: &'a Map<String, Value>,
    /// How signing keys are made there.
    pub keystore: &'a Map<String, Value>,
    /// The paths that were ever set, which no longer stay as found.
    pub ever_set: &'a BTreeSet<String>,
}

/// Decides what is in force.
///
/// # Errors
/// What tenant and profile make together cannot be, or the store cannot do it.
pub fn decide(inputs: Inputs<'_>) -> Result<Document, Problem> {
    let tenant = as_document(
        json!({"settings": inputs.tenant.settings, "keystore": inputs.tenant.keystore}),
    );
    let profile = as_document(match inputs.profile {
        Some((_, spec)) => json!({"settings": spec.settings, "keystore": spec.keystore}),
        None => Value::Null,
    });
    let locked = inputs.profile.map(|(_, spec)| locks(spec)).unwrap_or_default();
    let found =
        inputs.found.map(|found| json!({"settings": found.settings, "keystore": found.keystore}));

    let found_is_readable = found.as_ref().is_none_or(fits_the_schema);
    let mut document = Document {
        plan: inputs
            .profile
            .map(|(name, spec)| spec.plan.clone().unwrap_or_else(|| name.to_owned())),
        plan_details: inputs.profile.map(|(_, spec)| spec.plan_details.clone().unwrap_or_default()),
        ..Document::default()
    };
    let mut unsupported = Vec::new();
    // What an adopted tenant has beyond the settings that we know stays as found, too.
    let mut values = found.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
    for_each_leaf(&as_document(defaults::tenant_settings()), "", &mut |path, built_in| {
        let own = look_up(&tenant, path);
        let is_locked = locked.iter().any(|lock| is_at_or_below(path, lock));
        if own.is_some() && is_locked {
            document.overridden.push(path.to_owned());
        }
        let as_found = || {
            let found = found.as_ref()?.as_object()?;
            inputs.found.filter(|found| !found.ever_set.contains(path))?;
            look_up(found, path)
        };
        let (value, source) = if let Some(value) = own.filter(|_| !is_locked) {
            (value.clone(), Some(Source::Tenant))
        } else if let Some(value) = look_up(&profile, path) {
            (value.clone(), Some(Source::Profile))
        } else if let Some(value) = as_found() {
            if !found_is_readable && !is_readable(path, value) {
                document.unreadable.push(path.to_owned());
            }
            (value.clone(), Some(Source::Store))
        } else {
            (built_in.clone(), None)
        };
        let is_set = matches!(source, Some(Source::Tenant | Source::Profile));
        let (value, source) = match (inputs.support)(path, &value) {
            Support::Enforced => (value, source),
            Support::Unsupported { own: Some(own) } if !is_set => (own, Some(Source::Store)),
            Support::Unsupported { .. } if is_set && must_be_done(path) => {
                unsupported.push(path.to_owned());
                (value, source)
            }
            Support::Carried | Support::Unsupported { .. } => {
                document.unenforced.push(path.to_owned());
                (value, source)
            }
        };
        if let Some(source) = source {
            document.sources.insert(path.to_owned(), source);
        }
        insert(&mut values, path, value);
    });
    if !unsupported.is_empty() {
        return Err(Problem {
            class: Class::Unsupported,
            reason: Reason::UnsupportedByStore,
            message: format!(
                "the store cannot do {}: unset it, switch it off, or take a value that it can do (docs/store-settings.md)",
                unsupported.join(", ")
            ),
        });
    }
    document.settings = take_object(&mut values, "settings");
    document.keystore = take_object(&mut values, "keystore");
    check(&document)?;
    Ok(document)
}

impl Document {
    /// The settings, typed.
    #[must_use]
    pub fn typed_settings(&self) -> Settings {
        self.typed("settings", &self.settings)
    }

    /// How signing keys are made, typed.
    #[must_use]
    pub fn typed_keystore(&self) -> KeystoreSpec {
        self.typed("keystore", &self.keystore)
    }

    /// What was made from typed values, and is readable where it was found, reads back.
    fn typed<T: DeserializeOwned + Default>(&self, group: &str, map: &Map<String, Value>) -> T {
        let mut map = map.clone();
        for path in &self.unreadable {
            if let Some(path) = path.strip_prefix(group).and_then(|path| path.strip_prefix('.')) {
                remove(&mut map, path);
            }
        }
        serde_json::from_value(Value::Object(map)).unwrap_or_default()
    }

    /// The paths that tenant or profile set.
    pub fn set_paths(&self) -> impl Iterator<Item = &String> {
        self.sources.iter().filter(|(_, source)| **source != Source::Store).map(|(path, _)| path)
    }

    /// The same, with these named as unenforced as well where tenant or profile set them.
    #[must_use]
    pub fn with_unenforced(mut self, paths: &[&str]) -> Self {
        for path in paths {
            let is_set = self.set_paths().any(|set| set == path);
            if is_set && !self.unenforced.iter().any(|named| named == path) {
                self.unenforced.push((*path).to_owned());
            }
        }
        self
    }

    /// Lock-out and brute-force settings that the store does not enforce.
    #[must_use]
    pub fn unenforced_protection(&self) -> Vec<&str> {
        self.unenforced
            .iter()
            .map(String::as_str)
            .filter(|path| {
                ["accountBlocking", "bruteForce"]
                    .iter()
                    .any(|policy| is_at_or_below(path, &format!("settings.policies.{policy}")))
            })
            .collect()
    }
}

/// What must fit together in force, whoever said which part.
fn check(document: &Document) -> Result<(), Problem> {
    let settings = document.typed_settings();
    let function = settings.hash_function.unwrap_or(HashFunction::Argon2);
    let password = settings.policies.and_then(|policies| policies.password).unwrap_or_default();
    let whose = "settings.policies.password, as it is in force";
    password::satisfiable(whose, &password, function)?;
    let keystore = document.typed_keystore();
    if let (Some(period), Some(before)) = (keystore.rotation_period, keystore.publish_before)
        && !period.is_zero()
        && before >= period
    {
        return Err(Problem::terminal(
            Reason::PublishBeforeTooLong,
            format!(
                "keystore.publishBefore is {before} and keystore.rotationPeriod is {period}, as they are in force: publishBefore must be shorter"
            ),
        ));
    }
    Ok(())
}

/// Paths that the profile's tenants may not set: those it locks, and what a feature that is off names.
fn locks(profile: &TenantProfileSpec) -> Vec<String> {
    let mut locks: Vec<String> =
        profile.locked.iter().flatten().map(|path| path.0.clone()).collect();
    let plan = profile.plan_details.clone().unwrap_or_default();
    let features: [(Option<bool>, &[&str]); 5] = [
        (plan.custom_password_policy, &["settings.policies.password"]),
        (plan.password_history, &["settings.policies.password.history"]),
        (plan.custom_token_ttl, &["settings.ttl"]),
        (plan.custom_algorithm, &["keystore.algorithm", "keystore.keySize"]),
        (plan.ciba, &["settings.ciba"]),
    ];
    for (feature, paths) in features {
        if feature == Some(false) {
            locks.extend(paths.iter().map(ToString::to_string));
        }
    }
    locks
}

/// Whether, where the store cannot do it, a Tenant that sets it is Stalled: it must not be passed over.
#[must_use]
pub fn must_be_done(path: &str) -> bool {
    path == "keystore.algorithm" || is_at_or_below(path, "settings.policies.password")
}

/// Whether a value that was found in the store is one that a Tenant could set.
fn is_readable(path: &str, value: &Value) -> bool {
    let mut document = Map::new();
    insert(&mut document, path, value.clone());
    fits_the_schema(&Value::Object(document))
}

fn fits_the_schema(spec: &Value) -> bool {
    validation::check("Tenant", &json!({"metadata": {"name": "found"}, "spec": spec}), None)
        .is_empty()
}

fn as_document(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn take_object(values: &mut Map<String, Value>, name: &str) -> Map<String, Value> {
    as_document(values.remove(name).unwrap_or_default())
}

#[cfg(test)]
#[path = "effective_tests.rs"]
mod tests;
