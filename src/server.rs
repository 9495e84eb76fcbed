//! The server: puts the parts together, serves, and stops without losing a call.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use url::Url;

use crate::admin::{self, Readiness, Seen};
use crate::api::{CountUnknown, Gate, Trades, pb};
use crate::config::{Config, Shutdown, Upstream};
use crate::deadline::Deadline;
use crate::error::BoxError;
use crate::ledger::{Access, Ledger};
use crate::metrics::Metrics;
use crate::refund::Refunds;
use crate::reload;
use crate::sandbox::http::Sandbox;
use crate::sunmi::Client;

/// The names under which health is reported: the server as a whole, and the service.
const HEALTH_NAMES: [&str; 2] = ["", "sunmi.trade.v1.TradeService"];

/// The ports, already bound.
#[derive(Debug)]
pub struct Listeners {
    /// For gRPC.
    pub grpc: TcpListener,
    /// For operators.
    pub admin: TcpListener,
}

impl Listeners {
    /// Binds the ports of the configuration.
    ///
    /// # Errors
    /// Which one could not be bound, and why.
    pub async fn bind(config: &Config) -> Result<Self, BoxError> {
        Ok(Self {
            grpc: bind("listen", config.listen).await?,
            admin: bind("admin_listen", config.admin_listen).await?,
        })
    }
}

/// Binds a port, or says under which setting which could not be bound, and why.
pub(crate) async fn bind(setting: &str, address: SocketAddr) -> Result<TcpListener, BoxError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| format!("{setting} {address}: {error}").into())
}

/// Serves until `shutdown` comes, then drains: within the configured bounds, every call that
/// was accepted is answered and every refund under way finishes.
///
/// # Errors
/// What kept it from starting, or from going on.
pub async fn run(
    config: Config,
    listeners: Listeners,
    shutdown: impl Future<Output = ()>,
) -> Result<(), BoxError> {
    let ledger = Ledger::open(&config.ledger, config.upstream_name(), Access::Serve).await?;
    let base_url = upstream(&config).await?;
    let metrics = Arc::new(Metrics::new(&base_url)?);
    let ledger = ledger.measured_by(&metrics)?;
    let client = Client::new(&config.client(base_url), config.credentials.clone())?;
    let client = Arc::new(client.measured_by(&metrics));
    let refund_tasks = TaskTracker::new();
    let refunds = Refunds::new(
        Arc::clone(&client),
        ledger.clone(),
        refund_tasks.clone(),
        config.refund.clone(),
    )
    .at_most(config.max_calls as usize);
    let stop = CancellationToken::new();
    let resolver = tokio::spawn(refunds.clone().resolve_until(stop.clone()));
    let mut watched = config.access.watched();
    watched.extend(config.credentials.watched());
    let watch = reload::watch(watched, config.reload_interval, metrics.reloads(), stop.clone());
    tokio::spawn(watch);
    let (access, deadlines) = (config.access.clone(), config.deadlines.clone());
    let gate = Gate::new(access, deadlines, config.max_calls, Arc::clone(&metrics));
    let trades = Trades::new(client, refunds).into_service(gate);

    let readiness = Readiness::default();
    let seen = Seen { readiness: readiness.clone(), metrics: Arc::clone(&metrics), ledger };
    let admin_address = listeners.admin.local_addr()?;
    let admin = tokio::spawn(admin::serve(listeners.admin, seen));

    let (health, health_service) = tonic_health::server::health_reporter();
    report(&health, ServingStatus::NotServing).await;
    let (reflection, old_reflection) = match config.reflection {
        true => reflection().map(|(new, old)| (Some(new), Some(old)))?,
        false => (None, None),
    };
    let router = limits(Server::builder())
        .layer(CountUnknown::new(metrics))
        .add_service(trades)
        .add_service(health_service)
        .add_optional_service(reflection)
        .add_optional_service(old_reflection);

    let address = listeners.grpc.local_addr()?;
    let incoming = TcpIncoming::from(listeners.grpc).with_nodelay(Some(true));
    let stopped = stop.clone().cancelled_owned();
    let mut server = tokio::spawn(router.serve_with_incoming_shutdown(incoming, stopped));
    report(&health, ServingStatus::Serving).await;
    readiness.set(true);
    tracing::info!(%address, admin = %admin_address, "serving");

    let parts = Parts { health, readiness, stop, refund_tasks, resolver };
    tokio::select! {
        ended = &mut server => ended??,
        () = shutdown => drain(&config.shutdown, parts, server).await,
    }
    admin.abort();
    Ok(())
}

/// Where Sunmi is. The sandbox is started for it.
async fn upstream(config: &Config) -> Result<Url, BoxError> {
    match &config.upstream {
        Upstream::Environment { name, base_url } => {
            tracing::info!(environment = name, %base_url, "calling Sunmi");
            Ok(base_url.clone())
        }
        Upstream::Sandbox => {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let base_url = format!("http://{}", listener.local_addr()?).parse()?;
            tracing::info!(%base_url, "calling the built-in sandbox: no money moves");
            tokio::spawn(Sandbox::new(config.credentials.iter()).serve(listener));
            Ok(base_url)
        }
    }
}

/// Limits that tonic leaves open by default, or wider than messages of 1 KiB need.
fn limits(server: Server) -> Server {
    server
        .max_concurrent_streams(200)
        // RUSTSEC-2024-0003: tonic passes "no limit" where hyper's own default has one.
        .http2_max_local_error_reset_streams(Some(256))
        .http2_max_pending_accept_reset_streams(Some(20))
        .http2_max_header_list_size(16 << 10)
        .initial_stream_window_size(64 << 10)
        .initial_connection_window_size(1 << 20)
        .http2_keepalive_interval(Some(Duration::from_secs(60)))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
}

/// Reflection, as current and as older tools speak it, with `google/rpc/*` for the details
/// of errors.
fn reflection() -> Result<
    (
        tonic_reflection::server::v1::ServerReflectionServer<
            impl tonic_reflection::server::v1::ServerReflection,
        >,
        tonic_reflection::server::v1alpha::ServerReflectionServer<
            impl tonic_reflection::server::v1alpha::ServerReflection,
        >,
    ),
    BoxError,
> {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(pb::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    Ok((builder().build_v1()?, builder().build_v1alpha()?))
}

async fn report(health: &HealthReporter, status: ServingStatus) {
    for name in HEALTH_NAMES {
        health.set_service_status(name, status).await;
    }
}

/// What a drain acts on.
struct Parts {
    health: HealthReporter,
    readiness: Readiness,
    stop: CancellationToken,
    refund_tasks: TaskTracker,
    resolver: JoinHandle<()>,
}

/// Stops: says so, goes on serving for a while, takes no more, and waits for what is under
/// way. Every wait is bounded: a connection that never speaks would hold tonic for ever.
async fn drain(
    shutdown: &Shutdown,
    parts: Parts,
    mut server: JoinHandle<Result<(), tonic::transport::Error>>,
) {
    tracing::info!(delay = ?shutdown.delay, drain = ?shutdown.drain, "shutting down");
    parts.readiness.set(false);
    let mut health = parts.health;
    report(&health, ServingStatus::NotServing).await;
    tokio::time::sleep(shutdown.delay).await;
    for name in HEALTH_NAMES {
        // Ends open health watches, which would hold their connections open.
        health.clear_service_status(name).await;
    }
    parts.stop.cancel();
    parts.refund_tasks.close();
    let deadline = Deadline::after(shutdown.drain);
    let served = deadline.bound(&mut server).await.is_some();
    let refunds = deadline.bound(parts.refund_tasks.wait()).await.is_some();
    // It stops between two steps. What is left in doubt is the next process's.
    let _ = deadline.bound(parts.resolver).await;
    if !served {
        server.abort();
    }
    tracing::info!(all_answered = served, all_refunds_finished = refunds, "stopped");
}
