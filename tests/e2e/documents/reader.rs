//! Somebody who does what a document says, command by command.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    RUN,
    page::{self, root},
};

/// What a checkout of the repository has that commands name.
const CHECKOUT: [&str; 3] = ["charts", "crds", "examples"];

/// No kubelet serves `kubectl exec` here. The command runs on this machine, with the folder that stands for the
/// claim in the place of its mount; all else is kubectl's.
const KUBECTL: &str = r#"#!/usr/bin/env bash
for argument; do
  if [ "$argument" = exec ]; then
    while [ "$1" != -- ]; do shift; done
    shift
    exec "${@//\/store/$CLAIM}"
  fi
done
exec "$REAL_KUBECTL" "$@"
"#;

/// A reader with a folder to work in.
pub struct Reader {
    folder: PathBuf,
    environment: Vec<(String, String)>,
}

impl Reader {
    /// One who works in this folder, as a checkout has it.
    pub fn new(folder: &Path) -> Self {
        for name in CHECKOUT {
            symlink(root().join(name), folder.join(name)).unwrap();
        }
        let bin = folder.join("bin");
        fs::create_dir(&bin).unwrap();
        symlink(env!("CARGO_BIN_EXE_keyreeve"), bin.join("keyreeve")).unwrap();
        fs::write(bin.join("kubectl"), KUBECTL).unwrap();
        fs::set_permissions(bin.join("kubectl"), fs::Permissions::from_mode(0o755)).unwrap();
        let path = std::env::var("PATH").unwrap();
        let real = path.split(':').map(|folder| Path::new(folder).join("kubectl"));
        let real = real.into_iter().find(|file| file.exists()).unwrap();
        let mut reader = Self { folder: folder.into(), environment: Vec::new() };
        reader.sets("PATH", &format!("{}:{path}", bin.display()));
        reader.sets("REAL_KUBECTL", real.to_str().unwrap());
        reader
    }

    /// Sets a variable for all that follows.
    pub fn sets(&mut self, name: &str, value: &str) {
        self.environment.retain(|(set, _)| set != name);
        self.environment.push((name.into(), value.into()));
    }

    /// Has Helm 4 from now on.
    pub fn has_helm_4(&self) {
        let file = self.folder.join("bin/helm");
        fs::write(&file, "#!/usr/bin/env bash\nexec helm4 \"$@\"\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Does what the blocks of these names say, one after the other in one shell, and answers what that prints.
    pub fn follows(&self, page: &str, names: &[&str]) -> String {
        let script = self.script(page, names);
        let (is_done, printed, error) = self.runs(&script);
        assert!(is_done, "{script}\n--- printed:\n{printed}\n--- error:\n{error}");
        printed
    }

    /// Does what a block says, which must fail, and answers the error.
    pub fn is_refused(&self, page: &str, name: &str) -> String {
        let script = self.script(page, &[name]);
        let (is_done, printed, error) = self.runs(&script);
        assert!(!is_done, "{script}: {printed}");
        error
    }

    fn script(&self, page: &str, names: &[&str]) -> String {
        let blocks = page::blocks(page, &page::text(page));
        let mut script = "set -euo pipefail\n".to_owned();
        for name in names {
            assert!(
                RUN.contains(&(page, name)),
                "{page}: {name} is not in the list of what is run"
            );
            let meant: Vec<_> = blocks
                .iter()
                .filter(|block| block.words.get("run").map(String::as_str) == Some(name))
                .collect();
            assert!(!meant.is_empty(), "{page} has no block run={name}");
            for block in meant {
                script.push_str(&block.script());
            }
        }
        self.write_files(&blocks);
        script
    }

    /// Writes the files that a document shows.
    fn write_files(&self, blocks: &[page::Block]) {
        for block in blocks {
            if let Some(file) = block.words.get("file") {
                fs::write(self.folder.join(file), &block.text).unwrap();
            }
        }
    }

    /// Whether it succeeds, what it prints, and its errors.
    fn runs(&self, script: &str) -> (bool, String, String) {
        let output = Command::new("bash")
            .args(["-c", script])
            .current_dir(&self.folder)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap();
        let [printed, error] =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        (output.status.success(), printed, error)
    }
}
