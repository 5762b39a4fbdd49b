//! The chart's own rights on keystores, granted in a test's namespace too: each test keeps its keystores apart.

use std::path::Path;

use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};

use super::Grants;

const CHART: &str = "keyreeve-system";
const PREFIX: &str = "keyreeve-system:keyreeve";
const NAME: &str = "keyreeve-system:keyreeve-keystore";

/// Copies the chart's Role for keystores, and its binding, to a namespace of the control plane with this log.
pub async fn grant_keystores(client: &Client, namespace: &str, audit_log: &Path) {
    let mut role = Api::<Role>::namespaced(client.clone(), CHART).get(NAME).await.unwrap();
    let mut binding =
        Api::<RoleBinding>::namespaced(client.clone(), CHART).get(NAME).await.unwrap();
    for metadata in [&mut role.metadata, &mut binding.metadata] {
        *metadata = ObjectMeta::default();
        metadata.name = Some(NAME.into());
    }
    let roles = Api::<Role>::namespaced(client.clone(), namespace);
    roles.create(&PostParams::default(), &role).await.unwrap();
    let bindings = Api::<RoleBinding>::namespaced(client.clone(), namespace);
    bindings.create(&PostParams::default(), &binding).await.unwrap();
    let objects = [
        ("Role", serde_json::to_value(role).unwrap()),
        ("RoleBinding", serde_json::to_value(binding).unwrap()),
    ]
    .map(|(kind, mut object)| {
        object["kind"] = kind.into();
        object["metadata"]["namespace"] = namespace.into();
        object
    })
    .to_vec();
    Grants { prefix: PREFIX, objects, audit_log, weakened: false }.keep();
}
