//! Calls end in time, also where a server sends its headers and then nothing, as one can that has
//! begun a refund; and they wait for a server that is not there yet.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use sunmi_trade_client::server::{Server, was_never_sent};
use sunmi_trade_client::v1::RefundRequest;
use sunmi_trade_client::v1::trade_service_client::TradeServiceClient;

const DEADLINE: Duration = Duration::from_millis(500);
/// What is taken for ever.
const LONG: Duration = Duration::from_secs(4);

const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Answers every call with headers, and then nothing.
async fn headers_and_nothing(connection: TcpStream) {
    let mut connection = h2::server::handshake(connection).await.unwrap();
    let mut held = Vec::new();
    while let Some(Ok((_, mut respond))) = connection.accept().await {
        let headers = http::Response::builder().header("content-type", "application/grpc");
        held.push(respond.send_response(headers.body(()).unwrap(), false).unwrap());
    }
}

async fn server() -> SocketAddr {
    let listener = TcpListener::bind(ANYWHERE).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(headers_and_nothing(connection));
        }
    });
    address
}

fn called(address: SocketAddr) -> Server {
    Server { address: address.to_string(), token_file: None, ca: None, cert: None, key: None }
}

async fn wrapped(channel: Channel, server: &Server) -> Result<(), Status> {
    let refund = RefundRequest::default();
    let answer = server.call(&refund, "R-1", DEADLINE, |request| {
        let mut client = TradeServiceClient::new(channel.clone());
        async move { client.refund(request).await }
    });
    timeout(LONG, answer).await.expect("the call goes on beyond its deadline").map(drop)
}

#[tokio::test]
async fn headers_end_what_tonic_makes_of_a_deadline() {
    let endpoint = Endpoint::from_shared(format!("http://{}", server().await)).unwrap();
    let channel = endpoint.timeout(DEADLINE).connect().await.unwrap();
    let mut request = Request::new(RefundRequest::default());
    request.set_timeout(DEADLINE);
    let answer = timeout(LONG, TradeServiceClient::new(channel).refund(request)).await;
    assert!(answer.is_err(), "tonic keeps the deadline by now: {answer:?}");
}

#[tokio::test]
async fn a_call_ends_at_its_deadline_though_its_headers_are_here() {
    let server = called(server().await);
    let status = wrapped(server.channel().unwrap(), &server).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(!was_never_sent(&status), "it was sent");
}

#[tokio::test]
async fn a_call_waits_for_a_server_that_begins_to_listen_within_its_deadline() {
    // Bound and not listening: whoever connects is refused.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(ANYWHERE).unwrap();
    let server = called(socket.local_addr().unwrap());
    let channel = server.channel().unwrap();
    let mut tries = 0;
    let mut socket = Some(socket);
    let refund = RefundRequest::default();
    let answer = server.call(&refund, "R-1", LONG, |request| {
        tries += 1;
        if tries == 3 {
            let listener = socket.take().unwrap().listen(1).unwrap();
            tokio::spawn(async move {
                let (connection, _) = listener.accept().await.unwrap();
                headers_and_nothing(connection).await;
            });
        }
        let mut client = TradeServiceClient::new(channel.clone());
        async move { client.refund(request).await }
    });
    // It has reached the server then, which leaves it waiting.
    assert_eq!(answer.await.unwrap_err().code(), Code::DeadlineExceeded);
    assert_eq!(tries, 3);
}

#[tokio::test]
async fn a_call_to_no_server_ends_at_its_deadline_and_proves_that_nothing_was_sent() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(ANYWHERE).unwrap();
    let server = called(socket.local_addr().unwrap());
    let began = Instant::now();
    let status = wrapped(server.channel().unwrap(), &server).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(was_never_sent(&status));
    assert!(began.elapsed() < LONG);
}
