//! One refund, until its outcome is known or patience ends.
//!
//! What settles it is written in two places alone, [`Caller::ask`] and [`Caller::send`]: a state
//! SUCCEEDED or FAILED, and that no money moved. Everything else leaves it pending, whatever the
//! status: the money may have moved.

use std::cmp::min;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tonic::Code;
use tonic::transport::Channel;

use crate::details::{Failure, name};
use crate::server::Server;
use crate::store::{Outcome, escaped};
use crate::v1::refund_ledger_service_client::RefundLedgerServiceClient;
use crate::v1::refund_request::Original;
use crate::v1::trade_service_client::TradeServiceClient;
use crate::v1::{
    ErrorReason, GetRefundRequest, NextStep, RefundOutcome, RefundRecord, RefundRecordState,
    RefundRequest, TradeState, refund_record,
};

/// The first wait between two rounds, which doubles each time, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// The longest wait that the server can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

/// Who makes refunds.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The server.
    pub server: Server,
    /// A channel to it.
    pub channel: Channel,
    /// How long one call may take.
    pub timeout: Duration,
    /// How long it may take in all until the outcome is known.
    pub patience: Duration,
}

/// What an answer makes of a refund.
enum Next {
    /// It is known what became of it.
    Settled(Outcome),
    /// Ask again, after so long if the server said so.
    Wait(Option<Duration>),
    /// Repeating does not help: a person is needed. It stays pending.
    Stop,
}

impl Caller {
    /// Makes the refund, and repeats it with the same number and content until it is known what
    /// became of it. The record must be on the disk. One that may have been sent before is asked
    /// about first, which moves nothing.
    pub async fn settle(&self, request: &RefundRequest, mut maybe_sent: bool) -> Outcome {
        let until = Instant::now() + self.patience;
        let left = || until.saturating_duration_since(Instant::now());
        let mut wait = WAITS.0;
        while !left().is_zero() {
            let asked =
                if maybe_sent { self.ask(request, min(self.timeout, left())).await } else { None };
            maybe_sent = true;
            let next = match asked {
                Some(next) => next,
                None => self.send(request, min(self.timeout, left())).await,
            };
            let asked_for = match next {
                Next::Settled(outcome) => return outcome,
                Next::Stop => return Outcome::Pending,
                Next::Wait(asked_for) => asked_for,
            };
            sleep(min(asked_for.map_or(wait, |it| min(it, MAX_RETRY_AFTER)), left())).await;
            wait = min(wait * 2, WAITS.1);
        }
        Outcome::Pending
    }

    /// What the ledger knows. None: nothing that settles it, so it may be sent.
    async fn ask(&self, request: &RefundRequest, within: Duration) -> Option<Next> {
        let (number, id) = (&request.order_id, escaped(&request.order_id));
        let message = GetRefundRequest {
            app_id: request.app_id.clone(),
            order_id: number.clone(),
            ask_sunmi: false,
        };
        let client = RefundLedgerServiceClient::new(self.channel.clone());
        let answer = self.server.call(&message, &id, within, |message| {
            let mut client = client.clone();
            async move { client.get_refund(message).await }
        });
        match answer.await {
            Ok(response) => {
                let record = response.refund.unwrap_or_default();
                let named = name(record.state, "STATE", RefundRecordState::as_str_name);
                eprintln!("{number}: GetRefund: {named}, {}", state(record.outcome));
                if !is_of(&record, request) {
                    // Another refund under this number, or one that retention has emptied. A
                    // Refund tells which, and sends nothing under a number that is taken.
                    return None;
                }
                if let Some(why) = &record.dispute {
                    // Sunmi contradicts what the ledger says, and a Refund would only say that again.
                    eprintln!("{number}: a person is needed: it is disputed: {why}");
                    return Some(Next::Stop);
                }
                match (record.state(), record.outcome()) {
                    (RefundRecordState::Settled, outcome) => settled_by(outcome),
                    // The server's word that no money moved; a Refund would make another attempt.
                    (RefundRecordState::NotApplied, _) => Some(Next::Settled(Outcome::Declined)),
                    _ => None,
                }
            }
            Err(status) => {
                let failure = Failure::from(&status);
                eprintln!("{number}: GetRefund: {failure}");
                // The ledger does not have it; this caller may refund and not ask; or the server is
                // older than the ledger's service. A Refund asks before it acts, too.
                let may_be_sent = failure.reason() == ErrorReason::RefundNotFound
                    || matches!(failure.code, Code::PermissionDenied | Code::Unimplemented);
                if may_be_sent { None } else { Some(unsettled(number, &failure)) }
            }
        }
    }

    /// Makes the refund, or is told what became of it.
    async fn send(&self, request: &RefundRequest, within: Duration) -> Next {
        let (number, id) = (&request.order_id, escaped(&request.order_id));
        let client = TradeServiceClient::new(self.channel.clone());
        let answer = self.server.call(request, &id, within, |message| {
            let mut client = client.clone();
            async move { client.refund(message).await }
        });
        match answer.await {
            Ok(response) => {
                eprintln!("{number}: Refund: {}", state(response.state));
                // Accepted and not finished, or a state of a newer server: ask again.
                settled_by(response.state()).unwrap_or(Next::Wait(None))
            }
            Err(status) => {
                let failure = Failure::from(&status);
                eprintln!("{number}: Refund: {failure}");
                match failure.outcome() {
                    RefundOutcome::NotApplied => Next::Settled(Outcome::Declined),
                    RefundOutcome::Unspecified
                    | RefundOutcome::NotAttempted
                    | RefundOutcome::Unknown => unsettled(number, &failure),
                }
            }
        }
    }
}

/// Whether a record is of this refund, and not of another one that somebody made under its number.
fn is_of(record: &RefundRecord, request: &RefundRequest) -> bool {
    let original = record.original.clone().map(|it| match it {
        refund_record::Original::OriMisId(number) => Original::OriMisId(number),
        refund_record::Original::OriPlatformId(number) => Original::OriPlatformId(number),
        refund_record::Original::OriOrderId(number) => Original::OriOrderId(number),
    });
    record.order_id == request.order_id
        && record.msn.as_ref() == Some(&request.msn)
        && record.amount_minor == Some(request.amount_minor)
        && record.business_id.as_ref() == Some(&request.business_id)
        && original == request.original
}

/// The two states that are final.
fn settled_by(state: TradeState) -> Option<Next> {
    match state {
        TradeState::Succeeded => Some(Next::Settled(Outcome::Done)),
        TradeState::Failed => Some(Next::Settled(Outcome::Declined)),
        TradeState::Unspecified
        | TradeState::Created
        | TradeState::Unpaid
        | TradeState::Ended
        | TradeState::Processing => None,
    }
}

/// What an error leaves to do that does not settle the refund.
fn unsettled(number: &str, failure: &Failure) -> Next {
    let person = match (failure.code, failure.next_step()) {
        // Of this call alone: one before, with credentials that were good then, may have moved money.
        (Code::Unauthenticated | Code::PermissionDenied, _) => "this caller is not let in".into(),
        (_, NextStep::FixRequest) => "the request has to be corrected".into(),
        (_, NextStep::FixMerchantAccount) => "the merchant's account has to be put right".into(),
        (_, NextStep::FixDeployment) => "the server has to be put right".into(),
        (_, NextStep::AskSunmi) => "Sunmi has to be asked".into(),
        (_, NextStep::ResolveOpenRefund) => {
            let open = failure.open_number().unwrap_or("another refund of the payment");
            format!("{open} is open: repeat that one until it is known, with its own content")
        }
        (_, NextStep::Unspecified | NextStep::Retry | NextStep::RepeatSameRefund) => {
            return Next::Wait(failure.retry_after());
        }
    };
    eprintln!("{number}: a person is needed: {person}");
    Next::Stop
}

fn state(number: i32) -> String {
    name(number, "TRADE_STATE", TradeState::as_str_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_other_content_or_without_it_is_not_of_this_refund() {
        let request = RefundRequest {
            msn: "TL05D91940002".into(),
            amount_minor: 100,
            original: Some(Original::OriOrderId("DEMO-1".into())),
            order_id: "R-1".into(),
            business_id: "B-1".into(),
            ..RefundRequest::default()
        };
        let record = RefundRecord {
            app_id: "sandbox".into(),
            msn: Some(request.msn.clone()),
            amount_minor: Some(100),
            original: Some(refund_record::Original::OriOrderId("DEMO-1".into())),
            order_id: "R-1".into(),
            business_id: Some("B-1".into()),
            ..RefundRecord::default()
        };
        assert!(is_of(&record, &request));
        let another = refund_record::Original::OriMisId("DEMO-1".into());
        for other in [
            RefundRecord { amount_minor: Some(101), ..record.clone() },
            RefundRecord { amount_minor: None, ..record.clone() },
            RefundRecord { original: Some(another), ..record.clone() },
            RefundRecord { msn: Some("other".into()), ..record.clone() },
            RefundRecord { business_id: None, ..record.clone() },
        ] {
            assert!(!is_of(&other, &request), "{other:?}");
        }
    }
}
