//! Logs: for people on a terminal, JSON otherwise.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging to standard error. `level` is a level or a list of
/// `target=level`, as `tracing-subscriber` reads them.
///
/// # Errors
/// `level` cannot be read.
pub fn init(format: LogFormat, level: &str) -> Result<(), String> {
    let filter = if level.contains("kube_client") {
        filter(level)?
    } else {
        // It logs each request that fails, which whoever made the request tells as well.
        filter(&format!("{level},kube_client::client::builder=off"))?
    };
    let text = match format {
        LogFormat::Auto => io::stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // A second initialisation, in tests that run two operators, keeps the first.
    let _ = if text {
        builder.with_target(false).with_ansi(io::stderr().is_terminal()).try_init()
    } else {
        builder.json().with_current_span(true).with_span_list(false).flatten_event(true).try_init()
    };
    Ok(())
}

/// A word that stands alone is a level. To the library it might be a target: a level that is misspelt would be one
/// of which nothing is logged, nor of any other.
fn filter(level: &str) -> Result<EnvFilter, String> {
    for word in level.split(',').map(str::trim) {
        if !word.is_empty() && !word.contains(['=', '[']) && word.parse::<LevelFilter>().is_err() {
            return Err(format!("{word} is no level: take error, warn, info, debug, trace or off"));
        }
    }
    EnvFilter::try_new(level).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_is_misspelt_is_no_target() {
        for well in ["info", "WARN", "off", "info,keyreeve=debug", "keyreeve::store=trace"] {
            assert!(filter(well).is_ok(), "{well}");
        }
        for wrong in ["wran", "info,keyreeve", "keyreeve=loud"] {
            assert!(filter(wrong).is_err(), "{wrong}");
        }
    }
}
