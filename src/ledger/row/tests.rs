use super::*;
use crate::trade::Identifier;

impl Row {
    /// A row that was claimed and has its answer, for tests to change.
    pub(crate) fn example() -> Self {
        Self {
            key: Key { app_id: id("app"), order_id: id("R1") },
            msn: "device".to_owned(),
            amount: Some(10),
            original: OrderRef::OrderId(id("P1")),
            business_id: "business".to_owned(),
            content_hash: Some(String::new()),
            state: State::Claimed,
            epoch: 1,
            claim_order: 1,
            change: 1,
            lease_until: 0,
            told: false,
            evidence: Known::default(),
            doubt: None,
            person: false,
            disputed: None,
            outcome: None,
            answer: None,
            claimed_at: 0,
            changed_at: 0,
            looks: 0,
            decided: None,
            caller: None,
            note: Note::default(),
            now: 0,
        }
    }
}

fn id(text: &str) -> Identifier {
    Identifier::parse(text.to_owned()).unwrap()
}

fn refund() -> Refund {
    Refund {
        app_id: id("app"),
        msn: id("device"),
        amount: 10,
        original: OrderRef::OrderId(id("P1")),
        order_id: id("R1"),
        business_id: id("business"),
        app_id_named: true,
        acknowledged: Box::default(),
        caller: None,
        day_bound: None,
        note: Note::default(),
    }
}

/// Refunds that differ from [`refund`] in one field of the content each.
fn others() -> [(&'static str, Refund); 5] {
    [
        ("msn", Refund { msn: id("another"), ..refund() }),
        ("amount_minor", Refund { amount: 11, ..refund() }),
        ("original", Refund { original: OrderRef::OrderId(id("P2")), ..refund() }),
        ("original", Refund { original: OrderRef::MisId(id("P1")), ..refund() }),
        ("business_id", Refund { business_id: id("another"), ..refund() }),
    ]
}

#[test]
fn the_content_is_compared_field_by_field_and_after_retention_by_its_hash() {
    let kept = Row { content_hash: Some(refund().content_hash()), ..Row::example() };
    let emptied =
        Row { amount: None, msn: String::new(), business_id: String::new(), ..kept.clone() };
    let of_first_edition = Row { content_hash: None, ..emptied.clone() };
    assert_eq!(kept.compare(&refund()), Content::Same);
    assert_eq!(emptied.compare(&refund()), Content::Same);
    assert_eq!(of_first_edition.compare(&refund()), Content::Forgotten);
    for (field, other) in others() {
        assert_ne!(other.content_hash(), refund().content_hash(), "{field}");
        assert_eq!(kept.compare(&other), Content::Differs(vec![field]));
        let Content::Differs(fields) = emptied.compare(&other) else {
            panic!("{field}: an emptied row answers for another content");
        };
        assert!(fields.contains(&field), "{field}: {fields:?}");
        let forgotten = match field {
            "original" => Content::Differs(vec!["original"]),
            _ => Content::Forgotten,
        };
        assert_eq!(of_first_edition.compare(&other), forgotten);
    }
}

#[test]
fn what_is_no_part_of_the_content_changes_nothing() {
    let other = Refund {
        app_id_named: false,
        acknowledged: Box::new([id("R9")]),
        caller: Some("somebody".into()),
        day_bound: Some(1),
        ..refund()
    };
    assert_eq!(other.content_hash(), refund().content_hash());
}

#[test]
fn what_was_found_before_its_send_is_told_though_the_clock_was_read_twice() {
    let found = Row { state: State::InDoubt, person: true, claimed_at: 8, ..Row::example() };
    for (lease_until, before) in [(7, true), (8, true), (9, true), (65_008, false)] {
        let row = Row { lease_until, ..found.clone() };
        assert_eq!(row.was_found_before_send(), before, "{lease_until}");
    }
}
