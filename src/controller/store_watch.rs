//! Looks after the store. When it goes away every Tenant says so within seconds, although nothing else made
//! it look; and when it is back, what failed meanwhile is tried at once and not after its pause.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};

use super::{context::Context, index::Kind};
use crate::store::Error;

/// How often it is asked whether it is there: by one read, as long as nothing is wrong.
const PERIOD: Duration = Duration::from_secs(5);

/// Runs until it is dropped.
pub async fn run(context: Arc<Context>) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_there = true;
    loop {
        ticks.tick().await;
        let why = match context.store.check().await {
            Err(Error::Unavailable(why) | Error::Broken(why) | Error::Forbidden(why))
                if context.term.is_held() =>
            {
                Some(why)
            }
            _ => None,
        };
        context.metrics.store.is_up(context.store.kind(), why.is_none());
        match why {
            Some(why) if was_there => {
                tracing::warn!("the store cannot be reached: {why}");
                context.view.tenants.each(|id, _| context.queues.wake(Kind::Tenant, &id));
            }
            None if !was_there => {
                tracing::info!("the store can be reached again");
                for (kind, id) in context.backoff.forget_all() {
                    context.queues.wake(kind, &id);
                }
            }
            // It is as it was.
            _ => continue,
        }
        was_there = !was_there;
    }
}
