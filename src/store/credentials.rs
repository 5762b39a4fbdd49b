//! How the operator logs in to a store: from the environment or from files, never from a URL or a flag.

use std::{fmt, path::PathBuf};

use zeroize::Zeroizing;

/// A user's name and password at a store, as far as they are given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Where the name comes from.
    pub username: Option<Source>,
    /// Where the password comes from.
    pub password: Option<Source>,
}

/// Where one of them comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// It is this, for as long as the operator runs.
    Value(Zeroizing<String>),
    /// It stands in this file, which another one may take the place of at any time, as Kubernetes does with Secrets.
    File(PathBuf),
}

impl Source {
    /// What it is now: a file without the line break at its end.
    ///
    /// # Errors
    /// A sentence about a file that cannot be read.
    pub fn read(&self) -> Result<Zeroizing<String>, String> {
        match self {
            Self::Value(value) => Ok(value.clone()),
            Self::File(path) => {
                let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
                    format!(
                        "the file {} with credentials of the store cannot be read ({}): mount the Secret there",
                        path.display(),
                        error.kind()
                    )
                })?;
                Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
            }
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("Value(…)"),
            Self::File(path) => write!(f, "File({})", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_it_says_now() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let source = Source::File(path.clone());
        let missing = source.read().unwrap_err();
        assert!(missing.contains(&path.display().to_string()), "{missing}");
        for (content, password) in [("one\n", "one"), (" two \r\n", " two "), ("three", "three")] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(source.read().unwrap().as_str(), password);
        }
    }

    #[test]
    fn it_is_not_printed() {
        let value = Source::Value("hush".to_owned().into());
        assert!(!format!("{value:?}").contains("hush"));
    }
}
