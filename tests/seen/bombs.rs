//! Requests that are small as they come and huge when they are unpacked.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::Request;
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

use crate::calls::{self, PLAIN};
use crate::process::Server;
use crate::sunmi::Sunmi;

/// What a bomb would fill, in bytes: all that fits into 64 KiB of gzip.
const BOMB: usize = 60 << 20;

/// How many come at once.
const BOMBS: usize = 100;

/// A message that says of itself that it is packed.
fn bomb() -> bytes::Bytes {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&vec![0; BOMB]).unwrap();
    let packed = packed.finish().unwrap();
    assert!(packed.len() < 64 << 10, "{}", packed.len());
    let length = u32::try_from(packed.len()).unwrap().to_be_bytes();
    [&[1][..], &length[..], &packed[..]].concat().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bomb_would_fill_is_never_held() {
    let sunmi = Sunmi::start("").await;
    let server = Server::start(&sunmi, PLAIN, &[]).await;
    let mut client = server.client().await;
    let _ = client.query(calls::query("O1")).await;
    let Some(before) = server.peak() else { return };
    let bomb = bomb();
    let stream = TcpStream::connect(server.grpc).await.unwrap();
    let (http, connection) = h2::client::handshake(stream).await.unwrap();
    let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let mut sent = Vec::new();
    for _ in 0..BOMBS {
        let request =
            Request::post(format!("http://{}/sunmi.trade.v1.TradeService/Query", server.grpc))
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .header("grpc-encoding", "gzip");
        let mut http = http.clone().ready().await.unwrap();
        let (answer, mut body) = http.send_request(request.body(()).unwrap(), false).unwrap();
        body.send_data(bomb.clone(), true).unwrap();
        sent.push(answer);
    }
    for answer in sent {
        let status = answer.await.unwrap().headers().get("grpc-status").cloned();
        // INVALID_ARGUMENT: it is none that can be read.
        assert_eq!(status.unwrap(), "3");
    }
    let held = server.peak().unwrap().saturating_sub(before);
    // 100 requests of 64 KiB as they come and 64 KiB unpacked, and as much again to spare.
    assert!(held < 25 << 10, "{held} KiB");
}
