//! Who may call and who signs, as the configuration says now. They are replaced together: a call
//! begins with both of one configuration, and keeps them to its end.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::callers::Access;
use crate::reload::Watched;
use crate::sunmi::{Credentials, Signers};

/// Who may call and who signs, by one configuration.
#[derive(Clone, Debug)]
pub struct Parties {
    /// Who may call.
    pub access: Access,
    /// Who signs.
    pub credentials: Arc<Credentials>,
}

impl Parties {
    /// The same where others were in force before: what is counted of callers goes on, and so does
    /// what was learned of keys.
    #[must_use]
    pub fn after(self, before: &Self) -> Self {
        let credentials = Credentials::clone(&self.credentials).after(&before.credentials);
        Self { access: self.access.after(&before.access), credentials: Arc::new(credentials) }
    }

    /// The files that these stem from, each to replace what came from it.
    pub fn watched(&self) -> Vec<Watched> {
        self.access.watched().into_iter().chain(self.credentials.watched()).collect()
    }
}

/// The parties that are in force. Clones share them.
#[derive(Clone, Debug)]
pub struct InForce(Arc<ArcSwap<Parties>>);

impl InForce {
    /// These, until they are replaced.
    pub fn new(parties: Parties) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(parties)))
    }

    /// Those that are in force now.
    pub fn now(&self) -> Arc<Parties> {
        self.0.load_full()
    }

    /// Puts others in force, for calls that begin from now on.
    pub fn replace(&self, parties: Parties) {
        self.0.store(Arc::new(parties));
    }

    /// The credentials that are in force whenever they are asked for.
    pub fn signers(&self) -> Signers {
        let parties = Arc::clone(&self.0);
        Signers::in_force(move || Arc::clone(&parties.load().credentials))
    }
}
