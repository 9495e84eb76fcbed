//! Page tokens: places, as opaque texts. They hold no secret and need no seal: whoever makes one up
//! gets what it may see, from another place on.

use sha2::{Digest, Sha256};

use crate::ledger::{ClaimedAt, Key};
use crate::trade::Identifier;

/// What a token begins with.
const PAGE: &str = "page1";

/// What a filter is told from others by.
pub(super) fn digest(filter: &[u8]) -> String {
    let mut digest = hex::encode(Sha256::digest(filter));
    digest.truncate(16);
    digest
}

/// The token of the page after this place, under the filter with this digest.
pub(super) fn page(filter: &str, after: &ClaimedAt) -> String {
    let ClaimedAt { time, key } = after;
    hex::encode(format!("{PAGE} {filter} {time} {} {}", key.app_id, key.order_id))
}

/// Where a page begins, and the digest of its filter.
pub(super) fn read_page(token: &str) -> Option<(String, ClaimedAt)> {
    let [filter, time, app_id, order_id] = parts(token)?;
    let (app_id, order_id) = (Identifier::parse(app_id)?, Identifier::parse(order_id)?);
    let key = Key { app_id, order_id };
    Some((filter, ClaimedAt { time: time.parse().ok()?, key }))
}

fn parts(token: &str) -> Option<[String; 4]> {
    let text = String::from_utf8(hex::decode(token).ok()?).ok()?;
    let parts: Vec<String> = text.strip_prefix(PAGE)?.split(' ').map(str::to_owned).collect();
    let [none, parts @ ..] = <[String; 5]>::try_from(parts).ok()?;
    // The ledger takes any text, but one with a NUL.
    (none.is_empty() && !text.contains('\0')).then_some(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(text: &str) -> Identifier {
        Identifier::parse(text.to_owned()).unwrap()
    }

    #[test]
    fn what_was_written_is_read() {
        let key = Key { app_id: id("app"), order_id: id("R:1/é".trim_end_matches("/é")) };
        let at = ClaimedAt { time: -5, key };
        assert_eq!(read_page(&page("abc", &at)), Some(("abc".to_owned(), at)));
    }

    proptest! {
        #[test]
        fn any_other_text_is_none(text in ".*") {
            prop_assert_eq!(read_page(&text), None);
        }
    }
}
