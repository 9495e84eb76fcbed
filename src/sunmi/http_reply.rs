//! An HTTP reply to a call, read within bounds, whichever client it came through.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::RETRY_AFTER;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;

use super::params::SignedForm;
use crate::clock;

/// The longest reply that is read, in bytes. A real one has less than 1 KiB.
pub const MAX_REPLY: usize = 1 << 20;

/// The longest wait that a `Retry-After` is taken to ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

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

/// The body of a reply.
#[derive(Debug)]
pub enum Body {
    /// All of it.
    Whole(Bytes),
    /// It is longer than [`MAX_REPLY`]; the rest was not read.
    TooLarge,
}

impl HttpReply {
    /// Reads a reply to its end, or to where it becomes too long.
    pub(super) async fn read<B>(response: Response<B>) -> Result<Self, B::Error>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        let (head, body) = response.into_parts();
        let body = match read_body(body).await {
            Ok(body) => body,
            // The status alone says it; what follows would only be shown to people.
            Err(_) if head.status != StatusCode::OK => Body::Whole(Bytes::new()),
            Err(error) => return Err(error),
        };
        let retry_after = retry_after(&head.headers);
        Ok(Self { status: head.status.as_u16(), retry_after, body })
    }

    /// The same without the secrets of the form that it answers.
    pub(super) fn without_secrets_of(self, form: &SignedForm) -> Self {
        let body = match self.body {
            Body::Whole(bytes) => Body::Whole(form.redact(bytes)),
            Body::TooLarge => Body::TooLarge,
        };
        Self { body, ..self }
    }
}

async fn read_body<B>(mut body: B) -> Result<Body, B::Error>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // Anything else is a trailer.
        let Ok(chunk) = frame?.into_data() else { continue };
        if read.len() + chunk.len() > MAX_REPLY {
            return Ok(Body::TooLarge);
        }
        // Mostly it is the only one, and need not be copied.
        if read.is_empty() && body.is_end_stream() {
            return Ok(Body::Whole(chunk));
        }
        read.extend_from_slice(&chunk);
    }
    Ok(Body::Whole(read.freeze()))
}

/// The `Retry-After` header, in seconds or as a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = httpdate::parse_http_date(text).ok()?;
            at.duration_since(clock::now()).unwrap_or_default()
        }
    };
    Some(wait.min(MAX_RETRY_AFTER))
}
