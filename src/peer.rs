//! Who is at the other end of a connection.

use std::net::SocketAddr;
use std::sync::Arc;

/// The other end of a connection. Every request of it carries this as an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Where it is, as logs show it: written once for all its calls.
    pub address: Arc<str>,
    /// What its certificate says that it is, if it showed one, which then was verified.
    pub identity: Option<Arc<PeerIdentity>>,
}

impl Peer {
    /// The one there, and what its certificate says.
    pub fn new(address: SocketAddr, identity: Option<Arc<PeerIdentity>>) -> Self {
        Self { address: address.to_string().into(), identity }
    }
}

/// The names in a verified certificate of a client (its subject alternative names).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerIdentity {
    /// URIs, such as `spiffe://example.org/ns/shop/sa/till`.
    pub uris: Vec<String>,
    /// DNS names.
    pub dns_names: Vec<String>,
}
