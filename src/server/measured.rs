//! What is measured of the port.

use std::sync::Arc;

use crate::connections::{Closed, Connections};
use crate::error::BoxError;
use crate::metrics::{Metrics, Pulled, Type};
use crate::tls::Tls;

/// Shows the connections, and when the certificate of `tls` expires, among the metrics.
pub(super) fn pull(
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

    let tls = tls.cloned();
    let expiry = (
        "sunmi_tls_certificate_expiry_seconds",
        "When the certificate that the port shows expires, in seconds since 1970.",
    );
    metrics.pull(Pulled::new(Type::Gauge, expiry, [], move || {
        tls.iter().map(|tls| ([], tls.expiry() as f64)).collect()
    })?)
}
