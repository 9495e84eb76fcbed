//! `explain`, by code and by reason.

use super::run;

/// The first lines of the paragraphs.
fn heads(name: &str) -> Vec<String> {
    let printed = run(&["explain", name], &[]).printed();
    printed
        .lines()
        .filter(|line| !line.starts_with(' ') && !line.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_code_is_explained_with_status_outcome_and_next_step() {
    let printed = run(&["explain", "E22"], &[]).printed();
    for says in ["E22 REFUND_AMOUNT_WRONG", "FAILED_PRECONDITION", "NOT_APPLIED", "FIX_REQUEST"] {
        assert!(printed.contains(says), "{says:?} in {printed}");
    }
}

#[test]
fn a_name_finds_every_row_that_it_stands_for() {
    let table: &[(&str, &[&str])] = &[
        ("e22", &["E22 REFUND_AMOUNT_WRONG"]),
        ("refund_amount_wrong", &["E22 REFUND_AMOUNT_WRONG"]),
        ("ERROR_REASON_REFUND_AMOUNT_WRONG", &["E22 REFUND_AMOUNT_WRONG"]),
        ("E27", &["E27 PARAMETER_REQUIRED"; 2]),
        ("upstream_http_error", &["UPSTREAM_HTTP_ERROR"; 4]),
    ];
    for (name, expected) in table {
        assert_eq!(&heads(name), expected, "{name}");
    }
}

#[test]
fn codes_that_are_no_fault_are_explained_too() {
    for (code, says) in [("10000", "success"), ("1", "success"), ("d01", "TRADE_STATE_PROCESSING")]
    {
        let printed = run(&["explain", code], &[]).printed();
        assert!(printed.contains(says), "{code}: {printed}");
    }
}

#[test]
fn a_name_of_nothing_is_an_error_of_use() {
    assert_eq!(
        run(&["explain", "nonsense"], &[]).faults(),
        ["nonsense: neither a Sunmi code nor a reason"]
    );
}
