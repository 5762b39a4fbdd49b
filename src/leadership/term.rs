//! A term: the time for which one operator leads.

use std::{fmt, future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Instant};

use tokio::{
    sync::{Notify, watch},
    time::sleep_until,
};

use crate::policy::election::RENEW_DEADLINE;

/// Whether this operator still leads. A term that has ended never begins again: the next one is another.
///
/// It ends by itself [`RENEW_DEADLINE`] after the last renewal that is sure, by the monotonic clock. So an
/// operator that was stopped for a while, or cut off, knows without asking anybody.
#[derive(Clone, Debug)]
pub struct Term(Option<Arc<Held>>);

#[derive(Debug)]
struct Held {
    state: watch::Sender<State>,
    /// Somebody wants to be sure.
    asked: Notify,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// When the last renewal was sent that succeeded.
    renewed: Instant,
    ended: bool,
}

impl State {
    fn is_held(self) -> bool {
        !self.ended && Instant::now() < self.renewed + RENEW_DEADLINE
    }
}

/// This operator does not lead any more, so it sends nothing that could write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended;

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this operator does not lead any more, and leaves it to the one that does")
    }
}

impl std::error::Error for Ended {}

impl Term {
    /// That of an operator that is the only one: it never ends.
    #[must_use]
    pub const fn unlimited() -> Self {
        Self(None)
    }

    /// One that begins with a lease that was taken by a request sent at this moment.
    #[must_use]
    pub fn since(renewed: Instant) -> Self {
        let state = watch::Sender::new(State { renewed, ended: false });
        Self(Some(Arc::new(Held { state, asked: Notify::new() })))
    }

    /// Whether others stand for election, too.
    #[must_use]
    pub const fn is_limited(&self) -> bool {
        self.0.is_some()
    }

    /// Whether this operator leads now.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.0.as_ref().is_none_or(|held| held.state.borrow().is_held())
    }

    /// Refuses what must not be begun any more.
    pub fn check(&self) -> Result<(), Ended> {
        if self.is_held() { Ok(()) } else { Err(Ended) }
    }

    /// Does this as long as the term lasts. Nothing of it is begun once it has ended, and what is under
    /// way then is given up: the clock is looked at before each step, because one that was stopped may go on
    /// with its work before it hears that its time is over.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> Result<T, Ended> {
        let (mut work, mut ended) = (pin!(work), pin!(self.ended()));
        poll_fn(|context| {
            if !self.is_held() || ended.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(Ended));
            }
            work.as_mut().poll(context).map(Ok)
        })
        .await
    }

    /// Done when this operator does not lead any more.
    pub async fn ended(&self) {
        let Some(held) = &self.0 else { return std::future::pending().await };
        let mut state = held.state.subscribe();
        loop {
            let now = *state.borrow_and_update();
            if !now.is_held() {
                return;
            }
            tokio::select! {
                () = sleep_until((now.renewed + RENEW_DEADLINE).into()) => {}
                // The sender lives as long as this.
                _ = state.changed() => {}
            }
        }
    }

    /// Makes sure that this operator leads: by a renewal that is sent after this was called.
    pub async fn confirm(&self) -> Result<(), Ended> {
        let Some(held) = &self.0 else { return Ok(()) };
        let (called, mut state) = (Instant::now(), held.state.subscribe());
        held.asked.notify_one();
        let renewed = async {
            // The sender lives as long as this.
            let _ = state.wait_for(|state| state.renewed >= called).await;
        };
        self.during(renewed).await
    }

    /// Done when somebody wants to be sure.
    pub(crate) async fn asked(&self) {
        match &self.0 {
            Some(held) => held.asked.notified().await,
            None => std::future::pending().await,
        }
    }

    /// The lease was renewed by a request sent at this moment, unless the term had ended before the answer came.
    pub(crate) fn renew(&self, renewed: Instant) -> Result<(), Ended> {
        let Some(held) = &self.0 else { return Ok(()) };
        let is_held = held.state.send_if_modified(|state| {
            let is_held = state.is_held();
            if is_held {
                state.renewed = renewed;
            }
            is_held
        });
        if is_held { Ok(()) } else { Err(Ended) }
    }

    /// Ends it now.
    pub(crate) fn end(&self) {
        if let Some(held) = &self.0 {
            held.state.send_modify(|state| state.ended = true);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, time::Duration};

    use futures::{FutureExt, poll};

    use super::*;

    /// Shortly before the end of a term: on a busy machine it may be over at the next step.
    const NEAR_ITS_END: Duration = Duration::from_secs(9);

    /// A term whose last renewal is so long ago.
    fn term_of(age: Duration) -> Term {
        Term::since(Instant::now().checked_sub(age).unwrap())
    }

    #[tokio::test]
    async fn the_only_operator_leads_for_ever() {
        let term = Term::unlimited();
        assert_eq!(term.check(), Ok(()));
        assert_eq!(term.confirm().await, Ok(()));
        term.end();
        assert!(term.is_held());
        assert!(term.ended().now_or_never().is_none());
    }

    #[tokio::test]
    async fn a_term_ends_by_itself_and_what_is_under_way_with_it() {
        assert_eq!(term_of(Duration::ZERO).check(), Ok(()));
        let renewed = Instant::now().checked_sub(NEAR_ITS_END).unwrap();
        let term = Term::since(renewed);
        assert_eq!(term.during(pending::<()>()).await, Err(Ended));
        assert!(renewed.elapsed() >= RENEW_DEADLINE, "it ended too soon");
        assert_eq!(term.check(), Err(Ended));
        assert_eq!(term.renew(Instant::now()), Err(Ended), "the answer came too late");
        assert_eq!(term.check(), Err(Ended), "it does not begin again");
        let begun = async { panic!("nothing is begun any more") };
        assert_eq!(term.during(begun).await, Err::<(), _>(Ended));
    }

    #[tokio::test]
    async fn a_renewal_makes_it_longer() {
        // One of them is not over before it can be renewed.
        for _ in 0..20 {
            let term = term_of(NEAR_ITS_END);
            let mut ended = Box::pin(term.ended());
            let was_held = poll!(&mut ended).is_pending();
            if term.renew(Instant::now()).is_err() {
                continue;
            }
            assert!(was_held);
            let waited = tokio::time::timeout(Duration::from_millis(1_200), &mut ended).await;
            assert!(waited.is_err() && term.is_held());
            term.end();
            ended.await;
            assert!(!term.is_held());
            return;
        }
        panic!("it could not be renewed");
    }

    #[tokio::test]
    async fn who_wants_to_be_sure_waits_for_a_renewal_that_is_sent_after() {
        let term = term_of(Duration::from_secs(1));
        let sent_before = Instant::now();
        let mut sure = Box::pin(term.confirm());
        assert!(poll!(&mut sure).is_pending());
        term.asked().now_or_never().unwrap();
        term.renew(sent_before).unwrap();
        assert!(poll!(&mut sure).is_pending(), "it may have been lost since");
        term.renew(Instant::now()).unwrap();
        assert_eq!(sure.await, Ok(()));

        let mut sure = Box::pin(term.confirm());
        assert!(poll!(&mut sure).is_pending());
        term.end();
        assert_eq!(sure.await, Err(Ended));
    }
}
