//! `refunds list` by filters and as JSON, and `refunds show --json`.

use serde_json::{Value, json};

use super::books::{Books, Entry, at, in_state, objects, succeeded};
use super::world::{LONG_AGO, World, now};

const HOUR: i64 = 3_600_000;

async fn fill(books: &Books) {
    let of_web = Entry {
        caller: Some("web"),
        original: "P2",
        ..succeeded("R2", at("2026-11-24T16:00:00Z"))
    };
    let other =
        Entry { app_id: "other", business_id: "B3", ..in_state("R3", now() - HOUR, "in_doubt") };
    let late = Entry {
        changed_at: at("2026-11-26T00:00:00Z"),
        ..succeeded("R1", at("2026-11-24T15:59:59.999Z"))
    };
    let fresh = Entry { lease_until: now() - 1, ..in_state("R5", now(), "in_doubt") };
    books
        .put([
            late,
            of_web,
            Entry { lease_until: 0, ..other },
            in_state("R4", now() - 2, "not_applied"),
            fresh,
        ])
        .await;
}

fn each_filter(books: &Books) {
    let table: &[(&[&str], &[&str])] = &[
        (&[], &["R5", "R4", "R3", "R2", "R1"]),
        (&["--limit", "2"], &["R5", "R4"]),
        (&["--state", "settled"], &["R2", "R1"]),
        (&["--state", "in_doubt,not_applied"], &["R5", "R4", "R3"]),
        (&["--state", "claimed", "--state", "not_applied"], &["R4"]),
        (&["--needs-person"], &["R3"]),
        (&["--app-id", "other"], &["R3"]),
        (&["--business-id", "B3"], &["R3"]),
        (&["--caller", "web"], &["R2"]),
        (&["--original", "P2"], &["R2"]),
        (&["--original", "P3"], &[]),
        (&["--claimed-until", "2026-11-25"], &["R1"]),
        (&["--claimed-since", "2026-11-25", "--state", "settled"], &["R2"]),
        (
            &[
                "--claimed-since",
                "2026-11-24T15:59:59.999Z",
                "--claimed-until",
                "2026-11-24T16:00:00Z",
            ],
            &["R1"],
        ),
        (&["--changed-since", "2026-11-26T08:00:00+08:00", "--state", "settled"], &["R1"]),
        (&["--changed-until", "2026-11-26T08:00:00+08:00", "--state", "settled"], &["R2"]),
        (&["--caller", "till", "--app-id", "app", "--state", "settled"], &["R1"]),
    ];
    for (filters, expected) in table {
        let args = [&["list"], *filters].concat();
        let listed = books.printed(&args);
        let numbers: Vec<&str> =
            listed.lines().map(|line| line.split_whitespace().nth(4).unwrap()).collect();
        assert_eq!(numbers, *expected, "{args:?}");
        let listed = books.objects(&[&args[..], &["--json"]].concat());
        let numbers: Vec<&str> = listed.iter().map(|it| it["order_id"].as_str().unwrap()).collect();
        assert_eq!(numbers, *expected, "{args:?} --json");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_filter_lists_what_fits_it() {
    let books = Books::new("filters").await;
    fill(&books).await;
    each_filter(&books);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_filter_lists_what_fits_it_in_postgres() {
    let Some(books) = Books::in_postgres("filters_postgres").await else { return };
    fill(&books).await;
    each_filter(&books);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_is_none_is_wrong_usage_and_says_what_it_has_to_be() {
    let books = Books::new("no_filters").await;
    for (args, says) in [
        (["--state", "gone"], "no such state"),
        (["--claimed-since", "yesterday"], "must be a time as 2026-11-25T14:30:00+08:00, or a day"),
        (["--changed-until", "2026-13-01"], "must be a time as"),
        (["--original", "a b"], "must be 1 to 128 printable ASCII characters"),
        (["--app-id", ""], "must be 1 to 128 printable ASCII characters"),
        (["--limit", "0"], "0 is not in 1.."),
    ] {
        let ran = books.run(&[&["list"], &args[..]].concat());
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(64), ""), "{args:?} {ran:?}");
        assert!(ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_as_long_as_asked_for_though_it_is_read_in_pieces() {
    let books = Books::new("long_list").await;
    books.fill(450, 0).await;
    for (limit, expected) in [("199", 199), ("200", 200), ("201", 201), ("400", 400), ("9999", 450)]
    {
        let listed = books.printed(&["list", "--limit", limit]);
        assert_eq!(listed.lines().count(), expected, "{limit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_is_one_object_with_the_names_of_the_contract() {
    let books = Books::new("one_object").await;
    let claimed_at = at("2026-11-24T16:00:00.001Z");
    let entry = Entry {
        operator: Some("Zoë"),
        reason: Some("broken"),
        answer: Some(("4200001", 1_795_536_002)),
        ..succeeded("R1", claimed_at)
    };
    books.put([entry]).await;
    let expected = json!({
        "app_id": "app",
        "order_id": "R1",
        "msn": "device",
        "amount_minor": 100,
        "ori_order_id": "P1",
        "business_id": "B1",
        "caller": "till",
        "operator": "Zoë",
        "reason": "broken",
        "emptied": false,
        "state": "settled",
        "needs_person": false,
        "outcome": "SUCCEEDED",
        "evidence": "REPLY",
        "claim_time": "2026-11-24T16:00:00.001Z",
        "change_time": "2026-11-24T16:00:01.001Z",
        "lease_end_time": "2026-11-24T16:01:05.001Z",
        "epoch": 1,
        "told": false,
        "reply": {"pay_time": "2026-11-24T16:00:02.000Z", "platform_id": "4200001", "state": "SUCCEEDED"},
    });
    assert_eq!(books.objects(&["list", "--json"]), std::slice::from_ref(&expected));

    let mut shown = books.objects(&["show", "R1", "--offline", "--json"]).remove(0);
    let shown = shown.as_object_mut().unwrap();
    assert!(shown["next"].as_str().unwrap().starts_with("Nothing is left to do"), "{shown:?}");
    assert_eq!(
        (&shown["content_sha256"], &shown["payment_then"]),
        (&json!("hash"), &json!("NOT_LOOKED"))
    );
    shown.retain(|name, _| expected.get(name).is_some());
    assert_eq!(Value::Object(shown.clone()), expected);
    let page = books.printed(&["show", "R1", "--offline"]);
    let answer = "answer           state SUCCEEDED, pay_time 2026-11-24T16:00:02.000Z, platform_id 4200001\n";
    assert!(page.contains(answer), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_of_a_doubt_is_in_the_object_of_show() {
    let world = World::new("json_doubt").await;
    world.lose("R1", true, LONG_AGO).await;
    let shown = objects(&world.done(&["show", "R1", "--json"])).remove(0);
    assert_eq!(shown["state"], "in_doubt");
    assert_eq!(shown["needs_person"], true);
    assert!(shown["doubt_reason"].as_str().unwrap().contains("closed"), "{shown}");
    assert_eq!(shown["baseline"]["refunded_minor"], 0);
    assert_eq!(shown["payment_now"]["refunded_minor"], 10);
    assert!(shown["next"].as_str().unwrap().starts_with("It needs you"), "{shown}");
    assert_eq!(shown.get("outcome"), None);

    // Nobody is asked where nobody is to be asked.
    let shown = objects(&world.done(&["show", "R1", "--json", "--offline"])).remove(0);
    assert_eq!(shown.get("payment_now"), None);
    world.done(&["settle", "R1", "--epoch", "1", "--succeeded", "--by", "Zoë", "--reason", "seen"]);
    let shown = objects(&world.done(&["show", "R1", "--json", "--offline"])).remove(0);
    let who = (
        shown["decided_by"].as_str(),
        shown["decided_reason"].as_str(),
        shown["evidence"].as_str(),
    );
    assert_eq!(who, (Some("Zoë"), Some("seen"), Some("OPERATOR")));
}
