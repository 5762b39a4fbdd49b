//! The files of `examples/`.

use std::{fs, path::Path};

use serde_json::Value;

/// Every document of our kinds with its file; none says in which Kubernetes namespace it is.
pub fn documents() -> Vec<(String, Value)> {
    let mut documents = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples"), &mut documents);
    documents.retain(|(_, document)| document["apiVersion"] == "keyreeve.dev/v1alpha1");
    for (_, document) in &mut documents {
        document["metadata"].as_object_mut().unwrap().remove("namespace");
    }
    documents
}

fn collect(folder: &Path, documents: &mut Vec<(String, Value)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, documents);
            continue;
        }
        let (file, text) = (path.display().to_string(), fs::read_to_string(&path).unwrap());
        let all: Vec<Value> =
            serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        documents.extend(all.into_iter().map(|document| (file.clone(), document)));
    }
}
