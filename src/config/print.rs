//! The configuration in words, for `check-config`.

use std::fmt::Display;
use std::time::Duration;

use super::{Config, DAY, Upstream};

impl Config {
    /// The configuration as the TOML file that would give it, with secrets redacted.
    pub fn to_toml(&self) -> String {
        let mut lines = vec![
            line("listen", quoted(self.listen)),
            line("admin_listen", quoted(self.admin_listen)),
        ];
        if let Some(id) = self.credentials.default_app_id() {
            lines.push(line("default_app_id", quoted(id)));
        }
        lines.push("\n[upstream]".to_owned());
        match &self.upstream {
            Upstream::Sandbox => lines.push("# the built-in sandbox".to_owned()),
            Upstream::Environment { name, base_url } => {
                lines.push(line("environment", quoted(name)));
                let comment = if *name == "custom" { "" } else { "# " };
                lines.push(format!("{comment}{}", line("base_url", quoted(base_url))));
            }
        }
        if let Some(proxy) = &self.proxy {
            lines.push(line("proxy", quoted(proxy)));
        }
        lines.extend([
            line("connect_timeout", duration(self.connect_timeout)),
            line("attempt_timeout", duration(self.attempt_timeout)),
            line("max_in_flight", self.max_in_flight),
            "\n[deadlines]".to_owned(),
            line("default", duration(self.deadlines.default)),
            line("max", duration(self.deadlines.max)),
            line("reserve", duration(self.deadlines.reserve)),
            "\n[retry]".to_owned(),
            line("max_attempts", self.retry.max_attempts),
            line("base_delay", duration(self.retry.base)),
            line("max_delay", duration(self.retry.cap)),
            "\n[refund]".to_owned(),
            line("min_left", duration(self.refund.min_left)),
            line("ceiling", duration(self.refund.ceiling)),
            line("ledger", quoted(self.ledger.shown())),
            line("settle_window", duration(self.refund.settle_window)),
            line("retention", duration(self.refund.retention)),
            "\n[shutdown]".to_owned(),
            line("delay", duration(self.shutdown.delay)),
            line("drain", duration(self.shutdown.drain)),
        ]);
        for credential in self.credentials.iter() {
            lines.push("\n[[credentials]]".to_owned());
            lines.push(line("app_id", quoted(&credential.app_id)));
            lines.push(line("app_key", quoted("[redacted]")));
        }
        lines.join("\n") + "\n"
    }
}

fn line(key: &str, value: impl Display) -> String {
    format!("{key} = {value}")
}

fn quoted(text: impl Display) -> String {
    toml::Value::String(text.to_string()).to_string()
}

/// Whole days as days: humantime would make months and years of them, in hours and seconds.
fn duration(duration: Duration) -> String {
    let (days, rest) = (duration.as_secs() / DAY, duration.as_secs() % DAY);
    match rest {
        0 if days > 0 && duration.subsec_nanos() == 0 => quoted(format!("{days}d")),
        _ => quoted(humantime::format_duration(duration)),
    }
}
