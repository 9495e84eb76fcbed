//! Sunmi's calls, and what the fault script makes of them.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::StreamBody;
use hyper::body::Frame;

use super::gzip::gzip;
use super::{Body, Call, Fate, MAX_CALLS, Sandbox, full, json_body, text, unix_ms};
use crate::sandbox::book::{Endpoint, Form, Patch, Reply};
use crate::sandbox::faults::{Answer, Fault, HttpAnswer, Turn};

impl Sandbox {
    pub(super) async fn trade(&self, endpoint: Endpoint, headers: &HeaderMap, body: &[u8]) -> Fate {
        let form_type = "application/x-www-form-urlencoded";
        if headers.get(CONTENT_TYPE).is_none_or(|it| it.as_bytes() != form_type.as_bytes()) {
            return Fate::Answer(text(StatusCode::UNSUPPORTED_MEDIA_TYPE, form_type));
        }
        let form: Form = form_urlencoded::parse(body).into_owned().collect();
        let Some(fault) = self.note(endpoint, &form) else {
            let reply = self.execute(endpoint, &form, &Patch::default());
            return Fate::Answer(json_body(reply.to_json()));
        };
        let Fault { answer, answer_delay_ms, outlives_caller, .. } = fault.clone();
        let sandbox = self.clone();
        let work = async move { sandbox.late(endpoint, form, &fault).await };
        let executed = match outlives_caller {
            true => tokio::spawn(work).await.ok().flatten(),
            false => work.await,
        };
        tokio::time::sleep(Duration::from_millis(answer_delay_ms)).await;
        spoiled(answer, executed).await
    }

    /// Executes a call when its delay is over, if it is to be executed.
    async fn late(&self, endpoint: Endpoint, form: Form, fault: &Fault) -> Option<Reply> {
        tokio::time::sleep(Duration::from_millis(fault.delay_ms)).await;
        let executed = fault.execute || matches!(fault.answer, Answer::Normal);
        if !executed {
            return None;
        }
        Some(self.execute_often(endpoint, form, fault).await)
    }

    /// Remembers a call, and says how it is spoiled, if it is.
    fn note(&self, endpoint: Endpoint, form: &Form) -> Option<Fault> {
        let mut state = self.state();
        if state.calls.len() == MAX_CALLS {
            state.calls.pop_front();
        }
        state.total_calls += 1;
        let serial = state.total_calls;
        state.calls.push_back(Call { endpoint, form: form.clone(), serial, at_ms: unix_ms() });
        state.script.next(endpoint, form)
    }

    fn execute(&self, endpoint: Endpoint, form: &Form, patch: &Patch) -> Reply {
        let book = &mut self.state().book;
        book.handle_with(patch.apply(book.settings()), endpoint, form, unix_ms())
    }

    /// Executes a call once, and then as often as a proxy repeats it.
    async fn execute_often(&self, endpoint: Endpoint, form: Form, fault: &Fault) -> Reply {
        let first = self.execute(endpoint, &form, &fault.with);
        if fault.repeats == 0 {
            return first;
        }
        let Fault { repeats, repeat_delay_ms, answer_of, .. } = *fault;
        let (sandbox, patch) = (self.clone(), fault.with.clone());
        // On its own, for the caller may hang up meanwhile.
        let rest = tokio::spawn(async move {
            let mut last = None;
            for _ in 0..repeats {
                tokio::time::sleep(Duration::from_millis(repeat_delay_ms)).await;
                last = Some(sandbox.execute(endpoint, &form, &patch));
            }
            last
        });
        match answer_of {
            Turn::First if repeat_delay_ms > 0 => first,
            Turn::First => {
                let _ = rest.await;
                first
            }
            Turn::Last => rest.await.ok().flatten().unwrap_or(first),
        }
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
        Answer::Cut => Fate::Answer(cut(body.as_bytes())),
        Answer::Code(code) => {
            let success = matches!(code.as_str(), "1" | "10000" | "D01");
            let data = executed.and_then(|reply| reply.data).filter(|_| success);
            let reply = Reply { data, ..Reply::refusal(&code) };
            Fate::Answer(json_body(reply.to_json()))
        }
        Answer::Http(answer) => Fate::Answer(in_http(answer, body)),
    }
}

fn in_http(answer: HttpAnswer, would_be: String) -> Response<Body> {
    let HttpAnswer { status, retry_after, body, body_hex, reply, gzip: packed, cut: is_cut } =
        answer;
    let body = match body_hex {
        Some(bytes) => bytes.0,
        None => if reply { would_be } else { body }.into_bytes(),
    };
    let body = if packed { gzip(&body) } else { body };
    let mut response = if is_cut { cut(&body) } else { Response::new(full(body.into())) };
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT);
    let headers = response.headers_mut();
    if reply {
        let json = HeaderValue::from_static("application/json;charset=UTF-8");
        headers.insert(CONTENT_TYPE, json);
    }
    if packed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if let Some(value) = retry_after.and_then(|value| value.parse().ok()) {
        headers.insert(RETRY_AFTER, value);
    }
    response
}

/// A reply that breaks off in the middle of its body.
fn cut(body: &[u8]) -> Response<Body> {
    let half = Bytes::copy_from_slice(&body[..body.len() / 2]);
    let ended = async {
        // hyper drops what it has not written yet when it meets an error; so let it write.
        tokio::task::yield_now().await;
        Err(io::Error::other("the fault script cuts this reply"))
    };
    let half = futures_util::stream::iter([Ok(Frame::data(half))]);
    let frames = half.chain(futures_util::stream::once(ended));
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    // Of an empty body, too, something is missing.
    response.headers_mut().insert(CONTENT_LENGTH, body.len().max(1).into());
    response
}
