//! What was read again from files.

use super::Metrics;
use super::pulled::{Pulled, Type};
use crate::error::BoxError;
use crate::reload::Kind;

pub(super) fn pull(metrics: &Metrics) -> Result<(), BoxError> {
    let reloads = ("sunmi_reload_total", "Files that changed, by whether they could be used.");
    let counts = metrics.reloads();
    metrics.pull(Pulled::new(Type::Counter, reloads, ["kind", "result"], move || {
        let of = |kind: Kind| {
            let results = [("ok", counts.loaded(kind)), ("error", counts.failed(kind))];
            results.map(|(result, count)| ([kind.name(), result], count as f64))
        };
        Kind::ALL.into_iter().flat_map(of).collect()
    })?)?;
    let stale = ("sunmi_reload_stale", "Whether what some files hold now is not in force.");
    let counts = metrics.reloads();
    metrics.pull(Pulled::new(Type::Gauge, stale, ["kind"], move || {
        let of = |kind: Kind| ([kind.name()], f64::from(u8::from(counts.stale(kind))));
        Kind::ALL.into_iter().map(of).collect()
    })?)
}
