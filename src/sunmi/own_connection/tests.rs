use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::sunmi::connector::{Connector, tls};
use crate::sunmi::params::{AppKey, Params};
use crate::sunmi::wire::{Transport, Wire, WireConfig};

mod proxies;

const GUARD: Duration = Duration::from_secs(30);
const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
const PATH: &str = "/v1/trade/refund";

fn config(base_url: &str, proxy: Option<SocketAddr>) -> WireConfig {
    WireConfig {
        base_url: base_url.parse().unwrap(),
        connect_timeout: GUARD,
        attempt_timeout: GUARD,
        proxy: proxy.map(|at| format!("http://us%40er:pass@{at}").parse().unwrap()),
    }
}

fn form() -> SignedForm {
    Params::from_iter([("msn", "M1")]).sign(&AppKey::new("key".to_owned()))
}

/// A listener on a port of its own, and where it is.
async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn connect(config: &WireConfig, tls: ClientConfig) -> Result<Own, BoxError> {
    let line = Connector::new(config, tls)?.connect().await?;
    Ok(Own::new(line, config.base_url.clone(), config.attempt_timeout))
}

/// A connection in plain text, and its other end.
async fn plain() -> (Own, TcpStream) {
    let (listener, address) = listener().await;
    let config = config(&format!("http://{address}"), None);
    let own = connect(&config, tls(&config.base_url).unwrap()).await.unwrap();
    (own, listener.accept().await.unwrap().0)
}

/// A certificate for localhost: who shows it, and who trusts it.
fn certificate() -> (TlsAcceptor, ClientConfig) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = CertificateDer::from(cert);
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    // Installs the provider of cryptography.
    let mut trusting = tls(&"http://localhost".parse().unwrap()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let alpn_protocols = std::mem::take(&mut trusting.alpn_protocols);
    trusting = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    trusting.alpn_protocols = alpn_protocols;
    let server = ServerConfig::builder().with_no_client_auth();
    let mut server = server.with_single_cert(vec![certificate], key).unwrap();
    server.alpn_protocols = vec!["h2".into(), "http/1.1".into()];
    (TlsAcceptor::from(Arc::new(server)), trusting)
}

/// What is sent to this end up to the end of its head, and that many bytes of a body.
async fn read(stream: &mut (impl AsyncRead + Unpin), body: usize) -> String {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "an early end");
    };
    while bytes.len() < end + body {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "an early end");
    }
    String::from_utf8(bytes).unwrap()
}

/// The body of the form, as long as it is.
fn body() -> String {
    form().into_body()
}

/// Reads a request, and answers.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> String {
    let request = read(&mut stream, body().len()).await;
    stream.write_all(REPLY).await.unwrap();
    stream.flush().await.unwrap();
    request
}

/// A request's lines, without the order of its headers.
fn lines(request: &str) -> (&str, Vec<&str>) {
    let (first, rest) = request.split_once("\r\n").unwrap();
    let mut rest: Vec<_> = rest.split("\r\n").collect();
    rest.sort_unstable();
    (first, rest)
}

async fn post(own: Own) -> Result<HttpReply, SendError> {
    let posted = Box::new(own).post(PATH, form());
    tokio::time::timeout(GUARD, posted).await.expect("an answer in time")
}

#[tokio::test]
async fn on_the_wire_a_refund_is_as_a_read_but_that_its_connection_is_closed() {
    for base in ["", "/base/"] {
        let (listener, address) = listener().await;
        let wire = Wire::new(&config(&format!("http://{address}{base}"), None)).unwrap();
        let served = async {
            let pooled = answer(listener.accept().await.unwrap().0).await;
            let mut stream = listener.accept().await.unwrap().0;
            let own = answer(&mut stream).await;
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "it is closed");
            (pooled, own)
        };
        let called = async {
            wire.post(PATH, form()).await.unwrap();
            let own = wire.connect().await.unwrap();
            own.post(PATH, form()).await.unwrap();
        };
        let ((pooled, own), ()) = tokio::join!(served, called);
        let own = own.replace("connection: close\r\n", "");
        assert_eq!(lines(&pooled), lines(&own));
        assert!(own.ends_with(&body()), "{own}");
    }
}

#[tokio::test]
async fn a_connection_is_open_until_the_other_side_ends_it_or_talks_unasked() {
    let (mut own, other) = plain().await;
    assert!(own.is_open());
    drop(other);
    own.line.stream.socket().readable().await.unwrap();
    assert!(!own.is_open());

    let (mut own, mut other) = plain().await;
    other.write_all(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    own.line.stream.socket().readable().await.unwrap();
    assert!(!own.is_open());

    let (mut own, other) = plain().await;
    SockRef::from(&other).set_linger(Some(Duration::ZERO)).unwrap();
    drop(other);
    own.line.stream.socket().readable().await.unwrap();
    assert!(!own.is_open());
}

#[tokio::test]
async fn what_is_posted_on_a_connection_that_was_closed_was_not_sent() {
    let (own, other) = plain().await;
    drop(other);
    own.line.stream.socket().readable().await.unwrap();
    let error = post(own).await.unwrap_err();
    assert!(matches!(error, SendError::NotSent(_)), "{error:?}");
}

#[tokio::test]
async fn what_is_posted_may_have_been_sent_however_the_connection_ends() {
    for said in ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", "220 mail\r\n"] {
        for resets in [false, true] {
            let (own, mut other) = plain().await;
            let served = async move {
                read(&mut other, body().len()).await;
                other.write_all(said.as_bytes()).await.unwrap();
                if resets {
                    SockRef::from(&other).set_linger(Some(Duration::ZERO)).unwrap();
                }
            };
            let (error, ()) = tokio::join!(post(own), served);
            assert!(matches!(error, Err(SendError::MaybeSent(_))), "{said} {error:?}");
        }
    }
}

#[tokio::test]
async fn a_reply_that_does_not_come_in_time_is_a_doubt() {
    let (mut own, _other) = plain().await;
    own.attempt_timeout = Duration::from_millis(50);
    assert_eq!(post(own).await.unwrap_err().name(), "timeout");
}

#[tokio::test]
async fn tickets_of_tls_are_no_end_and_no_reply_and_its_close_is_an_end() {
    let (acceptor, trusting) = certificate();
    for closes in [true, false] {
        let (listener, address) = listener().await;
        let config = config(&format!("https://localhost:{}", address.port()), None);
        let accepted = async { acceptor.accept(listener.accept().await.unwrap().0).await.unwrap() };
        let (own, mut other) = tokio::join!(connect(&config, trusting.clone()), accepted);
        let mut own = own.unwrap();
        assert_eq!(other.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        // The server's tickets.
        own.line.stream.socket().readable().await.unwrap();
        assert!(own.is_open());
        if closes {
            other.shutdown().await.unwrap();
            own.line.stream.socket().readable().await.unwrap();
            assert!(!own.is_open());
        } else {
            let (reply, request) = tokio::join!(post(own), answer(other));
            assert_eq!(reply.unwrap().status, 200);
            assert!(request.starts_with("POST /v1/trade/refund HTTP/1.1\r\n"), "{request}");
        }
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_makes_no_connection() {
    let (acceptor, _) = certificate();
    let (_, trusting_another) = certificate();
    let (listener, address) = listener().await;
    let config = config(&format!("https://localhost:{}", address.port()), None);
    let accepted = async { acceptor.accept(listener.accept().await.unwrap().0).await.map(drop) };
    let (own, accepted) = tokio::join!(connect(&config, trusting_another), accepted);
    own.map(drop).unwrap_err();
    accepted.unwrap_err();
}
