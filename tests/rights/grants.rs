//! What Roles and their bindings allow, one verb and one resource at a time.

use std::{collections::BTreeSet, fmt, path::PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::requests::Request;

/// What a test keeps of a release of the chart (tests/e2e/support/grants.rs).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// How the names of its Roles begin.
    pub prefix: String,
    pub audit_log: PathBuf,
    /// Whether a right was taken away, so that something is refused.
    pub weakened: bool,
    pub objects: Vec<Value>,
}

/// A right, by what it is and not by whose: the same in every release.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Right {
    is_cluster_wide: bool,
    /// The Role's name after that of the release.
    role: String,
    verb: String,
    group: String,
    /// With the subresource after a slash.
    resource: String,
    is_named: bool,
}

/// A right that somebody has.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Grant {
    pub right: Right,
    pub user: String,
    pub audit_log: PathBuf,
    /// Where; everywhere if it is none.
    namespace: Option<String>,
    names: Vec<String>,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { is_cluster_wide, role, verb, group, resource, is_named } = self;
        let scope = if *is_cluster_wide { "everywhere" } else { "in a namespace" };
        let dot = if group.is_empty() { "" } else { "." };
        let one = if *is_named { ", by name" } else { "" };
        write!(f, "{verb} {resource}{dot}{group} {scope}{one} (the Role …{role})")
    }
}

impl Right {
    /// Whether the request shows that it must be as wide as it is.
    pub fn is_used_by(&self, request: &Request) -> bool {
        let is_of_many = ["list", "watch", "deletecollection"].contains(&self.verb.as_str());
        !(self.is_cluster_wide && is_of_many && request.namespace.is_some())
            // People hold the aggregated ones in a namespace.
            || self.role.ends_with("-view")
            || self.role.ends_with("-admin")
    }
}

impl Grant {
    pub fn allows(&self, request: &Request) -> bool {
        let Right { verb, group, resource, .. } = &self.right;
        *verb == request.verb
            && *group == request.group
            && *resource == request.resource
            && self.namespace.as_ref().is_none_or(|own| request.namespace.as_ref() == Some(own))
            && (self.names.is_empty() || self.names.contains(&request.name))
    }
}

impl Kept {
    /// Who has something of it.
    pub fn users(&self) -> BTreeSet<String> {
        self.grants().into_iter().map(|grant| grant.user).collect()
    }

    pub fn grants(&self) -> Vec<Grant> {
        let mut grants = Vec::new();
        let of_kind = |kind: &'static str| {
            self.objects.iter().filter(move |object| text(object, "/kind").ends_with(kind))
        };
        for binding in of_kind("RoleBinding") {
            let is_cluster_wide = text(binding, "/kind") == "ClusterRoleBinding";
            let namespace =
                (!is_cluster_wide).then(|| text(binding, "/metadata/namespace").to_owned());
            let (kind, name) = (text(binding, "/roleRef/kind"), text(binding, "/roleRef/name"));
            let roles = of_kind("Role").filter(|role| {
                let own = role.pointer("/metadata/namespace").and_then(Value::as_str);
                text(role, "/kind") == kind
                    && text(role, "/metadata/name") == name
                    && (kind == "ClusterRole" || own == namespace.as_deref())
            });
            for (role, subject) in roles.flat_map(|role| {
                binding["subjects"].as_array().unwrap().iter().map(move |subject| (role, subject))
            }) {
                let user = match text(subject, "/kind") {
                    "ServiceAccount" => format!(
                        "system:serviceaccount:{}:{}",
                        text(subject, "/namespace"),
                        text(subject, "/name")
                    ),
                    _ => text(subject, "/name").to_owned(),
                };
                grants.extend(rights_of(&self.prefix, role).into_iter().map(|(right, names)| {
                    Grant {
                        right,
                        user: user.clone(),
                        audit_log: self.audit_log.clone(),
                        namespace: namespace.clone(),
                        names,
                    }
                }));
            }
        }
        grants
    }
}

/// All rights in the Roles among these objects.
pub fn rights(prefix: &str, objects: &[Value]) -> BTreeSet<Right> {
    let roles = objects.iter().filter(|object| text(object, "/kind").ends_with("Role"));
    roles.flat_map(|role| rights_of(prefix, role)).map(|(right, _)| right).collect()
}

/// The rights of a Role, each with the names of the objects that it is for, if it is for some alone.
fn rights_of(prefix: &str, role: &Value) -> Vec<(Right, Vec<String>)> {
    let name = text(role, "/metadata/name");
    let mut rights = Vec::new();
    for rule in role["rules"].as_array().unwrap() {
        let names = words(rule, "resourceNames");
        for group in words(rule, "apiGroups") {
            for resource in words(rule, "resources") {
                for verb in words(rule, "verbs") {
                    let right = Right {
                        is_cluster_wide: text(role, "/kind") == "ClusterRole",
                        role: name.strip_prefix(prefix).unwrap_or(name).to_owned(),
                        verb,
                        group: group.clone(),
                        resource: resource.clone(),
                        is_named: !names.is_empty(),
                    };
                    rights.push((right, names.clone()));
                }
            }
        }
    }
    rights
}

/// The objects in what Helm prints.
pub fn objects(rendered: &str) -> Vec<Value> {
    rendered
        .split("\n---\n")
        .map(|document| document.trim_start_matches("---\n"))
        .filter(|document| document.lines().any(|line| !line.starts_with('#') && !line.is_empty()))
        .map(|document| serde_saphyr::from_str(document).unwrap())
        .collect()
}

fn words(rule: &Value, list: &str) -> Vec<String> {
    let words = rule[list].as_array().into_iter().flatten();
    words.map(|word| word.as_str().unwrap().to_owned()).collect()
}

fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}
