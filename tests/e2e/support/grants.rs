//! What the charts of the tests grant, kept for the check of rights that runs after all of them (tests/rights).

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::{Value, json};

use super::setting;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A file in the folder of what is kept, whose name is nobody else's.
pub fn place(name: &str, extension: &str) -> PathBuf {
    let folder = Path::new(&setting("KEYREEVE_TEST_DIR")).join("grants");
    fs::create_dir_all(&folder).unwrap();
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    folder.join(format!("{}-{number}-{name}.{extension}", std::process::id()))
}

/// A release of the chart, as the check needs it.
pub struct Grants<'a> {
    /// How the chart's names begin: `NAMESPACE:FULLNAME`.
    pub prefix: &'a str,
    /// The Roles and their bindings.
    pub objects: Vec<Value>,
    /// Where its requests are logged.
    pub audit_log: &'a Path,
    /// Whether a right was taken away, so that something is refused.
    pub weakened: bool,
}

impl Grants<'_> {
    /// Keeps them.
    pub fn keep(self) {
        let kinds = ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];
        let mut objects = self.objects;
        objects.retain(|object| kinds.iter().any(|kind| object["kind"] == *kind));
        let kept = json!({
            "prefix": self.prefix, "auditLog": self.audit_log, "weakened": self.weakened, "objects": objects,
        });
        let file = place(&self.prefix.replace(':', "."), "json");
        fs::write(file, serde_json::to_string_pretty(&kept).unwrap()).unwrap();
    }
}
