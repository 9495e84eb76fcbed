//! The sandbox over HTTP/1.1: Sunmi's three calls, and beside them [pages](pages::Page): a script of
//! faults to write, things to let happen, and books to read. All bodies are JSON, times are Unix
//! milliseconds, amounts fen. What is done is answered with `{}`, what cannot be with 400 and the
//! reason. docs/sandbox.md tells all of it, and a test holds it to what there is.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

mod control;
mod gzip;
mod pages;
mod trade;

use super::book::{Book, Endpoint, Form};
use super::faults::{Fault, Script};
use crate::clock;
use crate::sunmi::Credential;

/// The longest request that is read, in bytes.
const MAX_REQUEST: usize = 1 << 20;

/// So many of the latest calls are remembered.
const MAX_CALLS: usize = 10_000;

type Body = BoxBody<Bytes, io::Error>;

/// A sandbox, shared by its connections.
#[derive(Clone, Debug)]
pub struct Sandbox(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    book: Book,
    script: Script,
    calls: VecDeque<Call>,
    total_calls: u64,
}

/// A call that was seen.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which.
    pub endpoint: Endpoint,
    /// Its parameters, signature and all.
    pub form: Form,
    /// Which it was of all calls, from 1.
    pub serial: u64,
    /// When it came, in Unix milliseconds.
    pub at_ms: i64,
}

/// How a connection goes on after a call.
enum Fate {
    Answer(Response<Body>),
    Close,
    Reset,
}

/// Why a connection ends without an answer. hyper closes it on an error.
#[derive(Debug, thiserror::Error)]
#[error("the fault script ends this connection")]
struct Ended;

impl Sandbox {
    /// With the sample and demo orders, for who signs with one of these.
    pub fn new<'a>(credentials: impl IntoIterator<Item = &'a Credential>) -> Self {
        let book = Book::new(credentials, unix_ms().div_euclid(1000));
        let script = Script::default();
        let state = State { book, script, calls: VecDeque::new(), total_calls: 0 };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Reads or changes its books.
    pub fn with_book<T>(&self, f: impl FnOnce(&mut Book) -> T) -> T {
        f(&mut self.state().book)
    }

    /// Adds to its script of faults.
    pub fn spoil(&self, fault: Fault) {
        self.state().script.push(fault);
    }

    /// The latest calls it has seen, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.iter().cloned().collect()
    }

    /// How many calls it has seen.
    pub fn total_calls(&self) -> u64 {
        self.state().total_calls
    }

    /// Serves for ever.
    pub async fn serve(self, listener: TcpListener) -> Infallible {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(self.clone().connection(stream))),
                // Out of file descriptors, most likely: some will become free.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    async fn connection(self, stream: TcpStream) {
        // A second handle of the socket, to be able to reset it while hyper has the first.
        let Ok(stream) = stream.into_std() else {
            return;
        };
        let Ok(socket) = stream.try_clone() else {
            return;
        };
        let Ok(stream) = TcpStream::from_std(stream) else {
            return;
        };
        let service = service_fn(|request| async {
            match self.handle(request).await {
                Fate::Answer(response) => Ok(response),
                Fate::Close => Err(Ended),
                Fate::Reset => {
                    let _ = socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO));
                    Err(Ended)
                }
            }
        });
        // An error here is one of the script's, or the caller went away.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    async fn handle(&self, request: Request<Incoming>) -> Fate {
        let (parts, body) = request.into_parts();
        let body = match Limited::new(body, MAX_REQUEST).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                return Fate::Answer(text(StatusCode::PAYLOAD_TOO_LARGE, "too large"));
            }
            Err(_) => return Fate::Close,
        };
        match Endpoint::at(parts.uri.path()) {
            Some(endpoint) if parts.method == Method::POST => {
                self.trade(endpoint, &parts.headers, &body).await
            }
            Some(_) => Fate::Answer(text(StatusCode::METHOD_NOT_ALLOWED, "POST only")),
            None => Fate::Answer(self.control(&parts.method, &parts.uri, &body)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn json_body(body: String) -> Response<Body> {
    let mut response = Response::new(full(body.into()));
    let value = http::HeaderValue::from_static("application/json;charset=UTF-8");
    response.headers_mut().insert(CONTENT_TYPE, value);
    response
}

fn text(status: StatusCode, body: &str) -> Response<Body> {
    let mut response = Response::new(full(Bytes::copy_from_slice(body.as_bytes())));
    *response.status_mut() = status;
    response
}

fn full(body: Bytes) -> Body {
    Full::new(body).map_err(|never| match never {}).boxed()
}

fn unix_ms() -> i64 {
    let since = clock::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
