//! Runs one case: sets the sandbox up, makes the calls, reads the books.

use std::collections::BTreeMap;
use std::time::Duration;

use prost::{Message, Name};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use sunmi_trade_client::details::Failure;
use sunmi_trade_client::json::{self, Defaults};
use sunmi_trade_client::v1::refund_ledger_service_client::RefundLedgerServiceClient;
use sunmi_trade_client::v1::trade_service_client::TradeServiceClient;

use crate::cases::{Case, Rpc, Step};
use crate::check;
use crate::sandbox::Sandbox;

/// How long a step is repeated, and the pause between where the server names none.
const REPEATED_FOR: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(100);
/// What a call may take beyond its deadline, which the server keeps.
const BEYOND: Duration = Duration::from_secs(1);

/// What came: a response in JSON, or an error.
pub(crate) type Answer = Result<Value, Box<Failure>>;

/// Where and as whom cases run.
#[derive(Debug)]
pub(crate) struct Runner {
    pub(crate) channel: Channel,
    pub(crate) sandbox: Sandbox,
    pub(crate) tokens: BTreeMap<String, String>,
}

impl Runner {
    /// Runs a case, and says what came that was not expected.
    pub(crate) async fn run(&self, case: &Case) -> check::Result {
        for (path, bodies) in [
            ("/sandbox/orders", &case.orders),
            ("/sandbox/refunds", &case.past_refunds),
            ("/sandbox/faults", &case.faults),
        ] {
            for body in bodies {
                self.sandbox.tell(path, body).await?;
            }
        }
        if case.steps.is_empty() {
            return Err("it has no steps".into());
        }
        for (at, step) in case.steps.iter().enumerate() {
            self.step(step).await.map_err(|why| format!("step {}: {why}", at + 1))?;
        }
        for (number, expected) in &case.executions {
            let came = self.sandbox.executions(number).await?;
            if came != *expected {
                return Err(format!("expected {expected} executions of {number}, came {came}"));
            }
        }
        Ok(())
    }

    async fn step(&self, step: &Step) -> check::Result {
        let until = Instant::now() + REPEATED_FOR;
        loop {
            let answer = self.answer(step).await?;
            let result = check::answer(&step.expect, &answer);
            if result.is_ok() || !step.repeat_until || Instant::now() >= until {
                return result;
            }
            let asked_for = answer.err().and_then(|failure| failure.retry_after());
            sleep(asked_for.unwrap_or(PAUSE)).await;
        }
    }

    async fn answer(&self, step: &Step) -> Result<Answer, String> {
        let mut trade = TradeServiceClient::new(self.channel.clone());
        let mut ledger = RefundLedgerServiceClient::new(self.channel.clone());
        match step.rpc {
            Rpc::Query => self.call(step, async |it| trade.query(it).await).await,
            Rpc::SwipeQuery => self.call(step, async |it| trade.swipe_query(it).await).await,
            Rpc::Refund => self.call(step, async |it| trade.refund(it).await).await,
            Rpc::GetRefund => self.call(step, async |it| ledger.get_refund(it).await).await,
        }
    }

    async fn call<T, R>(
        &self,
        step: &Step,
        send: impl AsyncFnOnce(Request<T>) -> Result<Response<R>, Status>,
    ) -> Result<Answer, String>
    where
        T: Message + Name + Default,
        R: Message + Name,
    {
        let message = json::read(&step.request).map_err(|error| format!("request: {error}"))?;
        let mut request: Request<T> = Request::new(message);
        let within = Duration::from_millis(step.deadline_ms);
        request.set_timeout(within);
        if step.caller != "nobody" {
            let token = self.tokens.get(&step.caller);
            let token = token.ok_or_else(|| format!("{} has no token", step.caller))?;
            let value = format!("Bearer {token}").parse().map_err(|_| "a token is no ASCII")?;
            request.metadata_mut().insert("authorization", value);
        }
        // Headers that come early end what tonic makes of the deadline.
        let answer = timeout(within + BEYOND, send(request)).await;
        match answer.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time"))) {
            Ok(response) => {
                let json = json::write(response.get_ref(), Defaults::Written);
                Ok(Ok(json.map_err(|error| format!("response: {error}"))?))
            }
            Err(status) => Ok(Err(Box::new(Failure::from(&status)))),
        }
    }
}
