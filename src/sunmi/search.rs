//! Finds a text in another one, in whatever case, and looks at few bytes of that: Horspool's
//! search. Where the last byte of a window does not stand in the text that is searched for, none
//! of the windows that hold this byte need to be looked at.

/// The search for one text.
pub(super) struct Search<'a> {
    wanted: &'a [u8],
    /// By the last byte of a window, how far it is to the next one where the text may stand.
    steps: [u8; 256],
}

impl<'a> Search<'a> {
    /// The search for this text, which is not empty.
    pub(super) fn of(wanted: &'a str) -> Self {
        let wanted = wanted.as_bytes();
        // Steps that are shorter than they may be find the same.
        let step = |distance: usize| u8::try_from(distance).unwrap_or(u8::MAX);
        let mut steps = [step(wanted.len()); 256];
        let before_last = wanted.split_last().map_or(wanted, |(_, rest)| rest);
        for (distance, byte) in (1..=before_last.len()).rev().zip(before_last) {
            for byte in [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()] {
                steps[usize::from(byte)] = step(distance);
            }
        }
        Self { wanted, steps }
    }

    /// Where it begins first.
    pub(super) fn find_in(&self, text: &[u8]) -> Option<usize> {
        let end = self.wanted.last()?;
        let mut rest = text;
        while let Some(window) = rest.get(..self.wanted.len()) {
            let last = window.last()?;
            if last.eq_ignore_ascii_case(end) && window.eq_ignore_ascii_case(self.wanted) {
                return Some(text.len() - rest.len());
            }
            rest = rest.get(usize::from(self.steps[usize::from(*last)])..)?;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Of few letters, so that most of a window is often the same.
        #[test]
        fn it_is_found_where_a_look_at_every_window_finds_it(
            text in "[abAB1]{0,40}",
            wanted in "[abAB1]{1,6}",
            long in "[ab]{0,600}",
        ) {
            for (text, wanted) in [(text.clone(), wanted.clone()), (format!("{text}{long}x{text}"), format!("{long}X"))] {
                let same = |window: &[u8]| window.eq_ignore_ascii_case(wanted.as_bytes());
                let expected = text.as_bytes().windows(wanted.len()).position(same);
                prop_assert_eq!(Search::of(&wanted).find_in(text.as_bytes()), expected);
            }
        }
    }
}
