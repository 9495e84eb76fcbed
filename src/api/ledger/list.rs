//! Refunds that fit a filter, page by page.

use prost::Message;
use prost_types::Timestamp;

use super::{LedgerQueries, record, token};
use crate::api::call::Call;
use crate::api::convert::Reader;
use crate::api::pb;
use crate::error::{Error, Fault};
use crate::ledger::{ClaimedAt, Filter, Span, State};
use crate::refund::unread;

/// How many refunds a page has: where not said, and at most.
const PAGE: i32 = 50;
const LONGEST_PAGE: i32 = 500;

/// A page that is so large, in bytes, is long enough: a caller that does not read its answers has
/// them kept in memory, and what Sunmi answers may be of any size.
const LARGE: usize = 64 << 10;

/// So many rows are read at once.
const AT_ONCE: usize = 50;

/// The first and the last second that a time of the contract may be.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

impl LedgerQueries {
    pub(super) async fn list(
        &self,
        call: &Call,
        request: pb::ListRefundsRequest,
    ) -> Result<pb::ListRefundsResponse, Error> {
        let asked = Asked::read(request)?;
        let filter = Filter {
            sight: call.sight(),
            needs_person: asked.needs_person.then(|| self.refunds.patience()),
            ..asked.filter
        };
        if let Some(app_id) = &filter.app_id {
            call.may_sign_as(app_id)?;
        }
        let late = || Error::new(Fault::DeadlineExceeded);
        let _place = call.deadline().bound(self.lists.acquire()).await.ok_or_else(late)?;
        let (mut page, mut after) = (Page::default(), asked.after);
        loop {
            let left = asked.page_size - page.refunds.len();
            // One more than is told: whether there is one tells whether this is the last page.
            let limit = i64::try_from(left.min(AT_ONCE) + 1).unwrap_or(i64::MAX);
            let rows = self.refunds.ledger().search(&filter, after.as_ref(), limit).await;
            let rows = rows.map_err(unread)?;
            let mut rows = rows.iter();
            for row in rows.by_ref().take(left.min(AT_ONCE)) {
                page.add(record::of(row, &self.refunds));
                after = Some(ClaimedAt::of(row));
                if page.bytes >= LARGE {
                    break;
                }
            }
            if rows.next().is_none() {
                return Ok(page.finish(String::new()));
            }
            let full = page.refunds.len() >= asked.page_size || page.bytes >= LARGE;
            if let Some(after) = after.as_ref().filter(|_| full) {
                return Ok(page.finish(token::page(&asked.digest, after)));
            }
        }
    }
}

/// A page that is being filled.
#[derive(Default)]
struct Page {
    refunds: Vec<pb::RefundRecord>,
    bytes: usize,
}

impl Page {
    fn add(&mut self, refund: pb::RefundRecord) {
        self.bytes += refund.encoded_len();
        self.refunds.push(refund);
    }

    fn finish(self, next_page_token: String) -> pb::ListRefundsResponse {
        pb::ListRefundsResponse { refunds: self.refunds, next_page_token }
    }
}

/// What a request asks for.
struct Asked {
    filter: Filter,
    needs_person: bool,
    page_size: usize,
    after: Option<ClaimedAt>,
    /// What the request is told from others by, page apart.
    digest: String,
}

impl Asked {
    fn read(request: pb::ListRefundsRequest) -> Result<Self, Error> {
        let unpaged =
            pb::ListRefundsRequest { page_size: 0, page_token: String::new(), ..request.clone() };
        let digest = token::digest(&unpaged.encode_to_vec());
        let mut reader = Reader::default();
        reader.check(request.page_size >= 0, "page_size", "must not be negative");
        let page_size = if request.page_size == 0 { PAGE } else { request.page_size };
        let after = after(&mut reader, &request.page_token, &digest);
        let states = request.states.iter().map(|number| state(*number)).collect::<Option<Vec<_>>>();
        reader.check(states.is_some(), "states", "must be states that this version knows");
        let plain = request.caller.chars().count() <= 256 && !request.caller.contains('\0');
        reader.check(plain, "caller", "must be at most 256 characters, none of them NUL");
        let filter = Filter {
            states: states.unwrap_or_default(),
            caller: Some(request.caller).filter(|caller| !caller.is_empty()),
            claimed: Span {
                since: time(&mut reader, "claimed_since", request.claimed_since),
                until: time(&mut reader, "claimed_until", request.claimed_until),
            },
            changed: Span {
                since: time(&mut reader, "changed_since", request.changed_since),
                until: time(&mut reader, "changed_until", request.changed_until),
            },
            app_id: reader.optional("app_id", request.app_id),
            original: reader.optional("original", request.original),
            business_id: reader.optional("business_id", request.business_id),
            disputed: request.disputed,
            ..Filter::default()
        };
        let page_size = usize::try_from(page_size.clamp(1, LONGEST_PAGE)).unwrap_or(1);
        let needs_person = request.needs_person;
        reader.finish(Some(Self { filter, needs_person, page_size, after, digest }))
    }
}

fn after(reader: &mut Reader, token: &str, digest: &str) -> Option<ClaimedAt> {
    if token.is_empty() {
        return None;
    }
    let read = token::read_page(token);
    let rule = "must be the next_page_token of a page, with all else as it was for that page";
    let fits = read.is_some_and(|(of, _)| of == digest);
    reader.check(fits, "page_token", rule);
    token::read_page(token).map(|(_, after)| after)
}

fn state(number: i32) -> Option<State> {
    match pb::RefundRecordState::try_from(number).ok()? {
        pb::RefundRecordState::Unspecified => None,
        pb::RefundRecordState::Claimed => Some(State::Claimed),
        pb::RefundRecordState::InDoubt => Some(State::InDoubt),
        pb::RefundRecordState::Processing => Some(State::Processing),
        pb::RefundRecordState::Settled => Some(State::Settled),
        pb::RefundRecordState::NotApplied => Some(State::NotApplied),
    }
}

/// A time, in milliseconds: the first one that is not before it. So both `since` and `until` mean
/// what they say of a ledger that counts milliseconds.
fn time(reader: &mut Reader, field: &'static str, time: Option<Timestamp>) -> Option<i64> {
    let Timestamp { seconds, nanos } = time?;
    let fits = SECONDS.contains(&seconds) && (0..1_000_000_000).contains(&nanos);
    reader.check(fits, field, "must be a time from year 1 to 9999, with nanos from 0 to 999999999");
    fits.then(|| seconds * 1000 + (i64::from(nanos) + 999_999) / 1_000_000)
}
