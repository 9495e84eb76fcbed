//! A page of Markdown as blocks, as far as these pages use it.

/// What a block is, apart from its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A heading of this level.
    Heading(usize),
    Paragraph,
    Quote,
    /// An item of a list with points.
    Point,
    /// An item of a numbered list.
    Step,
    /// The rows of a table, head first, one a line.
    Table,
    /// A block of code, its language in the first line.
    Code,
}

/// A heading, a paragraph, an item, a table or a block of code.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) kind: Kind,
    /// Its first line, from 1.
    pub(super) line: usize,
    /// Its lines, without the marks that make it what it is.
    pub(super) lines: Vec<String>,
}

impl Block {
    /// Its lines as one.
    pub(super) fn text(&self) -> String {
        self.lines.join(" ")
    }
}

/// A page of the repository.
#[derive(Debug, Clone)]
pub(super) struct Page {
    /// Where it is in the repository.
    pub(super) path: String,
    pub(super) blocks: Vec<Block>,
}

impl Page {
    /// Takes the text apart.
    pub(super) fn parse(path: &str, text: &str) -> Self {
        let mut blocks: Vec<Block> = Vec::new();
        let mut fenced = false;
        // Whether the line before belongs to a block that the next line may go on with.
        let mut open = false;
        for (line, text) in (1..).zip(text.lines()) {
            if fenced {
                fenced = text != "```";
                if fenced {
                    push(&mut blocks, text);
                }
                continue;
            }
            let Some((kind, rest)) = begins(text) else {
                open = false;
                continue;
            };
            fenced = kind == Kind::Code;
            let goes_on = open && blocks.last().is_some_and(|last| continues(last.kind, kind));
            if goes_on {
                push(&mut blocks, rest.trim());
            } else {
                blocks.push(Block { kind, line, lines: vec![rest.trim().to_owned()] });
            }
            open = !matches!(kind, Kind::Heading(_) | Kind::Code);
        }
        Self { path: path.to_owned(), blocks }
    }

    /// The headings.
    pub(super) fn outline(&self) -> Vec<&Block> {
        self.blocks.iter().filter(|block| matches!(block.kind, Kind::Heading(_))).collect()
    }

    /// The anchors of the headings, as GitHub makes them.
    pub(super) fn anchors(&self) -> Vec<String> {
        self.outline().into_iter().map(|heading| anchor(&heading.text())).collect()
    }

    /// What stands under each heading. Before the first one there is nothing.
    pub(super) fn sections(&self) -> Vec<&[Block]> {
        let mut heads: Vec<usize> = (0..self.blocks.len())
            .filter(|at| matches!(self.blocks[*at].kind, Kind::Heading(_)))
            .collect();
        heads.push(self.blocks.len());
        heads.windows(2).map(|ends| &self.blocks[ends[0] + 1..ends[1]]).collect()
    }
}

fn push(blocks: &mut [Block], line: &str) {
    if let Some(last) = blocks.last_mut() {
        last.lines.push(line.to_owned());
    }
}

/// Whether a line that alone would begin a block of the kind `next` goes on with `last`.
fn continues(last: Kind, next: Kind) -> bool {
    match next {
        Kind::Paragraph => last != Kind::Table,
        Kind::Table | Kind::Quote => last == next,
        Kind::Heading(_) | Kind::Point | Kind::Step | Kind::Code => false,
    }
}

/// The block that this line begins, unless it goes on with the one before, and the rest of it.
fn begins(line: &str) -> Option<(Kind, &str)> {
    let text = line.trim();
    if text.is_empty() {
        return None;
    }
    let level = text.bytes().take_while(|byte| *byte == b'#').count();
    if level > 0 && text[level..].starts_with(' ') {
        return Some((Kind::Heading(level), &text[level..]));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits > 0 && text[digits..].starts_with(". ") {
        return Some((Kind::Step, &text[digits + 1..]));
    }
    let marks = [("```", Kind::Code), ("|", Kind::Table), ("> ", Kind::Quote), ("- ", Kind::Point)];
    let found = marks.into_iter().find_map(|(mark, kind)| Some((kind, text.strip_prefix(mark)?)));
    Some(found.unwrap_or((Kind::Paragraph, text)))
}

/// The cells of a row, of which the first `|` is gone already.
pub(super) fn cells(row: &str) -> Vec<&str> {
    row.trim_end_matches('|').split('|').map(str::trim).collect()
}

/// The anchor of a heading: in lower case, with hyphens for blanks, without punctuation.
fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|it| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_'))
        .map(|it| if it == ' ' { '-' } else { it })
        .collect()
}
