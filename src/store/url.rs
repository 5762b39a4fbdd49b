//! Which store: one URL, `sqlite:PATH`, `postgres://…` or `keycloak+https://…`.

use std::{path::PathBuf, str::FromStr};

use super::{OpenError, keycloak, sql::Address};

/// The store that `--store` names. It carries no credentials: they come from the environment or from files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL database.
    Postgres(Box<Address>),
    /// A Keycloak.
    Keycloak(keycloak::Address),
}

impl StoreUrl {
    /// What the store calls itself: [`super::Store::kind`].
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
            Self::Keycloak(_) => "keycloak",
        }
    }
}

impl FromStr for StoreUrl {
    type Err = OpenError;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        match url.split_once(':') {
            Some(("sqlite", path)) if !path.trim_start_matches('/').is_empty() => {
                Ok(Self::Sqlite(path.strip_prefix("//").unwrap_or(path).into()))
            }
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(Box::new(url.parse()?))),
            Some(("keycloak+http" | "keycloak+https", _)) => {
                let address = url.strip_prefix("keycloak+").and_then(keycloak::Address::parse);
                address.map(Self::Keycloak).ok_or_else(|| unknown(url))
            }
            _ => Err(unknown(url)),
        }
    }
}

/// Credentials may stand in the part that is cut off.
fn unknown(url: &str) -> OpenError {
    OpenError::Url(url.split('@').next_back().unwrap_or_default().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (url, path) in [
            ("sqlite:keyreeve.db", "keyreeve.db"),
            ("sqlite:/var/lib/k.db", "/var/lib/k.db"),
            ("sqlite:///var/lib/k.db", "/var/lib/k.db"),
        ] {
            assert_eq!(url.parse::<StoreUrl>().unwrap(), StoreUrl::Sqlite(path.into()), "{url}");
        }
        for url in ["", "sqlite", "sqlite:", "mysql://x", "/var/lib/k.db"] {
            assert!(matches!(url.parse::<StoreUrl>(), Err(OpenError::Url(_))), "{url}");
        }
        for url in
            ["postgres://me:secret@db/x", "keycloak+https://me:secret@sso", "x://me:secret@db"]
        {
            let error = url.parse::<StoreUrl>().unwrap_err().to_string();
            assert!(error.contains("--store") && !error.contains("secret"), "{error}");
        }
        let id = "keycloak+https://id.example/auth".parse::<StoreUrl>().unwrap();
        assert!(matches!(id, StoreUrl::Keycloak(address) if address.rest == "id.example/auth"));
    }
}
