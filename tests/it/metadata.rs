//! Calls with more metadata than there may be, beside a refund on the same connection.

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use http::Request;
use http::response::Parts;
use sunmi_trade::api::pb;
use sunmi_trade::api::pb::refund_ledger_service_client::RefundLedgerServiceClient;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Code, Status};

use crate::failure::Failure;
use crate::measures::scrape;
use crate::server::{GUARD, Server, settings, with};
use crate::upstream::{REFUND, Upstream, held};
use crate::{calls, raw};

/// A connection on which a refund is under way, which Sunmi has not answered yet.
struct Busy {
    upstream: Upstream,
    server: Server,
    http: SendRequest<Bytes>,
    refund: ResponseFuture,
    release: oneshot::Sender<()>,
    _connection: AbortOnDropHandle<Result<(), h2::Error>>,
}

impl Busy {
    async fn start() -> Self {
        let upstream = Upstream::start().await;
        // The refund is under way for as long as a test takes.
        let env = [
            ("SUNMI_TRADE__UPSTREAM__ATTEMPT_TIMEOUT", "50s"),
            ("SUNMI_TRADE__DEADLINES__DEFAULT", "55s"),
            ("SUNMI_TRADE__DEADLINES__MAX", "55s"),
        ];
        let server = Server::start(&with(settings(upstream.address), &env)).await;
        let (answer, release) = held(&calls::refunded());
        upstream.next(REFUND, answer);
        let stream = TcpStream::connect(server.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (mut http, connection) = h2::client::handshake(stream).await.unwrap();
        let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
        let body = raw::framed(&calls::refund("R1"));
        let refund = send(&mut http, "TradeService/Refund", 0, body).await;
        while !upstream.seen().iter().any(|seen| seen.path == REFUND) {
            tokio::task::yield_now().await;
        }
        Self { upstream, server, http, refund, release, _connection }
    }

    /// What a call with so much metadata is answered before it has a body.
    async fn call(&mut self, method: &str, metadata: usize) -> Result<Parts, h2::Error> {
        let body = raw::framed(&calls::query("O1"));
        let answer = send(&mut self.http, method, metadata, body).await;
        let answer = tokio::time::timeout(GUARD, answer).await.expect("an answer in time");
        Ok(answer?.into_parts().0)
    }

    /// The status of the refund, once Sunmi has answered it.
    async fn refunded(self) -> Result<Option<Status>, h2::Error> {
        let _ = self.release.send(());
        let answer = tokio::time::timeout(GUARD, async {
            let mut body = self.refund.await?.into_body();
            while let Some(part) = body.data().await {
                let read = part?.len();
                body.flow_control().release_capacity(read)?;
            }
            body.trailers().await
        });
        let trailers = answer.await.expect("an answer in time")?;
        let code = trailers.expect("trailers").get("grpc-status").cloned().expect("a status");
        Ok((code != "0").then(|| Status::new(Code::from_bytes(code.as_bytes()), "")))
    }
}

/// How many errors of HTTP/2 of this scope callers were told.
async fn errors(server: &Server, scope: &str) -> f64 {
    let series = format!("sunmi_http2_errors_total{{scope=\"{scope}\",");
    let counted = scrape(server).await;
    counted.iter().filter(|(name, _)| name.starts_with(&series)).map(|(_, value)| value).sum()
}

/// Sends a call with so much metadata, in values of at most 8 KiB.
async fn send(
    http: &mut SendRequest<Bytes>,
    method: &str,
    metadata: usize,
    body: Bytes,
) -> ResponseFuture {
    let mut request = Request::post(format!("http://localhost/sunmi.trade.v1.{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for at in (0..metadata).step_by(8 << 10) {
        request = request.header("x-large", "x".repeat((metadata - at).min(8 << 10)));
    }
    let mut http = http.clone().ready().await.expect("a connection that goes on");
    let (answer, mut request) = http.send_request(request.body(()).unwrap(), false).unwrap();
    // It may be refused before that.
    let _ = request.send_data(body, true);
    answer
}

#[tokio::test]
async fn a_call_with_up_to_four_times_the_metadata_is_refused_with_details() {
    let mut busy = Busy::start().await;
    for metadata in [17 << 10, 30 << 10, 60 << 10] {
        for method in ["TradeService/Query", "RefundLedgerService/GetRefund"] {
            let answer = busy.call(method, metadata).await.unwrap();
            let status = Status::from_header_map(&answer.headers).expect("a status");
            let failure = Failure::of(&status);
            assert_eq!(failure.verdict(), (Code::InvalidArgument, "REQUEST_INVALID", ""));
            let rule = "must come to at most 16 KiB, with 32 bytes for each entry";
            assert_eq!(failure.violations, [("metadata".to_owned(), rule.to_owned())]);
        }
    }
    let refused =
        Status::from_header_map(&busy.call("TradeService/Query", 15 << 10).await.unwrap().headers);
    assert!(refused.is_none_or(|status| status.code() != Code::InvalidArgument));
    assert_eq!(busy.refunded().await.expect("the refund's answer").map(|it| it.code()), None);
}

#[tokio::test]
async fn a_refund_with_too_much_metadata_is_not_attempted() {
    let mut busy = Busy::start().await;
    let mut http = busy.http.clone();
    let body = raw::framed(&calls::refund("R2"));
    let answer = send(&mut http, "TradeService/Refund", 20 << 10, body).await;
    let mut body = answer.await.unwrap().into_body();
    assert!(body.data().await.is_none());
    let trailers = body.trailers().await.unwrap().expect("trailers");
    let status = Status::from_header_map(&trailers).expect("a status");
    let verdict = (Code::InvalidArgument, "REQUEST_INVALID", "NOT_ATTEMPTED");
    assert_eq!(Failure::of(&status).verdict(), verdict);
    assert_eq!(busy.upstream.seen().iter().filter(|seen| seen.path == REFUND).count(), 1);
    busy.call("TradeService/Query", 0).await.unwrap();
}

/// More than the 256 errors that HTTP/2 here bears of one connection.
#[tokio::test]
async fn any_number_of_them_leaves_the_refund_beside_them_alone() {
    let mut busy = Busy::start().await;
    for _ in 0..150 {
        busy.call("TradeService/Query", 20 << 10).await.expect("an answer");
        busy.call("TradeService/Query", 70 << 10).await.expect("an answer");
    }
    assert_eq!(busy.refunded().await.expect("the refund's answer").map(|it| it.code()), None);
}

#[tokio::test]
async fn still_more_metadata_is_431_and_counted_and_leaves_the_refund_alone() {
    let mut busy = Busy::start().await;
    let answer = busy.call("TradeService/Query", 70 << 10).await.unwrap();
    assert_eq!(answer.status.as_u16(), 431);
    // The reset comes after the answer.
    let reset = async { while errors(&busy.server, "stream").await == 0.0 {} };
    tokio::time::timeout(GUARD, reset).await.expect("a reset that is counted");
    assert_eq!(errors(&busy.server, "connection").await, 0.0);
    assert_eq!(busy.refunded().await.expect("the refund's answer").map(|it| it.code()), None);
}

/// HTTP/2 in this process gives up then. No money is lost by it: the refund goes on.
#[tokio::test]
async fn metadata_without_measure_ends_the_connection_which_is_counted_and_the_refund_goes_on() {
    let mut busy = Busy::start().await;
    busy.call("TradeService/Query", 1 << 20).await.expect_err("an end");
    assert_eq!(errors(&busy.server, "connection").await, 1.0);
    let Busy { server, refund, release, .. } = busy;
    let told = async { refund.await?.into_body().trailers().await };
    tokio::time::timeout(GUARD, told).await.expect("an end in time").expect_err("no answer");
    release.send(()).unwrap();
    let mut ledger = RefundLedgerServiceClient::new(server.channel().await);
    let record = async {
        loop {
            let asked = pb::GetRefundRequest { order_id: "R1".to_owned(), ..Default::default() };
            let record = ledger.get_refund(asked).await.unwrap().into_inner().refund.unwrap();
            if record.state == i32::from(pb::RefundRecordState::Settled) {
                return record;
            }
        }
    };
    tokio::time::timeout(GUARD, record).await.expect("a refund that goes on");
}
