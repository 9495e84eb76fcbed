//! Who can sign: `app_id`s and their keys.

use super::params::AppKey;
use crate::trade::{AppIds, Identifier};

/// An `app_id` and its key.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The identity.
    pub app_id: Identifier,
    /// What signs for it.
    pub app_key: AppKey,
}

/// The configured credentials.
#[derive(Clone, Debug)]
pub struct Credentials {
    all: Vec<Credential>,
    default: Option<Identifier>,
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

    /// The key of this identity.
    pub(super) fn key(&self, app_id: &Identifier) -> Option<&AppKey> {
        let credential = self.all.iter().find(|credential| credential.app_id == *app_id)?;
        Some(&credential.app_key)
    }
}
