//! What is told of this process while it runs: logs on standard error, one line an RPC, and
//! traces over OTLP where a collector is configured. Neither shows a secret, whatever the
//! filter lets through.

use std::io::{self, IsTerminal};
use std::panic::{self, PanicHookInfo};
use std::thread;

use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Level;
use tracing_subscriber::filter::{EnvFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};
use url::Url;

mod export;
mod identifiers;
mod line;
mod spans;

use crate::error::BoxError;
pub use identifiers::{Policy, shown};
use line::Line;
pub use spans::{Attempt, Destination, Trace};

/// What is told, how, and to whom.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The log.
    pub log: Log,
    /// The traces; none where there is no collector.
    pub traces: Option<Traces>,
}

/// How to log.
#[derive(Clone, Debug)]
pub struct Log {
    /// What a line looks like.
    pub format: Format,
    /// Which lines there are, as directives; `RUST_LOG` goes before it.
    pub filter: String,
    /// How identifiers of trades are shown.
    pub identifiers: Policy,
}

impl Default for Log {
    fn default() -> Self {
        let filter = "info".to_owned();
        Self { format: Format::Human, filter, identifiers: Policy::Full }
    }
}

/// What a line of the log looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For eyes.
    Human,
    /// A JSON object.
    Json,
}

/// Where traces go.
#[derive(Clone, Debug)]
pub struct Traces {
    /// A collector that speaks OTLP over gRPC.
    pub endpoint: Url,
    /// Which part of the traces that begin here is sent; a caller's trace goes by the caller.
    pub sample_ratio: f64,
    /// What this service is called there.
    pub service_name: String,
}

/// Whether this is a list of directives, such as `info,sunmi_trade=debug`.
pub fn is_filter(text: &str) -> bool {
    !text.is_empty() && EnvFilter::builder().parse(text).is_ok()
}

/// Starts logs and traces. Within a runtime, which the exporter lives on.
///
/// # Errors
/// If the collector's address cannot be used at all. Whether it answers is not waited for.
pub fn init(settings: &Settings, rust_log: Option<&str>) -> Result<Telemetry, BoxError> {
    identifiers::set(settings.log.identifiers);
    start_log(&settings.log, rust_log);
    panic::set_hook(Box::new(log_panic));
    let provider = settings.traces.as_ref().map(export::start).transpose()?;
    Ok(Telemetry { provider })
}

/// Logs and traces that run. At its end what is left of the traces is sent, if the collector
/// takes it soon.
#[derive(Debug)]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(provider) = &self.provider {
            // What cannot be sent by then is lost, which the exporter has logged.
            let _ = provider.shutdown_with_timeout(export::LAST_WAIT);
        }
    }
}

fn start_log(log: &Log, rust_log: Option<&str>) {
    let filter = rust_log.filter(|filter| !filter.is_empty()).unwrap_or(&log.filter);
    // Below this level libraries log what they read and write: headers with tokens, forms with
    // signatures. No filter lets that through.
    let own = Targets::new().with_default(Level::INFO).with_target("sunmi_trade", Level::TRACE);
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = match log.format {
        // Colours are for eyes: in a file or a pipe they are noise.
        Format::Human if io::stderr().is_terminal() => lines.boxed(),
        Format::Human => lines.with_ansi(false).event_format(Line::default()).boxed(),
        Format::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_ansi(false)
            .boxed(),
    };
    // A second call, as in tests, leaves the first one's logger in place.
    let _ = registry().with(own).with(EnvFilter::new(filter)).with(lines).try_init();
}

/// A panic is a line like any other. What it says can hold no secret: those cannot be printed.
fn log_panic(info: &PanicHookInfo<'_>) {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied();
    tracing::error!(
        thread = thread::current().name(),
        location = info.location().map(tracing::field::display),
        panic = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)),
        "panicked"
    );
}
