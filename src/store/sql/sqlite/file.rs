//! The file that SQLite works on: that it can be used at all, that it is ours
//! alone, and that it is still the one that was opened.
//!
//! The file itself is never opened here once it exists: closing it would drop
//! SQLite's POSIX locks of the same process.

use std::{
    fs::{self, File, OpenOptions, Permissions, TryLockError},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};

use super::errors::explain_io;
use crate::store::{Error, OpenError, sql::explained::Explained};

/// No access for others: the file holds password hashes. SQLite gives the files beside it the same mode.
const MODE: u32 = 0o660;

/// A database file with its lock.
pub(super) struct StoreFile {
    path: PathBuf,
    identity: (u64, u64),
    _lock: File,
}

impl StoreFile {
    /// Takes the lock, held for the life of this value, and makes the file if there is none.
    pub(super) fn claim(path: &Path) -> Result<Self, OpenError> {
        let refused = |error: &io::Error| file_error(path, explain_io(error));
        // Links are followed first, so that two names of one file have one lock.
        let real = real_path(path).map_err(|error| refused(&error))?;
        if real.is_dir() {
            return Err(refused(&io::ErrorKind::IsADirectory.into()));
        }
        if let Some(kind) = network_file_system(&real) {
            return Err(OpenError::NetworkFileSystem { path: path.display().to_string(), kind });
        }
        let lock = lock(path, &real)?;
        match OpenOptions::new().write(true).create_new(true).mode(MODE).open(&real) {
            // SQLite takes an empty file for an empty database. The mode is set again, because the
            // umask may have taken the group's right away.
            Ok(file) => file
                .set_permissions(Permissions::from_mode(MODE))
                .map_err(|error| refused(&error))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                access(&real, Access::READ_OK | Access::WRITE_OK)
                    .map_err(|errno| refused(&errno.into()))?;
            }
            Err(error) => return Err(refused(&error)),
        }
        let identity = identity(&real).map_err(|error| refused(&error))?;
        Ok(Self { path: real, identity, _lock: lock })
    }

    /// Where it really is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the path still leads to the file that was opened. SQLite would
    /// go on in a deleted file, and all that it writes would be lost.
    ///
    /// One `stat` on a local file system: fast enough for an async thread.
    pub(super) fn check(&self) -> Result<(), Error> {
        let path = self.path.display();
        let explained = match identity(&self.path) {
            Ok(identity) if identity == self.identity => return Ok(()),
            Ok(_) => Explained::new(
                format!("another file has taken the place of {path}"),
                "Restart the operator to use it, or put the old one back.",
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Explained::new(
                format!("the file {path} was deleted or moved away"),
                "Put it back, or restart the operator to begin with an empty store.",
            ),
            Err(error) => explain_io(&error),
        };
        Err(explained.into())
    }
}

/// An [`OpenError`] about this file.
pub(super) fn file_error(path: &Path, Explained { cause, hint }: Explained) -> OpenError {
    OpenError::File { path: path.display().to_string(), cause, hint }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// The path without links; the file need not be there, but its folder must.
fn real_path(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            Ok(fs::canonicalize(folder.unwrap_or(Path::new(".")))?.join(name))
        }
        result => result,
    }
}

/// Takes the lock beside the file. It stays when the operator ends: removing it
/// would let two others lock two different files of that name.
fn lock(path: &Path, real: &Path) -> Result<File, OpenError> {
    let mut beside = real.as_os_str().to_owned();
    beside.push(".lock");
    let beside = PathBuf::from(beside);
    let error = |error: &io::Error| {
        let Explained { cause, hint } = explain_io(error);
        file_error(path, Explained::new(format!("{}: {cause}", beside.display()), hint))
    };
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(MODE)
        .open(&beside)
        .map_err(|cause| error(&cause))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked {
            path: path.display().to_string(),
            lock: beside.display().to_string(),
        }),
        Err(TryLockError::Error(cause)) => Err(error(&cause)),
    }
}

/// The network file system that the file's folder is on, if it is on one: there,
/// locks and the shared memory of WAL do not hold between machines.
///
/// FUSE is let through: it is the root of rootless containers (fuse-overlayfs)
/// and of virtual machines (virtiofs) as well as of sshfs, and does not say
/// which; where it cannot do what WAL needs, opening the database says so.
#[cfg(target_os = "linux")]
fn network_file_system(file: &Path) -> Option<&'static str> {
    let folder = file.parent()?;
    // The magic numbers have 32 bits; the field is signed on some machines, and wider.
    let magic = rustix::fs::statfs(folder).ok()?.f_type & 0xffff_ffff;
    kind_of(u32::try_from(magic).ok()?)
}

#[cfg(not(target_os = "linux"))]
fn network_file_system(_: &Path) -> Option<&'static str> {
    None
}

/// The name of a network file system, by the number that statfs(2) gives it.
fn kind_of(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "NFS",
        0x517b => "SMB",
        0xff53_4d42 => "CIFS",
        0xfe53_4d42 => "SMB2",
        0x0102_1997 => "9P",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x00c3_6400 => "Ceph",
        0x7375_7245 => "Coda",
        0x564c => "NCP",
        0x0bd0_0bd0 => "Lustre",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems() {
        for (magic, kind) in [
            (0x6969, Some("NFS")),
            (0xff53_4d42, Some("CIFS")),
            (0xfe53_4d42, Some("SMB2")),
            (0x0102_1997, Some("9P")),
            (0xef53, None),
            (0x794c_7630, None),
            (0x6573_5546, None),
        ] {
            assert_eq!(kind_of(magic), kind, "{magic:x}");
        }
        assert_eq!(network_file_system(Path::new("/proc/x")), None);
    }
}
