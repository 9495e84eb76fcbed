//! The Chinese pages say what the English ones say.
//!
//! Both have the same headings, paragraphs, items, tables and blocks of code, one for one. What no
//! translation changes is the same in each: code spans, links (to the Chinese page where there is
//! one), numbers, and names such as `E22` or `SwipeQuery`. Code is the same to the byte, but for
//! the comments of commands. Cells of a column that are alike in one language are so in the other, and
//! the column `value` has the words that an operator writes. Prose that changes without any of this is
//! not seen: look at both pages.
//!
//! The Chinese is set so: a paragraph, an item or a row is one line, because a line break would be
//! shown as a blank; a blank stands between Chinese and Latin letters, digits or code, and none
//! beside full-width punctuation; punctuation beside Chinese is full-width; and a full stop stands
//! behind emphasis, not within, where Markdown would not see its end. The words are those of
//! docs/zh/terms.md.

mod compare;
mod differences;
mod links;
mod page;
mod signs;
mod tables;
mod typesetting;

use self::compare::Pair;
use self::links::Links;
use self::page::{Block, Kind, Page};
use super::repository;

/// The pages that there are in both languages, and what leads from one to the other.
const PAGES: [Translation; 7] = [
    Translation::of("README.md", "README.zh-CN.md", "README.zh-CN.md", "README.md"),
    Translation::of("docs/refunds.md", "docs/zh/refunds.md", "zh/refunds.md", "../refunds.md"),
    Translation::of("docs/errors.md", "docs/zh/errors.md", "zh/errors.md", "../errors.md"),
    Translation::of(
        "docs/configuration.md",
        "docs/zh/configuration.md",
        "zh/configuration.md",
        "../configuration.md",
    ),
    Translation::of(
        "docs/ledger-service.md",
        "docs/zh/ledger-service.md",
        "zh/ledger-service.md",
        "../ledger-service.md",
    ),
    Translation::of(
        "docs/reconciliation.md",
        "docs/zh/reconciliation.md",
        "zh/reconciliation.md",
        "../reconciliation.md",
    ),
    Translation::of(
        "docs/deployment.md",
        "docs/zh/deployment.md",
        "zh/deployment.md",
        "../deployment.md",
    ),
];

struct Translation {
    english: &'static str,
    chinese: &'static str,
    to_chinese: &'static str,
    to_english: &'static str,
}

impl Translation {
    const fn of(
        english: &'static str,
        chinese: &'static str,
        to_chinese: &'static str,
        to_english: &'static str,
    ) -> Self {
        Self { english, chinese, to_chinese, to_english }
    }
}

/// A page without the line below its title that leads to the other language.
#[track_caller]
fn page(path: &str, link: &str) -> Page {
    let mut page = Page::parse(path, &repository(path));
    let is_link = |block: &Block| block.kind == Kind::Paragraph && block.text() == link;
    assert!(
        page.blocks.get(1).is_some_and(is_link),
        "{path}: below the title there should be the line\n{link}"
    );
    page.blocks.remove(1);
    page
}

#[track_caller]
fn pages() -> Links {
    let pages = PAGES.map(|it| {
        (
            page(it.english, &format!("[简体中文]({})", it.to_chinese)),
            page(it.chinese, &format!("[English]({})", it.to_english)),
        )
    });
    Links { pages: pages.into() }
}

#[test]
fn the_chinese_pages_have_what_the_english_ones_have() {
    let links = pages();
    let found: Vec<String> = links
        .pages
        .iter()
        .flat_map(|(english, chinese)| Pair { english, chinese, links: &links }.differences())
        .collect();
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

#[test]
fn the_chinese_pages_are_set_alike() {
    let terms = Page::parse("docs/zh/terms.md", &repository("docs/zh/terms.md"));
    let links = pages();
    let pages = links.pages.iter().map(|(_, chinese)| chinese).chain([&terms]);
    let found: Vec<String> = pages.flat_map(typesetting::faults).collect();
    assert!(found.is_empty(), "{} faults:\n{}", found.len(), found.join("\n"));
}
