//! Which ledger is in force, and whose numbers are in it.

use sunmi_trade::api::pb::TradeState;
use sunmi_trade::config::{self, Sources};
use sunmi_trade::sandbox::book::Endpoint;
use sunmi_trade::sandbox::faults::{Answer, Fault};
use sunmi_trade::server::{Listeners, run};
use tokio::net::TcpListener;

use super::world::World;
use crate::calls;
use crate::failure::IN_DOUBT;
use crate::scratch::Scratch;
use crate::server::{BRIEF, GUARD, refund, refund_within, settings, with};
use crate::upstream::Upstream;

/// Execution o: where money may move, somebody has to say where the ledger is.
#[test]
fn a_server_of_production_does_not_begin_with_a_ledger_that_nobody_named() {
    let env = [("SUNMI_TRADE_APP_ID", "app-1"), ("SUNMI_TRADE_APP_KEY", "key")];
    let faults = config::load(&with(Sources::default(), &env), false).unwrap_err();
    assert!(format!("{faults:?}").contains("refund.ledger"), "{faults:?}");
    let named = [("SUNMI_TRADE__REFUND__LEDGER", "sqlite:///var/lib/sunmi-trade/ledger.db")];
    config::load(&with(with(Sources::default(), &env), &named), false).unwrap();
}

/// Execution o: without its volume a server finds another folder, and no ledger in it.
#[tokio::test]
async fn a_server_whose_ledger_is_gone_makes_no_new_one_if_it_is_not_to() {
    let (upstream, folder) = (Upstream::start().await, Scratch::new());
    let ledger = format!("sqlite://{}", folder.path().join("ledger.db").display());
    let env = [
        ("SUNMI_TRADE__REFUND__LEDGER", ledger.as_str()),
        ("SUNMI_TRADE__REFUND__CREATE_LEDGER", "false"),
    ];
    let config = config::load(&with(settings(upstream.address), &env), false).unwrap();
    let bind = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listeners = Listeners { grpc: bind().await, admin: bind().await };
    let ended = run(config, listeners, std::future::pending());
    let ended = tokio::time::timeout(GUARD, ended).await.expect("it does not serve");
    let error = ended.unwrap_err();
    assert!(format!("{error:?}").contains("no such file"), "{error:?}");
    assert!(!folder.path().join("ledger.db").exists());
}

/// Execution r: the only credential is exchanged, and callers name none.
#[tokio::test]
async fn a_number_in_doubt_is_not_sent_again_after_the_credential_was_exchanged() {
    let world = World::start(&[]).await;
    world.sandbox.spoil(Fault {
        endpoint: Some(Endpoint::Query),
        order_id: Some("R1".to_owned()),
        times: u32::MAX,
        ..Fault::of(Answer::Code("E19".to_owned()))
    });
    world.spoil(true, Answer::Reset);
    let failure = refund_within(&world.server, calls::refund("R1"), BRIEF).await.unwrap_err();
    assert_eq!(failure.verdict(), IN_DOUBT);
    refund(&world.server, with_known(&["R1"], "R2")).await.unwrap();
    let world = world.restart("SELECT 1", &[("SUNMI_TRADE_APP_ID", "app-2")]).await;
    let failure = refund_within(&world.server, calls::refund("R1"), BRIEF).await.unwrap_err();
    assert_eq!((failure.verdict(), world.sends("R1")), (IN_DOUBT, 1));
    let again = refund(&world.server, calls::refund("R2")).await.unwrap();
    assert_eq!((again.state(), again.replayed), (TradeState::Succeeded, true));
    let other = sunmi_trade::api::pb::RefundRequest { amount_minor: 99, ..calls::refund("R2") };
    let failure = refund(&world.server, other).await.unwrap_err();
    assert_eq!(failure.reason, "REFUND_ORDER_ID_REUSED");
    assert_eq!(failure.fields(), ["app_id"]);
    assert_eq!((world.sends("R2"), world.executions("R2")), (1, 1));
}

fn with_known(open: &[&str], number: &str) -> sunmi_trade::api::pb::RefundRequest {
    let acknowledged = open.iter().map(|id| (*id).to_owned()).collect();
    sunmi_trade::api::pb::RefundRequest {
        acknowledged_open_order_ids: acknowledged,
        ..calls::refund(number)
    }
}
