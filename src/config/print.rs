//! The configuration in words, for `check-config`.

use super::{Config, Setting, Upstream};

impl Config {
    /// The configuration as the TOML file that would give it, with secrets redacted.
    pub fn to_toml(&self) -> String {
        let mut text = match &self.upstream {
            Upstream::Sandbox => "# Calls the built-in sandbox.\n".to_owned(),
            Upstream::Environment { base_url, .. } => format!("# Calls {base_url}.\n"),
        };
        let mut section = String::new();
        // In TOML, what is of no section comes first.
        let (of_none, of_some): (Vec<&Setting>, Vec<&Setting>) =
            self.settings.iter().partition(|setting| !setting.key.contains('.'));
        for setting in of_none.into_iter().chain(of_some) {
            let Some(value) = &setting.in_force else { continue };
            let (of, name) = setting.key.rsplit_once('.').unwrap_or(("", &setting.key));
            if of != section {
                text += &match of.split_once('[') {
                    Some((array, _)) => format!("\n[[{array}]]\n"),
                    None => format!("\n[{of}]\n"),
                };
                of.clone_into(&mut section);
            }
            text += &format!("{name} = {value}\n");
        }
        text
    }
}
