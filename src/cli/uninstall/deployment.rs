//! The operator's Deployment, which is to have no Pod while its finalizers come off.

use std::time::Duration;

use k8s_openapi::api::{
    apps::v1::{Deployment, DeploymentSpec, DeploymentStatus},
    core::v1::Pod,
};
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{PAUSE, say};
use crate::controller::root_cause;

/// How long the operator's Pods may take to end: more than the 30 seconds that they are given.
const STOPS: Duration = Duration::from_mins(2);

/// One that is scaled to zero.
pub struct Stopped {
    client: Client,
    namespace: String,
    name: String,
    /// Whether there was something to stop: where there was not, an operator may run all the same.
    pub was_there: bool,
}

impl Stopped {
    /// Scales it to zero, and waits until its Pods are gone.
    pub async fn by_scaling(client: &Client, namespace: &str, name: &str) -> Result<Self, String> {
        let mut stopped = Self {
            client: client.clone(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            was_there: true,
        };
        let what = stopped.what();
        if stopped.get().await?.is_none() {
            say(&format!("{what} is not there: nothing to stop"))?;
            stopped.was_there = false;
            return Ok(stopped);
        }
        let zero = Patch::Merge(json!({"spec": {"replicas": 0}}));
        stopped
            .deployments()
            .patch_scale(name, &PatchParams::default(), &zero)
            .await
            .map_err(|error| stopped.refused("scaling", &error))?;
        let deadline = Instant::now() + STOPS;
        while let Some(left) = stopped.left().await? {
            if Instant::now() > deadline {
                return Err(format!(
                    "{what} does not stop: {left}. See to that, and run this again"
                ));
            }
            sleep(PAUSE).await;
        }
        say(&format!("{what} is stopped"))?;
        Ok(stopped)
    }

    /// That it is stopped still: whoever keeps it as it was declared may have scaled it up meanwhile.
    pub async fn still(&self) -> Result<(), String> {
        match self.left().await? {
            None => Ok(()),
            Some(left) => Err(format!(
                "{} was stopped and runs again: {left}. Keep from scaling it what does (Argo CD's selfHeal, an autoscaler), and run this again",
                self.what()
            )),
        }
    }

    /// What of it is not gone, if anything.
    async fn left(&self) -> Result<Option<String>, String> {
        let Some(deployment) = self.get().await? else { return Ok(None) };
        if let Some(why) = works(&deployment) {
            return Ok(Some(why));
        }
        let labels =
            deployment.spec.and_then(|spec| spec.selector.match_labels).unwrap_or_default();
        if labels.is_empty() {
            return Err(format!("{} does not say by labels which Pods are its own", self.what()));
        }
        let own: Vec<_> = labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
        let own = ListParams::default().labels(&own.join(","));
        let pods = Api::<Pod>::namespaced(self.client.clone(), &self.namespace);
        let pods = pods.list(&own).await;
        let pods = pods.map_err(|error| self.refused("finding the Pods of", &error))?;
        let alive = pods.items.iter().find(|pod| is_alive(pod));
        Ok(alive.map(|pod| format!("its Pod {} has not ended", pod.name_any())))
    }

    async fn get(&self) -> Result<Option<Deployment>, String> {
        let found = self.deployments().get_opt(&self.name).await;
        found.map_err(|error| self.refused("reading", &error))
    }

    fn deployments(&self) -> Api<Deployment> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn what(&self) -> String {
        format!("the Deployment {}/{}", self.namespace, self.name)
    }

    fn refused(&self, doing: &str, error: &kube::Error) -> String {
        let (what, why) = (self.what(), root_cause(error));
        format!("{doing} {what} failed: {why}. The operator must not run meanwhile")
    }
}

/// Why it may have, or make, Pods still, as far as it says itself. Between the Pods of a rollout there is none for a
/// while: that there is none now says nothing.
fn works(deployment: &Deployment) -> Option<String> {
    let DeploymentSpec { replicas, .. } = deployment.spec.clone().unwrap_or_default();
    let DeploymentStatus { observed_generation, replicas: made, .. } =
        deployment.status.clone().unwrap_or_default();
    if let Some(wanted) = Some(replicas.unwrap_or(1)).filter(|wanted| *wanted > 0) {
        return Some(format!("spec.replicas is {wanted}"));
    }
    if observed_generation < deployment.metadata.generation {
        return Some("Kubernetes has not taken note of its change".into());
    }
    let made = made.filter(|made| *made > 0)?;
    Some(format!("status.replicas is {made}"))
}

/// Whether it may still work: one that has ended stays for a while, to be looked at.
fn is_alive(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    !matches!(phase, Some("Succeeded" | "Failed"))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn it_has_stopped_once_kubernetes_has_seen_that_it_should_and_no_pod_is_left() {
        let is = |replicas: Value, status: Value| {
            let deployment = json!({
                "metadata": {"generation": 2},
                "spec": {"replicas": replicas, "selector": {}, "template": {}},
                "status": status,
            });
            works(&serde_json::from_value(deployment).unwrap())
        };
        let seen = json!({"observedGeneration": 2});
        assert_eq!(is(json!(0), seen.clone()), None);
        for (replicas, status, why) in [
            (json!(0), json!({"observedGeneration": 1}), "has not taken note"),
            (json!(0), json!({}), "has not taken note"),
            (json!(0), json!({"observedGeneration": 2, "replicas": 1}), "status.replicas is 1"),
            (json!(1), seen.clone(), "spec.replicas is 1"),
            (Value::Null, seen, "spec.replicas is 1"),
        ] {
            let said = is(replicas.clone(), status.clone()).unwrap();
            assert!(said.contains(why), "{replicas} {status}: {said}");
        }
    }
}
