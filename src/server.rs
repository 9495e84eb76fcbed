//! The server: puts the parts together, serves, and stops without losing a call.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::codec::CompressionEncoding;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tonic_reflection::server::{v1, v1alpha};
use url::Url;

mod accept;
mod again;
mod aside;
mod connection;
mod drain;
mod http2;
mod measured;

use crate::admin::{self, PageFacts, Phase, Readiness, Seen};
use crate::api::{CountUnknown, Gate, LedgerQueries, Trades, pb};
use crate::config::{Again, Config, Upstream};
use crate::connections::Connections;
use crate::error::BoxError;
use crate::ledger::{Access, Identity, Ledger, Location};
use crate::metrics::{self, Metrics};
use crate::parties::InForce;
use crate::refund::Refunds;
use crate::reload::{self, Contents, Kind, Watched, Watches};
use crate::sandbox::http::Sandbox;
use crate::sunmi::{self, Client};
use crate::tls::{Files, Tls, TlsFault};
use crate::trade::Method;
use accept::{Port, Tokens};
use aside::{Aside, Bounds, MAX_REPLY, MAX_REQUEST};
use drain::{Parts, Waits, drain};

/// The names under which health is reported: the server as a whole, and its own services.
const HEALTH_NAMES: [&str; 3] = ["", Method::SERVICES[0], Method::SERVICES[1]];

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
    run_with(config, None, listeners, shutdown).await
}

/// The same, where who may call and who signs is read again when `file` changes, which `config`
/// was read from.
///
/// # Errors
/// What kept it from starting, or from going on.
pub async fn run_with(
    config: Config,
    file: Option<Again>,
    listeners: Listeners,
    shutdown: impl Future<Output = ()>,
) -> Result<(), BoxError> {
    warn_of_plain_tokens(&config);
    let (tls, certificate) = secured(config.tls.files.as_ref())?.unzip();
    let Core { in_force, sandbox, ledger, ledger_id, metrics, client, refunds, refund_tasks } =
        Core::new(&config).await?;
    let connections = Arc::new(Connections::default());
    measured::pull_port(&metrics, &connections, tls.as_ref())?;
    let reloads = measured::pull_reloads(&metrics)?;

    let stop = CancellationToken::new();
    let resolver = tokio::spawn(refunds.clone().resolve_until(stop.clone()));
    let watches = Watches {
        fixed: certificate.into_iter().collect(),
        named: in_force.now().watched(),
        configuration: file
            .map(|file| again::configuration(file, &config, in_force.clone(), sandbox)),
    };
    let watch = reload::watch(watches, config.reload_interval, Arc::clone(&reloads), stop.clone());
    tokio::spawn(watch);

    let readiness = Readiness::default();
    let seen = Seen {
        readiness: readiness.clone(),
        metrics: Arc::clone(&metrics),
        refunds: refunds.clone(),
        page: PageFacts::new(&config, ledger_id, &reloads, tls.as_ref()),
    };
    let admin_address = listeners.admin.local_addr()?;
    let admin = tokio::spawn(admin::serve(listeners.admin, seen));

    let (health, health_service) = tonic_health::server::health_reporter();
    report(&health, ServingStatus::NotServing).await;
    let bounds = Bounds::new(config.limits.connections, stop.clone());
    let health_service = health_service
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(MAX_REQUEST)
        .max_encoding_message_size(MAX_REPLY);
    let (reflection, old_reflection) = match config.reflection {
        true => reflection(&bounds).map(|(new, old)| (Some(new), Some(old)))?,
        false => (None, None),
    };
    let deadlines = config.deadlines.clone();
    let gate = Gate::new(in_force, deadlines, &config.calls, Arc::clone(&metrics));
    let router = http2::limited(&config.limits)
        .layer(CountUnknown::new(metrics))
        .add_service(Trades::new(client, refunds.clone()).into_service(gate.clone()))
        .add_service(LedgerQueries::new(refunds, stop.clone()).into_service(gate.clone()))
        .add_service(bounds.around(health_service))
        .add_optional_service(reflection)
        .add_optional_service(old_reflection);

    let address = listeners.grpc.local_addr()?;
    let cut = CancellationToken::new();
    let tokens = Tokens { stop: stop.clone(), cut: cut.clone() };
    let incoming = Port::new(&config, tls, Arc::clone(&connections), tokens).open(listeners.grpc);
    let stopped = stop.clone().cancelled_owned();
    let mut server = tokio::spawn(router.serve_with_incoming_shutdown(incoming, stopped));
    report(&health, ServingStatus::Serving).await;
    readiness.set(Phase::Serving);
    tracing::info!(%address, admin = %admin_address, "serving");

    let waits = Waits { gate, connections, refund_tasks, resolver };
    let parts = Parts { health, readiness, stop, cut, waits, ledger };
    tokio::select! {
        ended = &mut server => {
            ended??;
            return Err("the port closed by itself".into());
        }
        () = shutdown => drain(&config.shutdown, parts, server).await,
    }
    admin.abort();
    Ok(())
}

fn warn_of_plain_tokens(config: &Config) {
    if config.exposes_tokens() {
        tracing::warn!("callers' tokens come over plain text: the network must keep them");
    }
}

/// What works on calls, whoever makes them.
struct Core {
    in_force: InForce,
    /// The built-in one, if that is called.
    sandbox: Option<Sandbox>,
    ledger: Ledger,
    ledger_id: String,
    metrics: Arc<Metrics>,
    client: Arc<Client>,
    refunds: Refunds,
    refund_tasks: TaskTracker,
}

impl Core {
    async fn new(config: &Config) -> Result<Self, BoxError> {
        let (ledger, ledger_id) = ledger(config).await?;
        let in_force = InForce::new(config.parties());
        let (base_url, sandbox) = upstream(config).await?;
        let (path, codes) = (sunmi::path, sunmi::codes::counted());
        let sunmi = metrics::Upstream { address: &base_url, path, codes };
        let metrics = Arc::new(Metrics::new(&sunmi)?);
        let ledger = ledger.measured_by(&metrics)?;
        let client = Client::new(&config.client(base_url), in_force.signers())?;
        let client = Arc::new(client.measured_by(&metrics));
        let (refund_tasks, rules) = (TaskTracker::new(), config.refund.clone());
        let refunds =
            Refunds::new(Arc::clone(&client), ledger.clone(), refund_tasks.clone(), rules);
        Ok(Self { in_force, sandbox, ledger, ledger_id, metrics, client, refunds, refund_tasks })
    }
}

/// The ledger and its id, of which the log tells: one that is new may be the wrong one.
async fn ledger(config: &Config) -> Result<(Ledger, String), BoxError> {
    let access = if config.create_ledger { Access::Serve } else { Access::ServeExisting };
    let (connections, upstream) = (config.ledger_connections, config.upstream_name());
    let ledger = Ledger::open_by(connections, &config.ledger, upstream, access).await?;
    let (at, Identity { id, new, rows, open }) = (config.ledger.shown(), ledger.identity().await?);
    tracing::info!(%at, %id, rows, open, upstream = config.upstream_name(), "refund ledger");
    if new && !matches!(config.ledger, Location::Memory) {
        tracing::warn!(%at, "this refund ledger was made just now: it knows no earlier refund");
    }
    Ok((ledger, id))
}

/// TLS as its files say, and what to do when they change.
fn secured(files: Option<&Files>) -> Result<Option<(Arc<Tls>, Watched)>, TlsFault> {
    let Some(files) = files else { return Ok(None) };
    let (tls, origin) = files.load()?;
    tls.warn();
    let tls = Arc::new(tls);
    let changed = Arc::clone(&tls);
    let apply = move |contents: &Contents| changed.replace(contents).map_err(BoxError::from);
    Ok(Some((tls, Watched::new(Kind::Certificate, origin, apply))))
}

/// Where Sunmi is. The sandbox is started for it.
async fn upstream(config: &Config) -> Result<(Url, Option<Sandbox>), BoxError> {
    match &config.upstream {
        Upstream::Environment { name, base_url } => {
            tracing::info!(environment = name, %base_url, "calling Sunmi");
            Ok((base_url.clone(), None))
        }
        Upstream::Sandbox => {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let base_url: Url = format!("http://{}", listener.local_addr()?).parse()?;
            tracing::info!(%base_url, "calling the built-in sandbox: no money moves");
            let sandbox = Sandbox::new(config.credentials.iter());
            tokio::spawn(sandbox.clone().serve(listener));
            Ok((base_url, Some(sandbox)))
        }
    }
}

/// Reflection, as current and as older tools speak it, with `google/rpc/*` for the details
/// of errors.
fn reflection(
    bounds: &Bounds,
) -> Result<
    (
        Aside<v1::ServerReflectionServer<impl v1::ServerReflection>>,
        Aside<v1alpha::ServerReflectionServer<impl v1alpha::ServerReflection>>,
    ),
    BoxError,
> {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(pb::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let new = builder().build_v1()?.accept_compressed(CompressionEncoding::Gzip);
    let new = new.max_decoding_message_size(MAX_REQUEST).max_encoding_message_size(MAX_REPLY);
    let old = builder().build_v1alpha()?.accept_compressed(CompressionEncoding::Gzip);
    let old = old.max_decoding_message_size(MAX_REQUEST).max_encoding_message_size(MAX_REPLY);
    Ok((bounds.around(new), bounds.around(old)))
}

async fn report(health: &HealthReporter, status: ServingStatus) {
    for name in HEALTH_NAMES {
        health.set_service_status(name, status).await;
    }
}
