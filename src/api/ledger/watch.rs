//! The stream of changes.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{LedgerQueries, record, token};
use crate::api::call::Call;
use crate::api::pb;
use crate::deadline::Deadline;
use crate::error::{Error, Violation};
use crate::ledger::{FeedPlace, Row, Sight};
use crate::refund::{Refunds, unread};

/// What tonic sends.
pub(super) type Stream =
    Pin<Box<dyn futures_util::Stream<Item = Result<pb::WatchRefundsResponse, Status>> + Send>>;

/// So many changes are read at once.
const AT_ONCE: i64 = 50;

/// How often the ledger is read for what other processes change.
const POLL: Duration = Duration::from_secs(1);

/// What this process changes is told after so long, together with what changes meanwhile.
const GATHER: Duration = Duration::from_millis(50);

/// After so long without a change a cursor is told by itself.
const HEARTBEAT: Duration = Duration::from_secs(15);

impl LedgerQueries {
    pub(super) async fn watch(
        &self,
        call: &Call,
        request: pb::WatchRefundsRequest,
    ) -> Result<Stream, Error> {
        let ledger = self.refunds.ledger();
        let feed = ledger.feed_id().await.map_err(unread)?;
        let end = ledger.feed_end().await.map_err(unread)?;
        let place = match (request.cursor.as_str(), request.only_new) {
            ("", true) => end,
            ("", false) => FeedPlace::default(),
            (cursor, _) => {
                let rule = "must be the cursor of a message of this stream, or empty";
                let invalid = || Error::invalid(vec![Violation { field: "cursor", rule }]);
                let (of, place) = token::read_cursor(cursor).ok_or_else(invalid)?;
                // A place of another feed, or one that is still to come, is of a ledger that
                // is not this one any more: what of it is here is not known.
                if of == feed && place.feed <= end.feed { place } else { FeedPlace::default() }
            }
        };
        let watching = Watching {
            refunds: self.refunds.clone(),
            call: call.clone(),
            stop: self.stop.clone(),
            feed,
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
    /// The id of the feed.
    feed: String,
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
                Err(error) => {
                    self.ended = true;
                    return Some(Err(self.call.refuse(&error)));
                }
            };
            if let Some((row, place)) = self.batch.pop_front() {
                self.place = place;
                if sight.sees(&row) {
                    self.silent_since = None;
                    return Some(Ok(self.message(Some(&row))));
                }
                continue;
            }
            // Before the ledger is read, so that no change is missed.
            let mut news = self.refunds.ledger().news();
            match self.refunds.ledger().feed_after(&self.place, AT_ONCE).await {
                Err(error) => {
                    self.ended = true;
                    return Some(Err(self.call.refuse(&unread(error))));
                }
                Ok(batch) if !batch.is_empty() => self.batch = batch.into(),
                Ok(_) if self.silent_since.is_none_or(|since| since.elapsed() >= HEARTBEAT) => {
                    self.silent_since = Some(Instant::now());
                    return Some(Ok(self.message(None)));
                }
                Ok(_) => {
                    let changed = async {
                        news.next().await;
                        tokio::time::sleep(GATHER).await;
                    };
                    let until = Deadline::after(POLL).min(self.call.deadline());
                    self.stop.run_until_cancelled(until.bound(changed)).await;
                }
            }
        }
        None
    }

    /// What its caller may see now; `None` at the end of the stream.
    fn sight(&self) -> Result<Option<Sight>, Error> {
        if self.stop.is_cancelled() || self.call.deadline().left().is_zero() {
            return Ok(None);
        }
        self.call.sight_now()
    }

    fn message(&self, row: Option<&Row>) -> pb::WatchRefundsResponse {
        self.call.sent();
        pb::WatchRefundsResponse {
            refund: row.map(|row| record::of(row, &self.refunds)),
            cursor: token::cursor(&self.feed, &self.place),
        }
    }
}
