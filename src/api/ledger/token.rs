//! Page tokens and cursors: places, as opaque texts. They hold no secret and need no seal: whoever
//! makes one up gets what it may see, from another place on.

use sha2::{Digest, Sha256};

use crate::ledger::{ClaimedAt, FeedPlace, Key};
use crate::trade::Identifier;

/// What each kind of text begins with.
const PAGE: &str = "page1";
const CURSOR: &str = "cursor1";

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
    let [filter, time, app_id, order_id] = read(PAGE, token)?;
    let (app_id, order_id) = (Identifier::parse(app_id)?, Identifier::parse(order_id)?);
    let key = Key { app_id, order_id };
    Some((filter, ClaimedAt { time: time.parse().ok()?, key }))
}

/// The cursor of a place in the feed of this id.
pub(super) fn cursor(feed: &str, place: &FeedPlace) -> String {
    let FeedPlace { feed: number, app_id, order_id } = place;
    hex::encode(format!("{CURSOR} {feed} {number} {app_id} {order_id}"))
}

/// The place of a cursor, and its feed's id.
pub(super) fn read_cursor(cursor: &str) -> Option<(String, FeedPlace)> {
    let [id, number, app_id, order_id] = read(CURSOR, cursor)?;
    let feed = number.parse().ok().filter(|feed| *feed >= 0)?;
    Some((id, FeedPlace { feed, app_id, order_id }))
}

fn read(kind: &str, text: &str) -> Option<[String; 4]> {
    let text = String::from_utf8(hex::decode(text).ok()?).ok()?;
    let parts: Vec<String> = text.strip_prefix(kind)?.split(' ').map(str::to_owned).collect();
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
        for place in [
            FeedPlace::default(),
            FeedPlace { feed: i64::MAX, app_id: "a".to_owned(), order_id: "b".to_owned() },
        ] {
            assert_eq!(read_cursor(&cursor("feed", &place)), Some(("feed".to_owned(), place)));
        }
    }

    #[test]
    fn a_cursor_is_as_short_as_the_contract_says() {
        let longest = "x".repeat(128);
        let place = FeedPlace { feed: i64::MAX, app_id: longest.clone(), order_id: longest };
        assert!(cursor(&"f".repeat(32), &place).len() <= 1024);
    }

    proptest! {
        #[test]
        fn any_other_text_is_none(text in ".*", inner in "(page1|cursor1)?( [a-z0-9-]*){0,6}") {
            prop_assert_eq!(read_page(&text), None);
            for text in [text, hex::encode(inner)] {
                if let Some((id, place)) = read_cursor(&text) {
                    prop_assert_eq!(cursor(&id, &place), text);
                }
            }
        }
    }
}
