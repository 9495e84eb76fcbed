//! Which ledger it is, and whose.

use sunmi_trade::error::Chain;
use sunmi_trade::ledger::{Access, Decision, Ledger, Location, State};

use crate::bench::{Bench, Kind, STATES, UPSTREAM, bring, on, on_every_ledger, refund};

on_every_ledger! {
    a_ledger_knows_whether_it_was_made_just_now_and_what_it_has
}

async fn a_ledger_knows_whether_it_was_made_just_now_and_what_it_has(bench: &Bench) {
    let ledger = bench.ledger().await;
    let made = ledger.identity().await.unwrap();
    assert_eq!((made.new, made.rows, made.open), (true, 0, 0));
    assert!(!made.id.is_empty());
    let again = ledger.identity().await.unwrap();
    assert_eq!((again.new, &again.id), (false, &made.id));
    for state in STATES {
        bring(&ledger, &refund(state.name()), state).await;
    }
    let full = bench.another(&ledger).await.identity().await.unwrap();
    assert_eq!((full.new, full.rows, full.open), (false, 5, 3));
    assert_eq!(full.id, made.id);
}

fn person() -> Decision {
    Decision { by: "Zoë".to_owned(), reason: "a new address; '\"--".to_owned() }
}

#[tokio::test]
async fn a_ledger_is_served_from_where_it_is_and_made_only_where_that_is_asked_for() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        on(kind, async |bench: &Bench| {
            let existing =
                async || Ledger::open(&bench.location, UPSTREAM, Access::ServeExisting).await;
            let said = Chain(&existing().await.unwrap_err()).to_string();
            let expected = match kind {
                Kind::Memory | Kind::Sqlite => "there is no such file",
                Kind::Postgres => "there is no ledger in it, and none is to be made",
            };
            assert!(said.contains(expected), "{said}");
            // Nothing was made by that.
            existing().await.unwrap_err();
            if let Location::Sqlite(path) = &bench.location {
                assert!(!path.exists());
                // An empty file is no ledger either: a volume that was made anew.
                std::fs::File::create(path).unwrap();
                let said = Chain(&existing().await.unwrap_err()).to_string();
                assert!(said.contains("there is no ledger in it"), "{said}");
                std::fs::remove_file(path).unwrap();
            }
            let ledger = bench.ledger().await;
            let made = ledger.identity().await.unwrap();
            bring(&ledger, &refund("R1"), State::Claimed).await;
            drop(ledger);
            let found = existing().await.unwrap().identity().await.unwrap();
            assert_eq!((found.new, found.rows, found.id), (false, 1, made.id));
        })
        .await;
    }
}

#[tokio::test]
async fn a_ledger_in_memory_is_never_there_already() {
    let existing = Ledger::open(&Location::Memory, UPSTREAM, Access::ServeExisting).await;
    let said = Chain(&existing.unwrap_err()).to_string();
    assert!(said.contains("there is no ledger in it"), "{said}");
}

#[tokio::test]
async fn a_ledger_moves_to_another_upstream_by_a_persons_word_alone() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        on(kind, async |bench: &Bench| {
            let ledger = bench.ledger().await;
            bring(&ledger, &refund("R1"), State::Settled).await;
            drop(ledger);
            let anybodys = Ledger::open_of_any_upstream(&bench.location).await.unwrap();
            let error = anybodys.rehome(UPSTREAM, &person()).await.unwrap_err();
            assert!(Chain(&error).to_string().contains("already"));
            assert_eq!(anybodys.rehome("sunmi", &person()).await.unwrap(), UPSTREAM);
            drop(anybodys);
            let old = Ledger::open(&bench.location, UPSTREAM, Access::Serve).await.unwrap_err();
            let said = Chain(&old).to_string();
            assert!(said.contains("it belongs to the upstream sunmi"), "{said}");
            let moved = Ledger::open(&bench.location, "sunmi", Access::Serve).await.unwrap();
            assert_eq!(moved.identity().await.unwrap().rows, 1);
            // Who did it, and why, is kept.
            let kept: String =
                sqlx::query_scalar("SELECT value FROM ledger_facts WHERE name LIKE 'rehomed at %'")
                    .fetch_one(&mut bench.beside().await)
                    .await
                    .unwrap();
            let expected = format!("from {UPSTREAM} to sunmi by Zoë: {}", person().reason);
            assert_eq!(kept, expected);
        })
        .await;
    }
}
