//! Looks: what Sunmi shows of a refund and its payment, by the ordinary reads.

use super::Refunds;
use super::judgement::seen::{self, NumberSeen, PaymentSeen};
use crate::deadline::Deadline;
use crate::error::{Error, Fault};
use crate::ledger::{Baseline, PaymentThen};
use crate::sunmi::{Answered, Connection};
use crate::trade::{OrderRef, PaymentNames, Query, Refund, Trade};

/// What was seen before a refund is sent.
pub(super) struct Before {
    pub(super) number: NumberSeen,
    pub(super) payment: PaymentSeen,
    pub(super) names: PaymentNames,
    /// What the refund will be sent over.
    pub(super) connection: Connection,
}

impl Refunds {
    /// Looks at the number and at the payment, and makes the connection meanwhile.
    ///
    /// # Errors
    /// What cannot be read, or that no connection can be made: the refund is not begun.
    pub(super) async fn look_before(
        &self,
        refund: &Refund,
        deadline: Deadline,
    ) -> Result<Before, Error> {
        let (number, payment) = (by_number(refund), by_original(refund));
        let (number, payment, connection) = futures_util::future::join3(
            self.client.query(&number, deadline),
            self.client.query(&payment, deadline),
            self.client.connect(deadline),
        )
        .await;
        let number_seen = match seen::number(&refund.into(), &number) {
            Some(seen) => seen,
            None => return Err(unread(number)),
        };
        let payment_seen = match seen::payment(&refund.original, &payment) {
            Some(seen) => seen,
            None => return Err(unread(payment)),
        };
        let is_found = matches!(payment_seen, PaymentSeen::Found(_));
        let names = payment.ok().filter(|_| is_found).map(|it| PaymentNames::from(&it.value));
        Ok(Before {
            number: number_seen,
            payment: payment_seen,
            names: names.unwrap_or_default(),
            connection: connection.map_err(Error::not_attempted)?,
        })
    }

    /// What is under the number of a refund now, and what was found there.
    ///
    /// # Errors
    /// If that cannot be read.
    pub(super) async fn look_at_number(
        &self,
        refund: &Refund,
        deadline: Deadline,
    ) -> Result<(NumberSeen, Option<Trade>), Error> {
        self.query_number(refund, by_number(refund), deadline).await
    }

    /// The same by a name that Sunmi's own answer gave the refund.
    pub(super) async fn look_at_name(
        &self,
        refund: &Refund,
        name: OrderRef,
        deadline: Deadline,
    ) -> Result<(NumberSeen, Option<Trade>), Error> {
        let query = Query { order: name, ..by_number(refund) };
        self.query_number(refund, query, deadline).await
    }

    async fn query_number(
        &self,
        refund: &Refund,
        query: Query,
        deadline: Deadline,
    ) -> Result<(NumberSeen, Option<Trade>), Error> {
        let look = self.client.query(&query, deadline).await;
        match seen::number(&refund.into(), &look) {
            Some(seen) => Ok((seen, look.ok().map(|it| it.value))),
            None => Err(unread(look)),
        }
    }

    /// What there is of the payment now.
    ///
    /// # Errors
    /// If that cannot be read.
    pub(super) async fn look_at_payment(
        &self,
        refund: &Refund,
        deadline: Deadline,
    ) -> Result<PaymentSeen, Error> {
        let look = self.client.query(&by_original(refund), deadline).await;
        match seen::payment(&refund.original, &look) {
            Some(seen) => Ok(seen),
            None => Err(unread(look)),
        }
    }
}

/// What a look before the send is for the claim: a baseline, if the payment was found.
pub(super) fn payment_then(seen: &PaymentSeen) -> PaymentThen {
    match seen {
        PaymentSeen::NotFound => PaymentThen::NotFound,
        PaymentSeen::NotShown => PaymentThen::NotShown,
        PaymentSeen::Found(found) => PaymentThen::Found(Baseline {
            total: found.total.unwrap_or_default(),
            floor: 0,
            refunded: 0,
            state: found.state,
            amount: found.amount,
            open: Vec::new(),
        }),
    }
}

/// Why a look cannot be read: nothing is sent on the strength of it.
fn unread(look: Result<Answered<Trade>, Error>) -> Error {
    let useless = || {
        Error::new(Fault::UpstreamReplyUnreadable).because(
            "the answer to a query is about another order, or says only that it is processed",
        )
    };
    look.map_or_else(|error| error, |_| useless()).not_attempted()
}

fn by_number(refund: &Refund) -> Query {
    Query {
        app_id: refund.app_id.clone(),
        msn: refund.msn.clone(),
        order: OrderRef::OrderId(refund.order_id.clone()),
    }
}

fn by_original(refund: &Refund) -> Query {
    Query { app_id: refund.app_id.clone(), msn: refund.msn.clone(), order: refund.original.clone() }
}
