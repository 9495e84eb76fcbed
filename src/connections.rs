//! What is counted of the connections that callers make.

mod errors;

use std::sync::atomic::{AtomicU64, Ordering};

pub use errors::{Http2Error, Scope};

/// Why a connection was closed before it could be served. One whose caller left by itself is
/// none of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// There were as many as there may be, and all of them spoke.
    Full,
    /// It had not spoken yet, and another one needed its place.
    GaveWay,
    /// Its TLS handshake took too long.
    HandshakeTimeout,
    /// Its TLS handshake failed.
    HandshakeFailed,
    /// Its HTTP/2 preface took too long.
    PrefaceTimeout,
    /// It began with something else than the HTTP/2 preface.
    PrefaceMalformed,
}

impl Closed {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Full,
        Self::GaveWay,
        Self::HandshakeTimeout,
        Self::HandshakeFailed,
        Self::PrefaceTimeout,
        Self::PrefaceMalformed,
    ];

    /// Its name, as a label of a metric.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::GaveWay => "gave_way",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::HandshakeFailed => "handshake_failed",
            Self::PrefaceTimeout => "preface_timeout",
            Self::PrefaceMalformed => "preface_malformed",
        }
    }
}

/// The counts.
#[derive(Debug, Default)]
pub struct Connections {
    open: AtomicU64,
    accepted: AtomicU64,
    closed: [AtomicU64; Closed::ALL.len()],
    errors: [[AtomicU64; Http2Error::ALL.len()]; Scope::ALL.len()],
}

impl Connections {
    /// How many hold a place now, those that have not spoken yet included.
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// How many were ever taken from the port, those closed at once included.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// How many were closed for this reason.
    pub fn closed(&self, why: Closed) -> u64 {
        self.closed[why as usize].load(Ordering::Relaxed)
    }

    /// How often a caller was told this error.
    pub fn errors(&self, scope: Scope, error: Http2Error) -> u64 {
        self.errors[scope as usize][error as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn set_open(&self, open: u64) {
        self.open.store(open, Ordering::Relaxed);
    }

    pub(crate) fn count_accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_error(&self, scope: Scope, error: Http2Error) {
        self.errors[scope as usize][error as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_closed(&self, why: Closed) {
        self.closed[why as usize].fetch_add(1, Ordering::Relaxed);
    }
}
