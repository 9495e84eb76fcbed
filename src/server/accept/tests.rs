use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_stream::StreamExt;

use super::*;
use crate::config::{self, Sources};

/// What no test comes near unless something hangs.
const GUARD: Duration = Duration::from_secs(30);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A port that nobody serves from but the test.
struct Opened {
    address: SocketAddr,
    ready: Ready,
    connections: Arc<Connections>,
    tokens: Tokens,
}

async fn open(env: &[(&str, &str)]) -> Opened {
    let env = env.iter().map(|(name, value)| (format!("SUNMI_TRADE__{name}"), (*value).to_owned()));
    let sources = Sources { env: env.collect(), ..Sources::default() };
    let config = config::load(&sources, true).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(Connections::default());
    let tokens = Tokens { stop: CancellationToken::new(), cut: CancellationToken::new() };
    let tls = config.tls.files.as_ref().map(|files| Arc::new(files.load().unwrap().0));
    let port = Port::new(&config, tls, Arc::clone(&connections), tokens.clone());
    Opened { address, ready: port.open(listener), connections, tokens }
}

impl Opened {
    /// A connection on which this was said.
    async fn connect(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    async fn served(&mut self) -> Connection {
        let served = tokio::time::timeout(GUARD, self.ready.next()).await;
        let Ok(connection) = served.expect("one in time").expect("an open port");
        connection
    }

    /// Waits until so many hold a place.
    async fn holds(&self, open: u64) {
        let wait = async {
            while self.connections.open() != open {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(GUARD, wait).await.expect("so many in time");
    }
}

async fn closed(mut stream: TcpStream) {
    let end = async { while stream.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {} };
    tokio::time::timeout(GUARD, end).await.expect("a connection that is closed");
}

#[tokio::test]
async fn a_place_is_held_until_its_connection_ends() {
    let mut port = open(&[("LIMITS__CONNECTIONS", "2")]).await;
    let mute = port.connect(b"").await;
    port.holds(1).await;
    let _speaks = port.connect(PREFACE).await;
    let served = port.served().await;
    port.holds(2).await;
    drop(mute);
    port.holds(1).await;
    drop(served);
    port.holds(0).await;
    assert_eq!(port.connections.accepted(), 2);
    assert!(Closed::ALL.iter().all(|why| port.connections.closed(*why) == 0), "they left");
}

#[tokio::test]
async fn connections_that_are_closed_are_counted_by_why() {
    let mut port =
        open(&[("LIMITS__CONNECTIONS", "2"), ("LIMITS__PREFACE_TIMEOUT", "200ms")]).await;
    closed(port.connect(b"").await).await;
    closed(port.connect(b"GET / HTTP/1.1").await).await;
    let _speaks = port.connect(PREFACE).await;
    let first = port.served().await;
    let mute = port.connect(b"").await;
    port.holds(2).await;
    let _speaks_too = port.connect(PREFACE).await;
    let second = port.served().await;
    closed(mute).await;
    closed(port.connect(PREFACE).await).await;
    assert_eq!((port.connections.open(), port.connections.accepted()), (2, 6));
    // A slow machine may let the mute one's time run out before it has to give way.
    let count = |why| port.connections.closed(why);
    assert_eq!((count(Closed::PrefaceMalformed), count(Closed::Full)), (1, 1));
    assert_eq!(count(Closed::PrefaceTimeout) + count(Closed::GaveWay), 2);
    assert!(count(Closed::PrefaceTimeout) >= 1);
    drop((first, second));
}

/// The one that came first goes first.
#[tokio::test]
async fn a_crowd_that_says_nothing_holds_so_many_places_at_most() {
    let port = open(&[("LIMITS__CONNECTIONS", "16"), ("LIMITS__PREFACE_TIMEOUT", "1m")]).await;
    let mut crowd = Vec::new();
    for _ in 0..200 {
        crowd.push(port.connect(b"").await);
        assert!(port.connections.open() <= 16);
    }
    for first in crowd.drain(..200 - 16) {
        closed(first).await;
    }
    port.holds(16).await;
    assert_eq!(port.connections.closed(Closed::GaveWay), 200 - 16);
}

#[tokio::test]
async fn failed_and_slow_handshakes_are_counted() {
    let folder = std::env::temp_dir().join(format!("sunmi-trade-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::ExplicitNoCa;
    let issued = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let files = ["tls.crt", "tls.key"].map(|name| folder.join(name).to_str().unwrap().to_owned());
    std::fs::write(&files[0], issued.pem()).unwrap();
    std::fs::write(&files[1], issued.key().serialize_pem()).unwrap();
    let env = [
        ("TLS__CERTIFICATE_FILE", files[0].as_str()),
        ("TLS__KEY_FILE", &files[1]),
        ("TLS__HANDSHAKE_TIMEOUT", "200ms"),
    ];
    let port = open(&env).await;
    closed(port.connect(PREFACE).await).await;
    closed(port.connect(b"\x16\x03\x01").await).await;
    let left = port.connect(b"").await;
    drop(left);
    port.holds(0).await;
    assert_eq!(port.connections.closed(Closed::HandshakeFailed), 1);
    assert_eq!(port.connections.closed(Closed::HandshakeTimeout), 1);
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn what_is_served_can_be_cut() {
    let mut port = open(&[]).await;
    let speaks = port.connect(PREFACE).await;
    let mut served = port.served().await;
    let mut preface = [0; PREFACE.len()];
    served.read_exact(&mut preface).await.unwrap();
    assert_eq!(preface, PREFACE);
    let (cut, wait) = (port.tokens.cut.clone(), served.read(&mut preface));
    let (cut_off, ()) = tokio::join!(wait, async { cut.cancel() });
    assert_eq!(cut_off.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    served.write_all(b"x").await.expect_err("a connection that is cut");
    drop(served);
    closed(speaks).await;
}
