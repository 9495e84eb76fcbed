//! The HTTP call itself, on reqwest. This is the only place that says whether a request
//! that failed may have been sent.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use url::{Host, Url};

use super::params::SignedForm;
use crate::clock;
use crate::error::BoxError;

/// The longest reply that is read, in bytes. A real one has less than 1 KiB.
pub const MAX_REPLY: usize = 1 << 20;

/// Where and how Sunmi is called.
#[derive(Clone, Debug)]
pub struct WireConfig {
    /// The address below which the calls' paths lie.
    pub base_url: Url,
    /// How long a connection may take to be made, TLS included.
    pub connect_timeout: Duration,
    /// How long an attempt may take, from connecting to the last byte of the reply.
    pub attempt_timeout: Duration,
    /// A proxy for all calls. Without one, those that the environment names are used
    /// (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`).
    pub proxy: Option<Url>,
}

/// Posts a form once. [`Wire`] does it over HTTP; a simulation does it in its own time.
pub trait Transport: fmt::Debug + Send + Sync {
    /// Posts `form` to `path`, and waits for a reply as long as an attempt may take.
    fn post<'a>(
        &'a self,
        path: &'a str,
        form: SignedForm,
    ) -> BoxFuture<'a, Result<HttpReply, SendError>>;
}

/// An HTTP reply, of any status.
#[derive(Debug)]
pub struct HttpReply {
    /// The status.
    pub status: u16,
    /// How long it asks to be left alone.
    pub retry_after: Option<Duration>,
    /// What it says.
    pub body: Body,
}

impl HttpReply {
    /// The same without the secrets of the form that it answers.
    pub(super) fn without_secrets_of(self, form: &SignedForm) -> Self {
        let body = match self.body {
            Body::Whole(bytes) => Body::Whole(form.redact(bytes)),
            Body::TooLarge => Body::TooLarge,
        };
        Self { body, ..self }
    }
}

/// The body of a reply.
#[derive(Debug)]
pub enum Body {
    /// All of it.
    Whole(Bytes),
    /// It is longer than [`MAX_REPLY`]; the rest was not read.
    TooLarge,
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

/// The longest wait that a `Retry-After` is taken to ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// The connection pool to Sunmi.
#[derive(Debug)]
pub(super) struct Wire {
    client: Client,
    base_url: Url,
    attempt_timeout: Duration,
}

impl Wire {
    pub(super) fn new(config: &WireConfig) -> Result<Self, BoxError> {
        // A second call finds it installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .user_agent(concat!("sunmi-trade/", env!("CARGO_PKG_VERSION")))
            // One call, one connection: a reset never concerns another call.
            .http1_only()
            .connect_timeout(config.connect_timeout)
            // No byte may arrive long after we gave the attempt up.
            .tcp_user_timeout(config.attempt_timeout)
            .tcp_nodelay(true)
            // Below the usual keep-alive of servers, so that they seldom close first.
            .pool_idle_timeout(Duration::from_secs(20))
            // Our loop is the only one that tries again, and a refund is sent where it was
            // addressed.
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none())
            .referer(false);
        if config.base_url.scheme() == "http" {
            // Works on a machine without any trusted certificates, too.
            builder = builder.tls_certs_only([]);
        }
        if let Some(proxy) = &config.proxy {
            builder = builder.proxy(reqwest::Proxy::all(proxy.clone())?);
        } else if is_loopback(&config.base_url) {
            // A sandbox on this machine is not to be looked for at a proxy.
            builder = builder.no_proxy();
        }
        Ok(Self {
            client: builder.build()?,
            base_url: config.base_url.clone(),
            attempt_timeout: config.attempt_timeout,
        })
    }

    async fn exchange(&self, path: &str, form: SignedForm) -> Result<HttpReply, SendError> {
        let mut url = self.base_url.clone();
        url.set_path(&format!("{}{path}", self.base_url.path().trim_end_matches('/')));
        let request = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.into_body());
        let response = request.send().await.map_err(send_error)?;
        let status = response.status();
        let retry_after = retry_after(&response);
        let body = match read_body(response).await {
            Ok(body) => body,
            // The status alone says it; what follows would only be shown to people.
            Err(_) if status != StatusCode::OK => Body::Whole(Bytes::new()),
            Err(error) => return Err(send_error(error)),
        };
        Ok(HttpReply { status: status.as_u16(), retry_after, body })
    }
}

impl Transport for Wire {
    fn post<'a>(
        &'a self,
        path: &'a str,
        form: SignedForm,
    ) -> BoxFuture<'a, Result<HttpReply, SendError>> {
        Box::pin(async move {
            let attempt = tokio::time::timeout(self.attempt_timeout, self.exchange(path, form));
            let timed_out = || SendError::MaybeSent(TimedOut(self.attempt_timeout).into());
            attempt.await.unwrap_or_else(|_| Err(timed_out()))
        })
    }
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

async fn read_body(mut response: Response) -> reqwest::Result<Body> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_REPLY {
            return Ok(Body::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Body::Whole(body.freeze()))
}

/// The `Retry-After` header, in seconds or as a date (RFC 9110, section 10.2.3).
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = httpdate::parse_http_date(text).ok()?;
            at.duration_since(clock::now()).unwrap_or_default()
        }
    };
    Some(wait.min(MAX_RETRY_AFTER))
}
