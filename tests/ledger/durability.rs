//! A claim tells whether its commit survives a crash, whoever changed the settings.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use sunmi_trade::clock::BootClock;
use sunmi_trade::error::Chain;
use sunmi_trade::ledger::{Access, Claim, ClaimRequest, Durability, Ledger, Location, Looked};
use url::Url;
use uuid::Uuid;

use crate::bench::{CEILING, UPSTREAM, ask, refund};
use crate::own_server::Server;
use crate::postgres::Database;

async fn run(url: &Url, sql: &str) {
    let mut connection = PgConnection::connect(url.as_str()).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect(sql);
}

async fn open(url: &Url) -> Ledger {
    let location = Location::parse(url.as_str()).unwrap();
    Ledger::open(&location, UPSTREAM, Access::Serve).await.unwrap()
}

/// What a fresh claim says of its commit.
async fn durability(ledger: &Ledger, number: &str) -> Durability {
    match ask(ledger, &refund(number)).await {
        Claim::Fresh(_, _, durability) => durability,
        other @ (Claim::Known(_)
        | Claim::Differs(_)
        | Claim::InFlight(_)
        | Claim::Changed
        | Claim::Beyond(_)) => {
            panic!("not fresh: {other:?}")
        }
    }
}

/// What a pooler in transaction mode does to what the ledger set on its connection: it is gone.
const POOLED: &str = "
    CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RESET synchronous_commit;
        RETURN NEW;
    END $$;
    CREATE TRIGGER forget BEFORE INSERT OR UPDATE ON refunds
        FOR EACH ROW EXECUTE FUNCTION forget();";

/// Whether this is doubtful, and says so of this setting.
fn names(durability: &Durability, setting: &str) -> bool {
    match durability {
        Durability::Durable => false,
        Durability::Doubtful(why) => why.contains(setting),
    }
}

#[tokio::test]
async fn the_ledgers_own_setting_wins_over_the_databases_the_roles_and_the_urls() {
    let Some(database) = Database::new().await else { return };
    let mut url = database.url();
    let name = url.path().trim_start_matches('/').to_owned();
    run(&url, &format!("ALTER DATABASE {name} SET synchronous_commit = off")).await;
    url.set_query(Some("options=-c%20synchronous_commit%3Doff"));
    assert_eq!(durability(&open(&url).await, "R1").await, Durability::Durable);
}

#[tokio::test]
async fn where_a_pooler_takes_the_setting_away_the_databases_is_told() {
    let table = [
        ("off", false),
        ("local", false),
        ("remote_write", false),
        ("remote_apply", true),
        ("on", true),
    ];
    for (setting, durable) in table {
        let Some(database) = Database::new().await else { return };
        let url = database.url();
        let name = url.path().trim_start_matches('/').to_owned();
        run(&url, &format!("ALTER DATABASE {name} SET synchronous_commit = {setting}")).await;
        let ledger = open(&url).await;
        assert_eq!(durability(&ledger, "before").await, Durability::Durable, "{setting}");
        run(&url, POOLED).await;
        let told = durability(&ledger, "after").await;
        assert_eq!(told == Durability::Durable, durable, "{setting}: {told:?}");
        assert!(durable || names(&told, &format!("synchronous_commit = {setting}")), "{told:?}");
    }
}

#[tokio::test]
async fn where_a_pooler_takes_the_setting_away_the_roles_and_the_urls_are_told() {
    let Some(database) = Database::new().await else { return };
    let role = format!("role_{}", Uuid::new_v4().simple());
    let name = database.url().path().trim_start_matches('/').to_owned();
    let sql = format!(
        "CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 'of-a-test';
         ALTER ROLE {role} IN DATABASE {name} SET synchronous_commit = local"
    );
    run(&database.url(), &sql).await;
    let mut of_role = database.url();
    of_role.set_username(&role).unwrap();
    of_role.set_password(Some("of-a-test")).unwrap();
    let ledger = open(&of_role).await;
    run(&database.url(), POOLED).await;
    let told = durability(&ledger, "R1").await;
    assert!(names(&told, "synchronous_commit = local"), "{told:?}");

    let mut with_options = database.url();
    with_options.set_query(Some("options=-c%20synchronous_commit%3Doff"));
    let told = durability(&open(&with_options).await, "R2").await;
    assert!(names(&told, "synchronous_commit = off"), "{told:?}");
}

#[tokio::test]
async fn a_setting_that_somebody_made_on_a_pooled_connection_is_told() {
    let Some(database) = Database::new().await else { return };
    let url = database.url();
    let ledger = open(&url).await;
    let left_behind = POOLED.replace("RESET synchronous_commit", "SET synchronous_commit = off");
    run(&url, &left_behind).await;
    assert!(names(&durability(&ledger, "R1").await, "synchronous_commit = off"));
}

#[tokio::test]
async fn a_server_that_does_not_flush_is_told() {
    let Some(server) = Server::new() else { return };
    let ledger = open(server.url()).await;
    assert_eq!(durability(&ledger, "R1").await, Durability::Durable);
    run(server.url(), "ALTER SYSTEM SET fsync = off").await;
    run(server.url(), "SELECT pg_reload_conf()").await;
    let (mut at, mut told) = (0, Durability::Durable);
    // Each process of the server hears of it by itself.
    while told == Durability::Durable && at < 1000 {
        at += 1;
        told = durability(&ledger, &format!("R1-{at}")).await;
    }
    assert!(names(&told, "fsync"), "{told:?}");
}

/// A server whose synchronous standby is not there.
async fn without_standby(server: &Server) {
    run(server.url(), "ALTER SYSTEM SET synchronous_standby_names = 'nobody'").await;
    run(server.url(), "SELECT pg_reload_conf()").await;
}

/// A connection that waits for no standby.
async fn aside(server: &Server) -> PgConnection {
    let mut aside = PgConnection::connect(server.url().as_str()).await.unwrap();
    aside.execute("SET synchronous_commit = local").await.unwrap();
    aside
}

const WAITS: &str = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'";

/// The process that waits for a standby, once one does.
async fn waiting(aside: &mut PgConnection) -> i32 {
    loop {
        let waits = sqlx::query_scalar(WAITS).fetch_optional(&mut *aside).await.unwrap();
        match waits {
            Some(pid) => return pid,
            None => tokio::task::yield_now().await,
        }
    }
}

#[tokio::test]
async fn a_commit_that_postgres_warns_of_is_doubtful() {
    let Some(server) = Server::new() else { return };
    let ledger = open(server.url()).await;
    without_standby(&server).await;
    let mut aside = aside(&server).await;
    let claim = tokio::spawn(async move { durability(&ledger, "R1").await });
    let pid = waiting(&mut aside).await;
    sqlx::query("SELECT pg_cancel_backend($1)").bind(pid).execute(&mut aside).await.unwrap();
    let told = tokio::time::timeout(Duration::from_secs(30), claim).await;
    let told = told.expect("a commit that is cancelled").unwrap();
    assert!(names(&told, "PostgreSQL warned of the commit"), "{told:?}");
}

#[tokio::test]
async fn a_commit_that_waits_for_a_standby_is_not_waited_for_for_ever() {
    let Some(server) = Server::new() else { return };
    let ledger = open(server.url()).await;
    without_standby(&server).await;
    let mut aside = aside(&server).await;
    let claim = tokio::spawn(async move {
        let (refund, looked) = (refund("R1"), Looked::default());
        let begun = BootClock::default().now();
        let request =
            ClaimRequest { refund: &refund, id: "a", looked: &looked, ceiling: CEILING, begun };
        ledger.claim(&request).await.map(|_| ())
    });
    waiting(&mut aside).await;
    let claim = tokio::time::timeout(Duration::from_secs(30), claim).await;
    let error = claim.expect("a claim that ends").unwrap().unwrap_err();
    let error = Chain(&error).to_string();
    assert!(error.contains("did not answer"), "{error}");
}
