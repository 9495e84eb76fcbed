//! Which refunds a filter finds, and in which order.

use std::time::Duration;

use sunmi_trade::ledger::{
    ClaimedAt, Decision, Filter, Ledger, Looked, Patience, Sight, Span, State,
};
use sunmi_trade::trade::{Note, OrderRef, PaymentNames, Refund};

use crate::bench::{Bench, LEASE, START, bring, claim, claim_after, id, on_every_ledger, refund};

on_every_ledger! {
    each_condition_finds_what_fits_it
    pages_are_one_after_another_whatever_is_claimed_meanwhile
    what_needs_a_person_is_what_is_counted_as_such
    who_asked_and_why_is_kept_and_emptied_with_the_rest
}

const HOUR: Duration = Duration::from_secs(3600);
const PATIENCE: Patience = Patience { window: HOUR, processing: HOUR };

async fn found(ledger: &Ledger, filter: &Filter) -> Vec<String> {
    let rows = ledger.search(filter, None, 100).await.unwrap();
    rows.into_iter().map(|row| row.key.order_id.to_string()).collect()
}

async fn each_condition_finds_what_fits_it(bench: &Bench) {
    let ledger = bench.ledger().await;
    let of_till = Refund { caller: Some("till".into()), ..refund("R1") };
    bring(&ledger, &of_till, State::Settled).await;
    bench.pass(Duration::from_secs(1));
    let of_other = Refund { app_id: id("other"), business_id: id("B2"), ..refund("R2") };
    bring(&ledger, &of_other, State::InDoubt).await;
    bench.pass(Duration::from_secs(1));
    let by_register =
        Refund { original: OrderRef::MisId(id("M3")), caller: Some("web".into()), ..refund("R3") };
    let name = |name: &str| Some(name.to_owned());
    let names =
        PaymentNames { platform_id: name("PL3"), order_id: name("PO3"), mis_id: name("M3") };
    claim_after(&ledger, &by_register, &Looked { names, ..Looked::default() }).await;

    let all = Filter::default;
    let span = |since: Option<i64>, until: Option<i64>| Span { since, until };
    let seen_by = |app_ids: Option<Vec<_>>, caller: Option<&str>| Sight {
        app_ids,
        caller: caller.map(str::to_owned),
    };
    let table: Vec<(&str, Filter, &[&str])> = vec![
        ("all", all(), &["R3", "R2", "R1"]),
        ("app_id", Filter { app_id: Some(id("other")), ..all() }, &["R2"]),
        ("state", Filter { states: vec![State::Settled], ..all() }, &["R1"]),
        ("open", Filter { states: vec![State::InDoubt, State::Claimed], ..all() }, &["R3", "R2"]),
        ("business", Filter { business_id: Some(id("B2")), ..all() }, &["R2"]),
        ("caller", Filter { caller: Some("web".to_owned()), ..all() }, &["R3"]),
        ("named original", Filter { original: Some(id("P-R1")), ..all() }, &["R1"]),
        ("register", Filter { original: Some(id("M3")), ..all() }, &["R3"]),
        ("platform", Filter { original: Some(id("PL3")), ..all() }, &["R3"]),
        ("found original", Filter { original: Some(id("PO3")), ..all() }, &["R3"]),
        ("no original", Filter { original: Some(id("R1")), ..all() }, &[]),
        ("since", Filter { claimed: span(Some(START + 1000), None), ..all() }, &["R3", "R2"]),
        ("until", Filter { claimed: span(None, Some(START + 1000)), ..all() }, &["R1"]),
        (
            "changed",
            Filter { changed: span(Some(START), Some(START + 2000)), ..all() },
            &["R2", "R1"],
        ),
        (
            "app_ids",
            Filter { sight: seen_by(Some(vec![id("app"), id("x")]), None), ..all() },
            &["R3", "R1"],
        ),
        ("no app_ids", Filter { sight: seen_by(Some(Vec::new()), None), ..all() }, &[]),
        ("own", Filter { sight: seen_by(None, Some("till")), ..all() }, &["R1"]),
        (
            "own, of another",
            Filter { sight: seen_by(None, Some("till")), caller: Some("web".to_owned()), ..all() },
            &[],
        ),
        (
            "two",
            Filter { business_id: Some(id("business")), states: vec![State::Claimed], ..all() },
            &["R3"],
        ),
    ];
    for (name, filter, expected) in table {
        assert_eq!(found(&ledger, &filter).await, expected, "{name}");
        let rows = ledger.search(&filter, None, 100).await.unwrap();
        assert!(rows.iter().all(|row| filter.sight.sees(row)), "{name}");
    }
}

async fn pages_are_one_after_another_whatever_is_claimed_meanwhile(bench: &Bench) {
    let ledger = bench.ledger().await;
    // Several at the same time, so that only their keys tell them apart.
    for number in 0..10 {
        claim(&ledger, &refund(&format!("R{number}"))).await;
        if number % 4 == 3 {
            bench.pass(Duration::from_secs(1));
        }
    }
    let before = found(&ledger, &Filter::default()).await;
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let page = ledger.search(&Filter::default(), after.as_ref(), 3).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(ClaimedAt::of(last));
        paged.extend(page.iter().map(|row| row.key.order_id.to_string()));
        bench.pass(Duration::from_millis(1));
        claim(&ledger, &refund(&format!("new-{}", paged.len()))).await;
    }
    assert_eq!(paged, before);
}

async fn what_needs_a_person_is_what_is_counted_as_such(bench: &Bench) {
    let ledger = bench.ledger().await;
    for (number, state) in [
        ("claimed", State::Claimed),
        ("doubt", State::InDoubt),
        ("processing", State::Processing),
        ("settled", State::Settled),
        ("not-applied", State::NotApplied),
    ] {
        bring(&ledger, &refund(number), state).await;
        bench.pass(Duration::from_millis(1));
    }
    let told = bring(&ledger, &refund("told"), State::InDoubt).await;
    assert!(ledger.needs_person(&told.key, told.epoch).await.unwrap());
    let filter = Filter { needs_person: Some(PATIENCE), ..Filter::default() };
    let one = async |expected: &[&str]| {
        assert_eq!(found(&ledger, &filter).await, expected);
        let doubts = ledger.doubts(PATIENCE).await.unwrap();
        assert_eq!(doubts.persons, i64::try_from(expected.len()).unwrap());
    };
    one(&["told"]).await;
    bench.pass(HOUR);
    one(&["told", "processing"]).await;
    bench.pass(LEASE);
    one(&["told", "processing"]).await;
    bench.pass(HOUR);
    one(&["told", "processing", "doubt", "claimed"]).await;
    let row = &ledger.of_number("doubt").await.unwrap()[0];
    let decision = Decision { by: "Li".to_owned(), reason: "statement".to_owned() };
    assert!(ledger.decide(row, None, &decision).await.unwrap());
    one(&["told", "processing", "claimed"]).await;
}

async fn who_asked_and_why_is_kept_and_emptied_with_the_rest(bench: &Bench) {
    let ledger = bench.ledger().await;
    let note = Note { operator: Some("李雷".to_owned()), reason: Some("broken".to_owned()) };
    let noted = Refund { note: note.clone(), ..refund("R1") };
    assert_eq!(noted.content_hash(), refund("R1").content_hash());
    let row = bring(&ledger, &noted, State::NotApplied).await;
    assert_eq!(row.note, note);
    // A new claim of the number is a new wish.
    let rows = vec![(row.key.clone(), row.change)];
    let again = Looked { epoch: 1, rows, ..Looked::default() };
    let other = Note { operator: Some("Han".to_owned()), reason: None };
    let row = claim_after(&ledger, &Refund { note: other.clone(), ..noted.clone() }, &again).await;
    assert_eq!((row.epoch, &row.note), (2, &other));
    crate::bench::move_to(&ledger, &row.key, 2, State::Settled).await;
    bench.pass(HOUR);
    assert_eq!(ledger.purge(HOUR).await.unwrap(), 1);
    assert_eq!(ledger.row(&row.key).await.unwrap().note, Note::default());
    // One that was found before it was sent keeps it, too.
    let found = Refund { note: note.clone(), ..refund("R2") };
    assert!(ledger.record_found(&found, &Looked::default(), "found").await.unwrap());
    assert_eq!(ledger.of_number("R2").await.unwrap()[0].note, note);
}
