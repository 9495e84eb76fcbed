use super::*;

fn payment(order_id: &str) -> Payment {
    Payment { order_id: order_id.to_owned(), amount: 1_000, ..Payment::default() }
}

fn past(order_id: &str, original: &str, state: &str) -> PastRefund {
    let (order_id, original) = (order_id.to_owned(), original.to_owned());
    PastRefund { order_id, original, amount: 100, state: state.to_owned(), age_ms: 0, app_id: None }
}

#[test]
fn a_refund_on_the_device_grows_the_total_under_no_number() {
    let book = &mut book();
    book.refund_on_device("DEMO-1", 9_000, MS).unwrap();
    assert_eq!(total_at(book, "DEMO-1", 0), "9000");
    assert_eq!(refund(book, "R1", "DEMO-1", "1001").code, "E22");
    assert!(book.executions().is_empty());
    assert!(!book.orders().iter().any(|it| it.kind == Kind::Refund));
    assert_eq!(book.device_refunds()[0].amount, 9_000);
    let table = [("DEMO-1", 1_001), ("DEMO-1", 0), ("nothing", 1)];
    for (name, amount) in table {
        assert!(book.refund_on_device(name, amount, MS).is_err(), "{name} {amount}");
    }
}

#[test]
fn a_settled_refund_is_returned_once() {
    for keeps_state in [false, true] {
        let book = &mut book();
        refund(book, "R1", "DEMO-1", "100");
        refund(book, "R1", "DEMO-1", "100");
        book.return_refund("R1", keeps_state, MS + 7).unwrap();
        assert_eq!(total_at(book, "DEMO-1", 7), "100");
        let returned: Vec<_> = book.executions().iter().map(|it| it.returned_at_ms).collect();
        assert_eq!(returned, [None, Some(MS + 7)]);
        assert_eq!(state_at(book, "R1", 7), if keeps_state { "3" } else { "5" });
        book.return_refund("R1", keeps_state, MS + 8).unwrap();
        assert!(book.return_refund("R1", keeps_state, MS + 9).is_err());
        assert_eq!(total_at(book, "DEMO-1", 9), "0");
    }
}

#[test]
fn only_what_settled_is_returned() {
    let book = &mut book();
    book.set_course(Course { seconds: 9, fails: false });
    refund(book, "R1", "DEMO-1", "100");
    assert!(book.return_refund("R1", false, MS + 8_999).is_err());
    assert!(book.return_refund("R1", false, MS + 9_000).is_ok());
    book.set_course(Course { seconds: 0, fails: true });
    refund(book, "R2", "DEMO-1", "100");
    assert!(book.return_refund("R2", false, MS + 9_000).is_err());
}

#[test]
fn a_refund_from_before_stays_in_its_state_and_is_no_execution() {
    for (state, total) in [("3", "100"), ("1", "100"), ("5", "0")] {
        let book = &mut book();
        book.enter_refund(past("R1", "DEMO-1", state), MS).unwrap();
        assert_eq!(state_at(book, "R1", 99_000), state);
        assert_eq!(total_at(book, "DEMO-1", 0), total, "{state}");
        assert!(book.executions().is_empty());
        assert_eq!(book.return_refund("R1", false, MS).is_ok(), state == "3");
    }
    let book = &mut book();
    assert!(book.enter_refund(past("R1", "nothing", "3"), MS).is_err());
    book.set_lag(5);
    book.enter_refund(PastRefund { age_ms: 5_000, ..past("R1", "DEMO-1", "3") }, MS).unwrap();
    assert_eq!(query_at(book, "R1", 0).code, "1");
}

#[test]
fn a_payment_has_the_names_that_it_is_given() {
    let book = &mut book();
    let none = Some(String::new());
    for payment in [
        Payment { mis_id: Some("M".to_owned()), platform_id: none.clone(), ..payment("P1") },
        Payment { platform_id: Some("L".to_owned()), ..payment("") },
        Payment { asked_as: Some("A".to_owned()), mis_id: Some("M2".to_owned()), ..payment("") },
        payment("P4"),
    ] {
        book.enter(payment, MS).unwrap();
    }
    let table = [
        ("misId", "M", ["P1", "M", ""]),
        ("platformId", "L", ["", "", "L"]),
        ("orderId", "A", ["", "M2", ""]),
        ("misId", "P4-MIS", ["P4", "P4-MIS", "P4-PLATFORM"]),
    ];
    for (name, value, names) in table {
        let data = query(book, name, value).data.unwrap();
        assert_eq!(["orderId", "misId", "platformId"].map(|it| data[it].as_str().unwrap()), names);
    }
    let nameless = Payment { mis_id: none.clone(), platform_id: none, ..payment("") };
    assert_eq!(book.enter(nameless, MS), Err(Impossible::Nameless));
}

#[test]
fn a_payment_can_be_changed() {
    let book = &mut book();
    for (state, code) in [("4", "D04"), ("5", "T01"), ("2", "T01"), ("3", "1")] {
        let change = Change {
            order_id: "DEMO-1-PLATFORM".to_owned(),
            state: Some(state.to_owned()),
            amount: None,
        };
        book.change(change).unwrap();
        assert_eq!(state_at(book, "DEMO-1", 0), state);
        assert_eq!(refund(book, "R1", "DEMO-1", "100").code, code, "{state}");
    }
    let change = Change { order_id: "DEMO-1".to_owned(), state: None, amount: Some(150) };
    book.change(change).unwrap();
    assert_eq!(refund(book, "R2", "DEMO-1", "51").code, "E22");
    assert_eq!(refund(book, "R2", "DEMO-1", "50").code, "1");
    let change = Change { order_id: "nothing".to_owned(), ..Change::default() };
    assert_eq!(book.change(change), Err(Impossible::NoPayment("nothing".to_owned())));
}

#[test]
fn an_execution_names_its_payment_whatever_it_was_asked_by() {
    let book = &mut book();
    let form = signed(&[
        ("orderId", "R1"),
        ("oriPlatformId", "DEMO-2-PLATFORM"),
        ("amount", "100"),
        ("businessId", "B1"),
    ]);
    book.handle_ms(Endpoint::Refund, &form, MS + 250);
    let [only] = book.executions() else { panic!("{:?}", book.executions()) };
    assert_eq!((only.app_id.as_str(), only.at_ms, only.amount), ("sandbox", MS + 250, 100));
    assert_eq!(only.payment_names, book.orders()[only.payment].names());
    assert_eq!(only.payment_names.order_id, "DEMO-2");
    assert_eq!(book.orders()[only.refund].order_id, "R1");
}
