//! Makes connections to Sunmi as reqwest makes those of the pool, of the same parts and with
//! the same settings: the connector of hyper-util with its resolver and its race of address
//! families, rustls with the machine's trusted certificates, and the proxies that the
//! configuration or the environment names. To an https address a proxy is asked for a tunnel
//! (CONNECT); to a plain one it is sent the request itself, in absolute form.

use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderMap, HeaderValue, USER_AGENT};
use http::{Uri, uri::Scheme};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower::{Service, ServiceExt};
use url::Url;

use super::wire::{self, WireConfig, is_loopback};
use crate::error::BoxError;

/// What is behind a connection: Sunmi, or a proxy; in plain text, or by TLS.
type Direct = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Reqwest's defaults, which find a dead line when nothing is sent.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBES: u32 = 3;

/// How TLS is spoken to this address.
pub(super) fn tls(base_url: &Url) -> Result<ClientConfig, BoxError> {
    // A second call finds it installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = ClientConfig::builder();
    let mut tls = match base_url.scheme() {
        // Works on a machine without any trusted certificates, too.
        "http" => builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
        _ => {
            let verifier = Verifier::new(Arc::clone(builder.crypto_provider()))?;
            let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
            builder.with_no_client_auth()
        }
    };
    tls.alpn_protocols = vec!["http/1.1".into()];
    Ok(tls)
}

/// Makes connections to one address.
pub(super) struct Connector {
    to: Uri,
    proxy: Option<Intercept>,
    http: HttpConnector,
    tls: Arc<ClientConfig>,
    /// The same for a proxy that is spoken to by TLS, which is offered no protocol.
    tls_to_proxy: Arc<ClientConfig>,
    timeout: Duration,
}

/// A connection, and how requests are written on it.
pub(super) struct Line {
    pub(super) stream: Box<dyn Stream>,
    /// What a proxy is told that forwards the requests themselves; `None` without one, and
    /// through a tunnel.
    pub(super) forwarded: Option<Forwarded>,
}

/// Requests go in absolute form, with these credentials if there are any.
pub(super) struct Forwarded(pub(super) Option<HeaderValue>);

impl Connector {
    pub(super) fn new(config: &WireConfig, tls: ClientConfig) -> Result<Self, BoxError> {
        let to: Uri = config.base_url.as_str().parse()?;
        let matcher = match &config.proxy {
            Some(proxy) => Some(Matcher::builder().all(String::from(proxy.clone())).build()),
            // A sandbox on this machine is not to be looked for at a proxy.
            None if is_loopback(&config.base_url) => None,
            None => Some(Matcher::from_system()),
        };
        let mut tls_to_proxy = tls.clone();
        tls_to_proxy.alpn_protocols.clear();
        Ok(Self {
            proxy: matcher.and_then(|matcher| matcher.intercept(&to)),
            to,
            http: http(config),
            tls: Arc::new(tls),
            tls_to_proxy: Arc::new(tls_to_proxy),
            timeout: config.connect_timeout,
        })
    }

    /// Makes a connection, TLS included.
    pub(super) async fn connect(&self) -> Result<Line, BoxError> {
        tokio::time::timeout(self.timeout, self.line()).await.map_err(|_| TimedOut(self.timeout))?
    }

    async fn line(&self) -> Result<Line, BoxError> {
        let is_https = self.to.scheme() == Some(&Scheme::HTTPS);
        match &self.proxy {
            None => Ok(Line { stream: self.direct(self.to.clone()).await?, forwarded: None }),
            Some(proxy) if is_https => {
                Ok(Line { stream: self.tunnelled(proxy).await?, forwarded: None })
            }
            Some(proxy) => {
                let stream = self.direct(proxy.uri().clone()).await?;
                Ok(Line { stream, forwarded: Some(Forwarded(proxy.basic_auth().cloned())) })
            }
        }
    }

    async fn direct(&self, to: Uri) -> Result<Box<dyn Stream>, BoxError> {
        let connector = HttpsConnector::from((self.http.clone(), Arc::clone(&self.tls)));
        Ok(Box::new(connector.oneshot(to).await?))
    }

    async fn tunnelled(&self, proxy: &Intercept) -> Result<Box<dyn Stream>, BoxError> {
        let to_proxy = HttpsConnector::from((self.http.clone(), Arc::clone(&self.tls_to_proxy)));
        let user_agent = (USER_AGENT, HeaderValue::from_static(wire::USER_AGENT));
        let mut tunnel = Tunnel::new(proxy.uri().clone(), to_proxy)
            .with_headers(HeaderMap::from_iter([user_agent]));
        if let Some(credentials) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(credentials.clone());
        }
        std::future::poll_fn(|context| tunnel.poll_ready(context)).await?;
        let tunnelled = tunnel.call(self.to.clone()).await?;
        let name = server_name(&self.to)?;
        let tls = TlsConnector::from(Arc::clone(&self.tls));
        Ok(Box::new(TokioIo::new(tls.connect(name, TokioIo::new(tunnelled)).await?)))
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("to", &self.to).finish_non_exhaustive()
    }
}

/// No connection was made in time.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {}", humantime::format_duration(*.0))]
struct TimedOut(Duration);

fn http(config: &WireConfig) -> HttpConnector {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(config.connect_timeout));
    http.set_keepalive(Some(KEEPALIVE));
    http.set_keepalive_interval(Some(KEEPALIVE));
    http.set_keepalive_retries(Some(KEEPALIVE_PROBES));
    // No byte may arrive long after we gave the attempt up.
    #[cfg(target_os = "linux")]
    http.set_tcp_user_timeout(Some(config.attempt_timeout));
    http
}

/// The name in the certificate. An IPv6 address stands in brackets in an address alone.
fn server_name(of: &Uri) -> Result<ServerName<'static>, BoxError> {
    let host = of.host().unwrap_or_default();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    Ok(ServerName::try_from(bare.unwrap_or(host).to_owned())?)
}

/// What a connection is read from and written to.
pub(super) trait Stream: hyper::rt::Read + hyper::rt::Write + Send + Unpin {
    /// The socket below.
    fn socket(&self) -> &TcpStream;

    /// Whether the other side may send what is no reply, such as a ticket of TLS.
    fn is_tls(&self) -> bool;
}

impl Stream for Direct {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Http(plain) => plain.inner(),
            Self::Https(tls) => tls.inner().get_ref().0.inner().inner(),
        }
    }

    fn is_tls(&self) -> bool {
        matches!(self, Self::Https(_))
    }
}

/// Through a tunnel.
impl Stream for TokioIo<TlsStream<TokioIo<Direct>>> {
    fn socket(&self) -> &TcpStream {
        self.inner().get_ref().0.inner().socket()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
