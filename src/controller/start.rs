//! What must hold before the operator starts, and the sentence for each that does not.

use std::fmt::Debug;

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::{
    authorization::v1::{SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    core::v1::Namespace as KubeNamespace,
};
use kube::{
    Api, Client, Resource,
    api::{ListParams, PostParams},
    core::NamespaceResourceScope,
};
use serde::de::DeserializeOwned;

use super::{
    cache::Guarded,
    rights::{Needs, Right},
};
use crate::api::{Namespace, Role, Tenant, TenantProfile, User};

/// How many rights are asked for at once.
const AT_ONCE: usize = 8;

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
pub async fn check_kinds(client: &Client, namespaces: &[String]) -> Result<(), StartError> {
    check_kind::<Tenant>(client, namespaces).await?;
    check_kind::<TenantProfile>(client, namespaces).await?;
    check_kind::<Namespace>(client, namespaces).await?;
    check_kind::<Role>(client, namespaces).await?;
    check_kind::<User>(client, namespaces).await
}

/// Checks that the operator has each right without which it does not start.
pub async fn check_rights(client: &Client, needs: &Needs) -> Result<(), StartError> {
    let asked = stream::iter(needs.to_start()).map(|right| check_right(client, right, needs));
    asked.buffered(AT_ONCE).try_collect().await
}

/// Whether this client may do this, as the API server says.
///
/// # Errors
/// It gave no answer.
pub async fn may_i(client: &Client, right: &Right) -> Result<bool, kube::Error> {
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(right.into()),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let answer = Api::all(client.clone()).create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

async fn check_right(client: &Client, right: Right, needs: &Needs) -> Result<(), StartError> {
    let asked = may_i(client, &right).await;
    if asked
        .map_err(|error| explain("ask for its rights with", "selfsubjectaccessreviews", error))?
    {
        return Ok(());
    }
    let mut answer = "RBAC does not allow it".to_owned();
    if right.resource == "secrets"
        && right.name.is_none()
        && right.namespace.as_ref() == Some(&needs.keystore_namespace)
    {
        answer += "; they hold the signing keys, in the namespace that --keystore-namespace names";
    }
    Err(StartError::Forbidden { verb: right.verb, resource: right.to_string(), answer })
}

async fn check_kind<K>(client: &Client, namespaces: &[String]) -> Result<(), StartError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned,
{
    let resource = format!("{}.{}", K::plural(&()), K::group(&()));
    let asked = stream::iter(scopes::<Guarded<K>>(client, namespaces)).map(async |api| {
        let listed = api.list(&ListParams::default().limit(1)).await;
        listed.map(|_| ()).map_err(|error| explain("list", &resource, error))
    });
    asked.buffered(AT_ONCE).try_collect().await
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
