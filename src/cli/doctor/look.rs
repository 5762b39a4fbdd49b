//! Looks at the cluster: reads what the judges judge, and judges nothing. What may not be read is told as a
//! sentence.

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::{
    api::{
        admissionregistration::v1::ValidatingWebhookConfiguration as Configuration,
        apps::v1::Deployment,
        authentication::v1::SelfSubjectReview,
        authorization::v1::{SubjectAccessReview, SubjectAccessReviewSpec},
        coordination::v1::Lease,
        core::v1::{Namespace as KubeNamespace, Pod},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ListParams, ObjectList, PostParams},
    core::{NamespaceResourceScope, ObjectMeta, Request},
};
use serde::Deserialize;
use serde_json::Value;

use super::{namespaces::Space, objects::Object, settings::Settings, webhook};
use crate::{
    api::{FINALIZER, Namespace, Role, StoreReference, Tenant, TenantProfile, User},
    controller::{self, Right, root_cause},
    leadership::Place,
    secrets,
};

/// By this the chart's Deployments are known.
const LABEL: &str = "app.kubernetes.io/name=keyreeve";

/// So many questions are asked at the same time.
const AT_ONCE: usize = 16;

/// So many objects are read at once.
const PAGE: u32 = 500;

/// What was seen, or why it could not be.
pub type Looked<T> = Result<T, String>;

/// Who is asking. What cannot answer this cannot be looked at, at all.
pub async fn user(client: &Client) -> Looked<String> {
    let api: Api<SelfSubjectReview> = Api::all(client.clone());
    let asked = api.create(&PostParams::default(), &SelfSubjectReview::default()).await;
    let answer = asked.map_err(|error| match error {
        kube::Error::Api(status) => format!(
            "the Kubernetes API server does not say who you are: {}. Check the credentials in the kubeconfig",
            status.message
        ),
        other => format!(
            "the Kubernetes API server cannot be reached: {}. Check the kubeconfig and that the server runs",
            root_cause(&other)
        ),
    })?;
    Ok(answer.status.and_then(|status| status.user_info?.username).unwrap_or_default())
}

/// Those of these CRDs that are there.
pub async fn crds(
    client: &Client,
    expected: &[CustomResourceDefinition],
) -> Looked<Vec<CustomResourceDefinition>> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut found = Vec::new();
    for crd in expected {
        let crd = api.get_opt(&crd.name_any()).await;
        found.extend(crd.map_err(|error| refused("get customresourcedefinitions", &error))?);
    }
    Ok(found)
}

/// The operators' Deployments: that of this name, or all with the chart's label; in a namespace or in all.
pub async fn deployments(
    client: &Client,
    namespace: Option<&str>,
    name: Option<&str>,
) -> Looked<Vec<Deployment>> {
    let api: Api<Deployment> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let parameters = match name {
        Some(name) => ListParams::default().fields(&format!("metadata.name={name}")),
        None => ListParams::default().labels(LABEL),
    };
    let found = api.list(&parameters).await;
    let what = if namespace.is_some() {
        "list deployments there"
    } else {
        "list deployments in all namespaces: say by --namespace where the operator is"
    };
    found.map(|list| list.items).map_err(|error| refused(what, &error))
}

/// The Pods of a Deployment.
pub async fn pods(client: &Client, deployment: &Deployment) -> Looked<Vec<Pod>> {
    let namespace = deployment.namespace().unwrap_or_default();
    let selector = deployment.spec.as_ref().and_then(|spec| spec.selector.match_labels.as_ref());
    let labels: Vec<_> =
        selector.into_iter().flatten().map(|(name, value)| format!("{name}={value}")).collect();
    let api: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    let found = api.list(&ListParams::default().labels(&labels.join(","))).await;
    found
        .map(|list| list.items)
        .map_err(|error| refused(&format!("list pods in the namespace {namespace}"), &error))
}

/// The Lease by which an operator's replicas elect their leader.
pub async fn lease(client: &Client, place: &Place) -> Looked<Option<Lease>> {
    let Place { namespace, name } = place;
    let api: Api<Lease> = Api::namespaced(client.clone(), namespace);
    let found = api.get_opt(name).await;
    found.map_err(|error| refused(&format!("get the Lease {name} in {namespace}"), &error))
}

/// Which of these rights the operator has: asked of its ServiceAccount, or of oneself who is that.
pub async fn rights(
    client: &Client,
    settings: &Settings,
    asking: &str,
) -> Looked<Vec<(Right, bool)>> {
    let user = settings.user();
    let all = settings.needs.rights();
    let asked = stream::iter(all.into_iter().map(|right| {
        let (client, user) = (client.clone(), user.clone());
        async move {
            let has = if user == asking {
                controller::may_i(&client, &right).await
            } else {
                may(&client, &user, &settings.namespace, &right).await
            };
            has.map(|has| (right, has))
        }
    }));
    let asked = asked.buffered(AT_ONCE).try_collect().await;
    asked.map_err(|error| {
        refused(&format!("ask what {user} may do (create subjectaccessreviews)"), &error)
    })
}

async fn may(
    client: &Client,
    user: &str,
    namespace: &str,
    right: &Right,
) -> Result<bool, kube::Error> {
    let groups = ["system:serviceaccounts", "system:authenticated"].map(ToOwned::to_owned);
    let own = format!("system:serviceaccounts:{namespace}");
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(user.into()),
            groups: Some(groups.into_iter().chain([own]).collect()),
            resource_attributes: Some(right.into()),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let answer = Api::all(client.clone()).create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// All registrations by which objects of ours are reviewed.
pub async fn registrations(client: &Client) -> Looked<Vec<Configuration>> {
    let found = Api::<Configuration>::all(client.clone()).list(&ListParams::default()).await;
    let found = found.map_err(|error| refused("list validatingwebhookconfigurations", &error))?;
    let is_ours = |found: &Configuration| found.webhooks.iter().flatten().any(webhook::is_ours);
    Ok(found.items.into_iter().filter(is_ours).collect())
}

/// The certificate that an operator's webhook serves, as PEM. Nothing else of its Secret leaves here.
pub async fn served(client: &Client, settings: &Settings) -> Looked<String> {
    let secret = settings.webhook.as_ref().and_then(|webhook| webhook.secret.as_ref());
    let name =
        secret.ok_or("the webhook's certificate is in no Secret that its Deployment names")?;
    // Its own is where it takes itself to be; one that is mounted is where its Pod is.
    let makes_its_own = settings.needs.webhook_secret.is_some();
    let namespace =
        if makes_its_own { &settings.needs.operator_namespace } else { &settings.namespace };
    let what = format!("get the Secret {name} in the namespace {namespace}");
    let found = secrets::read(client, namespace, name).await;
    let Some(secret) = found.map_err(|error| refused(&what, &error))? else {
        return Ok(String::new());
    };
    let certificate = secret.data.as_ref().and_then(|data| data.get("tls.crt"));
    let text = certificate.and_then(|value| String::from_utf8(value.0.clone()).ok());
    secrets::wipe(secret);
    Ok(text.unwrap_or_default())
}

/// How these Kubernetes namespaces are.
pub async fn spaces(client: &Client, names: &[String]) -> Looked<Vec<(String, Space)>> {
    let api: Api<KubeNamespace> = Api::all(client.clone());
    let asked = stream::iter(names).map(async |name| {
        let found = api.get_metadata_opt(name).await;
        let found = found.map_err(|error| refused(&format!("get the namespace {name}"), &error))?;
        let space = match found {
            None => Space::Gone,
            Some(found) if found.metadata.deletion_timestamp.is_some() => Space::Going,
            Some(_) => Space::There,
        };
        Ok((name.clone(), space))
    });
    asked.buffered(AT_ONCE).try_collect().await
}

/// All objects of ours in these namespaces, or in all.
pub async fn objects(client: &Client, namespaces: &[String]) -> Looked<Vec<Object>> {
    let mut objects = Vec::new();
    let all = namespaces.is_empty().then_some(None);
    for namespace in namespaces.iter().map(|namespace| Some(namespace.as_str())).chain(all) {
        list::<Tenant>(client, "Tenant", namespace, &mut objects).await?;
        list::<TenantProfile>(client, "TenantProfile", namespace, &mut objects).await?;
        list::<Namespace>(client, "Namespace", namespace, &mut objects).await?;
        list::<Role>(client, "Role", namespace, &mut objects).await?;
        list::<User>(client, "User", namespace, &mut objects).await?;
    }
    Ok(objects)
}

/// An object, whatever the rest of it looks like.
#[derive(Clone, Debug, Deserialize)]
struct Seen {
    metadata: ObjectMeta,
    #[serde(default)]
    status: Value,
}

async fn list<K>(
    client: &Client,
    kind: &'static str,
    namespace: Option<&str>,
    objects: &mut Vec<Object>,
) -> Looked<()>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    let place = namespace.map_or("all namespaces".into(), |name| format!("the namespace {name}"));
    let what = format!("list {}.{} in {place}", K::plural(&()), K::group(&()));
    let mut parameters = ListParams::default().limit(PAGE);
    loop {
        let request = Request::new(K::url_path(&(), namespace)).list(&parameters);
        let request = request.map_err(|error| refused(&what, &kube::Error::BuildRequest(error)))?;
        let page: ObjectList<Seen> = match client.request(request).await {
            Ok(page) => page,
            // That the kind is not there the CRDs tell.
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            Err(error) => return Err(refused(&what, &error)),
        };
        objects.extend(page.items.into_iter().map(|seen| object(kind, seen)));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(()),
        }
    }
}

fn object(kind: &'static str, seen: Seen) -> Object {
    let Seen { metadata, mut status } = seen;
    let part =
        |status: &mut Value, name: &str| status.get_mut(name).map(Value::take).unwrap_or_default();
    let observed = status.get("observedGeneration").and_then(Value::as_i64);
    // Whoever wrote something else than status last may have changed it then.
    let changes = metadata.managed_fields.iter().flatten();
    let changes = changes.filter(|change| change.subresource.as_deref() != Some("status"));
    let last = changes.filter_map(|change| change.time.as_ref().map(|time| time.0)).max();
    let is_behind = metadata.generation > observed;
    let store: Option<StoreReference> = serde_json::from_value(part(&mut status, "store")).ok();
    Object {
        kind,
        id: format!(
            "{}/{}",
            metadata.namespace.unwrap_or_default(),
            metadata.name.unwrap_or_default()
        ),
        // What another hand broke says nothing.
        conditions: serde_json::from_value(part(&mut status, "conditions")).unwrap_or_default(),
        changed: last.filter(|_| is_behind),
        created: metadata.creation_timestamp.map(|time| time.0),
        deleted: metadata.deletion_timestamp.map(|time| time.0),
        is_held: metadata.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER),
        store: store.map(|store| store.kind),
    }
}

/// Why something could not be looked at.
fn refused(what: &str, error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.is_forbidden() => format!("you may not {what}"),
        kube::Error::Api(status) => format!("the API server refused to {what}: {}", status.message),
        other => format!("the API server did not answer to {what}: {}", root_cause(other)),
    }
}
