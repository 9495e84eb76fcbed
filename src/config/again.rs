//! The configuration file, read again while a server runs: who may call and who signs is taken
//! from it, for the rest the server runs on with what it was started with.

use std::path::{Path, PathBuf};

use super::source::Reader;
use super::{Config, ConfigFault, Setting, Sources, check, load};
use crate::callers::Access;
use crate::reload::Origin;
use crate::sunmi::Credential;

/// The file that a server was started with, and what else its settings come from.
#[derive(Clone, Debug)]
pub struct Again {
    path: PathBuf,
    /// The file as it was at the start.
    origin: Origin,
    /// Without the file.
    sources: Sources,
    sandbox: bool,
}

/// What a new file changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The callers, by name.
    pub callers: Names,
    /// Who signs, by `app_id`.
    pub app_ids: Names,
    /// `callers` or `default_app_id`, where what is set otherwise is one word.
    pub words: Vec<&'static str>,
    /// Settings that are not what the server runs with, and cannot be until it starts anew.
    pub for_restart: Vec<String>,
}

/// What was added to a list, changed in it, or removed from it, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// What is new.
    pub added: Vec<String>,
    /// What is there as before, with other content.
    pub changed: Vec<String>,
    /// What is no longer there.
    pub removed: Vec<String>,
}

impl Again {
    /// The file `path`, whose text at the start is in `sources`, with the environment and the flags
    /// that go before it.
    pub fn new(path: PathBuf, mut sources: Sources, sandbox: bool) -> Self {
        let text = sources.file.take();
        let contents = vec![text.unwrap_or_default().into_bytes()].into();
        let origin = Origin::of(vec![path.clone()], &contents);
        Self { path, origin, sources, sandbox }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file as it was at the start.
    pub(crate) fn origin(&self) -> Origin {
        self.origin.clone()
    }

    /// What a server that runs with `running` runs with from now on if this is the file's text, and
    /// what that changes. The file has to be in order as at a start, and what is taken from it has
    /// to fit what stays as it is.
    ///
    /// # Errors
    /// Every fault, by the name of the setting.
    pub fn load(
        &self,
        text: &str,
        running: &Config,
    ) -> Result<(Config, Changes), Vec<ConfigFault>> {
        if text.trim().is_empty() {
            // Likelier to be half written than to mean that there is nobody any more.
            let rule = "must not be empty while the server runs".to_owned();
            return Err(vec![ConfigFault { key: "configuration file".to_owned(), rule }]);
        }
        let sources = Sources { file: Some(text.to_owned()), ..self.sources.clone() };
        let file = load(&sources, self.sandbox)?;
        let changes = file.changes(running);
        let kept = running.settings.iter().filter(|it| !is_of_parties(&it.key)).cloned();
        let taken = file.settings.into_iter().filter(|it| is_of_parties(&it.key));
        let mixed = Config {
            credentials: file.credentials,
            access: file.access,
            settings: kept.chain(taken).collect(),
            ..running.clone()
        };
        let mut reader = Reader::new(&Sources::default());
        check::check(&mut reader, &mixed);
        let unfit = |fault: ConfigFault| {
            let rule = format!("{} (by the settings in force, until a restart)", fault.rule);
            ConfigFault { rule, ..fault }
        };
        match reader.finish() {
            Ok(_) => Ok((mixed, changes)),
            Err(faults) => Err(faults.into_iter().map(unfit).collect()),
        }
    }
}

impl Config {
    /// The files with secrets that who may call and who signs is read from.
    pub(crate) fn files_of_parties(&self) -> Origin {
        let keys = self.credentials.iter().filter_map(|it| it.file.clone());
        let tokens: Vec<Origin> = match &self.access {
            Access::Open | Access::TrustNetwork(_) => Vec::new(),
            Access::Listed(callers) => {
                callers.iter().filter_map(|caller| caller.tokens_from.clone()).collect()
            }
        };
        Origin::joined(keys.chain(tokens))
    }

    /// What changes where this was read and `running` is what a server runs with.
    fn changes(&self, running: &Self) -> Changes {
        let (before, now) = (running.caller_tables(), self.caller_tables());
        let words = ["callers", "default_app_id"];
        let changed = |key: &&str| self.said_of(key) != running.said_of(key);
        Changes {
            callers: compare(&before, &now, |one, other| said(one) == said(other)),
            app_ids: compare(&running.signers(), &self.signers(), |one, other| one.is_same(other)),
            words: words.into_iter().filter(changed).collect(),
            for_restart: self.for_restart(running),
        }
    }

    fn for_restart(&self, running: &Self) -> Vec<String> {
        let new = self.settings.iter().filter(|it| running.setting(&it.key).is_none());
        let all = running.settings.iter().chain(new).map(|it| it.key.as_str());
        let differs = |key: &&str| match *key {
            // A password in it is not shown.
            "refund.ledger" => !self.ledger.is(&running.ledger),
            key => self.said_of(key) != running.said_of(key),
        };
        let others = all.filter(|key| !is_of_parties(key));
        others.filter(differs).map(str::to_owned).collect()
    }

    fn setting(&self, key: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.key == key)
    }

    fn said_of(&self, key: &str) -> Option<&str> {
        self.setting(key)?.in_force.as_deref()
    }

    fn signers(&self) -> Vec<(String, &Credential)> {
        self.credentials.iter().map(|it| (it.app_id.to_string(), it)).collect()
    }

    /// The tables of callers, each by its name.
    fn caller_tables(&self) -> Vec<(String, Vec<&Setting>)> {
        let names = self.settings.iter().filter_map(|setting| {
            let prefix =
                setting.key.strip_suffix("name").filter(|prefix| prefix.ends_with("]."))?;
            let said = setting.in_force.as_deref().filter(|_| prefix.starts_with("callers["))?;
            Some((prefix, said.trim_matches(['"', '\'']).to_owned()))
        });
        let of =
            |prefix: &str| self.settings.iter().filter(|it| it.key.starts_with(prefix)).collect();
        names.map(|(prefix, name)| (name, of(prefix))).collect()
    }
}

/// Whether a setting is of who may call or who signs.
fn is_of_parties(key: &str) -> bool {
    ["callers", "credentials", "default_app_id"]
        .into_iter()
        .any(|name| key.strip_prefix(name).is_some_and(|it| it.is_empty() || it.starts_with('[')))
}

/// What the settings of a table say, whichever table it is.
fn said<'a>(table: &[&'a Setting]) -> Vec<(&'a str, Option<&'a str>)> {
    let name = |setting: &'a Setting| setting.key.rsplit('.').next().unwrap_or_default();
    table.iter().map(|setting| (name(setting), setting.in_force.as_deref())).collect()
}

fn compare<T>(before: &[(String, T)], now: &[(String, T)], same: impl Fn(&T, &T) -> bool) -> Names {
    let mut names = Names::default();
    for (name, content) in now {
        match before.iter().find(|(other, _)| other == name) {
            None => names.added.push(name.clone()),
            Some((_, was)) if !same(was, content) => names.changed.push(name.clone()),
            Some(_) => {}
        }
    }
    let gone = before.iter().filter(|(name, _)| !now.iter().any(|(other, _)| other == name));
    names.removed = gone.map(|(name, _)| name.clone()).collect();
    names
}
