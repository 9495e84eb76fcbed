//! The sandbox over HTTP/1.1: Sunmi's three calls, and beside them a script of faults to
//! write and books to read.
//!
//! | request | does |
//! |---|---|
//! | `POST /v1/trade/{query,refund,swipeQuery}` | what Sunmi does |
//! | `POST /sandbox/faults` | adds an entry, or an array of them, to the fault script |
//! | `DELETE /sandbox/faults` | forgets the script |
//! | `POST /sandbox/settings` | `{"refunds_queryable": false}`: hides refunds from queries |
//! | `POST /sandbox/orders` | `{"order_id": …, "amount": …}`: enters a payment |
//! | `GET /sandbox/books` | orders, refunds that moved money, calls seen, faults left |

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::StreamExt;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use super::book::{Book, Endpoint, Form, Reply};
use super::faults::{Answer, Fault, Script};
use crate::clock;
use crate::error::BoxError;
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
}

/// A call that was seen.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which.
    pub endpoint: Endpoint,
    /// Its parameters, signature and all.
    pub form: Form,
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
        let book = Book::new(credentials, unix_now());
        let state = State { book, script: Script::default(), calls: VecDeque::new() };
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
            None => Fate::Answer(self.control(&parts.method, parts.uri.path(), &body)),
        }
    }

    async fn trade(&self, endpoint: Endpoint, headers: &http::HeaderMap, body: &[u8]) -> Fate {
        let form_type = "application/x-www-form-urlencoded";
        if headers.get(CONTENT_TYPE).is_none_or(|it| it.as_bytes() != form_type.as_bytes()) {
            return Fate::Answer(text(StatusCode::UNSUPPORTED_MEDIA_TYPE, form_type));
        }
        let form: Form = form_urlencoded::parse(body).into_owned().collect();
        let fault = {
            let mut state = self.state();
            if state.calls.len() == MAX_CALLS {
                state.calls.pop_front();
            }
            state.calls.push_back(Call { endpoint, form: form.clone() });
            state.script.next(endpoint)
        };
        let Some(fault) = fault else {
            return Fate::Answer(json_body(self.execute(endpoint, &form).to_json()));
        };
        tokio::time::sleep(Duration::from_millis(fault.delay_ms)).await;
        let normal = matches!(fault.answer, Answer::Normal);
        let executed = (fault.execute || normal).then(|| self.execute(endpoint, &form));
        spoiled(fault.answer, executed).await
    }

    fn execute(&self, endpoint: Endpoint, form: &Form) -> Reply {
        self.state().book.handle(endpoint, form, unix_now())
    }

    fn control(&self, method: &Method, path: &str, body: &[u8]) -> Response<Body> {
        let done = match (method.as_str(), path) {
            ("GET", "/sandbox/books") => return json_body(self.books().to_string()),
            ("DELETE", "/sandbox/faults") => {
                self.state().script.clear();
                Ok(())
            }
            ("POST", "/sandbox/faults") => self.add_faults(body),
            ("POST", "/sandbox/settings") => self.set(body),
            ("POST", "/sandbox/orders") => self.add_order(body),
            _ => return text(StatusCode::NOT_FOUND, "no such page"),
        };
        match done {
            Ok(()) => json_body("{}".to_owned()),
            Err(error) => text(StatusCode::BAD_REQUEST, &error.to_string()),
        }
    }

    fn add_faults(&self, body: &[u8]) -> Result<(), BoxError> {
        let script: Value = serde_json::from_slice(body)?;
        let script = if script.is_array() { script } else { Value::Array(vec![script]) };
        let faults: Vec<Fault> = serde_json::from_value(script)?;
        let mut state = self.state();
        faults.into_iter().for_each(|fault| state.script.push(fault));
        Ok(())
    }

    fn set(&self, body: &[u8]) -> Result<(), BoxError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Settings {
            refunds_queryable: bool,
        }
        let Settings { refunds_queryable } = serde_json::from_slice(body)?;
        self.state().book.set_refunds_queryable(refunds_queryable);
        Ok(())
    }

    fn add_order(&self, body: &[u8]) -> Result<(), BoxError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Payment {
            order_id: String,
            amount: i64,
        }
        let Payment { order_id, amount } = serde_json::from_slice(body)?;
        self.state().book.add_payment(&order_id, amount, unix_now());
        Ok(())
    }

    fn books(&self) -> Value {
        let state = self.state();
        let calls: Vec<Value> = state
            .calls
            .iter()
            .map(|call| json!({"endpoint": call.endpoint, "form": call.form}))
            .collect();
        json!({
            "orders": state.book.orders(),
            "executions": state.book.executions(),
            "calls": calls,
            "faults": state.script.left().collect::<Vec<_>>(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The fate of a spoiled call; `executed` is what it would have been answered, if it was
/// executed.
async fn spoiled(answer: Answer, executed: Option<Reply>) -> Fate {
    let body = executed.as_ref().map_or_else(|| Reply::refusal("S03"), Reply::clone).to_json();
    match answer {
        Answer::Normal => Fate::Answer(json_body(body)),
        // hyper drops this when the caller closes its connection.
        Answer::Hang => std::future::pending().await,
        Answer::Reset => Fate::Reset,
        Answer::Close => Fate::Close,
        Answer::Cut => Fate::Answer(cut(&body)),
        Answer::Code(code) => {
            let success = matches!(code.as_str(), "1" | "10000" | "D01");
            let data = executed.and_then(|reply| reply.data).filter(|_| success);
            let reply = Reply { data, ..Reply::refusal(&code) };
            Fate::Answer(json_body(reply.to_json()))
        }
        Answer::Http { status, retry_after, body } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT);
            let mut response = text(status, &body);
            if let Some(value) = retry_after.and_then(|value| value.parse().ok()) {
                response.headers_mut().insert(RETRY_AFTER, value);
            }
            Fate::Answer(response)
        }
    }
}

/// A reply that breaks off in the middle of its body.
fn cut(body: &str) -> Response<Body> {
    let half = Bytes::copy_from_slice(&body.as_bytes()[..body.len() / 2]);
    let ended = async {
        // hyper drops what it has not written yet when it meets an error; so let it write.
        tokio::task::yield_now().await;
        Err(io::Error::other("the fault script cuts this reply"))
    };
    let half = futures_util::stream::iter([Ok(Frame::data(half))]);
    let frames = half.chain(futures_util::stream::once(ended));
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    response.headers_mut().insert(http::header::CONTENT_LENGTH, body.len().into());
    response
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

fn unix_now() -> i64 {
    let since = clock::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or_default()
}
