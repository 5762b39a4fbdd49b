//! What a Keycloak, and the way to it, can do to the store, for the conformance suite.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use super::{
    faults::{Act, Faults},
    hand::{options, variable},
    renamed::Renamed,
};
use crate::store::{conformance::faults::Fault, keycloak::KeycloakStore};

/// How long a store waits that is to find out that nobody answers. What it reads before is really answered.
const HASTE: Duration = Duration::from_secs(3);

pub(super) const SUFFERS: &[(Fault, &str)] = &[
    (Fault::Away, "gave no answer"),
    (Fault::Silent, "within 3 s"),
    (Fault::Unauthorized, "client id and secret"),
    (Fault::Forbidden, "manage-realm"),
    (Fault::NotFound, "trying again"),
    (Fault::Conflict, "trying again"),
    (Fault::Busy, "too busy"),
    (Fault::Broken, "with 500"),
    (Fault::Malformed, "cannot be read"),
    (Fault::Refused, "Keycloak refuses"),
    (Fault::CutBefore, "gave no answer"),
    (Fault::CutAfter, "gave no answer"),
];

/// A way to Keycloak of a test's own.
pub(super) struct Disturbance {
    faults: Faults,
    /// The same store for who does not wait for long, and whether it is to be used.
    pub hasty: Arc<Renamed>,
    pub is_hasty: AtomicBool,
    has_struck: Arc<AtomicBool>,
}

impl Disturbance {
    /// With a store that goes by it, made by `rename` from what Keycloak has under other names.
    pub(super) async fn start(rename: impl Fn(KeycloakStore) -> Renamed) -> (Self, Arc<Renamed>) {
        let faults = Faults::start(variable("").replace("http://", "")).await;
        let address = format!("http://{}", faults.address);
        let options = options(&address, "_CLIENT_ID", "_SECRET_FILE");
        let store = KeycloakStore::open(&options).await.unwrap();
        let mut hasty = KeycloakStore::open(&options).await.unwrap();
        hasty.server.wait_for(HASTE);
        let disturbance = Self {
            faults,
            hasty: Arc::new(rename(hasty)),
            is_hasty: AtomicBool::new(false),
            has_struck: Arc::default(),
        };
        (disturbance, Arc::new(rename(store)))
    }

    /// Only writes suffer from most of it: what is read first decides nothing about them.
    pub(super) fn begin(&self, fault: Fault, step: usize) {
        let act = match fault {
            Fault::Away | Fault::CutBefore => Act::Cut,
            Fault::Silent => Act::Hang,
            Fault::Unauthorized => Act::Answer(401),
            Fault::Forbidden => Act::Answer(403),
            Fault::NotFound => Act::Answer(404),
            Fault::Conflict => Act::Answer(409),
            Fault::Busy => Act::Answer(429),
            Fault::Broken => Act::Answer(500),
            Fault::Malformed => Act::Babble,
            Fault::Refused => Act::Answer(400),
            Fault::CutAfter => Act::CutAfter,
            Fault::Gone | Fault::Ended | Fault::Locked | Fault::ReadOnly => unreachable!(),
        };
        self.is_hasty.store(fault == Fault::Silent, SeqCst);
        self.has_struck.store(false, SeqCst);
        let (has_struck, writes) = (self.has_struck.clone(), AtomicUsize::new(0));
        self.faults.act(move |request| {
            let is_read = request.starts_with("GET");
            let strikes = match fault {
                Fault::Away => true,
                _ if is_read || !request.contains("/admin/realms") => false,
                // An import says by it that another user has the id, in whatever realm.
                Fault::Conflict => !request.contains("/partialImport"),
                // What is not there is deleted already.
                Fault::NotFound => !request.starts_with("DELETE"),
                Fault::CutBefore | Fault::CutAfter => writes.fetch_add(1, SeqCst) + 1 == step,
                _ => true,
            };
            if strikes {
                has_struck.store(true, SeqCst);
                act
            } else {
                Act::Pass
            }
        });
    }

    /// The first lines of all requests from now on.
    pub(super) fn recorded(&self) -> Arc<Mutex<Vec<String>>> {
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let recorded = lines.clone();
        self.faults.act(move |request| {
            recorded.lock().unwrap().push(request.to_owned());
            Act::Pass
        });
        lines
    }

    /// Whether it struck.
    pub(super) fn end(&self) -> bool {
        self.faults.act(|_| Act::Pass);
        self.is_hasty.store(false, SeqCst);
        self.has_struck.load(SeqCst)
    }
}
