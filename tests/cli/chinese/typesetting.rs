//! How Chinese is set: see the head of `chinese.rs`.

use super::page::{Kind, Page, cells};
use super::signs::apart;

/// Every place of a page that is set otherwise.
pub(super) fn faults(page: &Page) -> Vec<String> {
    let mut found = Vec::new();
    for block in page.blocks.iter().filter(|block| block.kind != Kind::Code) {
        if block.lines.len() > 1 && block.kind != Kind::Table {
            found.push(format!("{}:{}: broken into lines", page.path, block.line));
        }
        for (line, text) in (block.line..).zip(&block.lines) {
            let fault = |why| format!("{}:{line}: {why}", page.path);
            let parts = if block.kind == Kind::Table { cells(text) } else { vec![text.as_str()] };
            found.extend(parts.into_iter().flat_map(of_text).map(fault));
        }
    }
    found
}

fn of_text(text: &str) -> Vec<String> {
    let text = without_targets(&apart(text).0);
    let marked: Vec<char> = text.chars().collect();
    let mut found = emphasis(&marked);
    // Emphasis and links are not seen.
    let bare: Vec<char> = marked.into_iter().filter(|it| !matches!(it, '*' | '[' | ']')).collect();
    for (at, pair) in bare.windows(2).enumerate() {
        let around: String = bare[at.saturating_sub(6)..(at + 8).min(bare.len())].iter().collect();
        let (left, right) = (pair[0], pair[1]);
        if (is_han(left) && is_latin(right)) || (is_latin(left) && is_han(right)) {
            found.push(format!("a blank belongs between “{left}” and “{right}”: …{around}…"));
        }
        if (is_han(left) && is_half_width(right)) || (is_half_width(left) && is_han(right)) {
            found.push(format!("full-width punctuation belongs here: …{around}…"));
        }
        if (is_full_width(left) && right == ' ') || (left == ' ' && is_full_width(right)) {
            found.push(format!("no blank belongs beside full-width punctuation: …{around}…"));
        }
        if (is_full_width(left) && is_half_width(right))
            || (is_half_width(left) && is_full_width(right))
        {
            found.push(format!("punctuation is doubled: …{around}…"));
        }
    }
    found
}

/// The text without the targets of its links.
fn without_targets(text: &str) -> String {
    let mut parts = text.split("](");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        kept.push(']');
        kept.push_str(part.split_once(')').map_or("", |(_, rest)| rest));
    }
    kept
}

/// CommonMark sees no emphasis where its marks have punctuation within and a character without.
fn emphasis(text: &[char]) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = false;
    let mut at = 0;
    while at < text.len() {
        let marks = text[at..].iter().take_while(|it| **it == '*').count();
        if marks > 0 {
            open = !open;
            let before = at.checked_sub(1).map(|at| text[at]);
            let after = text.get(at + marks).copied();
            let (within, without) = if open { (after, before) } else { (before, after) };
            let parts = |it: Option<char>| it.is_none_or(|it| !it.is_alphanumeric());
            if parts(within) && !parts(without) {
                found.push(format!("emphasis that is not seen as such, beside {without:?}"));
            }
        }
        at += marks.max(1);
    }
    if open {
        found.push("emphasis that does not end".to_owned());
    }
    found
}

fn is_han(it: char) -> bool {
    matches!(it, '\u{4e00}'..='\u{9fff}')
}

fn is_latin(it: char) -> bool {
    it.is_ascii_alphanumeric() || it == '`'
}

fn is_half_width(it: char) -> bool {
    matches!(it, ',' | ';' | ':' | '?' | '!' | '(' | ')' | '.' | '"' | '\'')
}

fn is_full_width(it: char) -> bool {
    matches!(it, '，' | '。' | '；' | '：' | '？' | '！' | '（' | '）' | '、' | '「' | '」')
}
