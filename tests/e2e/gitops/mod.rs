//! What the tools that apply, wait and compare make of our kinds, each by its own code.

mod bare;
mod diff;
mod health;
mod kustomize;
mod layout;
mod wait;

use std::path::Path;

use kube::{
    Api,
    api::ListParams,
    core::{DynamicObject, TypeMeta},
};
use serde_json::Value;

use crate::support::{Space, until};

/// All kinds, in the order in which they need each other.
const KINDS: [&str; 5] = ["TenantProfile", "Tenant", "Namespace", "Role", "User"];

/// A file or folder of the repository.
fn repository(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

impl Space {
    /// An object as Argo CD or Flux reads it.
    async fn object(&self, kind: &str, name: &str) -> Value {
        serde_json::to_value(self.of_kind(kind).get(name).await.unwrap()).unwrap()
    }

    /// Waits until a condition is True that speaks of the present generation.
    async fn comes_to(&self, kind: &str, name: &str, condition: &str) -> Value {
        let object = until(self.of_kind(kind), name, condition, |object| has(object, condition));
        serde_json::to_value(whole(object.await, kind)).unwrap()
    }

    /// All objects of ours in a namespace.
    async fn all_in(&self, namespace: &str) -> Vec<Value> {
        let mut all = Vec::new();
        for kind in KINDS {
            for object in self.list(namespace, kind).await {
                all.push(serde_json::to_value(object).unwrap());
            }
        }
        all
    }

    /// Waits until all objects of ours in a namespace are Ready, and answers how many there are.
    async fn all_are_ready(&self, namespace: &str) -> usize {
        let mut count = 0;
        for kind in KINDS {
            for object in self.list(namespace, kind).await {
                let api = self.of_kind_in(namespace, kind);
                let name = object.metadata.name.unwrap();
                until(api, &name, "Ready", |object| has(object, "Ready")).await;
                count += 1;
            }
        }
        count
    }

    async fn list(&self, namespace: &str, kind: &str) -> Vec<DynamicObject> {
        let api = self.of_kind_in(namespace, kind);
        let objects = api.list(&ListParams::default()).await.unwrap();
        objects.items.into_iter().map(|object| whole(object, kind)).collect()
    }

    fn of_kind_in(&self, namespace: &str, kind: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &Self::resource_of(kind))
    }
}

fn has(object: &DynamicObject, type_: &str) -> bool {
    let status = &object.data["status"];
    let mut conditions = status["conditions"].as_array().into_iter().flatten();
    status["observedGeneration"].as_i64() == object.metadata.generation
        && conditions.any(|condition| condition["type"] == type_ && condition["status"] == "True")
}

/// With its kind, which a list leaves out: all in it have it in common.
fn whole(mut object: DynamicObject, kind: &str) -> DynamicObject {
    object.types =
        Some(TypeMeta { api_version: "keyreeve.dev/v1alpha1".into(), kind: kind.into() });
    object
}
