//! Refunds in doubt whose key is gone.

use sunmi_trade::api::pb;

use super::world::{World, credential};
use crate::calls;
use crate::failure::IN_DOUBT;
use crate::measures::{measure, until};
use crate::server::{BRIEF, refund_within};
use crate::two_keys::signer;
use crate::upstream::{Answer, QUERY, REFUND};

const IN_DOUBT_NOW: &str = "sunmi_refund_unknown_outcome";

#[tokio::test]
async fn a_refund_in_doubt_is_counted_without_its_key_and_found_out_when_there_is_one_again() {
    let world = World::new(|_| credential("app-1", "k")).await;
    world.upstream.next(REFUND, Answer::BytesThenReset(vec![])).always(QUERY, calls::not_found());
    let request = pb::RefundRequest { app_id: "app-1".to_owned(), ..calls::refund("R1") };
    let failure = refund_within(&world.server, request, BRIEF).await.unwrap_err();
    assert_eq!(failure.verdict(), IN_DOUBT);

    world.says(credential("app-2", "two")).await;
    let asked = world.upstream.everything().len();
    // The resolver has come by without a key.
    let line = r#"sunmi_ledger_operation_duration_seconds_count{operation="take_due"}"#;
    let before = measure(&world.server, line).await;
    until(&world.server, line, |count| count > before + 8).await;
    assert_eq!(measure(&world.server, IN_DOUBT_NOW).await, 1);
    assert_eq!(world.upstream.everything().len(), asked);

    world.upstream.finds("R1", calls::refunded());
    world.says(credential("app-2", "two") + &credential("app-1", "newer")).await;
    until(&world.server, IN_DOUBT_NOW, |refunds| refunds == 0).await;
    let looks = world.upstream.everything().split_off(asked);
    assert!(looks.iter().all(|seen| signer(seen, &["k", "newer"]) == "newer"));
}
