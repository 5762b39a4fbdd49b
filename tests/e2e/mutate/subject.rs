//! An object whose fields are changed and changed back, one after the other.

use std::{sync::Arc, time::Duration};

use axum::http::Request;
use keyreeve::api::RECONCILE_ANNOTATION;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    document::{get, with, without},
    dump::{Dump, differences, views},
    fields::Field,
};
use crate::support::{PATIENCE, Space};

/// After so long without what is expected the tenant is asked to look.
const LATE: Duration = Duration::from_secs(1);

/// What is on the control plane, and the tenant that is its own.
pub struct Subject {
    pub space: Arc<Space>,
    pub kind: &'static str,
    pub plural: &'static str,
    pub name: String,
    pub tenant: String,
    /// Its spec before and after each change.
    pub base: Value,
}

impl Subject {
    /// Changes every field, once or twice, and changes it back; answers what was wrong.
    pub async fn mutate(self, fields: Vec<Field>, is_unstored: fn(&str) -> bool) -> Vec<String> {
        let mut dump = Dump::of(&self.tenant, &self.space.store_file()).await;
        let mut before = dump.take().await;
        let mut faults = Vec::new();
        for Field { path, values, goes, .. } in fields {
            let is_unstored = is_unstored(&path);
            let set = get(&self.base, &path);
            let others = values.iter().filter(|value| set != Some(value));
            let others = others.map(|value| with(&self.base, &path, value.clone()));
            let out = (goes && set.is_some()).then(|| without(&self.base, &path));
            let (mut taken, mut changed, mut last) = (0, false, before.clone());
            for (is_out, spec) in
                others.map(|spec| (false, spec)).chain(out.map(|spec| (true, spec)))
            {
                // One of two values may be the built-in one.
                let is_enough = taken == 2 || changed || (taken == 1 && is_unstored);
                if (is_out || !is_enough) && self.put(&spec).await {
                    taken += 1;
                    let now = self.settled(&mut dump, is_unstored, |now| *now != last).await;
                    changed |= views(&now).ne(views(&before));
                    last = now;
                }
            }
            let of = format!("{} {}: {path}", self.kind, self.name);
            if taken == 0 && set.is_some() {
                faults.push(format!("{of}: there is no other value, and it is no exception"));
            }
            if taken == 0 {
                // Not alone: the object that has everything has it.
                continue;
            }
            if changed == is_unstored {
                let is = if changed { "changes" } else { "does not change" };
                faults.push(format!("{of}: what is read in the store {is} with it"));
            }
            assert!(self.put(&self.base).await, "{of} cannot be put back");
            let after = self.settled(&mut dump, is_unstored, |now| *now == before).await;
            if after != before {
                let differences = differences("", &before, &after).join("\n    ");
                faults.push(format!("{of}: the store is not as it was\n    {differences}"));
                before = after;
            }
        }
        faults
    }

    /// Puts a spec in place and waits until the operator is done with it; false if the API server refuses it.
    async fn put(&self, spec: &Value) -> bool {
        let patch = json!([{"op": "replace", "path": "/spec", "value": spec}]);
        let Some(patched) = self.patch(self.plural, &self.name, "json-patch", &patch).await else {
            return false;
        };
        let generation = patched["metadata"]["generation"].as_i64().unwrap();
        self.until(self.plural, &self.name, |object: &Value| {
            let status = &object["status"];
            let of = |type_: &str| {
                let mut conditions = status["conditions"].as_array().into_iter().flatten();
                conditions.find(|condition| condition["type"] == type_)
            };
            let told = of("Ready").is_some_and(|ready| ready["observedGeneration"] == generation);
            status["observedGeneration"] == generation && told && of("Reconciling").is_none()
        })
        .await;
        true
    }

    /// What the store has. A profile comes into it through its tenant, some time later: when it is
    /// as expected, or when the tenant was looked at.
    async fn settled(
        &self,
        dump: &mut Dump,
        is_unstored: bool,
        is_so: impl Fn(&Value) -> bool,
    ) -> Value {
        let mut now = dump.take().await;
        if self.kind != "TenantProfile" {
            return now;
        }
        let deadline = Instant::now() + LATE;
        while !is_unstored && !is_so(&now) && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
            now = dump.take().await;
        }
        if is_so(&now) && !is_unstored {
            return now;
        }
        let asked = json!(format!("{:?}", Instant::now()));
        let patch = json!({"metadata": {"annotations": {RECONCILE_ANNOTATION: asked}}});
        assert!(self.patch("tenants", &self.tenant, "merge-patch", &patch).await.is_some());
        let is_done = |tenant: &Value| tenant["status"]["lastHandled"]["reconcile"] == asked;
        self.until("tenants", &self.tenant, is_done).await;
        dump.take().await
    }

    /// The object as it is then; none if the patch is refused.
    async fn patch(&self, plural: &str, name: &str, form: &str, patch: &Value) -> Option<Value> {
        let request = Request::patch(self.path(plural, name))
            .header("Content-Type", format!("application/{form}+json"))
            .body(patch.to_string().into_bytes())
            .unwrap();
        match self.space.client.request(request).await {
            Ok(object) => Some(object),
            Err(kube::Error::Api(status)) if status.code == 422 => None,
            Err(error) => panic!("{plural} {name}: {error}"),
        }
    }

    async fn until(&self, plural: &str, name: &str, is_so: impl Fn(&Value) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let request = Request::get(self.path(plural, name)).body(Vec::new()).unwrap();
            let object: Value = self.space.client.request(request).await.unwrap();
            if is_so(&object) {
                return;
            }
            let (spec, status) = (&object["spec"], &object["status"]);
            assert!(Instant::now() < deadline, "{plural} {name}: {spec}: {status:#}");
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    fn path(&self, plural: &str, name: &str) -> String {
        format!("/apis/keyreeve.dev/v1alpha1/namespaces/{}/{plural}/{name}", self.space.namespace)
    }
}
