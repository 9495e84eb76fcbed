//! The connections to Sunmi: how they are made, kept, lost, and how often they are tried.

use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use sunmi_trade::api::pb;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tonic::Code::{Unavailable, Unknown};

use crate::calls;
use crate::server::{BRIEF, GUARD, Server, query, refund, refund_within, settings, with};
use crate::upstream::{Answer, QUERY, REFUND, Upstream};

fn bytes(answer: Answer) -> Vec<u8> {
    let Answer::Bytes(bytes) = answer else { panic!("plain bytes") };
    bytes
}

#[tokio::test]
async fn a_connection_that_sunmi_closes_between_two_calls_costs_no_second_refund() {
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    upstream.always(QUERY, Answer::BytesThenClose(bytes(calls::refunded())));
    upstream.always(REFUND, Answer::BytesThenClose(bytes(calls::refunded())));
    for at in 0..50 {
        let number = format!("R{at}");
        query(&server, calls::query("O1")).await.unwrap();
        upstream.take_paths();
        // The close may meet the refund half way: then it is looked for, and found.
        let refunded = refund(&server, calls::refund(&number)).await.unwrap();
        assert!(!refunded.replayed);
        let paths = upstream.take_of(&number);
        if refunded.evidence() == pb::RefundEvidence::Reply {
            assert_eq!(paths, [REFUND]);
        } else {
            assert_eq!(refunded.evidence(), pb::RefundEvidence::Query);
            assert!(paths.iter().filter(|path| *path == REFUND).count() <= 1, "{paths:?}");
        }
    }
}

#[tokio::test]
async fn a_reply_may_come_in_chunks() {
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let body = "1a\r\n{\"code\":\"1\",\"data\":{\"state\r\n7\r\n\":\"3\"}}\r\n0\r\n\r\n";
    upstream.next(QUERY, Answer::Bytes(format!("{head}{body}").into_bytes()));
    let found = query(&server, calls::query("O1")).await.unwrap();
    assert_eq!(found.state(), pb::TradeState::Succeeded);
    // Without the last chunk it is broken off, whole as its JSON may be.
    let cut = format!("{head}{}", body.trim_end_matches("0\r\n\r\n")).into_bytes();
    upstream.next(REFUND, Answer::BytesThenClose(cut));
    upstream.always(QUERY, calls::not_found());
    let failure = refund_within(&server, calls::refund("R1"), BRIEF).await.unwrap_err();
    assert_eq!(failure.verdict(), (Unknown, "REFUND_OUTCOME_UNKNOWN", "UNKNOWN"));
}

/// A port that takes no more connections, and those that fill it.
async fn full_port() -> (Socket, Vec<TcpStream>, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut fill = Vec::new();
    // Nobody accepts, so one of these waits in vain.
    while let Ok(stream) =
        tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await
    {
        fill.push(stream.unwrap());
    }
    (socket, fill, address)
}

fn patient_after_connecting(address: SocketAddr) -> sunmi_trade::config::Sources {
    let env = [
        ("SUNMI_TRADE__UPSTREAM__CONNECT_TIMEOUT", "300ms"),
        ("SUNMI_TRADE__RETRY__MAX_ATTEMPTS", "2"),
    ];
    with(settings(address), &env)
}

#[tokio::test]
async fn a_connection_that_takes_too_long_to_be_made_sent_nothing() {
    let (_socket, _fill, address) = full_port().await;
    let server = Server::start(&patient_after_connecting(address)).await;
    let failure = query(&server, calls::query("O1")).await.unwrap_err();
    assert_eq!(failure.verdict(), (Unavailable, "UPSTREAM_UNREACHABLE", ""));
    let failure = refund(&server, calls::refund("R1")).await.unwrap_err();
    assert_eq!(failure.verdict(), (Unavailable, "UPSTREAM_UNREACHABLE", "NOT_ATTEMPTED"));
    assert_eq!(failure.attempts(), Some(2));
}

#[tokio::test]
async fn without_tls_on_the_other_side_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let base_url = format!("https://{address}");
    let env = [("SUNMI_TRADE__UPSTREAM__BASE_URL", base_url.as_str())];
    let server = Server::start(&with(patient_after_connecting(address), &env)).await;
    let failure = refund(&server, calls::refund("R1")).await.unwrap_err();
    assert_eq!(failure.verdict(), (Unavailable, "UPSTREAM_UNREACHABLE", "NOT_ATTEMPTED"));
}

/// An outage is not multiplied: the budget of retries runs out.
#[tokio::test]
async fn when_every_call_fails_retries_stop() {
    let upstream = Upstream::start().await;
    upstream.always(QUERY, calls::code("S03", ""));
    let server = Server::start(&settings(upstream.address)).await;
    let mut client = server.client().await;
    let failing = async {
        for _ in 0..200 {
            client.query(calls::query("O1")).await.unwrap_err();
        }
    };
    tokio::time::timeout(GUARD, failing).await.expect("200 calls in time");
    let seen = upstream.seen().len();
    assert!((200..600).contains(&seen), "{seen} attempts for 200 calls");
}
