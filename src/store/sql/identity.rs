//! The store's own identity, made with it: another one is another store.

/// Keeps the id that is there, if there is one.
pub(super) const INSERT: &str =
    "INSERT INTO meta (name, value) VALUES ('store_id', $1) ON CONFLICT (name) DO NOTHING";
pub(super) const SELECT: &str = "SELECT value FROM meta WHERE name = 'store_id'";

/// 16 random bytes in hexadecimal.
pub(super) fn new() -> Result<String, sqlx::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| sqlx::Error::Io(error.into()))?;
    Ok(base16ct::lower::encode_string(&bytes))
}
