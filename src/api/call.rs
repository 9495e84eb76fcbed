//! One call: what is known of it from its headers, what it is answered, and the one line
//! that is logged of it, however it ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Response as HttpResponse;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::{Code, Request, Response, Status};

use super::about::About;
use super::gate::{Gate, Place};
use super::origin::Origin;
use super::status::status;
use super::who::{Shown, Who};
use crate::deadline::Deadline;
use crate::error::{Chain, Error, Fault, Violation};
use crate::ledger::Sight;
use crate::metrics::{self, Outcome};
use crate::parties::Parties;
use crate::refund::Begun;
use crate::sunmi::{Answered, Credentials};
use crate::telemetry::{Trace, shown};
use crate::trade::{AppIds, Identifier, Method, Refund, Refunded};

/// What a call comes to whose caller gave it up.
const CANCELLED: &str = "CANCELLED";

/// A call of one of this server's own services. Clones are the same call.
#[derive(Clone, Debug)]
pub(super) struct Call(Arc<Known>);

/// How a call came in.
#[derive(Debug)]
pub(super) struct Entry {
    /// Who makes it.
    pub(super) who: Who,
    /// By what.
    pub(super) shown: Shown,
    /// What was in force then, and stays so for this call.
    pub(super) parties: Arc<Parties>,
}

/// What is known of a call.
#[derive(Debug)]
struct Known {
    method: Method,
    origin: Origin,
    deadline: Deadline,
    started: Instant,
    entry: Entry,
    about: OnceLock<About>,
    begun: Begun,
    refunded: OnceLock<Outcome>,
    ended: OnceLock<Ended>,
    gate: Gate,
    /// Whether its request was read.
    read: AtomicBool,
    /// Its place among the calls that are served at once, given back with the last clone.
    place: OnceLock<Place>,
}

/// How a call ended.
#[derive(Debug)]
struct Ended {
    code: &'static str,
    reason: Option<&'static str>,
    sunmi_code: Option<String>,
    attempts: Option<u32>,
    /// How a refund was answered.
    outcome: Option<Outcome>,
    /// Why, with all causes.
    error: Option<String>,
}

impl Call {
    /// A call that has just come in and that must be answered within `granted`.
    pub(super) fn open(
        method: Method,
        origin: Origin,
        granted: Duration,
        entry: Entry,
        gate: &Gate,
    ) -> Self {
        gate.metrics().rpc(method).start();
        Self(Arc::new(Known {
            method,
            origin,
            deadline: Deadline::after(granted),
            started: Instant::now(),
            entry,
            about: OnceLock::new(),
            begun: Begun::default(),
            refunded: OnceLock::new(),
            ended: OnceLock::new(),
            gate: gate.clone(),
            read: AtomicBool::new(false),
            place: OnceLock::new(),
        }))
    }

    /// The call that this request, which was read, is part of, as its method, with its place
    /// among those that are served.
    pub(super) fn of<T>(request: &Request<T>, method: Method) -> Result<Self, Status> {
        let call = request.extensions().get::<Self>();
        let internal = || status(&Error::new(Fault::Internal), method, "");
        let call = call.cloned().ok_or_else(internal)?;
        let known = &call.0;
        known.read.store(true, Ordering::Release);
        known.gate.metrics().rpc(method).receive();
        let place =
            known.gate.place(&known.entry.who, method).map_err(|full| call.refuse(&full))?;
        let _ = known.place.set(place);
        Ok(call)
    }

    /// Whether its request was read.
    pub(super) fn was_read(&self) -> bool {
        self.0.read.load(Ordering::Acquire)
    }

    /// When it must have its answer.
    pub(super) fn deadline(&self) -> Deadline {
        self.0.deadline
    }

    /// Its place in a trace.
    pub(super) fn trace(&self) -> &Trace {
        &self.0.origin.trace
    }

    /// Notes what it is about, once that is known.
    pub(super) fn is_about(&self, request: impl Into<About>) {
        let _ = self.0.about.set(request.into());
    }

    /// Who says whether its refund may have been sent.
    pub(super) fn begun(&self) -> &Begun {
        &self.0.begun
    }

    /// Who can sign for it: those in force when it came in.
    pub(super) fn credentials(&self) -> &Arc<Credentials> {
        &self.0.entry.parties.credentials
    }

    /// The same without keys.
    pub(super) fn app_ids(&self) -> &AppIds {
        self.credentials().app_ids()
    }

    /// Checks that its caller may have it signed as `app_id`.
    ///
    /// # Errors
    /// `CALLER_NOT_ALLOWED`.
    pub(super) fn may_sign_as(&self, app_id: &Identifier) -> Result<(), Error> {
        let who = &self.0.entry.who;
        who.caller.as_ref().map_or(Ok(()), |caller| caller.may_sign_as(app_id))
    }

    /// The refund, with its caller, if that one may ask for it.
    ///
    /// # Errors
    /// `CALLER_NOT_ALLOWED`.
    pub(super) fn may_refund(&self, refund: Refund) -> Result<Refund, Error> {
        let who = &self.0.entry.who;
        who.caller.as_ref().map_or(Ok(()), |caller| caller.may_refund(&refund))?;
        let day_bound = who.caller.as_ref().and_then(|caller| caller.max_refund_per_day);
        Ok(Refund { caller: who.name.clone(), day_bound, ..refund })
    }

    /// Notes how its refund went.
    pub(super) fn refunded(&self, refunded: &Refunded) {
        let _ = self.0.refunded.set(Outcome::of(refunded));
    }

    /// The reply or the status.
    pub(super) fn answer<T>(
        &self,
        answer: Result<Answered<T>, Error>,
    ) -> Result<Response<T>, Status> {
        match answer {
            Ok(answer) => {
                self.ended(Ended {
                    code: "OK",
                    reason: None,
                    sunmi_code: None,
                    attempts: Some(answer.attempts),
                    outcome: self.0.refunded.get().copied(),
                    error: None,
                });
                self.sent();
                Ok(Response::new(answer.value))
            }
            Err(error) => Err(self.refuse(&error)),
        }
    }

    /// The same of a call that makes no attempts of its own.
    pub(super) fn reply<T>(&self, answer: Result<T, Error>) -> Result<Response<T>, Status> {
        match answer {
            Ok(answer) => {
                self.ended(Ended::bare("OK"));
                self.sent();
                Ok(Response::new(answer))
            }
            Err(error) => Err(self.refuse(&error)),
        }
    }

    /// Counts a message that its caller is told.
    pub(super) fn sent(&self) {
        self.0.gate.metrics().rpc(self.0.method).send();
    }

    /// Notes that its stream ended in good order.
    pub(super) fn ended_well(&self) {
        self.ended(Ended::bare("OK"));
    }

    /// Which refunds its caller may see.
    pub(super) fn sight(&self) -> Sight {
        self.0.entry.who.sight()
    }

    /// The same by what is in force now: for streams, which outlast changes. `None` if its caller
    /// is another by now.
    ///
    /// # Errors
    /// Why it would not be let in any more.
    pub(super) fn sight_now(&self) -> Result<Option<Sight>, Error> {
        self.0.gate.sight_now(&self.0.entry, self.0.method)
    }

    /// The status of this error.
    pub(super) fn refuse(&self, error: &Error) -> Status {
        let (row, context) = (error.fault().row(), error.context());
        self.ended(Ended {
            code: row.code.name(),
            reason: Some(row.reason),
            sunmi_code: context.sunmi.as_ref().map(|words| code_for_log(&words.code).to_owned()),
            attempts: context.attempts,
            outcome: Some(error.refund_outcome().into()),
            error: Some(Chain(error).to_string()),
        });
        status(error, self.0.method, &self.0.origin.request_id)
    }

    /// The status of a call that its method did not answer.
    pub(super) fn unanswered(&self, error: Error) -> Status {
        let error = error.with(|context| context.attempts = None);
        match self.0.begun.abandon() {
            true => self.refuse(&error.not_attempted()),
            false => self.refuse(&error.into_refund_outcome_unknown()),
        }
    }

    /// The response, unless it refuses a request that tonic could not read: that status is
    /// tonic's own and lacks the details that every error has. That a compression is not
    /// known is left as it is, because clients look for UNIMPLEMENTED.
    pub(super) fn detailed(&self, response: HttpResponse<Body>) -> HttpResponse<Body> {
        match Status::from_header_map(response.headers()) {
            Some(bare) if bare.code() == Code::Unimplemented => {
                let outcome = Some(Outcome::NotAttempted);
                self.ended(Ended { outcome, ..Ended::bare("UNIMPLEMENTED") });
                response
            }
            Some(bare) if bare.details().is_empty() => {
                let rule = "must be a readable request message of at most 64 KiB";
                let error = Error::invalid(vec![Violation { field: "", rule }]).because(bare);
                self.unanswered(error).into_http()
            }
            Some(_) | None => response,
        }
    }

    /// The first end is the one that the caller was told.
    fn ended(&self, end: Ended) {
        let _ = self.0.ended.set(end);
    }

    /// Counts and logs how it ended. One that nobody answered was given up by its caller.
    pub(super) fn finish(&self) {
        let known = &self.0;
        let (origin, about) = (&known.origin, known.about.get());
        let end = known.ended.get_or_init(|| Ended::bare(CANCELLED));
        let metrics = known.gate.metrics();
        metrics.rpc(known.method).finish(metrics::number(end.code), known.started.elapsed());
        if let Some(outcome) = end.outcome.filter(|_| known.method == Method::Refund) {
            metrics.refunds().count(outcome);
        }
        origin.trace.end(end.code);
        let number = |of: fn(&About) -> Option<&Identifier>| shown(of(about?)?.as_str());
        tracing::info!(
            rpc.method = known.method.full_name(),
            code = end.code,
            reason = end.reason,
            sunmi_code = end.sunmi_code.as_deref(),
            attempts = end.attempts,
            duration_ms = u64::try_from(known.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            caller = known.entry.who.name.as_deref(),
            peer = origin.peer.as_deref().map(display),
            request_id = origin.request_id,
            repeat = origin.repeat,
            trace_id = origin.trace.trace_id().map(display),
            span_id = origin.trace.span_id().map(display),
            app_id = about.and_then(|about| Some(about.app_id.as_ref()?.as_str())),
            msn = number(|about| about.msn.as_ref()).as_deref(),
            order_id = number(|about| about.order_id.as_ref()).as_deref(),
            mis_id = number(|about| about.mis_id.as_ref()).as_deref(),
            platform_id = number(|about| about.platform_id.as_ref()).as_deref(),
            original = number(|about| about.original.as_ref()).as_deref(),
            business_id = number(|about| about.business_id.as_ref()).as_deref(),
            error = end.error.as_deref(),
            "call"
        );
    }
}

/// Sunmi's code as a log shows it: what is no code may be anything, such as what was sent.
fn code_for_log(code: &str) -> &str {
    let plain = code.len() <= 16 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if plain { code } else { "[unusual]" }
}

impl Ended {
    fn bare(code: &'static str) -> Self {
        Self { code, reason: None, sunmi_code: None, attempts: None, outcome: None, error: None }
    }
}
