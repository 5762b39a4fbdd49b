//! What must hold before the operator starts, and the sentence for each that does not.

use std::{collections::BTreeMap, fmt::Debug};

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
use crate::api::{GROUP, Namespace, Role, Tenant, TenantProfile, User};

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

/// Checks that every kind is served, and that the operator has each right without which it does not start. Of the
/// namespaces that are watched by their names one is enough in which it has all: it starts for that one, and answers
/// the others, each with the first thing that it lacks there.
///
/// # Errors
/// It cannot start.
pub async fn check(
    client: &Client,
    needs: &Needs,
) -> Result<BTreeMap<String, StartError>, StartError> {
    let mut watched = Watched { client, left: needs.watch_namespaces.clone(), lack: Vec::new() };
    watched.check_kind::<Tenant>().await?;
    watched.check_kind::<TenantProfile>().await?;
    watched.check_kind::<Namespace>().await?;
    watched.check_kind::<Role>().await?;
    watched.check_kind::<User>().await?;
    watched.check_rights(needs).await?;
    let asked = stream::iter(needs.to_start()).map(|right| check_right(client, right, needs));
    asked.buffered(AT_ONCE).try_collect::<()>().await?;
    Ok(watched.lack.into_iter().collect())
}

/// Whether all objects of ours in a namespace may be listed and watched now.
pub async fn may_read(client: &Client, namespace: &str) -> bool {
    let needs = Needs { watch_namespaces: vec![namespace.into()], ..Needs::default() };
    let mut rights = needs.watched();
    rights.retain(|right| right.group == GROUP && ["list", "watch"].contains(&right.verb));
    let asked = stream::iter(rights).map(async |right| may_i(client, &right).await);
    let asked = asked.buffered(AT_ONCE).try_collect::<Vec<_>>().await;
    asked.is_ok_and(|allowed| allowed.into_iter().all(|allowed| allowed))
}

/// What is watched, while it is checked.
struct Watched<'a> {
    client: &'a Client,
    /// The namespaces in which nothing is missing so far; all of them at once if none is named.
    left: Vec<String>,
    /// Those where something is, in the order in which that was found.
    lack: Vec<(String, StartError)>,
}

impl Watched<'_> {
    /// Checks that a kind is served and may be listed.
    async fn check_kind<K>(&mut self) -> Result<(), StartError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let resource = format!("{}.{}", K::plural(&()), K::group(&()));
        let asked = stream::iter(scopes::<Guarded<K>>(self.client, &self.left)).map(async |api| {
            let listed = api.list(&ListParams::default().limit(1)).await;
            listed.map(|_| ()).map_err(|error| explain("list", &resource, error))
        });
        let asked = asked.buffered(AT_ONCE).collect::<Vec<_>>().await;
        if self.left.is_empty() {
            return asked.into_iter().collect();
        }
        let answers = self.left.clone().into_iter().zip(asked).collect();
        self.sort_out(answers)
    }

    /// Checks the rights where it watches.
    async fn check_rights(&mut self, needs: &Needs) -> Result<(), StartError> {
        let left = Needs { watch_namespaces: self.left.clone(), ..Needs::default() };
        let asked = stream::iter(left.watched()).map(async |right| {
            let namespace = right.namespace.clone();
            (namespace, check_right(self.client, right, needs).await)
        });
        let asked = asked.buffered(AT_ONCE).collect::<Vec<_>>().await;
        let mut answers = Vec::new();
        for (namespace, answer) in asked {
            match namespace {
                None => answer?,
                Some(namespace) => answers.push((namespace, answer)),
            }
        }
        self.sort_out(answers)
    }

    /// Keeps the namespaces in which nothing was refused: an error if there is none, or something else was wrong.
    fn sort_out(
        &mut self,
        answers: Vec<(String, Result<(), StartError>)>,
    ) -> Result<(), StartError> {
        let was_named = !self.left.is_empty();
        for (namespace, answer) in answers {
            let Err(error) = answer else { continue };
            if !matches!(error, StartError::Forbidden { .. }) {
                return Err(error);
            }
            if self.left.contains(&namespace) {
                self.left.retain(|left| *left != namespace);
                self.lack.push((namespace, error));
            }
        }
        if was_named && self.left.is_empty() {
            return Err(self.lack.swap_remove(0).1);
        }
        Ok(())
    }
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
