//! Looks up a payment.

use std::time::Duration;

use tonic::transport::Endpoint;
use tonic::{Request, Response};

use v1::query_request::Order;
use v1::trade_service_client::TradeServiceClient;

mod v1 {
    tonic::include_proto!("sunmi.trade.v1");
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let channel = Endpoint::from_static("http://127.0.0.1:50051").connect().await?;
    let mut client = TradeServiceClient::new(channel);
    let mut request = Request::new(v1::QueryRequest {
        msn: "TL05D91940002".into(),
        order: Some(Order::OrderId("DEMO-1".into())),
        ..Default::default()
    });
    request.set_timeout(Duration::from_secs(10));
    let payment = client.query(request).await.map(Response::into_inner)?;
    // state() is the enum, and Unspecified for a number of a newer server; state is the number.
    println!("{:?}, {} fen", payment.state(), payment.amount_minor());
    println!("{} fen refunded", payment.refunded_minor());
    Ok(())
}
