//! Sends a claimed refund, once, and acts on what the answer proves.

use super::begin::PaymentTurn;
use super::follow::Sender;
use super::judgement::refusal::{Belief, believe_refusal, is_explained};
use super::judgement::reply::{self, Verdict};
use super::{Begun, Refunds};
use crate::deadline::Deadline;
use crate::error::{BoxError, Chain, Error, Fault, Violation};
use crate::ledger::{Doubt, Key, Pending, Row, Said, Settled};
use crate::permit::Permit;
use crate::sunmi::{Answered, Connection, Place};
use crate::trade::{Refund, Refunded};

/// A claimed refund in the hands of its owner.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) refund: Refund,
    /// What the claim is known by.
    pub(super) id: String,
    pub(super) permit: Permit,
    pub(super) row: Row,
    pub(super) connection: Option<Connection>,
    pub(super) place: Place,
    pub(super) turn: PaymentTurn,
    /// The caller's.
    pub(super) deadline: Deadline,
    pub(super) begun: Begun,
}

/// A refund that was sent.
struct Sent {
    refund: Refund,
    id: String,
    row: Row,
    turn: PaymentTurn,
    deadline: Deadline,
    begun: Begun,
    attempts: u32,
    /// The fields of the request that Sunmi blames for a refusal.
    blamed: Vec<Violation>,
}

impl Sent {
    fn key(&self) -> &Key {
        &self.row.key
    }

    fn answered(&self, value: Refunded) -> Answered<Refunded> {
        Answered { value, attempts: self.attempts }
    }
}

impl Refunds {
    /// Sends a claimed refund and acts on the answer. Whatever happens here, the truth is told
    /// even if the ledger cannot be written: the row stays claimed, its lease ends, and it is
    /// resolved.
    pub(super) async fn send(self, claimed: Claimed) -> Result<Answered<Refunded>, Error> {
        let Claimed { refund, id, permit, row, connection, place, turn, deadline, begun } = claimed;
        let by = (&self.clock, deadline);
        let answer = self.client.refund(permit, &refund, connection, by).await;
        // Places bound what is sent. To be waiting for an outcome takes nobody else's.
        drop(place);
        let attempts = match &answer {
            Ok(answer) => answer.attempts,
            Err(error) => error.context().attempts.unwrap_or_default(),
        };
        let verdict = reply::judge(&refund, answer, &self.rules.refused_codes);
        let blamed = Vec::new();
        let sent = Sent { refund, id, row, turn, deadline, begun, attempts, blamed };
        match verdict {
            Verdict::Succeeded(refunded) => self.record_success(sent, refunded).await,
            Verdict::Processing(refunded) => self.record_acceptance(sent, refunded).await,
            Verdict::Failed(refunded) => {
                let error = Error::refund_outcome_unknown("that it failed is not borne out yet");
                let doubt = Doubt { pending: Some(Pending::Failure), ..doubt_of(&error) };
                self.doubt(sent, error, (doubt, Some(refunded))).await
            }
            Verdict::Refused(error) => self.record_refusal(sent, error).await,
            Verdict::RefusedTrade(error) => self.check_refusal(sent, error).await,
            Verdict::NotSent(error) => self.record_not_sent(sent, error).await,
            Verdict::Doubt(error) => {
                let doubt = doubt_of(&error);
                self.doubt(sent, error, (doubt, None)).await
            }
        }
    }

    async fn record_success(
        self,
        sent: Sent,
        refunded: Refunded,
    ) -> Result<Answered<Refunded>, Error> {
        let (key, record) = (sent.key().clone(), refunded.clone());
        let answer = sent.answered(refunded);
        match self.ledger.settle(&key, &record).await {
            Ok(Settled::Written | Settled::Already) => {}
            Ok(Settled::Otherwise) => {
                return Err(Error::refund_outcome_unknown(
                    "Sunmi answers that it succeeded, and it is recorded as failed",
                ));
            }
            Err(error) => self.record_later(&error, move |ledger| {
                let (key, record) = (key.clone(), record.clone());
                async move { ledger.settle(&key, &record).await.map(drop) }
            }),
        }
        Ok(answer)
    }

    /// Sunmi accepted it and has not finished.
    async fn record_acceptance(
        self,
        sent: Sent,
        refunded: Refunded,
    ) -> Result<Answered<Refunded>, Error> {
        let (key, record) = (sent.key().clone(), refunded.clone());
        let answer = sent.answered(refunded);
        match self.ledger.processing(&key, &record).await {
            Ok(true) => Ok(answer),
            // Found finished meanwhile, most likely.
            Ok(false) => self.follow_sent(sent, None).await,
            Err(error) => {
                self.record_later(&error, move |ledger| {
                    let (key, record) = (key.clone(), record.clone());
                    async move { ledger.processing(&key, &record).await.map(drop) }
                });
                Ok(answer)
            }
        }
    }

    /// A refusal that any copy of the request would have met alike: nothing was executed. It is
    /// told only once the row says that it is told.
    async fn record_refusal(self, sent: Sent, error: Error) -> Result<Answered<Refunded>, Error> {
        let doubt = refusal(&error, true);
        let (key, epoch) = (sent.key().clone(), sent.row.epoch);
        match self.ledger.refuse(&key, epoch, &doubt, true).await {
            Ok(true) => {
                self.heard(&key, epoch, &sent.begun).await;
                Err(error)
            }
            Ok(false) => {
                self.contradict_refusal(&key).await;
                self.follow_sent(sent, Some(error.into_refund_outcome_unknown())).await
            }
            Err(unwritten) => {
                self.record_later(&unwritten, move |ledger| {
                    let (key, doubt) = (key.clone(), doubt.clone());
                    // Its caller was told that it is not known, also if the first record was made.
                    async move {
                        if !ledger.refuse(&key, epoch, &doubt, false).await? {
                            ledger.untell(&key, epoch).await?;
                        }
                        Ok(())
                    }
                });
                Err(error.into_refund_outcome_unknown())
            }
        }
    }

    /// A refusal of the trade: one that had to come is believed if the number is not there, any
    /// other only after looks that this call or the resolver makes.
    async fn check_refusal(self, sent: Sent, error: Error) -> Result<Answered<Refunded>, Error> {
        let payment = &sent.row.evidence.payment;
        let explained = is_explained(error.fault(), payment, sent.refund.amount);
        let until = Deadline::after(self.rules.ceiling).min(sent.deadline);
        if explained
            && let Ok(seen) = self.look_at_both(&sent.row, &sent.refund, until).await
            && believe_refusal(true, payment, seen, false) == Belief::Believed
        {
            return self.record_refusal(sent, error).await;
        }
        if !explained && self.is_used_up(error.fault(), &sent.row, &sent.refund, until).await {
            return self.record_refusal(sent, error).await;
        }
        let doubt = refusal(&error, explained);
        let sent = Sent { blamed: error.context().violations.clone(), ..sent };
        self.doubt(sent, error.into_refund_outcome_unknown(), (doubt, None)).await
    }

    /// Nothing was sent: the claim is given back, and whoever asked is told so.
    async fn record_not_sent(self, sent: Sent, error: Error) -> Result<Answered<Refunded>, Error> {
        let Sent { row, id, begun, .. } = sent;
        match self.ledger.give_back(&row.key, &id, "nothing was sent").await {
            Ok(true) => {
                self.heard(&row.key, row.epoch, &begun).await;
                Err(error)
            }
            Ok(false) => Err(error.not_attempted()),
            Err(unwritten) => {
                tracing::error!(error = %Chain(&unwritten), "a refund's record was not written");
                self.give_back_later(row.key, id);
                Err(error.not_attempted())
            }
        }
    }

    /// Gives a claim back that is not sent on.
    pub(super) async fn give_back(&self, key: &Key, id: &str, why: &str) {
        if let Err(error) = self.ledger.give_back(key, id, why).await {
            tracing::error!(error = %Chain(&error), "a refund's record was not written");
            self.give_back_later(key.clone(), id.to_owned());
        }
    }

    /// It may have been executed. It is followed for as long as the caller waits.
    async fn doubt(
        self,
        sent: Sent,
        error: Error,
        (doubt, answer): (Doubt, Option<Refunded>),
    ) -> Result<Answered<Refunded>, Error> {
        // An answer that accepts something, too, is never taken for none.
        let accepted = answer.is_some() || error.context().accepted.is_some();
        let said = Said { answer: answer.as_ref(), accepted };
        let (key, epoch) = (sent.key().clone(), sent.row.epoch);
        if let Err(unwritten) = self.ledger.doubt(&key, epoch, &doubt, said).await {
            self.record_later(&unwritten, move |ledger| {
                let (key, doubt, answer) = (key.clone(), doubt.clone(), answer.clone());
                async move {
                    let said = Said { answer: answer.as_ref(), accepted };
                    ledger.doubt(&key, epoch, &doubt, said).await.map(drop)
                }
            });
        }
        self.follow_sent(sent, Some(error)).await
    }

    /// Follows a refund that this call sent, and gives the turn at its payment back: others see
    /// its row. What led to a doubt says more than that it went on.
    async fn follow_sent(
        self,
        sent: Sent,
        doubt: Option<Error>,
    ) -> Result<Answered<Refunded>, Error> {
        let Sent { row, turn, deadline, begun, attempts, blamed, .. } = sent;
        drop(turn);
        let unknown = |error: BoxError| {
            let error = doubt.unwrap_or_else(|| Error::refund_outcome_unknown(error));
            error.with(|context| context.attempts = Some(attempts))
        };
        let row = match self.ledger.read(&row.key).await {
            Ok(Some(row)) => row,
            Ok(None) => return Err(unknown("its row is gone".into())),
            Err(error) => return Err(unknown(error.into())),
        };
        match self.follow(row, Sender::ThisCall, (deadline, &begun)).await {
            Ok(answer) => Ok(Answered { attempts, ..answer }),
            Err(other) if other.fault() == Fault::RefundOutcomeUnknown => {
                let by_age = other.context().retry_after;
                Err(unknown(other.into())
                    .with(|context| context.retry_after = context.retry_after.max(by_age)))
            }
            Err(other) => Err(other.with(|context| {
                context.attempts = Some(attempts);
                context.violations = blamed;
            })),
        }
    }

    /// A refusal of what succeeded by now.
    async fn contradict_refusal(&self, key: &Key) {
        let row = self.ledger.read(key).await;
        if row.is_ok_and(|row| row.is_some_and(|row| row.has_succeeded())) {
            let why = "Sunmi refused it, and shows it as succeeded";
            if let Err(error) = self.ledger.dispute(key, why).await {
                tracing::error!(error = %Chain(&error), "a refund's record was not written");
            }
        }
    }

    /// What a plain proxy does: every call is sent, and Sunmi's answer is the caller's. Only
    /// built to prove that the guards are needed.
    #[cfg(feature = "unguarded-ledger")]
    pub(super) async fn send_unguarded(
        self,
        refund: Refund,
        deadline: Deadline,
    ) -> Result<Answered<Refunded>, Error> {
        let permit = Permit::of_claim(0, self.clock.now().after(self.rules.ceiling));
        let by = (&self.clock, deadline);
        let answer = self.client.refund(permit, &refund, None, by).await?;
        let evidence = crate::trade::Evidence::Reply;
        Ok(answer.map(|trade| Refunded { trade, evidence, replayed: false }))
    }
}

/// What the ledger keeps of an error that led to a doubt.
fn doubt_of(error: &Error) -> Doubt {
    let context = error.context();
    Doubt {
        why: Chain(error).to_string(),
        code: context.sunmi.as_ref().map(|words| words.code.clone()),
        message: context.sunmi.as_ref().map(|words| words.message.clone()),
        http_status: context.http_status,
        pending: None,
    }
}

/// What the ledger keeps of a refusal.
fn refusal(error: &Error, explained: bool) -> Doubt {
    let reason = error.fault().row().reason.to_owned();
    Doubt { pending: Some(Pending::Refusal { reason, explained }), ..doubt_of(error) }
}
