//! Who signs: `[[credentials]]` and the two environment variables of the simplest case.

use std::fs;

use super::source::{Reader, Sources};
use super::{APP_ID, APP_KEY};
use crate::sunmi::params::AppKey;
use crate::sunmi::{Credential, Credentials};
use crate::trade::Identifier;

pub(super) fn read(reader: &mut Reader, sources: &Sources, sandbox: bool) -> Credentials {
    let mut all: Vec<Credential> = reader
        .tables("credentials")
        .iter()
        .filter_map(|prefix| credential(reader, prefix))
        .collect();
    if let Some(credential) = of_env(reader, sources) {
        all.insert(0, credential);
    }
    let default = reader.text("default_app_id");
    let default = default.and_then(|id| identifier(reader, "default_app_id", id));
    if let Some(default) = &default {
        let known = all.iter().any(|credential| credential.app_id == *default);
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
    if all.is_empty() && sandbox {
        let credential = crate::sandbox::credential();
        note(reader, &credential);
        all.push(credential);
    }
    if all.is_empty() {
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
    let (key, from) = (reader.secret(&key), reader.text(&file));
    let key = match (key, from) {
        (Some(key), _) => Some(key),
        (None, Some(path)) => key_from_file(reader, &file, &path),
        (None, None) => None,
    };
    Some(Credential { app_id: app_id?, app_key: AppKey::new(key?) })
}

pub(super) fn of_env(reader: &mut Reader, sources: &Sources) -> Option<Credential> {
    let id = sources.env.get(APP_ID).filter(|id| !id.is_empty());
    let key = sources.env.get(APP_KEY).filter(|key| !key.is_empty());
    match (id, key) {
        (Some(_), None) => reader.fault(APP_KEY, format!("is required with {APP_ID}")),
        (None, Some(_)) => reader.fault(APP_ID, format!("is required with {APP_KEY}")),
        (None, None) | (Some(_), Some(_)) => {}
    }
    let app_id = identifier(reader, APP_ID, id?.clone())?;
    let credential = Credential { app_id, app_key: AppKey::new(key?.clone()) };
    note(reader, &credential);
    Some(credential)
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

fn key_from_file(reader: &mut Reader, key: &str, file: &str) -> Option<String> {
    match fs::read_to_string(file) {
        Ok(text) if text.trim().is_empty() => {
            reader.fault(key, "names a file that is empty");
            None
        }
        Ok(text) => Some(text.trim().to_owned()),
        Err(error) => {
            reader.fault(key, format!("names a file that cannot be read: {}", error.kind()));
            None
        }
    }
}
