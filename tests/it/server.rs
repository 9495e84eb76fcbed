//! A server under test, configured as a user would configure it.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use sunmi_trade::api::pb;
use sunmi_trade::api::pb::trade_service_client::TradeServiceClient;
use sunmi_trade::config::{self, Again, Config, Sources};
use sunmi_trade::server::{Listeners, run_with};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};

use crate::failure::Failure;

/// Who signs where a test does not say otherwise.
pub(crate) const APP_ID: &str = "app-1";
pub(crate) const APP_KEY: &str = "key&of=app 1";

/// What no test comes near unless something hangs.
pub(crate) const GUARD: Duration = Duration::from_secs(30);

/// Time for a refund that stays in doubt. It is answered after about half of it: the next look
/// would be too late. So there is enough left on a busy machine, too.
pub(crate) const BRIEF: Duration = Duration::from_millis(1500);

/// A running server. It dies with the test's runtime.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    done: JoinHandle<Result<(), String>>,
}

/// Settings for a server that calls this upstream, quick to retry and to stop.
pub(crate) fn settings(upstream: SocketAddr) -> Sources {
    let base_url = format!("http://{upstream}");
    let env = [
        ("SUNMI_TRADE_APP_ID", APP_ID),
        ("SUNMI_TRADE_APP_KEY", APP_KEY),
        ("SUNMI_TRADE__UPSTREAM__ENVIRONMENT", "custom"),
        ("SUNMI_TRADE__UPSTREAM__BASE_URL", &base_url),
        ("SUNMI_TRADE__RETRY__BASE_DELAY", "1ms"),
        ("SUNMI_TRADE__SHUTDOWN__DELAY", "0s"),
        ("SUNMI_TRADE__REFUND__LEDGER", "memory"),
        ("SUNMI_TRADE__REFUND__LAG", "0s"),
    ];
    with(Sources::default(), &env)
}

/// The same with these environment variables.
pub(crate) fn with(mut sources: Sources, env: &[(&str, &str)]) -> Sources {
    let pairs = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    sources.env.extend(pairs);
    sources
}

/// The same with attempts that soon count as failed.
pub(crate) fn impatient(sources: Sources) -> Sources {
    let env = [
        ("SUNMI_TRADE__UPSTREAM__CONNECT_TIMEOUT", "250ms"),
        ("SUNMI_TRADE__UPSTREAM__ATTEMPT_TIMEOUT", "300ms"),
    ];
    with(sources, &env)
}

impl Server {
    /// Serves with these settings.
    pub(crate) async fn start(sources: &Sources) -> Self {
        Self::start_with(config::load(sources, false).expect("settings in order")).await
    }

    /// Serves with this configuration, on ports of its own.
    pub(crate) async fn start_with(config: Config) -> Self {
        Self::start_from(config, None).await
    }

    /// Serves with what this file says, and reads it again. Where all else comes from `sources`.
    pub(crate) async fn start_rereading(path: &Path, sources: Sources, sandbox: bool) -> Self {
        let sources = Sources { file: Some(std::fs::read_to_string(path).unwrap()), ..sources };
        let config = config::load(&sources, sandbox).expect("settings in order");
        Self::start_from(config, Some(Again::new(path.into(), sources, sandbox))).await
    }

    async fn start_from(config: Config, file: Option<Again>) -> Self {
        let bind = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listeners = Listeners { grpc: bind().await, admin: bind().await };
        let address = listeners.grpc.local_addr().unwrap();
        let admin = listeners.admin.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let done = tokio::spawn(async move {
            let shutdown = async { drop(stopped.await) };
            run_with(config, file, listeners, shutdown).await.map_err(|error| error.to_string())
        });
        Self { address, admin, stop: Some(stop), done }
    }

    /// Where it is.
    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap()
    }

    /// A connection to it.
    pub(crate) async fn channel(&self) -> Channel {
        self.endpoint().connect().await.expect("a server that listens")
    }

    /// A client of it, with a connection of its own.
    pub(crate) async fn client(&self) -> TradeServiceClient<Channel> {
        TradeServiceClient::new(self.channel().await)
    }

    /// Asks it to stop.
    pub(crate) fn stop(&mut self) {
        let stop = self.stop.take().expect("stopped once");
        stop.send(()).expect("a server that runs");
    }

    /// Whether it still runs after a while. Says no too late rather than too early.
    pub(crate) async fn still_runs_after(&mut self, while_: Duration) -> bool {
        tokio::time::timeout(while_, &mut self.done).await.is_err()
    }

    /// Waits until it has stopped.
    pub(crate) async fn stopped(self) {
        let done = tokio::time::timeout(GUARD, self.done).await;
        done.expect("a shutdown that ends").expect("no panic").expect("a clean stop");
    }
}

/// One call on a client, as a test wants it: bounded, the reply or the failure.
pub(crate) async fn settle<T: Debug>(
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Failure> {
    let answer = tokio::time::timeout(GUARD, call).await.expect("an answer in time");
    answer.map(Response::into_inner).map_err(|status| Failure::of(&status))
}

/// Tests all rows, a few at a time: they mostly wait, and the clock of none may run while it
/// waits for the others.
pub(crate) async fn side_by_side<T>(rows: impl IntoIterator<Item = T>, test: impl AsyncFn(T)) {
    let test = &test;
    futures_util::stream::iter(rows).for_each_concurrent(8, |row| test(row)).await;
}

/// A query on a new connection.
pub(crate) async fn query(
    server: &Server,
    request: pb::QueryRequest,
) -> Result<pb::QueryResponse, Failure> {
    settle(server.client().await.query(request)).await
}

/// A refund on a new connection.
pub(crate) async fn refund(
    server: &Server,
    request: pb::RefundRequest,
) -> Result<pb::RefundResponse, Failure> {
    settle(server.client().await.refund(request)).await
}

/// The same within so long.
pub(crate) async fn refund_within(
    server: &Server,
    request: pb::RefundRequest,
    time: Duration,
) -> Result<pb::RefundResponse, Failure> {
    let mut request = Request::new(request);
    request.set_timeout(time);
    settle(server.client().await.refund(request)).await
}

/// A query of a card trade on a new connection.
pub(crate) async fn swipe_query(
    server: &Server,
    request: pb::SwipeQueryRequest,
) -> Result<pb::SwipeQueryResponse, Failure> {
    settle(server.client().await.swipe_query(request)).await
}
