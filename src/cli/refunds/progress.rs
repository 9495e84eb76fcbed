//! How far a long work is, on a terminal.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

/// What is over sooner shows nothing.
const LONG: Duration = Duration::from_millis(700);

/// A bar on standard error, if that is a terminal, which goes when it is dropped.
pub(super) struct Progress {
    bar: ProgressBar,
    begun: Instant,
    /// Whether it may still come.
    waits: bool,
}

/// Whether there can be a bar.
pub(super) fn is_seen() -> bool {
    stderr().is_terminal()
}

impl Progress {
    /// One of so many of these things, if that is known.
    pub(super) fn of(things: &str, total: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        let how = match total {
            Some(_) => "{bar:30} {human_pos} of {human_len} ",
            None => "{spinner} {human_pos} ",
        };
        let style = ProgressStyle::with_template(&format!("{how}{things}, {{elapsed}}"));
        let bar = style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style));
        Self { bar, begun: Instant::now(), waits: is_seen() }
    }

    /// None that is ever seen.
    pub(super) fn hidden() -> Self {
        let mut progress = Self::of("", None);
        progress.waits = false;
        progress
    }

    /// So many more are done.
    pub(super) fn advance(&mut self, by: u64) {
        if self.waits && self.begun.elapsed() > LONG {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.waits = false;
        }
        self.bar.inc(by);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
