//! The stream of changes.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::cursor::{Cursor, Cursors};
use super::{LedgerQueries, record};
use crate::api::call::Call;
use crate::api::pb;
use crate::deadline::Deadline;
use crate::error::{Error, Fault, Violation};
use crate::ledger::{FeedPlace, Row, Sight};
use crate::refund::{Refunds, unread};

/// What tonic sends.
pub(super) type Stream =
    Pin<Box<dyn futures_util::Stream<Item = Result<pb::WatchRefundsResponse, Status>> + Send>>;

/// So many changes are read at once. They are kept until they are told, and what Sunmi answers may be
/// of any size.
const AT_ONCE: i64 = 10;

/// How often the ledger is read for what other processes change.
const POLL: Duration = Duration::from_secs(1);

/// What this process changes is told after so long, together with what changes meanwhile.
const GATHER: Duration = Duration::from_millis(50);

/// A stream ends so long before its caller would give it up, or half of what is left: the way to
/// the caller, and this machine, may be slow.
const LAST_WORD: Duration = Duration::from_millis(500);

/// After so long without a change a cursor is told by itself.
const HEARTBEAT: Duration = Duration::from_secs(15);

impl LedgerQueries {
    pub(super) async fn watch(
        &self,
        call: &Call,
        request: pb::WatchRefundsRequest,
    ) -> Result<Stream, Error> {
        let ledger = self.refunds.ledger();
        let cursors = ledger.feed().await.map_err(unread)?;
        let cursors =
            Cursors::of(&cursors).map_err(|why| Error::new(Fault::Internal).because(why))?;
        let end = ledger.feed_end().await.map_err(unread)?;
        let place = match (request.cursor.as_str(), request.only_new) {
            ("", true) => end,
            ("", false) => FeedPlace::default(),
            (cursor, _) => {
                let rule = "must be the cursor of a message of this stream, or empty";
                let invalid = || Error::invalid(vec![Violation { field: "cursor", rule }]);
                match cursors.read(cursor).ok_or_else(invalid)? {
                    Cursor::At(place) if place.feed <= end.feed => place,
                    // Of a ledger that is not this one any more: what of it is here is not known.
                    Cursor::At(_) | Cursor::Elsewhere => FeedPlace::default(),
                }
            }
        };
        let watching = Watching {
            refunds: self.refunds.clone(),
            call: call.clone(),
            stop: self.stop.clone(),
            cursors,
            place,
            batch: VecDeque::new(),
            silent_since: None,
            ended: false,
        };
        let next =
            |mut watching: Watching| async { watching.next().await.map(|it| (it, watching)) };
        Ok(Box::pin(futures_util::stream::unfold(watching, next)))
    }
}

/// A stream under way.
struct Watching {
    refunds: Refunds,
    call: Call,
    stop: CancellationToken,
    cursors: Cursors,
    /// Up to where it was told.
    place: FeedPlace,
    /// What was read and not told yet.
    batch: VecDeque<(Row, FeedPlace)>,
    /// Since when nothing was told; `None` before all was told that there was.
    silent_since: Option<Instant>,
    ended: bool,
}

impl Watching {
    async fn next(&mut self) -> Option<Result<pb::WatchRefundsResponse, Status>> {
        while !self.ended {
            // Asked before each message: its caller may have lost the right meanwhile.
            let sight = match self.sight() {
                Ok(Some(sight)) => sight,
                Ok(None) => {
                    self.ended = true;
                    self.call.ended_well();
                    break;
                }
                Err(error) => return Some(Err(self.refuse(&error))),
            };
            if let Some((row, place)) = self.batch.pop_front() {
                self.place = place;
                if sight.sees(&row) {
                    self.silent_since = None;
                    return Some(self.message(Some(&row)));
                }
                continue;
            }
            match self.read().await {
                Err(error) => return Some(Err(self.refuse(&error))),
                Ok(true) => {
                    self.silent_since = Some(Instant::now());
                    return Some(self.message(None));
                }
                Ok(false) => {}
            }
        }
        None
    }

    /// Reads what changed next, or waits for a change: whether a cursor is to be told by itself.
    async fn read(&mut self) -> Result<bool, Error> {
        let ledger = self.refunds.ledger();
        // Before the ledger is read, so that no change is missed.
        let mut news = ledger.news();
        let silent = self.silent_since.is_none_or(|since| since.elapsed() >= HEARTBEAT);
        // Before the changes are: a cursor by itself says that there was none.
        let held_up = silent && ledger.feed_is_held_up().await.map_err(unread)?;
        self.batch = ledger.feed_after(&self.place, AT_ONCE).await.map_err(unread)?.into();
        if !self.batch.is_empty() || (silent && !held_up) {
            return Ok(self.batch.is_empty());
        }
        let changed = async {
            news.next().await;
            tokio::time::sleep(GATHER).await;
        };
        let until = Deadline::after(POLL).min(self.deadline());
        self.stop.run_until_cancelled(until.bound(changed)).await;
        Ok(false)
    }

    /// What its caller may see now; `None` at the end of the stream.
    fn sight(&self) -> Result<Option<Sight>, Error> {
        if self.stop.is_cancelled() || self.deadline().left().is_zero() {
            return Ok(None);
        }
        self.call.sight_now()
    }

    /// When the stream ends: a while before its caller gives it up, so that it ends well.
    fn deadline(&self) -> Deadline {
        self.call.deadline().earlier(LAST_WORD)
    }

    fn refuse(&mut self, error: &Error) -> Status {
        self.ended = true;
        self.call.refuse(error)
    }

    fn message(&mut self, row: Option<&Row>) -> Result<pb::WatchRefundsResponse, Status> {
        let cursor = self.cursors.write(&self.place);
        let internal = |why| self.refuse(&Error::new(Fault::Internal).because(why));
        let cursor = cursor.map_err(internal)?;
        self.call.sent();
        Ok(pb::WatchRefundsResponse {
            refund: row.map(|row| record::of(row, &self.refunds)),
            cursor,
        })
    }
}
