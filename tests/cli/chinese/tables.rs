//! Two tables, row by row. A row is known by the code, numbers and names of its first cell that
//! has any.

use std::collections::BTreeSet;

use super::compare::Pair;
use super::page::{Block, cells};
use super::signs::{Signs, words};

/// The head and the line below it.
const HEAD: usize = 2;

/// Words of the English column `value` that are translated. All others are what an operator
/// writes, such as `test` or `refused`.
const PROSE: &str = "a an and another app_ids are as at audience blanks bound by callers characters \
    configured directives duration each empty ends file for fragment from in integer is least \
    letters list minor not number of one options or out port printable query such tables text \
    texts that the to under units user whole with without address known digits";

/// Every difference of the tables.
pub(super) fn differences(pair: &Pair, ours: &Block, theirs: &Block, found: &mut Vec<String>) {
    let (our_keys, their_keys) = (keys(ours), keys(theirs));
    for (at, key) in (HEAD..).zip(&our_keys) {
        if !their_keys.contains(key) {
            let (here, there) = (pair.here(ours.line + at), pair.there(theirs.line));
            found.push(format!("{there}: this table lacks the row {key} of {here}"));
        }
    }
    for (at, key) in (HEAD..).zip(&their_keys) {
        if !our_keys.contains(key) {
            let (here, there) = (pair.here(ours.line), pair.there(theirs.line + at));
            found.push(format!("{there}: the row {key} is not in the table of {here}"));
        }
    }
    let place = |key| Some(HEAD + their_keys.iter().position(|it| it == key)?);
    let common: Vec<(usize, usize)> =
        (HEAD..).zip(&our_keys).filter_map(|(at, key)| Some((at, place(key)?))).collect();
    if let Some(turn) = common.windows(2).find(|pair| pair[0].1 > pair[1].1) {
        let key = &our_keys[turn[1].0 - HEAD];
        let (here, there) = (pair.here(ours.line + turn[1].0), pair.there(theirs.line + turn[1].1));
        found.push(format!("{there}: the row {key} comes later, as at {here}"));
    }
    alike(pair, ours, theirs, &common, found);
    for (at, there) in [(0, 0)].into_iter().chain(common) {
        row(pair, (ours, at), (theirs, there), found);
    }
}

/// Cells of a column that are alike in one language are so in the other: so words such as “no” and
/// “reads” are held together, too. Of two that are at odds the rarer one is told.
fn alike(
    pair: &Pair,
    ours: &Block,
    theirs: &Block,
    rows: &[(usize, usize)],
    found: &mut Vec<String>,
) {
    for column in 0..cells(&ours.lines[0]).len() {
        let cell = |table: &Block, row: usize| {
            cells(&table.lines[row]).get(column).map(|cell| (*cell).to_owned()).unwrap_or_default()
        };
        let seen: Vec<(String, String)> =
            rows.iter().map(|it| (cell(ours, it.0), cell(theirs, it.1))).collect();
        let often = |cells: &(String, String)| seen.iter().filter(|it| *it == cells).count();
        for (cells, (_, row)) in seen.iter().zip(rows) {
            let at_odds = |it: &&(String, String)| (it.0 == cells.0) != (it.1 == cells.1);
            let other = seen.iter().filter(at_odds).max_by_key(|it| often(it));
            if let Some(other) = other.filter(|other| often(other) >= often(cells)) {
                found.push(format!(
                    "{}: “{}” stands for “{}”, and elsewhere in this table “{}” for “{}”",
                    pair.there(theirs.line + row),
                    cells.1,
                    cells.0,
                    other.1,
                    other.0
                ));
            }
        }
    }
}

/// What the rows are known by; the second of two alike is told apart by a number.
fn keys(table: &Block) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for row in table.lines.iter().skip(HEAD) {
        let found = cells(row).into_iter().map(|cell| Signs::of(cell).key());
        let key = found.into_iter().find(|key| !key.is_empty()).unwrap_or("(of words)".to_owned());
        let alike = keys.iter().filter(|it| it.split(" (row").next() == Some(&key)).count();
        keys.push(if alike == 0 { key } else { format!("{key} (row {})", alike + 1) });
    }
    keys
}

/// Compares two rows, each of a table and by its place.
fn row(pair: &Pair, ours: (&Block, usize), theirs: (&Block, usize), found: &mut Vec<String>) {
    let ((our_table, at), (their_table, there)) = (ours, theirs);
    let (ours, theirs) = (cells(&our_table.lines[at]), cells(&their_table.lines[there]));
    let lines = (our_table.line + at, their_table.line + there);
    if ours.len() != theirs.len() {
        let (count, expected) = (theirs.len(), ours.len());
        found.push(format!("{}: {count} cells instead of {expected}", pair.there(lines.1)));
        return;
    }
    let heads = cells(&our_table.lines[0]);
    for ((head, ours), theirs) in heads.iter().zip(ours).zip(theirs) {
        if ours.is_empty() != theirs.is_empty() && at > 0 {
            found.push(format!("{}: “{theirs}” stands for “{ours}”", pair.there(lines.1)));
        }
        pair.signs((ours, lines.0), (theirs, lines.1), found);
        if *head == "value" && at > 0 {
            choices(pair, ours, (theirs, lines.1), found);
        }
    }
}

/// Compares the words that a value may be.
fn choices(pair: &Pair, ours: &str, theirs: (&str, usize), found: &mut Vec<String>) {
    // Those with digits are compared as numbers.
    let of = |text: &str| -> BTreeSet<String> {
        let letters = |word: &&str| !word.contains(|it: char| it.is_ascii_digit());
        words(text).filter(letters).map(str::to_owned).collect()
    };
    let prose: BTreeSet<&str> = PROSE.split_whitespace().collect();
    let there = pair.there(theirs.1);
    for word in of(ours).difference(&of(theirs.0)).filter(|word| !prose.contains(word.as_str())) {
        found.push(format!(
            "{there}: the value should have “{word}” of “{ours}” \
             (or, if that is prose, it goes into PROSE in tests/cli/chinese/tables.rs)"
        ));
    }
    for word in of(theirs.0).difference(&of(ours)).filter(|word| word.as_str() != "app_id") {
        found.push(format!("{there}: the value has “{word}”, which is not in “{ours}”"));
    }
}
