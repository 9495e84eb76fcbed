//! `refunds export`: whole, of one moment, and never half.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use super::books::{Books, Entry, at, objects, succeeded};
use crate::program;

fn numbers(table: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let place = reader.headers().unwrap().iter().position(|name| name == "order_id").unwrap();
    reader.records().map(|record| record.unwrap()[place].to_owned()).collect()
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap();
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_chinas_to_the_millisecond() {
    let books = Books::new("days").await;
    books
        .put([
            succeeded("before", at("2026-11-24T23:59:59.999+08:00")),
            succeeded("first", at("2026-11-25T00:00:00+08:00")),
            succeeded("last", at("2026-11-25T23:59:59.999+08:00")),
            succeeded("after", at("2026-11-26T00:00:00+08:00")),
        ])
        .await;
    let table: &[(&[&str], &[&str])] = &[
        (&["--day", "2026-11-25"], &["last", "first"]),
        (&["--from", "2026-11-25", "--to", "2026-11-26"], &["last", "first"]),
        (&["--from", "2026-11-24T15:59:59.999Z", "--to", "2026-11-24T16:00:00Z"], &["before"]),
        (&["--from", "2026-11-26"], &["after"]),
        (&["--to", "2026-11-25"], &["before"]),
        (&["--day", "2026-11-24"], &["before"]),
        // It changed a second later.
        (&["--day", "2026-11-26", "--by", "changed"], &["after", "last"]),
        (&[], &["after", "last", "first", "before"]),
        (&["--app-id", "other"], &[]),
    ];
    for (period, expected) in table {
        let printed = books.printed(&[&["export"], *period].concat());
        assert_eq!(numbers(&printed), *expected, "{period:?}");
        let lines = books.objects(&[&["export", "--format", "jsonl"], *period].concat());
        let lines: Vec<&str> = lines.iter().map(|it| it["order_id"].as_str().unwrap()).collect();
        assert_eq!(lines, *expected, "{period:?}");
    }
    for wrong in [
        &["--day", "2026-11-25", "--from", "2026-11-25"][..],
        &["--day", "2026-11-25T00:00:00Z"],
        &["--format", "xlsx"],
    ] {
        let ran = books.run(&[&["export"], wrong].concat());
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(64), ""), "{wrong:?}");
    }
    let ran = books.run(&["export", "--from", "2026-11-25", "--to", "2026-11-25"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(1), ""));
    assert!(ran.stderr.contains("--from: must be before --to"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exported_is_what_was_there_once_each_whatever_is_claimed_meanwhile() {
    whole(&Books::new("whole").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exported_is_whole_in_postgres() {
    let Some(books) = Books::in_postgres("whole_postgres").await else { return };
    whole(&books).await;
}

async fn whole(books: &Books) {
    books.fill(3000, 0).await;
    let mut export = program()
        .args(["refunds", "export"])
        .envs(books.env())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Far more is to come than a pipe holds, so it cannot be through.
    let mut out = BufReader::new(export.stdout.take().unwrap());
    let mut table = String::new();
    out.read_line(&mut table).unwrap();
    out.read_line(&mut table).unwrap();
    books.put((0..50).map(|at| succeeded(&format!("new-{at}"), 9_000_000_000 + at))).await;
    // Claimed anew, they move ahead of all that are still to come.
    books
        .execute("UPDATE refunds SET claimed_at = 9900000000, epoch = 2 WHERE amount < 1500")
        .await;
    out.read_to_string(&mut table).unwrap();
    assert!(export.wait().unwrap().success());
    let found = numbers(&table);
    let once: BTreeSet<&String> = found.iter().collect();
    assert_eq!((found.len(), once.len()), (3000, 3000));
    assert!(found.iter().all(|number| number.starts_with('N')));
    let ordered: Vec<String> = (1..=3000).rev().map(|number| format!("N{number}")).collect();
    assert_eq!(found, ordered);
    let anew = numbers(&books.printed(&["export"]));
    assert_eq!(anew.len(), 3050);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_export_is_never_taken_for_a_whole_one() {
    let books = Books::new("half").await;
    books.fill(1000, 0).await;
    // The oldest comes last, and cannot be read.
    books.execute("UPDATE refunds SET state = 'unheard of' WHERE order_id = 'N1'").await;
    let path = books.file("export.csv", "the one before");
    let ran = books.run(&["export", "--output", &path]);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.stderr.contains("the column state holds what this version never wrote"), "{ran:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "the one before");
    assert!(!names(&books.folder).iter().any(|name| name.contains("partial")));
    let fresh = books.folder.join("fresh.csv");
    assert_eq!(books.run(&["export", "--output", fresh.to_str().unwrap()]).status, Some(1));
    assert!(!fresh.exists());

    books.execute("UPDATE refunds SET state = 'settled' WHERE order_id = 'N1'").await;
    assert_eq!(books.printed(&["export", "--output", &path]), "");
    let written = std::fs::read_to_string(&path).unwrap();
    assert_eq!(numbers(&written).len(), 1000);
    assert_eq!(written, books.printed(&["export"]));
    assert!(!names(&books.folder).iter().any(|name| name.contains("partial")));
    let printed =
        books.printed(&["export", "--output", fresh.to_str().unwrap(), "--format", "jsonl"]);
    assert_eq!(printed, "");
    assert_eq!(objects(&std::fs::read_to_string(&fresh).unwrap()).len(), 1000);

    for (path, says) in
        [("/dev/null", "is no regular file"), ("/no/such/folder/file", "No such file")]
    {
        let ran = books.run(&["export", "--output", path]);
        assert_eq!(ran.status, Some(1), "{path}");
        assert!(ran.stderr.contains(&format!("--output {path}: {says}")), "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_has_the_columns_that_are_documented_and_no_formulas() {
    let books = Books::new("formulas").await;
    let entry = Entry {
        operator: Some("@SUM(A1)"),
        reason: Some("=HYPERLINK(\"http://evil\", \"refund\")"),
        caller: Some("+till"),
        business_id: "-1+1",
        ..succeeded("=R1", at("2026-11-25T00:00:00Z"))
    };
    books.put([entry, succeeded("R2", at("2026-11-26T00:00:00Z"))]).await;
    let table = books.printed(&["export"]);
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let header = reader.headers().unwrap().clone();
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let cell = |record: &csv::StringRecord, name: &str| {
        let place = header.iter().position(|it| it == name).unwrap_or_else(|| panic!("{name}"));
        record[place].to_owned()
    };
    for (name, expected) in [
        ("order_id", "'=R1"),
        ("operator", "'@SUM(A1)"),
        ("reason", "'=HYPERLINK(\"http://evil\", \"refund\")"),
        ("caller", "'+till"),
        ("business_id", "'-1+1"),
        ("amount_minor", "100"),
        ("state", "settled"),
        ("outcome", "SUCCEEDED"),
        ("original_kind", "order_id"),
        ("original", "P1"),
        ("claim_time", "2026-11-25T00:00:00.000Z"),
        ("needs_person", "false"),
        ("dispute", ""),
    ] {
        assert_eq!(cell(&records[1], name), expected, "{name}");
    }
    assert_eq!(cell(&records[0], "order_id"), "R2");
    let lines = books.objects(&["export", "--format", "jsonl"]);
    assert_eq!((&lines[1]["order_id"], &lines[1]["operator"]), (&"=R1".into(), &"@SUM(A1)".into()));

    let documented = crate::repository("docs/reconciliation.md");
    let (exports, _) = documented.split_once("\n## Reconciliation\n").unwrap();
    let documented: Vec<&str> =
        exports.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert_eq!(documented, header.iter().collect::<Vec<_>>());
}
