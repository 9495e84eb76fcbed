//! What the port lets callers do.

use std::time::Duration;

use super::source::Reader;
use super::{DAY, ms, s};
use crate::api::CallLimits;

/// Limits of connections.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// How many there may be.
    pub connections: u32,
    /// How long one may take to begin to speak HTTP/2.
    pub preface_timeout: Duration,
    /// How many calls may be under way on one.
    pub streams: u32,
    /// How often one is asked whether its caller is still there.
    pub keepalive_interval: Duration,
    /// How long the answer to that may take.
    pub keepalive_timeout: Duration,
    /// After how long callers are asked to make a new one; zero: never.
    pub max_connection_age: Duration,
}

pub(super) fn read(reader: &mut Reader) -> ConnectionLimits {
    ConnectionLimits {
        connections: reader.count("limits.connections", 1..=1_000_000, 4096),
        preface_timeout: reader.duration("limits.preface_timeout", ms(10)..=s(60), s(5)),
        streams: reader.count("limits.streams", 1..=10_000, 128),
        keepalive_interval: reader.duration("limits.keepalive_interval", ms(10)..=s(3600), s(60)),
        keepalive_timeout: reader.duration("limits.keepalive_timeout", ms(10)..=s(600), s(20)),
        max_connection_age: reader.duration("limits.max_connection_age", s(0)..=s(30 * DAY), s(0)),
    }
}

pub(super) fn calls(reader: &mut Reader) -> CallLimits {
    CallLimits {
        calls: reader.count("limits.calls", 1..=1_000_000, 10_000),
        message_timeout: reader.duration("limits.message_timeout", ms(10)..=s(60), s(2)),
    }
}
