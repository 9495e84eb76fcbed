//! What is held in memory and stems from files, such as keys and certificates, is replaced
//! when the files change. Their content is looked at every so often, so that it does not
//! matter how they are changed: in place, by a rename, or by the symlink swap with which
//! Kubernetes updates a Secret.
//!
//! Whoever starts from a file [`read`]s it, which gives its content and an [`Origin`]. Of
//! that and of what to do with new content it makes a [`Watched`], for [`watch`]. The
//! configuration's own file, which may name others than before, is a [`Configuration`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

mod configuration;
mod counts;
mod files;

pub use configuration::{Configuration, Load, Loaded};
pub use counts::Counts;
pub use files::{Contents, Origin, Unreadable, read};

use crate::error::{BoxError, Chain};
use files::Fingerprint;

/// What stems from files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The keys of a credential.
    AppKey,
    /// A certificate and its key, or those that callers' certificates are held against.
    Certificate,
    /// What callers show to be known.
    CallerTokens,
    /// Who may call and who signs, as the configuration's own file says.
    Configuration,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] =
        [Self::AppKey, Self::Certificate, Self::CallerTokens, Self::Configuration];

    /// Its name in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::AppKey => "app_key",
            Self::Certificate => "certificate",
            Self::CallerTokens => "caller_tokens",
            Self::Configuration => "configuration",
        }
    }
}

/// Puts new content in force. It is given what the files hold, in their order. If it fails
/// it has changed nothing; its error tells the rule that is broken and never the content.
pub type Apply = Box<dyn FnMut(&Contents) -> Result<(), BoxError> + Send>;

/// Something in force that stems from files, which are read and applied together.
pub struct Watched {
    kind: Kind,
    origin: Origin,
    apply: Apply,
    /// What the last look saw.
    last: Look,
    /// What was seen and could not be put in force, and why.
    refused: Option<(Look, String)>,
}

/// What a look at the files sees.
type Look = Result<Fingerprint, Unreadable>;

impl Watched {
    /// What was read from `origin` is in force; what is found there later is for `apply`.
    pub fn new(
        kind: Kind,
        origin: Origin,
        apply: impl FnMut(&Contents) -> Result<(), BoxError> + Send + 'static,
    ) -> Self {
        let last = Ok(origin.read.clone());
        Self { kind, origin, apply: Box::new(apply), last, refused: None }
    }

    /// Looks at the files, and applies what has changed since it was last applied. A file
    /// that is just being written is seen half; so it must be seen the same twice in a row.
    /// What was refused is tried at every look: the reason may lie elsewhere and pass.
    fn look(&mut self, counts: &Counts) {
        let (look, contents) = match files::contents(&self.origin.files) {
            Ok(contents) => (Ok(Fingerprint::of(&contents)), contents),
            Err(error) => (Err(error), Contents::default()),
        };
        let settled = self.last == look;
        self.last = look.clone();
        if !settled {
            return;
        }
        if look.as_ref() == Ok(&self.origin.read) {
            return self.back();
        }
        let read = look.clone().map_err(BoxError::from);
        let applied = read.and_then(|read| (self.apply)(&contents).map(|()| read));
        let (kind, files) = (self.kind.name(), &self.origin.files);
        match applied {
            Ok(read) => {
                counts.count(self.kind, true);
                tracing::info!(kind, ?files, "changed, and in force");
                self.origin.read = read;
                self.refused = None;
            }
            Err(error) => {
                let refused = Some((look, Chain(error.as_ref()).to_string()));
                if self.refused == refused {
                    return;
                }
                counts.count(self.kind, false);
                let error = Chain(error.as_ref());
                tracing::warn!(kind, ?files, %error, "changed, but what was in force stays");
                self.refused = refused;
            }
        }
    }

    /// The files hold again what is in force.
    fn back(&mut self) {
        if self.refused.take().is_some() {
            let (kind, files) = (self.kind.name(), &self.origin.files);
            tracing::info!(kind, ?files, "again what is in force");
        }
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched")
            .field("kind", &self.kind)
            .field("files", &self.origin.files)
            .finish_non_exhaustive()
    }
}

/// All that is looked at.
#[derive(Debug, Default)]
pub struct Watches {
    /// What stays whatever the configuration says.
    pub fixed: Vec<Watched>,
    /// What the configuration names.
    pub named: Vec<Watched>,
    /// Its own file, if there is one.
    pub configuration: Option<Configuration>,
}

impl Watches {
    fn is_empty(&self) -> bool {
        self.fixed.is_empty() && self.named.is_empty() && self.configuration.is_none()
    }

    /// One look at all of them. The files that the configuration names come first: what has
    /// changed in them is told as theirs.
    fn look(&mut self, counts: &Counts) {
        for watched in self.fixed.iter_mut().chain(&mut self.named) {
            watched.look(counts);
        }
        if let Some(named) = self.configuration.as_mut().and_then(|it| it.look(counts)) {
            self.named = named;
        }
        let all = || self.fixed.iter().chain(&self.named);
        for kind in Kind::ALL {
            let stale = |watched: &Watched| watched.kind == kind && watched.refused.is_some();
            let own = kind == Kind::Configuration
                && self.configuration.as_ref().is_some_and(Configuration::is_stale);
            counts.set_stale(kind, own || all().any(stale));
        }
    }
}

/// Looks at all of them every `interval`, until it is to `stop`.
pub async fn watch(
    mut all: Watches,
    interval: Duration,
    counts: Arc<Counts>,
    stop: CancellationToken,
) {
    while !all.is_empty() {
        if stop.run_until_cancelled(tokio::time::sleep(interval)).await.is_none() {
            return;
        }
        let counts = Arc::clone(&counts);
        let looked = tokio::task::spawn_blocking(move || {
            all.look(&counts);
            all
        });
        all = match looked.await {
            Ok(all) => all,
            Err(error) => return tracing::error!(%error, "files are no longer read again"),
        };
    }
}

#[cfg(test)]
mod tests;
