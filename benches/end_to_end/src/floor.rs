//! The floor: for a Query one POST over a pooled connection, its JSON read into a struct, and the
//! answer. No signature, no deadline, no retry, no log, no metrics, nothing refused.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use bytes::Bytes;
use http::Request as HttpRequest;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::pb::query_request::Order;
use crate::pb::trade_service_server::{TradeService, TradeServiceServer};
use crate::pb::{
    OrderType, PaymentPlatform, QueryRequest, QueryResponse, RefundRequest, RefundResponse,
    SwipeQueryRequest, SwipeQueryResponse, TradeState,
};
use crate::{BoxError, process};

/// Serves until it is killed.
pub(crate) async fn serve(upstream: &str) -> Result<(), BoxError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    process::say_where(listener.local_addr()?);
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let floor = Floor { client, url: format!("{upstream}/v1/trade/query") };
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let stop = async { drop(process::asked_to_stop().await) };
    Server::builder()
        .add_service(TradeServiceServer::new(floor))
        .serve_with_incoming_shutdown(incoming, stop)
        .await?;
    Ok(())
}

struct Floor {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
}

#[derive(Deserialize)]
struct Reply {
    code: String,
    data: Data,
}

/// As the sample has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    amount: String,
    business_id: String,
    buyer_pay_amount: String,
    mis_id: String,
    msn: String,
    order_type: String,
    order_id: String,
    pay_time: String,
    platform: String,
    platform_id: String,
    refunded: String,
    result_code: String,
    result_msg: String,
    state: String,
}

impl Floor {
    async fn ask(&self, request: QueryRequest) -> Result<Reply, BoxError> {
        let (name, number) = match &request.order {
            Some(Order::MisId(number)) => ("misId", number),
            Some(Order::OrderId(number)) => ("orderId", number),
            Some(Order::PlatformId(number)) => ("platformId", number),
            None => return Err("no order".into()),
        };
        let form = format!("charset=utf8&msn={}&{name}={number}", request.msn);
        let request = HttpRequest::post(&self.url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(form))?;
        let response = self.client.request(request).await?;
        Ok(serde_json::from_slice(&response.into_body().collect().await?.to_bytes())?)
    }
}

fn answer(data: Data) -> QueryResponse {
    let filled = |text: String| Some(text).filter(|text| !text.is_empty());
    let order_type = match data.order_type.as_str() {
        "0" => OrderType::Payment,
        "1" => OrderType::Refund,
        _ => OrderType::Unspecified,
    };
    let platform = match data.platform.as_str() {
        "wxpay" => PaymentPlatform::Wxpay,
        "alipay" => PaymentPlatform::Alipay,
        _ => PaymentPlatform::Unspecified,
    };
    let state = match data.state.as_str() {
        "3" => TradeState::Succeeded,
        _ => TradeState::Unspecified,
    };
    let seconds = data.pay_time.parse().ok();
    QueryResponse {
        amount_minor: data.amount.parse().ok(),
        business_id: filled(data.business_id),
        buyer_pay_amount_minor: data.buyer_pay_amount.parse().ok(),
        mis_id: filled(data.mis_id),
        msn: filled(data.msn),
        order_type: order_type.into(),
        order_id: filled(data.order_id),
        pay_time: seconds.map(|seconds| prost_types::Timestamp { seconds, nanos: 0 }),
        platform: platform.into(),
        platform_id: filled(data.platform_id),
        refunded_minor: data.refunded.parse().ok(),
        result_code: filled(data.result_code),
        result_message: filled(data.result_msg),
        state: state.into(),
        unrecognized: BTreeMap::new(),
    }
}

#[tonic::async_trait]
impl TradeService for Floor {
    async fn query(
        &self,
        request: Request<QueryRequest>,
    ) -> Result<Response<QueryResponse>, Status> {
        match self.ask(request.into_inner()).await {
            Ok(reply) if reply.code == "1" => Ok(Response::new(answer(reply.data))),
            Ok(reply) => Err(Status::unknown(reply.code)),
            Err(error) => Err(Status::unavailable(error.to_string())),
        }
    }

    async fn refund(&self, _: Request<RefundRequest>) -> Result<Response<RefundResponse>, Status> {
        Err(Status::unimplemented("refund"))
    }

    async fn swipe_query(
        &self,
        _: Request<SwipeQueryRequest>,
    ) -> Result<Response<SwipeQueryResponse>, Status> {
        Err(Status::unimplemented("swipe_query"))
    }
}
