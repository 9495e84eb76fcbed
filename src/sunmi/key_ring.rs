//! The keys of an `app_id`: one, or during a rotation an old and a new one side by side.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;

use super::params::AppKey;

/// Why a text is not that of keys. It has nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotKeys {
    /// Neither one key nor two.
    #[error("must hold one key, or two during rotation, one a line")]
    Count,
    /// No text at all.
    #[error("must be UTF-8")]
    NotText,
}

/// The keys in force, replaced together while calls are signed with them.
#[derive(Debug)]
pub struct KeyRing(ArcSwap<Keys>);

#[derive(Debug)]
struct Keys {
    first: AppKey,
    second: Option<AppKey>,
    /// Whether Sunmi took the second when it rejected the first.
    second_preferred: AtomicBool,
}

impl KeyRing {
    /// The keys of a text: one a line, without blank lines and the blanks around a key. The
    /// first one signs first.
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn parse(text: &[u8]) -> Result<Self, NotKeys> {
        Ok(Self(ArcSwap::from_pointee(Keys::parse(text)?)))
    }

    /// Puts the keys of another text in force.
    ///
    /// # Errors
    /// As for [`Self::parse`]; then the keys are what they were.
    pub fn replace(&self, text: &[u8]) -> Result<(), NotKeys> {
        self.0.store(Arc::new(Keys::parse(text)?));
        Ok(())
    }

    /// What signs.
    pub fn preferred(&self) -> AppKey {
        let keys = self.0.load();
        match &keys.second {
            Some(second) if keys.second_preferred.load(Ordering::Relaxed) => second.clone(),
            Some(_) | None => keys.first.clone(),
        }
    }

    /// A key in force beside this one, which may no longer be in force itself.
    pub(super) fn other_than(&self, key: &AppKey) -> Option<AppKey> {
        self.0.load().iter().find(|other| !other.is(key)).cloned()
    }

    /// Signs with this one from now on, if it is in force, and says whether that is new.
    pub(super) fn prefer(&self, key: &AppKey) -> bool {
        let keys = self.0.load();
        let second = keys.second.as_ref().is_some_and(|second| second.is(key));
        let known = second || keys.first.is(key);
        known && keys.second_preferred.swap(second, Ordering::Relaxed) != second
    }

    /// Whether those are the same keys in the same order.
    pub fn is_same(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.0.load(), other.0.load());
        ours.iter().count() == theirs.iter().count()
            && ours.iter().zip(theirs.iter()).all(|(one, other)| one.is(other))
    }

    /// Whether this holds for a key in force.
    pub fn any(&self, holds: impl FnMut(&AppKey) -> bool) -> bool {
        self.0.load().iter().any(holds)
    }
}

impl Keys {
    fn parse(text: &[u8]) -> Result<Self, NotKeys> {
        let text = std::str::from_utf8(text).map_err(|_| NotKeys::NotText)?;
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let (first, second) = (lines.next().ok_or(NotKeys::Count)?, lines.next());
        if lines.next().is_some() {
            return Err(NotKeys::Count);
        }
        let key = |text: &str| AppKey::new(text.to_owned());
        let second_preferred = AtomicBool::new(false);
        Ok(Self { first: key(first), second: second.map(key), second_preferred })
    }

    fn iter(&self) -> impl Iterator<Item = &AppKey> {
        [&self.first].into_iter().chain(&self.second)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> AppKey {
        AppKey::new(text.to_owned())
    }

    fn is(ring: &KeyRing, expected: &str) -> bool {
        ring.preferred().is(&key(expected))
    }

    #[test]
    fn what_sunmi_took_is_preferred_until_the_keys_are_replaced() {
        let ring = KeyRing::parse(b"old\nnew").unwrap();
        assert!(is(&ring, "old") && ring.other_than(&key("old")).unwrap().is(&key("new")));
        assert!(ring.prefer(&key("new")) && !ring.prefer(&key("new")) && is(&ring, "new"));
        assert!(!ring.prefer(&key("no longer")) && is(&ring, "new"));
        assert!(ring.other_than(&key("new")).unwrap().is(&key("old")));
        assert!(ring.prefer(&key("old")) && is(&ring, "old"));
        assert!(ring.prefer(&key("new")));
        ring.replace(b"old\nnew").unwrap();
        assert!(is(&ring, "old"));
    }

    /// A call may be under way when its key is replaced.
    #[test]
    fn a_key_that_is_no_longer_in_force_has_another_and_the_only_one_has_none() {
        let ring = KeyRing::parse(b"new").unwrap();
        assert!(ring.other_than(&key("old")).unwrap().is(&key("new")));
        assert!(ring.other_than(&key("new")).is_none());
        let twice = KeyRing::parse(b"new\nnew").unwrap();
        assert!(twice.other_than(&key("new")).is_none());
    }

    #[test]
    fn keys_that_are_refused_leave_those_in_force() {
        let ring = KeyRing::parse(b"old").unwrap();
        let refused: [(&[u8], NotKeys); 4] = [
            (b"", NotKeys::Count),
            (b" \n\t\r\n", NotKeys::Count),
            (b"a\nb\nc", NotKeys::Count),
            (b"a\xFF", NotKeys::NotText),
        ];
        for (text, fault) in refused {
            assert_eq!(ring.replace(text), Err(fault), "{text:?}");
            assert!(is(&ring, "old") && ring.other_than(&key("old")).is_none(), "{text:?}");
        }
    }

    #[test]
    fn keys_are_not_printed() {
        let ring = KeyRing::parse(b"hunter2\nhunter3").unwrap();
        assert!(!format!("{ring:?}").contains("hunter"));
    }

    proptest! {
        /// Whatever stands around the keys.
        #[test]
        fn the_keys_of_a_text_are_its_lines_that_are_not_blank(
            keys in proptest::collection::vec("[!-~]([ -~]{0,20}[!-~])?", 0..4),
            blanks in proptest::collection::vec("[ \t]{0,3}", 8),
            empty in proptest::collection::vec("([ \t]{0,3}\r?\n){0,3}", 5),
        ) {
            let mut text = empty[0].clone();
            for (at, key) in keys.iter().enumerate() {
                text += &format!("{}{key}{}\n{}", blanks[at], blanks[at + 4], empty[at + 1]);
            }
            let parsed = Keys::parse(text.as_bytes());
            prop_assert_eq!(parsed.is_ok(), matches!(keys.len(), 1 | 2), "{:?}", text);
            if let Ok(parsed) = parsed {
                let same = parsed.iter().zip(&keys).all(|(one, other)| one.is(&key(other)));
                prop_assert!(same && parsed.iter().count() == keys.len(), "{:?}", text);
            }
        }

        #[test]
        fn any_bytes_are_keys_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(ring) = KeyRing::parse(&bytes) {
                prop_assert!(!ring.preferred().is(&key("")));
            }
        }
    }
}
