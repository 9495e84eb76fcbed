//! `refunds`: what a person sees of a ledger and does to it. tests/crash has it beside a server.

mod ask;
mod books;
mod export;
mod list;
mod reconcile;
mod rehome;
mod statement;
mod settle;
mod show;
mod world;

use super::run;

const SIGNER: [(&str, &str); 2] = [("SUNMI_TRADE_APP_ID", "app"), ("SUNMI_TRADE_APP_KEY", "key")];

#[test]
fn a_decision_is_one_of_two_and_neither_is_suggested_before_the_other() {
    let one_of = "<--succeeded|--not-applied>";
    let base = ["refunds", "settle", "R1", "--epoch", "1", "--by", "me", "--reason", "because"];
    assert!(run(&["refunds", "settle", "--help"], &[]).printed().contains(one_of));
    let neither = run(&base, &SIGNER);
    assert_eq!(neither.status, Some(64));
    assert!(neither.stderr.contains(one_of), "{}", neither.stderr);
    let both = run(&[&base[..], &["--succeeded", "--not-applied"]].concat(), &SIGNER);
    assert_eq!(both.status, Some(64));
}

#[test]
fn a_ledger_that_is_not_there_is_named_and_the_upstream_may_be_given_as_to_serve() {
    let ledger = [("SUNMI_TRADE__REFUND__LEDGER", "sqlite://nowhere/ledger.db")];
    let env = [&SIGNER[..], &ledger].concat();
    let args = ["refunds", "list", "--upstream-base-url", "http://127.0.0.1:1"];
    let ran = run(&args, &env);
    assert_eq!(ran.status, Some(1));
    let said = "sqlite://nowhere/ledger.db was not opened: there is no such file";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
}
