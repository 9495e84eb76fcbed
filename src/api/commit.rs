//! Commits a Refund: its response headers are sent as soon as the request is accepted,
//! before anything goes to Sunmi, and its status goes in the trailers.
//!
//! Envoy looks at `grpc-status` in headers only, and a gRPC client retries a call only until
//! it has seen headers (gRFC A6). So neither a mesh nor a client repeats a refund whose
//! headers it has. tonic's own timer, which covers the time to headers, cannot fire any
//! more either.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body::Frame;
use tonic::Status;
use tonic::body::Body;

/// Where a gRPC status stands.
const GRPC_STATUS: &str = "grpc-status";

/// Tells a client not to try again by itself (gRFC A6).
const PUSHBACK: (HeaderName, HeaderValue) =
    (HeaderName::from_static("grpc-retry-pushback-ms"), HeaderValue::from_static("-1"));

/// What a call comes to.
pub(super) type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// The headers of a call that was accepted. What `answer` comes to follows as the body.
pub(super) fn commit(answer: Answer) -> Response<Body> {
    let answer = Box::pin(async {
        // Lets the connection's task write the headers before the work begins.
        tokio::task::yield_now().await;
        answer.await
    });
    let mut response = Response::new(Body::new(Committed::Waiting(answer)));
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(CONTENT_TYPE, grpc);
    response
}

/// A body that waits for an answer and then is the answer's.
enum Committed {
    Waiting(Answer),
    Answering(Body),
    /// An answer without a body: its status, which stood in its headers.
    Refusing(HeaderMap),
    Done,
}

impl http_body::Body for Committed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            match &mut *self {
                Self::Waiting(answer) => {
                    let Ok(response) = ready!(answer.as_mut().poll(context));
                    *self = Self::of(response);
                }
                Self::Answering(body) => {
                    let frame = ready!(Pin::new(body).poll_frame(context));
                    return Poll::Ready(frame.map(|frame| frame.map(with_pushback)));
                }
                Self::Refusing(_) => {
                    let Self::Refusing(trailers) = std::mem::replace(&mut *self, Self::Done) else {
                        return Poll::Ready(None);
                    };
                    return Poll::Ready(Some(Ok(with_pushback(Frame::trailers(trailers)))));
                }
                Self::Done => return Poll::Ready(None),
            }
        }
    }
}

impl Committed {
    fn of(response: Response<Body>) -> Self {
        let (mut parts, body) = response.into_parts();
        if !parts.headers.contains_key(GRPC_STATUS) {
            return Self::Answering(body);
        }
        parts.headers.remove(CONTENT_TYPE);
        parts.headers.remove(CONTENT_LENGTH);
        Self::Refusing(parts.headers)
    }
}

/// The frame; trailers of a call that failed say not to try again.
fn with_pushback(frame: Frame<Bytes>) -> Frame<Bytes> {
    frame.into_trailers().map_or_else(
        |frame| frame,
        |mut trailers| {
            if trailers.get(GRPC_STATUS).is_some_and(|status| status != "0") {
                let (name, value) = PUSHBACK;
                trailers.insert(name, value);
            }
            Frame::trailers(trailers)
        },
    )
}
