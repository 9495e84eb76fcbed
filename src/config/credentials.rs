//! Who signs: `[[credentials]]` and the two environment variables of the simplest case.

use std::sync::Arc;

use super::source::{Reader, Sources};
use super::{APP_ID, APP_KEY, Use};
use crate::reload::{self, Origin};
use crate::sunmi::{Credential, Credentials, KeyRing};
use crate::trade::Identifier;

pub(super) fn read(
    reader: &mut Reader,
    purpose: Use,
    sources: &Sources,
    sandbox: bool,
) -> Credentials {
    let tables = reader.tables("credentials");
    let mut all: Vec<Credential> =
        tables.iter().filter_map(|prefix| credential(reader, prefix)).collect();
    if let Some(credential) = of_env(reader, sources) {
        all.insert(0, credential);
    }
    let in_env = [APP_ID, APP_KEY].into_iter().any(|name| in_env(sources, name).is_some());
    let given = tables.len() + usize::from(in_env);
    let default = reader.text("default_app_id");
    let default = default.and_then(|id| identifier(reader, "default_app_id", id));
    if let Some(default) = &default {
        // One that is at fault may be the one that is meant.
        let known = all.len() < given || all.iter().any(|it| it.app_id == *default);
        reader.check(known, "default_app_id", "must be the app_id of one of the credentials");
    }
    for (at, credential) in all.iter().enumerate() {
        let twice = all[..at].iter().any(|other| other.app_id == credential.app_id);
        reader.check(
            !twice,
            "credentials",
            "must not have an app_id twice, SUNMI_TRADE_APP_ID included",
        );
    }
    if given == 0 && sandbox {
        let credential = crate::sandbox::credential();
        note(reader, &credential);
        all.push(credential);
    }
    if given == 0 && !sandbox && purpose == Use::Serve {
        let rule = format!("none are set: set {APP_ID} and {APP_KEY}, or [[credentials]]");
        reader.fault("credentials", rule);
    }
    Credentials::new(all, default)
}

/// A table of `[[credentials]]`: `app_id`, and `app_key` or `app_key_file`.
fn credential(reader: &mut Reader, prefix: &str) -> Option<Credential> {
    let [id, key, file] =
        ["app_id", "app_key", "app_key_file"].map(|name| format!("{prefix}{name}"));
    reader.check(reader.has(&id), &id, "is required");
    let one = reader.has(&key) != reader.has(&file);
    reader.check(one, &key, "is required, or app_key_file, and not both");
    let app_id = reader.text(&id).and_then(|text| identifier(reader, &id, text));
    let (text, path) = (reader.secret(&key), reader.text(&file));
    let (keys, file) = match (text, path) {
        (Some(text), _) => (keys(reader, &key, &text)?, None),
        (None, Some(path)) => {
            let (keys, origin) = keys_of_file(reader, &file, &path)?;
            (keys, Some(origin))
        }
        (None, None) => return None,
    };
    Some(Credential { app_id: app_id?, keys: Arc::new(keys), file })
}

pub(super) fn of_env(reader: &mut Reader, sources: &Sources) -> Option<Credential> {
    let (id, key) = (in_env(sources, APP_ID), in_env(sources, APP_KEY));
    match (id, key) {
        (Some(_), None) => reader.fault(APP_KEY, format!("is required with {APP_ID}")),
        (None, Some(_)) => reader.fault(APP_ID, format!("is required with {APP_KEY}")),
        (None, None) | (Some(_), Some(_)) => {}
    }
    let app_id = id.and_then(|id| identifier(reader, APP_ID, id.clone()));
    let keys = key.and_then(|key| keys(reader, APP_KEY, key));
    let credential = Credential { app_id: app_id?, keys: Arc::new(keys?), file: None };
    note(reader, &credential);
    Some(credential)
}

fn in_env<'a>(sources: &'a Sources, name: &str) -> Option<&'a String> {
    sources.env.get(name).filter(|text| !text.is_empty())
}

/// Shows one that is not of a table as if it were.
fn note(reader: &mut Reader, credential: &Credential) {
    reader.note("credentials[env].app_id", &credential.app_id);
    reader.note("credentials[env].app_key", &"[redacted]");
}

/// A text as an identifier.
pub(super) fn identifier(reader: &mut Reader, key: &str, text: String) -> Option<Identifier> {
    let id = Identifier::parse(text);
    reader.check(id.is_some(), key, Identifier::RULE);
    id
}

fn keys(reader: &mut Reader, key: &str, text: &str) -> Option<KeyRing> {
    let keys = KeyRing::parse(text.as_bytes());
    keys.map_err(|rule| reader.fault(key, rule.to_string())).ok()
}

fn keys_of_file(reader: &mut Reader, key: &str, file: &str) -> Option<(KeyRing, Origin)> {
    let read = reload::read(vec![file.into()])
        .map_err(|error| format!("names a file that cannot be read: {}", error.why))
        .and_then(|(contents, origin)| {
            let keys = KeyRing::parse(contents.first().map_or(&[], Vec::as_slice));
            keys.map(|keys| (keys, origin)).map_err(|rule| format!("names a file that {rule}"))
        });
    read.map_err(|rule| reader.fault(key, rule)).ok()
}
