//! Takes connections in. What has to happen before one is served, the TLS handshake and the
//! preface of HTTP/2, happens beside the others, within its time, and in a bounded place.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::connection::{Connection, NoPreface, Stream};
use crate::config::Config;
use crate::connections::{Closed, Connections};
use crate::deadline::Deadline;
use crate::peer::{Peer, PeerIdentity};
use crate::places::{Place, Places};
use crate::tls::{self, Tls};

/// How long to wait when no connection can be taken, say for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// How often is told of what may go on and on.
const TELL: Duration = Duration::from_secs(1);

/// How a port takes connections in. Clones share everything.
#[derive(Clone, Debug)]
pub(super) struct Port {
    tls: Option<Arc<Tls>>,
    handshake_timeout: Duration,
    preface_timeout: Duration,
    places: Arc<Places>,
    connections: Arc<Connections>,
    tokens: Tokens,
    /// When a handshake that failed was last told of.
    refused: Arc<Mutex<Seldom>>,
}

/// How a port is told to end.
#[derive(Clone, Debug)]
pub(super) struct Tokens {
    /// It takes no more in, and drops what is not yet served.
    pub(super) stop: CancellationToken,
    /// It cuts what is served.
    pub(super) cut: CancellationToken,
}

/// Connections that are ready to be served.
pub(super) type Ready = ReceiverStream<Result<Connection, Infallible>>;

impl Port {
    /// One that counts its `connections`.
    pub(super) fn new(
        config: &Config,
        tls: Option<Arc<Tls>>,
        connections: Arc<Connections>,
        tokens: Tokens,
    ) -> Self {
        Self {
            tls,
            handshake_timeout: config.tls.handshake_timeout,
            preface_timeout: config.limits.preface_timeout,
            places: Places::new(config.limits.connections, Arc::clone(&connections)),
            connections,
            tokens,
            refused: Arc::default(),
        }
    }

    /// Takes connections from `listener` until it is to stop.
    pub(super) fn open(self, listener: TcpListener) -> Ready {
        let (ready, served) = mpsc::channel(1);
        tokio::spawn(self.accept(listener, ready));
        ReceiverStream::new(served)
    }

    async fn accept(
        self,
        listener: TcpListener,
        ready: mpsc::Sender<Result<Connection, Infallible>>,
    ) {
        // Those that are not yet served. They end with this.
        let mut arriving = JoinSet::new();
        let (mut failing, mut full) = (Seldom::default(), Seldom::default());
        loop {
            tokio::select! {
                () = self.tokens.stop.cancelled() => return,
                Some(_) = arriving.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, address)) => {
                        self.connections.count_accepted();
                        match self.places.take().await {
                            Some(place) => {
                                let arrival = Arrival { stream, address, place };
                                arriving.spawn(self.clone().arrive(arrival, ready.clone()));
                            }
                            None => {
                                self.connections.count_closed(Closed::Full);
                                if let Some(left_out) = full.now() {
                                    let why = Closed::Full.name();
                                    tracing::warn!(%address, why, left_out, "closed a connection");
                                }
                            }
                        }
                    }
                    Err(error) => pause(&error, &mut failing).await,
                },
            }
        }
    }

    /// Brings a connection to where it can be served, or closes it.
    async fn arrive(self, arrival: Arrival, ready: mpsc::Sender<Result<Connection, Infallible>>) {
        let Arrival { stream, address, place } = arrival;
        let prepared = tokio::select! {
            // First: what has to go has no place any more.
            biased;
            () = place.must_go() => Err(Gone::Closed(Closed::GaveWay)),
            prepared = self.prepare(stream, address) => prepared,
        };
        let prepared = match prepared {
            Ok(_) if !place.stay() => Err(Gone::Closed(Closed::GaveWay)),
            prepared => prepared,
        };
        match prepared {
            Ok((stream, identity)) => {
                let peer = Peer::new(address, identity);
                let errors = Arc::clone(&self.connections);
                let connection = Connection::new(stream, peer, place, &self.tokens.cut, errors);
                // Nobody serves any more: then it is closed.
                let _ = ready.send(Ok(connection)).await;
            }
            Err(Gone::Closed(why)) => {
                self.connections.count_closed(why);
                tracing::debug!(%address, why = why.name(), "closed a connection");
            }
            Err(Gone::Left) => {}
        }
    }

    async fn prepare(&self, stream: TcpStream, address: SocketAddr) -> Result<Prepared, Gone> {
        // Small messages must not wait for each other. It fails on a connection that is gone.
        stream.set_nodelay(true).map_err(|_| Gone::Left)?;
        let (mut stream, identity) = match &self.tls {
            Some(tls) => self.handshake(tls, stream, address).await?,
            None => (Stream::Plain(stream), None),
        };
        match Deadline::after(self.preface_timeout).bound(stream.preface()).await {
            Some(Ok(())) => Ok((stream, identity)),
            Some(Err(NoPreface::Left)) => Err(Gone::Left),
            Some(Err(NoPreface::Other)) => Err(Gone::Closed(Closed::PrefaceMalformed)),
            None => Err(Gone::Closed(Closed::PrefaceTimeout)),
        }
    }

    async fn handshake(
        &self,
        tls: &Tls,
        stream: TcpStream,
        address: SocketAddr,
    ) -> Result<Prepared, Gone> {
        let handshake = TlsAcceptor::from(tls.config()).accept(stream);
        let stream = match Deadline::after(self.handshake_timeout).bound(handshake).await {
            Some(Ok(stream)) => stream,
            // So rustls tells what it does not accept; all else is the connection's own.
            Some(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                self.tell_of_handshake(address, &error);
                return Err(Gone::Closed(Closed::HandshakeFailed));
            }
            Some(Err(_)) => return Err(Gone::Left),
            None => {
                self.tell_of_handshake(address, &"it took too long");
                return Err(Gone::Closed(Closed::HandshakeTimeout));
            }
        };
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let identity = shown.map(|certificate| Arc::new(tls::identity(certificate)));
        Ok((Stream::Tls(Box::new(stream)), identity))
    }

    /// Tells why a handshake failed, but not of each: whoever reaches the port can make any number.
    fn tell_of_handshake(&self, address: SocketAddr, error: &dyn fmt::Display) {
        let due = self.refused.lock().unwrap_or_else(PoisonError::into_inner).now();
        if let Some(left_out) = due {
            tracing::warn!(%address, %error, left_out, "a TLS handshake failed");
        }
    }
}

/// A connection that is not yet served.
struct Arrival {
    stream: TcpStream,
    address: SocketAddr,
    place: Place,
}

/// A connection whose preface was read, and who showed a certificate on it.
type Prepared = (Stream, Option<Arc<PeerIdentity>>);

/// Why a connection is not served.
enum Gone {
    Closed(Closed),
    /// By itself.
    Left,
}

/// A failure to take a connection is no reason to take no more. Some go on until something
/// else ends, so that to try again at once would only keep a core busy.
async fn pause(error: &io::Error, failing: &mut Seldom) {
    let of_one = [
        io::ErrorKind::ConnectionAborted,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::Interrupted,
    ];
    if of_one.contains(&error.kind()) {
        return;
    }
    if let Some(left_out) = failing.now() {
        tracing::warn!(%error, left_out, "cannot take a connection");
    }
    tokio::time::sleep(PAUSE).await;
}

/// When something was last told of, and how often it was not since.
#[derive(Debug, Default)]
struct Seldom {
    last: Option<Instant>,
    left_out: u64,
}

impl Seldom {
    /// How often it was left out, if it is time to tell of it again, which is noted then.
    fn now(&mut self) -> Option<u64> {
        if self.last.is_some_and(|last| last.elapsed() < TELL) {
            self.left_out += 1;
            return None;
        }
        self.last = Some(Instant::now());
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests;
