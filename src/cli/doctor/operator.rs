//! Whether the operator runs, by its Deployment and its Pods. Pure.

use std::time::Duration;

use k8s_openapi::api::{
    apps::v1::{Deployment, DeploymentStatus},
    coordination::v1::Lease,
    core::v1::{ContainerStatus, Pod},
};
use kube::ResourceExt;

use super::{
    line::{Check, Line, counted},
    settings::Settings,
};
use crate::policy::election::LEASE;

/// How long it may take until the Lease is renewed: another one takes it when it has run out, and that some seconds
/// later.
pub const RENEWS: Duration = LEASE.saturating_add(Duration::from_secs(5));

/// What is to be said of an operator, with the Pods that its Deployment has made.
pub fn judge(settings: &Settings, deployment: &Deployment, pods: &[Pod]) -> Vec<Line> {
    let Settings { name, namespace, .. } = settings;
    let what = format!("the Deployment {name} in the namespace {namespace}");
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let status = deployment.status.clone().unwrap_or_default();
    let ready = status.ready_replicas.unwrap_or_default();
    let log = format!(
        "the last line of its log says why it does not start or is not ready: `kubectl --namespace {namespace} logs deployment/{name}`, and `kubectl --namespace {namespace} describe pods`"
    );
    let whys: Vec<_> = pods.iter().filter_map(why_not_ready).collect();
    let mut lines = Vec::new();
    if wanted == 0 {
        lines.push(Line::wrong(
            Check::Operator,
            format!("{what} has no replicas, so nothing is carried out"),
            format!("`kubectl --namespace {namespace} scale deployment/{name} --replicas=1`"),
        ));
    } else if ready < wanted {
        let none = "there is no Pod of it; its ReplicaSet's events say why".to_owned();
        let why = if whys.is_empty() { none } else { whys.join("; ") };
        lines.push(Line::wrong(
            Check::Operator,
            format!(
                "of {what} {ready} of {} is ready: {why}",
                counted(replicas(wanted), "replica")
            ),
            log,
        ));
    } else if !is_rolled_out(deployment, &status, wanted) {
        // The Pods of before are ready, and go on.
        let why = if whys.is_empty() { "its Pods are under way".into() } else { whys.join("; ") };
        lines.push(Line::wrong(
            Check::Operator,
            format!("{what} was changed, and what it was before runs until the change has come about: {why}"),
            format!("if it does not come about by itself, {log}"),
        ));
    }
    let own = env!("CARGO_PKG_VERSION");
    if let Some(version) = settings.version.as_deref().filter(|version| *version != own) {
        lines.push(Line::unknown(
            Check::Operator,
            format!("{what} is of version {version}, and this is keyreeve {own}"),
            "ask the keyreeve of the operator's version: what this one finds may be no fault",
        ));
    }
    if lines.is_empty() {
        let number = counted(replicas(wanted), "replica");
        lines.push(Line::ok(Check::Operator, format!("{what} is ready, with {number}")));
    }
    lines
}

/// Whether what the Deployment says now is all that runs: as `kubectl rollout status` judges.
fn is_rolled_out(deployment: &Deployment, status: &DeploymentStatus, wanted: i32) -> bool {
    let updated = status.updated_replicas.unwrap_or_default();
    status.observed_generation >= deployment.metadata.generation
        && updated >= wanted
        && status.replicas.unwrap_or_default() <= updated
}

/// Whether the Lease by which its replicas elect a leader was renewed between two looks. What is written in it as
/// the time is only compared with itself: the leader's clock is not ours.
pub fn is_led(before: Option<&Lease>, after: Option<&Lease>) -> bool {
    let renewed =
        |lease: Option<&Lease>| lease.and_then(|lease| lease.spec.as_ref()?.renew_time.clone());
    holder(after).is_some() && renewed(after) != renewed(before)
}

/// What is wrong with a Lease that was not renewed in all of [`RENEWS`].
pub fn not_led(name: &str, lease: Option<&Lease>) -> Line {
    let why = match (lease, holder(lease)) {
        (None, _) => "nobody has ever held it".to_owned(),
        (Some(_), None) => "nobody holds it".to_owned(),
        (_, Some(holder)) => {
            format!("{holder}, which holds it, did not renew it in {} seconds", RENEWS.as_secs())
        }
    };
    Line::wrong(
        Check::Operator,
        format!("no replica leads, so nothing is carried out: of the Lease {name} {why}"),
        "a replica leads once it reaches the API server and may write the Lease, and keeps the lead only if it can open the store: its log says which of these it is",
    )
}

fn holder(lease: Option<&Lease>) -> Option<&str> {
    let holder = lease?.spec.as_ref()?.holder_identity.as_deref()?;
    Some(holder).filter(|holder| !holder.is_empty())
}

/// What is to be said where there is none.
pub fn missing(place: &str) -> Line {
    Line::wrong(
        Check::Operator,
        format!(
            "there is no operator {place}: no Deployment with the label app.kubernetes.io/name=keyreeve"
        ),
        "install it by the chart; or say where it is by --namespace and --deployment, if it is called otherwise",
    )
}

fn replicas(number: i32) -> usize {
    usize::try_from(number).unwrap_or_default()
}

/// Why a Pod is not ready, if it is not.
fn why_not_ready(pod: &Pod) -> Option<String> {
    let status = pod.status.clone().unwrap_or_default();
    let condition = |type_: &str| {
        status.conditions.iter().flatten().find(|condition| condition.type_ == type_).cloned()
    };
    if condition("Ready").is_some_and(|ready| ready.status == "True") {
        return None;
    }
    let container = status.container_statuses.iter().flatten().find_map(why_waiting);
    let why = container
        .or_else(|| {
            let scheduled =
                condition("PodScheduled").filter(|scheduled| scheduled.status != "True")?;
            Some(format!("is not scheduled: {}", scheduled.message.unwrap_or_default()))
        })
        .unwrap_or_else(|| "is not ready".into());
    Some(format!("the Pod {} {why}", pod.name_any()))
}

/// Why a container does not run: what Kubernetes says of it, not what it has logged.
fn why_waiting(status: &ContainerStatus) -> Option<String> {
    let state = status.state.as_ref()?;
    if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.clone().unwrap_or_default();
        let ended = status.last_state.as_ref().and_then(|last| last.terminated.as_ref());
        let ended = ended.map(|ended| format!(", after it ended with {}", ended.exit_code));
        return Some(format!("waits: {reason}{}", ended.unwrap_or_default()));
    }
    let ended = state.terminated.as_ref()?;
    Some(format!("ended with {}", ended.exit_code))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::line::Verdict, *};

    fn judged(image: &str, replicas: i32, ready: i32, pods: &[Value]) -> Vec<Line> {
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": {"name": "keyreeve", "namespace": "sys"},
            "spec": {"replicas": replicas, "selector": {}, "template": {"spec": {
                "containers": [{"name": "keyreeve", "image": image, "args": ["run"]}],
            }}},
            "status": {"readyReplicas": ready, "updatedReplicas": ready, "replicas": ready},
        }))
        .unwrap();
        judged_as(&deployment, pods)
    }

    fn judged_as(deployment: &Deployment, pods: &[Value]) -> Vec<Line> {
        let pods: Vec<Pod> = pods
            .iter()
            .map(|status| {
                serde_json::from_value(json!({"metadata": {"name": "it"}, "status": status}))
                    .unwrap()
            })
            .collect();
        judge(&Settings::of(deployment), deployment, &pods)
    }

    const OWN: &str = concat!("keyreeve:", env!("CARGO_PKG_VERSION"));

    #[test]
    fn one_that_is_ready_and_of_this_version_is_well() {
        let ready = json!({"conditions": [{"type": "Ready", "status": "True"}]});
        let lines = judged(OWN, 1, 1, &[ready]);
        assert_eq!((lines.len(), lines[0].verdict), (1, Verdict::Ok), "{lines:?}");
        let other = judged("keyreeve:9.9.9", 1, 1, &[]);
        assert_eq!(other[0].verdict, Verdict::Unknown);
        assert!(other[0].says.contains("is of version 9.9.9"), "{other:?}");
    }

    #[test]
    fn a_change_that_does_not_come_about_is_told_though_the_pod_of_before_is_ready() {
        let ready = json!({"conditions": [{"type": "Ready", "status": "True"}]});
        let crashing = json!({"containerStatuses": [{
            "name": "keyreeve", "image": "", "imageID": "", "ready": false, "restartCount": 4,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        }]});
        for (status, is_well) in [
            (json!({"observedGeneration": 2, "updatedReplicas": 1, "replicas": 1}), true),
            // One Pod of each: with one replica the new one counts as updated before it is ready.
            (json!({"observedGeneration": 2, "updatedReplicas": 1, "replicas": 2}), false),
            (json!({"observedGeneration": 2, "updatedReplicas": 0, "replicas": 1}), false),
            (json!({"observedGeneration": 1, "updatedReplicas": 1, "replicas": 1}), false),
        ] {
            let mut status = status;
            status["readyReplicas"] = json!(1);
            let deployment: Deployment = serde_json::from_value(json!({
                "metadata": {"name": "keyreeve", "namespace": "sys", "generation": 2},
                "spec": {"replicas": 1, "selector": {}, "template": {"spec": {
                    "containers": [{"name": "keyreeve", "image": OWN, "args": ["run"]}],
                }}},
                "status": status,
            }))
            .unwrap();
            let lines = judged_as(&deployment, &[ready.clone(), crashing.clone()]);
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert_eq!(lines[0].verdict == Verdict::Ok, is_well, "{status}: {lines:?}");
            assert_eq!(lines[0].says.contains("CrashLoopBackOff"), !is_well, "{lines:?}");
        }
    }

    #[test]
    fn a_lease_that_nobody_renews_is_told_by_no_clock_but_our_own() {
        let lease = |holder: &str, renewed: &str| -> Lease {
            let spec = json!({"holderIdentity": holder, "renewTime": renewed});
            serde_json::from_value(json!({"metadata": {"name": "keyreeve"}, "spec": spec})).unwrap()
        };
        let then = lease("one_1", "2020-01-01T12:00:00.000000Z");
        let later = lease("one_1", "2020-01-01T12:00:02.000000Z");
        let other = lease("two_1", "2019-01-01T12:00:00.000000Z");
        let left = lease("", "2020-01-01T12:00:02.000000Z");
        for (before, after, expected) in [
            (Some(&then), Some(&then), false),
            (Some(&then), Some(&later), true),
            // A leader whose clock is slow, and one that has just been elected.
            (Some(&then), Some(&other), true),
            (None, Some(&then), true),
            (Some(&then), Some(&left), false),
            (Some(&then), None, false),
            (None, None, false),
        ] {
            assert_eq!(is_led(before, after), expected, "{before:?} {after:?}");
        }
        for (lease, says) in [
            (None, "of the Lease keyreeve nobody has ever held it"),
            (Some(&left), "of the Lease keyreeve nobody holds it"),
            (Some(&then), "one_1, which holds it, did not renew it in 20 seconds"),
        ] {
            let line = not_led("keyreeve", lease);
            assert!(line.says.contains(says), "{says}: {line:?}");
            assert_eq!((line.verdict, line.check), (Verdict::Wrong, Check::Operator));
        }
    }

    #[test]
    fn why_it_does_not_run_is_told_as_kubernetes_tells_it() {
        let unscheduled = json!({"conditions": [
            {"type": "PodScheduled", "status": "False", "message": "no nodes available"},
        ]});
        let crashing = json!({"containerStatuses": [{
            "name": "keyreeve", "image": "", "imageID": "", "ready": false, "restartCount": 4,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1}},
        }]});
        let unready = json!({"containerStatuses": [{
            "name": "keyreeve", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": {"running": {}},
        }]});
        for (pods, says) in [
            (vec![], "0 of 1 replica is ready: there is no Pod of it"),
            (vec![unscheduled], "the Pod it is not scheduled: no nodes available"),
            (vec![crashing], "the Pod it waits: CrashLoopBackOff, after it ended with 1"),
            (vec![unready], "the Pod it is not ready"),
        ] {
            let lines = judged(OWN, 1, 0, &pods);
            assert_eq!((lines.len(), lines[0].verdict), (1, Verdict::Wrong), "{lines:?}");
            assert!(lines[0].says.contains(says), "{says}: {lines:?}");
        }
        let none = judged(OWN, 0, 0, &[]);
        assert!(none[0].says.contains("has no replicas"), "{none:?}");
    }
}
