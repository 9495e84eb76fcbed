//! A line of the log for a file or a pipe, as tracing-subscriber writes it without colours, and at
//! a third of the cost: that one formats the colours that a value does not have, too.
//!
//! Lines of this program alone: their words are constants. What others say may hold escapes
//! of a terminal, which tracing-subscriber takes out.

use std::fmt::{self, Debug};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// What the targets of this program's lines begin with.
const OWN: &str = "sunmi_trade";

/// Writes lines.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Those of others.
    others: Format,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        if !metadata.target().starts_with(OWN) || context.lookup_current().is_some() {
            return self.others.format_event(context, writer, event);
        }
        SystemTime.format_time(&mut writer)?;
        writer.write_str(level(*metadata.level()))?;
        writer.write_str(metadata.target())?;
        writer.write_char(':')?;
        let mut fields = Fields { writer, written: Ok(()) };
        event.record(&mut fields);
        fields.written?;
        fields.writer.write_char('\n')
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => " ERROR ",
        Level::WARN => "  WARN ",
        Level::INFO => "  INFO ",
        Level::DEBUG => " DEBUG ",
        Level::TRACE => " TRACE ",
    }
}

/// Writes fields, each behind a blank. What is said comes first, without a name.
struct Fields<'a> {
    writer: Writer<'a>,
    written: fmt::Result,
}

impl Fields<'_> {
    fn write(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        let writer = &mut self.writer;
        let written = self.written.and_then(|()| {
            writer.write_char(' ')?;
            if field.name() != "message" {
                writer.write_str(field.name())?;
                writer.write_char('=')?;
            }
            value(writer)
        });
        self.written = written;
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, text: &str) {
        let plain = |byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        match text.bytes().all(plain) {
            true if field.name() == "message" => self.write(field, |to| to.write_str(text)),
            true => self.write(field, |to| {
                to.write_char('"')?;
                to.write_str(text)?;
                to.write_char('"')
            }),
            false => self.record_debug(field, &text),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.write(field, |to| write!(to, "{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex, PoisonError};

    use tracing_subscriber::fmt;
    use tracing_subscriber::fmt::time;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// What is written, kept.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Kept {
        /// The lines, without their times.
        fn lines(&self) -> Vec<String> {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            let since = |line: &str| line.split_once("Z ").expect("a time").1.to_owned();
            text.lines().map(since).collect()
        }
    }

    #[test]
    fn a_line_is_the_one_that_tracing_subscriber_writes_without_colours() {
        let (ours, theirs) = (Kept::default(), Kept::default());
        let (to, to_theirs) = (ours.clone(), theirs.clone());
        let subscriber = tracing_subscriber::registry()
            .with(
                fmt::layer()
                    .with_ansi(false)
                    .event_format(Line::default())
                    .with_writer(move || to.clone()),
            )
            .with(
                fmt::layer()
                    .with_ansi(false)
                    .with_timer(time::SystemTime)
                    .with_writer(move || to_theirs.clone()),
            );
        tracing::subscriber::with_default(subscriber, || {
            let error = io::Error::other("in vain");
            tracing::info!(
                rpc.method = "a/b",
                code = Some("OK"),
                none = None::<&str>,
                number = 1_u64,
                negative = -1,
                yes = true,
                half = 0.5,
                at = %"127.0.0.1:1",
                list = ?["a", "\n"],
                quoted = "\"a\\b\" '中'\t\u{7f}\u{1b}[0m",
                empty = "",
                "call"
            );
            tracing::warn!("nothing but words");
            tracing::error!(%error, r#type = "no words");
            tracing::debug!(a = 1, "low");
            tracing::trace!(a = 1, "lower");
            tracing::info!(target: "other", a = 1, "\u{1b}[0m of {}", "others");
            tracing::info_span!("span", a = 1).in_scope(|| tracing::info!(b = 2, "within"));
        });
        assert_eq!(ours.lines().len(), 7);
        assert_eq!(ours.lines(), theirs.lines());
    }
}
