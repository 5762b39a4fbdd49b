//! Events: one that says the same again is counted, one that says anything else is an event of its own.
//!
//! kube's recorder takes two events of one reason for one, whatever they say, and
//! keeps the note of the first. So there is a recorder for each thing that was said.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{Event, Recorder, Reporter},
};

/// As long as kube's recorder remembers an event.
const PERIOD: Duration = Duration::from_mins(6);

/// Of which object, with which reason.
type About = (Option<String>, String);

/// Writes events.
pub struct Events {
    client: Client,
    last: Mutex<HashMap<About, Said>>,
}

/// What was said last.
struct Said {
    note: Option<String>,
    at: Instant,
    recorder: Recorder,
}

impl Events {
    /// Nothing was said yet.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, last: Mutex::default() }
    }

    /// Writes an event about an object.
    pub async fn publish(&self, event: &Event, about: &ObjectReference) -> Result<(), kube::Error> {
        self.recorder(event, about, Instant::now()).publish(event, about).await
    }

    fn recorder(&self, event: &Event, about: &ObjectReference, now: Instant) -> Recorder {
        let new = || Recorder::new(self.client.clone(), Reporter::from("keyreeve"));
        let Ok(mut last) = self.last.lock() else { return new() };
        last.retain(|_, said| now.duration_since(said.at) < PERIOD);
        let about = (about.uid.clone(), event.reason.clone());
        let recorder = match last.get(&about) {
            Some(said) if said.note == event.note => said.recorder.clone(),
            _ => new(),
        };
        let said = Said { note: event.note.clone(), at: now, recorder: recorder.clone() };
        last.insert(about, said);
        recorder
    }
}
