//! HTTP/2 frame by frame, for what no client would send.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::GUARD;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Error codes (RFC 9113, 7).
pub(crate) const FRAME_SIZE_ERROR: u32 = 6;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// Types of frames (RFC 9113, 6).
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// How every client begins.
pub(crate) fn hello() -> Vec<u8> {
    [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()
}

/// The headers of a query, with one more, on this stream. More of the request follows.
pub(crate) fn headers(stream: u32, (name, value): (&str, &str)) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/sunmi.trade.v1.TradeService/Query"),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        (name, value),
    ] {
        // Literal, never indexed by us, with a new name; all are shorter than 127 bytes.
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    // The end of the headers.
    frame(HEADERS, 4, stream, &block)
}

/// The numbers of so many streams of a client.
pub(crate) fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|at| 2 * at + 1)
}

/// Takes a call back.
pub(crate) fn reset(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &8u32.to_be_bytes())
}

/// Sends all this on a new connection, and waits for the error with which the server ends it:
/// `None` if it just closes it.
pub(crate) async fn ended_with(address: SocketAddr, bytes: Vec<u8>) -> Option<u32> {
    let (mut read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
    // The server may close before it has read all.
    let sent = tokio::spawn(async move {
        let _ = write.write_all(&bytes).await;
        write
    });
    let error = tokio::time::timeout(GUARD, goaway(&mut read)).await.expect("an end in time");
    drop(sent);
    error
}

/// Reads up to a GOAWAY, and the error in it; `None` at the end of the connection.
pub(crate) async fn goaway(read: &mut (impl AsyncRead + Unpin)) -> Option<u32> {
    loop {
        let mut head = [0; 9];
        read.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        read.read_exact(&mut payload).await.ok()?;
        if head[3] == GOAWAY {
            return Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
    }
}

/// Waits until the server has closed a connection, whatever it says before.
pub(crate) async fn closed(stream: &mut (impl AsyncRead + Unpin)) {
    let end = async { while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {} };
    tokio::time::timeout(GUARD, end).await.expect("a connection that is closed");
}
