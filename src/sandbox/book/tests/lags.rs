use super::*;

#[test]
fn numbers_and_totals_trail_separately() {
    for (number_lag_ms, total_lag_ms) in [(0, 1_500), (1_500, 0), (700, 1_500)] {
        let book = &mut book();
        *book.settings_mut() = Settings { number_lag_ms, total_lag_ms, ..Settings::default() };
        refund(book, "R1", "DEMO-1", "100");
        for ms in [0, 699, 700, 1_499, 1_500] {
            let number = if ms >= number_lag_ms { "1" } else { "E19" };
            let total = if ms >= total_lag_ms { "100" } else { "0" };
            assert_eq!(query_at(book, "R1", ms).code, number, "{number_lag_ms} {ms}");
            assert_eq!(total_at(book, "DEMO-1", ms), total, "{total_lag_ms} {ms}");
        }
    }
}

#[test]
fn a_state_is_shown_as_late_as_its_refund() {
    let book = &mut book();
    book.set_lag(5);
    book.set_course(Course { seconds: 9, fails: true });
    refund(book, "R1", "DEMO-1", "100");
    for (ms, state, total) in
        [(5_000, "1", "100"), (13_999, "1", "100"), (14_000, "5", "0"), (99_000, "5", "0")]
    {
        assert_eq!(state_at(book, "R1", ms), state, "{ms}");
        assert_eq!(total_at(book, "DEMO-1", ms), total, "{ms}");
    }
}

#[test]
fn a_return_trails_like_the_refund_did() {
    let book = &mut book();
    *book.settings_mut() =
        Settings { number_lag_ms: 1_000, total_lag_ms: 2_000, ..Settings::default() };
    refund(book, "R1", "DEMO-1", "100");
    book.return_refund("R1", false, MS + 10_000).unwrap();
    for (ms, state, total) in
        [(10_999, "3", "100"), (11_000, "5", "100"), (11_999, "5", "100"), (12_000, "5", "0")]
    {
        assert_eq!(state_at(book, "R1", ms), state, "{ms}");
        assert_eq!(total_at(book, "DEMO-1", ms), total, "{ms}");
    }
}

#[test]
fn a_total_can_be_absent() {
    let book = &mut book();
    book.settings_mut().totals_shown = false;
    let data = query(book, "orderId", "DEMO-1").data.unwrap();
    assert_eq!((data.get("refunded"), &data["state"]), (None, &json!("3")));
}

#[test]
fn settings_for_one_call_are_forgotten_after_it() {
    let book = &mut book();
    refund(book, "R1", "DEMO-1", "100");
    let patch = |json: Value| serde_json::from_value::<Patch>(json).unwrap();
    let late = patch(json!({"lag_ms": 60_000})).apply(book.settings());
    assert_eq!((late.number_lag_ms, late.total_lag_ms), (60_000, 60_000));
    let form = signed(&[("orderId", "R1")]);
    assert_eq!(book.handle_with(late, Endpoint::Query, &form, MS).code, "E19");
    assert_eq!(book.handle_ms(Endpoint::Query, &form, MS).code, "1");
}
