use super::*;

#[test]
fn payments_that_are_not_found_can_be_refunded_all_the_same() {
    let book = &mut book();
    book.settings_mut().payments_queryable = false;
    assert_eq!(query(book, "orderId", "DEMO-1").code, "E19");
    assert_eq!(refund(book, "R1", "DEMO-1", "100").code, "1");
    assert_eq!(query(book, "orderId", "R1").code, "1");
}

#[test]
fn a_refused_refund_is_kept_as_failed_if_so_set() {
    let table = [
        ("DEMO-2", "5001", "E22", true),
        ("DEMO-ENDED", "1", "D04", true),
        ("DEMO-UNPAID", "1", "T01", true),
        ("nothing", "1", "E19", true),
        ("DEMO-2", "none", "Q03", false),
    ];
    for (original, amount, code, kept) in table {
        let book = &mut book();
        for keep_refused in [false, true] {
            book.settings_mut().keep_refused = keep_refused;
            assert_eq!(refund(book, "R1", original, amount).code, code);
            let found = query(book, "orderId", "R1");
            let expected = if keep_refused && kept { "1" } else { "E19" };
            assert_eq!(found.code, expected, "{original} {keep_refused}");
        }
        if kept {
            let data = query(book, "orderId", "R1").data.unwrap();
            let shown = ["state", "amount", "orderType", "msn"].map(|it| data[it].clone());
            assert_eq!(shown, ["5", amount, "1", "M1"].map(Value::from), "{original}");
        }
        assert!(book.executions().is_empty());
        assert_eq!(total_at(book, "DEMO-2", 0), "0");
    }
}

#[test]
fn refunds_are_refused_with_the_code_that_is_set() {
    let book = &mut book();
    book.settings_mut().refuse_with = Some("T04".to_owned());
    assert_eq!(refund(book, "R1", "DEMO-1", "100").code, "T04");
    assert!(book.executions().is_empty());
    *book.settings_mut() = Settings { refuse_partial: true, ..Settings::default() };
    assert_eq!(refund(book, "R1", "DEMO-2", "4999").code, "T13");
    assert_eq!(refund(book, "R1", "DEMO-ENDED", "1").code, "D04");
    assert_eq!(refund(book, "R1", "DEMO-2", "5001").code, "E22");
    assert_eq!(refund(book, "R1", "DEMO-2", "5000").code, "1");
}

#[test]
fn an_answer_names_the_originals_that_are_set() {
    let book = &mut book();
    let none = (None, None);
    let some = |mis: &str, order: &str| (Some(json!(mis)), Some(json!(order)));
    let table = [
        (Originals::Echoed, some("DEMO-1-MIS", "DEMO-1")),
        (Originals::Absent, none),
        (Originals::Empty, some("", "")),
        (Originals::Other, some("DEMO-FAILED-MIS", "DEMO-FAILED")),
    ];
    for (echo_originals, expected) in table {
        book.settings_mut().echo_originals = echo_originals;
        let data = refund(book, "R1", "DEMO-1", "1").data.unwrap();
        let named = (data.get("oriMisId").cloned(), data.get("oriOrderId").cloned());
        assert_eq!(named, expected, "{echo_originals:?}");
        assert_eq!(data["businessId"], "B1");
    }
    book.settings_mut().business_id = Some("B9".to_owned());
    assert_eq!(refund(book, "R1", "DEMO-1", "1").data.unwrap()["businessId"], "B9");
}

/// Books of two `app_id`s, and a call of one of them.
fn code_of(book: &mut Book, app_id: &str, endpoint: Endpoint, pairs: &[(&str, &str)]) -> String {
    let key = AppKey::new(format!("key-{app_id}"));
    let form = signed_with(&key, &[pairs, &[("app_id", app_id)]].concat());
    book.handle_ms(endpoint, &form, MS).code
}

fn shared_book() -> Book {
    let credentials = ["one", "two"].map(|app_id| Credential {
        app_id: crate::trade::Identifier::parse(app_id.to_owned()).unwrap(),
        keys: Arc::new(KeyRing::parse(format!("key-{app_id}").as_bytes()).unwrap()),
        file: None,
    });
    Book::new(&credentials, NOW)
}

#[test]
fn app_ids_share_payments_but_for_those_of_one() {
    let book = &mut shared_book();
    let payment = Payment {
        order_id: "P1".to_owned(),
        amount: 100,
        app_id: Some("one".to_owned()),
        ..Payment::default()
    };
    book.enter(payment, MS).unwrap();
    for (app_id, number, code) in
        [("one", "P1", "1"), ("two", "P1", "E19"), ("one", "DEMO-1", "1"), ("two", "DEMO-1", "1")]
    {
        let asked = [("orderId", number)];
        assert_eq!(code_of(book, app_id, Endpoint::Query, &asked), code, "{app_id} {number}");
        let asked =
            [("orderId", "R"), ("oriOrderId", number), ("amount", "1"), ("businessId", "B")];
        assert_eq!(code_of(book, app_id, Endpoint::Refund, &asked), code, "{app_id} {number}");
    }
}

#[test]
fn numbers_are_of_all_or_of_each_app_id() {
    for (numbers_per_app, found) in [(false, "1"), (true, "E19")] {
        let book = &mut shared_book();
        book.settings_mut().numbers_per_app = numbers_per_app;
        let asked =
            [("orderId", "R"), ("oriOrderId", "DEMO-1"), ("amount", "1"), ("businessId", "B")];
        assert_eq!(code_of(book, "one", Endpoint::Refund, &asked), "1");
        assert_eq!(code_of(book, "one", Endpoint::Query, &[("orderId", "R")]), "1");
        assert_eq!(code_of(book, "two", Endpoint::Query, &[("orderId", "R")]), found);
    }
}
