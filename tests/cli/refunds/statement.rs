//! `refunds reconcile`: how statements are read.

use super::books::{Books, at, objects, succeeded};
use crate::Ran;

async fn books(name: &str) -> Books {
    let books = Books::new(name).await;
    let noon = at("2026-11-25T12:00:00+08:00");
    books.put([succeeded("R1", noon), succeeded("R2", noon + 1)]).await;
    books
}

fn reconcile(books: &Books, statement: impl AsRef<[u8]>, more: &[&str]) -> Ran {
    let path = books.file("statement.csv", statement);
    let args = ["reconcile", &path, "--day", "2026-11-25"];
    books.run(&[&args[..], more].concat())
}

const ENGLISH: [&str; 6] =
    ["--column-order-id", "number", "--column-amount", "amount", "--amount-unit", "minor"];
const CHINESE: [&str; 6] =
    ["--column-order-id", "商户退款单号", "--column-amount", "退款金额", "--amount-unit", "yuan"];

#[tokio::test(flavor = "multi_thread")]
async fn statements_are_read_as_platforms_write_them() {
    let books = books("as_written").await;
    let chinese = "账单\r\n商户退款单号\t,退款金额,状态\r\n`R1,`-1.00,成功\r\nR2 ,1,成功\r\nP1,5.00,支付\r\n\r\n合计,7.00,\r\n";
    let gb18030 = encoding_rs::GB18030.encode(chinese).0.into_owned();
    let marked = [b"\xef\xbb\xbf", "number;amount\nR1;100\n\"R2\";\"100\"".as_bytes()].concat();
    let marked_gb18030 = [b"\xef\xbb\xbf", chinese.as_bytes()].concat();
    let utf16: Vec<u8> = "\u{feff}number\tamount\r\nR1\t100\r\nR2\t100\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let only = ["--only-where", "状态=成功", "--skip-first", "1", "--skip-last", "1"];
    let gb18030_too = ["--encoding", "gb18030"];
    let table: Vec<(&str, Vec<u8>, Vec<&str>)> = vec![
        ("plain", "number,amount\nR1,100\nR2,100\n".into(), ENGLISH.into()),
        ("quoted", "amount,\"number\"\n100,\"R1\"\n\"100\",R2".into(), ENGLISH.into()),
        ("marked", marked, [&ENGLISH[..], &["--delimiter", ";"]].concat()),
        ("UTF-16", utf16, [&ENGLISH[..], &["--delimiter", "tab"]].concat()),
        ("Chinese", chinese.into(), [&CHINESE[..], &only].concat()),
        ("GB18030", gb18030, [&CHINESE[..], &only, &gb18030_too].concat()),
        ("a mark above all", marked_gb18030, [&CHINESE[..], &only, &gb18030_too].concat()),
    ];
    for (name, statement, more) in table {
        let ran = reconcile(&books, statement, &more);
        assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{name}: {ran:?}");
        assert!(ran.stdout.contains("2 lines compared"), "{name}: {ran:?}");
        assert!(ran.stdout.contains("equal              2\n"), "{name}: {ran:?}");
        let left_out = if more.contains(&"--skip-last") { "2 left out" } else { "0 left out" };
        assert!(ran.stdout.contains(left_out), "{name}: {ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_conditions_all_hold_and_of_several_values_any() {
    let books = books("conditions").await;
    let statement = "number,amount,kind,state\nR1,100,refund,ok\nR2,100,return,ok\n\
                     R3,100,payment,ok\nR4,100,refund,failed\n";
    let only = ["--only-where", "kind=refund", "--only-where", "state=ok"];
    let more = [&ENGLISH[..], &only, &["--only-where", "kind=return"]].concat();
    let ran = reconcile(&books, statement, &more);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("2 lines compared, 2 left out, 0 bad"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_line_is_told_with_its_column_and_rule() {
    let books = books("bad_lines").await;
    let statement = "number,amount,note\n\
                     R1,100,\"two\nlines\"\n\
                     ,100,\n\
                     \n\
                     R2,1.5,\n\
                     R2,0,\n\
                     R2,100\n\
                     R2,100,x\n";
    let ran = reconcile(&books, statement, &[&ENGLISH[..], &["--json"]].concat());
    assert_eq!(ran.status, Some(3), "{ran:?}");
    let told = objects(&ran.stdout);
    let told: Vec<_> = told
        .iter()
        .filter(|it| it["finding"] == "bad_line")
        .map(|it| {
            (it["line"].as_u64().unwrap(), it["column"].as_str(), it["rule"].as_str().unwrap())
        })
        .collect();
    let expected = [
        (4, Some("number"), "must have the refund's number"),
        (6, Some("amount"), "must be a whole number, such as 1234"),
        (7, Some("amount"), "must not be 0; --only-where leaves out what is no refund"),
        (8, None, "has 2 columns, and 3 have names"),
    ];
    assert_eq!(told, expected);
    let ran = reconcile(&books, statement, &ENGLISH);
    assert!(
        ran.stdout.starts_with(
            "bad_line           line 4: column number: must have the refund's number\n"
        ),
        "{ran:?}"
    );
    assert!(
        ran.stdout.contains("bad_line           line 8: has 2 columns, and 3 have names\n"),
        "{ran:?}"
    );
    assert!(
        ran.stdout.contains("2 lines compared, 0 left out, 4 bad\nequal              2\n"),
        "{ran:?}"
    );

    // A stray quotation mark hides lines up to the next one, or up to the end.
    let strays =
        "number,amount,note\nR1,100,\"5 inch\nR9,100,\nR8,100,7\" wide\nR2,100,\"x\nR3,100,\n";
    let ran = reconcile(&books, strays, &ENGLISH);
    assert_eq!(ran.status, Some(3), "{ran:?}");
    let rule = "has a cell that goes on in other lines: is a quotation mark missing?";
    for line in [2, 5] {
        assert!(ran.stdout.contains(&format!("line {line}: {rule}\n")), "{ran:?}");
    }
    assert!(ran.stdout.contains("0 lines compared, 0 left out, 2 bad\n"), "{ran:?}");

    let garbled = b"number,amount,note\nR1,100,\xff\n\xc8\xed,100,\nR2,100,\n";
    let ran = reconcile(&books, garbled, &ENGLISH);
    assert_eq!(ran.status, Some(3), "{ran:?}");
    assert!(
        ran.stdout.starts_with(
            "bad_line           line 3: column number: must be utf-8 as --encoding says\n"
        ),
        "{ran:?}"
    );
    assert!(ran.stdout.contains("equal              2\n"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_compared_is_an_error_that_says_why() {
    let books = books("not_compared").await;
    let statement = "number,amount,amount\nR1,100,100\n";
    let missing = books.folder.join("missing.csv");
    let ran = books.run(
        &[&["reconcile", missing.to_str().unwrap(), "--day", "2026-11-25"], &ENGLISH[..]].concat(),
    );
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.stderr.contains("missing.csv: No such file"), "{ran:?}");
    for (statement, more, says) in [
        (
            statement,
            &ENGLISH,
            "statement.csv: has more than one column amount: number, amount, amount",
        ),
        ("", &ENGLISH, "statement.csv: has no line of names"),
        ("a,b\n1,2\n", &ENGLISH, "statement.csv: has no column number; it has: a, b"),
        (
            "number,amount\n",
            &CHINESE,
            "statement.csv: has no column 商户退款单号; it has: number, amount",
        ),
    ] {
        let ran = reconcile(&books, statement, more);
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
        assert!(ran.stderr.contains(says), "{says}: {ran:?}");
    }
    let none_there = ["--only-where", "state=ok"];
    let ran = reconcile(&books, "number,amount\n", &[&ENGLISH[..], &none_there].concat());
    assert!(ran.stderr.contains("has no column state; it has: number, amount"), "{ran:?}");
    for wrong in [
        &["--amount-unit", "dollar"][..],
        &["--only-where", "state"],
        &["--delimiter", "::"],
        &["--encoding", "latin1"],
        &["--from", "2026-11-25"],
    ] {
        let ran = reconcile(&books, "number,amount\n", &[&ENGLISH[..4], wrong].concat());
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(64), ""), "{wrong:?} {ran:?}");
    }
    let ran = books.run(&[&["reconcile", "any.csv"], &ENGLISH[..]].concat());
    assert_eq!(ran.status, Some(64), "{ran:?}");
    assert!(ran.stderr.contains("--day"), "{ran:?}");
}
