//! What is sent of a refund, and over which connections: one request, on one of its own.

use std::net::SocketAddr;

use sunmi_trade::config::Sources;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tonic::Code;

use crate::calls;
use crate::server::{
    BRIEF, GUARD, Server, impatient, query, refund, refund_within, settings, side_by_side, with,
};
use crate::upstream::{Answer, QUERY, REFUND, Seen, Upstream, reply};

/// The connections on which this was called, in order.
fn connections(seen: &[Seen], path: &str) -> Vec<usize> {
    let of_path = seen.iter().filter(|seen| seen.path == path);
    of_path.map(|seen| seen.connection).collect()
}

#[tokio::test]
async fn whatever_is_answered_one_request_is_sent() {
    let http = |status| Answer::Bytes(reply(status, &[], b""));
    let answers = [
        ("R03", calls::code("R03", "")),
        ("E05", calls::code("E05", "")),
        ("S03", calls::code("S03", "")),
        ("500", http("500 X")),
        ("503", http("503 X")),
        ("a reset", Answer::BytesThenReset(vec![])),
        ("a close", Answer::BytesThenClose(vec![])),
    ];
    side_by_side(answers, async |(name, answer)| {
        let upstream = Upstream::start().await;
        let keys = [("SUNMI_TRADE_APP_KEY", "old key\nnew key")];
        let sources = with(impatient(settings(upstream.address)), &keys);
        let server = Server::start(&sources).await;
        upstream.next(REFUND, answer).always(REFUND, calls::refunded());
        upstream.always(QUERY, calls::not_found());
        let failure = refund_within(&server, calls::refund("R1"), BRIEF).await;
        assert_eq!(failure.expect_err(name).attempts(), Some(1), "{name}");
        assert_eq!(upstream.sends(), 1, "{name}");
    })
    .await;
}

#[tokio::test]
async fn a_refund_has_a_connection_of_its_own_and_reads_keep_theirs() {
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    upstream.always(QUERY, calls::paid()).always(REFUND, calls::refunded());
    for number in ["R1", "R2", "R3"] {
        query(&server, calls::query("O1")).await.unwrap();
        refund(&server, calls::refund(number)).await.unwrap();
    }
    let seen = upstream.seen();
    let refunds = connections(&seen, REFUND);
    let reads = connections(&upstream.everything(), QUERY);
    // The query, and the two looks of a refund at once: no more than two at any time.
    let distinct = reads.iter().collect::<std::collections::BTreeSet<_>>();
    assert_eq!((reads.len(), distinct.len()), (9, 2), "{reads:?}");
    assert!(refunds.is_sorted_by(|one, next| one < next), "{refunds:?}");
    assert!(refunds.iter().all(|refund| !reads.contains(refund)), "{reads:?} {refunds:?}");
    for seen in upstream.everything() {
        let closes = seen.headers.get("connection").is_some_and(|it| it == "close");
        assert_eq!(closes, seen.path == REFUND, "{seen:?}");
    }
}

/// Settings for a server that calls this address through this proxy.
fn through(proxy_address: SocketAddr, base_url: &str) -> Sources {
    let proxy = format!("http://{proxy_address}");
    let env = [
        ("SUNMI_TRADE__UPSTREAM__BASE_URL", base_url),
        ("SUNMI_TRADE__UPSTREAM__PROXY", &proxy),
        ("SUNMI_TRADE__RETRY__MAX_ATTEMPTS", "1"),
    ];
    // An address of this machine is asked for at a proxy that is configured, too.
    with(settings(proxy_address), &env)
}

#[tokio::test]
async fn a_proxy_is_sent_refunds_as_it_is_sent_reads() {
    // It reads the address and answers itself.
    let proxy = Upstream::start().await;
    const BELOW: &str = "http://localhost:1/base/v1/trade/query";
    proxy.always(BELOW, calls::not_found());
    let server = Server::start(&through(proxy.address, "http://localhost:1/base")).await;
    // The proxy's paths are whole addresses.
    query(&server, calls::query("O1")).await.unwrap_err();
    refund_within(&server, calls::refund("R1"), BRIEF).await.unwrap_err();
    let seen = proxy.seen();
    let refund = seen.iter().find(|seen| seen.path.ends_with("refund")).expect("a refund");
    let read = &seen[0];
    assert_eq!(read.line, "POST http://localhost:1/base/v1/trade/query");
    assert_eq!(refund.line, "POST http://localhost:1/base/v1/trade/refund");
    let headers = |seen: &Seen| {
        let mut headers = seen.headers.clone();
        headers.retain(|name, _| !["connection", "content-length"].contains(&name.as_str()));
        headers
    };
    assert_eq!(headers(read), headers(refund));
}

#[tokio::test]
async fn a_proxy_that_makes_no_tunnel_leaves_a_refund_unsent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = listener.local_addr().unwrap();
    let server = Server::start(&through(proxy, "https://localhost:1")).await;
    // The looks before it and its own connection are each refused a tunnel.
    let refused = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut asked).await.unwrap(), 0, "an early end");
        }
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").await.unwrap();
        String::from_utf8(asked).unwrap()
    };
    let refused = tokio::time::timeout(GUARD, refused);
    let (failure, asked) = tokio::join!(refund(&server, calls::refund("R1")), refused);
    let expected = (Code::Unavailable, "UPSTREAM_UNREACHABLE", "NOT_ATTEMPTED");
    assert_eq!(failure.unwrap_err().verdict(), expected);
    assert!(asked.unwrap().starts_with("CONNECT localhost:1 HTTP/1.1\r\n"));
}
