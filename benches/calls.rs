//! What a call costs: a query without any network (sign, read, decide), a query through the
//! front door to the sandbox and back, and a refund the same way, with its two commits.

#![allow(
    clippy::expect_used,
    missing_docs,
    reason = "a benchmark fails by panicking; its group is generated"
)]

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::future::BoxFuture;
use sunmi_trade::api::pb;
use sunmi_trade::api::pb::query_request::Order;
use sunmi_trade::api::pb::refund_request::Original;
use sunmi_trade::api::pb::trade_service_client::TradeServiceClient;
use sunmi_trade::config::{self, Sources};
use sunmi_trade::deadline::Deadline;
use sunmi_trade::retry::Policy;
use sunmi_trade::sandbox;
use sunmi_trade::server::{self, Listeners};
use sunmi_trade::sunmi::params::SignedForm;
use sunmi_trade::sunmi::{
    Body, Client, ClientConfig, Credentials, HttpReply, OwnConnection, SendError, Transport,
    WireConfig,
};
use sunmi_trade::trade::{Identifier, OrderRef, Query};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tonic::transport::Channel;

/// Answers the document's sample at once.
#[derive(Debug)]
struct Sample;

impl Transport for Sample {
    fn post<'a>(
        &'a self,
        _path: &'a str,
        form: SignedForm,
    ) -> BoxFuture<'a, Result<HttpReply, SendError>> {
        drop(form);
        let body = include_bytes!("../tests/fixtures/query.json");
        let body = Body::Whole(body.as_slice().into());
        Box::pin(async { Ok(HttpReply { status: 200, retry_after: None, body }) })
    }

    fn connect<'a>(&'a self) -> BoxFuture<'a, Result<Box<dyn OwnConnection>, SendError>> {
        Box::pin(async { Ok(Box::new(Sample) as Box<dyn OwnConnection>) })
    }
}

impl OwnConnection for Sample {
    fn is_open(&mut self) -> bool {
        true
    }

    fn post<'a>(
        self: Box<Self>,
        path: &'a str,
        form: SignedForm,
    ) -> BoxFuture<'a, Result<HttpReply, SendError>> {
        Box::pin(async move { Transport::post(&*self, path, form).await })
    }
}

fn query_in_process(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let credential = sandbox::credential();
    let identifier = |text: &str| Identifier::parse(text.to_owned()).expect("an identifier");
    let query = Query {
        app_id: credential.app_id.clone(),
        msn: identifier("V206D88200036"),
        order: OrderRef::OrderId(identifier("40000734324823473432")),
    };
    let timeout = Duration::from_secs(5);
    let config = ClientConfig {
        wire: WireConfig {
            base_url: "http://127.0.0.1".parse().expect("a URL"),
            connect_timeout: timeout,
            attempt_timeout: timeout,
            proxy: None,
        },
        retry: Policy { max_attempts: 1, base: Duration::ZERO, cap: Duration::ZERO },
        max_in_flight: 1,
    };
    let client = Client::over(Box::new(Sample), &config, Credentials::new(vec![credential], None));
    criterion.bench_function("query, in process", |bencher| {
        bencher.to_async(&runtime).iter(async || {
            client.query(&query, Deadline::after(timeout)).await.expect("an answer")
        });
    });
}

/// A server with a sandbox inside, and a client of it. A refund's ledger is a file.
async fn server() -> TradeServiceClient<Channel> {
    let path = std::env::temp_dir().join(format!("sunmi-trade-bench-{}.db", std::process::id()));
    let ledger = format!("sqlite://{}", path.display());
    let env = [("SUNMI_TRADE__REFUND__LEDGER".to_owned(), ledger)];
    let sources = Sources { env: env.into_iter().collect(), ..Sources::default() };
    let config = config::load(&sources, true).expect("a configuration");
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listeners =
        Listeners { grpc: bind().await.expect("a port"), admin: bind().await.expect("a port") };
    let address = listeners.grpc.local_addr().expect("an address");
    tokio::spawn(server::run(config, listeners, std::future::pending()));
    TradeServiceClient::connect(format!("http://{address}")).await.expect("a connection")
}

fn calls_over_loopback(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let client = runtime.block_on(server());
    criterion.bench_function("query, over loopback", |bencher| {
        bencher.to_async(&runtime).iter(async || {
            let order = Some(Order::OrderId("40000734324823473432".to_owned()));
            let request = pb::QueryRequest { msn: "M".to_owned(), order, ..Default::default() };
            client.clone().query(request).await.expect("an answer")
        });
    });
    let serial = AtomicU64::new(0);
    criterion.bench_function("refund, over loopback", |bencher| {
        bencher.to_async(&runtime).iter(async || {
            let request = pb::RefundRequest {
                msn: "M".to_owned(),
                amount_minor: 1,
                original: Some(Original::OriOrderId("DEMO-1".to_owned())),
                order_id: format!("R{}", serial.fetch_add(1, Ordering::Relaxed)),
                business_id: "B".to_owned(),
                ..Default::default()
            };
            // Refused once the balance is spent, at the same cost and one look more.
            drop(client.clone().refund(request).await);
        });
    });
}

criterion_group!(calls, query_in_process, calls_over_loopback);
criterion_main!(calls);
