//! Looks after the store. When it goes away every Tenant says so within seconds, although nothing else made
//! it look; and when it is back, what failed meanwhile is tried at once and not after its pause.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};

use super::{context::Context, index::Kind};
use crate::store::{Error, Key};

/// How often it is asked whether it is there: by one read.
const PERIOD: Duration = Duration::from_secs(5);
/// What it is asked for. No tenant can have this name: it is no DNS label.
const NOTHING: &str = "-";

/// Runs until it is dropped.
pub async fn run(context: Arc<Context>) {
    let nothing = Key::Tenant { tenant: NOTHING.into() };
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_there = true;
    loop {
        ticks.tick().await;
        match context.store.observe(&nothing).await {
            Err(Error::Unavailable(why)) if was_there => {
                tracing::warn!("the store cannot be reached: {why}");
                was_there = false;
                context.view.tenants.each(|id, _| context.queues.wake(Kind::Tenant, &id));
            }
            Err(Error::Unavailable(_)) => {}
            _ if was_there => {}
            _ => {
                tracing::info!("the store can be reached again");
                was_there = true;
                for (kind, id) in context.backoff.forget_all() {
                    context.queues.wake(kind, &id);
                }
            }
        }
    }
}
