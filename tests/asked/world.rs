//! A server with a ledger that the test fills and writes to, and its clients.

use std::time::Duration;

use serde_json::{Value, json};
use sunmi_trade::api::pb;
use sunmi_trade::api::pb::refund_ledger_service_client::RefundLedgerServiceClient;
use sunmi_trade::config::Sources;
use sunmi_trade::ledger::{Access, Key, Ledger, Location, Looked, Row, State};
use sunmi_trade::trade::{Identifier, Refund};
use tonic::transport::Channel;

use crate::bench::{claim_after, id, move_to, refund};
use crate::postgres::Database;
use crate::scratch::Scratch;
use crate::server::{APP_ID, Server, settings, with};
use crate::upstream::{Answer, Upstream, answer_json};

/// Later than any test ends: until then the server's own resolver leaves a refund alone.
const LATER: Duration = Duration::from_secs(3000);

pub(crate) type Client = RefundLedgerServiceClient<Channel>;

/// What a server needs around it.
pub(crate) struct World {
    pub(crate) upstream: Upstream,
    location: Location,
    url: String,
    _scratch: Scratch,
}

impl World {
    /// A world with an empty ledger in a file.
    pub(crate) async fn new() -> Self {
        let scratch = Scratch::new();
        let path = scratch.path().join("ledger.db");
        Self::with(format!("sqlite://{}", path.display()), scratch).await
    }

    /// A world with an empty ledger in PostgreSQL, if there is one.
    pub(crate) async fn in_postgres() -> Option<Self> {
        let url = Database::new().await?.url();
        Some(Self::with(url.to_string(), Scratch::new()).await)
    }

    async fn with(url: String, scratch: Scratch) -> Self {
        let location = Location::parse(&url).expect("a location");
        Self { upstream: Upstream::start().await, location, url, _scratch: scratch }
    }

    /// The ledger, as the command line has it beside a server.
    pub(crate) async fn ledger(&self) -> Ledger {
        let exists = matches!(&self.location, Location::Sqlite(path) if path.exists());
        if !exists {
            let made = Ledger::open(&self.location, "test", Access::Serve).await;
            made.expect("a ledger").close().await;
        }
        Ledger::open(&self.location, "test", Access::Visit).await.expect("a ledger")
    }

    /// What a server of this world is configured with.
    pub(crate) fn settings(&self) -> Sources {
        let env = [
            ("SUNMI_TRADE__REFUND__LEDGER", self.url.as_str()),
            ("SUNMI_TRADE__UPSTREAM__NAME", "test"),
        ];
        with(settings(self.upstream.address), &env)
    }

    /// A server of this world, which has opened its ledger.
    pub(crate) async fn serve(&self) -> Server {
        Self::serve_with(&self.settings()).await
    }

    /// The same with these settings.
    pub(crate) async fn serve_with(settings: &Sources) -> Server {
        let server = Server::start(settings).await;
        let answered = client(&server).await.get_refund(get("none")).await;
        assert!(answered.is_err());
        server
    }
}

/// A client of a server.
pub(crate) async fn client(server: &Server) -> Client {
    RefundLedgerServiceClient::new(server.channel().await)
}

/// A refund that the server's own `app_id` signs.
pub(crate) fn own(number: &str) -> Refund {
    Refund { app_id: id(APP_ID), ..refund(number) }
}

/// Brings a refund into this state, and has the resolver leave it alone.
pub(crate) async fn put(ledger: &Ledger, refund: &Refund, state: State) -> Row {
    let looked = Looked { absent: true, ..Looked::default() };
    let Row { key, epoch, .. } = claim_after(ledger, refund, &looked).await;
    // Before it can be due.
    move_to(ledger, &key, epoch, state).await;
    ledger.look_again(&key, LATER).await.unwrap();
    ledger.row(&key).await.unwrap()
}

pub(crate) fn key(number: &str) -> Key {
    Key { app_id: id(APP_ID), order_id: id(number) }
}

/// Asks for one refund, by its number alone.
pub(crate) fn get(number: &str) -> pb::GetRefundRequest {
    pb::GetRefundRequest { order_id: number.to_owned(), ..Default::default() }
}

/// The same, and Sunmi is asked.
pub(crate) fn ask(number: &str) -> pb::GetRefundRequest {
    pb::GetRefundRequest { ask_sunmi: true, ..get(number) }
}

/// A refund as a caller asks for it.
pub(crate) fn request(number: &str) -> pb::RefundRequest {
    let text = |id: &Identifier| id.as_str().to_owned();
    let refund = own(number);
    pb::RefundRequest {
        msn: text(&refund.msn),
        amount_minor: refund.amount,
        original: Some(pb::refund_request::Original::OriOrderId(format!("P-{number}"))),
        order_id: number.to_owned(),
        business_id: text(&refund.business_id),
        ..Default::default()
    }
}

/// A success with this result.
pub(crate) fn success(data: &Value) -> Answer {
    answer_json(&json!({"code": "1", "data": data, "msg": "成功"}).to_string())
}

/// A refund that succeeded, as Sunmi finds it.
pub(crate) fn refunded() -> Answer {
    success(&json!({"amount": "100", "orderType": "1", "state": "3"}))
}

/// Sunmi knows no such order.
pub(crate) fn not_found() -> Answer {
    answer_json(&json!({"code": "E19", "msg": "订单不存在"}).to_string())
}

impl World {
    /// Takes away the table of the ledger in a file.
    pub(crate) async fn damage(&self) {
        use sqlx::Connection;
        let mut file = sqlx::SqliteConnection::connect(&self.url).await.unwrap();
        sqlx::query("ALTER TABLE refunds RENAME TO gone").execute(&mut file).await.unwrap();
    }
}

/// The page of metrics of a server.
pub(crate) async fn metrics(server: &Server) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(server.admin).await.unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}
