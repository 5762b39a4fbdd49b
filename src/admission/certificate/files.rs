//! A certificate that somebody else makes and renews, such as cert-manager: read from files, and again
//! when they change.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use zeroize::Zeroizing;

use super::{Current, Unusable};

/// The folder with `tls.crt`, `tls.key` and, if the operator shall tell whom to trust, `ca.crt`: as
/// kubelet mounts a Secret of the type `kubernetes.io/tls`.
#[derive(Clone, Debug)]
pub struct Files {
    folder: PathBuf,
    /// How the files were when they were read last, well or not.
    seen: Option<[Stamp; 3]>,
}

/// Which file it is, and in which state; none if it is not there.
type Stamp = Option<(u64, u64, SystemTime)>;

/// The files cannot be used as they are.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// One cannot be read.
    #[error("{0} cannot be read: {1}. It must hold the webhook's certificate (--webhook-cert-dir)")]
    Read(PathBuf, io::Error),
    /// They do not fit, such as when only one of them is new.
    #[error("tls.crt and tls.key in {0} cannot be used: {1}")]
    Unusable(PathBuf, Unusable),
}

impl Files {
    /// The files in that folder.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, seen: None }
    }

    /// The certificate, if the files have changed since they were read last.
    pub fn look(&mut self) -> Result<Option<Current>, FilesError> {
        // Before they are read: what changes meanwhile is seen the next time.
        let stamps = ["tls.crt", "tls.key", "ca.crt"].map(|name| stamp(&self.folder.join(name)));
        if self.seen.as_ref() == Some(&stamps) {
            return Ok(None);
        }
        self.seen = Some(stamps);
        let certificate = self.read("tls.crt")?;
        let key = self.read("tls.key")?;
        let bundle = match stamps[2] {
            Some(_) => String::from_utf8(self.read("ca.crt")?.to_vec()).ok(),
            None => None,
        };
        Current::read(&certificate, &key, bundle)
            .map(Some)
            .map_err(|error| FilesError::Unusable(self.folder.clone(), error))
    }

    fn read(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, FilesError> {
        let path = self.folder.join(name);
        fs::read(&path).map(Zeroizing::new).map_err(|error| FilesError::Read(path, error))
    }
}

/// Through symbolic links, which kubelet swaps.
fn stamp(path: &Path) -> Stamp {
    let meta = fs::metadata(path).ok()?;
    Some((meta.ino(), meta.len(), meta.modified().ok()?))
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
