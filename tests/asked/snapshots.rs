//! The ledger as it was at one moment, while others write to it.

use sunmi_trade::ledger::{Access, ClaimedAt, Filter, Ledger, State};

use crate::bench::{Bench, Kind, START, UPSTREAM, bring, on_every_ledger, refund};

on_every_ledger! {
    a_snapshot_shows_what_was_there_whatever_is_written_meanwhile
}

async fn a_snapshot_shows_what_was_there_whatever_is_written_meanwhile(bench: &Bench) {
    // A ledger in memory has one connection, so nobody writes to it meanwhile.
    if bench.kind == Kind::Memory {
        return;
    }
    let writer = bench.ledger().await;
    bring(&writer, &refund("R1"), State::InDoubt).await;
    bring(&writer, &refund("R2"), State::NotApplied).await;
    let reader = Ledger::open(&bench.location, UPSTREAM, Access::Visit).await.unwrap();
    let all = Filter::default();
    let mut snapshot = reader.snapshot().await.unwrap();
    let first = snapshot.search(&all, None, 1).await.unwrap();
    assert_eq!(first[0].key.order_id.as_str(), "R2");

    // It moves ahead of all pages, and others come and change.
    bench.pass(std::time::Duration::from_secs(1));
    bring(&writer, &refund("R3"), State::Settled).await;
    let row = writer.of_number("R1").await.unwrap().remove(0);
    let because = sunmi_trade::ledger::Decision { by: "me".into(), reason: "a test".into() };
    assert!(writer.decide(&row, None, &because).await.unwrap());
    assert_eq!(writer.count(&all).await.unwrap(), 3);

    let after = ClaimedAt { time: START, key: first[0].key.clone() };
    let rest = snapshot.search(&all, Some(&after), 10).await.unwrap();
    let rest: Vec<_> = rest.iter().map(|row| (row.key.order_id.as_str(), row.state)).collect();
    assert_eq!(rest, [("R1", State::InDoubt)]);
    assert_eq!(snapshot.of_number("R3").await.unwrap().len(), 0);
    drop(snapshot);
    assert_eq!(reader.snapshot().await.unwrap().of_number("R3").await.unwrap().len(), 1);
}
