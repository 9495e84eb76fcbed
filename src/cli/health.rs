//! `sunmi-trade health`: asks a server how it is, as grpc.health.v1 has it.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use clap::Args;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::config::Port;
use crate::deadline::Deadline;
use crate::error::{BoxError, Chain};
use crate::tls::client::{self, Trust};

/// How long all of it may take, if not told otherwise.
const TIMEOUT: &str = "5s";

/// Whom to ask, and how.
#[derive(Debug, Args)]
pub(super) struct Health {
    /// The configuration file of the server, in TOML
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Ask the server at this address [default: the one that is configured, on this machine]
    #[arg(long, value_name = "HOST:PORT")]
    addr: Option<String>,
    /// Of this service [default: of the server as a whole]
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    service: String,
    /// How long it may take, such as 500ms
    #[arg(long, value_name = "TIME", default_value = TIMEOUT, value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// Over TLS, with a server that the system's authorities vouch for
    #[arg(long, requires = "addr")]
    tls: bool,
    /// Over TLS, with a server that the authorities in this file, in PEM, vouch for
    #[arg(long, value_name = "FILE", requires = "addr")]
    tls_ca_cert: Option<PathBuf>,
    /// The name in the server's certificate [default: the host of --addr]
    #[arg(long, value_name = "NAME", requires = "addr")]
    tls_server_name: Option<String>,
    /// A certificate to show the server, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_client_key")]
    tls_client_cert: Option<PathBuf>,
    /// Its key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_client_cert")]
    tls_client_key: Option<PathBuf>,
}

/// A server, and how it is reached.
struct Target {
    addr: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Health {
    /// Whether it takes no configuration to know whom to ask.
    pub(super) fn names_server(&self) -> bool {
        self.addr.is_some()
    }

    /// Asks, and prints the answer; `port` is the server's that is configured.
    ///
    /// # Errors
    /// That the server does not serve, or why that is not known.
    pub(super) async fn ask(&self, port: Option<&Port>) -> Result<(), BoxError> {
        let target = self.target(port)?;
        let addr = target.addr.clone();
        let late = || {
            let within = humantime::format_duration(self.timeout);
            BoxError::from(format!("{addr}: no answer within {within}"))
        };
        let asked = Deadline::after(self.timeout).bound(self.status(target)).await;
        match asked.ok_or_else(late)?? {
            ServingStatus::Serving => {
                println!("{}", ServingStatus::Serving.as_str_name());
                Ok(())
            }
            status @ (ServingStatus::NotServing
            | ServingStatus::Unknown
            | ServingStatus::ServiceUnknown) => {
                Err(format!("{addr}: {}", status.as_str_name()).into())
            }
        }
    }

    async fn status(&self, target: Target) -> Result<ServingStatus, BoxError> {
        let addr = target.addr.clone();
        let connected = channel(target).await;
        let channel = connected.map_err(|error| format!("{addr}: {}", Chain(error.as_ref())))?;
        let request = HealthCheckRequest { service: self.service.clone() };
        let answer = HealthClient::new(channel).check(request).await;
        let told = |status: tonic::Status| format!("{addr}: {}", told(&status));
        Ok(answer.map_err(told)?.into_inner().status())
    }

    fn target(&self, port: Option<&Port>) -> Result<Target, BoxError> {
        match (&self.addr, port) {
            (Some(addr), _) => self.named(addr),
            (None, Some(port)) => self.configured(port),
            (None, None) => Err("neither an address nor a configuration is given".into()),
        }
    }

    fn named(&self, addr: &str) -> Result<Target, BoxError> {
        let wants_tls = self.tls
            || self.tls_ca_cert.is_some()
            || self.tls_server_name.is_some()
            || self.tls_client_cert.is_some();
        if !wants_tls {
            return Ok(Target { addr: addr.to_owned(), tls: None });
        }
        let trust = match &self.tls_ca_cert {
            Some(file) => Trust::Authorities(read(file)?),
            None => Trust::System,
        };
        let host = addr.rsplit_once(':').map_or(addr, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = self.tls_server_name.as_deref().unwrap_or(host).to_owned();
        let name = ServerName::try_from(name)?;
        Ok(Target { addr: addr.to_owned(), tls: Some((self.connector(trust, None)?, name)) })
    }

    /// The server of this machine. It shows the certificate in its file, and nobody else can, so
    /// that one is trusted, whatever name is in it.
    fn configured(&self, port: &Port) -> Result<Target, BoxError> {
        let addr = here(port.listen);
        let tls = match &port.tls {
            None => None,
            Some(files) => {
                let trust = Trust::This(read(&files.certificate)?);
                let required = files.clients.as_ref().is_some_and(|clients| clients.required);
                let own = required.then_some((files.certificate.as_path(), files.key.as_path()));
                Some((self.connector(trust, own)?, ServerName::from(addr.ip())))
            }
        };
        Ok(Target { addr: addr.to_string(), tls })
    }

    /// Shows the certificate that is named, or else `own`.
    fn connector(
        &self,
        trust: Trust,
        own: Option<(&Path, &Path)>,
    ) -> Result<TlsConnector, BoxError> {
        let named = self.tls_client_cert.as_deref().zip(self.tls_client_key.as_deref());
        let shown = match named.or(own) {
            Some((certificate, key)) => Some((read(certificate)?, read(key)?)),
            None => None,
        };
        Ok(TlsConnector::from(Arc::new(client::config(trust, shown)?)))
    }
}

/// Why a call failed, and what is behind it.
fn told(status: &tonic::Status) -> String {
    let causes = status.source().map(|cause| format!(": {}", Chain(cause)));
    format!("{:?}: {}{}", status.code(), status.message(), causes.unwrap_or_default())
}

/// A connection, with TLS or without.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

async fn channel(target: Target) -> Result<Channel, BoxError> {
    // The connection is made below; this only names the server to itself.
    let endpoint = Endpoint::from_shared(format!("http://{}", target.addr))?;
    let connect = move |_: Uri| {
        let Target { addr, tls } = Target { addr: target.addr.clone(), tls: target.tls.clone() };
        async move {
            let tcp = TcpStream::connect(addr).await?;
            let stream: Box<dyn Stream> = match tls {
                None => Box::new(tcp),
                Some((tls, name)) => Box::new(tls.connect(name, tcp).await?),
            };
            Ok::<_, io::Error>(TokioIo::new(stream))
        }
    };
    Ok(endpoint.connect_with_connector(tower::service_fn(connect)).await?)
}

/// Where a server that listens there is reached from its own machine.
fn here(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listen.port())
}

fn read(file: &Path) -> Result<Vec<u8>, BoxError> {
    fs::read(file).map_err(|error| format!("{}: {error}", file.display()).into())
}
