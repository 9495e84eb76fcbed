//! How a refund begins: what the ledger knows comes first, then one refund after another of a
//! number and of a payment, then the looks, then the claim.

use std::time::Duration;

use uuid::Uuid;

use super::bound::beyond;
use super::follow::{LAST_WORD, Sender};
use super::judgement::seen::NumberSeen;
use super::looks::{Before, payment_then};
use super::recall::Recalled;
use super::send::Claimed;
use super::turns::Guard;
use super::{Begun, PaymentKey, Refunds, reused, reused_as, unavailable};
use crate::deadline::Deadline;
use crate::error::{Chain, Error, Fault};
use crate::ledger::{
    Claim, ClaimRequest, Doubt, Durability, Key, Looked, PaymentThen, Row, State, blocking,
};
use crate::sunmi::{Answered, Connection, Place};
use crate::trade::{Identifier, Payment, PaymentNames, Refund, Refunded};

/// A claim that took longer than this to commit is not sent on.
const SLOW_CLAIM: Duration = Duration::from_secs(5);

/// How often another process's work on an open refund is looked for in the ledger.
const OPEN_PAUSE: Duration = Duration::from_millis(250);

/// What the beginning of a refund comes to.
enum Begin {
    /// It is known: only its row tells what becomes of it.
    Follow(Box<Row>),
    /// Another refund of its payment is open.
    Wait(Key),
    /// The ledger changed meanwhile; the payment has these names.
    Again(PaymentNames),
    /// It is claimed.
    Send(Box<Claimed>),
}

/// A turn at a payment.
pub(super) type PaymentTurn = Guard<PaymentKey, Identifier>;

impl Refunds {
    /// Works on a refund until its outcome is known, or its caller's time is over.
    pub(super) async fn work(
        self,
        refund: Refund,
        deadline: Deadline,
        begun: Begun,
    ) -> Result<Answered<Refunded>, Error> {
        // A black box, so that what follows is not unreachable.
        #[cfg(feature = "unguarded-ledger")]
        if std::hint::black_box(true) {
            return self.send_unguarded(refund, deadline).await;
        }
        // Whoever asks while nobody was told yet asks what happened, however many ask at once.
        let key = Key::of(&refund);
        let rows = self.ledger.of_number(refund.order_id.as_str()).await.map_err(unavailable)?;
        begun.found(&rows);
        if let Some(row) = rows.into_iter().find(|row| row.key == key)
            && row.state == State::NotApplied
            && !row.told
        {
            let row = match self.recall(&refund, &begun).await? {
                Recalled::Known(row) => *row,
                Recalled::Free(_) => row,
            };
            return self.follow(row, Sender::Another, (deadline, &begun)).await;
        }
        let mut names = PaymentNames::default();
        loop {
            match self.begin(&refund, &names, deadline, &begun).await? {
                Begin::Send(claimed) => return self.send(*claimed).await,
                Begin::Again(found) => {
                    begun.look_again();
                    names = found;
                }
                Begin::Wait(open) => {
                    begun.look_again();
                    self.wait_for(&open, deadline).await?;
                }
                Begin::Follow(row) => {
                    if !begun.claim() {
                        return Err(Error::new(Fault::DeadlineExceeded));
                    }
                    return self.follow(*row, Sender::Another, (deadline, &begun)).await;
                }
            }
        }
    }

    async fn begin(
        &self,
        refund: &Refund,
        names: &PaymentNames,
        deadline: Deadline,
        begun: &Begun,
    ) -> Result<Begin, Error> {
        let in_time = deadline.earlier(LAST_WORD);
        let key = Key::of(refund);
        let too_late = |_| Error::new(Fault::DeadlineExceeded);
        let _number = self.numbers.take(&key, (), in_time).await.map_err(too_late)?;
        let row = match self.recall(refund, begun).await? {
            Recalled::Free(row) => row,
            Recalled::Known(row) => return Ok(Begin::Follow(row)),
        };
        let (kind, asked) = refund.original.named();
        let payment = (refund.app_id.clone(), kind, asked.clone());
        let name = refund.order_id.clone();
        let turn = self.payments.take(&payment, name, in_time).await;
        let turn = turn.map_err(|holder| in_flight(holder.as_ref()))?;
        // A look that finds the payment no more takes no name away.
        let names = match &row {
            Some(row) => names.or(&row.evidence.names),
            None => names.clone(),
        };
        let payment = Payment {
            app_id: refund.app_id.clone(),
            asked: refund.original.clone(),
            found: names.clone(),
        };
        let rows = self.ledger.of_payment(&payment).await.map_err(unavailable)?;
        if let Some(open) = blocking(&rows, &key, &refund.acknowledged) {
            return Ok(Begin::Wait(open.clone()));
        }
        if let Some(row) = self.known_or_within_bound(refund, begun).await? {
            return Ok(Begin::Follow(row));
        }
        let seen = Seen { row, rows, names, turn };
        self.look_and_claim(refund, seen, (deadline, in_time), begun).await
    }

    async fn look_and_claim(
        &self,
        refund: &Refund,
        seen: Seen,
        (deadline, in_time): (Deadline, Deadline),
        begun: &Begun,
    ) -> Result<Begin, Error> {
        let place = self.client.admit(deadline).await?;
        let looked_at = self.clock.now();
        let before = match self.rules.look_first {
            true => Some(self.look_before(refund, in_time).await?),
            false => None,
        };
        if deadline.left() < self.rules.min_left {
            return Err(Error::new(Fault::DeadlineExceeded));
        }
        if !begun.claim() {
            return Err(Error::new(Fault::DeadlineExceeded));
        }
        let unseen = self.clock.now().saturating_since(looked_at) + self.rules.lag;
        let looked = looked(&seen, before.as_ref(), unseen);
        let number = before.as_ref().map(|before| before.number);
        if let Some(found) = self.found_before(refund, &seen, number, &looked).await? {
            return Ok(found);
        }
        let connection = before.map(|before| before.connection);
        self.claim(refund, &looked, (deadline, connection, place), (seen.turn, begun)).await
    }

    /// Acts on what is under a number before its send: then nothing is sent.
    async fn found_before(
        &self,
        refund: &Refund,
        seen: &Seen,
        number: Option<NumberSeen>,
        looked: &Looked,
    ) -> Result<Option<Begin>, Error> {
        let recorded = match (number, &seen.row) {
            (None | Some(NumberSeen::Absent | NumberSeen::Unanswered), _) => return Ok(None),
            (Some(NumberSeen::Other), None) => {
                let rule = "is the number of another order at Sunmi";
                return Err(reused_as(vec!["order_id"], rule));
            }
            (Some(NumberSeen::Refund(_) | NumberSeen::Unclear), None) => {
                let why = "a refund was under its number before it was first sent";
                self.ledger.record_found(refund, looked, why).await
            }
            (Some(NumberSeen::Refund(_) | NumberSeen::Unclear | NumberSeen::Other), Some(row)) => {
                let why = "something was found under its number, after it was not applied";
                // What Sunmi said of the last claim says nothing of this.
                let last = row.doubt.clone().unwrap_or_default();
                let doubt = Doubt { why: why.to_owned(), pending: None, ..last };
                self.ledger.reopen(refund, row.epoch, &doubt).await
            }
        };
        // What others recorded meanwhile may be of another content.
        Ok(Some(match recorded.map_err(unavailable)? {
            true => {
                let row = self.ledger.row(&Key::of(refund)).await.map_err(unavailable)?;
                Begin::Follow(Box::new(row))
            }
            false => Begin::Again(looked.names.clone()),
        }))
    }

    async fn claim(
        &self,
        refund: &Refund,
        looked: &Looked,
        (deadline, connection, place): (Deadline, Option<Connection>, Place),
        (turn, edge): (PaymentTurn, &Begun),
    ) -> Result<Begin, Error> {
        let (id, begun) = (Uuid::new_v4().simple().to_string(), self.clock.now());
        let request = ClaimRequest { refund, id: &id, looked, ceiling: self.rules.ceiling, begun };
        let claim = self.ledger.claim(&request).await.map_err(|error| {
            // It may be claimed all the same.
            self.give_back_later(Key::of(refund), id.clone());
            unavailable(error)
        })?;
        Ok(match claim {
            Claim::Fresh(permit, row, durability) => {
                let took = self.clock.now().saturating_since(begun);
                if let Some(why) = doubtful(durability, took) {
                    return Err(self.give_up(&row, &id, why, edge).await);
                }
                Begin::Send(Box::new(Claimed {
                    refund: refund.clone(),
                    id,
                    permit,
                    row: *row,
                    connection,
                    place,
                    turn,
                    deadline,
                    begun: edge.clone(),
                }))
            }
            Claim::Known(row) => Begin::Follow(row),
            Claim::Differs(fields) => return Err(reused(fields)),
            Claim::InFlight(open) => Begin::Wait(open),
            Claim::Changed => Begin::Again(looked.names.clone()),
            Claim::Beyond(spent) => return Err(beyond(refund, spent)),
        })
    }

    /// Gives a claim back whose commit cannot be relied on.
    async fn give_up(&self, row: &Row, id: &str, why: String, begun: &Begun) -> Error {
        let error = Error::new(Fault::LedgerUnavailable).because(why);
        tracing::error!(error = %Chain(&error), "a refund is not sent: its claim may be lost");
        self.give_back(&row.key, id, "its claim's commit could not be relied on").await;
        self.heard(&row.key, row.epoch, begun).await;
        error
    }

    /// Waits until a refund that is in the way is at rest or in processing.
    async fn wait_for(&self, open: &Key, deadline: Deadline) -> Result<(), Error> {
        let until = deadline.earlier(LAST_WORD).earlier(self.rules.min_left);
        let mut changes = self.ledger.changes(open);
        loop {
            let row = self.refresh(open).await.map_err(unavailable)?;
            if !row.blocks_payment() {
                return Ok(());
            }
            if until.left().is_zero() {
                return Err(in_flight(Some(&open.order_id)));
            }
            let next = Deadline::after(OPEN_PAUSE).min(until);
            next.bound(changes.next()).await;
        }
    }
}

/// What is known when a refund has its turn.
struct Seen {
    row: Option<Box<Row>>,
    rows: Vec<Row>,
    names: PaymentNames,
    turn: PaymentTurn,
}

/// What is claimed on.
fn looked(seen: &Seen, before: Option<&Before>, unseen: Duration) -> Looked {
    let rows = seen.rows.iter().chain(seen.row.as_deref());
    Looked {
        epoch: seen.row.as_ref().map_or(0, |row| row.epoch),
        rows: rows.map(|row| (row.key.clone(), row.change)).collect(),
        absent: before.is_some_and(|before| before.number == NumberSeen::Absent),
        payment: before.map_or(PaymentThen::NotLooked, |before| payment_then(&before.payment)),
        names: before.map_or_else(|| seen.names.clone(), |before| before.names.or(&seen.names)),
        unseen,
    }
}

/// Why a claim is not sent on, if so.
fn doubtful(durability: Durability, took: Duration) -> Option<String> {
    match durability {
        Durability::Doubtful(why) => Some(why),
        Durability::Durable if took > SLOW_CLAIM => {
            Some(format!("the claim took {} s to commit", took.as_secs()))
        }
        Durability::Durable => None,
    }
}

fn in_flight(open: Option<&Identifier>) -> Error {
    let open = open.map(ToString::to_string);
    Error::new(Fault::RefundInFlight).with(|context| context.open_order_id = open)
}
