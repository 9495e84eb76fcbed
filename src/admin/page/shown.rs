//! A refund as the page shows it.

use std::borrow::Cow;

use crate::ledger::{Row, State};
use crate::telemetry::shown;
use crate::trade::TradeState;
use crate::words::{plain, settle, span, time, verify};

/// The longest of Sunmi's and of callers' words that are shown, in characters.
const WORDS: usize = 300;

/// So many bytes the refunds on a page take together at most.
const ROOM: usize = 270_000;

/// What the markup of a refund takes, in bytes.
const MARKUP: usize = 850;

/// A shorter text is no identifier to be looked for in words.
const IDENTIFIER: usize = 4;

/// What takes the place of an identifier of which nothing is shown.
const NOT_SHOWN: &str = "(not shown)";

/// A refund, with its identifiers as the log shows them.
pub(super) struct Shown {
    pub(super) order_id: String,
    pub(super) app_id: String,
    pub(super) amount: Option<i64>,
    pub(super) original_kind: &'static str,
    pub(super) original: String,
    pub(super) caller: Option<String>,
    pub(super) claimed: String,
    pub(super) age: String,
    pub(super) state: &'static str,
    pub(super) why: String,
    pub(super) said: Option<String>,
    pub(super) command: String,
}

/// What a refund is shown for.
#[derive(Clone, Copy)]
pub(super) enum For {
    /// It needs a person.
    Person,
    /// Sunmi contradicts it.
    Dispute,
}

/// As many of these refunds, from the first on, as the page has room for.
pub(super) fn fitting(rows: &[Row], what: For, room: &mut Room) -> Vec<Shown> {
    rows.iter().map(|row| Shown::of(row, what)).take_while(|it| room.take(it)).collect()
}

/// How much room there is left on a page, in bytes.
pub(super) struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Self(ROOM)
    }
}

impl Room {
    fn take(&mut self, refund: &Shown) -> bool {
        let Shown { order_id, app_id, original, caller, why, said, command, .. } = refund;
        let [caller, said] = [caller, said].map(|text| text.as_deref().unwrap_or_default());
        let texts = [order_id, app_id, original, caller, why, said, command];
        let needed = MARKUP + texts.into_iter().map(escaped).sum::<usize>();
        let left = self.0.checked_sub(needed);
        // Once one has no place, none after it has: they are in order.
        self.0 = left.unwrap_or_default();
        left.is_some()
    }
}

/// How many bytes a text takes in HTML.
fn escaped(text: &str) -> usize {
    let special = text.bytes().filter(|it| b"<>&\"'".contains(it)).count();
    text.len() + special * 5
}

impl Shown {
    fn of(row: &Row, what: For) -> Self {
        let (original_kind, original) = row.original.named();
        let number = row.key.order_id.as_str();
        // With half a number a command would do nothing, or the wrong thing.
        let whole = shown(number).filter(|it| it == number);
        let command = match what {
            For::Person => settle(row, whole.as_deref()),
            For::Dispute => verify(row, whole.as_deref()),
        };
        let age = row.now.saturating_sub(row.claimed_at);
        Self {
            order_id: hidden(number),
            app_id: row.key.app_id.to_string(),
            amount: row.amount,
            original_kind,
            original: hidden(original.as_str()),
            caller: row.caller.as_deref().map(cut),
            claimed: time(row.claimed_at),
            // At least a second: a clock that went back must not hide how long it is open.
            age: span(age.max(1000)),
            state: state(row),
            why: words(row, why(row, what)),
            said: said(row).map(|said| words(row, &said)),
            command,
        }
    }
}

fn hidden(identifier: &str) -> String {
    shown(identifier).map_or_else(|| NOT_SHOWN.to_owned(), Cow::into_owned)
}

/// Where it is, and for one that is settled, how.
fn state(row: &Row) -> &'static str {
    match (row.state, row.outcome) {
        (State::Settled, Some(TradeState::Succeeded)) => "settled: succeeded",
        (State::Settled, Some(TradeState::Failed)) => "settled: failed",
        (state, _) => state.name(),
    }
}

fn why(row: &Row, what: For) -> &str {
    let doubt = row.doubt.as_ref().map(|doubt| doubt.why.as_str()).filter(|why| !why.is_empty());
    let nothing = match row.state {
        State::Processing => "Sunmi accepted it long ago, and has not finished",
        State::Claimed | State::InDoubt | State::Settled | State::NotApplied => {
            "whoever sent it left no answer"
        }
    };
    match what {
        For::Person => doubt.unwrap_or(nothing),
        For::Dispute => row.disputed.as_deref().unwrap_or(nothing),
    }
}

/// What Sunmi last answered about it.
fn said(row: &Row) -> Option<String> {
    let doubt = row.doubt.as_ref()?;
    let status = doubt.http_status.map(|status| format!("HTTP {status}"));
    let message = doubt.message.clone();
    let said = [status, doubt.code.clone(), message].into_iter().flatten();
    let said: Vec<String> = said.filter(|text| !text.is_empty()).collect();
    Some(said.join(" ")).filter(|said| !said.is_empty())
}

/// Foreign words: the identifiers in them that are this refund's as the log shows them, without
/// what reorders or hides text, and not too long.
fn words(row: &Row, words: &str) -> String {
    let names = &row.evidence.names;
    let payment = [&names.platform_id, &names.order_id, &names.mis_id].into_iter().flatten();
    let own = [row.key.order_id.as_str(), row.original.named().1.as_str()];
    let more = [row.msn.as_str(), row.business_id.as_str()];
    let mut identifiers: Vec<&str> =
        own.into_iter().chain(more).chain(payment.map(|it| it.as_str())).collect();
    identifiers.retain(|it| it.len() >= IDENTIFIER);
    // One that is part of another is looked for after it.
    identifiers.sort_by_key(|it| std::cmp::Reverse(it.len()));
    let mut words = words.to_owned();
    for identifier in identifiers {
        words = words.replace(identifier, &hidden(identifier));
    }
    cut(&words)
}

fn cut(words: &str) -> String {
    let mut cut: String = words.chars().take(WORDS).collect();
    if cut.len() < words.len() {
        cut.push('…');
    }
    plain(&cut)
}
