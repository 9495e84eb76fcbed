//! A gRPC call on bare HTTP/2. It has no clock of its own, unlike tonic's client, so what it
//! gets is the server's word; and it can stop half way.

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request};
use prost::Message;
use tokio::net::TcpStream;
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
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut request =
        Request::post(format!("http://{address}/sunmi.trade.v1.TradeService/{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (response, mut stream) = client.send_request(request.body(()).unwrap(), false).unwrap();
    stream.send_data(body, end).unwrap();
    let status = read(response).await;
    connection.abort();
    status
}

async fn read(response: h2::client::ResponseFuture) -> Status {
    let response = response.await.expect("headers of a response");
    let (parts, mut body) = response.into_parts();
    if let Some(status) = status(&parts.headers) {
        return status;
    }
    while let Some(chunk) = body.data().await {
        let read = chunk.expect("a body that is not broken off").len();
        body.flow_control().release_capacity(read).unwrap();
    }
    let trailers = body.trailers().await.expect("an orderly end").expect("trailers");
    status(&trailers).expect("a status in the trailers")
}

fn status(headers: &HeaderMap) -> Option<Status> {
    headers.get("grpc-status")?;
    Some(Status::from_header_map(headers).unwrap_or_else(|| Status::new(Code::Ok, "")))
}
