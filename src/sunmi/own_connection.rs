//! A connection on which one refund is sent, on hyper directly. Unlike one of a pool it was
//! never used before, so that an answer on it is this refund's, and it is looked at right
//! before it is used, so that one that the other side closed meanwhile is no doubt.
//!
//! On the wire a request is the same as reqwest's, but for `Connection: close`, which is true.

use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{
    ACCEPT, CONNECTION, CONTENT_TYPE, HOST, HeaderValue, PROXY_AUTHORIZATION, USER_AGENT,
};
use http::{Request, Uri};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::rt::ReadBuf;
use socket2::SockRef;
use url::{Position, Url};

use super::connector::{Forwarded, Line, Stream};
use super::http_reply::HttpReply;
use super::params::SignedForm;
use super::wire::{self, OwnConnection, SendError};
use crate::error::BoxError;

/// A connection to Sunmi for one request.
pub(super) struct Own {
    line: Line,
    base_url: Url,
    attempt_timeout: Duration,
}

impl Own {
    pub(super) fn new(line: Line, base_url: Url, attempt_timeout: Duration) -> Self {
        Self { line, base_url, attempt_timeout }
    }

    async fn exchange(self, path: &str, form: SignedForm) -> Result<HttpReply, SendError> {
        let request = self.request(path, form).map_err(SendError::NotSent)?;
        let handshake = http1::handshake(self.line.stream).await;
        let (mut sender, connection) =
            handshake.map_err(|error| SendError::NotSent(error.into()))?;
        let reply = async move {
            let response = sender.try_send_request(request).await.map_err(send_error)?;
            let reply = HttpReply::read(response).await;
            reply.map_err(|error| SendError::MaybeSent(error.into()))
        };
        tokio::pin!(reply);
        // The connection does the work, until it ends or the reply is here. First the request
        // is put to it, so that it is written at once.
        tokio::select! {
            biased;
            reply = &mut reply => return reply,
            _ = connection => {}
        }
        reply.await
    }

    fn request(&self, path: &str, form: SignedForm) -> Result<Request<Full<Bytes>>, BoxError> {
        let url = wire::below(&self.base_url, path);
        let target = match &self.line.forwarded {
            Some(Forwarded(_)) => url.as_str(),
            None => url.path(),
        };
        let mut request = Request::post(target.parse::<Uri>()?)
            .header(CONTENT_TYPE, wire::FORM)
            .header(USER_AGENT, wire::USER_AGENT)
            .header(ACCEPT, "*/*")
            .header(HOST, &url[Position::BeforeHost..Position::AfterPort])
            .header(CONNECTION, HeaderValue::from_static("close"));
        if let Some(Forwarded(Some(credentials))) = &self.line.forwarded {
            request = request.header(PROXY_AUTHORIZATION, credentials);
        }
        Ok(request.body(Full::from(form.into_body()))?)
    }
}

impl OwnConnection for Own {
    fn is_open(&mut self) -> bool {
        let stream = &mut self.line.stream;
        match waiting(&**stream) {
            Waiting::Nothing => true,
            Waiting::End => false,
            // A reply before a request, such as that it took too long, is none to this one.
            Waiting::Bytes if !stream.is_tls() => false,
            // Tickets are taken in by reading; anything else that can be read ends it. What
            // the runtime has not seen yet is not known to be the end.
            Waiting::Bytes => nothing_to_read(stream) && !waiting(&**stream).is_end(),
        }
    }

    fn post<'a>(
        self: Box<Self>,
        path: &'a str,
        form: SignedForm,
    ) -> BoxFuture<'a, Result<HttpReply, SendError>> {
        let attempt_timeout = self.attempt_timeout;
        Box::pin(wire::in_time(self.exchange(path, form), attempt_timeout))
    }
}

impl std::fmt::Debug for Own {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Own").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// What a failure tells: hyper gives a request back that it did not begin to write. All else
/// may have left.
fn send_error(mut error: hyper::client::conn::TrySendError<Request<Full<Bytes>>>) -> SendError {
    match error.take_message() {
        Some(_unsent) => SendError::NotSent(error.into_error().into()),
        None => SendError::MaybeSent(error.into_error().into()),
    }
}

/// What has arrived at a socket and was not read.
enum Waiting {
    Nothing,
    Bytes,
    /// The other side sends no more, or the line is broken.
    End,
}

impl Waiting {
    fn is_end(&self) -> bool {
        matches!(self, Self::End)
    }
}

/// Asks the kernel, which may know what the runtime has not heard of yet.
fn waiting(stream: &dyn Stream) -> Waiting {
    match SockRef::from(stream.socket()).peek(&mut [MaybeUninit::uninit()]) {
        Ok(0) => Waiting::End,
        Ok(_) => Waiting::Bytes,
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Waiting::Nothing,
        Err(_) => Waiting::End,
    }
}

/// Whether a stream, read, has neither data nor an end.
fn nothing_to_read(stream: &mut Box<dyn Stream>) -> bool {
    let mut byte = [0];
    let mut buffer = ReadBuf::new(&mut byte);
    let mut context = Context::from_waker(Waker::noop());
    let read = Pin::new(&mut **stream).poll_read(&mut context, buffer.unfilled());
    matches!(read, Poll::Pending)
}

#[cfg(test)]
mod tests;
