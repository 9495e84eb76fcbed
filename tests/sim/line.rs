//! A replica's way to Sunmi: the network.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sunmi_trade::error::BoxError;
use sunmi_trade::sandbox::book::{Endpoint, Form, Reply};
use sunmi_trade::sunmi::params::SignedForm;
use sunmi_trade::sunmi::{Body, HttpReply, OwnConnection, SendError, Transport};
use tokio::sync::oneshot;

use crate::fate::{Answer, Fate};
use crate::process::Life;
use crate::sent::{Call, named};
use crate::upstream::Upstream;

#[derive(Clone, Debug)]
pub struct Line {
    pub upstream: Arc<Upstream>,
    pub life: Arc<Life>,
}

impl Line {
    async fn exchange(&self, endpoint: Endpoint, form: Form) -> Result<HttpReply, SendError> {
        let upstream = &self.upstream;
        let world = &upstream.world;
        let handed = world.now();
        let fate = upstream.draw(endpoint, &form);
        let (number, name) = (named(&form), &self.life.name);
        if matches!(fate.answer, Answer::Unreachable) {
            world.tell(format_args!("{name}: {endpoint:?} {number}: no connection"));
            return Err(SendError::NotSent("no connection".into()));
        }
        let sent = match endpoint {
            Endpoint::Refund => Some(upstream.note_sent(&form, &world.rows().await)),
            Endpoint::Query | Endpoint::SwipeQuery => None,
        };
        if let Some(sent) = sent {
            world.tell(format_args!("{name}: send {sent} of {number}: {fate:?}"));
            // A process that is stopped here has looked at its clock: the request is as good
            // as in the network.
            self.life.hold().await;
            upstream.begins(&number);
        }
        let Fate { back, answer, .. } = fate.clone();
        let (tx, rx) = oneshot::channel();
        let call = Call { endpoint, form: form.clone(), fate, sent, handed };
        tokio::spawn(Arc::clone(upstream).carry(call, tx));
        let reply = match answer {
            Answer::Hang => std::future::pending().await,
            Answer::Broken | Answer::Unreachable => {
                world.pass(back).await;
                return Err(SendError::MaybeSent("the connection broke".into()));
            }
            Answer::True | Answer::Code(..) | Answer::Http(_) | Answer::Html | Answer::Crossed => {
                rx.await.map_err(|gone| SendError::MaybeSent(gone.into()))?
            }
        };
        world.pass(back).await;
        let is_crossed = matches!(answer, Answer::Crossed);
        let reply = if is_crossed { upstream.crossed(endpoint, &form) } else { reply };
        spoil(answer, reply)
    }

    async fn call(&self, path: &str, form: SignedForm) -> Result<HttpReply, SendError> {
        let endpoint = Endpoint::at(path).unwrap();
        let form = form_urlencoded::parse(form.into_body().as_bytes()).into_owned().collect();
        let is_refund = endpoint == Endpoint::Refund;
        self.life.passes(is_refund, "before a call");
        let attempt = self.upstream.world.options.attempt;
        let exchange = tokio::time::timeout(attempt, self.exchange(endpoint, form));
        let timed_out = |_| Err(SendError::MaybeSent(BoxError::from("timed out")));
        let answered = exchange.await.unwrap_or_else(timed_out);
        self.life.hold().await;
        self.life.passes(is_refund, "after a call");
        answered
    }
}

/// The reply that arrives, made of the one that the books gave, if they gave one.
fn spoil(answer: Answer, reply: Option<Reply>) -> Result<HttpReply, SendError> {
    let http = |status, retry_after, body: String| {
        Ok(HttpReply { status, retry_after, body: Body::Whole(body.into()) })
    };
    match answer {
        Answer::True | Answer::Crossed => match reply {
            Some(reply) => http(200, None, reply.to_json()),
            None => Err(SendError::MaybeSent("the request was lost".into())),
        },
        Answer::Code(code, retry_after) => {
            let data = reply.and_then(|reply| reply.data).filter(|_| code == "D01");
            http(200, retry_after, Reply { data, ..Reply::refusal(code) }.to_json())
        }
        Answer::Http(status) => http(status, None, String::new()),
        Answer::Html => http(200, None, "<html>".to_owned()),
        Answer::Unreachable | Answer::Hang | Answer::Broken => {
            Err(SendError::MaybeSent("no reply".into()))
        }
    }
}

impl Transport for Line {
    fn post<'a>(
        &'a self,
        path: &'a str,
        form: SignedForm,
    ) -> BoxFuture<'a, Result<HttpReply, SendError>> {
        Box::pin(async move {
            self.life.hold().await;
            self.call(path, form).await
        })
    }

    fn connect<'a>(&'a self) -> BoxFuture<'a, Result<Box<dyn OwnConnection>, SendError>> {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            self.life.hold().await;
            Ok(Box::new(self.clone()) as Box<dyn OwnConnection>)
        })
    }
}

impl OwnConnection for Line {
    fn is_open(&mut self) -> bool {
        true
    }

    fn post<'a>(
        self: Box<Self>,
        path: &'a str,
        form: SignedForm,
    ) -> BoxFuture<'a, Result<HttpReply, SendError>> {
        Box::pin(async move { self.call(path, form).await })
    }
}
