//! A server that has one place for calls, which is taken.

use sunmi_trade::api::pb;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::{Response, Status};

use crate::calls;
use crate::server::{Server, settings, with};
use crate::upstream::{QUERY, Upstream, held};

/// The call that takes the place.
pub(crate) struct First {
    release: oneshot::Sender<()>,
    call: JoinHandle<Result<Response<pb::QueryResponse>, Status>>,
}

impl First {
    /// Lets it be answered, which frees the place.
    pub(crate) async fn ends(self) {
        self.release.send(()).unwrap();
        self.call.await.unwrap().unwrap();
    }
}

/// A server whose setting `bound` is 1, its upstream, and the query that it is at.
pub(crate) async fn start(bound: &str) -> (Upstream, Server, First) {
    let upstream = Upstream::start().await;
    let server = Server::start(&with(settings(upstream.address), &[(bound, "1")])).await;
    let (answer, release) = held(&calls::paid());
    upstream.next(QUERY, answer);
    let mut client = server.client().await;
    let call = tokio::spawn(async move { client.query(calls::query("O1")).await });
    upstream.has_seen(1).await;
    (upstream, server, First { release, call })
}
