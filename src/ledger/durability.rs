//! Whether a claim's commit survives a crash: told by the settings in force in the claim's own
//! statement, because a pooler or an operator may have changed what this server set, and by what
//! the database says of the commit itself.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::LazyLock;

use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Event, Id, Level, Metadata, Subscriber, dispatcher, span};

use super::Dialect;

/// Whether a commit is durable, and if not, why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It is on disk, here and wherever the database was told to have it.
    Durable,
    /// It may be lost, for this reason.
    Doubtful(String),
}

impl Durability {
    /// The same, of a commit that came back with a warning or not.
    pub(super) fn or_warned(self, warned: bool) -> Self {
        let why = "PostgreSQL warned of the commit: a synchronous standby may not have it";
        if warned { Self::Doubtful(why.to_owned()) } else { self }
    }
}

/// The expression that tells what [`judge`] judges.
pub(super) fn sql(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "(SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous)",
        Dialect::Postgres => {
            "current_setting('synchronous_commit') || ' ' || current_setting('fsync')"
        }
    }
}

/// What these settings make of a commit.
///
/// | database | settings | a commit |
/// |---|---|---|
/// | SQLite | `synchronous` 2 (FULL) or 3 (EXTRA) | is durable |
/// | PostgreSQL | `synchronous_commit` `on` or `remote_apply`, and `fsync` `on` | is durable |
/// | either | anything else | may be lost |
pub(super) fn judge(dialect: Dialect, settings: &str) -> Durability {
    let doubtful = |what: String| Durability::Doubtful(what);
    match (dialect, settings.split_once(' ')) {
        (Dialect::Sqlite, _) if matches!(settings, "2" | "3") => Durability::Durable,
        (Dialect::Sqlite, _) => doubtful(format!("SQLite has synchronous = {settings}, not FULL")),
        (Dialect::Postgres, Some(("on" | "remote_apply", "on"))) => Durability::Durable,
        (Dialect::Postgres, Some((commit, "on"))) => {
            doubtful(format!("PostgreSQL has synchronous_commit = {commit}, not on"))
        }
        (Dialect::Postgres, _) => doubtful("PostgreSQL has fsync = off".to_owned()),
    }
}

/// What the driver logs warnings of PostgreSQL as. It tells of them in no other way.
const NOTICES: &str = "sqlx::postgres::notice";

thread_local! {
    static WARNED: Cell<bool> = const { Cell::new(false) };
}

/// Does it, and says whether PostgreSQL warned meanwhile. A commit that it could not bring to a
/// synchronous standby comes back as a success with a warning.
pub(super) async fn watch<T, E>(commit: impl Future<Output = Result<T, E>>) -> Result<bool, E> {
    static LISTENER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Listener));
    let mut commit = pin!(commit);
    let mut warned = false;
    std::future::poll_fn(|context| {
        WARNED.set(false);
        // What is logged within one poll is logged on this thread.
        let polled = dispatcher::with_default(&LISTENER, || commit.as_mut().poll(context));
        if WARNED.get() {
            warned = true;
            tracing::warn!("PostgreSQL warned of a commit");
        }
        polled
    })
    .await
    .map(|_| warned)
}

/// Hears warnings of PostgreSQL and nothing else.
struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // The driver asks first whether anybody listens, and that is no event.
        !metadata.is_span() && metadata.target() == NOTICES && *metadata.level() <= Level::WARN
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        WARNED.set(true);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_durable_only_under_the_settings_that_make_it_so() {
        let table = [
            (Dialect::Sqlite, "3", true),
            (Dialect::Sqlite, "2", true),
            (Dialect::Sqlite, "1", false),
            (Dialect::Sqlite, "0", false),
            (Dialect::Postgres, "on on", true),
            (Dialect::Postgres, "remote_apply on", true),
            (Dialect::Postgres, "remote_write on", false),
            (Dialect::Postgres, "local on", false),
            (Dialect::Postgres, "off on", false),
            (Dialect::Postgres, "on off", false),
            (Dialect::Postgres, "", false),
        ];
        for (dialect, settings, durable) in table {
            let judged = judge(dialect, settings);
            assert_eq!(judged == Durability::Durable, durable, "{dialect:?} {settings}");
        }
    }

    #[tokio::test]
    async fn a_warning_of_the_database_is_heard_and_other_events_are_not() {
        let quiet = async {
            tracing::warn!("something else");
            Ok::<_, ()>(())
        };
        assert_eq!(watch(quiet).await, Ok(false));
        let warned = async {
            // As the driver does it.
            if tracing::enabled!(target: "sqlx::postgres::notice", Level::WARN) {
                tracing::warn!(target: "sqlx::postgres::notice", "canceling wait");
            }
            tokio::task::yield_now().await;
            Ok::<_, ()>(())
        };
        assert_eq!(watch(warned).await, Ok(true));
        let noticed = async {
            tracing::info!(target: "sqlx::postgres::notice", "x");
            Ok::<_, ()>(())
        };
        assert_eq!(watch(noticed).await, Ok(false));
    }
}
