//! An upstream of connections whose fates are scripted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::sunmi::params::SignedForm;
use crate::sunmi::{Body, HttpReply, OwnConnection, SendError, Transport};

/// What becomes of the next connection that is made.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// It is not made.
    Unmade,
    /// It is made after so long.
    MadeAfter(Duration),
    /// It is made, and seen to be closed before it is used.
    Closed,
    /// It is made, and found closed when it is used.
    FoundClosed,
    /// It is made, and breaks when it is used.
    Breaks,
    /// It is made, and this code is answered on it.
    Says(&'static str),
    /// It is made, and nothing is answered on it.
    Silent,
}

/// An upstream whose connections fare so, one after another, and which notes what was done.
#[derive(Clone, Debug, Default)]
pub(super) struct Scripted(Arc<Mutex<(VecDeque<Fate>, Vec<&'static str>)>>);

impl Scripted {
    pub(super) fn new(fates: impl IntoIterator<Item = Fate>) -> Self {
        Self(Arc::new(Mutex::new((fates.into_iter().collect(), Vec::new()))))
    }

    fn note(&self, what: &'static str) {
        self.0.lock().unwrap().1.push(what);
    }

    pub(super) fn notes(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().1.clone()
    }
}

impl Transport for Scripted {
    fn post<'a>(
        &'a self,
        _: &'a str,
        _: SignedForm,
    ) -> BoxFuture<'a, Result<HttpReply, SendError>> {
        self.note("pool");
        Box::pin(async { Err(SendError::MaybeSent("for refunds alone".into())) })
    }

    fn connect<'a>(&'a self) -> BoxFuture<'a, Result<Box<dyn OwnConnection>, SendError>> {
        self.note("connect");
        let fate = self.0.lock().unwrap().0.pop_front().expect("no more connections");
        Box::pin(async move {
            match fate {
                Fate::Unmade => return Err(SendError::NotSent("refused".into())),
                Fate::MadeAfter(time) => tokio::time::sleep(time).await,
                Fate::Closed | Fate::FoundClosed | Fate::Breaks | Fate::Says(_) | Fate::Silent => {}
            }
            Ok(Box::new(Made(self.clone(), fate)) as Box<dyn OwnConnection>)
        })
    }
}

#[derive(Debug)]
struct Made(Scripted, Fate);

impl OwnConnection for Made {
    fn is_open(&mut self) -> bool {
        !matches!(self.1, Fate::Closed)
    }

    fn post<'a>(
        self: Box<Self>,
        _: &'a str,
        _: SignedForm,
    ) -> BoxFuture<'a, Result<HttpReply, SendError>> {
        Box::pin(async move {
            let code = match self.1 {
                Fate::FoundClosed => return Err(SendError::NotSent("closed".into())),
                Fate::Unmade | Fate::Closed => panic!("not to be used"),
                Fate::MadeAfter(_) | Fate::Breaks | Fate::Says(_) | Fate::Silent => self.1,
            };
            self.0.note("post");
            let body = match code {
                Fate::Says(code) => format!(r#"{{"code":"{code}","data":{{"state":"3"}}}}"#),
                Fate::Breaks => return Err(SendError::MaybeSent("reset".into())),
                Fate::Silent => return std::future::pending().await,
                Fate::Unmade | Fate::MadeAfter(_) | Fate::Closed | Fate::FoundClosed => {
                    r#"{"code":"1","data":{"state":"3"}}"#.to_owned()
                }
            };
            Ok(HttpReply { status: 200, retry_after: None, body: Body::Whole(body.into()) })
        })
    }
}
