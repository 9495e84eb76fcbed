//! What an English page has and its Chinese one has not, or the other way round.

use std::collections::BTreeSet;

use super::links::Links;
use super::page::{Block, Kind, Page};
use super::signs::Signs;
use super::tables;

/// Two pages that should say the same.
pub(super) struct Pair<'a> {
    pub(super) english: &'a Page,
    pub(super) chinese: &'a Page,
    pub(super) links: &'a Links,
}

impl Pair<'_> {
    /// Every difference, in words that say where and what.
    pub(super) fn differences(&self) -> Vec<String> {
        let (ours, theirs) = (self.english.outline(), self.chinese.outline());
        let mut found = Vec::new();
        let levels = |outline: &[&Block]| outline.iter().map(|it| it.kind).collect::<Vec<_>>();
        if levels(&ours) != levels(&theirs) {
            found.push(self.outlines(&ours, &theirs));
            return found;
        }
        for (ours, theirs) in ours.iter().zip(&theirs) {
            self.signs((&ours.text(), ours.line), (&theirs.text(), theirs.line), &mut found);
        }
        let sections = self.english.sections().into_iter().zip(self.chinese.sections());
        for ((ours, theirs), head) in sections.zip(&theirs) {
            self.section(ours, theirs, head, &mut found);
        }
        found
    }

    pub(super) fn here(&self, line: usize) -> String {
        format!("{}:{line}", self.english.path)
    }

    pub(super) fn there(&self, line: usize) -> String {
        format!("{}:{line}", self.chinese.path)
    }

    fn outlines(&self, ours: &[&Block], theirs: &[&Block]) -> String {
        let shown = |path: &str, outline: &[&Block]| {
            let level = |it: &Block| {
                let Kind::Heading(level) = it.kind else { return String::new() };
                "#".repeat(level)
            };
            let lines = outline.iter().map(|it| format!("\n    {} {}", level(it), it.text()));
            format!("{path} has {} headings:{}", outline.len(), lines.collect::<String>())
        };
        format!(
            "{}: the headings should be as many, and of the same levels\n  {}\n  {}",
            self.chinese.path,
            shown(&self.english.path, ours),
            shown(&self.chinese.path, theirs)
        )
    }

    fn section(&self, ours: &[Block], theirs: &[Block], head: &Block, found: &mut Vec<String>) {
        let kinds = |blocks: &[Block]| blocks.iter().map(|it| it.kind).collect::<Vec<_>>();
        if kinds(ours) == kinds(theirs) {
            for (ours, theirs) in ours.iter().zip(theirs) {
                self.block(ours, theirs, found);
            }
            return;
        }
        let line = ours.first().map_or(1, |block| block.line);
        found.push(format!(
            "{}: under “{}” there should be, as at {},\n    {:?}\n  and there is\n    {:?}",
            self.there(head.line),
            head.text(),
            self.here(line),
            kinds(ours),
            kinds(theirs)
        ));
        // What is missing is told all the same, if not in which block.
        let text = |blocks: &[Block]| {
            let prose = blocks.iter().filter(|it| it.kind != Kind::Code);
            prose.map(Block::text).collect::<Vec<_>>().join("\n")
        };
        self.signs((&text(ours), line), (&text(theirs), head.line), found);
    }

    fn block(&self, ours: &Block, theirs: &Block, found: &mut Vec<String>) {
        match ours.kind {
            Kind::Code => self.code(ours, theirs, found),
            Kind::Table => tables::differences(self, ours, theirs, found),
            Kind::Heading(_) | Kind::Paragraph | Kind::Quote | Kind::Point | Kind::Step => {
                self.signs((&ours.text(), ours.line), (&theirs.text(), theirs.line), found);
            }
        }
    }

    fn code(&self, ours: &Block, theirs: &Block, found: &mut Vec<String>) {
        let line = |block: &Block, at: usize| {
            let line = block.lines.get(at)?;
            let commented = matches!(block.lines[0].as_str(), "sh" | "console" | "toml");
            Some(if commented { uncommented(line) } else { line.clone() })
        };
        let lines = |block: &Block| -> Vec<String> {
            (0..block.lines.len()).filter_map(|at| line(block, at)).collect()
        };
        let (our_lines, their_lines) = (lines(ours), lines(theirs));
        let before = found.len();
        for (at, line) in our_lines.iter().enumerate().filter(|it| !their_lines.contains(it.1)) {
            let (here, there) = (self.here(ours.line + at), self.there(theirs.line));
            found.push(format!("{there}: this code lacks the line of {here}:\n    {line}"));
        }
        for (at, line) in their_lines.iter().enumerate().filter(|it| !our_lines.contains(it.1)) {
            let (here, there) = (self.here(ours.line), self.there(theirs.line + at));
            found.push(format!("{there}: this line is not in the code of {here}:\n    {line}"));
        }
        if our_lines != their_lines && found.len() == before {
            let (here, there) = (self.here(ours.line), self.there(theirs.line));
            found.push(format!(
                "{there}: these lines are not as many, or not in the order, as at {here}"
            ));
        }
    }

    /// Compares the signs of two texts, each with its line.
    pub(super) fn signs(
        &self,
        ours: (&str, usize),
        theirs: (&str, usize),
        found: &mut Vec<String>,
    ) {
        let (our_signs, their_signs) = (Signs::of(ours.0), Signs::of(theirs.0));
        let (here, there) = (self.here(ours.1), self.there(theirs.1));
        let links: BTreeSet<String> = our_signs
            .links
            .iter()
            .map(|link| {
                self.links.chinese(self.english, self.chinese, link).unwrap_or_else(|| {
                    found.push(format!("{here}: the link ({link}) leads nowhere"));
                    link.clone()
                })
            })
            .collect();
        for (what, ours, theirs) in [
            ("code", &our_signs.code, &their_signs.code),
            ("the link", &links, &their_signs.links),
            ("the number or name", &our_signs.names, &their_signs.names),
        ] {
            for missing in ours.difference(theirs) {
                found.push(format!("{there} lacks {what} {missing} of {here}"));
            }
            for more in theirs.difference(ours) {
                found.push(format!("{there} has {what} {more}, which is not in {here}"));
            }
        }
    }
}

/// The line with `# …` in the place of its comment, which is translated.
fn uncommented(line: &str) -> String {
    if line.starts_with("# ") {
        return "# …".to_owned();
    }
    let code = line.split_once(" # ").map(|(code, _)| format!("{} # …", code.trim_end()));
    code.unwrap_or_else(|| line.to_owned())
}
