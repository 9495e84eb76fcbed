//! The page for people at the admin port.

use std::time::UNIX_EPOCH;

use sqlx::{Connection, PgConnection, SqliteConnection};
use sunmi_trade::config::Sources;
use sunmi_trade::ledger::{Access, Ledger, Location};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::certificates::{Authority, Folder};
use crate::postgres::Database;
use crate::scratch::Scratch;
use crate::server::{GUARD, Server, settings, with};
use crate::serving::page;
use crate::upstream::Upstream;

const DAY: i64 = 24 * 3600 * 1000;

/// The largest page, in bytes.
const LARGEST: usize = 300_000;

/// The whole answer to a request at the admin port.
async fn answer(server: &Server, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(server.admin).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    tokio::time::timeout(GUARD, stream.read_to_string(&mut text)).await.unwrap().unwrap();
    text
}

/// The page, which is there.
async fn shown(server: &Server) -> String {
    let (status, body) = page(server, "/").await;
    assert_eq!(status, "200", "{body}");
    body
}

/// Waits until the page has this.
async fn until_shown(server: &Server, what: &str) -> String {
    let look = async {
        loop {
            let body = shown(server).await;
            if body.contains(what) {
                return body;
            }
        }
    };
    tokio::time::timeout(GUARD, look).await.unwrap_or_else(|_| panic!("never shown: {what}"))
}

/// The commands on the page, as a browser shows them.
fn commands(body: &str) -> Vec<String> {
    let marked = body.split("<code class=\"command\">").skip(1);
    let shown = marked.map(|rest| {
        let command = rest.split("</code>").next().unwrap();
        let text = command.replace("<span>", "").replace("</span>", "");
        text.replace("&#60;", "<").replace("&#62;", ">").replace("&#39;", "'")
    });
    shown.collect()
}

/// A refund in doubt that needs a person, of this number, and why.
struct Planted<'a> {
    number: &'a str,
    why: &'a str,
}

/// A ledger with refunds that were put there, and the settings of a server on it.
struct World {
    _scratch: Scratch,
    upstream: Upstream,
    url: String,
}

impl World {
    /// One in a file.
    async fn on_sqlite() -> Self {
        let scratch = Scratch::new();
        let url = format!("sqlite://{}", scratch.path().join("ledger.db").display());
        Self::new(scratch, url).await
    }

    async fn new(scratch: Scratch, url: String) -> Self {
        let upstream = Upstream::start().await;
        let world = Self { _scratch: scratch, upstream, url };
        let location = Location::parse(&world.url).expect("a location");
        let name = format!("http://{}/", world.upstream.address);
        let ledger = Ledger::open(&location, &name, Access::Serve).await.expect("a new ledger");
        ledger.close().await;
        world
    }

    fn settings(&self) -> Sources {
        with(settings(self.upstream.address), &[("SUNMI_TRADE__REFUND__LEDGER", &self.url)])
    }

    async fn execute(&self, sql: &str) {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        if self.url.starts_with("sqlite") {
            let mut file = SqliteConnection::connect(&self.url).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut file).await.unwrap();
        } else {
            let mut server = PgConnection::connect(&self.url).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut server).await.unwrap();
        }
    }

    /// Puts so many refunds there that need a person, the oldest first: `P-0` and on.
    async fn plant_many(&self, count: usize) {
        self.insert(count, "'P-' || i", "'{\"why\":\"no answer came\"}'").await;
    }

    async fn plant(&self, refund: &Planted<'_>) {
        let doubt = serde_json::json!({"why": refund.why, "code": "T04", "message": refund.why});
        let [number, doubt] = [refund.number.to_owned(), doubt.to_string()]
            .map(|text| format!("'{}'", text.replace('\'', "''")));
        self.insert(1, &number, &doubt).await;
    }

    async fn insert(&self, count: usize, number: &str, doubt: &str) {
        let now = sunmi_trade::clock::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let now = i64::try_from(now).unwrap();
        let (then, next) = (now - 10 * DAY, now + DAY / 24);
        self.execute(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count}) \
             INSERT INTO refunds (app_id, order_id, msn, amount, original_kind, original, \
             business_id, state, epoch, lease_until, claimed_at, changed_at, look_at, looks, \
             person, doubt) SELECT 'app-1', {number}, 'device', 100 + i, 'order_id', \
             'PAYMENT-' || i, 'business', 'in_doubt', 2, {then} + i, {then} + i, {then} + i, \
             {next}, 3, 1, {doubt} FROM n"
        ))
        .await;
    }
}

#[tokio::test]
async fn an_empty_ledger_has_a_page_on_which_nothing_needs_attention() {
    let world = World::on_sqlite().await;
    let server = Server::start(&world.settings()).await;
    let body = until_shown(&server, "nothing needs attention").await;
    for text in [
        concat!("sunmi-trade ", env!("CARGO_PKG_VERSION")),
        "<title>sunmi-trade: all in order</title>",
        "Refunds that need a person: 0",
        "it serves",
        "<code>app-1</code>",
        world.url.as_str(),
        "None is in doubt or processing.",
    ] {
        assert!(body.contains(text), "{text}: {body}");
    }
    assert!(!body.contains("key&"), "{body}");
    assert!(!body.contains("<script"), "{body}");
}

#[tokio::test]
async fn the_page_may_be_shown_and_nothing_else() {
    let world = World::on_sqlite().await;
    let server = Server::start(&world.settings()).await;
    let whole = answer(&server, "GET", "/").await;
    let (head, body) = whole.split_once("\r\n\r\n").unwrap();
    for header in [
        "content-type: text/html; charset=utf-8",
        "content-security-policy: default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
         frame-ancestors 'none'; form-action 'none'; base-uri 'none'",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "cross-origin-resource-policy: same-origin",
        "cache-control: no-store",
    ] {
        assert!(head.contains(header), "{header}: {head}");
    }
    assert!(body.starts_with("<!doctype html>\n<html lang=\"en\">"), "{body}");
    let whole = answer(&server, "HEAD", "/").await;
    assert!(whole.starts_with("HTTP/1.1 200 OK\r\n") && whole.ends_with("\r\n\r\n"), "{whole}");
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let whole = answer(&server, method, "/").await;
        assert!(whole.starts_with("HTTP/1.1 405 "), "{method}: {whole}");
    }
}

#[tokio::test]
async fn the_page_can_be_switched_off_and_all_else_stays() {
    let world = World::on_sqlite().await;
    let sources = with(world.settings(), &[("SUNMI_TRADE__ADMIN__PAGE", "false")]);
    let server = Server::start(&sources).await;
    for method in ["GET", "HEAD", "POST"] {
        let whole = answer(&server, method, "/").await;
        assert!(whole.starts_with("HTTP/1.1 404 "), "{method}: {whole}");
    }
    assert_eq!(page(&server, "/metrics").await.0, "200");
    assert_eq!(page(&server, "/livez").await.0, "200");
}

/// Callers choose numbers, and Sunmi its words.
#[tokio::test]
async fn foreign_words_are_text_and_commands_are_one_word_each() {
    let world = World::on_sqlite().await;
    let (script, quotes) = ("<script>alert(1)</script>", "$(id);'x'");
    world.plant(&Planted { number: script, why: "<img src=x onerror=alert(1)>" }).await;
    world.plant(&Planted { number: quotes, why: "\u{202e}turned\u{1b}[2J\u{2066}" }).await;
    world.plant(&Planted { number: "-x", why: "\"><script>" }).await;
    let server = Server::start(&world.settings()).await;
    let body = until_shown(&server, "3 refunds need a person").await;
    for text in [
        "&#60;script&#62;alert(1)&#60;/script&#62;",
        "&#60;img src=x onerror=alert(1)&#62;",
        r"\u{202e}turned\u{1b}[2J\u{2066}",
        "<strong>10 d ago</strong>",
        "<strong>100</strong> minor units",
    ] {
        assert!(body.contains(text), "{text}: {body}");
    }
    for (at, command) in [
        "settle '<script>alert(1)</script>' --app-id app-1 --epoch 2",
        r"settle '$(id);'\''x'\''' --app-id app-1 --epoch 2",
        "settle --app-id app-1 --epoch 2 -- -x",
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(commands(&body)[at], format!("sunmi-trade refunds {command}"));
    }
    for text in ["<script", "<img", "\u{202e}", "\u{2066}", "\u{1b}"] {
        assert!(!body.contains(text), "{text:?}: {body}");
    }
}

/// The oldest ones, soon, and on a page that a phone can hold.
async fn shows_the_oldest_of_many(world: &World) {
    world.plant_many(10_000).await;
    let server = Server::start(&world.settings()).await;
    let body = until_shown(&server, "10,000 refunds need a person").await;
    assert!(body.len() < LARGEST, "{} bytes", body.len());
    assert_eq!(body.matches("<article").count(), 200);
    for (number, is_shown) in [("P-0", true), ("P-199", true), ("P-200", false), ("P-9999", false)]
    {
        assert_eq!(body.contains(&format!("<code>{number}</code>")), is_shown, "{number}");
    }
    assert!(body.contains("The oldest 200 are shown, and there are 9,800 more"), "{body}");
    assert!(body.contains("<td class=\"count\">10,000</td>"), "{body}");
}

#[tokio::test]
async fn of_ten_thousand_in_a_file_the_oldest_are_shown() {
    shows_the_oldest_of_many(&World::on_sqlite().await).await;
}

#[tokio::test]
async fn of_ten_thousand_in_postgresql_the_oldest_are_shown() {
    let Some(database) = Database::new().await else { return };
    shows_the_oldest_of_many(&World::new(Scratch::new(), database.url().into()).await).await;
}

/// Words are cut, and where they still are too many, fewer refunds are shown.
#[tokio::test]
async fn the_page_stays_small_whatever_the_words_in_it() {
    let world = World::on_sqlite().await;
    let doubt = format!("'{{\"why\":\"{}\"}}'", "<".repeat(5000));
    world.insert(300, &format!("'{}' || i", "<".repeat(120)), &doubt).await;
    let server = Server::start(&world.settings()).await;
    let body = until_shown(&server, "300 refunds need a person").await;
    assert!(body.len() < LARGEST, "{} bytes", body.len());
    let listed = body.matches("<article").count();
    assert!((20..200).contains(&listed), "{listed}");
    let more = format!("The oldest {listed} are shown, and there are {} more", 300 - listed);
    assert!(body.contains(&more), "{more}");
}

#[tokio::test]
async fn what_sunmi_contradicts_is_shown_with_the_command_that_asks_again() {
    let world = World::on_sqlite().await;
    world.plant(&Planted { number: "DONE", why: "long ago" }).await;
    world
        .execute(
            "UPDATE refunds SET state = 'settled', person = 0, outcome = 'SUCCEEDED', \
             disputed = 'Sunmi has it as <failed>'",
        )
        .await;
    let server = Server::start(&world.settings()).await;
    let body = until_shown(&server, "1 refund is contradicted by Sunmi").await;
    for text in [
        "Refunds that Sunmi contradicts: 1",
        "settled: succeeded",
        "Sunmi has it as &#60;failed&#62;",
        "Refunds that need a person: 0",
    ] {
        assert!(body.contains(text), "{text}: {body}");
    }
    assert_eq!(commands(&body), ["sunmi-trade refunds verify DONE --app-id app-1"]);
}

#[tokio::test]
async fn a_ledger_that_cannot_be_read_is_told_and_the_page_is_there() {
    let world = World::on_sqlite().await;
    let server = Server::start(&world.settings()).await;
    until_shown(&server, "nothing needs attention").await;
    world.execute("ALTER TABLE refunds RENAME TO gone").await;
    let body = until_shown(&server, "the refund ledger cannot be read").await;
    assert!(body.contains("Ready, but this needs attention"), "{body}");
    assert!(!body.contains("Refunds by state"), "{body}");
    assert_eq!(page(&server, "/readyz").await.0, "200", "no other replica would mend it");
}

/// A table that is locked: whoever reads waits.
#[tokio::test]
async fn a_ledger_that_hangs_holds_up_neither_the_page_for_long_nor_what_needs_no_ledger() {
    let Some(database) = Database::new().await else { return };
    let world = World::new(Scratch::new(), database.url().into()).await;
    let server = Server::start(&world.settings()).await;
    until_shown(&server, "nothing needs attention").await;
    let mut locker = PgConnection::connect(&world.url).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE refunds IN ACCESS EXCLUSIVE MODE")
        .execute(&mut locker)
        .await
        .unwrap();
    let waiting = async { tokio::join!(shown(&server), shown(&server), shown(&server)) };
    let mut waiting = std::pin::pin!(waiting);
    // What was read a moment ago may still be shown at first.
    let pages = loop {
        let live = page(&server, "/livez");
        let ended = tokio::select! {
            biased;
            (status, _) = live => { assert_eq!(status, "200"); None }
            pages = &mut waiting => Some(pages),
        };
        if let Some(pages) = ended {
            break pages;
        }
    };
    drop(pages);
    until_shown(&server, "the refund ledger cannot be read").await;
    assert_eq!(page(&server, "/metrics").await.0, "200");
    drop(locker);
    until_shown(&server, "nothing needs attention").await;
}

#[tokio::test]
async fn certificates_are_told_of_with_their_expiry_and_files_that_are_not_in_force() {
    let world = World::on_sqlite().await;
    let (authority, clients) = (Authority::new(), Authority::new());
    let folder = Folder::new(&authority.server());
    folder.write("ca.crt", &clients.pem());
    let server = Server::start(&folder.mutual(world.settings(), "required")).await;
    let body = until_shown(&server, "nothing needs attention").await;
    for text in
        ["<dt>server certificate</dt><dd>valid until ", "<dt>client CA</dt><dd>valid until "]
    {
        assert!(body.contains(text), "{text}: {body}");
    }
    folder.put(&authority.expired());
    let body = until_shown(&server, "the server certificate has expired").await;
    assert!(body.contains("valid until 2001-01-01T00:00:00Z"), "{body}");
    folder.write("ca.crt", "no certificate");
    let body = until_shown(&server, "changed files not in force: certificate").await;
    assert!(!body.contains("PRIVATE KEY"), "{body}");
}

#[tokio::test]
async fn a_server_that_stops_says_that_it_is_not_ready_and_why() {
    let world = World::on_sqlite().await;
    let sources = with(world.settings(), &[("SUNMI_TRADE__SHUTDOWN__DELAY", "10s")]);
    let mut server = Server::start(&sources).await;
    until_shown(&server, "nothing needs attention").await;
    server.stop();
    let body = until_shown(&server, "not ready: draining").await;
    assert!(body.contains("it was told to stop, and finishes what is under way"), "{body}");
    assert_eq!(
        page(&server, "/readyz").await,
        ("503".to_owned(), "not ready: draining\n".to_owned())
    );
}
