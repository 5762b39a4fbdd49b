//! The controllers: one file a kind over one shared [`driver`].
//!
//! A controller's file reads: resolve references, decide (pure), apply to the
//! store, report. What it resolves it finds in the [`view`]; what it reports the
//! driver writes.

mod administrators;
mod api_error;
mod backoff;
mod cache;
mod census;
mod clock;
mod conditions;
mod context;
mod deletion;
mod driver;
mod events;
mod home;
mod index;
mod informer;
mod inherit;
mod keystores;
mod labels;
mod lost;
mod member;
mod namespace;
mod news;
mod own_writes;
mod parts;
mod password_secrets;
mod passwords;
mod patch;
mod profile;
mod reach;
mod references;
mod remembered;
mod returning;
mod rights;
mod role;
mod role_list;
mod run;
mod seats;
mod secret_names;
mod snapshot;
mod standby;
mod start;
mod store_watch;
mod surroundings;
mod tenant;
mod throttle;
mod user;
mod view;

pub use clock::{Clock, SystemClock};
pub use context::Options;
pub use rights::{Needs, Right};
pub use run::run;
pub use standby::{Clients, Standby};
pub use start::{StartError, check, may_i, owner_id, root_cause};
