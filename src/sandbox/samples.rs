//! What stands in the books at the start: the orders of the document's samples, so that
//! its sample replies come back as printed, and orders to try things on.

use super::book::{Card, Day, Kind, Order, RefundNumbers};

/// The payments.
pub(super) fn orders(now: i64) -> Vec<Order> {
    let mut orders = vec![sample_query(), sample_original()];
    let demo = [
        ("1", "alipay", 10_000, "3"),
        ("2", "wxpay", 5_000, "3"),
        ("3", "unionpay", 1, "3"),
        ("CREATED", "alipay", 10_000, "1"),
        ("UNPAID", "alipay", 10_000, "2"),
        ("ENDED", "alipay", 10_000, "4"),
        ("FAILED", "alipay", 10_000, "5"),
    ];
    for (name, platform, amount, state) in demo {
        orders.push(Order {
            platform: platform.to_owned(),
            state: state.to_owned(),
            ..Order::payment(&format!("DEMO-{name}"), amount, now)
        });
    }
    orders
}

/// The order of the sample reply in 2.1.5. The request in 2.1.3 asks for it by a number
/// that the reply does not echo.
fn sample_query() -> Order {
    Order {
        kind: Kind::Payment,
        amount: 2,
        business_id: String::new(),
        mis_id: "wqwqqqwwwwww78".to_owned(),
        msn: "TL05D91940002".to_owned(),
        order_id: String::new(),
        asked_as: Some("40000734324823473432".to_owned()),
        pay_time: 1_561_454_238,
        platform: "alipay".to_owned(),
        platform_id: "SDPPDS434890114".to_owned(),
        refunded: 2,
        state: "3".to_owned(),
        app_id: None,
    }
}

/// The payment that the sample request in 2.2.3 refunds, with enough to refund it often.
fn sample_original() -> Order {
    Order {
        mis_id: "wqwqqqwwwwwwweqwhhh".to_owned(),
        order_id: String::new(),
        asked_as: Some("1489834523642384".to_owned()),
        ..Order::payment("SAMPLE", 10_000, 1_558_510_181)
    }
}

/// The numbers that Sunmi gave the refund of the sample reply in 2.2.5, if it is that one.
pub(super) fn refund_numbers(refund: &str, original: &Order) -> Option<RefundNumbers> {
    let sample = refund == "sda1212" && original.asked_as.as_deref() == Some("1489834523642384");
    sample.then(|| RefundNumbers {
        mis_id: "F96BDF328214623929EC91".to_owned(),
        order_id: "PS201905221509421".to_owned(),
        platform_id: "SDPPDS434916053".to_owned(),
        business_id: String::new(),
        pay_time: 1_561_460_091,
    })
}

/// The card trades.
pub(super) fn cards() -> Vec<Card> {
    vec![
        Card {
            // The request in 2.3.3 asks for a day on which, by its payTime, the trade of
            // the reply was not made. Both find it.
            day: Day::On(vec!["20190520".to_owned(), "20190630".to_owned()]),
            amount: 19_900,
            order_id: "201906300600003".to_owned(),
            platform_id: "331916913".to_owned(),
            pay_time: Some(1_561_892_597),
        },
        Card {
            day: Day::Today,
            amount: 8_800,
            order_id: "DEMO-CARD-1".to_owned(),
            platform_id: "DEMO-CARD-PLATFORM-1".to_owned(),
            pay_time: None,
        },
    ]
}
