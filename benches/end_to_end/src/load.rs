//! Calls to a server: so many at once, or so many a second whatever the answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tonic::transport::{Channel, Endpoint};

use crate::BoxError;
use crate::pb::QueryRequest;
use crate::pb::query_request::Order;
use crate::pb::trade_service_client::TradeServiceClient;

/// How many calls one connection carries at most: the server's own limit.
const STREAMS: usize = 128;

/// A caller, with as many connections as it takes.
#[derive(Clone, Debug)]
pub(crate) struct Load(Arc<[TradeServiceClient<Channel>]>);

impl Load {
    /// One that can have so many calls in flight, over at least so many connections.
    pub(crate) async fn to(
        address: &str,
        in_flight: usize,
        connections: usize,
    ) -> Result<Self, BoxError> {
        let mut clients = Vec::new();
        for _ in 0..in_flight.div_ceil(STREAMS).max(connections) {
            let endpoint = Endpoint::from_shared(address.to_owned())?;
            clients.push(TradeServiceClient::new(endpoint.connect().await?));
        }
        Ok(Self(clients.into()))
    }

    /// One call, of which so many came before.
    async fn call(&self, serial: usize) -> Result<(), BoxError> {
        let request = QueryRequest {
            msn: "V206D88200036".to_owned(),
            order: Some(Order::OrderId(format!("4000073432482347{:04}", serial % 10_000))),
            ..Default::default()
        };
        let reply = self.0[serial % self.0.len()].clone().query(request).await?.into_inner();
        if reply.amount_minor == Some(2) { Ok(()) } else { Err("another answer".into()) }
    }

    /// Makes so many calls, always so many at once.
    pub(crate) async fn closed(&self, calls: usize, in_flight: usize) -> Result<(), BoxError> {
        let next = Arc::new(AtomicUsize::new(0));
        let workers: Vec<_> = (0..in_flight)
            .map(|_| {
                let (load, next) = (self.clone(), Arc::clone(&next));
                tokio::spawn(async move {
                    loop {
                        let serial = next.fetch_add(1, Ordering::Relaxed);
                        if serial >= calls {
                            return Ok::<_, BoxError>(());
                        }
                        load.call(serial).await?;
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.await??;
        }
        Ok(())
    }

    /// Makes so many calls a second for so long, each when it is due. How long each took from
    /// then on, in order: a call that had to wait for its start was slow to its caller.
    pub(crate) async fn open(&self, rate: u32, time: Duration) -> Result<Vec<Duration>, BoxError> {
        let calls = (f64::from(rate) * time.as_secs_f64()) as usize;
        let (took, mut taken) = mpsc::unbounded_channel();
        let (load, runtime) = (self.clone(), tokio::runtime::Handle::current());
        // A thread of its own: the runtime's timers are no finer than a millisecond.
        let clock = std::thread::spawn(move || {
            let begun = Instant::now();
            for serial in 0..calls {
                let due = begun + Duration::from_secs_f64(serial as f64 / f64::from(rate));
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let (load, took) = (load.clone(), took.clone());
                runtime.spawn(async move {
                    let answer = load.call(serial).await;
                    let _ = took.send(answer.map(|()| due.elapsed()));
                });
            }
        });
        let mut all = Vec::with_capacity(calls);
        while let Some(one) = taken.recv().await {
            all.push(one?);
        }
        clock.join().map_err(|_| "the clock stopped")?;
        all.sort_unstable();
        Ok(all)
    }
}
