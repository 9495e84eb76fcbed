//! Asks a server for its health and looks up a payment, over TLS and as a caller with a token where
//! it is told to. Of an error it shows what led to it, too, which is where TLS mistakes are told.
//!
//!     cargo run --example health -- --server localhost:50051 --ca ca.crt --token-file till.token

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tonic::Status;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use sunmi_trade_client::details::Failure;
use sunmi_trade_client::server::{Server, causes};
use sunmi_trade_client::v1::QueryRequest;
use sunmi_trade_client::v1::query_request::Order;
use sunmi_trade_client::v1::trade_service_client::TradeServiceClient;

#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    server: Server,
}

const WITHIN: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let Options { server } = Options::parse();
    let channel = server.channel()?;

    // Without a service: of the whole server. Health asks for no token.
    let check = HealthCheckRequest::default();
    let health = HealthClient::new(channel.clone());
    let answer = server.call(&check, "health", WITHIN, |request| {
        let mut health = health.clone();
        async move { health.check(request).await }
    });
    let health = answer.await.map(|health| format!("{:?}", health.status()));

    let order = Some(Order::OrderId("DEMO-1".into()));
    let query = QueryRequest { msn: "TL05D91940002".into(), order, ..Default::default() };
    let trade = TradeServiceClient::new(channel);
    let answer = server.call(&query, "health", WITHIN, |request| {
        let mut trade = trade.clone();
        async move { trade.query(request).await }
    });
    let payment = answer.await.map(|payment| format!("{:?}", payment.state()));

    let told = [tell("health", health), tell("payment", payment)];
    Ok(if told == [true, true] { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(what: &str, answer: Result<String, Status>) -> bool {
    let told = answer.is_ok();
    match answer {
        Ok(answer) => println!("{what}: {answer}"),
        Err(status) => {
            println!("{what}: {}", Failure::from(&status));
            causes(&status).for_each(|cause| println!("    because: {cause}"));
        }
    }
    told
}
