//! Where a call comes from, as its headers and its connection tell it, for the log and the
//! trace.

use std::sync::Arc;

use http::{HeaderMap, Request};
use tonic::body::Body;

use crate::peer::Peer;
use crate::telemetry::Trace;
use crate::trade::Method;

/// Where a call comes from.
#[derive(Debug)]
pub(super) struct Origin {
    /// The caller's id of the call, or a new one.
    pub(super) request_id: String,
    /// The other end of its connection.
    pub(super) peer: Option<Arc<str>>,
    /// The how-manyeth attempt of a proxy's or a client's it is, if not the first.
    pub(super) repeat: Option<u16>,
    /// Its place in a trace.
    pub(super) trace: Trace,
}

impl Origin {
    /// That of this request.
    pub(super) fn of(request: &Request<Body>, method: Method) -> Self {
        let headers = request.headers();
        let peer = request.extensions().get::<Peer>().map(|peer| Arc::clone(&peer.address));
        Self {
            request_id: request_id(headers),
            peer,
            repeat: repeat(headers),
            trace: Trace::of_call(method.full_name(), headers),
        }
    }
}

/// The caller's id of the call, if it has one that can be shown, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    headers
        .get("x-request-id")
        .and_then(|value| value.to_str().ok())
        .filter(|id| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()))
        .map_or_else(new_id, str::to_owned)
}

/// A random UUID. Of the thread's generator, which seldom asks the system, as uuid's own does for
/// each one: it need not be secret.
fn new_id() -> String {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid().to_string()
}

/// Which attempt it is, as Envoy counts its own or a gRPC client its earlier ones.
fn repeat(headers: &HeaderMap) -> Option<u16> {
    let number = |name| headers.get(name)?.to_str().ok()?.parse::<u16>().ok();
    let by_envoy = number("x-envoy-attempt-count");
    let by_client = number("grpc-previous-rpc-attempts").map(|earlier| earlier.saturating_add(1));
    by_envoy.max(by_client).filter(|attempt| *attempt > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeat_is_known_by_numbers_alone() {
        for (envoy, client, expected) in [
            ("1", "", None),
            ("2", "", Some(2)),
            ("", "1", Some(2)),
            ("3", "1", Some(3)),
            ("", "65535", Some(65535)),
            ("99999999", "x", None),
            ("-2", " ", None),
        ] {
            let headers =
                [("x-envoy-attempt-count", envoy), ("grpc-previous-rpc-attempts", client)];
            let headers = headers.into_iter().filter(|(_, value)| !value.is_empty());
            let headers = headers.map(|(name, value)| {
                (http::HeaderName::from_static(name), value.parse().expect("a value"))
            });
            assert_eq!(repeat(&headers.collect()), expected, "{envoy} {client}");
        }
    }
}
