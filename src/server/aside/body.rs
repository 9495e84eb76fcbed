//! Bodies that end when it is time, whatever the other side does.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};
use tonic::Status;
use tonic::body::Body;

use crate::places::Place;

/// The body of a request, which is at its end once the call is over.
pub(super) struct Received {
    /// Let go of then, because a stream with a body that somebody may read is open.
    body: Option<Body>,
    over: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Received {
    pub(super) fn new(body: Body, over: CancellationToken) -> Self {
        Self { body: Some(body), over: Box::pin(over.cancelled_owned()) }
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.over.as_mut().poll(context).is_ready() {
            self.body = None;
        }
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }
}

/// The body of a response, until it has to end, and why.
pub(super) struct Sent {
    body: Body,
    /// `None` once it has ended.
    end: Option<BoxFuture<'static, Status>>,
    _held: (DropGuard, Option<Place>),
}

impl Sent {
    /// One that holds all this as long as it lasts.
    pub(super) fn new(
        body: Body,
        end: BoxFuture<'static, Status>,
        held: (DropGuard, Option<Place>),
    ) -> Self {
        Self { body, end: Some(end), _held: held }
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(mut end) = self.end.take() else { return Poll::Ready(None) };
        // First: what there is to say is said.
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.end = frame.is_some().then_some(end);
            return Poll::Ready(frame);
        }
        let Poll::Ready(status) = end.as_mut().poll(context) else {
            self.end = Some(end);
            return Poll::Pending;
        };
        let mut trailers = HeaderMap::new();
        Poll::Ready(Some(status.add_header(&mut trailers).map(|()| Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.end.is_none() || self.body.is_end_stream()
    }
}
