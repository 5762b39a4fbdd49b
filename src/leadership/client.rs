//! A client whose writes end with the term.

use http::{Method, Request};
use kube::{Client, client::Body};

use super::Term;

/// The client, for as long as the term lasts: afterwards no write is sent, and what is under way is given up.
/// Reading goes on.
#[must_use]
pub fn during(client: &Client, term: &Term) -> Client {
    let (inner, term) = (client.clone(), term.clone());
    let namespace = client.default_namespace().to_owned();
    let service = tower::service_fn(move |request: Request<Body>| {
        let (inner, term) = (inner.clone(), term.clone());
        async move {
            let reads = matches!(*request.method(), Method::GET | Method::HEAD);
            if reads {
                return inner.send(request).await;
            }
            let sent = term.during(inner.send(request)).await;
            sent.unwrap_or_else(|ended| Err(kube::Error::Service(ended.into())))
        }
    });
    Client::new(service, namespace).with_valid_until(*client.valid_until())
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering::Relaxed},
        },
        time::Instant,
    };

    use http::Response;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::{
        Api,
        api::{DeleteParams, Patch, PatchParams, PostParams},
    };

    use super::*;

    /// An API server that has one object, and counts what it is asked.
    fn server() -> (Client, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let service = tower::service_fn(move |_: Request<Body>| {
            count.fetch_add(1, Relaxed);
            async {
                let body =
                    br#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}"#;
                Ok::<_, Infallible>(Response::new(Body::from(body.to_vec())))
            }
        });
        (Client::new(service, "default"), asked)
    }

    #[tokio::test]
    async fn once_the_term_has_ended_nothing_is_written_and_reading_goes_on() {
        let (client, asked) = server();
        let term = Term::since(Instant::now());
        let maps: Api<ConfigMap> = Api::default_namespaced(during(&client, &term));
        let (map, patch) = (ConfigMap::default(), Patch::Merge(serde_json::json!({})));
        maps.get("a").await.unwrap();
        maps.patch("a", &PatchParams::default(), &patch).await.unwrap();
        assert_eq!(asked.load(Relaxed), 2);

        term.end();
        let error = maps.patch("a", &PatchParams::default(), &patch).await.unwrap_err();
        assert!(error.to_string().contains("does not lead any more"), "{error}");
        assert!(maps.create(&PostParams::default(), &map).await.is_err());
        assert!(maps.replace("a", &PostParams::default(), &map).await.is_err());
        assert!(maps.delete("a", &DeleteParams::default()).await.is_err());
        assert_eq!(asked.load(Relaxed), 2, "none of it was sent");
        maps.get("a").await.unwrap();
    }
}
