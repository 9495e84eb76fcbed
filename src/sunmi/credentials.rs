//! Who can sign: `app_id`s and their keys.

use std::sync::Arc;

use super::key_ring::KeyRing;
use crate::reload::{Kind, Origin, Watched};
use crate::trade::{AppIds, Identifier};

/// An `app_id` and its keys.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The identity.
    pub app_id: Identifier,
    /// What signs for it. Clones share it.
    pub keys: Arc<KeyRing>,
    /// The file that the keys were read from, if they were.
    pub file: Option<Origin>,
}

/// The configured credentials.
#[derive(Clone, Debug)]
pub struct Credentials {
    all: Vec<Credential>,
    default: Option<Identifier>,
}

impl Credential {
    /// Replaces its keys when their file changes.
    fn watched(&self) -> Option<Watched> {
        let (file, keys) = (self.file.clone()?, Arc::clone(&self.keys));
        Some(Watched::new(Kind::AppKey, file, move |contents| {
            Ok(keys.replace(contents.first().map_or(&[], Vec::as_slice))?)
        }))
    }
}

impl Credentials {
    /// `default` signs where a read names no `app_id`. With a single credential that one is
    /// the default anyway.
    pub fn new(all: Vec<Credential>, default: Option<Identifier>) -> Self {
        let only = match all.as_slice() {
            [only] => Some(only.app_id.clone()),
            _ => None,
        };
        Self { all, default: default.or(only) }
    }

    /// The identities, without keys.
    pub fn app_ids(&self) -> AppIds {
        let known = self.all.iter().map(|credential| credential.app_id.clone()).collect();
        AppIds::new(known, self.default.clone())
    }

    /// The one that signs where a read names none.
    pub fn default_app_id(&self) -> Option<&Identifier> {
        self.default.as_ref()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Credential> {
        self.all.iter()
    }

    /// The files with keys, each to replace the keys that came from it.
    pub fn watched(&self) -> impl Iterator<Item = Watched> {
        self.all.iter().filter_map(Credential::watched)
    }

    /// The keys of this identity.
    pub(super) fn keys(&self, app_id: &Identifier) -> Option<&KeyRing> {
        let credential = self.all.iter().find(|credential| credential.app_id == *app_id)?;
        Some(&credential.keys)
    }
}
