//! The body of an answer that is a stream: the call lasts as long as it does.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use tonic::Status;
use tonic::body::Body;

use super::Watch;

/// A body, with what sees the call to its end.
pub(super) struct Streamed {
    body: Body,
    _watch: Watch,
}

impl Streamed {
    pub(super) fn new(body: Body, watch: Watch) -> Self {
        Self { body, _watch: watch }
    }
}

impl HttpBody for Streamed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}
