//! Logs: for people on a terminal, JSON otherwise.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing_subscriber::{EnvFilter, filter::ParseError};

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
pub fn init(format: LogFormat, level: &str) -> Result<(), ParseError> {
    let mut filter = EnvFilter::try_new(level)?;
    if !level.contains("kube_client") {
        // It logs each request that fails, which whoever made the request tells as well.
        filter = filter.add_directive("kube_client::client::builder=off".parse()?);
    }
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
