//! What the operator must be allowed to do, by what it was started with: the same that the chart grants
//! (templates/rbac.yaml), which a test holds it to. Pure.

use std::fmt;

use k8s_openapi::api::authorization::v1::ResourceAttributes;

use crate::{api::GROUP, leadership::Place};

/// What the operator was started with, as far as it decides what it must be allowed to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The Kubernetes namespaces that it watches; all if empty.
    pub watch_namespaces: Vec<String>,
    /// Those whose Secrets may hold passwords; those that are watched if empty.
    pub secrets_namespaces: Vec<String>,
    /// The one that it runs in.
    pub operator_namespace: String,
    /// The one of the Secrets with the signing keys.
    pub keystore_namespace: String,
    /// Whether it has to ask for the UID of `kube-system` to know whose it is.
    pub asks_for_owner: bool,
    /// The Lease by which its replicas elect a leader, if they do.
    pub lease: Option<Place>,
    /// The Secret with the webhook's certificate, if the operator makes it.
    pub webhook_secret: Option<String>,
    /// The ValidatingWebhookConfiguration in which it says whom to trust, if it does.
    pub webhook_configuration: Option<String>,
}

/// Something that it must be allowed to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// The API group; empty for the core one.
    pub group: &'static str,
    /// The resource, with its subresource after a slash.
    pub resource: &'static str,
    /// What to do with it.
    pub verb: &'static str,
    /// In which Kubernetes namespace; in all of them, or of a resource that is in none.
    pub namespace: Option<String>,
    /// To this object alone.
    pub name: Option<String>,
}

impl Right {
    /// The resource, and its subresource if it is about one.
    fn parts(&self) -> (&str, Option<&str>) {
        self.resource
            .split_once('/')
            .map_or((self.resource, None), |(resource, sub)| (resource, Some(sub)))
    }
}

/// To what it is, for people: `users.keyreeve.dev/status in the namespace team`.
impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (resource, subresource) = self.parts();
        f.write_str(resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if let Some(subresource) = subresource {
            write!(f, "/{subresource}")?;
        }
        match (&self.namespace, &self.name) {
            (Some(namespace), None) => write!(f, " in the namespace {namespace}"),
            (Some(namespace), Some(name)) => write!(f, " {name} in the namespace {namespace}"),
            (None, Some(name)) => write!(f, " {name}"),
            (None, None) => f.write_str(" in every namespace"),
        }
    }
}

impl From<&Right> for ResourceAttributes {
    fn from(right: &Right) -> Self {
        let (resource, subresource) = right.parts();
        Self {
            group: Some(right.group.into()),
            resource: Some(resource.into()),
            subresource: subresource.map(Into::into),
            verb: Some(right.verb.into()),
            namespace: right.namespace.clone(),
            name: right.name.clone(),
            ..Self::default()
        }
    }
}

/// Wherever it watches.
const WATCHED: [(&str, &str, &[&str]); 12] = [
    (GROUP, "tenants", &["get", "list", "watch", "patch"]),
    (GROUP, "tenantprofiles", &["get", "list", "watch"]),
    (GROUP, "namespaces", &["get", "list", "watch", "patch"]),
    (GROUP, "roles", &["get", "list", "watch", "patch"]),
    (GROUP, "users", &["get", "list", "watch", "patch"]),
    (GROUP, "tenants/status", &["patch"]),
    (GROUP, "tenantprofiles/status", &["patch"]),
    (GROUP, "namespaces/status", &["patch"]),
    (GROUP, "roles/status", &["patch"]),
    (GROUP, "users/status", &["patch"]),
    ("", "namespaces", &["get"]),
    ("events.k8s.io", "events", &["create", "patch"]),
];

/// Where it watches everywhere, for `allowedFrom.matchLabels`.
const LABELS: (&str, &str, &[&str]) = ("", "namespaces", &["list", "watch"]);

/// Where Secrets may hold passwords.
const PASSWORDS: &[&str] = &["get", "list", "watch", "create"];

/// Where the signing keys are.
const KEYSTORES: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];

impl Needs {
    /// What it must be allowed where it watches.
    #[must_use]
    pub fn watched(&self) -> Vec<Right> {
        let mut rights = Vec::new();
        for namespace in each_or_all(&self.watch_namespaces) {
            let labels = namespace.is_none().then_some(LABELS);
            for rule in WATCHED.into_iter().chain(labels) {
                add(&mut rights, rule, namespace, None);
            }
        }
        rights
    }

    /// Without which it does not start, beside those where it watches. What it lacks of the rest, the objects say that
    /// need it.
    #[must_use]
    pub fn to_start(&self) -> Vec<Right> {
        let mut rights = Vec::new();
        add(&mut rights, ("", "secrets", KEYSTORES), Some(&self.keystore_namespace), None);
        if let Some(Place { namespace, name }) = &self.lease {
            let (group, leases) = ("coordination.k8s.io", "leases");
            let held: &[_] = &["get", "update", "watch"];
            add(&mut rights, (group, leases, held), Some(namespace), Some(name));
            add(&mut rights, (group, leases, &["create"]), Some(namespace), None);
        }
        let own = Some(self.operator_namespace.as_str());
        if let Some(secret) = &self.webhook_secret {
            add(&mut rights, ("", "secrets", &["get", "patch"]), own, Some(secret));
            add(&mut rights, ("", "secrets", &["create"]), own, None);
        }
        if let Some(name) = &self.webhook_configuration {
            let configurations = "validatingwebhookconfigurations";
            let group = "admissionregistration.k8s.io";
            add(&mut rights, (group, configurations, &["get", "patch"]), None, Some(name));
        }
        rights
    }

    /// All that it must be allowed to do.
    #[must_use]
    pub fn rights(&self) -> Vec<Right> {
        let mut rights = [self.watched(), self.to_start()].concat();
        let listed = Some(&self.secrets_namespaces).filter(|listed| !listed.is_empty());
        for namespace in each_or_all(listed.unwrap_or(&self.watch_namespaces)) {
            add(&mut rights, ("", "secrets", PASSWORDS), namespace, None);
        }
        if self.asks_for_owner {
            let kube_system = Some("kube-system");
            add(&mut rights, ("", "namespaces", &["get"]), kube_system, kube_system);
        }
        let own = Some(self.operator_namespace.as_str());
        add(&mut rights, ("", "secrets", &["get"]), own, Some("keyreeve-fingerprint"));
        add(&mut rights, ("", "secrets", &["create"]), own, None);
        rights.sort();
        rights.dedup();
        rights
    }
}

fn each_or_all(namespaces: &[String]) -> Vec<Option<&str>> {
    if namespaces.is_empty() {
        vec![None]
    } else {
        namespaces.iter().map(|namespace| Some(namespace.as_str())).collect()
    }
}

fn add(
    rights: &mut Vec<Right>,
    (group, resource, verbs): (&'static str, &'static str, &'static [&'static str]),
    namespace: Option<&str>,
    name: Option<&str>,
) {
    rights.extend(verbs.iter().map(|verb| Right {
        group,
        resource,
        verb,
        namespace: namespace.map(Into::into),
        name: name.map(Into::into),
    }));
}
