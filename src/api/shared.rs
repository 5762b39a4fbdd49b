//! What objects of several kinds have in common: references, grants, policies.

use kube::{KubeSchema, core::Rule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The rule that a field keeps its value, also when unset and set again; it
/// stands on the field's parent.
pub(super) fn immutable(field: &str) -> Rule {
    Rule::new(format!(
        "has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"
    ))
    .message(format!("{field} is immutable: delete the object and create it anew to change it").as_str())
    .field_path(format!(".{field}"))
}

/// A reference to an object of ours: its `metadata.name` and Kubernetes namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectReference {
    /// The object's `metadata.name`.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
    /// The object's Kubernetes namespace. Default: that of the object that refers to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub namespace: Option<String>,
}

/// Kubernetes namespaces, beside its own, from which objects may refer to an object.
/// All that is given must hold; an entry that gives nothing grants nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.matchNames) || has(self.matchLabels)")
    .message("needs matchNames or matchLabels"))]
pub struct AllowedFrom {
    /// Names of Kubernetes namespaces; a closing `*` matches any ending.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 64),
        inner(
            length(min = 1, max = 63),
            regex(pattern = r"^([a-z0-9]([-a-z0-9]*[a-z0-9*])?|\*)$")
        )
    )]
    pub match_names: Option<Vec<String>>,
    /// Labels that the Kubernetes namespace must carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "labels")]
    pub match_labels: Option<std::collections::BTreeMap<String, String>>,
}

/// Kubernetes namespaces, beside its own, from which objects may refer to a Tenant, and the
/// kinds that may. All that is given must hold; an entry that gives nothing grants nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.matchNames) || has(self.matchLabels)")
    .message("needs matchNames or matchLabels"))]
pub struct TenantAllowedFrom {
    /// Names of Kubernetes namespaces; a closing `*` matches any ending.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 64),
        inner(
            length(min = 1, max = 63),
            regex(pattern = r"^([a-z0-9]([-a-z0-9]*[a-z0-9*])?|\*)$")
        )
    )]
    pub match_names: Option<Vec<String>>,
    /// Labels that the Kubernetes namespace must carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "labels")]
    pub match_labels: Option<std::collections::BTreeMap<String, String>>,
    /// The kinds that may refer to the Tenant. Default: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 3))]
    pub kinds: Option<Vec<ReferrerKind>>,
}

impl TenantAllowedFrom {
    /// The grant without its limit to kinds, if it holds for this one.
    #[must_use]
    pub fn for_kind(&self, kind: ReferrerKind) -> Option<AllowedFrom> {
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind)).then(|| AllowedFrom {
            match_names: self.match_names.clone(),
            match_labels: self.match_labels.clone(),
        })
    }
}

/// A kind whose objects refer to a Tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReferrerKind {
    /// A person or service in the tenant.
    User,
    /// A set of access rules in the tenant.
    Role,
    /// A partition of the tenant.
    Namespace,
}

/// What happens in the store when the object is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// What the object made is removed from the store.
    Delete,
    /// The store keeps it, with its mark: the same namespace and name take it up again.
    Retain,
}

/// What happens when the store already has what the object describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AdoptionPolicy {
    /// It is a conflict.
    Fail,
    /// It is adopted, if the operator's `--adoptable` lists the tenant.
    Adopt,
}

/// Labels as Kubernetes bounds them.
fn labels(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 16,
        "additionalProperties": {"type": "string", "maxLength": 63, "pattern": "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"},
        "x-kubernetes-validations": [{
            "rule": "self.all(name, name.matches('^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))",
            "message": "names are those of labels, such as example.com/team",
        }],
    })
}
