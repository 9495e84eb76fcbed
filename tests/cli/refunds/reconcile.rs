//! `refunds reconcile`: what a statement and the ledger say of each other.

use std::process::Command;

use serde_json::{Value, json};

use super::books::{Books, Entry, at, in_state, objects, succeeded};
use super::world::now;
use crate::{Ran, finish};

const DAY: &str = "2026-11-25";

fn noon() -> i64 {
    at("2026-11-25T12:00:00+08:00")
}

/// The day's refunds compared with a file of these lines below the line of names.
fn reconcile(books: &Books, lines: &str, more: &[&str]) -> Ran {
    let path = books.file("statement.csv", format!("number,platform,app,amount\n{lines}"));
    let args = [
        "reconcile",
        &path,
        "--day",
        DAY,
        "--column-order-id",
        "number",
        "--column-platform-id",
        "platform",
        "--column-amount",
        "amount",
        "--amount-unit",
        "minor",
    ];
    books.run(&[&args[..], more].concat())
}

/// What was found, and the exit status: the kind, the lines, and the refund of each.
#[track_caller]
fn findings(books: &Books, lines: &str, more: &[&str]) -> (Vec<(String, Vec<u64>, String)>, i32) {
    let ran = reconcile(books, lines, &[more, &["--json"]].concat());
    let found = objects(&ran.stdout);
    let (summary, found) = found.split_last().unwrap_or_else(|| panic!("{ran:?}"));
    assert_eq!(summary["finding"], "summary");
    let of = |it: &Value| {
        let kind = it["finding"].as_str().unwrap().to_owned();
        let lines = it["lines"].as_array().unwrap().iter();
        let number = it["refund"]["order_id"].as_str().unwrap_or_default().to_owned();
        (kind, lines.map(|line| line["line"].as_u64().unwrap()).collect(), number)
    };
    for found in found {
        assert!(found["why"].is_string(), "{found}");
    }
    (found.iter().map(of).collect(), ran.status.unwrap())
}

fn found(kind: &str, lines: &[u64], number: &str) -> (String, Vec<u64>, String) {
    (kind.to_owned(), lines.to_owned(), number.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn three_planted_differences_are_told_and_nothing_else() {
    let books = Books::new("planted").await;
    books.put((1..=20).map(|number| succeeded(&format!("R{number}"), noon() + number))).await;
    let mut lines: Vec<String> = (1..=20).map(|number| format!("R{number},,app,100")).collect();
    let equal = lines.join("\n");
    assert_eq!(findings(&books, &equal, &[]), (vec![], 0));
    let ran = reconcile(&books, &equal, &[]);
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""));
    assert!(
        ran.stdout.contains("20 lines compared, 0 left out, 0 bad\nequal              20\n"),
        "{ran:?}"
    );

    lines[4] = "R5,,app,-99".to_owned();
    lines[9] = "STRAY,,app,100".to_owned();
    let (told, status) = findings(&books, &lines.join("\n"), &[]);
    let planted = [
        found("different", &[6], "R5"),
        found("only_in_ledger", &[], "R10"),
        found("only_in_statement", &[11], ""),
    ];
    assert_eq!((told.as_slice(), status), (&planted[..], 3));
    let ran = reconcile(&books, &lines.join("\n"), &[]);
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(3), ""));
    for text in [
        "different          line 6  app  R5  100: the statement has 99, and the ledger 100\n",
        "only_in_ledger     -  app  R10  100: the ledger has it as succeeded, and the statement does not have it\n",
        "only_in_statement  line 11  -  STRAY  100: the ledger does not have it\n",
        "equal              18\ndifferent          1\nduplicate          0\n",
        "from 2026-11-25T00:00:00.000+08:00 to 2026-11-26T00:00:00.000+08:00: 20 lines compared",
    ] {
        assert!(ran.stdout.contains(text), "{text}\n{}", ran.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_state_of_the_ledger_is_held_against_the_statement() {
    let books = Books::new("states").await;
    let failed = Entry { outcome: Some("FAILED"), ..succeeded("FAILED", noon()) };
    let living = Entry { lease_until: now() + 60_000, ..in_state("LIVING", noon(), "claimed") };
    let emptied = Entry { amount: None, ..succeeded("EMPTIED", noon()) };
    let gone = |state| in_state(state, noon(), state);
    books.put([failed, living, emptied, gone("in_doubt"), gone("processing")]).await;
    books.put([gone("not_applied"), gone("claimed")]).await;
    let names = ["FAILED", "LIVING", "EMPTIED", "in_doubt", "processing", "not_applied", "claimed"];
    let lines: Vec<String> = names.iter().map(|name| format!("{name},,app,100")).collect();
    let ran = reconcile(&books, &lines.join("\n"), &["--json", "--by", "Zoë"]);
    assert_eq!(ran.status, Some(3));
    let told = objects(&ran.stdout);
    let file = books.folder.join("statement.csv");
    for (name, why, next, settles) in [
        ("FAILED", "the ledger has it as failed", Some("sunmi-trade refunds verify FAILED"), None),
        ("LIVING", "as claimed", Some("LIVING: may still be sent until "), None),
        ("EMPTIED", "no longer has the amount", None, None),
        ("in_doubt", "as in_doubt", None, Some(5)),
        ("processing", "as processing", None, Some(6)),
        ("not_applied", "as not applied", Some("keep its caller from that"), None),
        ("claimed", "as claimed", None, Some(8)),
    ] {
        let of = |it: &&Value| it["refund"]["order_id"] == name;
        let told = told.iter().find(of).unwrap_or_else(|| panic!("{name}: {ran:?}"));
        assert_eq!(told["finding"], "different");
        assert!(told["why"].as_str().unwrap().contains(why), "{told}");
        match next {
            Some(next) => assert!(told["next"].as_str().unwrap().contains(next), "{told}"),
            None => assert_eq!(told.get("next"), None, "{told}"),
        }
        let command = settles.map(|line| {
            format!(
                "sunmi-trade refunds settle {name} --app-id app --epoch 1 --succeeded --by 'Zoë' \
                 --reason 'statement {} line {line}'",
                file.display()
            )
        });
        assert_eq!(told.get("command").and_then(Value::as_str), command.as_deref(), "{told}");
    }
    // Of another amount it may be another refund.
    let ran = reconcile(&books, "in_doubt,,app,99", &["--json"]);
    let told = &objects(&ran.stdout)[0];
    assert_eq!(
        (told.get("command"), &told["next"]),
        (None, &json!("find out whether it is this refund"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_open_and_in_no_statement_is_told_and_is_no_difference() {
    let books = Books::new("open").await;
    let failed = Entry { outcome: Some("FAILED"), ..succeeded("FAILED", noon()) };
    let open = ["claimed", "in_doubt", "processing"].map(|state| in_state(state, noon(), state));
    books.put(open).await;
    books.put([failed, in_state("not_applied", noon(), "not_applied")]).await;
    let (mut told, status) = findings(&books, "", &[]);
    told.sort();
    let expected = ["claimed", "in_doubt", "processing"].map(|number| found("open", &[], number));
    assert_eq!((told.as_slice(), status), (&expected[..], 0));
    let ran = reconcile(&books, "", &[]);
    assert!(
        ran.stdout.contains(
            "the ledger has it as in_doubt, and the statement does not have it\n    It needs you"
        ),
        "{ran:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_the_statement_has_twice_is_a_difference_of_its_own() {
    let books = Books::new("twice").await;
    let by_platform = Entry { answer: Some(("PL2", noon() / 1000)), ..succeeded("R2", noon()) };
    books.put([succeeded("R1", noon()), by_platform]).await;
    let lines = "R1,,app,100\nR2,PL2,app,100\nR1,,app,100\nX,,app,1\nX,,app,1\n,PL2,app,100\n";
    let (mut told, status) = findings(&books, lines, &[]);
    told.sort();
    let expected = [
        found("duplicate", &[2, 4], "R1"),
        found("duplicate", &[3, 7], "R2"),
        found("duplicate", &[5, 6], ""),
    ];
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!((told, status), (expected, 3));
    let ran = reconcile(&books, lines, &[]);
    assert!(ran.stdout.contains("lines 2, 4  app  R1  100: the statement has it 2 times, of 100 and 100; the ledger has it as settled, of 100\n"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_is_found_by_its_number_or_the_platforms_whenever_it_was_made() {
    let books = Books::new("whenever").await;
    let long_ago = at("2026-01-01T00:00:00Z");
    let late = at("2026-11-26T00:00:05+08:00");
    let of_platform = |number: &str, platform: &'static str, time: i64| Entry {
        answer: Some((platform, time / 1000)),
        ..succeeded(number, time)
    };
    books
        .put([
            succeeded("OLD", long_ago),
            of_platform("OLDER", "PL-OLD", long_ago),
            of_platform("NOON", "PL-NOON", noon()),
            of_platform("OTHERWISE", "PL-OTHER", noon()),
            // Claimed before midnight, made after it, and the other way round.
            Entry { answer: Some(("PL-1", late / 1000)), ..succeeded("NEXT", late - 10_000) },
            Entry {
                answer: Some(("PL-2", late / 1000 - 86_400)),
                ..succeeded("CAME", late - 86_400_000 - 10_000)
            },
            // What Sunmi says cannot be: that is the payment's time.
            Entry { answer: Some(("PL-3", long_ago / 1000)), ..succeeded("PAID", noon()) },
        ])
        .await;
    let lines =
        "OLD,,,100\n,PL-OLD,,100\n,PL-NOON,,100\nSUNMI-1,PL-OTHER,,100\nCAME,,,100\nPAID,,,100\n";
    assert_eq!(findings(&books, lines, &[]), (vec![], 0));
    let (mut told, status) = findings(&books, "OLD,,,100\n", &[]);
    told.sort();
    let expected = ["CAME", "NOON", "OTHERWISE", "PAID"].map(|it| found("only_in_ledger", &[], it));
    assert_eq!((told.as_slice(), status), (&expected[..], 3));
    let ran = reconcile(&books, "", &[]);
    assert!(
        ran.stdout.contains(
            "it was made within 1 h of the period's edge: look in the statement before this one"
        ),
        "{ran:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_of_two_app_ids_is_told_apart_by_a_column_or_an_option() {
    let books = Books::new("app_ids").await;
    let other = Entry { app_id: "other", amount: Some(7), ..succeeded("R1", noon()) };
    books.put([succeeded("R1", noon() - 1), other]).await;
    let lines = "R1,,app,100\nR1,,other,7\n";
    assert_eq!(findings(&books, lines, &["--column-app-id", "app"]), (vec![], 0));
    let of_one = ["--column-app-id", "app", "--app-id", "other"];
    assert_eq!(findings(&books, lines, &of_one), (vec![], 0));
    assert_eq!(findings(&books, "R1,,,100\n", &["--app-id", "app"]), (vec![], 0));
    let (told, status) = findings(&books, "R1,,,100\n", &[]);
    assert_eq!(status, 3);
    assert!(told.contains(&found("ambiguous", &[2], "R1")), "{told:?}");
}

/// What a printed command records cannot be taken back.
#[tokio::test(flavor = "multi_thread")]
async fn no_command_is_printed_for_a_line_that_may_be_another_refund() {
    let books = Books::new("may_be_another").await;
    let long_ago = at("2026-10-01T12:00:00+08:00");
    let other = Entry { app_id: "other", ..in_state("R1", noon(), "in_doubt") };
    let numbered = Entry { answer: Some(("PL-1", noon() / 1000)), ..succeeded("R3", long_ago) };
    let all = [succeeded("R1", long_ago), other, in_state("R2", noon(), "in_doubt"), numbered];
    books.put(all).await;
    let ran = reconcile(&books, "R1,,,100\nR2,PL-1,,100\n", &[]);
    assert_eq!(ran.status, Some(3));
    assert!(!ran.stdout.contains("refunds settle"), "{ran:?}");
    let (told, _) = findings(&books, "R1,,,100\nR2,PL-1,,100\n", &[]);
    for expected in [found("ambiguous", &[2], "R1"), found("ambiguous", &[3], "R2")] {
        assert!(told.contains(&expected), "{told:?}");
    }
    // With a word on whose it is, or without the other's number, it can be no other.
    for lines in ["R1,,other,100\n", "R2,,,100\n"] {
        let ran = reconcile(&books, lines, &["--column-app-id", "app"]);
        assert!(ran.stdout.contains("refunds settle"), "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_that_are_printed_do_what_they_say_whatever_the_number_is() {
    let books = Books::new("commands").await;
    let numbers = ["a'b", "-R2", "$(id)", "R4;exit", "R5`id`"];
    books.put(numbers.map(|number| in_state(number, noon(), "in_doubt"))).await;
    let lines: Vec<String> = numbers.iter().map(|number| format!("{number},,,100")).collect();
    let ran = reconcile(&books, &lines.join("\n"), &["--by", "O'Neil"]);
    assert_eq!(ran.status, Some(3));
    let commands: Vec<&str> =
        ran.stdout.lines().filter_map(|line| line.strip_prefix("    sunmi-trade ")).collect();
    assert_eq!(commands.len(), numbers.len(), "{ran:?}");
    assert!(
        commands
            .iter()
            .any(|it| it.starts_with(r"refunds settle 'a'\''b' --app-id app --epoch 1 ")),
        "{ran:?}"
    );
    for command in commands {
        let script = format!("set -eu\n\"$PROGRAM\" {command}");
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &script]).env_clear().envs(books.env());
        let ran = finish(shell.env("PROGRAM", env!("CARGO_BIN_EXE_sunmi-trade")));
        assert_eq!(ran.status, Some(0), "{command}: {ran:?}");
    }
    assert_eq!(findings(&books, &lines.join("\n"), &[]), (vec![], 0));
    let listed = books.objects(&["list", "--json"]);
    let file = books.folder.join("statement.csv");
    for (number, line) in numbers.iter().zip(2..) {
        let of = listed.iter().find(|it| it["order_id"] == *number).unwrap();
        let (by, reason) = (&of["decided_by"], &of["decided_reason"]);
        assert_eq!(
            (by, reason),
            (&json!("O'Neil"), &json!(format!("statement {} line {line}", file.display())))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_reconciled_on_postgres_as_well() {
    let Some(books) = Books::in_postgres("reconcile_postgres").await else { return };
    books.put([succeeded("R1", noon()), succeeded("R2", at("2026-01-01T00:00:00Z"))]).await;
    assert_eq!(findings(&books, "R1,,,100\nR2,,,100\n\u{1f600},,,1\n", &[]).1, 3);
    assert_eq!(findings(&books, "R1,,,100\nR2,,,100\n", &[]), (vec![], 0));
}
