//! The HTTP call itself: reads on reqwest, over its pool of connections; refunds each on an
//! [own connection](super::own_connection). Only these two say whether a request that failed
//! may have been sent.

use std::fmt;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use url::{Host, Url};

use super::connector::{self, Connector};
use super::http_reply::HttpReply;
use super::own_connection::Own;
use super::params::SignedForm;
use crate::error::BoxError;
use crate::trade::Operation;

/// How this server calls itself.
pub(super) const USER_AGENT: &str = concat!("sunmi-trade/", env!("CARGO_PKG_VERSION"));

/// The type of a signed form.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// Where and how Sunmi is called.
#[derive(Clone, Debug)]
pub struct WireConfig {
    /// The address below which the calls' paths lie.
    pub base_url: Url,
    /// How long a connection may take to be made, TLS included.
    pub connect_timeout: Duration,
    /// How long an attempt may take to the last byte of the reply: from connecting, or for a
    /// refund, whose connection is made before, from sending.
    pub attempt_timeout: Duration,
    /// A proxy for all calls. Without one, those that the environment names are used
    /// (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`).
    pub proxy: Option<Url>,
}

/// Posts forms, each once. [`Wire`] does it over HTTP; a simulation does it in its own time.
pub trait Transport: fmt::Debug + Send + Sync {
    /// Posts a read's `form` to `path`, over any connection, and waits for a reply as long as
    /// an attempt may take.
    fn post<'a>(
        &'a self,
        path: &'a str,
        form: SignedForm,
    ) -> BoxFuture<'a, Result<HttpReply, SendError>>;

    /// Makes a connection for one request, within the time that this may take.
    ///
    /// # Errors
    /// [`SendError::NotSent`] alone: there was nothing to send.
    fn connect<'a>(&'a self) -> BoxFuture<'a, Result<Box<dyn OwnConnection>, SendError>>;
}

/// A connection for one request. It is closed when it goes.
pub trait OwnConnection: fmt::Debug + Send {
    /// Whether the other side still listens, as far as this machine knows by now.
    fn is_open(&mut self) -> bool;

    /// Posts `form` to `path`, and waits for a reply as long as an attempt may take. The first
    /// byte is on its way to the socket when the future has been polled once.
    ///
    /// # Errors
    /// [`SendError::NotSent`] if the connection was found closed before the first byte was
    /// handed over; in every other case [`SendError::MaybeSent`].
    fn post<'a>(
        self: Box<Self>,
        path: &'a str,
        form: SignedForm,
    ) -> BoxFuture<'a, Result<HttpReply, SendError>>;
}

/// An attempt without a reply, by what it tells.
#[derive(Debug)]
pub enum SendError {
    /// Not a byte of the request left.
    NotSent(BoxError),
    /// The request may have been processed.
    MaybeSent(BoxError),
}

/// The reply, or its end, did not come in time.
#[derive(Debug, thiserror::Error)]
#[error("no complete reply within {}", humantime::format_duration(*.0))]
struct TimedOut(Duration);

impl SendError {
    /// What it is counted as.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotSent(_) => "not_sent",
            Self::MaybeSent(cause) if cause.is::<TimedOut>() => "timeout",
            Self::MaybeSent(_) => "interrupted",
        }
    }
}

/// What an exchange comes to within the time of an attempt. Not an async function, for the size of
/// its future, as [`Deadline::bound`](crate::deadline::Deadline::bound).
pub(super) fn in_time(
    exchange: impl Future<Output = Result<HttpReply, SendError>>,
    attempt_timeout: Duration,
) -> impl Future<Output = Result<HttpReply, SendError>> {
    let timed_out = move || SendError::MaybeSent(TimedOut(attempt_timeout).into());
    let attempt = tokio::time::timeout(attempt_timeout, exchange);
    attempt.map(move |attempt| attempt.unwrap_or_else(|_| Err(timed_out())))
}

/// The connections to Sunmi: a pool for reads, and what makes one for each refund.
#[derive(Debug)]
pub(super) struct Wire {
    client: Client,
    connector: Connector,
    base_url: Url,
    /// The addresses of the calls, by their paths.
    urls: [(&'static str, Url); Operation::ALL.len()],
    attempt_timeout: Duration,
}

impl Wire {
    pub(super) fn new(config: &WireConfig) -> Result<Self, BoxError> {
        let tls = connector::tls(&config.base_url)?;
        let mut builder = Client::builder()
            .user_agent(USER_AGENT)
            // One call, one connection: a reset never concerns another call.
            .http1_only()
            .tls_backend_preconfigured(tls.clone())
            .connect_timeout(config.connect_timeout)
            // No byte may arrive long after we gave the attempt up.
            .tcp_user_timeout(config.attempt_timeout)
            .tcp_nodelay(true)
            // Below the usual keep-alive of servers, so that they seldom close first.
            .pool_idle_timeout(Duration::from_secs(20))
            // Our loop is the only one that tries again, and a form goes where it was addressed.
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none())
            .referer(false);
        if let Some(proxy) = &config.proxy {
            builder = builder.proxy(reqwest::Proxy::all(proxy.clone())?);
        } else if is_loopback(&config.base_url) {
            // A sandbox on this machine is not to be looked for at a proxy.
            builder = builder.no_proxy();
        }
        Ok(Self {
            client: builder.build()?,
            connector: Connector::new(config, tls)?,
            base_url: config.base_url.clone(),
            urls: Operation::ALL.map(super::path).map(|path| (path, below(&config.base_url, path))),
            attempt_timeout: config.attempt_timeout,
        })
    }

    fn url(&self, path: &str) -> Url {
        let known = self.urls.iter().find(|(known, _)| *known == path);
        known.map_or_else(|| below(&self.base_url, path), |(_, url)| url.clone())
    }

    async fn exchange(&self, path: &str, form: SignedForm) -> Result<HttpReply, SendError> {
        let request =
            self.client.post(self.url(path)).header(CONTENT_TYPE, FORM).body(form.into_body());
        let response = request.send().await.map_err(send_error)?;
        HttpReply::read(http::Response::from(response)).await.map_err(send_error)
    }
}

impl Transport for Wire {
    fn post<'a>(
        &'a self,
        path: &'a str,
        form: SignedForm,
    ) -> BoxFuture<'a, Result<HttpReply, SendError>> {
        Box::pin(in_time(self.exchange(path, form), self.attempt_timeout))
    }

    fn connect<'a>(&'a self) -> BoxFuture<'a, Result<Box<dyn OwnConnection>, SendError>> {
        Box::pin(async {
            let line = self.connector.connect().await.map_err(SendError::NotSent)?;
            let own = Own::new(line, self.base_url.clone(), self.attempt_timeout);
            Ok(Box::new(own) as Box<dyn OwnConnection>)
        })
    }
}

/// The address of `path` at Sunmi.
pub(super) fn below(base_url: &Url, path: &str) -> Url {
    let mut url = base_url.clone();
    url.set_path(&format!("{}{path}", base_url.path().trim_end_matches('/')));
    url
}

/// Whether this is an address of this machine alone.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// What a failure tells: only a connection that was never made proves that nothing was
/// sent. A reset, an early close (also of a kept-alive connection), half a reply: the
/// request may have been processed.
fn send_error(error: reqwest::Error) -> SendError {
    let error = error.without_url();
    match error.is_connect() {
        true => SendError::NotSent(error.into()),
        false => SendError::MaybeSent(error.into()),
    }
}
