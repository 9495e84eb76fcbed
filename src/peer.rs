//! Who is at the other end of a connection.

use std::net::SocketAddr;
use std::sync::Arc;

/// The other end of a connection. Every request of it carries this as an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Where it is.
    pub address: SocketAddr,
    /// What its certificate says that it is, if it showed one, which then was verified.
    pub identity: Option<Arc<PeerIdentity>>,
}

/// The names in a verified certificate of a client (its subject alternative names).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerIdentity {
    /// URIs, such as `spiffe://example.org/ns/shop/sa/till`.
    pub uris: Vec<String>,
    /// DNS names.
    pub dns_names: Vec<String>,
}
