//! The Lease, as it is read and written.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::core::ObjectMeta;

use crate::policy::election::{LEASE, Record};

/// What a Lease says.
pub fn record(lease: &Lease) -> Record {
    let spec = lease.spec.clone().unwrap_or_default();
    let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    Record {
        holder: spec.holder_identity,
        duration: seconds.map_or(LEASE, Duration::from_secs),
        renewed: spec.renew_time.map(|time| time.0.to_string()),
        transitions: spec.lease_transitions.unwrap_or_default(),
    }
}

/// A new Lease with its first holder.
pub fn new(name: &str, holder: &str, now: Timestamp) -> Lease {
    let empty = Lease {
        metadata: ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() },
        spec: None,
    };
    Lease { spec: Some(LeaseSpec { lease_transitions: Some(0), ..held(holder, now) }), ..empty }
}

/// The Lease in another one's hands, if it is still as it was read.
pub fn taken(lease: &Lease, holder: &str, now: Timestamp) -> Lease {
    let transitions = record(lease).transitions.saturating_add(1);
    let spec = LeaseSpec { lease_transitions: Some(transitions), ..held(holder, now) };
    Lease { spec: Some(spec), ..lease.clone() }
}

/// The Lease renewed.
pub fn renewed(lease: &Lease, now: Timestamp) -> Lease {
    let mut lease = lease.clone();
    lease.spec.get_or_insert_default().renew_time = Some(MicroTime(now));
    lease
}

/// The Lease in nobody's hands.
pub fn released(lease: &Lease, now: Timestamp) -> Lease {
    let mut lease = renewed(lease, now);
    lease.spec.get_or_insert_default().holder_identity = None;
    lease
}

fn held(holder: &str, now: Timestamp) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(holder.into()),
        lease_duration_seconds: i32::try_from(LEASE.as_secs()).ok(),
        acquire_time: Some(MicroTime(now)),
        renew_time: Some(MicroTime(now)),
        ..LeaseSpec::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_from_hand_to_hand() {
        let at = |time: &str| time.parse::<Timestamp>().unwrap();
        let mut lease = new("keyreeve", "a", at("2030-01-01T00:00:00Z"));
        lease.metadata.resource_version = Some("7".into());
        assert_eq!(record(&lease).holder.as_deref(), Some("a"));
        assert_eq!((record(&lease).duration, record(&lease).transitions), (LEASE, 0));

        let later = renewed(&lease, at("2030-01-01T00:00:02Z"));
        assert_ne!(record(&later), record(&lease), "a renewal shows");
        let spec = later.spec.clone().unwrap();
        assert_eq!(spec.acquire_time.unwrap().0, at("2030-01-01T00:00:00Z"));

        let free = released(&later, at("2030-01-01T00:00:03Z"));
        assert_eq!((record(&free).holder, record(&free).transitions), (None, 0));
        // By the same one, too: each term has a number of its own.
        let again = taken(&free, "a", at("2030-01-01T00:00:04Z"));
        assert_eq!((record(&again).holder.as_deref(), record(&again).transitions), (Some("a"), 1));
        for lease in [later, free, again] {
            assert_eq!(lease.metadata.resource_version.as_deref(), Some("7"));
        }
    }
}
