//! Requests that their callers pack.

use std::io::Write;

use bytes::{BufMut, Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;
use sunmi_trade::api::pb;
use sunmi_trade::api::pb::refund_ledger_service_client::RefundLedgerServiceClient;
use tonic::Code;
use tonic::codec::CompressionEncoding;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::failure::Failure;
use crate::server::{Server, settings};
use crate::upstream::{QUERY, REFUND, Upstream};
use crate::{calls, raw};

const GZIP: [(&str, &str); 1] = [("grpc-encoding", "gzip")];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// These bytes as a message that says of itself that it is packed.
fn framed(packed: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(1);
    frame.put_u32(u32::try_from(packed.len()).unwrap());
    frame.extend_from_slice(packed);
    frame.freeze()
}

/// A query that is this long before it is packed, and is at fault.
fn of_size(size: usize) -> Bytes {
    let query = pb::QueryRequest { app_id: "x".repeat(size), ..calls::query("O1") };
    framed(&gzip(&query.encode_to_vec()))
}

#[tokio::test]
async fn requests_in_gzip_are_taken_and_answers_are_not_packed() {
    let upstream = Upstream::start().await;
    upstream.always(QUERY, calls::paid());
    upstream.next(REFUND, calls::refunded());
    let server = Server::start(&settings(upstream.address)).await;
    let packs = CompressionEncoding::Gzip;
    let mut client = server.client().await.send_compressed(packs).accept_compressed(packs);
    let found = client.query(calls::query("O1")).await.expect("an order");
    assert!(found.metadata().get("grpc-encoding").is_none());
    client.refund(calls::refund("R1")).await.expect("a refund");
    let mut ledger = RefundLedgerServiceClient::new(server.channel().await).send_compressed(packs);
    let asked = pb::GetRefundRequest { order_id: "R1".to_owned(), ..Default::default() };
    ledger.get_refund(asked).await.expect("its record");
    let mut health = HealthClient::new(server.channel().await).send_compressed(packs);
    health.check(HealthCheckRequest::default()).await.expect("health");
}

/// The bound is that of a request that is not packed: what counts is what comes out.
#[tokio::test]
async fn a_request_of_more_than_64_kib_when_it_is_unpacked_is_refused_with_all_details() {
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    let table = [(60 << 10, "app_id"), (70 << 10, ""), (30 << 20, "")];
    for (size, field) in table {
        let body = of_size(size);
        assert!(body.len() < 64 << 10, "{size}");
        let status = raw::call(server.address, "Query", &GZIP, body).await;
        let failure = Failure::of(&status);
        assert_eq!(failure.verdict(), (Code::InvalidArgument, "REQUEST_INVALID", ""), "{size}");
        assert_eq!(failure.violations[0].0, field, "{size}");
    }
    assert_eq!(upstream.take_paths(), [""; 0]);
}

#[tokio::test]
async fn a_refund_that_cannot_be_unpacked_is_not_attempted() {
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    let sound = gzip(&calls::refund("R1").encode_to_vec());
    let broken = [&sound[..sound.len() / 2], b"no gzip at all", b""];
    for body in broken.map(framed) {
        let status = raw::call(server.address, "Refund", &GZIP, body).await;
        let verdict = (Code::InvalidArgument, "REQUEST_INVALID", "NOT_ATTEMPTED");
        assert_eq!(Failure::of(&status).verdict(), verdict);
    }
    // Packed, and it does not say how.
    let status = raw::call(server.address, "Refund", &[], framed(&sound)).await;
    let verdict = (Code::InvalidArgument, "REQUEST_INVALID", "NOT_ATTEMPTED");
    assert_eq!(Failure::of(&status).verdict(), verdict);
    assert_eq!(upstream.take_paths(), [""; 0]);
}

/// Clients look for UNIMPLEMENTED, and then for what is known.
#[tokio::test]
async fn a_compression_that_is_not_known_stays_unimplemented_and_is_told_what_is() {
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    for other in ["deflate", "zstd", "unheard-of"] {
        let headers = [("grpc-encoding", other)];
        let status = raw::call(server.address, "Query", &headers, framed(b"x")).await;
        assert_eq!(status.code(), Code::Unimplemented, "{other}");
        assert_eq!(status.metadata().get("grpc-accept-encoding").unwrap(), "gzip,identity");
    }
}
