//! Puts who may call and who signs in force anew, when the configuration file changes.

use std::str;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::{Again, Changes, Config, ConfigFault, Names};
use crate::error::BoxError;
use crate::parties::InForce;
use crate::reload::{Configuration, Kind, Loaded, Watched};
use crate::sandbox::http::Sandbox;

/// The file of a server that was started with `config`. What it says later is put in force with
/// `in_force`, and the built-in sandbox, where there is one, is told who signs from then on.
pub(super) fn configuration(
    file: Again,
    config: &Config,
    in_force: InForce,
    sandbox: Option<Sandbox>,
) -> Configuration {
    let origin = file.origin();
    let parts = Arc::new(Parts { running: Mutex::new(config.clone()), in_force, sandbox });
    Configuration::new(origin, move |contents| {
        let text = contents.first().map_or(&[][..], Vec::as_slice);
        let text = str::from_utf8(text).map_err(|_| "must be UTF-8")?;
        let running = parts.running();
        let (config, changes) = file.load(text, &running).map_err(|faults| in_a_line(&faults))?;
        let (named, parts) = (config.files_of_parties(), Arc::clone(&parts));
        let path = file.path().display().to_string();
        let commit = Box::new(move || {
            let watched = parts.commit(&config);
            tell(&path, &changes);
            super::warn_of_plain_tokens(&config);
            watched
        });
        Ok(Loaded { named, commit })
    })
}

/// What works with the configuration.
struct Parts {
    /// What the server runs with: who may call and who signs as they were read last, the rest as
    /// it was started.
    running: Mutex<Config>,
    in_force: InForce,
    sandbox: Option<Sandbox>,
}

impl Parts {
    fn running(&self) -> Config {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn commit(&self, config: &Config) -> Vec<Watched> {
        // What is in force, not what was read: a key that did not change is the one it was.
        let parties = config.parties().after(&self.in_force.now());
        let watched = parties.watched();
        if let Some(sandbox) = &self.sandbox {
            sandbox.with_book(|book| book.accept(parties.credentials.iter()));
        }
        self.in_force.replace(parties);
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = config.clone();
        watched
    }
}

/// All faults as one.
fn in_a_line(faults: &[ConfigFault]) -> BoxError {
    let faults: Vec<String> = faults.iter().map(ConfigFault::to_string).collect();
    faults.join("; ").into()
}

/// Tells what changed, by names alone, and what cannot before a restart.
fn tell(path: &str, changes: &Changes) {
    let Changes { callers, app_ids, words, for_restart } = changes;
    let kind = Kind::Configuration.name();
    let shown = |names: &[String]| (!names.is_empty()).then(|| names.join(", "));
    let [callers, app_ids] = [callers, app_ids].map(|Names { added, changed, removed }| {
        [added, changed, removed].map(|names| shown(names))
    });
    let words = (!words.is_empty()).then(|| words.join(", "));
    tracing::info!(
        kind,
        file = path,
        callers_added = callers[0],
        callers_changed = callers[1],
        callers_removed = callers[2],
        app_ids_added = app_ids[0],
        app_ids_changed = app_ids[1],
        app_ids_removed = app_ids[2],
        changed = words,
        "changed, and in force"
    );
    if let Some(settings) = shown(for_restart) {
        tracing::warn!(kind, file = path, settings, "changed, and in force only after a restart");
    }
}
