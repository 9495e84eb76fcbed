//! What is measured of the port and of files.

use std::sync::Arc;

use crate::connections::{Closed, Connections, Http2Error, Scope};
use crate::error::BoxError;
use crate::metrics::{Metrics, Pulled, Type};
use crate::reload::{Counts, Kind};
use crate::tls::Tls;

/// Shows the connections, and when the certificate of `tls` expires, among the metrics.
pub(super) fn pull_port(
    metrics: &Metrics,
    connections: &Arc<Connections>,
    tls: Option<&Arc<Tls>>,
) -> Result<(), BoxError> {
    let of = Arc::clone(connections);
    let open =
        ("sunmi_connections_open", "Connections to the port, those not yet served included.");
    metrics.pull(Pulled::new(Type::Gauge, open, [], move || vec![([], of.open() as f64)])?)?;

    let of = Arc::clone(connections);
    let accepted =
        ("sunmi_connections_accepted_total", "Connections that were taken from the port.");
    metrics.pull(Pulled::new(Type::Counter, accepted, [], move || {
        vec![([], of.accepted() as f64)]
    })?)?;

    let of = Arc::clone(connections);
    let closed = (
        "sunmi_connections_closed_total",
        "Connections that were closed before they could be served, by why.",
    );
    metrics.pull(Pulled::new(Type::Counter, closed, ["reason"], move || {
        Closed::ALL.map(|why| ([why.name()], of.closed(why) as f64)).into()
    })?)?;

    let of = Arc::clone(connections);
    let errors = (
        "sunmi_http2_errors_total",
        "Errors of HTTP/2 that callers were told, by what they ended.",
    );
    metrics.pull(Pulled::new(Type::Counter, errors, ["scope", "error"], move || {
        let of = |scope: Scope| {
            Http2Error::ALL.map(|it| ([scope.name(), it.name()], of.errors(scope, it) as f64))
        };
        Scope::ALL.into_iter().flat_map(of).collect()
    })?)?;

    let tls = tls.cloned();
    let expiry = (
        "sunmi_tls_certificate_expiry_seconds",
        "When the certificate that the port shows expires, in seconds since 1970.",
    );
    metrics.pull(Pulled::new(Type::Gauge, expiry, [], move || {
        tls.iter().map(|tls| ([], tls.expiry() as f64)).collect()
    })?)
}

/// Shows among the metrics what was read again from files. Gives where that is counted.
pub(super) fn pull_reloads(metrics: &Metrics) -> Result<Arc<Counts>, BoxError> {
    let counts = Arc::new(Counts::default());
    let of = Arc::clone(&counts);
    let reloads = ("sunmi_reload_total", "Files that changed, by whether they could be used.");
    metrics.pull(Pulled::new(Type::Counter, reloads, ["kind", "result"], move || {
        let of = |kind: Kind| {
            let results = [("ok", of.loaded(kind)), ("error", of.failed(kind))];
            results.map(|(result, count)| ([kind.name(), result], count as f64))
        };
        Kind::ALL.into_iter().flat_map(of).collect()
    })?)?;

    let of = Arc::clone(&counts);
    let stale = ("sunmi_reload_stale", "Whether what some files hold now is not in force.");
    metrics.pull(Pulled::new(Type::Gauge, stale, ["kind"], move || {
        let of = |kind: Kind| ([kind.name()], f64::from(u8::from(of.stale(kind))));
        Kind::ALL.into_iter().map(of).collect()
    })?)?;
    Ok(counts)
}
