//! The API server's audit log: who wrote what, exactly.

use std::{
    fs::File,
    io::{BufRead, BufReader, Seek, SeekFrom},
};

use jiff::Timestamp;
use serde_json::Value;

use super::{Space, setting};

const OPERATOR: &str = "system:serviceaccount:keyreeve-system:keyreeve";

/// Remembers where the log was, so that what comes after can be counted.
pub struct Audit {
    user: String,
    /// With which token; any if it is none.
    credential: Option<String>,
    /// Where it is counted; everywhere if it is none.
    namespace: Option<String>,
    from: u64,
    /// What was asked before is logged a little late.
    began: Timestamp,
}

impl Audit {
    /// Counts from now on what the operator does in the test's namespace.
    pub fn begin(space: &Space) -> Self {
        Self::of(OPERATOR, Some(&space.namespace))
    }

    /// Counts from now on what the operator does in a namespace.
    pub fn of_operator_in(namespace: &str) -> Self {
        Self::of(OPERATOR, Some(namespace))
    }

    /// Counts from now on what this user does, in a namespace or everywhere.
    pub fn of(user: &str, namespace: Option<&str>) -> Self {
        let from =
            File::open(setting("KEYREEVE_TEST_AUDIT_LOG")).unwrap().metadata().unwrap().len();
        let began = Timestamp::now();
        let namespace = namespace.map(Into::into);
        Self { user: user.into(), credential: None, namespace, from, began }
    }

    /// Counts from now on what this user does with one of its tokens, by the token's id.
    pub fn of_credential(user: &str, credential: &str) -> Self {
        Self { credential: Some(credential.into()), ..Self::of(user, None) }
    }

    /// The writes since then, as "verb resource/subresource name"; what is only asked or tried is none.
    pub fn writes(&self) -> Vec<String> {
        self.answered(|_| true)
    }

    /// The same without those that the API server refused, because the object had changed or was gone: where
    /// something happens, a wake-up may come sooner than the watch tells of one's own write.
    pub fn taken(&self) -> Vec<String> {
        self.answered(|code| code < 300)
    }

    fn answered(&self, is_counted: impl Fn(u64) -> bool) -> Vec<String> {
        let mut file = File::open(setting("KEYREEVE_TEST_AUDIT_LOG")).unwrap();
        file.seek(SeekFrom::Start(self.from)).unwrap();
        let mut writes = Vec::new();
        for line in BufReader::new(file).lines() {
            // The last line may be half written, by a request of somebody else.
            let Ok(entry) = serde_json::from_str::<Value>(&line.unwrap()) else { continue };
            let asked = entry["requestReceivedTimestamp"].as_str();
            let asked: Option<Timestamp> = asked.and_then(|asked| asked.parse().ok());
            if asked.is_none_or(|asked| asked < self.began) {
                continue;
            }
            let (verb, object) = (entry["verb"].as_str().unwrap_or_default(), &entry["objectRef"]);
            if entry["stage"] == "ResponseComplete"
                && entry["user"]["username"] == self.user.as_str()
                && self.credential.as_ref().is_none_or(|credential| {
                    entry["user"]["extra"]["authentication.kubernetes.io/credential-id"][0]
                        == credential.as_str()
                })
                && ["create", "update", "patch", "delete", "deletecollection"].contains(&verb)
                && self.namespace.as_ref().is_none_or(|own| object["namespace"] == own.as_str())
                && is_counted(entry["responseStatus"]["code"].as_u64().unwrap_or_default())
                && object["resource"] != "leases"
                && object["resource"] != "selfsubjectaccessreviews"
            {
                let part = |name: &str| object[name].as_str().map(str::to_owned);
                let resource = [part("resource"), part("subresource")]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join("/");
                writes.push(format!("{verb} {resource} {}", part("name").unwrap_or_default()));
            }
        }
        writes
    }
}
