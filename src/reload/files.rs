//! Reading files together, and telling whether they have changed.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;

use secrecy::zeroize::Zeroizing;
use sha2::{Digest, Sha256};

/// The longest file that is read, in bytes. Keys and certificates have a few KiB.
const MAX_FILE: u64 = 1 << 20;

/// What the files held, in their order. It is wiped when it is dropped: it may be secret.
pub type Contents = Zeroizing<Vec<Vec<u8>>>;

/// Files, and what they held when they were read: as a digest, because it may be a secret.
#[derive(Clone, Debug)]
pub struct Origin {
    pub(super) files: Vec<PathBuf>,
    pub(super) read: Fingerprint,
}

impl Origin {
    /// These files, which held that.
    pub fn of(files: Vec<PathBuf>, contents: &Contents) -> Self {
        Self { files, read: Fingerprint::of(contents) }
    }

    /// Which files.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// All of these as one: files that are read again and put in force together.
    pub fn joined(all: impl IntoIterator<Item = Self>) -> Self {
        let mut joined = Self { files: Vec::new(), read: Fingerprint(Vec::new()) };
        for origin in all {
            joined.files.extend(origin.files);
            joined.read.0.extend(origin.read.0);
        }
        joined
    }
}

/// A digest of what each file held. It is not printed: a short secret could be guessed from it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Fingerprint(Vec<[u8; 32]>);

/// Why a file was not read. None of its content is in here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}", file.display())]
pub struct Unreadable {
    /// Which.
    pub file: PathBuf,
    /// Why.
    pub why: String,
}

/// Reads files that belong together.
///
/// # Errors
/// The first one that cannot be read. They must be regular files, since they will be read
/// again, of no more than 1 MiB each.
pub fn read(files: Vec<PathBuf>) -> Result<(Contents, Origin), Unreadable> {
    let contents = contents(&files)?;
    let origin = Origin::of(files, &contents);
    Ok((contents, origin))
}

pub(super) fn contents(files: &[PathBuf]) -> Result<Contents, Unreadable> {
    let read = |file: &PathBuf| {
        content(file).map_err(|why| Unreadable { file: file.clone(), why: why.to_string() })
    };
    let contents: Result<Vec<_>, _> = files.iter().map(read).collect();
    contents.map(Zeroizing::new)
}

fn content(file: &PathBuf) -> Result<Vec<u8>, io::Error> {
    let plain = |error: io::Error| io::Error::from(error.kind());
    // Asked first: to open a pipe would wait for somebody to write to it.
    let metadata = fs::metadata(file).map_err(plain)?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    // All of it and a byte to spare: a vector that grows leaves copies behind.
    let mut content = Vec::with_capacity(metadata.len().min(MAX_FILE) as usize + 1);
    let read = File::open(file).and_then(|open| open.take(MAX_FILE + 1).read_to_end(&mut content));
    match read.map_err(plain)? as u64 {
        ..=MAX_FILE => Ok(content),
        _ => Err(io::Error::other("longer than 1 MiB")),
    }
}

impl Fingerprint {
    pub(super) fn of(contents: &Contents) -> Self {
        Self(contents.iter().map(|content| Sha256::digest(content).into()).collect())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint([redacted])")
    }
}
