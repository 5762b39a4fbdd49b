//! Keycloak, or what stands before it, asks to be left alone for a while (`Retry-After`, RFC 9110, 10.2.3). That
//! is meant for all requests: one that came a moment later would be refused as well.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use http::StatusCode;

/// Until when nothing is to be sent, and the answer that said so.
#[derive(Default)]
pub(super) struct RetryAfter(Mutex<Option<(StatusCode, Instant)>>);

impl RetryAfter {
    /// For so long from now. Who asked for more before is still heard.
    pub(super) fn asked(&self, status: StatusCode, wait: Duration, now: Instant) {
        let mut asked = self.lock();
        if asked.is_none_or(|(_, until)| until < now + wait) {
            *asked = Some((status, now + wait));
        }
    }

    /// How long it is still to be left alone.
    pub(super) fn left(&self, now: Instant) -> Option<(StatusCode, Duration)> {
        let (status, until) = (*self.lock())?;
        Some((status, until.checked_duration_since(now).filter(|left| !left.is_zero())?))
    }

    #[cfg(test)]
    pub(super) fn end(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<(StatusCode, Instant)>> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_pause_that_was_asked_for_is_kept_and_ends() {
        let (pause, now) = (RetryAfter::default(), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(pause.left(now), None);
        pause.asked(StatusCode::TOO_MANY_REQUESTS, Duration::from_mins(1), now);
        pause.asked(StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(1), after(10));
        let left = |seconds| {
            pause.left(after(seconds)).map(|(status, left)| (status.as_u16(), left.as_secs()))
        };
        assert_eq!(left(20), Some((429, 40)));
        assert_eq!(left(60), None);
        pause.asked(StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(1), after(70));
        assert_eq!(left(70), Some((503, 1)));
    }
}
