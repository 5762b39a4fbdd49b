//! What the operator must be allowed to do, by what it was started with: the same that the chart grants
//! (templates/rbac.yaml), which a test holds it to. Pure.

use crate::api::GROUP;

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
    /// The Lease by which its replicas elect a leader, in the namespace that it runs in, if they do.
    pub lease: Option<String>,
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

/// Wherever it watches.
const WATCHED: [(&str, &str, &[&str]); 13] = [
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
    // Of all namespaces alone, for `allowedFrom.matchLabels`: see below.
    ("", "namespaces", &["list", "watch"]),
];

/// Where Secrets may hold passwords.
const PASSWORDS: &[&str] = &["get", "list", "watch", "create"];

/// Where the signing keys are.
const KEYSTORES: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];

impl Needs {
    /// All that it must be allowed to do.
    #[must_use]
    pub fn rights(&self) -> Vec<Right> {
        let mut rights = Vec::new();
        let watched = each_or_all(&self.watch_namespaces);
        for namespace in &watched {
            let rules = if namespace.is_some() { &WATCHED[..12] } else { &WATCHED[..] };
            for (group, resource, verbs) in rules {
                add(&mut rights, (group, resource, verbs), *namespace, None);
            }
        }
        let secrets = if self.secrets_namespaces.is_empty() {
            watched
        } else {
            each_or_all(&self.secrets_namespaces)
        };
        for namespace in secrets {
            add(&mut rights, ("", "secrets", PASSWORDS), namespace, None);
        }
        if self.asks_for_owner {
            add(
                &mut rights,
                ("", "namespaces", &["get"]),
                Some("kube-system"),
                Some("kube-system"),
            );
        }
        let (own, keystores) = (&self.operator_namespace, &self.keystore_namespace);
        add(&mut rights, ("", "secrets", &["get"]), Some(own), Some("keyreeve-fingerprint"));
        add(&mut rights, ("", "secrets", &["create"]), Some(own), None);
        add(&mut rights, ("", "secrets", KEYSTORES), Some(keystores), None);
        if let Some(lease) = &self.lease {
            let (group, leases) = ("coordination.k8s.io", "leases");
            add(&mut rights, (group, leases, &["get", "update", "watch"]), Some(own), Some(lease));
            add(&mut rights, (group, leases, &["create"]), Some(own), None);
        }
        if let Some(secret) = &self.webhook_secret {
            add(&mut rights, ("", "secrets", &["get", "patch"]), Some(own), Some(secret));
        }
        if let Some(name) = &self.webhook_configuration {
            let configurations = "validatingwebhookconfigurations";
            let group = "admissionregistration.k8s.io";
            add(&mut rights, (group, configurations, &["get", "patch"]), None, Some(name));
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::start::NEEDED;

    /// Else it would not start with what `keyreeve doctor` finds to be enough.
    #[test]
    fn what_it_asks_for_when_it_starts_is_among_what_it_needs() {
        let everywhere = Needs::default();
        let narrow = Needs { watch_namespaces: vec!["team".into()], ..Needs::default() };
        for needs in [everywhere, narrow] {
            let rights = needs.rights();
            for (group, resource, verb) in NEEDED {
                let namespace = needs.watch_namespaces.first().cloned();
                let right = Right { group, resource, verb, namespace, name: None };
                assert!(rights.contains(&right), "{right:?}");
            }
        }
    }
}
