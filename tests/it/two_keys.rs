//! Which key signs: that of the `app_id`, and of two keys the one that Sunmi takes.

use sunmi_trade::api::pb;
use sunmi_trade::config::Sources;
use tonic::Code;

use crate::calls;
use crate::form::signature;
use crate::server::{APP_ID, Server, impatient, query, refund, settings, with};
use crate::upstream::{Answer, QUERY, REFUND, Seen, Upstream};

/// Settings with an old and a new key, and without retries.
fn both(upstream: &Upstream) -> Sources {
    let keys = "\n old key \n\nnew key\n";
    let env = [("SUNMI_TRADE_APP_KEY", keys), ("SUNMI_TRADE__RETRY__MAX_ATTEMPTS", "1")];
    with(settings(upstream.address), &env)
}

fn rejected() -> Answer {
    calls::code("E05", "验签失败")
}

/// Which of these keys signed a request.
pub(crate) fn signer<'a>(seen: &Seen, keys: &[&'a str]) -> &'a str {
    let signed = keys.iter().find(|key| signature(&seen.form, key) == seen.form["sign"]);
    signed.unwrap_or_else(|| panic!("none of {keys:?} signed {seen:?}"))
}

/// The paths and signers of all requests so far, but for looks for refunds.
fn signers(upstream: &Upstream) -> Vec<(String, &'static str)> {
    let signed = |seen: Seen| {
        let key = signer(&seen, &["old key", "new key"]);
        (seen.path, key)
    };
    upstream.seen().into_iter().map(signed).collect()
}

fn posts(posts: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
    posts.iter().map(|(path, key)| ((*path).to_owned(), *key)).collect()
}

#[tokio::test]
async fn the_other_key_signs_at_once_what_the_first_was_rejected_for_and_all_that_follows() {
    let upstream = Upstream::start().await;
    let server = Server::start(&both(&upstream)).await;
    upstream.next(QUERY, rejected()).always(QUERY, calls::paid());
    query(&server, calls::query("O1")).await.unwrap();
    assert_eq!(signers(&upstream), posts(&[(QUERY, "old key"), (QUERY, "new key")]));
    let mut sent = upstream.seen().into_iter().map(|mut seen| {
        seen.form.remove("sign");
        seen.form
    });
    assert_eq!(sent.next(), sent.next());

    upstream.take_paths();
    query(&server, calls::query("O2")).await.unwrap();
    assert_eq!(signers(&upstream), posts(&[(QUERY, "new key")]));

    // And back, should Sunmi change its mind.
    upstream.take_paths();
    upstream.next(QUERY, rejected());
    query(&server, calls::query("O3")).await.unwrap();
    query(&server, calls::query("O4")).await.unwrap();
    let expected = [(QUERY, "new key"), (QUERY, "old key"), (QUERY, "old key")];
    assert_eq!(signers(&upstream), posts(&expected));
}

/// One request per claim: the key is found out by reads.
#[tokio::test]
async fn a_refund_that_is_rejected_for_its_key_is_not_sent_with_the_other() {
    let upstream = Upstream::start().await;
    let server = Server::start(&both(&upstream)).await;
    upstream.next(REFUND, rejected()).always(REFUND, calls::refunded());
    let failure = refund(&server, calls::refund("R1")).await.unwrap_err();
    assert_eq!(failure.verdict(), (Code::Internal, "SIGNATURE_REJECTED", "NOT_APPLIED"));
    assert_eq!(signers(&upstream), posts(&[(REFUND, "old key")]));
}

#[tokio::test]
async fn two_keys_that_are_both_rejected_are_a_rejection_after_two_attempts() {
    let upstream = Upstream::start().await;
    let server = Server::start(&both(&upstream)).await;
    upstream.always(QUERY, rejected()).always(REFUND, rejected());
    for _ in 0..2 {
        let failure = query(&server, calls::query("O1")).await.unwrap_err();
        assert_eq!(failure.verdict(), (Code::Internal, "SIGNATURE_REJECTED", ""));
        assert_eq!((failure.attempts(), failure.sunmi_code.as_deref()), (Some(2), Some("E05")));
        assert_eq!(signers(&upstream), posts(&[(QUERY, "old key"), (QUERY, "new key")]));
        upstream.take_paths();
    }
    // The looks before a refund find that out: it is not begun.
    upstream.finds_before("R1", rejected());
    let failure = refund(&server, calls::refund("R1")).await.unwrap_err();
    assert_eq!(failure.verdict(), (Code::Internal, "SIGNATURE_REJECTED", "NOT_ATTEMPTED"));
    assert_eq!(failure.attempts(), Some(2));
    assert_eq!(upstream.sends(), 0);
}

/// A gateway that fails has not looked at the signature.
#[tokio::test]
async fn the_other_key_is_preferred_only_once_sunmi_itself_has_taken_it() {
    let upstream = Upstream::start().await;
    let server = Server::start(&impatient(both(&upstream))).await;
    let gateway = crate::upstream::reply("502 Bad Gateway", &[], b"");
    for answer in [Answer::Bytes(gateway), Answer::BytesThenReset(vec![])] {
        upstream.next(QUERY, rejected()).next(QUERY, answer);
        query(&server, calls::query("O1")).await.unwrap_err();
        assert_eq!(signers(&upstream), posts(&[(QUERY, "old key"), (QUERY, "new key")]));
        upstream.take_paths();
    }
    // A refusal of another kind comes after the signature.
    upstream.next(QUERY, rejected()).next(QUERY, calls::not_found()).always(QUERY, calls::paid());
    query(&server, calls::query("O1")).await.unwrap_err();
    query(&server, calls::query("O1")).await.unwrap();
    let expected = [(QUERY, "old key"), (QUERY, "new key"), (QUERY, "new key")];
    assert_eq!(signers(&upstream), posts(&expected));
}

#[tokio::test]
async fn each_app_id_signs_with_its_own_key_and_the_default_where_none_is_named() {
    let upstream = Upstream::start().await;
    let file = r#"
        default_app_id = "app-3"
        [[credentials]]
        app_id = "app-2"
        app_key = "key 2"
        [[credentials]]
        app_id = "app-3"
        app_key = "key 3"
    "#;
    let env = [("SUNMI_TRADE_APP_KEY", "key 1")];
    let sources = Sources { file: Some(file.to_owned()), ..with(settings(upstream.address), &env) };
    let server = Server::start(&sources).await;
    upstream.always(QUERY, calls::paid()).always(REFUND, calls::refunded());
    let table = [(APP_ID, APP_ID, "key 1"), ("app-2", "app-2", "key 2"), ("", "app-3", "key 3")];
    for (named, signs, key) in table {
        let request = pb::QueryRequest { app_id: named.to_owned(), ..calls::query("O1") };
        query(&server, request).await.unwrap();
        let seen = upstream.seen().pop().unwrap();
        assert_eq!(seen.form["app_id"], signs);
        assert_eq!(signer(&seen, &["key 1", "key 2", "key 3"]), key);
    }
    let request = pb::RefundRequest { app_id: "app-2".to_owned(), ..calls::refund("R1") };
    refund(&server, request).await.unwrap();
    assert_eq!(signer(&upstream.seen().pop().unwrap(), &["key 1", "key 2", "key 3"]), "key 2");
    let request = pb::QueryRequest { app_id: "app-4".to_owned(), ..calls::query("O1") };
    assert_eq!(query(&server, request).await.unwrap_err().code, Code::InvalidArgument);
}

/// What limits all calls says nothing of the signature.
#[tokio::test]
async fn only_an_answer_about_the_trade_shows_that_a_key_was_taken() {
    for (code, taken) in [("E19", true), ("E22", true), ("R03", false), ("R02", false)] {
        let upstream = Upstream::start().await;
        let server = Server::start(&both(&upstream)).await;
        upstream.next(QUERY, rejected()).next(QUERY, calls::code(code, ""));
        query(&server, calls::query("O1")).await.unwrap_err();
        upstream.take_paths();
        upstream.always(QUERY, calls::paid());
        query(&server, calls::query("O2")).await.unwrap();
        let key = if taken { "new key" } else { "old key" };
        assert_eq!(signers(&upstream), posts(&[(QUERY, key)]), "{code}");
    }
}

#[tokio::test]
async fn another_key_takes_nothing_from_the_retries() {
    let upstream = Upstream::start().await;
    let env = [("SUNMI_TRADE__RETRY__MAX_ATTEMPTS", "2")];
    let server = Server::start(&with(both(&upstream), &env)).await;
    upstream.next(QUERY, rejected()).next(QUERY, calls::code("S03", "")).next(QUERY, calls::paid());
    query(&server, calls::query("O1")).await.unwrap();
    let expected = [(QUERY, "old key"), (QUERY, "new key"), (QUERY, "new key")];
    assert_eq!(signers(&upstream), posts(&expected));
}
