//! Every result code of chapter 4, on a read and on a refund. The table is that of section 3
//! of the design, written down here once more: the server's own is not asked.

use std::time::Duration;

use serde_json::json;
use sunmi_trade::api::pb;
use sunmi_trade::api::pb::refund_request::Original;
use sunmi_trade::sunmi::codes::CODES;
use tonic::Code::{self, *};

use crate::calls;
use crate::failure::Failure;
use crate::server::{BRIEF, GUARD, Server, query, refund, refund_within, settings, side_by_side};
use crate::upstream::{QUERY, REFUND, Upstream, answer_json};

/// What a code means for a refund.
#[derive(Clone, Copy, PartialEq)]
enum OnRefund {
    /// A refusal, as on a read, that any copy of the request would have met alike.
    Same,
    /// A refusal that a second copy of an executed request would get, too: believed once two
    /// looks have not found the refund.
    Look,
    /// The refund may have happened.
    Resolve,
}
use OnRefund::{Look, Resolve, Same};

struct Row {
    sunmi: &'static str,
    words: &'static str,
    reason: &'static str,
    code: Code,
    on_refund: OnRefund,
    next_step: &'static str,
}

const fn row(
    (sunmi, words): (&'static str, &'static str),
    reason: &'static str,
    code: Code,
    on_refund: OnRefund,
    next_step: &'static str,
) -> Row {
    Row { sunmi, words, reason, code, on_refund, next_step }
}

const REQUEST: &str = "FIX_REQUEST";
const ACCOUNT: &str = "FIX_MERCHANT_ACCOUNT";
const DEPLOYMENT: &str = "FIX_DEPLOYMENT";

#[rustfmt::skip]
const TABLE: [Row; 26] = [
    row(("20000", "不可用服务"), "SERVICE_UNAVAILABLE", Unavailable, Resolve, "RETRY"),
    row(("20001", "授权不足"), "INSUFFICIENT_AUTHORIZATION", PermissionDenied, Same, DEPLOYMENT),
    row(("40001", "缺少必需参数"), "PARAMETER_MISSING", InvalidArgument, Same, REQUEST),
    row(("40002", "非法参数"), "PARAMETER_ILLEGAL", InvalidArgument, Same, REQUEST),
    row(("D04", "交易结束"), "TRANSACTION_ENDED", FailedPrecondition, Look, REQUEST),
    row(("E01", "商户不存在"), "MERCHANT_NOT_FOUND", FailedPrecondition, Same, ACCOUNT),
    row(("E05", "验签失败"), "SIGNATURE_REJECTED", Internal, Same, DEPLOYMENT),
    row(("E15", "订单号不合法"), "ORDER_NUMBER_ILLEGAL", InvalidArgument, Look, REQUEST),
    row(("E19", "订单不存在"), "ORDER_NOT_FOUND", NotFound, Look, REQUEST),
    row(("E20", "不支持的交易"), "TRANSACTION_NOT_SUPPORTED", FailedPrecondition, Look, REQUEST),
    row(("E22", "退款金额有误"), "REFUND_AMOUNT_WRONG", FailedPrecondition, Look, REQUEST),
    row(("E23", "交易设备未获取支付宝授权"), "DEVICE_LACKS_ALIPAY_AUTHORIZATION", FailedPrecondition, Same, ACCOUNT),
    row(("E24", "未获取支付宝授权"), "ALIPAY_AUTHORIZATION_MISSING", FailedPrecondition, Same, ACCOUNT),
    row(("E25", "商户不合法"), "MERCHANT_ILLEGAL", PermissionDenied, Same, ACCOUNT),
    row(("E27", "msn必传"), "PARAMETER_REQUIRED", InvalidArgument, Same, REQUEST),
    row(("E28", "非退款订单"), "NOT_A_REFUND_ORDER", FailedPrecondition, Look, REQUEST),
    row(("F04", "请求支付宝退款接口失败"), "ALIPAY_REFUND_CALL_FAILED", Unavailable, Resolve, "RETRY"),
    row(("Q03", "参数异常"), "PARAMETER_MALFORMED", InvalidArgument, Same, REQUEST),
    row(("R01", "软件商不合法"), "VENDOR_ILLEGAL", PermissionDenied, Same, DEPLOYMENT),
    row(("R02", "非法IP"), "IP_ILLEGAL", Internal, Same, DEPLOYMENT),
    row(("R03", "请求太频繁"), "TOO_MANY_REQUESTS", ResourceExhausted, Look, "RETRY"),
    row(("S03", "系统异常"), "SYSTEM_ERROR", Unavailable, Resolve, "RETRY"),
    row(("S04", "设备商户未开通支付渠道"), "PAYMENT_CHANNEL_NOT_OPENED", FailedPrecondition, Same, ACCOUNT),
    row(("T01", "无效交易"), "TRANSACTION_INVALID", FailedPrecondition, Look, REQUEST),
    row(("T13", "当日交易不支持部分退款"), "SAME_DAY_PARTIAL_REFUND_NOT_SUPPORTED", FailedPrecondition, Look, REQUEST),
    // Any other.
    row(("X99", "天晓得"), "SUNMI_CODE_UNRECOGNIZED", Unknown, Resolve, "ASK_SUNMI"),
];

/// The fields that a code without further words blames, on a call that names its order by
/// `order_field`.
fn blamed(row: &Row, order_field: &'static str) -> Vec<&'static str> {
    match row.sunmi {
        "40001" | "40002" | "Q03" => vec![""],
        "E15" => vec![order_field],
        "E27" => vec!["msn"],
        _ => vec![],
    }
}

/// The details that are Sunmi's own words.
fn assert_speaks_for_sunmi(failure: &Failure, row: &Row) {
    assert_eq!(failure.sunmi_code.as_deref(), Some(row.sunmi));
    assert_eq!(failure.sunmi_message.as_deref(), Some(row.words), "{}", row.sunmi);
    assert_eq!(failure.localized.as_deref(), Some(row.words), "{}", row.sunmi);
}

async fn start() -> (Upstream, Server) {
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    (upstream, server)
}

#[test]
fn the_table_has_every_code_of_the_server() {
    let known: Vec<_> = TABLE.iter().map(|row| row.sunmi).filter(|code| *code != "X99").collect();
    let rest: Vec<_> =
        CODES.iter().map(|row| row.code).filter(|code| !known.contains(code)).collect();
    assert_eq!(rest, ["10000", "1", "D01"]);
    assert_eq!(known.len() + rest.len(), CODES.len());
}

#[tokio::test]
async fn every_code_fails_a_query_as_the_table_says() {
    let (upstream, server) = start().await;
    for row in &TABLE {
        upstream.always(QUERY, calls::code(row.sunmi, row.words));
        let failure = query(&server, calls::query("O1")).await.unwrap_err();
        assert_eq!(failure.verdict(), (row.code, row.reason, ""), "{}", row.sunmi);
        assert_eq!(failure.next_step, row.next_step, "{}", row.sunmi);
        assert_eq!(failure.fields(), blamed(row, "order_id"), "{}", row.sunmi);
        assert_speaks_for_sunmi(&failure, row);
        assert_eq!(failure.info["operation"], "Query");
        let wait = (row.next_step == "RETRY").then(|| Duration::from_secs(1));
        assert_eq!(failure.retry_delay, wait, "{}", row.sunmi);
        let attempts = if row.next_step == "RETRY" { 3 } else { 1 };
        assert_eq!(failure.attempts(), Some(attempts), "{}", row.sunmi);
        assert_eq!(upstream.take_paths(), vec![QUERY; attempts as usize], "{}", row.sunmi);
    }
}

#[tokio::test]
async fn every_code_fails_a_refund_as_the_table_says() {
    side_by_side(&TABLE, async |row| {
        let (upstream, server) = start().await;
        upstream
            .always(QUERY, calls::not_found())
            .always(REFUND, calls::code(row.sunmi, row.words));
        let request = pb::RefundRequest {
            original: Some(Original::OriMisId("M9".to_owned())),
            ..calls::refund("R1")
        };
        let time = if row.on_refund == Resolve { BRIEF } else { GUARD };
        let failure = refund_within(&server, request, time).await.unwrap_err();
        let (expected, wait) = match row.on_refund {
            Resolve => ((Unknown, "REFUND_OUTCOME_UNKNOWN", "UNKNOWN"), true),
            Same | Look => ((row.code, row.reason, "NOT_APPLIED"), row.sunmi == "R03"),
        };
        assert_eq!(failure.verdict(), expected, "{}", row.sunmi);
        let resolve = row.on_refund == Resolve;
        let next_step = if resolve { "REPEAT_SAME_REFUND" } else { row.next_step };
        assert_eq!(failure.next_step, next_step, "{}", row.sunmi);
        let fields = if resolve { vec![] } else { blamed(row, "ori_mis_id") };
        assert_eq!(failure.fields(), fields, "{}", row.sunmi);
        assert_speaks_for_sunmi(&failure, row);
        assert_eq!(failure.info["operation"], "Refund");
        assert_eq!(failure.retry_delay, wait.then(|| Duration::from_secs(1)), "{}", row.sunmi);
        match row.on_refund {
            // It had to come: the look before the send had not found the payment.
            Look if row.sunmi == "E19" => {
                assert_eq!(upstream.take_paths(), [REFUND, QUERY], "{}", row.sunmi);
            }
            Look => assert_eq!(upstream.take_paths(), [REFUND, QUERY, QUERY], "{}", row.sunmi),
            Same => assert_eq!(upstream.take_paths(), [REFUND], "{}", row.sunmi),
            Resolve => upstream.assert_sent("R1", 1, row.sunmi),
        }
    })
    .await;
}

/// Chapter 4 lists what E27 says; 40001 is told the same way.
#[tokio::test]
async fn a_missing_parameter_is_blamed_on_the_field_it_came_from_or_on_the_deployment() {
    let table = [
        ("msn必传", Some("msn")),
        ("sunmi_order_no 必传", Some("ori_order_id")),
        ("merchant_order_no必传", Some("ori_order_id")),
        ("Merchant_business_no 必传", Some("business_id")),
        ("refund_amount 必传", Some("amount_minor")),
        ("别的必传", Some("")),
        ("sid 必传", None),
        ("app_id 必传", None),
        ("sign 必传", None),
        ("charset 必传", None),
    ];
    let (upstream, server) = start().await;
    upstream.always(QUERY, calls::not_found());
    for (code, reason) in [("E27", "PARAMETER_REQUIRED"), ("40001", "PARAMETER_MISSING")] {
        for (words, field) in table {
            upstream.next(REFUND, calls::code(code, words));
            // A number that was refused may be used again, with the same content.
            let failure = refund(&server, calls::refund("R1")).await.unwrap_err();
            let (status, next_step) = match field {
                Some(_) => (InvalidArgument, REQUEST),
                None => (Internal, DEPLOYMENT),
            };
            assert_eq!(failure.verdict(), (status, reason, "NOT_APPLIED"), "{words}");
            assert_eq!(failure.next_step, next_step, "{words}");
            assert_eq!(failure.fields(), Vec::from_iter(field), "{words}");
        }
    }
}

#[tokio::test]
async fn success_is_1_and_10000() {
    let (upstream, server) = start().await;
    for code in ["1", "10000"] {
        let data = json!({"amount": "100", "orderType": "1", "state": "3"});
        let body = json!({"code": code, "data": data, "msg": ""}).to_string();
        upstream.next(QUERY, answer_json(&body)).next(REFUND, answer_json(&body));
        let number = format!("R-{code}");
        let found = query(&server, calls::query("O1")).await.unwrap();
        assert_eq!(found.state(), pb::TradeState::Succeeded, "{code}");
        let refunded = refund(&server, calls::refund(&number)).await.unwrap();
        assert_eq!(refunded.evidence(), pb::RefundEvidence::Reply, "{code}");
    }
}

#[tokio::test]
async fn what_is_processing_is_asked_again_on_a_read_and_never_sent_again_on_a_refund() {
    let (upstream, server) = start().await;
    let processing = calls::code("D01", "处理中");
    upstream.always(QUERY, processing.clone()).always(REFUND, processing.clone());
    let found = query(&server, calls::query("O1")).await.unwrap();
    let expected = pb::QueryResponse {
        state: pb::TradeState::Processing.into(),
        ..pb::QueryResponse::default()
    };
    assert_eq!(found, expected);
    assert_eq!(upstream.take_paths(), [QUERY; 3]);
    upstream.next(QUERY, processing).next(QUERY, calls::paid());
    let found = query(&server, calls::query("O1")).await.unwrap();
    assert_eq!(found.state(), pb::TradeState::Succeeded);
    assert_eq!(upstream.take_paths(), [QUERY; 2]);

    let refunded = refund(&server, calls::refund("R1")).await.unwrap();
    let expected = pb::RefundResponse {
        state: pb::TradeState::Processing.into(),
        evidence: pb::RefundEvidence::Reply.into(),
        ..pb::RefundResponse::default()
    };
    assert_eq!(refunded, expected);
    upstream.assert_sent("R1", 1, "D01");

    // A state beside it is kept, and not believed.
    let body = r#"{"code":"D01","data":{"amount":"100","orderType":"1","state":"3"}}"#;
    upstream.next(REFUND, answer_json(body));
    let refunded = refund(&server, calls::refund("R2")).await.unwrap();
    assert_eq!(refunded.state(), pb::TradeState::Processing);
    assert_eq!(refunded.unrecognized["state"], "3");
    upstream.assert_sent("R2", 1, "D01 with a state");
}
