//! The configuration's own file, which names others: those are read with it, and what comes of
//! all of them is put in force at once.

use std::fmt;

use super::files::{self, Fingerprint};
use super::{Contents, Counts, Kind, Look, Origin, Watched};
use crate::error::{BoxError, Chain};

/// What a file says, read to the end and found in order, but not in force yet.
pub struct Loaded {
    /// The files that it names, as they were read for it.
    pub named: Origin,
    /// Puts it in force, and says so in the log. It comes back with what is watched from then on.
    pub commit: Box<dyn FnOnce() -> Vec<Watched> + Send>,
}

/// Reads what the file says and changes nothing. An error tells the rules that are broken and
/// never the content.
pub type Load = Box<dyn FnMut(&Contents) -> Result<Loaded, BoxError> + Send>;

/// The file.
pub struct Configuration {
    origin: Origin,
    load: Load,
    /// What the last look saw in it, and in the files that it names, or what was wrong.
    last: Option<(Look, Result<Fingerprint, String>)>,
    /// What was seen and could not be put in force, and why.
    refused: Option<(Look, String)>,
}

impl Configuration {
    /// What was read from `origin` is in force; what is found there later is for `load`.
    pub fn new(
        origin: Origin,
        load: impl FnMut(&Contents) -> Result<Loaded, BoxError> + Send + 'static,
    ) -> Self {
        Self { origin, load: Box::new(load), last: None, refused: None }
    }

    /// Whether the file now is not what is in force.
    pub(super) fn is_stale(&self) -> bool {
        self.refused.is_some()
    }

    /// Looks at the file, and puts in force what it says if that has changed. It comes back with
    /// what is watched from then on. As with any file, all must be seen the same twice in a row,
    /// and what was refused is tried at every look.
    pub(super) fn look(&mut self, counts: &Counts) -> Option<Vec<Watched>> {
        let (look, contents) = match files::contents(&self.origin.files) {
            Ok(contents) => (Ok(Fingerprint::of(&contents)), contents),
            Err(error) => (Err(error), Contents::default()),
        };
        if look.as_ref() == Ok(&self.origin.read) {
            self.last = None;
            self.back();
            return None;
        }
        let read = look.clone().map_err(BoxError::from);
        let loaded = read.and_then(|read| (self.load)(&contents).map(|loaded| (read, loaded)));
        let seen = match &loaded {
            Ok((_, loaded)) => Ok(loaded.named.read.clone()),
            Err(error) => Err(Chain(error.as_ref()).to_string()),
        };
        let seen = Some((look.clone(), seen));
        let settled = self.last == seen;
        self.last = seen;
        if !settled {
            return None;
        }
        match loaded {
            Ok((read, loaded)) => {
                let watched = (loaded.commit)();
                counts.count(Kind::Configuration, true);
                self.origin.read = read;
                self.refused = None;
                Some(watched)
            }
            Err(error) => {
                self.refuse(look, Chain(error.as_ref()).to_string(), counts);
                None
            }
        }
    }

    /// Notes what is wrong with what was seen, and tells it if it was not told before.
    fn refuse(&mut self, look: Look, error: String, counts: &Counts) {
        let refused = Some((look, error));
        if self.refused == refused {
            return;
        }
        counts.count(Kind::Configuration, false);
        let (kind, files) = (Kind::Configuration.name(), &self.origin.files);
        let error = refused.as_ref().map(|(_, error)| error);
        tracing::warn!(kind, ?files, error, "changed, but what was in force stays");
        self.refused = refused;
    }

    /// The file holds again what is in force.
    fn back(&mut self) {
        if self.refused.take().is_some() {
            let (kind, files) = (Kind::Configuration.name(), &self.origin.files);
            tracing::info!(kind, ?files, "again what is in force");
        }
    }
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configuration").field("files", &self.origin.files).finish_non_exhaustive()
    }
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded").field("named", &self.named.files).finish_non_exhaustive()
    }
}
