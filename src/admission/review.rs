//! One review: the API server's question read, judged and answered.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest as _, Request, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
    routing::post,
};
use kube::core::{
    DynamicObject,
    admission::{AdmissionRequest, AdmissionResponse, AdmissionReview, Operation},
};
use serde_json::Value;
use tokio::{sync::Semaphore, time::timeout};

use super::{Judgement, Object, Surroundings, VALIDATE, judge};
use crate::{
    api::GROUP,
    telemetry::{Metrics, Verdict},
};

/// The most bytes of a review: it has the object twice when it is updated, and etcd takes none of more
/// than 1.5 MiB.
const LARGEST: usize = 3 << 20;

/// How many are read at the same time.
const READING: usize = 16;

/// How long one may take; the API server waits as long.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of other objects, once everything was seen.
pub type Seen = Arc<OnceLock<Arc<dyn Surroundings>>>;

/// What answers reviews.
pub struct Reviewer {
    seen: Seen,
    metrics: Arc<Metrics>,
    reading: Semaphore,
    /// One at a time: what is read takes a multiple of its size in memory.
    judging: Semaphore,
}

/// Before everything was seen nothing is said of what depends on others.
struct NothingSeen;

impl Surroundings for NothingSeen {
    fn warnings(&self, _: &Object) -> Vec<String> {
        Vec::new()
    }
}

/// What is no review, or cannot be answered.
#[derive(Debug, thiserror::Error)]
enum Rejected {
    #[error("a review has at most {LARGEST} bytes")]
    TooLarge,
    #[error("the review cannot be received: {0}")]
    BrokenOff(String),
    #[error("this is no AdmissionReview of admission.k8s.io/v1: {0}")]
    NoReview(String),
    #[error("the review was not judged within {} s", PATIENCE.as_secs())]
    Late,
}

impl Rejected {
    fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BrokenOff(_) | Self::NoReview(_) => StatusCode::BAD_REQUEST,
            Self::Late => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// Answers reviews at their path.
pub fn router(seen: Seen, metrics: Arc<Metrics>) -> Router {
    let reviewer =
        Reviewer { seen, metrics, reading: Semaphore::new(READING), judging: Semaphore::new(1) };
    Router::new()
        .route(VALIDATE, post(validate))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(Arc::new(reviewer))
}

async fn validate(State(reviewer): State<Arc<Reviewer>>, request: Request) -> Response {
    let began = Instant::now();
    let answer = timeout(PATIENCE, reviewer.review(request)).await.unwrap_or(Err(Rejected::Late));
    let (kind, verdict, response) = match answer {
        Ok((kind, verdict, review)) => (kind, verdict, json(&review)),
        Err(rejected) => {
            tracing::debug!(%rejected, "a review was rejected");
            ("", Verdict::rejected, (rejected.status(), rejected.to_string()).into_response())
        }
    };
    let code = response.status().as_u16();
    reviewer.metrics.webhook.answered(VALIDATE, code, kind, verdict, began.elapsed());
    response
}

fn json(review: &AdmissionReview<DynamicObject>) -> Response {
    match serde_json::to_vec(review) {
        Ok(body) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

type Reviewed = (&'static str, Verdict, AdmissionReview<DynamicObject>);

impl Reviewer {
    async fn review(&self, request: Request) -> Result<Reviewed, Rejected> {
        // They are never closed.
        let _reading = self.reading.acquire().await.ok();
        let body = Bytes::from_request(request, &()).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                Rejected::TooLarge
            } else {
                Rejected::BrokenOff(rejection.body_text())
            }
        })?;
        let _judging = self.judging.acquire().await.ok();
        let review: AdmissionReview<DynamicObject> =
            serde_json::from_slice(&body).map_err(|error| Rejected::NoReview(error.to_string()))?;
        drop(body);
        let mut request: AdmissionRequest<DynamicObject> =
            review.try_into().map_err(|_| Rejected::NoReview("it has no request".into()))?;
        let kind = known(&request);
        // Of anything else nothing is said, however it came here: above all, deletions go on.
        let is_written = matches!(request.operation, Operation::Create | Operation::Update);
        let judgement = if is_written && !kind.is_empty() {
            let object = request.object.take();
            let object =
                object.ok_or_else(|| Rejected::NoReview("its request has no object".into()))?;
            let old = request.old_object.take().map(|old| old.data);
            judge(kind, &whole(object), old.as_ref(), self.surroundings())
        } else {
            Judgement::default()
        };
        let (verdict, response) = answer(&request, judgement);
        Ok((kind, verdict, response.into_review()))
    }

    fn surroundings(&self) -> &dyn Surroundings {
        self.seen.get().map_or(&NothingSeen, |seen| seen.as_ref())
    }
}

/// The kind, if it is one of ours; none of ours is empty, so that metrics stay few.
fn known(request: &AdmissionRequest<DynamicObject>) -> &'static str {
    let is_main = request.sub_resource.as_deref().unwrap_or_default().is_empty();
    let kinds = ["Tenant", "TenantProfile", "Namespace", "Role", "User"];
    let kind = kinds.into_iter().find(|kind| *kind == request.kind.kind);
    kind.filter(|_| is_main && request.kind.group == GROUP).unwrap_or_default()
}

/// The object as one value again.
fn whole(object: DynamicObject) -> Value {
    let DynamicObject { types, metadata, mut data } = object;
    if let Value::Object(fields) = &mut data {
        if let Some(types) = types {
            fields.insert("apiVersion".into(), types.api_version.into());
            fields.insert("kind".into(), types.kind.into());
        }
        // Metadata that was read can be written.
        fields.insert("metadata".into(), serde_json::to_value(metadata).unwrap_or_default());
    }
    data
}

fn answer(
    request: &AdmissionRequest<DynamicObject>,
    judgement: Judgement,
) -> (Verdict, AdmissionResponse) {
    let mut response = AdmissionResponse::from(request);
    if let Some(sentence) = judgement.refused {
        tracing::info!(
            kind = request.kind.kind,
            namespace = request.namespace,
            object = request.name,
            "refused: {sentence}"
        );
        response = response.deny(sentence);
        // As the API server answers what breaks the schema.
        response.result.code = StatusCode::UNPROCESSABLE_ENTITY.as_u16();
        response.result.reason = "Invalid".into();
        return (Verdict::refused, response);
    }
    if judgement.warnings.is_empty() {
        return (Verdict::allowed, response);
    }
    response.warnings = Some(judgement.warnings);
    (Verdict::warned, response)
}
