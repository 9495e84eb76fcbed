//! Limits of HTTP/2 that tonic leaves open by default, or wider than messages of 1 KiB need.

use std::time::Duration;

use tonic::transport::Server;

use crate::api::metadata;
use crate::config::ConnectionLimits;

/// The longest headers that are read, in bytes. Those of a call may have less.
const MAX_HEADERS: u32 = metadata::MAX_READ as u32;

/// A server within these limits.
pub(super) fn limited(limits: &ConnectionLimits) -> Server {
    let server = Server::builder()
        .max_concurrent_streams(limits.streams)
        // RUSTSEC-2024-0003: tonic passes "no limit" where hyper's own default has one.
        .http2_max_local_error_reset_streams(Some(256))
        .http2_max_pending_accept_reset_streams(Some(20))
        .http2_max_header_list_size(MAX_HEADERS)
        .max_frame_size(16 << 10)
        .initial_stream_window_size(64 << 10)
        // What a connection can make this server hold that nobody has read yet.
        .initial_connection_window_size(256 << 10)
        .http2_keepalive_interval(Some(limits.keepalive_interval))
        .http2_keepalive_timeout(Some(limits.keepalive_timeout));
    // Never with a grace: in tonic 0.14.9 that cuts the calls under way, without a GOAWAY.
    match limits.max_connection_age {
        Duration::ZERO => server,
        age => server.max_connection_age(age.mul_f64(rand::random_range(0.9..1.1))),
    }
}
