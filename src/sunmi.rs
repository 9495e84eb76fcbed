//! Sunmi's trade API as three typed calls. Nothing above this module knows Sunmi's field
//! names, result codes or HTTP.
//!
//! The way of a call: [`params`] collects and signs ([`call`] if need be with the other of
//! two keys of a [`key_ring`]), [`wire`] sends once, [`reply`] reads what came as an
//! [`http_reply`] ([`codes`] knows the result codes, [`blame`] the field that an error names,
//! [`json`], [`fields`] and [`trades`] the result). A read is made in [`attempts`], again where that may
//! help; a refund [`once`], on an [`own_connection`] that [`connector`] makes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::retry::budget::TpsBudget;

use crate::clock::BootClock;
use crate::deadline::Deadline;
use crate::error::{BoxError, Error, Fault};
use crate::metrics::{Metrics, UpstreamMetrics};
use crate::permit::Permit;
use crate::retry::Policy;
use crate::telemetry::Destination;
use crate::trade::{
    AppIds, CardTrade, Identifier, Operation, OrderRef, Query, Refund, RefundTrade, SwipeQuery,
    Trade, TradeState,
};

mod attempts;
mod blame;
mod call;
pub mod codes;
mod connector;
mod credentials;
mod fields;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod http_reply;
mod json;
mod key_ring;
mod once;
mod own_connection;
pub mod params;
mod reply;
mod search;
mod trades;
mod wire;

use call::{Call, Typed};
pub use credentials::{Credential, Credentials, Signers};
pub use http_reply::{Body, HttpReply, MAX_REPLY};
pub use key_ring::{KeyRing, NotKeys};
pub use once::Connection;
use once::Until;
use params::Params;
use reply::Reply;
use wire::Wire;
pub(crate) use wire::is_loopback;
pub use wire::{OwnConnection, SendError, Transport, WireConfig};

/// How Sunmi is called.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Where, and within what time.
    pub wire: WireConfig,
    /// How often and how patiently.
    pub retry: Policy,
    /// How many calls may be under way at once.
    pub max_in_flight: usize,
}

/// How long a call waits for one of the places of `max_in_flight`.
const ADMISSION_WAIT: Duration = Duration::from_millis(100);

/// Retries allowed in 10 seconds: this share of the calls made in that time, and this many
/// a second besides, so that an outage of Sunmi is not multiplied.
const RETRY_SHARE: f32 = 0.2;
const RETRIES_PER_SECOND: u32 = 10;

/// Calls Sunmi: reads over one pool of connections, refunds each over its own. Clones share all
/// of that.
#[derive(Clone)]
pub struct Client {
    wire: Arc<dyn Transport>,
    destination: Arc<Destination>,
    signers: Signers,
    retry: Policy,
    budget: Arc<TpsBudget>,
    places: Arc<Semaphore>,
    metrics: UpstreamMetrics,
}

/// A place among the calls in flight, held while it lives.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
}

/// An answer, and how many times Sunmi was called for it.
#[derive(Debug)]
pub struct Answered<T> {
    /// The answer.
    pub value: T,
    /// At least 1.
    pub attempts: u32,
}

impl Client {
    /// Opens no connection yet.
    pub fn new(config: &ClientConfig, signers: impl Into<Signers>) -> Result<Self, BoxError> {
        Ok(Self::over(Box::new(Wire::new(&config.wire)?), config, signers))
    }

    /// A client that posts by `wire`.
    pub fn over(
        wire: Box<dyn Transport>,
        config: &ClientConfig,
        signers: impl Into<Signers>,
    ) -> Self {
        let budget = TpsBudget::new(Duration::from_secs(10), RETRIES_PER_SECOND, RETRY_SHARE);
        Self {
            wire: wire.into(),
            destination: Arc::new(Destination::from(&config.wire.base_url)),
            signers: signers.into(),
            retry: config.retry.clone(),
            budget: Arc::new(budget),
            places: Arc::new(Semaphore::new(config.max_in_flight)),
            metrics: UpstreamMetrics::default(),
        }
    }

    /// The same, and its calls are measured.
    #[must_use]
    pub fn measured_by(mut self, metrics: &Metrics) -> Self {
        self.metrics = metrics.upstream();
        self
    }

    /// The same, but signs with these, whatever is in force: those that a call began with.
    #[must_use]
    pub fn signing_with(&self, credentials: &Arc<Credentials>) -> Self {
        Self { signers: Arc::clone(credentials).into(), ..self.clone() }
    }

    /// As whom it can sign now.
    pub fn app_ids(&self) -> AppIds {
        self.signers.now().app_ids().clone()
    }

    /// Whether there is a key now to sign as this one.
    pub fn can_sign_as(&self, app_id: &Identifier) -> bool {
        self.signers.now().of(app_id).is_some()
    }

    /// A place among the calls in flight, after a short wait at most.
    ///
    /// # Errors
    /// [`Fault::Overloaded`] if none becomes free.
    pub async fn admit(&self, deadline: Deadline) -> Result<Place, Error> {
        let wait = Deadline::after(ADMISSION_WAIT).min(deadline);
        match wait.bound(Arc::clone(&self.places).acquire_owned()).await {
            Some(Ok(permit)) => Ok(Place { _permit: permit }),
            Some(Err(closed)) => Err(Error::new(Fault::Internal).because(closed)),
            None => Err(Error::new(Fault::Overloaded)),
        }
    }

    /// Looks up a scan payment or a refund (2.1).
    pub async fn query(&self, query: &Query, deadline: Deadline) -> Result<Answered<Trade>, Error> {
        let (name, field, number) = order(&query.order);
        let mut params = common(&query.msn);
        params.set(name, number.as_str());
        let call = self.prepare((Operation::Query, trades::trade), &query.app_id, params, field)?;
        let reply = self.call(call, deadline).await?;
        Ok(reply.map(|reply| match reply {
            Reply::Done(found) => found,
            Reply::Processing(found) => Trade { state: Some(TradeState::Processing), ..found },
        }))
    }

    /// Looks up a card trade (2.3).
    pub async fn swipe_query(
        &self,
        query: &SwipeQuery,
        deadline: Deadline,
    ) -> Result<Answered<CardTrade>, Error> {
        let mut params = common(&query.msn);
        params.set("tradeDate", query.trade_date.clone().unwrap_or_default());
        params.set("orderId", text(query.order_id.as_ref()));
        params.set("platformId", text(query.platform_id.as_ref()));
        let field = if query.order_id.is_some() { "order_id" } else { "platform_id" };
        let call = self.prepare(
            (Operation::SwipeQuery, trades::card_trade),
            &query.app_id,
            params,
            field,
        )?;
        let reply = self.call(call, deadline).await?;
        Ok(reply.map(|reply| match reply {
            Reply::Done(found) => found,
            Reply::Processing(found) => CardTrade { state: Some(TradeState::Processing), ..found },
        }))
    }

    /// Sends a refund (2.2): one request, over this connection. Without one, or if that was
    /// closed before the first byte, one is made anew. Nothing is sent after `deadline`, nor
    /// once the permit's time is over by `clock`, which is looked at last of all before the
    /// bytes are handed over. Its answer is waited for as long as the permit goes.
    ///
    /// # Errors
    /// With [`Fault::DeadlineExceeded`] and [`Fault::UpstreamUnreachable`] surely nothing was
    /// sent, nor with [`Fault::Internal`], without a key. With any other it may have been.
    pub async fn refund(
        &self,
        permit: Permit,
        refund: &Refund,
        connection: Option<Connection>,
        (clock, deadline): (&BootClock, Deadline),
    ) -> Result<Answered<RefundTrade>, Error> {
        let (name, field, number) = original(&refund.original);
        let mut params = common(&refund.msn);
        params.set("amount", refund.amount.to_string());
        params.set(name, number.as_str());
        params.set("orderId", refund.order_id.as_str());
        params.set("businessId", refund.business_id.as_str());
        let call =
            self.prepare((Operation::Refund, trades::refund), &refund.app_id, params, field)?;
        let until = Until { permit, clock, deadline };
        let reply = self.call_once(&call, connection, &until).await?;
        Ok(reply.map(|reply| match reply {
            Reply::Done(found) => found,
            Reply::Processing(found) => {
                RefundTrade { state: Some(TradeState::Processing), ..found }
            }
        }))
    }

    fn prepare<'a, T>(
        &self,
        (operation, typed): (Operation, Typed<T>),
        app_id: &'a Identifier,
        params: Params,
        order_field: &'static str,
    ) -> Result<Call<'a, T>, Error> {
        let credentials = self.signers.now();
        let keys = credentials.keys(app_id).ok_or_else(|| {
            Error::new(Fault::Internal).because(format!("no key for app_id {app_id}"))
        })?;
        Ok(Call::new((operation, typed), order_field, params, (app_id, Arc::clone(keys))))
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("wire", &self.wire).finish_non_exhaustive()
    }
}

impl<T> Answered<T> {
    /// The same, with another answer made of this one.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Answered<U> {
        Answered { value: f(self.value), attempts: self.attempts }
    }
}

/// Where calls of this kind go, below the address of Sunmi.
pub(crate) fn path(operation: Operation) -> &'static str {
    match operation {
        Operation::Query => "/v1/trade/query",
        Operation::Refund => "/v1/trade/refund",
        Operation::SwipeQuery => "/v1/trade/swipeQuery",
    }
}

/// What every call carries besides `app_id` and `sign`.
fn common(msn: &Identifier) -> Params {
    Params::from_iter([("charset", "utf8"), ("msn", msn.as_str())])
}

/// Sunmi's name of the number, the request's, and the number.
fn order(order: &OrderRef) -> (&'static str, &'static str, &Identifier) {
    match order {
        OrderRef::MisId(number) => ("misId", "mis_id", number),
        OrderRef::OrderId(number) => ("orderId", "order_id", number),
        OrderRef::PlatformId(number) => ("platformId", "platform_id", number),
    }
}

/// The same for the original of a refund.
fn original(order: &OrderRef) -> (&'static str, &'static str, &Identifier) {
    match order {
        OrderRef::MisId(number) => ("oriMisId", "ori_mis_id", number),
        OrderRef::OrderId(number) => ("oriOrderId", "ori_order_id", number),
        OrderRef::PlatformId(number) => ("oriPlatformId", "ori_platform_id", number),
    }
}

fn text(number: Option<&Identifier>) -> &str {
    number.map_or("", Identifier::as_str)
}
