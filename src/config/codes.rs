//! Codes that Sunmi explained to the operator: `[[upstream.codes]]`.

use std::sync::Arc;

use super::source::Reader;
use crate::sunmi::codes::CODES;

/// The longest code that can be given, in characters.
const LONGEST: usize = 16;

/// What a code that is not in Sunmi's document means for a refund.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Means {
    /// The trade was refused.
    Refused,
    /// Nothing is known, as of every code that is not listed.
    Doubt,
}

const MEANINGS: [(&str, Means); 2] = [("refused", Means::Refused), ("doubt", Means::Doubt)];

/// Reads the tables, and keeps the codes with which a trade is refused.
pub(super) fn refused(reader: &mut Reader) -> Arc<[String]> {
    let mut all: Vec<(String, Means)> = Vec::new();
    for prefix in reader.tables("upstream.codes") {
        let key = format!("{prefix}code");
        let (code, means) = (code(reader, &key), means(reader, &format!("{prefix}means")));
        let Some(code) = code else { continue };
        let twice = all.iter().any(|(other, _)| *other == code);
        reader.check(!twice, &key, "must not be the code of another of these tables");
        all.extend(means.map(|means| (code, means)));
    }
    let refused = all.into_iter().filter(|(_, means)| *means == Means::Refused);
    refused.map(|(code, _)| code).collect()
}

fn code(reader: &mut Reader, key: &str) -> Option<String> {
    reader.check(reader.has(key), key, "is required");
    let code = reader.take(key, "must be 1 to 16 ASCII letters or digits", |value| {
        let fits = |text: &&str| {
            (1..=LONGEST).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        value.as_str().filter(fits).map(str::to_owned)
    })?;
    reader.in_force(&code);
    let known = CODES.iter().any(|row| row.code == code);
    let rule = "is known from Sunmi's document and cannot be redefined";
    reader.check(!known, key, rule);
    Some(code)
}

fn means(reader: &mut Reader, key: &str) -> Option<Means> {
    reader.check(reader.has(key), key, "is required");
    let (word, means) = reader.take(key, "must be refused or doubt", |value| {
        MEANINGS.into_iter().find(|(word, _)| value.as_str() == Some(word))
    })?;
    reader.in_force(&word);
    Some(means)
}
