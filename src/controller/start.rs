//! What must hold before the operator starts, and the sentence for each that does not.

use std::fmt::Debug;

use k8s_openapi::api::{
    authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    core::v1::Namespace as KubeNamespace,
};
use kube::{
    Api, Client, Resource,
    api::{ListParams, PostParams},
    core::NamespaceResourceScope,
};
use serde::de::DeserializeOwned;

use super::cache::Guarded;
use crate::{
    admission,
    api::{GROUP, Namespace, Role, Tenant, TenantProfile, User},
    leadership::Place,
};

/// The operator cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No answer from the API server.
    #[error(
        "the Kubernetes API server cannot be reached: {0}. Check the kubeconfig and that the server runs"
    )]
    Unreachable(String),
    /// The kind is not served.
    #[error(
        "the cluster does not know {0}: install the CRDs first, with `kubectl apply --server-side -f crds/` or the Helm chart"
    )]
    NoCrd(String),
    /// RBAC says no.
    #[error("the operator may not {verb} {resource}: {answer}. The Helm chart grants it")]
    Forbidden {
        /// What it may not do.
        verb: &'static str,
        /// With what.
        resource: String,
        /// What the API server answered.
        answer: String,
    },
    /// Anything else.
    #[error("the Kubernetes API server refused to {verb} {resource}: {answer}")]
    Refused {
        /// What it was asked to do.
        verb: &'static str,
        /// With what.
        resource: String,
        /// What it answered.
        answer: String,
    },
}

/// The owner that marks carry: `<UID of kube-system>/<operator's namespace>`.
pub async fn owner_id(client: &Client, operator_namespace: &str) -> Result<String, StartError> {
    let namespaces: Api<KubeNamespace> = Api::all(client.clone());
    let kube_system = namespaces.get_metadata("kube-system").await.map_err(|error| match explain("get", "the namespace kube-system", error) {
        StartError::Forbidden { verb, resource, answer } => {
            StartError::Forbidden { verb, resource, answer: format!("{answer}; it is how this cluster is told from others, unless --owner-id is given") }
        }
        other => other,
    })?;
    Ok(format!("{}/{operator_namespace}", kube_system.metadata.uid.unwrap_or_default()))
}

/// Checks that every kind is served and may be read, in these namespaces or in all.
pub async fn check_access(client: &Client, namespaces: &[String]) -> Result<(), StartError> {
    check_kind::<Tenant>(client, namespaces).await?;
    check_kind::<TenantProfile>(client, namespaces).await?;
    check_kind::<Namespace>(client, namespaces).await?;
    check_kind::<Role>(client, namespaces).await?;
    check_kind::<User>(client, namespaces).await?;
    for namespace in namespaces.iter().map(Some).chain(namespaces.is_empty().then_some(None)) {
        for (group, resource, verb) in NEEDED {
            check_right(client, namespace, group, resource, verb).await?;
        }
    }
    if namespaces.is_empty() {
        // For allowedFrom.matchLabels.
        check_right(client, None, "", "namespaces", "list").await?;
        check_right(client, None, "", "namespaces", "watch").await?;
    }
    Ok(())
}

/// Checks that the keystores' Secrets may be read and written, in their namespace.
pub async fn check_keystores(client: &Client, namespace: &str) -> Result<(), StartError> {
    for verb in ["get", "list", "watch", "create", "patch", "delete"] {
        let may = check_right(client, Some(&namespace.to_owned()), "", "secrets", verb).await;
        may.map_err(|error| match error {
            StartError::Forbidden { verb, resource, answer } => StartError::Forbidden {
                verb,
                resource,
                answer: format!(
                    "{answer}; they hold the signing keys, in the namespace that --keystore-namespace names"
                ),
            },
            other => other,
        })?;
    }
    Ok(())
}

/// Checks that the webhook's certificate can be kept in a Secret of this name, if the operator makes it, and
/// that the API server can be told to trust it.
pub async fn check_webhook(
    client: &Client,
    webhook: &admission::Options,
) -> Result<(), StartError> {
    const GROUP: &str = "admissionregistration.k8s.io";
    if let admission::Source::Own { namespace, service, .. } = &webhook.source {
        for verb in ["get", "patch"] {
            check_right_to(client, Some(namespace), ("", "secrets", Some(service)), verb).await?;
        }
        check_right(client, Some(namespace), "", "secrets", "create").await?;
    }
    if let Some(name) = &webhook.configuration {
        let configuration = (GROUP, "validatingwebhookconfigurations", Some(name.as_str()));
        for verb in ["get", "patch"] {
            check_right_to(client, None, configuration, verb).await?;
        }
    }
    Ok(())
}

/// Checks that the operator can stand for election by this Lease.
pub async fn check_lease(client: &Client, place: &Place) -> Result<(), StartError> {
    const GROUP: &str = "coordination.k8s.io";
    let namespace = Some(&place.namespace);
    check_right(client, namespace, GROUP, "leases", "create").await?;
    for verb in ["get", "update", "watch"] {
        check_right_to(client, namespace, (GROUP, "leases", Some(&place.name)), verb).await?;
    }
    Ok(())
}

/// What the operator does beside listing: (group, resource, verb).
pub(super) const NEEDED: [(&str, &str, &str); 21] = [
    (GROUP, "tenants", "watch"),
    (GROUP, "tenantprofiles", "watch"),
    (GROUP, "namespaces", "watch"),
    (GROUP, "roles", "watch"),
    (GROUP, "users", "watch"),
    (GROUP, "tenants", "get"),
    (GROUP, "tenantprofiles", "get"),
    (GROUP, "namespaces", "get"),
    (GROUP, "roles", "get"),
    (GROUP, "users", "get"),
    (GROUP, "tenants", "patch"),
    (GROUP, "namespaces", "patch"),
    (GROUP, "roles", "patch"),
    (GROUP, "users", "patch"),
    (GROUP, "tenants/status", "patch"),
    (GROUP, "namespaces/status", "patch"),
    (GROUP, "roles/status", "patch"),
    (GROUP, "users/status", "patch"),
    (GROUP, "tenantprofiles/status", "patch"),
    ("", "namespaces", "get"),
    ("events.k8s.io", "events", "create"),
];

/// Asks the API server whether the operator may do this, in a namespace or in all.
async fn check_right(
    client: &Client,
    namespace: Option<&String>,
    group: &str,
    resource: &str,
    verb: &'static str,
) -> Result<(), StartError> {
    check_right_to(client, namespace, (group, resource, None), verb).await
}

/// The same of one object alone, if it has a name.
async fn check_right_to(
    client: &Client,
    namespace: Option<&String>,
    (group, resource, object): (&str, &str, Option<&str>),
    verb: &'static str,
) -> Result<(), StartError> {
    let (name, subresource) =
        resource.split_once('/').map_or((resource, None), |(name, sub)| (name, Some(sub)));
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some(group.into()),
                resource: Some(name.into()),
                subresource: subresource.map(Into::into),
                verb: Some(verb.into()),
                namespace: namespace.cloned(),
                name: object.map(Into::into),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let asked = Api::all(client.clone()).create(&PostParams::default(), &review).await;
    let answer = asked
        .map_err(|error| explain("ask for its rights with", "selfsubjectaccessreviews", error))?;
    if answer.status.as_ref().is_some_and(|status| status.allowed) {
        return Ok(());
    }
    let place = match (namespace, object) {
        (Some(namespace), None) => format!("in the namespace {namespace}"),
        (Some(namespace), Some(object)) => format!("{object} in the namespace {namespace}"),
        (None, Some(object)) => object.into(),
        (None, None) => "in every namespace".into(),
    };
    Err(StartError::Forbidden {
        verb,
        resource: format!("{resource} {place}"),
        answer: "RBAC does not allow it".into(),
    })
}

async fn check_kind<K>(client: &Client, namespaces: &[String]) -> Result<(), StartError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned,
{
    let resource = format!("{}.{}", K::plural(&()), K::group(&()));
    for api in scopes::<Guarded<K>>(client, namespaces) {
        api.list(&ListParams::default().limit(1))
            .await
            .map_err(|error| explain("list", &resource, error))?;
    }
    Ok(())
}

/// The API of a kind in these namespaces, or one for all.
pub fn scopes<K>(client: &Client, namespaces: &[String]) -> Vec<Api<K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    if namespaces.is_empty() {
        vec![Api::all(client.clone())]
    } else {
        namespaces.iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect()
    }
}

fn explain(verb: &'static str, resource: &str, error: kube::Error) -> StartError {
    let resource = resource.to_owned();
    match error {
        // A group of which other kinds are served answers in plain text, without a reason.
        kube::Error::Api(status) if status.code == 404 => StartError::NoCrd(resource),
        kube::Error::Api(status) if status.is_forbidden() => {
            StartError::Forbidden { verb, resource, answer: status.message.clone() }
        }
        kube::Error::Api(status) => {
            StartError::Refused { verb, resource, answer: status.message.clone() }
        }
        other => StartError::Unreachable(root_cause(&other)),
    }
}

/// The innermost cause is the one that a person can do something about.
#[must_use]
pub fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if cause.to_string() == error.to_string() {
        error.to_string()
    } else {
        format!("{error}: {cause}")
    }
}
