//! How identifiers of trades are shown in logs: one policy for the whole process.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU8, Ordering};

/// How much is shown of an identifier of a trade, such as an order number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// All of it.
    Full,
    /// Its last four characters.
    Masked,
    /// Nothing: the field is left out.
    None,
}

static POLICY: AtomicU8 = AtomicU8::new(Policy::Full as u8);

pub(super) fn set(policy: Policy) {
    POLICY.store(policy as u8, Ordering::Relaxed);
}

/// What a log shows of this identifier, if anything.
pub fn shown(identifier: &str) -> Option<Cow<'_, str>> {
    let policies = [Policy::Full, Policy::Masked, Policy::None];
    let policy = POLICY.load(Ordering::Relaxed);
    under(policies.into_iter().find(|it| *it as u8 == policy)?, identifier)
}

fn under(policy: Policy, identifier: &str) -> Option<Cow<'_, str>> {
    match policy {
        Policy::Full => Some(Cow::Borrowed(identifier)),
        Policy::Masked => {
            // One of four characters or less would be shown whole.
            let last = identifier.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
            let last = if last == 0 { "" } else { &identifier[last..] };
            Some(Cow::Owned(format!("…{last}")))
        }
        Policy::None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_identifier_keeps_its_last_four_characters_if_there_are_more() {
        for (identifier, masked) in
            [("40000734324823473432", "…3432"), ("12345", "…2345"), ("1234", "…"), ("", "…")]
        {
            assert_eq!(under(Policy::Masked, identifier).as_deref(), Some(masked));
            assert_eq!(under(Policy::Full, identifier).as_deref(), Some(identifier));
            assert_eq!(under(Policy::None, identifier), None);
        }
    }
}
