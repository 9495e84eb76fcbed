//! The settings that say how much is looked at and believed: `refund.look_first` and
//! `upstream.codes`.

use serde_json::json;
use sunmi_trade::api::pb::RefundEvidence;
use sunmi_trade::config::Sources;
use tonic::Code;

use crate::calls::{self, code, success};
use crate::failure::IN_DOUBT;
use crate::server::{BRIEF, Server, refund, refund_within, settings, with};
use crate::upstream::{Answer, QUERY, REFUND, Upstream};

async fn without_looks() -> (Upstream, Server) {
    let upstream = Upstream::start().await;
    let env = [("SUNMI_TRADE__REFUND__LOOK_FIRST", "false")];
    let server = Server::start(&with(settings(upstream.address), &env)).await;
    upstream.always(QUERY, calls::not_found());
    (upstream, server)
}

#[tokio::test]
async fn without_looks_a_refund_is_one_request() {
    let (upstream, server) = without_looks().await;
    upstream.next(REFUND, calls::refunded());
    let made = refund(&server, calls::refund("R1")).await.unwrap();
    assert_eq!((made.evidence(), made.replayed), (RefundEvidence::Reply, false));
    let paths: Vec<_> = upstream.everything().into_iter().map(|seen| seen.path).collect();
    assert_eq!(paths, [REFUND]);
}

/// Nobody knows whether the number was free before: what is found may be another's.
#[tokio::test]
async fn without_looks_what_is_found_later_proves_nothing() {
    let (upstream, server) = without_looks().await;
    upstream.next(REFUND, Answer::BytesThenReset(vec![])).finds("R1", calls::refunded());
    for _ in 0..2 {
        let failure = refund_within(&server, calls::refund("R1"), BRIEF).await.unwrap_err();
        assert_eq!(failure.verdict(), IN_DOUBT);
    }
    assert_eq!(upstream.sends(), 1);
}

/// Settings with a table of codes.
fn explained(upstream: &Upstream) -> Sources {
    let file = "[[upstream.codes]]\ncode = 'T04'\nmeans = 'refused'\n\
                [[upstream.codes]]\ncode = 'D11'\nmeans = 'doubt'\n";
    Sources { file: Some(file.to_owned()), ..settings(upstream.address) }
}

fn payment(refunded: &str) -> Answer {
    success(&json!({"amount": "10000", "orderType": "0", "state": "3", "refunded": refunded}))
}

#[tokio::test]
async fn a_code_that_the_operator_calls_a_refusal_is_believed_once_looks_bear_it_out() {
    let upstream = Upstream::start().await;
    let server = Server::start(&explained(&upstream)).await;
    upstream.always(QUERY, calls::not_found()).finds("P1", payment("0"));
    upstream.next(REFUND, code("T04", "交易已撤销"));
    let failure = refund(&server, calls::refund("R1")).await.unwrap_err();
    assert_eq!(failure.verdict(), (Code::Unknown, "SUNMI_CODE_UNRECOGNIZED", "NOT_APPLIED"));
    assert_eq!(failure.sunmi_code.as_deref(), Some("T04"));
    // The number, twice; the payment's total is among the looks that are not counted.
    assert_eq!(upstream.take_paths(), [REFUND, QUERY, QUERY]);
}

/// A refusal all the same of the trade only: not where the total has the refund.
#[tokio::test]
async fn a_code_that_is_called_a_refusal_is_in_doubt_where_the_total_grew() {
    let upstream = Upstream::start().await;
    let server = Server::start(&explained(&upstream)).await;
    upstream.always(QUERY, calls::not_found()).finds_before("P1", payment("0"));
    let (answer, release) = crate::upstream::held(&code("T04", ""));
    upstream.next(REFUND, answer);
    let call = refund_within(&server, calls::refund("R1"), BRIEF);
    let (failure, ()) = tokio::join!(call, async {
        upstream.has_seen(1).await;
        upstream.finds_before("P1", payment("100"));
        release.send(()).unwrap();
    });
    let failure = failure.unwrap_err();
    assert_eq!(failure.verdict(), IN_DOUBT);
    assert_eq!((failure.sunmi_code.as_deref(), upstream.sends()), (Some("T04"), 1));
}

#[tokio::test]
async fn a_code_that_nobody_explained_is_doubt_whatever_the_looks_show() {
    for unexplained in ["D11", "X99"] {
        let upstream = Upstream::start().await;
        let server = Server::start(&explained(&upstream)).await;
        upstream.always(QUERY, calls::not_found()).finds("P1", payment("0"));
        upstream.next(REFUND, code(unexplained, ""));
        let failure = refund_within(&server, calls::refund("R1"), BRIEF).await.unwrap_err();
        assert_eq!(failure.verdict(), IN_DOUBT, "{unexplained}");
        assert_eq!(failure.sunmi_code.as_deref(), Some(unexplained));
    }
}
