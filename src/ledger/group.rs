//! Commits many writes at once. An SQLite file has one writer, and a commit costs a flush of the disk and
//! a write of every page that it touched: writes that wait for each other therefore share one transaction.
//!
//! A write takes the connection, does its part after a savepoint, gives the connection to whoever waits
//! for it, and queues once more. When it is its turn again, all that waited have done their parts: it
//! commits for all of them, unless a later one did because nobody waited behind it. No result is told
//! before that commit. A part that fails or is given up is undone by itself; if the commit fails, or the
//! transaction is lost, all its parts fail.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use sqlx::{AnyConnection, Connection, Executor};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::open::{SQLITE_SETTINGS, connection};
use super::{LedgerError, Result};

/// There is always a savepoint in a transaction: after the last part that is kept.
const BEGIN: &str = "BEGIN IMMEDIATE; SAVEPOINT part";
const KEEP: &str = "RELEASE part; SAVEPOINT part";
const UNDO: &str = "ROLLBACK TO part";
const COMMIT: &str = "COMMIT";
const UNDO_AND_COMMIT: &str = "ROLLBACK TO part; COMMIT";
/// Where no part is kept. SQLite would commit pages that are as they were.
const ROLLBACK: &str = "ROLLBACK";

/// A transaction has no more parts than this: other processes, such as the command line, wait for its end.
const MOST_PARTS: usize = 100;

/// SQLite waits longer and longer before it asks again whether another process still writes, and would hardly
/// ever find the moment between two transactions of a busy server. So it waits once, and is asked again.
const WAIT_ONCE: &str = "PRAGMA busy_timeout = 1";

/// For so long is another process waited for that writes.
const OTHERS: Duration = Duration::from_secs(5);

/// For so long does a write wait for its turn.
const TURN: Duration = Duration::from_secs(30);

/// What writes to an SQLite file.
#[derive(Clone, Debug)]
pub(super) struct Group {
    writer: Arc<Mutex<Writer>>,
    /// How many wait to write.
    waiting: Arc<AtomicUsize>,
}

/// A connection, and the transaction that is open on it.
#[derive(Debug)]
struct Writer {
    url: String,
    /// None before the first write, while a transaction is begun or ended, and whenever its state is not known.
    connection: Option<AnyConnection>,
    open: Option<Open>,
    is_closed: bool,
}

/// A transaction that has begun.
#[derive(Debug)]
struct Open {
    batch: Arc<Batch>,
    parts: usize,
    /// Whether a part of it was kept.
    is_kept: bool,
    /// Whether each part of it was kept or undone.
    is_whole: bool,
}

/// How the writes of one transaction ended, once they have.
#[derive(Debug, Default)]
struct Batch(OnceLock<std::result::Result<(), Arc<sqlx::Error>>>);

/// A part of a transaction. Dropped, it is undone.
#[derive(Debug)]
pub(super) struct Part(Option<Held>);

/// The connection, while a part is written.
#[derive(Debug)]
struct Held {
    group: Group,
    writer: OwnedMutexGuard<Writer>,
    batch: Arc<Batch>,
}

/// What becomes of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Kept,
    Undone,
}

impl Group {
    /// What writes to the file of this URL.
    pub(super) fn new(url: String) -> Self {
        let writer = Writer { url, connection: None, open: None, is_closed: false };
        Self { writer: Arc::new(Mutex::new(writer)), waiting: Arc::default() }
    }

    /// Begins a part, once it is its turn.
    ///
    /// # Errors
    /// That the database cannot be written: another process has it for too long, say.
    pub(super) async fn begin(&self) -> Result<Part> {
        let waits = Waits::among(&self.waiting);
        let turn = tokio::time::timeout(TURN, Arc::clone(&self.writer).lock_owned()).await;
        drop(waits);
        let mut writer = turn.map_err(LedgerError::new)?;
        let batch = writer.part().await?;
        Ok(Part(Some(Held { group: self.clone(), writer, batch })))
    }

    /// Whether nothing is written.
    pub(super) fn is_idle(&self) -> bool {
        self.writer.try_lock().is_ok_and(|writer| writer.open.is_none())
    }

    /// Ends what is open. Nothing can be written afterwards.
    pub(super) async fn close(&self) {
        let mut writer = self.writer.lock().await;
        writer.is_closed = true;
        writer.commit().await;
        if let Some(connection) = writer.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the ledger was not closed");
        }
    }
}

/// One that waits to write, while it lives.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn among(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::SeqCst);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

// Whoever gives one of these up takes the connection along: what was under way on it is not known.
impl Writer {
    /// Begins a part of the transaction that is open, or of a new one.
    async fn part(&mut self) -> Result<Arc<Batch>> {
        if self.is_closed {
            return Err(LedgerError::new("it is closed"));
        }
        self.lose_if_unknown();
        if self.open.is_none() {
            let connection = begun(&self.url, self.connection.take()).await?;
            self.connection = Some(connection);
        }
        let new = || Open { batch: Arc::default(), parts: 0, is_kept: false, is_whole: true };
        let open = self.open.get_or_insert_with(new);
        open.parts += 1;
        open.is_whole = false;
        Ok(Arc::clone(&open.batch))
    }

    /// Ends the last part, and what is open if it `is_last`.
    async fn end_part(&mut self, how: End, is_last: bool) {
        let is_kept = self.open.as_ref().is_some_and(|open| open.is_kept) || how == End::Kept;
        let sql = match (how, is_last) {
            (End::Kept, false) => KEEP,
            (End::Undone, false) => UNDO,
            (End::Kept, true) => COMMIT,
            (End::Undone, true) if is_kept => UNDO_AND_COMMIT,
            (End::Undone, true) => ROLLBACK,
        };
        if !self.control(sql).await {
            return;
        }
        if is_last {
            self.ended();
        } else if let Some(open) = &mut self.open {
            (open.is_kept, open.is_whole) = (is_kept, true);
        }
    }

    /// Commits what is open.
    async fn commit(&mut self) {
        self.lose_if_unknown();
        let Some(open) = &self.open else { return };
        if self.control(if open.is_kept { COMMIT } else { ROLLBACK }).await {
            self.ended();
        }
    }

    fn ended(&mut self) {
        if let Some(open) = self.open.take() {
            open.batch.ends(Ok(()));
        }
    }

    /// Whether that succeeded. If not, the transaction is lost, and its parts are told so.
    async fn control(&mut self, sql: &'static str) -> bool {
        let Some(mut connection) = self.connection.take() else {
            self.lose(sqlx::Error::WorkerCrashed);
            return false;
        };
        if let Err(error) = connection.execute(sql).await {
            self.lose(error);
            return false;
        }
        self.connection = Some(connection);
        true
    }

    /// A part that ended neither way, because the runtime ended first or a task panicked, must not be
    /// committed with the next ones.
    fn lose_if_unknown(&mut self) {
        if self.open.as_ref().is_some_and(|open| !open.is_whole || self.connection.is_none()) {
            self.lose(sqlx::Error::WorkerCrashed);
        }
    }

    /// Without its connection the transaction is rolled back.
    fn lose(&mut self, error: sqlx::Error) {
        self.connection = None;
        if let Some(open) = self.open.take() {
            open.batch.ends(Err(Arc::new(error)));
        }
    }

    fn is_full(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.parts >= MOST_PARTS)
    }
}

/// This connection, or a new one, with a transaction that has begun.
async fn begun(url: &str, connected: Option<AnyConnection>) -> sqlx::Result<AnyConnection> {
    let mut connection = match connected {
        Some(connection) => connection,
        None => {
            let mut new = connection(url, &SQLITE_SETTINGS).await?;
            new.execute(WAIT_ONCE).await?;
            new
        }
    };
    #[allow(clippy::disallowed_methods, reason = "another process's time is the world's")]
    let since = Instant::now();
    loop {
        match connection.execute(BEGIN).await {
            Err(error) if is_busy(&error) && since.elapsed() < OTHERS => {}
            begun => return begun.map(|_| connection),
        }
    }
}

/// Whether another process writes. The second byte of the code says at what.
fn is_busy(error: &sqlx::Error) -> bool {
    const BUSY: u32 = 5;
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xff == BUSY)
}

impl Batch {
    fn ends(&self, how: std::result::Result<(), Arc<sqlx::Error>>) {
        // It ends once: who ends it has taken it from its writer.
        let _ = self.0.set(how);
    }

    fn has_ended(&self) -> bool {
        self.0.get().is_some()
    }

    fn end(&self) -> Result<()> {
        match self.0.get() {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(LedgerError::new(Arc::clone(error))),
            None => Err(LedgerError::new("its transaction has no end")),
        }
    }
}

impl Part {
    /// The connection to write it with.
    ///
    /// # Errors
    /// That the transaction is lost.
    pub(super) fn connection(&mut self) -> Result<&mut AnyConnection> {
        let connection = self.0.as_mut().and_then(|held| held.writer.connection.as_mut());
        connection.ok_or_else(|| LedgerError::new("its transaction is lost"))
    }

    /// Keeps it: when this comes back, it is committed.
    ///
    /// # Errors
    /// That it could not be committed. It may be all the same.
    pub(super) async fn keep(self) -> Result<()> {
        self.end(End::Kept).await
    }

    /// Undoes it. When this comes back, what it may have seen of others is committed.
    ///
    /// # Errors
    /// That what it may have seen could not be committed.
    pub(super) async fn undo(self) -> Result<()> {
        self.end(End::Undone).await
    }

    async fn end(mut self, how: End) -> Result<()> {
        match self.0.take() {
            // A task of its own: others' parts depend on it, whoever gives up waiting.
            Some(held) => tokio::spawn(held.end(how)).await.map_err(LedgerError::new)?,
            None => Ok(()),
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let (Some(held), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            drop(runtime.spawn(held.end(End::Undone)));
        }
    }
}

impl Held {
    async fn end(self, how: End) -> Result<()> {
        let Self { group, mut writer, batch } = self;
        let is_last = writer.is_full() || group.waiting.load(Ordering::SeqCst) == 0;
        writer.end_part(how, is_last).await;
        drop(writer);
        if !batch.has_ended() {
            // Behind all that wait by now: the lock is fair.
            let mut writer = group.writer.lock().await;
            if writer.open.as_ref().is_some_and(|open| Arc::ptr_eq(&open.batch, &batch)) {
                writer.commit().await;
            }
        }
        batch.end()
    }
}

#[cfg(test)]
mod tests;
