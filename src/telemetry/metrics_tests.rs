use super::*;

#[test]
fn names_are_those_of_existing_dashboards() {
    let metrics = Metrics::default();
    metrics.starts("tenant", 4);
    metrics.queued("tenant", "a/b");
    metrics.queued("tenant", "a/b");
    let active = metrics.began("tenant", "a/b");
    metrics.ended("tenant", ReconcileResult::success, Duration::from_millis(7));
    drop(active);
    metrics.queued("tenant", "a/gone");
    metrics.dropped("tenant", "a/gone");
    metrics.leads("keyreeve", true);
    metrics.store.called("sqlite", "apply", "created", Duration::from_millis(1));
    metrics.store.is_up("sqlite", true);
    let text = metrics.encode();
    for line in [
        "leader_election_master_status{name=\"keyreeve\"} 1",
        "controller_runtime_reconcile_total{controller=\"tenant\",result=\"success\"} 1",
        "controller_runtime_reconcile_time_seconds_bucket{le=\"0.01\",controller=\"tenant\"} 1",
        "controller_runtime_reconcile_errors_total{controller=\"tenant\"} 0",
        "controller_runtime_active_workers{controller=\"tenant\"} 0",
        "workqueue_adds_total{name=\"tenant\",controller=\"tenant\"} 3",
        "workqueue_depth{name=\"tenant\",controller=\"tenant\"} 0",
        "keyreeve_store_calls_total{store=\"sqlite\",operation=\"apply\",outcome=\"created\"} 1",
        "keyreeve_store_up{store=\"sqlite\"} 1",
        concat!("keyreeve_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
    ] {
        assert!(text.contains(line), "{line}\nnot in\n{text}");
    }
}

#[test]
fn of_a_controller_that_has_ended_nothing_waits_and_none_may_be_under_way() {
    let metrics = Metrics::default();
    metrics.starts("tenant", 4);
    metrics.queued("tenant", "a/b");
    let most = "controller_runtime_max_concurrent_reconciles{controller=\"tenant\"}";
    assert!(metrics.encode().contains(&format!("{most} 4")));
    metrics.stops("tenant");
    let text = metrics.encode();
    assert!(text.contains(&format!("{most} 0")), "{text}");
    assert!(text.contains("workqueue_depth{name=\"tenant\",controller=\"tenant\"} 0"), "{text}");
    metrics.starts("tenant", 4);
    assert!(metrics.encode().contains(&format!("{most} 4")));
}
