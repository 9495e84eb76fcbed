//! Places for what others begin and may never go on with, such as connections and requests:
//! so many and no more. One that has not spoken yet gives way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::connections::Connections;

/// All places.
#[derive(Debug)]
pub(crate) struct Places {
    limit: u64,
    connections: Arc<Connections>,
    state: Mutex<State>,
    returned: Notify,
}

#[derive(Debug, Default)]
struct State {
    open: u64,
    last: u64,
    /// Those that have not spoken yet, by when they came, and what tells them to go.
    silent: BTreeMap<u64, CancellationToken>,
}

impl Places {
    /// So many, counted in `connections`.
    pub(crate) fn new(limit: u32, connections: Arc<Connections>) -> Arc<Self> {
        let (limit, state) = (u64::from(limit), Mutex::default());
        Arc::new(Self { limit, connections, state, returned: Notify::new() })
    }

    /// A place for a connection that has not spoken yet. If there is none, the one that has
    /// been silent for longest goes; if there is no silent one, there is no place.
    pub(crate) async fn take(self: &Arc<Self>) -> Option<Place> {
        loop {
            // Before the look, so that no return is missed.
            let returned = self.returned.notified();
            match self.look() {
                Found::Free(place) => return Some(place),
                Found::Going => returned.await,
                Found::None => return None,
            }
        }
    }

    fn look(self: &Arc<Self>) -> Found {
        let mut state = self.state();
        if state.open < self.limit {
            state.open += 1;
            state.last += 1;
            let (number, go) = (state.last, CancellationToken::new());
            state.silent.insert(number, go.clone());
            self.connections.set_open(state.open);
            return Found::Free(Place { places: Arc::clone(self), number, go });
        }
        match state.silent.pop_first() {
            Some((_, go)) => {
                go.cancel();
                Found::Going
            }
            None => Found::None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Found {
    Free(Place),
    /// Not yet: one was told to go.
    Going,
    None,
}

/// The place of a connection, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    number: u64,
    go: CancellationToken,
}

impl Place {
    /// Ends when the connection has to give way.
    pub(crate) async fn must_go(&self) {
        self.go.cancelled().await;
    }

    /// The connection has spoken, so it may stay. False if it was told to go before.
    pub(crate) fn stay(&self) -> bool {
        self.places.state().silent.remove(&self.number).is_some()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.places.state();
        state.silent.remove(&self.number);
        state.open -= 1;
        self.places.connections.set_open(state.open);
        drop(state);
        self.places.returned.notify_waiters();
    }
}
