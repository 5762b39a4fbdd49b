//! Where a PostgreSQL database is, and how its server is to be believed: the URL of `--store`.

use std::{borrow::Cow, fmt, net::IpAddr, path::PathBuf, str::FromStr};

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::{Host, Url};

/// `postgres://[USER@]HOST[:PORT]/DATABASE[?NAME=VALUE&…]`, without a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    host: String,
    /// The folder of a Unix socket, in place of the host.
    socket: Option<PathBuf>,
    port: u16,
    database: String,
    username: Option<String>,
    sslmode: SslMode,
    sslrootcert: Option<PathBuf>,
    sslcert: Option<PathBuf>,
    sslkey: Option<PathBuf>,
}

/// How the server is believed, as libpq calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SslMode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// The URL cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is no URL of a database.
    #[error(
        "it is not postgres://HOST[:PORT]/DATABASE, such as postgres://db.example.com/keyreeve"
    )]
    Form,
    /// It has a password in it.
    #[error(
        "a URL must not carry a password, because everybody can read the arguments of a process: take it out, and use --store-password-file or KEYREEVE_STORE_PASSWORD"
    )]
    Password,
    /// A parameter is unknown.
    #[error(
        "the parameter {0:?} is not known: there are sslmode, sslrootcert, sslcert, sslkey and host (the folder of a Unix socket)"
    )]
    Unknown(String),
    /// The parameter `sslmode` has a value that it does not take.
    #[error("sslmode is one of verify-full, verify-ca, require, prefer and disable, not {0:?}")]
    SslMode(String),
    /// A client certificate without its key, or the other way round.
    #[error("sslcert and sslkey are given together, or neither of them")]
    ClientCertificate,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let url = Url::parse(text).map_err(|_| AddressError::Form)?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(AddressError::Form);
        }
        if url.password().is_some() {
            return Err(AddressError::Password);
        }
        let host = match url.host() {
            // The crate knows the hosts of the web's schemes only, and takes this for a name.
            Some(Host::Domain(name)) => decoded(name)?.into_owned(),
            Some(Host::Ipv4(ip)) => ip.to_string(),
            Some(Host::Ipv6(ip)) => ip.to_string(),
            None => String::new(),
        };
        let database = decoded(url.path().trim_start_matches('/'))?.into_owned();
        let username = Some(decoded(url.username())?.into_owned()).filter(|name| !name.is_empty());
        let mut address = Self {
            host,
            socket: None,
            port: url.port().unwrap_or(5432),
            database,
            username,
            sslmode: SslMode::VerifyFull,
            sslrootcert: None,
            sslcert: None,
            sslkey: None,
        };
        let mut sslmode = None;
        for (name, value) in url.query_pairs() {
            match &*name {
                "sslmode" => sslmode = Some(value.parse()?),
                "sslrootcert" => address.sslrootcert = Some(value.as_ref().into()),
                "sslcert" => address.sslcert = Some(value.as_ref().into()),
                "sslkey" => address.sslkey = Some(value.as_ref().into()),
                "host" if value.starts_with('/') => address.socket = Some(value.as_ref().into()),
                "password" => return Err(AddressError::Password),
                _ => return Err(AddressError::Unknown(name.into())),
            }
        }
        if address.database.is_empty() || (address.host.is_empty() && address.socket.is_none()) {
            return Err(AddressError::Form);
        }
        if address.sslcert.is_some() != address.sslkey.is_some() {
            return Err(AddressError::ClientCertificate);
        }
        address.sslmode = sslmode.unwrap_or_else(|| address.default_sslmode());
        Ok(address)
    }
}

impl Address {
    /// What goes over a network is encrypted, and the server must prove that it is the one.
    fn default_sslmode(&self) -> SslMode {
        let ip = self.host.parse::<IpAddr>();
        if self.socket.is_some() {
            SslMode::Disable
        } else if self.host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback()) {
            SslMode::Prefer
        } else {
            SslMode::VerifyFull
        }
    }

    /// How to connect, but for the credentials. What the URL does not say comes from the
    /// environment variables of libpq (PGUSER, PGPASSWORD).
    pub(in crate::store::sql) fn options(&self) -> PgConnectOptions {
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(&self.host)
            .port(self.port)
            .database(&self.database)
            .ssl_mode(match self.sslmode {
                SslMode::Disable => PgSslMode::Disable,
                SslMode::Prefer => PgSslMode::Prefer,
                SslMode::Require => PgSslMode::Require,
                SslMode::VerifyCa => PgSslMode::VerifyCa,
                SslMode::VerifyFull => PgSslMode::VerifyFull,
            });
        if let Some(socket) = &self.socket {
            options = options.socket(socket);
        }
        if let Some(username) = &self.username {
            options = options.username(username);
        }
        if let Some(file) = &self.sslrootcert {
            options = options.ssl_root_cert(file);
        }
        if let (Some(certificate), Some(key)) = (&self.sslcert, &self.sslkey) {
            options = options.ssl_client_cert(certificate).ssl_client_key(key);
        }
        options
    }
}

impl fmt::Display for Address {
    /// Where it is, without parameters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Some(socket) => {
                write!(f, "postgres:///{}?host={}", self.database, socket.display())
            }
            None if self.host.contains(':') => {
                write!(f, "postgres://[{}]:{}/{}", self.host, self.port, self.database)
            }
            None => write!(f, "postgres://{}:{}/{}", self.host, self.port, self.database),
        }
    }
}

impl FromStr for SslMode {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text {
            "disable" => Ok(Self::Disable),
            "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "verify-ca" => Ok(Self::VerifyCa),
            "verify-full" => Ok(Self::VerifyFull),
            other => Err(AddressError::SslMode(other.into())),
        }
    }
}

/// A part of the URL without its percent signs.
fn decoded(part: &str) -> Result<Cow<'_, str>, AddressError> {
    percent_encoding::percent_decode_str(part).decode_utf8().map_err(|_| AddressError::Form)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Address {
        url.parse().unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    #[test]
    fn where_it_is() {
        for (url, shown) in [
            ("postgres://db.example.com/keyreeve", "postgres://db.example.com:5432/keyreeve"),
            ("postgresql://ada@10.0.0.1:6543/k%20v", "postgres://10.0.0.1:6543/k v"),
            ("postgres://[::1]:6543/k?sslmode=disable", "postgres://[::1]:6543/k"),
            ("postgres:///k?host=/run/postgresql", "postgres:///k?host=/run/postgresql"),
        ] {
            assert_eq!(address(url).to_string(), shown);
        }
        assert_eq!(address("postgres://ada@db/k").options().get_username(), "ada");
    }

    #[test]
    fn a_server_on_a_network_must_prove_itself() {
        for (url, mode) in [
            ("postgres://db/k", SslMode::VerifyFull),
            ("postgres://10.0.0.1/k", SslMode::VerifyFull),
            ("postgres://localhost/k", SslMode::Prefer),
            ("postgres://127.0.0.2/k", SslMode::Prefer),
            ("postgres://[::1]/k", SslMode::Prefer),
            ("postgres:///k?host=/run/postgresql", SslMode::Disable),
            ("postgres://db/k?sslmode=require", SslMode::Require),
            ("postgres://localhost/k?sslmode=verify-full", SslMode::VerifyFull),
        ] {
            assert_eq!(address(url).sslmode, mode, "{url}");
        }
    }

    #[test]
    fn what_is_refused() {
        for (url, says) in [
            ("postgres://", "postgres://HOST"),
            ("postgres://db", "postgres://HOST"),
            ("postgres:///k", "postgres://HOST"),
            ("postgres://me:hush@db/k", "must not carry a password"),
            ("postgres://db/k?password=hush", "must not carry a password"),
            ("postgres://db/k?sslmode=allow", "sslmode is one of"),
            ("postgres://db/k?connect_timeout=hush", "\"connect_timeout\" is not known"),
            ("postgres://db/k?sslcert=/a", "given together"),
        ] {
            let error = url.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("hush"), "{url}: {error}");
        }
    }
}
