//! The chart's own rights on keystores, granted in a test's namespace too: each test keeps its keystores apart.

use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};

const CHART: &str = "keyreeve-system";
const NAME: &str = "keyreeve-system:keyreeve-keystore";

/// Copies the chart's Role for keystores, and its binding, to a namespace.
pub async fn grant_keystores(client: &Client, namespace: &str) {
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
}
