//! How ledgers are opened: which are refused, and what is said of it.

use std::path::Path;
use std::time::Duration;

use sunmi_trade::error::Chain;
use sunmi_trade::ledger::{Access, Ledger, Location, State};
use tokio::time::Instant;

use crate::bench::{Bench, Kind, UPSTREAM, WINDOW, bring, claim, on, refund, row};
use crate::first_edition;
use crate::postgres::Database;
use crate::scratch::Scratch;

/// What is said when this ledger is opened and cannot be.
async fn refusal(location: &Location, upstream: &str, access: Access) -> String {
    match Ledger::open(location, upstream, access).await {
        Ok(_) => panic!("{} was opened", location.shown()),
        Err(error) => Chain(&error).to_string(),
    }
}

fn file(path: &Path) -> Location {
    Location::Sqlite(path.to_owned())
}

#[tokio::test]
async fn a_restart_on_a_file_puts_what_was_claimed_in_doubt_at_once() {
    on(Kind::Sqlite, async |bench: &Bench| {
        let ledger = bench.ledger().await;
        for state in [State::Claimed, State::Processing, State::NotApplied, State::Settled] {
            bring(&ledger, &refund(state.name()), state).await;
        }
        drop(ledger);
        let ledger = bench.ledger().await;
        for (number, state) in [
            ("claimed", State::InDoubt),
            ("processing", State::Processing),
            ("not_applied", State::NotApplied),
            ("settled", State::Settled),
        ] {
            let row = row(&ledger, &refund(number)).await;
            assert_eq!((row.state, row.epoch), (state, 1), "{number}");
        }
        assert_eq!(
            ledger
                .doubts(sunmi_trade::ledger::Patience { window: WINDOW, processing: WINDOW })
                .await
                .unwrap()
                .in_doubt,
            1
        );
    })
    .await;
}

#[tokio::test]
async fn a_second_server_leaves_what_another_claimed_in_postgres() {
    on(Kind::Postgres, async |bench: &Bench| {
        let ledger = bench.ledger().await;
        claim(&ledger, &refund("R1")).await;
        let second = bench.ledger().await;
        assert_eq!(row(&second, &refund("R1")).await.state, State::Claimed);
    })
    .await;
}

#[tokio::test]
async fn a_file_is_served_from_by_one_and_visited_by_others() {
    on(Kind::Sqlite, async |bench: &Bench| {
        let ledger = bench.ledger().await;
        claim(&ledger, &refund("R1")).await;
        let said = refusal(&bench.location, UPSTREAM, Access::Serve).await;
        assert!(said.contains("ledger.db"), "{said}");
        assert!(said.contains("another process serves from it"), "{said}");

        let visitor = Ledger::open(&bench.location, UPSTREAM, Access::Visit).await.unwrap();
        assert_eq!(row(&visitor, &refund("R1")).await.state, State::Claimed);
        // Both see what the other writes.
        bring(&visitor, &refund("R2"), State::InDoubt).await;
        assert_eq!(row(&ledger, &refund("R2")).await.state, State::InDoubt);
        drop((ledger, visitor));
        bench.ledger().await;
    })
    .await;
}

#[tokio::test]
async fn a_ledger_of_another_upstream_is_refused() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        on(kind, async |bench: &Bench| {
            drop(bench.ledger().await);
            for access in [Access::Serve, Access::Visit] {
                let said = refusal(&bench.location, "https://other.test/", access).await;
                assert!(said.contains(UPSTREAM), "{said}");
                assert!(said.contains("https://other.test/"), "{said}");
            }
            // It was not changed by being asked for.
            bench.ledger().await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_named() {
    let scratch = Scratch::new();
    let missing = scratch.path().join("missing").join("ledger.db");
    let said = refusal(&file(&missing), UPSTREAM, Access::Serve).await;
    assert!(said.contains(missing.to_str().unwrap()), "{said}");
    assert!(said.contains("No such file"), "{said}");

    // A visitor makes none.
    let absent = scratch.path().join("absent.db");
    let said = refusal(&file(&absent), UPSTREAM, Access::Visit).await;
    assert!(said.contains(absent.to_str().unwrap()), "{said}");
    assert!(!absent.exists());

    let directory = scratch.path().join("directory.db");
    std::fs::create_dir(&directory).unwrap();
    let said = refusal(&file(&directory), UPSTREAM, Access::Serve).await;
    assert!(said.contains("directory.db was not opened"), "{said}");

    let other = scratch.path().join("text.db");
    std::fs::write(&other, "This is no database. ".repeat(100)).unwrap();
    let said = refusal(&file(&other), UPSTREAM, Access::Serve).await;
    assert!(said.contains("text.db") && said.contains("not a database"), "{said}");
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_named_without_password() {
    // Port 1 of this machine: nothing listens there.
    let url = "postgres://somebody:hunter2@127.0.0.1:1/refunds?options=-c%20x=hunter2";
    let location = Location::parse(url).unwrap();
    let began = Instant::now();
    let said = refusal(&location, UPSTREAM, Access::Serve).await;
    assert!(began.elapsed() < Duration::from_secs(60), "waited {:?}", began.elapsed());
    assert!(said.contains("127.0.0.1:1/refunds"), "{said}");
    assert!(said.to_lowercase().contains("refused"), "{said}");
    assert!(!said.contains("hunter2") && !format!("{location:?}").contains("hunter2"), "{said}");
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_not_shown() {
    let Some(database) = Database::new().await else { return };
    let mut url = database.url();
    url.set_password(Some("hunter2")).unwrap();
    let said = refusal(&Location::parse(url.as_str()).unwrap(), UPSTREAM, Access::Serve).await;
    assert!(said.contains("password authentication failed"), "{said}");
    assert!(said.contains(url.path()) && !said.contains("hunter2"), "{said}");

    let mut url = database.url();
    url.set_path("no_such_database");
    let said = refusal(&Location::parse(url.as_str()).unwrap(), UPSTREAM, Access::Serve).await;
    let password = url.password().unwrap_or("-");
    assert!(said.contains("no_such_database") && !said.contains(password), "{said}");
}

#[tokio::test]
async fn many_may_open_a_ledger_at_once_that_is_not_up_to_date() {
    on(Kind::Postgres, async |bench: &Bench| {
        let openings: Vec<_> = (0..6)
            .map(|_| {
                let location = bench.location.clone();
                tokio::spawn(async move { Ledger::open(&location, UPSTREAM, Access::Serve).await })
            })
            .collect();
        for (at, opening) in openings.into_iter().enumerate() {
            let ledger = opening.await.unwrap().unwrap_or_else(|error| {
                panic!("{at}: {}", Chain(&error));
            });
            bring(&ledger, &refund(&format!("R{at}")), State::Settled).await;
        }
        // Opened again, it is as it was left.
        assert_eq!(bench.ledger().await.list(None, 10).await.unwrap().len(), 6);
    })
    .await;
}

/// Its server may be at work, and of the version that the tables are of.
#[tokio::test]
async fn who_only_visits_brings_no_table_up_to_date() {
    on(Kind::Sqlite, async |bench: &Bench| {
        let mut beside = bench.beside().await;
        first_edition::make(&mut beside).await;
        let said = refusal(&bench.location, UPSTREAM, Access::Visit).await;
        assert!(
            said.contains("its tables are of another version, 2 where this one knows"),
            "{said}"
        );
        let columns: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM pragma_table_info('refunds')")
            .fetch_one(&mut beside)
            .await
            .unwrap();
        bench.ledger().await.close().await;
        let after: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM pragma_table_info('refunds')")
            .fetch_one(&mut beside)
            .await
            .unwrap();
        assert!(after > columns);
        Ledger::open(&bench.location, UPSTREAM, Access::Visit).await.unwrap();
    })
    .await;
}
