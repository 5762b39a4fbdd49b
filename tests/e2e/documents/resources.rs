//! Every resource that a document shows is one that the API server takes.

use kube::{
    Api, ResourceExt,
    api::{DynamicObject, PostParams},
    core::{GroupVersionKind, TypeMeta},
    discovery::{Scope, pinned_kind},
};
use serde_json::Value;

use super::page;
use crate::support::Space;

/// Groups of programs that a cluster of the tests does not have, by the end of their names.
const FOREIGN: [&str; 9] = [
    "argoproj.io",
    "cert-manager.io",
    "config.k8s.io",
    "external-secrets.io",
    "kustomize.config.k8s.io",
    "monitoring.coreos.com",
    "toolkit.fluxcd.io",
    "helm.toolkit.fluxcd.io",
    "source.toolkit.fluxcd.io",
];

#[tokio::test]
async fn every_resource_in_a_document_is_taken_by_the_api_server() {
    let space = Space::new("documents").await;
    let (mut ours, mut others) = (0, 0);
    for (page, text) in page::all() {
        for block in page::blocks(&page, &text) {
            if block.language.as_deref() != Some("yaml") {
                continue;
            }
            for document in block.text.split("\n---\n") {
                let value: Value = serde_saphyr::from_str(document)
                    .unwrap_or_else(|error| panic!("{}: {error}", block.place()));
                let version = value["apiVersion"].as_str().unwrap_or_default();
                // A part of one, or the values of a chart.
                if !version.contains('v') || value["metadata"]["name"].is_null() {
                    continue;
                }
                let group = version.split_once('/').map_or("", |(group, _)| group);
                if FOREIGN.iter().any(|foreign| group.ends_with(foreign)) {
                    continue;
                }
                is_taken(&space, &value).await.unwrap_or_else(|error| {
                    panic!("{}: {error}", block.place());
                });
                *(if group == "keyreeve.dev" { &mut ours } else { &mut others }) += 1;
            }
        }
    }
    assert!(ours > 10 && others > 0, "{ours} {others}");
}

/// Whether the server would make it, in the test's namespace.
async fn is_taken(space: &Space, value: &Value) -> kube::Result<()> {
    let mut object: DynamicObject = serde_json::from_value(value.clone()).unwrap();
    let TypeMeta { api_version, kind } = object.types.clone().unwrap();
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    let kind = GroupVersionKind::gvk(group, version, &kind);
    let (resource, capabilities) = pinned_kind(&space.client, &kind).await?;
    let api: Api<DynamicObject> = match capabilities.scope {
        Scope::Namespaced => {
            object.metadata.namespace = Some(space.namespace.clone());
            Api::namespaced_with(space.client.clone(), &space.namespace, &resource)
        }
        Scope::Cluster => Api::all_with(space.client.clone(), &resource),
    };
    // Another name: one of the cluster may be there already.
    let name = format!("{}-x", object.name_any());
    object.metadata.name = Some(name);
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    api.create(&dry_run, &object).await.map(|_| ())
}
