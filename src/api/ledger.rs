//! The refund ledger's service: what is recorded of refunds, for those who ask. It moves no
//! money, and passes the same edge as the trade service.

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;
use tonic::{Request, Response, Status};

use super::MAX_REQUEST;
use super::call::Call;
use super::edge::Edge;
use super::gate::Gate;
use super::pb;
use super::pb::refund_ledger_service_server::{RefundLedgerService, RefundLedgerServiceServer};
use crate::error::{Error, Fault, Violation};
use crate::ledger::{Key, Row, Sight};
use crate::refund::{Asked, Refunds, unread};
use crate::trade::{Identifier, Method};

mod ask;
mod cursor;
mod list;
mod record;
mod token;
mod watch;

use watch::Stream;

/// The longest reply that is sent, in bytes: what gRPC clients take by default.
const MAX_REPLY: usize = 4 << 20;

/// So many lists are read at once: each is many reads, and refunds wait for the ledger, too.
const LISTS_AT_ONCE: usize = 4;

/// The three RPCs.
#[derive(Debug)]
pub struct LedgerQueries {
    refunds: Refunds,
    stop: CancellationToken,
    lists: Semaphore,
}

impl LedgerQueries {
    /// Answers from the ledger of `refunds`; streams end at `stop`.
    pub fn new(refunds: Refunds, stop: CancellationToken) -> Self {
        Self { refunds, stop, lists: Semaphore::new(LISTS_AT_ONCE) }
    }

    /// The service as it is served: behind its edge, with its limits.
    pub fn into_service(self, gate: Gate) -> Edge<RefundLedgerServiceServer<Self>> {
        let service = RefundLedgerServiceServer::new(self)
            .accept_compressed(CompressionEncoding::Gzip)
            .max_decoding_message_size(MAX_REQUEST)
            .max_encoding_message_size(MAX_REPLY);
        Edge::new(service, gate)
    }

    async fn get(
        &self,
        call: &Call,
        request: pb::GetRefundRequest,
    ) -> Result<pb::GetRefundResponse, Error> {
        let wanted = ask::wanted(request)?;
        call.is_about(&wanted);
        if let Some(app_id) = &wanted.app_id {
            call.may_sign_as(app_id)?;
        }
        let sight = call.sight();
        let row = self.find(wanted.app_id.as_ref(), &wanted.order_id, &sight).await?;
        let asked = match wanted.ask_sunmi {
            true => self.refunds.ask(&row.key, call.deadline()).await?,
            false => Asked { row, asked: false, unresolved: None },
        };
        // Another caller may have claimed it anew while Sunmi was asked.
        if !sight.sees(&asked.row) {
            return Err(Error::new(Fault::RefundNotFound));
        }
        Ok(pb::GetRefundResponse {
            refund: Some(record::of(&asked.row, &self.refunds)),
            sunmi_asked: asked.asked,
            unresolved_reason: asked.unresolved.as_deref().map(str::to_owned),
        })
    }

    async fn find(
        &self,
        app_id: Option<&Identifier>,
        order_id: &Identifier,
        sight: &Sight,
    ) -> Result<Row, Error> {
        let ledger = self.refunds.ledger();
        let mut rows = match app_id.cloned() {
            Some(app_id) => {
                let key = Key { app_id, order_id: order_id.clone() };
                ledger.read(&key).await.map_err(unread)?.into_iter().collect()
            }
            None => ledger.of_number(order_id.as_str()).await.map_err(unread)?,
        };
        rows.retain(|row| sight.sees(row));
        match rows.pop() {
            None => Err(Error::new(Fault::RefundNotFound)),
            Some(_) if !rows.is_empty() => {
                let rule = "is required: refunds of several app_ids have this order_id";
                Err(Error::invalid(vec![Violation { field: "app_id", rule }]))
            }
            Some(row) => Ok(row),
        }
    }
}

#[tonic::async_trait]
impl RefundLedgerService for LedgerQueries {
    async fn get_refund(
        &self,
        request: Request<pb::GetRefundRequest>,
    ) -> Result<Response<pb::GetRefundResponse>, Status> {
        let call = Call::of(&request, Method::GetRefund)?;
        let answer = self.get(&call, request.into_inner()).await;
        call.reply(answer)
    }

    async fn list_refunds(
        &self,
        request: Request<pb::ListRefundsRequest>,
    ) -> Result<Response<pb::ListRefundsResponse>, Status> {
        let call = Call::of(&request, Method::ListRefunds)?;
        let answer = self.list(&call, request.into_inner()).await;
        call.reply(answer)
    }

    type WatchRefundsStream = Stream;

    async fn watch_refunds(
        &self,
        request: Request<pb::WatchRefundsRequest>,
    ) -> Result<Response<Stream>, Status> {
        let call = Call::of(&request, Method::WatchRefunds)?;
        let stream = self.watch(&call, request.into_inner()).await;
        stream.map(Response::new).map_err(|error| call.refuse(&error))
    }
}
