//! Gathered counts in status: written at most once a second per object, so that
//! a burst of a thousand tenants is not a burst of a thousand writes.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use super::index::{Kind, ObjectId};

/// How often a count is written at most.
pub const PERIOD: Duration = Duration::from_secs(1);

/// When each object's counts were last written.
#[derive(Debug, Default)]
pub struct Throttle {
    written: Mutex<HashMap<(Kind, ObjectId), Instant>>,
}

impl Throttle {
    /// Takes the turn of this object, or says how long to wait for it.
    pub fn turn(&self, kind: Kind, id: &ObjectId, now: Instant) -> Result<(), Duration> {
        let Ok(mut written) = self.written.lock() else { return Ok(()) };
        written.retain(|_, at| now.duration_since(*at) < PERIOD);
        if let Some(at) = written.get(&(kind, id.clone())) {
            return Err(PERIOD.saturating_sub(now.duration_since(*at)));
        }
        written.insert((kind, id.clone()), now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_turn_a_second() {
        let throttle = Throttle::default();
        let (gold, silver) = (ObjectId::new("p", "gold"), ObjectId::new("p", "silver"));
        let now = Instant::now();
        assert_eq!(throttle.turn(Kind::TenantProfile, &gold, now), Ok(()));
        assert_eq!(throttle.turn(Kind::TenantProfile, &silver, now), Ok(()));
        let later = now + Duration::from_millis(400);
        assert_eq!(
            throttle.turn(Kind::TenantProfile, &gold, later),
            Err(Duration::from_millis(600))
        );
        assert_eq!(throttle.turn(Kind::TenantProfile, &gold, now + PERIOD), Ok(()));
    }
}
