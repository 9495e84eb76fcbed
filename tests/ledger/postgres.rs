//! Databases of their own for tests, on the server that `SUNMI_TRADE_TEST_POSTGRES` names:
//! one that is thrown away afterwards, as `.ci/postgres` does. To remove them one by one costs
//! a checkpoint each, more than all else.

use std::io::Write;

use sqlx::{Connection, PgConnection};
use url::Url;
use uuid::Uuid;

pub(crate) const VARIABLE: &str = "SUNMI_TRADE_TEST_POSTGRES";

/// A database, empty at first.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    server: Url,
    name: String,
}

impl Database {
    /// A new one. Without a server the test is skipped, aloud: then this is `None`.
    pub(crate) async fn new() -> Option<Self> {
        let database =
            Self { server: shared()?, name: format!("test_{}", Uuid::new_v4().simple()) };
        database.command(&format!("CREATE DATABASE {}", database.name)).await;
        Some(database)
    }

    /// Where it is.
    pub(crate) fn url(&self) -> Url {
        let mut url = self.server.clone();
        url.set_path(&self.name);
        url
    }

    async fn command(&self, sql: &str) {
        let mut server =
            PgConnection::connect(self.server.as_str()).await.expect("a connection to PostgreSQL");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut server).await.expect(sql);
    }
}

/// The server that the tests share.
pub(crate) fn shared() -> Option<Url> {
    #[allow(clippy::disallowed_methods, reason = "only the test's surroundings know")]
    let Ok(server) = std::env::var(VARIABLE) else {
        // Past the capture of a test that passes.
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let why = format!("SKIPPED {test}: {VARIABLE} is not set, .ci/postgres sets it\n");
        std::io::stderr().write_all(why.as_bytes()).unwrap();
        return None;
    };
    Some(server.parse().expect("a postgres:// URL"))
}
