//! A command, written so that a shell reads it as it is meant.

/// The words as one command.
pub(super) fn command(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}

/// A word as a POSIX shell reads it, whatever is in it.
pub(super) fn quoted(word: &str) -> String {
    let plain = |it: char| it.is_ascii_alphanumeric() || "_-./:@%+,".contains(it);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_each_word_as_it_was() {
        let words = ["R1", "a'b", "", "$(id)", "a b", "`x`", "!1", "~", "=x", "退", "-R", "\\"];
        let words = words.map(str::to_owned);
        let script = format!("printf '%s\\n' {}", command(&words));
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        let read = String::from_utf8(output.stdout).unwrap();
        assert_eq!(read.lines().collect::<Vec<_>>(), words);
        assert_eq!(command(&words[..2]), r"R1 'a'\''b'");
    }
}
