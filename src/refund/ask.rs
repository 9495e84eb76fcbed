//! What is known of a refund, for those who ask without moving money: by the ledger, or, if they
//! want so, after one more look at Sunmi. Those who want one of the same refund share it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use super::Refunds;
use super::follow::{Sender, not_applied, recorded, with_words};
use crate::deadline::Deadline;
use crate::error::{Chain, Error, Fault};
use crate::ledger::{Key, Ledger, LedgerError, Patience, Row, State};
use crate::trade::Refunded;

/// So many looks are made at once.
const AT_ONCE: usize = 8;

/// How long a look waits for its place.
const PLACE_WAIT: Duration = Duration::from_secs(1);

/// A refund, after one more look.
#[derive(Debug)]
pub struct Asked {
    /// What the ledger has of it.
    pub row: Row,
    /// Whether Sunmi was asked: an outcome that is known is not.
    pub asked: bool,
    /// Why its answers did not settle it.
    pub unresolved: Option<Arc<str>>,
}

/// The looks that are under way. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Asks {
    under_way: Arc<Mutex<HashMap<Key, watch::Receiver<Option<Ended>>>>>,
    places: Arc<Semaphore>,
}

/// How a look ended.
#[derive(Clone, Debug)]
enum Ended {
    Looked { asked: bool, unresolved: Option<Arc<str>> },
    NoPlace,
    LedgerFailed(Arc<str>),
}

impl Default for Asks {
    fn default() -> Self {
        Self { under_way: Arc::default(), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Asks {
    fn under_way(&self) -> MutexGuard<'_, HashMap<Key, watch::Receiver<Option<Ended>>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a look off the list when it ends, however it does.
struct Listed(Asks, Key);

impl Drop for Listed {
    fn drop(&mut self) {
        self.0.under_way().remove(&self.1);
    }
}

impl Refunds {
    /// What is recorded of all refunds.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// For how long a refund may be open before it needs a person.
    pub fn patience(&self) -> Patience {
        self.rules.patience()
    }

    /// Whether only a person can settle this refund.
    pub fn needs_person(&self, row: &Row) -> bool {
        row.needs_person(self.patience())
    }

    /// Looks once more at a refund that has a row, if its outcome is open. Whoever asks while
    /// a look is under way shares it.
    ///
    /// # Errors
    /// `DEADLINE_EXCEEDED`, `OVERLOADED`, or that the ledger cannot be read. The look goes on.
    pub async fn ask(&self, key: &Key, deadline: Deadline) -> Result<Asked, Error> {
        let mut look = self.look_under_way(key);
        let ended = async {
            let ended = look.wait_for(Option::is_some).await;
            ended.ok().and_then(|ended| ended.clone())
        };
        let late = || Error::new(Fault::DeadlineExceeded);
        let ended = deadline.bound(ended).await.ok_or_else(late)?;
        match ended {
            Some(Ended::Looked { asked, unresolved }) => {
                let row = self.ledger.row(key).await.map_err(unread)?;
                Ok(Asked { row, asked, unresolved })
            }
            Some(Ended::NoPlace) => Err(Error::new(Fault::Overloaded)),
            Some(Ended::LedgerFailed(why)) => {
                Err(Error::new(Fault::LedgerUnread).because(why.as_ref()))
            }
            None => Err(Error::new(Fault::Internal).because("a look ended without a word")),
        }
    }

    /// The look at this refund that is under way, which is begun if there is none. It outlives
    /// those who wait for it: what it proves is recorded.
    fn look_under_way(&self, key: &Key) -> watch::Receiver<Option<Ended>> {
        let mut under_way = self.asks.under_way();
        if let Some(look) = under_way.get(key) {
            return look.clone();
        }
        let (ends, look) = watch::channel(None);
        under_way.insert(key.clone(), look.clone());
        drop(under_way);
        let listed = Listed(self.asks.clone(), key.clone());
        let (refunds, key) = (self.clone(), key.clone());
        tokio::spawn(async move {
            let ended = refunds.look_for_asker(&key).await;
            drop(listed);
            ends.send_replace(Some(ended));
        });
        look
    }

    async fn look_for_asker(&self, key: &Key) -> Ended {
        let place = Deadline::after(PLACE_WAIT).bound(self.asks.places.acquire()).await;
        let Some(Ok(_place)) = place else { return Ended::NoPlace };
        let looked = async {
            if !self.refresh(key).await?.is_open() {
                return Ok((false, None));
            }
            let (row, why) = self.resolve_once(key).await?;
            Ok::<_, LedgerError>((true, why.filter(|_| !row.is_at_rest())))
        };
        match looked.await {
            Ok((asked, why)) => {
                let unresolved = why.map(|why| Chain(why.as_ref()).to_string().into());
                Ended::Looked { asked, unresolved }
            }
            Err(error) => Ended::LedgerFailed(Chain(&error).to_string().into()),
        }
    }
}

/// The recorded answer of a refund, as a repeat of it would be given it, if it has one.
pub fn reply(row: &Row) -> Option<Refunded> {
    match row.state {
        State::Processing | State::Settled => Some(recorded(row, Sender::Another).value),
        State::Claimed | State::InDoubt | State::NotApplied => None,
    }
}

/// What is known of why a refund is in doubt or was not applied.
pub fn last_error(row: &Row) -> Option<Error> {
    match row.state {
        State::InDoubt => {
            Some(with_words(Error::refund_outcome_unknown("the refund is in doubt"), row))
        }
        State::NotApplied => Some(not_applied(row, Sender::ThisCall)),
        State::Claimed | State::Processing | State::Settled => None,
    }
}

/// That the ledger cannot be read, for those who only read.
pub fn unread(error: LedgerError) -> Error {
    Error::new(Fault::LedgerUnread).because(error)
}
