//! What both languages must have in common: code, links, numbers and names.

use std::collections::BTreeSet;

/// What a text has that no translation changes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Signs {
    /// Its code spans.
    pub(super) code: BTreeSet<String>,
    /// The targets of its links, as they are written.
    pub(super) links: BTreeSet<String>,
    /// Numbers and names outside of code: 404, 1.2, E22, 4xx, NOT_APPLIED, SwipeQuery.
    pub(super) names: BTreeSet<String>,
}

impl Signs {
    /// Those of this text.
    pub(super) fn of(text: &str) -> Self {
        let (prose, code) = apart(text);
        let mut links = BTreeSet::new();
        let mut words = String::new();
        for (at, part) in prose.split("](").enumerate() {
            let rest = if at == 0 { part } else { target(part, &mut links) };
            words.push_str(rest);
            words.push(' ');
        }
        Self { code, links, names: names(&words) }
    }

    /// All of them in a line, for a row to be known by.
    pub(super) fn key(&self) -> String {
        let code = self.code.iter().map(|it| format!("`{it}`"));
        code.chain(self.names.iter().cloned()).collect::<Vec<_>>().join(" ")
    }
}

/// The text with `CODE` for each code span, and what these are.
pub(super) fn apart(text: &str) -> (String, BTreeSet<String>) {
    let mut prose = String::new();
    let mut code = BTreeSet::new();
    for (at, part) in text.split('`').enumerate() {
        if at % 2 == 0 {
            prose.push_str(part);
        } else {
            code.insert(part.to_owned());
            prose.push_str("`CODE`");
        }
    }
    (prose, code)
}

/// Keeps the target that this text begins with; what follows it comes back.
fn target<'a>(text: &'a str, links: &mut BTreeSet<String>) -> &'a str {
    let (target, rest) = text.split_once(')').unwrap_or((text, ""));
    links.insert(target.to_owned());
    rest
}

fn names(text: &str) -> BTreeSet<String> {
    words(text)
        .filter(|word| {
            let inner = word.as_bytes().windows(2);
            word.contains('_')
                || word.bytes().any(|byte| byte.is_ascii_digit())
                || inner.clone().any(|it| it[0].is_ascii_lowercase() && it[1].is_ascii_uppercase())
        })
        // English puts an s to the names of many.
        .map(|word| if word.contains('_') { word.trim_end_matches('s') } else { word })
        .map(str::to_owned)
        .collect()
}

/// The runs of Latin letters, digits and underscores, with the points and commas of numbers.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|it: char| !(it.is_ascii_alphanumeric() || matches!(it, '_' | '.' | ',')))
        .flat_map(|run| {
            let number = run.starts_with(|it: char| it.is_ascii_digit());
            // Points and commas are part of a word in numbers alone.
            run.split(move |it: char| !number && matches!(it, '.' | ','))
        })
        .map(|word| word.trim_matches(['.', ',']))
        .filter(|word| !word.is_empty())
}
