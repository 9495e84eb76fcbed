//! Who can sign: `app_id`s and their keys.

use std::fmt;
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
    app_ids: AppIds,
}

/// Gives the credentials to sign with: always the same ones, or those in force whenever it is
/// asked.
#[derive(Clone)]
pub struct Signers(Arc<dyn Fn() -> Arc<Credentials> + Send + Sync>);

impl Signers {
    /// Those that `now` gives.
    pub fn in_force(now: impl Fn() -> Arc<Credentials> + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(super) fn now(&self) -> Arc<Credentials> {
        (self.0)()
    }
}

impl From<Arc<Credentials>> for Signers {
    fn from(these: Arc<Credentials>) -> Self {
        Self::in_force(move || Arc::clone(&these))
    }
}

impl From<Credentials> for Signers {
    fn from(these: Credentials) -> Self {
        Arc::new(these).into()
    }
}

impl fmt::Debug for Signers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signers")
    }
}

impl Credential {
    /// Whether that one is of the same identity, with the same keys out of the same file.
    pub fn is_same(&self, other: &Self) -> bool {
        let files = |of: &Self| of.file.as_ref().map(|file| file.files().to_vec());
        self.app_id == other.app_id && self.keys.is_same(&other.keys) && files(self) == files(other)
    }

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
        let known = all.iter().map(|credential| credential.app_id.clone()).collect();
        Self { all, app_ids: AppIds::new(known, default.or(only)) }
    }

    /// The same where others were in force before. Keys that did not change go on, with what was
    /// learned of which of them Sunmi takes.
    #[must_use]
    pub fn after(mut self, before: &Self) -> Self {
        for credential in &mut self.all {
            let kept = before.of(&credential.app_id);
            if let Some(kept) = kept.filter(|kept| kept.keys.is_same(&credential.keys)) {
                credential.keys = Arc::clone(&kept.keys);
            }
        }
        self
    }

    /// The identities, without keys.
    pub fn app_ids(&self) -> &AppIds {
        &self.app_ids
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Credential> {
        self.all.iter()
    }

    /// The files with keys, each to replace the keys that came from it.
    pub fn watched(&self) -> impl Iterator<Item = Watched> {
        self.all.iter().filter_map(Credential::watched)
    }

    /// That of this identity.
    pub fn of(&self, app_id: &Identifier) -> Option<&Credential> {
        self.all.iter().find(|credential| credential.app_id == *app_id)
    }

    /// The keys of this identity.
    pub(super) fn keys(&self, app_id: &Identifier) -> Option<&Arc<KeyRing>> {
        self.of(app_id).map(|credential| &credential.keys)
    }
}
