//! Cursors of the stream of changes. A place in the feed tells of refunds that its reader may not
//! see: which one changed last, and how many do. So it is sealed, with a key that the ledger has.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::error::BoxError;
use crate::ledger::{Feed, FeedPlace};

/// What a cursor of this version begins with.
const VERSION: u8 = 1;

/// The length of a feed's id.
const ID: usize = 16;

/// Places are filled up to a multiple of this, so that lengths tell little.
const FILL: usize = 64;

/// What writes the cursors of a feed, and reads them.
pub(super) struct Cursors {
    id: [u8; ID],
    key: LessSafeKey,
}

/// What a text is as a cursor.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cursor {
    /// Of this place.
    At(FeedPlace),
    /// Of another feed, in which no place is known.
    Elsewhere,
}

impl Cursors {
    /// Those of this feed.
    ///
    /// # Errors
    /// What is wrong with what the ledger has of it.
    pub(super) fn of(feed: &Feed) -> Result<Self, BoxError> {
        let mut id = [0; ID];
        hex::decode_to_slice(&feed.id, &mut id)?;
        let key = UnboundKey::new(&CHACHA20_POLY1305, &feed.key).map_err(|_| "an unusable key")?;
        Ok(Self { id, key: LessSafeKey::new(key) })
    }

    /// The cursor of a place.
    ///
    /// # Errors
    /// That it could not be sealed; none in practice.
    pub(super) fn write(&self, place: &FeedPlace) -> Result<String, BoxError> {
        let FeedPlace { feed, app_id, order_id } = place;
        let mut sealed = format!("{feed} {app_id} {order_id} ").into_bytes();
        sealed.resize(sealed.len().next_multiple_of(FILL), b' ');
        let nonce: [u8; NONCE_LEN] = rand::random();
        let head = self.head();
        let whole = Nonce::assume_unique_for_key(nonce);
        self.key
            .seal_in_place_append_tag(whole, Aad::from(&head), &mut sealed)
            .map_err(|_| "a cursor could not be sealed")?;
        Ok(hex::encode([&head[..], &nonce, &sealed].concat()))
    }

    /// What this text is, if it is a cursor.
    pub(super) fn read(&self, text: &str) -> Option<Cursor> {
        let bytes = hex::decode(text).ok()?;
        let (head, rest) = bytes.split_at_checked(1 + ID)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        if head[0] != VERSION {
            return None;
        }
        if head[1..] != self.id {
            return Some(Cursor::Elsewhere);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let place = self.key.open_in_place(nonce, Aad::from(head), &mut sealed).ok()?;
        let place = std::str::from_utf8(place).ok()?.trim_end_matches(' ');
        let mut parts = place.split(' ').map(str::to_owned);
        let feed = parts.next()?.parse().ok()?;
        let (app_id, order_id) =
            (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        Some(Cursor::At(FeedPlace { feed, app_id, order_id }))
    }

    fn head(&self) -> [u8; 1 + ID] {
        let mut head = [VERSION; 1 + ID];
        head[1..].copy_from_slice(&self.id);
        head
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cursors(id: &str) -> Cursors {
        Cursors::of(&Feed { id: id.repeat(16), key: [7; 32] }).unwrap()
    }

    fn place(feed: i64, app_id: &str, order_id: &str) -> FeedPlace {
        FeedPlace { feed, app_id: app_id.to_owned(), order_id: order_id.to_owned() }
    }

    #[test]
    fn a_place_is_read_as_it_was_written_and_by_its_own_feed_alone() {
        for place in [FeedPlace::default(), place(5, "", ""), place(i64::MAX, "app", "R:1")] {
            let cursor = cursors("ab").write(&place).unwrap();
            assert_eq!(cursors("ab").read(&cursor), Some(Cursor::At(place)));
            assert_eq!(cursors("cd").read(&cursor), Some(Cursor::Elsewhere));
            let other_key = Cursors::of(&Feed { id: "ab".repeat(16), key: [8; 32] }).unwrap();
            assert_eq!(other_key.read(&cursor), None);
        }
    }

    #[test]
    fn a_cursor_tells_nothing_of_its_place() {
        let lengths = [place(1, "a", "b"), place(99_999, "app-of-another", "ORDER-12345")];
        let [short, long] = lengths.map(|place| cursors("ab").write(&place).unwrap());
        assert_eq!(short.len(), long.len());
        let text = String::from_utf8_lossy(&hex::decode(&long).unwrap()).into_owned();
        assert!(!text.contains("ORDER") && !text.contains("app-of"), "{text}");
        // Nor whether it has changed.
        assert_ne!(
            long,
            cursors("ab").write(&place(99_999, "app-of-another", "ORDER-12345")).unwrap()
        );
    }

    #[test]
    fn a_cursor_is_as_short_as_the_contract_says() {
        let longest = "x".repeat(128);
        assert!(cursors("ab").write(&place(i64::MAX, &longest, &longest)).unwrap().len() <= 1024);
    }

    proptest! {
        #[test]
        fn any_other_text_is_none(text in ".*", flip in 1_usize..100, bit in 0_u8..8) {
            prop_assert_eq!(cursors("ab").read(&text), None);
            let mut bytes = hex::decode(cursors("ab").write(&place(5, "a", "b")).unwrap()).unwrap();
            let at = flip % bytes.len();
            bytes[at] ^= 1 << bit;
            // All but the feed's id is sealed.
            let expected = (1..=ID).contains(&at).then_some(Cursor::Elsewhere);
            prop_assert_eq!(cursors("ab").read(&hex::encode(bytes)), expected);
        }
    }
}
