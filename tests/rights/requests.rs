//! The API server's audit log, as far as rights are concerned.

use std::{
    fmt,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use serde_json::Value;

/// A request for something that RBAC decides about.
pub struct Request {
    /// Who asked; with impersonation, as whom.
    pub user: String,
    pub verb: String,
    pub group: String,
    /// With the subresource after a slash.
    pub resource: String,
    pub namespace: Option<String>,
    pub name: String,
    /// Whether it was refused for lack of a right, and not, say, because its namespace is going.
    pub is_forbidden: bool,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, verb, group, resource, namespace, name, .. } = self;
        let place = namespace.as_deref().unwrap_or("all namespaces");
        write!(f, "{user}: {verb} {resource}.{group} {name} in {place}")
    }
}

/// Hands each request of a log on. One that is answered for long, as a watch is, comes twice.
pub fn read(log: &Path, mut take: impl FnMut(&Request)) {
    let file = File::open(log).unwrap_or_else(|error| panic!("{}: {error}", log.display()));
    for line in BufReader::new(file).lines() {
        // The last line may be half written.
        let Ok(entry) = serde_json::from_str::<Value>(&line.unwrap()) else { continue };
        let object = &entry["objectRef"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let resource = text(&object["resource"]);
        if resource.is_empty() {
            continue;
        }
        let user = [&entry["impersonatedUser"]["username"], &entry["user"]["username"]];
        let subresource = object["subresource"].as_str().map(|sub| format!("/{sub}"));
        take(&Request {
            user: text(user.into_iter().find(|user| user.is_string()).unwrap_or(&Value::Null)),
            verb: text(&entry["verb"]),
            group: text(&object["apiGroup"]),
            resource: resource + &subresource.unwrap_or_default(),
            namespace: object["namespace"].as_str().map(ToOwned::to_owned),
            name: text(&object["name"]),
            is_forbidden: entry["annotations"]["authorization.k8s.io/decision"] == "forbid",
        });
    }
}
