//! Connections that mean ill, or are broken: they are closed, they hold no more than they may,
//! and whoever behaves is served all the while.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use sunmi_trade::api::pb;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::calls;
use crate::frames::{
    self, ENHANCE_YOUR_CALM, FRAME_SIZE_ERROR, PREFACE, SETTINGS, closed, ended_with, hello, reset,
    streams,
};
use crate::raw;
use crate::server::{GUARD, Server, query, settings, with};
use crate::upstream::{QUERY, Upstream, held};

/// Longer than any test waits.
const NEVER: &str = "1m";

/// A server with these settings, whose upstream finds every order.
async fn start(env: &[(&str, &str)]) -> (Upstream, Server) {
    let upstream = Upstream::start().await;
    upstream.always(QUERY, calls::paid());
    let server = Server::start(&with(settings(upstream.address), env)).await;
    (upstream, server)
}

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address).await.unwrap()
}

/// Attacks while a caller calls again and again, on a connection of old and on new ones. Each
/// of its calls is answered.
async fn while_served<T>(server: &Server, attack: impl Future<Output = T>) -> T {
    let kept = server.client().await;
    let call = async || {
        kept.clone().query(calls::query("O1")).await.expect("a call on a connection of old");
        query(server, calls::query("O1")).await.expect("a call on a new connection");
    };
    during(call, attack).await
}

/// Attacks while something is done again and again, and once more afterwards.
async fn during<T>(call: impl AsyncFn(), attack: impl Future<Output = T>) -> T {
    let called = async || tokio::time::timeout(GUARD, call()).await.expect("answers in time");
    let for_ever = async {
        loop {
            called().await;
        }
    };
    let done = tokio::select! {
        done = attack => done,
        never = for_ever => never,
    };
    called().await;
    done
}

#[tokio::test]
async fn a_preface_that_takes_too_long_is_not_waited_for() {
    let (_upstream, server) = start(&[("SUNMI_TRADE__LIMITS__PREFACE_TIMEOUT", "300ms")]).await;
    let slow = async {
        let began = Instant::now();
        let mut mute = connect(&server).await;
        let (mut read, mut write) = connect(&server).await.into_split();
        let drip = tokio::spawn(async move {
            for byte in PREFACE.iter().cycle() {
                tokio::time::sleep(Duration::from_millis(50)).await;
                if write.write_all(&[*byte]).await.is_err() {
                    return;
                }
            }
        });
        closed(&mut mute).await;
        closed(&mut read).await;
        drip.abort();
        assert!(began.elapsed() >= Duration::from_millis(300), "before its time");
    };
    while_served(&server, slow).await;
}

#[tokio::test]
async fn what_does_not_begin_as_http_2_does_is_closed_at_once() {
    let (_upstream, server) = start(&[("SUNMI_TRADE__LIMITS__PREFACE_TIMEOUT", NEVER)]).await;
    let garbage = async {
        let table: [&[u8]; 4] =
            [b"G", b"PRI * HTTP/2.0\r\n\r\nSN", b"PRI * HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\0"];
        for bytes in table {
            let mut stream = connect(&server).await;
            stream.write_all(bytes).await.unwrap();
            closed(&mut stream).await;
        }
    };
    while_served(&server, garbage).await;
}

#[tokio::test]
async fn a_preface_that_comes_in_pieces_is_one() {
    let (_upstream, server) = start(&[]).await;
    let mut stream = connect(&server).await;
    stream.set_nodelay(true).unwrap();
    for byte in PREFACE {
        stream.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut first = [0; 9];
    let read = tokio::time::timeout(GUARD, stream.read_exact(&mut first)).await;
    read.expect("a word in time").expect("a connection that is served");
    assert_eq!(first[3], SETTINGS);
}

#[tokio::test]
async fn past_the_bound_a_connection_that_has_not_spoken_gives_way() {
    let env = [
        ("SUNMI_TRADE__LIMITS__CONNECTIONS", "2"),
        ("SUNMI_TRADE__LIMITS__PREFACE_TIMEOUT", NEVER),
    ];
    let (_upstream, server) = start(&env).await;
    let mut first = server.client().await;
    first.query(calls::query("O1")).await.unwrap();
    let mut mute = connect(&server).await;
    let mut second = server.client().await;
    closed(&mut mute).await;
    second.query(calls::query("O1")).await.expect("a call in the place of the mute one");

    // Now all of them speak.
    for _ in 0..3 {
        closed(&mut connect(&server).await).await;
    }
    first.query(calls::query("O1")).await.expect("a call on a connection of old");
    second.query(calls::query("O1")).await.expect("a call on a connection of old");

    drop(second);
    let place = async {
        // The server learns of the end a little later.
        let mut channel = server.endpoint().connect_lazy();
        while pb::trade_service_client::TradeServiceClient::new(channel.clone())
            .query(calls::query("O1"))
            .await
            .is_err()
        {
            channel = server.endpoint().connect_lazy();
        }
    };
    tokio::time::timeout(GUARD, place).await.expect("the place is free again");
}

#[tokio::test]
async fn however_many_connections_say_nothing_only_so_many_are_held() {
    let env = [
        ("SUNMI_TRADE__LIMITS__CONNECTIONS", "32"),
        ("SUNMI_TRADE__LIMITS__PREFACE_TIMEOUT", NEVER),
    ];
    let (_upstream, server) = start(&env).await;
    // A new connection might have to give way to the flood before it has spoken.
    let kept = server.client().await;
    let call = async || drop(kept.clone().query(calls::query("O1")).await.expect("a call"));
    call().await;
    let flood = async {
        let mut mute = Vec::new();
        for _ in 0..600 {
            mute.push(connect(&server).await);
        }
        // Those that came first went first.
        for stream in &mut mute[..600 - 31] {
            closed(stream).await;
        }
        mute
    };
    let mute = during(call, flood).await;
    for stream in &mute[600 - 31..] {
        let nothing = stream.try_read(&mut [0]).expect_err("a connection that is held");
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
    }
}

#[tokio::test]
async fn calls_past_the_bound_of_a_connection_are_refused() {
    let env = [("SUNMI_TRADE__LIMITS__STREAMS", "10")];
    let (_upstream, server) = start(&env).await;
    let refused = while_served(&server, async {
        let stream = connect(&server).await;
        // It does not wait for the server's word on how many there may be.
        let builder = h2::client::Builder::new().initial_max_send_streams(100).clone();
        let (mut client, connection) = builder.handshake::<_, Bytes>(stream).await.unwrap();
        let calls: Vec<_> = (0..50)
            .map(|_| {
                let request = Request::post("http://localhost/sunmi.trade.v1.TradeService/Query")
                    .header("content-type", "application/grpc");
                client.send_request(request.body(()).unwrap(), false).unwrap()
            })
            .collect();
        let connection = tokio::spawn(connection);
        let mut refused = 0;
        // The first ones wait for the rest of their requests.
        for (response, _) in calls.into_iter().skip(10) {
            let answer = tokio::time::timeout(GUARD, response).await.expect("an answer in time");
            let reason = answer.expect_err("a refusal").reason();
            assert_eq!(reason, Some(h2::Reason::REFUSED_STREAM));
            refused += 1;
        }
        connection.abort();
        refused
    })
    .await;
    assert_eq!(refused, 40);
}

/// What a client may not do, and with which error its connection ends.
fn misdeeds() -> Vec<(&'static str, Vec<u8>, u32)> {
    let many = |call: &dyn Fn(u32) -> Vec<u8>| {
        let calls: Vec<u8> = streams(1000).flat_map(call).collect();
        [hello(), calls].concat()
    };
    vec![
        (
            "calls that are taken back at once",
            many(&|stream| [frames::headers(stream, ("te", "trailers")), reset(stream)].concat()),
            ENHANCE_YOUR_CALM,
        ),
        (
            "malformed calls",
            many(&|stream| frames::headers(stream, ("connection", "close"))),
            ENHANCE_YOUR_CALM,
        ),
        (
            "a frame of 1 MiB",
            [hello(), frames::frame(0, 0, 1, &vec![0; 1 << 20])].concat(),
            FRAME_SIZE_ERROR,
        ),
    ]
}

#[tokio::test]
async fn a_connection_that_misbehaves_is_ended_and_the_others_are_served() {
    let (_upstream, server) = start(&[]).await;
    for (name, bytes, error) in misdeeds() {
        let ends = while_served(&server, async {
            let mut ends = Vec::new();
            for _ in 0..5 {
                ends.push(ended_with(server.address, bytes.clone()).await);
            }
            ends
        })
        .await;
        assert_eq!(ends, [Some(error); 5], "{name}");
    }
}

#[tokio::test]
async fn headers_past_the_bound_are_refused() {
    let (_upstream, server) = start(&[]).await;
    let large = |address: SocketAddr, size: usize| async move {
        let value = "x".repeat(size);
        let headers = [("x-large", value.as_str())];
        let sent = raw::send(address, "Query", &headers, (Bytes::new(), true)).await;
        tokio::time::timeout(GUARD, sent.status()).await.expect("an answer in time")
    };
    let table =
        [(8 << 10, Some(200)), (20 << 10, Some(200)), (70 << 10, Some(431)), (1 << 20, None)];
    for (size, status) in table {
        let answered = while_served(&server, large(server.address, size)).await;
        assert_eq!(answered, status, "{size}");
    }
}

#[tokio::test]
async fn a_connection_whose_caller_is_gone_is_cut() {
    let env = [
        ("SUNMI_TRADE__LIMITS__KEEPALIVE_INTERVAL", "100ms"),
        ("SUNMI_TRADE__LIMITS__KEEPALIVE_TIMEOUT", "2s"),
    ];
    let (_upstream, server) = start(&env).await;
    let gone = async {
        let mut spoke = connect(&server).await;
        spoke.write_all(&hello()).await.unwrap();
        let mut began = connect(&server).await;
        began.write_all(PREFACE).await.unwrap();
        closed(&mut spoke).await;
        closed(&mut began).await;
    };
    while_served(&server, gone).await;
}

#[tokio::test]
async fn a_connection_that_is_old_is_ended_and_its_calls_are_answered() {
    let env = [("SUNMI_TRADE__LIMITS__MAX_CONNECTION_AGE", "100ms")];
    let (upstream, server) = start(&env).await;
    let (answer, release) = held(&calls::paid());
    upstream.next(QUERY, answer);
    let body = raw::framed(&calls::query("O1"));
    let sent = raw::send(server.address, "Query", &[], (body, true)).await;
    upstream.has_seen(1).await;
    // A later one grows old.
    let idle = connect(&server).await;
    let (_client, connection) = h2::client::handshake(idle).await.unwrap();
    let ended = tokio::time::timeout(GUARD, connection).await.expect("an end in time");
    ended.expect("an orderly end");
    release.send(()).unwrap();
    let status = sent.headers().await.rest().await.status().expect("a status");
    assert_eq!(status.code(), tonic::Code::Ok);
}
