//! Subscriptions: from their end on a tenant is suspended, with its data kept.

use jiff::Timestamp;

use crate::api::Subscription;

/// Whether a subscription has run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It runs without end.
    Unlimited,
    /// It runs until then.
    Until(Timestamp),
    /// It has expired.
    Expired(Timestamp),
}

/// Where the subscription stands now.
#[must_use]
pub fn standing(subscription: Option<&Subscription>, now: Timestamp) -> Standing {
    match subscription.and_then(|subscription| subscription.expires_at.as_ref()) {
        None => Standing::Unlimited,
        Some(end) if end.0 <= now => Standing::Expired(end.0),
        Some(end) => Standing::Until(end.0),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    #[test]
    fn expires_at_its_end() {
        let end: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
        let subscription = Subscription { expires_at: Some(Time(end)), ..Default::default() };
        let second = jiff::SignedDuration::from_secs(1);
        assert_eq!(standing(None, end), Standing::Unlimited);
        assert_eq!(standing(Some(&Subscription::default()), end), Standing::Unlimited);
        assert_eq!(standing(Some(&subscription), end - second), Standing::Until(end));
        assert_eq!(standing(Some(&subscription), end), Standing::Expired(end));
        assert_eq!(standing(Some(&subscription), end + second), Standing::Expired(end));
    }
}
