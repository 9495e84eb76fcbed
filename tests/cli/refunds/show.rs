//! `refunds show` and `refunds list`.

use sunmi_trade::sandbox::book::{Course, PastRefund};
use sunmi_trade::sandbox::faults::Answer;
use sunmi_trade::trade::Refund;

use super::world::{AMOUNT, LONG_AGO, NOW, World, field, refund};

#[tokio::test(flavor = "multi_thread")]
async fn a_page_has_all_of_a_refund_in_doubt_and_what_its_payments_total_is_now() {
    let world = World::new("a_page").await;
    world.lose("R1", true, NOW).await;
    let page = world.done(&["show", "R1"]);
    for (name, value) in [
        ("order_id", "R1"),
        ("app_id", "sandbox"),
        ("amount_minor", "10"),
        ("msn", "device"),
        ("business_id", "business"),
        ("original", "order_id P"),
        ("caller", "shop"),
        ("state", "in_doubt"),
        ("epoch", "1"),
        ("needs a person", "no"),
        ("claim order", "1"),
        ("told", "no"),
        ("free", "yes: the number was not there before its first send"),
        ("absent", "yes: the number was not there before this claim's send"),
        ("accepted", "not as far as is known"),
        ("baseline", "total 0, state SUCCEEDED, amount 1000"),
        ("ledger then", "0 refunded"),
        ("others open then", "none"),
        ("payment now", "total 10, state SUCCEEDED, amount 1000"),
        (
            "since then",
            "the total grew by exactly the amount of this refund, 10; another refund of the same \
             amount would look the same",
        ),
    ] {
        assert_eq!(field(&page, name), value, "{name}:\n{page}");
    }
    assert!(field(&page, "payment names").contains("order_id P, mis_id "), "{page}");
    assert!(field(&page, "window until").contains(", in 1 h 1 min"), "{page}");
    assert!(field(&page, "why").contains("closed"), "{page}");
    assert!(field(&page, "next").starts_with("Wait until "), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sunmi_said_last_is_shown_and_what_needs_a_person_says_how_to_decide() {
    let world = World::new("what_sunmi_said").await;
    world.sandbox.with_book(|book| book.set_refunds_queryable(false));
    world.spoil(false, Answer::Code("T04".to_owned()));
    world.refund("CODE", LONG_AGO).await.unwrap_err();
    let page = world.done(&["show", "CODE"]);
    assert_eq!(field(&page, "Sunmi's code"), "T04");
    assert_eq!(field(&page, "since then"), "the total has not changed");
    assert_eq!(field(&page, "needs a person"), "yes");
    assert!(field(&page, "window until").ends_with(" ago"), "{page}");
    let how = "record it: `sunmi-trade refunds settle CODE --app-id sandbox --epoch 1` with \
               --succeeded or --not-applied, --by and --reason.";
    assert!(field(&page, "next").ends_with(how), "{page}");

    let acknowledged = [refund("CODE").order_id].into();
    world.spoil(false, Answer::status(403));
    world.refund_of(Refund { acknowledged, ..refund("STATUS") }, NOW).await.unwrap_err();
    let page = world.done(&["show", "STATUS", "--offline"]);
    assert_eq!(field(&page, "HTTP status"), "403");
    assert_eq!(field(&page, "others open then"), "CODE of sandbox, epoch 1, 10");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_lives_says_for_how_long() {
    let world = World::new("a_claim").await;
    world.claim("R1", NOW).await;
    let page = world.done(&["show", "R1", "--offline"]);
    assert_eq!(field(&page, "state"), "claimed");
    let lease = field(&page, "lease until");
    let left = lease.rsplit_once(", in ").expect("a lease that lasts").1;
    assert!(left == "1 min 5 s" || left == "1 min 4 s" || left == "1 min 3 s", "{page}");
    assert!(field(&page, "next").ends_with("until then it may still be sent."), "{page}");
    assert_eq!(field(&page, "baseline"), "none: nobody looked at the payment before the send");
    assert_eq!(field(&page, "payment names"), "none found");
}

#[tokio::test(flavor = "multi_thread")]
async fn that_sunmi_cannot_be_asked_is_said_and_is_no_error() {
    let mut world = World::new("cannot_be_asked").await;
    world.lose("R1", true, NOW).await;
    let key = ("SUNMI_TRADE_APP_KEY", "SUNMI_TRADE_APP_ID");
    for name in [key.0, key.1] {
        world.set(name, None);
    }
    let page = world.done(&["show", "R1"]);
    let why = "could not be asked: no credentials are set, and nothing can be signed";
    assert_eq!(field(&page, "payment now"), why);
    assert!(!world.done(&["show", "R1", "--offline"]).contains("payment now"));
    let ran = world.run(&["resolve", "R1"]);
    assert_eq!(ran.status, Some(64), "{ran:?}");
    assert!(ran.stderr.contains("credentials: none are set"), "{ran:?}");

    world.set(key.0, Some("another-key"));
    world.set(key.1, Some("sandbox"));
    let page = world.done(&["show", "R1"]);
    assert!(field(&page, "payment now").starts_with("could not be asked: "), "{page}");
    assert_eq!(field(&page, "state"), "in_doubt");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_says_of_each_what_it_is_and_why_in_a_word() {
    let world = World::new("a_list").await;
    world.lose("LOST", true, LONG_AGO).await;
    let knows_of = |number: &str, of: &[&str]| {
        let acknowledged = of.iter().map(|it| refund(it).order_id).collect();
        Refund { acknowledged, ..refund(number) }
    };
    world.refund_of(knows_of("DONE", &["LOST"]), NOW).await.unwrap();
    let much = Refund { amount: 5000, ..knows_of("MUCH", &["LOST"]) };
    world.refund_of(much, NOW).await.unwrap_err();
    world.sandbox.with_book(|book| {
        book.set_course(Course { seconds: 3600, fails: false });
        let found = PastRefund {
            order_id: "OLD".into(),
            original: "P".into(),
            amount: AMOUNT,
            state: "3".into(),
            age_ms: 0,
            app_id: None,
        };
        book.enter_refund(found, 0).unwrap();
    });
    world.refund_of(knows_of("SLOW", &["LOST"]), NOW).await.unwrap();
    world.refund_of(knows_of("OLD", &["LOST"]), NOW).await.unwrap_err();
    let listed = world.done(&["list"]);
    let mut lines: Vec<Vec<&str>> =
        listed.lines().map(|line| line.split_whitespace().skip(1).collect()).collect();
    lines.sort_unstable_by_key(|line| line.get(3).copied());
    assert_eq!(
        lines,
        [
            ["settled", "-", "sandbox", "DONE", "10", "succeeded"],
            ["in_doubt", "person", "sandbox", "LOST", "10", "no-answer"],
            ["not_applied", "-", "sandbox", "MUCH", "5000", "E22"],
            ["in_doubt", "person", "sandbox", "OLD", "10", "found-before"],
            ["processing", "-", "sandbox", "SLOW", "10", "accepted"],
        ],
        "{listed}"
    );
    assert_eq!(world.done(&["list", "--state", "processing"]).lines().count(), 1);
    assert_eq!(world.done(&["list", "--limit", "2"]).lines().count(), 2);
    let page = world.done(&["show", "MUCH", "--offline"]);
    assert_eq!(field(&page, "told"), "yes: a caller was told that it was not applied");
    assert_eq!((field(&page, "Sunmi's code"), field(&page, "Sunmi said")), ("E22", "退款金额有误"));
    let why = "REFUND_AMOUNT_WRONG: the looks before the send show that it had to come";
    assert_eq!(field(&page, "refused with"), why);
    let page = world.done(&["show", "SLOW", "--offline"]);
    assert_eq!(field(&page, "accepted"), "yes: Sunmi accepted a refund under the number");
    assert_eq!(field(&page, "evidence"), "REPLY");
}
