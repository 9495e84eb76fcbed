//! Opens a ledger: finds or makes the database, brings its tables up to date, and makes sure
//! that it is the right one and, for a file, that nobody else serves from it.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, AnyPool, Connection, Executor, SqlSafeStr};
use tokio::sync::broadcast;

use super::group::Group;
use super::{CHANGES_TOLD, Clock, Dialect, Ledger, LedgerError, Result};
use crate::error::BoxError;
use crate::metrics::LedgerMetrics;

/// The tables, in the order in which they came to be, for both databases.
const MIGRATIONS: [(&str, &str); 5] = [
    ("refunds", include_str!("../../migrations/0001_refunds.sql")),
    ("caller", include_str!("../../migrations/0002_caller.sql")),
    ("evidence", include_str!("../../migrations/0003_evidence.sql")),
    ("asked", include_str!("../../migrations/0004_asked.sql")),
    ("feed", include_str!("../../migrations/0005_feed.sql")),
];

/// What comes after them in each database.
const SQLITE_FEED: (&str, &str) =
    ("feed triggers", include_str!("../../migrations/0006_feed.sqlite.sql"));
const POSTGRES_FEED: (&str, &str) =
    ("feed triggers", include_str!("../../migrations/0006_feed.postgres.sql"));

/// What comes after that, for both databases again.
const LATER_MIGRATIONS: [(&str, &str); 1] =
    [("indexes", include_str!("../../migrations/0007_indexes.sql"))];

/// So often is the opening of an SQLite file tried, if others open it as well.
const SQLITE_TRIES: u32 = 5;
const SQLITE_PAUSE: Duration = Duration::from_millis(50);

/// So many connections read from an SQLite file that is served from, beside the one that writes.
const SQLITE_READERS: u32 = 4;

/// So many connections to PostgreSQL are kept at most, unless that is set.
pub const POSTGRES_CONNECTIONS: u32 = 16;

/// After so long a connection to PostgreSQL is tested before it is used.
const POSTGRES_IDLE: Duration = Duration::from_secs(1);

/// The options that a PostgreSQL URL may have. The driver would log the value of any other,
/// which may be a secret.
const POSTGRES_OPTIONS: [&str; 13] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// How long a connection to PostgreSQL is waited for. Short: a refund whose claim cannot be
/// written is refused, and may be asked for again.
const POSTGRES_WAIT: Duration = Duration::from_secs(3);

/// Where a ledger is.
#[derive(Clone, Debug)]
pub enum Location {
    /// In this process's memory, gone with it.
    Memory,
    /// In an SQLite file, made if missing.
    Sqlite(PathBuf),
    /// In a PostgreSQL database; the URL may hold a password.
    Postgres(SecretString),
}

impl Location {
    /// Reads `memory`, `sqlite://PATH` or `postgres://…`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "memory" {
            return Some(Self::Memory);
        }
        if let Some(path) = text.strip_prefix("sqlite://") {
            // SQLite's own name of a database in memory would be a file's here.
            let plain = !path.is_empty() && !path.contains(['?', '#', '%']) && path != ":memory:";
            return plain.then(|| Self::Sqlite(path.into()));
        }
        let url = url::Url::parse(text).ok()?;
        // An `@` elsewhere is a password of which an unescaped character made something else,
        // or a URL without its slashes: it would be shown.
        let postgres = matches!(url.scheme(), "postgres" | "postgresql")
            && url.has_authority()
            && url.fragment().is_none()
            && !url.path().contains('@')
            && url.query_pairs().all(|(name, _)| POSTGRES_OPTIONS.contains(&name.as_ref()));
        postgres.then(|| Self::Postgres(text.to_owned().into()))
    }

    /// Whether that is the same place, by the same words.
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Memory, Self::Memory) => true,
            (Self::Sqlite(path), Self::Sqlite(other)) => path == other,
            (Self::Postgres(url), Self::Postgres(other)) => {
                url.expose_secret() == other.expose_secret()
            }
            (Self::Memory | Self::Sqlite(_) | Self::Postgres(_), _) => false,
        }
    }

    /// The place as it may be shown: without password.
    pub fn shown(&self) -> String {
        match self {
            Self::Memory => "memory".to_owned(),
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
            Self::Postgres(url) => shown_url(url.expose_secret()),
        }
    }
}

/// The URL without password and options, which may hold another.
fn shown_url(url: &str) -> String {
    let Ok(mut url) = url::Url::parse(url) else {
        return "postgres://[redacted]".to_owned();
    };
    url.set_query(None);
    if url.password().is_some() && url.set_password(Some("redacted")).is_err() {
        return "postgres://[redacted]".to_owned();
    }
    url.to_string()
}

/// FULL: a commit is on the disk before the refund is sent.
pub(super) const SQLITE_SETTINGS: [&str; 3] =
    ["PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA busy_timeout = 5000"];

/// A commit is on the disk before the refund is sent, whatever the server's default; and no
/// statement hangs for longer than a caller would wait.
const POSTGRES_SETTINGS: [&str; 3] = [
    "SET synchronous_commit = on",
    "SET statement_timeout = '5s'",
    "SET default_transaction_isolation = 'read committed'",
];

/// What a ledger is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To serve refunds from it, and to make it if it is not there. Only one process may serve
    /// from a ledger that is a file.
    Serve,
    /// To serve refunds from it, if it is there: a server that starts in another folder, or
    /// without its volume, does not begin with an empty ledger.
    ServeExisting,
    /// To look at it and to decide, beside a server.
    Visit,
}

impl Access {
    fn serves(self) -> bool {
        match self {
            Self::Serve | Self::ServeExisting => true,
            Self::Visit => false,
        }
    }
}

impl Ledger {
    /// Opens the ledger at `location`, which belongs to the Sunmi at `upstream`.
    ///
    /// # Errors
    /// What kept it from being opened: not to be reached, in use, or of another upstream.
    pub async fn open(location: &Location, upstream: &str, access: Access) -> Result<Self> {
        Self::open_by(POSTGRES_CONNECTIONS, location, upstream, access).await
    }

    /// The same by so many connections at most, if it is in PostgreSQL.
    ///
    /// # Errors
    /// As above.
    pub async fn open_by(
        connections: u32,
        location: &Location,
        upstream: &str,
        access: Access,
    ) -> Result<Self> {
        let opened = Self::try_open(connections, location, upstream, access).await;
        opened.map_err(|LedgerError(cause)| {
            LedgerError::new(NotOpened { at: location.shown(), cause })
        })
    }

    /// Opens a ledger to look at it, whichever upstream it belongs to.
    ///
    /// # Errors
    /// What kept it from being opened.
    pub async fn open_of_any_upstream(location: &Location) -> Result<Self> {
        let opened = Self::connect(POSTGRES_CONNECTIONS, location, Access::Visit).await;
        opened.map_err(|LedgerError(cause)| {
            LedgerError::new(NotOpened { at: location.shown(), cause })
        })
    }

    async fn try_open(
        connections: u32,
        location: &Location,
        upstream: &str,
        access: Access,
    ) -> Result<Self> {
        let ledger = Self::connect(connections, location, access).await?;
        let of = match access.serves() {
            true => ledger.bind(upstream).await?,
            false => ledger.bound_to().await?.unwrap_or_else(|| upstream.to_owned()),
        };
        if of != upstream {
            return Err(LedgerError::new(format!(
                "it belongs to the upstream {of}, not to {upstream}; give each upstream a ledger \
                 of its own (refund.ledger); where it is the same Sunmi at a new address, keep the \
                 name (upstream.name) or record the change (refunds rehome)"
            )));
        }
        if lock_is_exclusive(location) && access.serves() {
            // Whoever claimed them is gone: this process alone serves from the file.
            ledger.doubt_all_claimed().await?;
        }
        if access.serves() {
            ledger.mend_feed().await?;
        }
        Ok(ledger)
    }

    async fn connect(connections: u32, location: &Location, access: Access) -> Result<Self> {
        install_default_drivers();
        if let (Location::Sqlite(path), Access::Visit | Access::ServeExisting) = (location, access)
            && !path.exists()
        {
            let what = "there is no such file; a relative path is seen from the working folder";
            return Err(LedgerError::new(what));
        }
        let lock = match location {
            Location::Sqlite(path) if access.serves() => Some(Arc::new(lock(path)?)),
            Location::Memory | Location::Sqlite(_) | Location::Postgres(_) => None,
        };
        let (pool, clock) = prepare(connections, location, access).await?;
        let dialect = match location {
            Location::Memory | Location::Sqlite(_) => Dialect::Sqlite,
            Location::Postgres(_) => Dialect::Postgres,
        };
        let (changes, _) = broadcast::channel(CHANGES_TOLD);
        let metrics = LedgerMetrics::default();
        let group = match location {
            Location::Sqlite(path) => Some(Group::new(file_url(path, "rw"))),
            Location::Memory | Location::Postgres(_) => None,
        };
        Ok(Self { pool, dialect, group, clock, changes, metrics, trouble: None, _lock: lock })
    }
}

/// Which ledger could not be opened, and why.
#[derive(Debug, thiserror::Error)]
#[error("{at} was not opened")]
struct NotOpened {
    at: String,
    #[source]
    cause: BoxError,
}

/// There is a database, and no ledger in it.
#[derive(Debug, thiserror::Error)]
#[error("there is no ledger in it, and none is to be made")]
struct NoLedger(#[source] BoxError);

/// Connects and brings the tables up to date. PostgreSQL is locked for this. SQLite cannot
/// be: of two processes that begin at once, one may fail, and then finds the work done.
async fn prepare(
    connections: u32,
    location: &Location,
    access: Access,
) -> Result<(AnyPool, Clock)> {
    let mut tries = match location {
        Location::Memory | Location::Postgres(_) => 1,
        Location::Sqlite(_) => SQLITE_TRIES,
    };
    loop {
        tries -= 1;
        match try_prepare(connections, location, access).await {
            Err(_) if tries > 0 => tokio::time::sleep(SQLITE_PAUSE).await,
            prepared => return prepared,
        }
    }
}

async fn try_prepare(
    connections: u32,
    location: &Location,
    access: Access,
) -> Result<(AnyPool, Clock)> {
    let (pool, clock) = match location {
        Location::Memory => (sqlite("sqlite::memory:", 1).await?, Clock::Sqlite),
        Location::Sqlite(path) => {
            let mode = match access {
                Access::Serve => "rwc",
                Access::ServeExisting | Access::Visit => "rw",
            };
            let readers = if access.serves() { SQLITE_READERS } else { 1 };
            (sqlite(&file_url(path, mode), readers).await?, Clock::Sqlite)
        }
        Location::Postgres(url) => {
            (postgres(url.expose_secret(), connections).await?, Clock::Postgres)
        }
    };
    if access != Access::Serve {
        sqlx::query("SELECT name FROM ledger_facts LIMIT 1")
            .execute(&pool)
            .await
            .map_err(|error| LedgerError::new(NoLedger(error.into())))?;
    }
    let migrator = migrator(location);
    match access {
        Access::Serve | Access::ServeExisting => {
            migrator.run(&pool).await.map_err(LedgerError::new)?;
        }
        Access::Visit => is_up_to_date(&migrator, &pool).await?,
    }
    Ok((pool, clock))
}

/// Whoever only looks changes no table: a server of another version may be at work on them.
async fn is_up_to_date(migrator: &Migrator, pool: &AnyPool) -> Result<()> {
    let done: i64 = sqlx::query_scalar("SELECT CAST(COUNT(*) AS BIGINT) FROM _sqlx_migrations")
        .fetch_one(pool)
        .await?;
    let wanted = migrator.iter().count();
    if usize::try_from(done) == Ok(wanted) {
        return Ok(());
    }
    Err(LedgerError::new(format!(
        "its tables are of another version, {done} where this one knows {wanted}: use the sunmi-trade \
         of its server, or start a server of this version first"
    )))
}

fn migrator(location: &Location) -> Migrator {
    let feed = match location {
        Location::Memory | Location::Sqlite(_) => SQLITE_FEED,
        Location::Postgres(_) => POSTGRES_FEED,
    };
    let migration = |(version, (name, sql)): (i64, (&'static str, &'static str))| {
        let sql = sql.into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    };
    let all = MIGRATIONS.into_iter().chain([feed]).chain(LATER_MIGRATIONS);
    Migrator::with_migrations((1..).zip(all).map(migration).collect())
}

fn lock_is_exclusive(location: &Location) -> bool {
    match location {
        Location::Memory | Location::Sqlite(_) => true,
        Location::Postgres(_) => false,
    }
}

/// Locks the file `PATH.lock` for this process. A lock of its own and not SQLite's, so that
/// the command line can look into a ledger that is being served from.
fn lock(path: &Path) -> Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let failed = |error: String| LedgerError(format!("{}: {error}", name.display()).into());
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&name)
        .map_err(|error| failed(error.to_string()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(failed("another process serves from it".to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(error.to_string())),
    }
}

fn file_url(path: &Path, mode: &str) -> String {
    format!("sqlite://{}?mode={mode}", path.display())
}

/// Connections that are kept for ever: a ledger in memory lives as long as its one. None is tested
/// before use: whoever gave up during the test would close it.
async fn sqlite(url: &str, connections: u32) -> Result<AnyPool> {
    let options = AnyPoolOptions::new()
        .min_connections(1)
        .max_connections(connections)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None);
    connect(options, url, &SQLITE_SETTINGS).await
}

/// Connections that are tested when they were idle for a while: a test at each use would cost as much
/// as a read.
async fn postgres(url: &str, connections: u32) -> Result<AnyPool> {
    let options = AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(POSTGRES_WAIT)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(
                async move { Ok(meta.idle_for < POSTGRES_IDLE || connection.ping().await.is_ok()) },
            )
        });
    connect(options, url, &POSTGRES_SETTINGS).await
}

/// A pool of connections that are set so.
async fn connect(
    options: AnyPoolOptions,
    url: &str,
    settings: &'static [&'static str],
) -> Result<AnyPool> {
    // One is tried by itself: the pool would try for long, and say that it waited in vain.
    let first = async { connection(url, settings).await?.close().await };
    tokio::time::timeout(options.get_acquire_timeout(), first)
        .await
        .map_err(LedgerError::new)??;
    let options = options.after_connect(|connection, _| Box::pin(set(connection, settings)));
    Ok(options.connect(url).await?)
}

/// A connection that is set so.
pub(super) async fn connection(
    url: &str,
    settings: &[&'static str],
) -> sqlx::Result<AnyConnection> {
    let mut connection = AnyConnection::connect(url).await?;
    set(&mut connection, settings).await?;
    Ok(connection)
}

async fn set(connection: &mut AnyConnection, settings: &[&'static str]) -> sqlx::Result<()> {
    for setting in settings {
        connection.execute(*setting).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_location_is_one_of_three_and_hides_no_secret_where_it_would_be_shown() {
        let table = [
            ("memory", true),
            ("sqlite://ledger.db", true),
            ("sqlite:///var/lib/ledger.db", true),
            ("postgres://u:p@db:5432/refunds?sslmode=verify-full&sslrootcert=/ca.pem", true),
            ("postgresql://db/refunds", true),
            ("postgres://db/refunds?sslpassword=secret", false),
            ("postgres://db/refunds?sslmode=require&x=1", false),
            ("postgres://u:5/secret@db/refunds", false),
            ("postgres://u:5#secret@db/refunds", false),
            ("postgres:u:secret@db/refunds", false),
            ("postgres:secret", false),
            ("sqlite://", false),
            ("sqlite://:memory:", false),
            ("sqlite://ledger.db?mode=memory", false),
            ("mysql://db/refunds", false),
            ("", false),
        ];
        for (text, expected) in table {
            assert_eq!(Location::parse(text).is_some(), expected, "{text}");
        }
    }

    #[tokio::test]
    async fn a_ledger_in_memory_outlives_statements_that_are_given_up() {
        let ledger = Ledger::open(&Location::Memory, "test", Access::Serve).await.unwrap();
        for _ in 0..20 {
            while !ledger.is_idle() {
                tokio::task::yield_now().await;
            }
            // Given up at its first wait, unless the database was quicker.
            drop(ledger.list(None, 1).now_or_never());
            assert!(ledger.list(None, 1).await.unwrap().is_empty());
        }
    }
}
