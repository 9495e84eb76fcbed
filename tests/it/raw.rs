//! A gRPC call on bare HTTP/2. It has no clock of its own, unlike tonic's client, so what it
//! gets is the server's word; and it can stop half way.

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::ResponseFuture;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request};
use prost::Message;
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Code, Status};

use crate::server::GUARD;

/// A request message as it is framed on the wire.
pub(crate) fn framed(message: &impl Message) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.encoded_len()).unwrap());
    message.encode(&mut frame).unwrap();
    frame.freeze()
}

/// Calls a method of the trade service and returns its status.
pub(crate) async fn call(
    address: SocketAddr,
    method: &str,
    headers: &[(&'static str, &str)],
    body: Bytes,
) -> Status {
    let exchange = exchange(address, method, headers, (body, true));
    tokio::time::timeout(GUARD, exchange).await.expect("an answer")
}

/// The same, but after `part` of the body nothing more comes, and no end.
pub(crate) async fn call_without_end(
    address: SocketAddr,
    method: &str,
    headers: &[(&'static str, &str)],
    part: Bytes,
) -> Status {
    let exchange = exchange(address, method, headers, (part, false));
    tokio::time::timeout(GUARD, exchange).await.expect("an answer")
}

async fn exchange(
    address: SocketAddr,
    method: &str,
    headers: &[(&'static str, &str)],
    (body, end): (Bytes, bool),
) -> Status {
    let answer = send(address, method, headers, (body, end)).await.headers().await.rest().await;
    answer.status().expect("a status")
}

/// A call that was sent, maybe not to its end.
pub(crate) struct Sent {
    response: ResponseFuture,
    request: SendStream<Bytes>,
    connection: AbortOnDropHandle<Result<(), h2::Error>>,
}

/// A call whose response headers are here. Its request may still be written.
pub(crate) struct Begun {
    pub(crate) headers: HeaderMap,
    pub(crate) request: SendStream<Bytes>,
    body: RecvStream,
    _connection: AbortOnDropHandle<Result<(), h2::Error>>,
}

/// All that a call was answered.
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) trailers: Option<HeaderMap>,
}

/// Sends a call of the trade service, and nothing after `body` if that is not its `end`.
pub(crate) async fn send(
    address: SocketAddr,
    method: &str,
    headers: &[(&'static str, &str)],
    body: (Bytes, bool),
) -> Sent {
    let path = format!("/sunmi.trade.v1.TradeService/{method}");
    send_to(address, &path, headers, body).await
}

/// The same to any path.
pub(crate) async fn send_to(
    address: SocketAddr,
    path: &str,
    headers: &[(&'static str, &str)],
    (body, end): (Bytes, bool),
) -> Sent {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let mut request = Request::post(format!("http://{address}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (response, mut request) = client.send_request(request.body(()).unwrap(), false).unwrap();
    request.send_data(body, end).unwrap();
    Sent { response, request, connection }
}

/// The HTTP status of a Refund that is sent by this method and as this type.
pub(crate) async fn http_status(
    address: SocketAddr,
    (method, content_type): (&str, Option<&str>),
    body: Bytes,
) -> u16 {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let mut request = Request::builder()
        .method(method)
        .uri(format!("http://{address}/sunmi.trade.v1.TradeService/Refund"));
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    let (response, mut request) = client.send_request(request.body(()).unwrap(), false).unwrap();
    // It may be answered before it is read.
    let _ = request.send_data(body, true);
    let (parts, mut body) = response.await.unwrap().into_parts();
    // To its end: a Refund's headers come before anything is sent.
    while let Some(chunk) = body.data().await {
        let read = chunk.unwrap().len();
        body.flow_control().release_capacity(read).unwrap();
    }
    parts.status.as_u16()
}

impl Sent {
    /// Waits for the status of HTTP; `None` if the call ends without one.
    pub(crate) async fn status(self) -> Option<u16> {
        Some(self.response.await.ok()?.status().as_u16())
    }

    /// Waits for the response headers.
    pub(crate) async fn headers(self) -> Begun {
        let response = tokio::time::timeout(GUARD, self.response).await.expect("headers in time");
        let (parts, body) = response.expect("headers of a response").into_parts();
        Begun { headers: parts.headers, request: self.request, body, _connection: self.connection }
    }
}

impl Begun {
    /// Waits for all the rest.
    pub(crate) async fn rest(mut self) -> Answer {
        let rest = async {
            while let Some(chunk) = self.body.data().await {
                let read = chunk.expect("a body that is not broken off").len();
                self.body.flow_control().release_capacity(read).unwrap();
            }
            self.body.trailers().await.expect("an orderly end")
        };
        let trailers = tokio::time::timeout(GUARD, rest).await.expect("an end in time");
        Answer { headers: self.headers, trailers }
    }
}

impl Answer {
    /// The status, wherever it stands.
    pub(crate) fn status(&self) -> Option<Status> {
        status(&self.headers).or_else(|| self.trailers.as_ref().and_then(status))
    }
}

fn status(headers: &HeaderMap) -> Option<Status> {
    headers.get("grpc-status")?;
    Some(Status::from_header_map(headers).unwrap_or_else(|| Status::new(Code::Ok, "")))
}
