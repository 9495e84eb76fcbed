//! The commands with which a person goes on with one refund. They are copied into a shell, and
//! callers choose the numbers in them: whatever a shell would read as more than a word is quoted.

use std::borrow::Cow;

use crate::ledger::Row;

/// What has to be added to [`settle`]: one of the first two, and both others. So it suggests no
/// decision, and as it stands does nothing.
pub(crate) const DECISION: [&str; 4] = ["--succeeded", "--not-applied", "--by", "--reason"];

/// Stands for a number that is not shown.
const NUMBER: &str = "NUMBER";

/// How a decision about this refund is recorded, but for the [`DECISION`]; with the number if
/// that may be shown.
pub(crate) fn settle(row: &Row, number: Option<&str>) -> String {
    of_one("settle", row, number, &format!(" --epoch {}", row.epoch))
}

/// How Sunmi is asked whether this refund still stands.
pub(crate) fn verify(row: &Row, number: Option<&str>) -> String {
    of_one("verify", row, number, "")
}

/// How Sunmi is asked once more what became of this refund.
pub(crate) fn resolve(row: &Row, number: Option<&str>) -> String {
    of_one("resolve", row, number, "")
}

fn of_one(what: &str, row: &Row, number: Option<&str>, more: &str) -> String {
    let app_id = quoted(row.key.app_id.as_str());
    let number = number.map_or(Cow::Borrowed(NUMBER), quoted);
    // It would be read as an option.
    let hyphens = |text: &str| text.trim_start_matches('\'').starts_with('-');
    let app_id = if hyphens(&app_id) { format!("={app_id}") } else { format!(" {app_id}") };
    if hyphens(&number) {
        format!("sunmi-trade refunds {what} --app-id{app_id}{more} -- {number}")
    } else {
        format!("sunmi-trade refunds {what} {number} --app-id{app_id}{more}")
    }
}

/// The word as a POSIX shell reads it back.
pub(crate) fn quoted(word: &str) -> Cow<'_, str> {
    let bare = |it: u8| it.is_ascii_alphanumeric() || b"-_.:/@%+,".contains(&it);
    if !word.is_empty() && word.bytes().all(bare) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_reads_every_number_as_one_word() {
        let printable: String = (b'!'..=b'~').map(char::from).collect();
        let hostile = [
            "R-1", "", "\\", "退", "=x", "a b", "$(id)", "a;b", "it's", "'", "`id`", "a|b>c", "*",
            "~", "!!", "#x",
        ];
        for word in hostile.into_iter().chain([printable.as_str()]) {
            let script = format!("printf %s {}", quoted(word));
            let printed = Command::new("sh").args(["-c", &script]).output().unwrap().stdout;
            assert_eq!(String::from_utf8(printed).unwrap(), word);
        }
    }

    #[test]
    fn an_ordinary_number_stands_as_it_is() {
        assert_eq!(quoted("2025/R-1:a@b_c.d"), "2025/R-1:a@b_c.d");
        assert_eq!(quoted("R;1"), "'R;1'");
    }
}
