//! The gRPC edge: short methods, each convert, call, answer; those of the trade service here,
//! those that read the ledger in [`ledger`]. Nothing below this module knows tonic or the proto
//! types.
//!
//! A request passes [`edge`], where the [`gate`] lets it in ([`who`] makes it?), a method
//! here, [`convert`] (the only validation) and, on failure, [`status`] (the only maker of
//! statuses). [`call`] is what is known of it, and how it ended.

use std::sync::Arc;

use tonic::codec::CompressionEncoding;
use tonic::{Request, Response, Status};

use crate::error::Error;
use crate::refund::Refunds;
use crate::sunmi::{Answered, Client};
use crate::trade::Method;

mod about;
mod call;
mod commit;
mod convert;
mod edge;
mod gate;
mod ledger;
pub mod metadata;
mod origin;
pub mod pb;
mod status;
mod unknown;
mod watches;
mod who;

use call::Call;
use edge::Edge;
pub use gate::{CallLimits, Gate};
pub use ledger::LedgerQueries;
use pb::trade_service_server::{TradeService, TradeServiceServer};
pub use unknown::CountUnknown;

/// The longest request that is read, in bytes: as it comes, and once more as it is when it is
/// unpacked. A real one has less than 1 KiB.
pub const MAX_REQUEST: usize = 64 << 10;

/// The longest reply that is sent, in bytes: what gRPC clients take by default. A reply
/// stems from at most 1 MiB of Sunmi's, so it never comes near.
const MAX_REPLY: usize = 4 << 20;

/// The three RPCs.
#[derive(Debug)]
pub struct Trades {
    client: Arc<Client>,
    refunds: Refunds,
}

impl Trades {
    /// Reads go to `client`, refunds to `refunds`.
    pub fn new(client: Arc<Client>, refunds: Refunds) -> Self {
        Self { client, refunds }
    }

    /// The service as it is served: behind its edge, with its limits.
    pub fn into_service(self, gate: Gate) -> Edge<TradeServiceServer<Self>> {
        let service = TradeServiceServer::new(self)
            .accept_compressed(CompressionEncoding::Gzip)
            .max_decoding_message_size(MAX_REQUEST)
            .max_encoding_message_size(MAX_REPLY);
        Edge::new(service, gate)
    }

    /// The client, for this call to the end with what was in force when it came in.
    fn client_of(&self, call: &Call) -> Client {
        self.client.signing_with(call.credentials())
    }

    async fn query(
        &self,
        call: &Call,
        request: pb::QueryRequest,
    ) -> Result<Answered<pb::QueryResponse>, Error> {
        let query = convert::query(request, call.app_ids())?;
        call.is_about(&query);
        call.may_sign_as(&query.app_id)?;
        let _place = self.client.admit(call.deadline()).await?;
        let found = self.client_of(call).query(&query, call.deadline()).await?;
        Ok(found.map(convert::query_response))
    }

    async fn refund(
        &self,
        call: &Call,
        request: pb::RefundRequest,
    ) -> Result<Answered<pb::RefundResponse>, Error> {
        let refund = convert::refund(request, call.app_ids())?;
        call.is_about(&refund);
        let refund = call.may_refund(refund)?;
        // With its place, which it has until nothing works on it any more.
        let (deadline, held) = (call.deadline(), call.clone());
        let refunds = self.refunds.signing_with(call.credentials());
        let refunded = refunds.refund(refund, deadline, call.begun(), held).await?;
        call.refunded(&refunded.value);
        Ok(refunded.map(convert::refund_response))
    }

    async fn swipe_query(
        &self,
        call: &Call,
        request: pb::SwipeQueryRequest,
    ) -> Result<Answered<pb::SwipeQueryResponse>, Error> {
        let query = convert::swipe_query(request, call.app_ids())?;
        call.is_about(&query);
        call.may_sign_as(&query.app_id)?;
        let _place = self.client.admit(call.deadline()).await?;
        let found = self.client_of(call).swipe_query(&query, call.deadline()).await?;
        Ok(found.map(convert::swipe_query_response))
    }
}

#[tonic::async_trait]
impl TradeService for Trades {
    async fn query(
        &self,
        request: Request<pb::QueryRequest>,
    ) -> Result<Response<pb::QueryResponse>, Status> {
        let call = Call::of(&request, Method::Query)?;
        let answer = self.query(&call, request.into_inner()).await;
        call.answer(answer)
    }

    async fn refund(
        &self,
        request: Request<pb::RefundRequest>,
    ) -> Result<Response<pb::RefundResponse>, Status> {
        let call = Call::of(&request, Method::Refund)?;
        let answer = self.refund(&call, request.into_inner()).await;
        call.answer(answer)
    }

    async fn swipe_query(
        &self,
        request: Request<pb::SwipeQueryRequest>,
    ) -> Result<Response<pb::SwipeQueryResponse>, Status> {
        let call = Call::of(&request, Method::SwipeQuery)?;
        let answer = self.swipe_query(&call, request.into_inner()).await;
        call.answer(answer)
    }
}
