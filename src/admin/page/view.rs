//! What is on the page.

use std::time::UNIX_EPOCH;

use askama::Template;

use super::PageFacts;
use super::server::{Certificate, certificates, files, second};
use super::shown::{For, Room, Shown, fitting};
use crate::admin::{Phase, Seen};
use crate::clock;
use crate::ledger::{COUNTED, State};
use crate::refund::Overview;
use crate::telemetry::shown;
use crate::words::{DECISION, span};

#[derive(Template)]
#[template(path = "page.html")]
pub(super) struct Page<'a> {
    title: String,
    now: String,
    version: &'static str,
    phase: Phase,
    /// What needs somebody's attention, the worst first; a link within the page, if there is more.
    attention: Vec<Attention>,
    facts: &'a PageFacts,
    app_ids: Vec<String>,
    certificates: Vec<Certificate>,
    files: Vec<(&'static str, bool)>,
    refunds: Option<Refunds>,
    /// What is added to a command that settles.
    decision: [&'static str; 4],
    /// Whether commands have a word in place of the number.
    masked: bool,
}

struct Attention {
    what: String,
    at: Option<&'static str>,
}

/// What of the ledger is on the page.
struct Refunds {
    total: String,
    states: Vec<Count>,
    oldest: Option<String>,
    persons: List,
    disputed: List,
}

/// A state, what it means, and how many refunds are in it.
struct Count {
    state: &'static str,
    means: &'static str,
    count: String,
}

/// The oldest refunds of a kind, and how many there are.
struct List {
    count: i64,
    shown: Vec<Shown>,
    more: i64,
}

impl List {
    fn counted(&self) -> String {
        grouped(self.count)
    }

    fn more(&self) -> Option<String> {
        (self.more > 0).then(|| grouped(self.more))
    }

    fn new(count: i64, shown: Vec<Shown>) -> Self {
        let listed = i64::try_from(shown.len()).unwrap_or(i64::MAX);
        // They were counted a moment before they were read.
        let count = count.max(listed);
        Self { count, more: count - listed, shown }
    }
}

impl<'a> Page<'a> {
    /// The page, with this of the ledger if that could be read.
    pub(super) fn new(seen: &Seen, facts: &'a PageFacts, overview: Option<&Overview>) -> Self {
        let phase = seen.readiness.phase();
        let app_ids = seen.refunds.app_ids().iter().map(ToString::to_string).collect();
        let now = clock::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut page = Self {
            title: String::new(),
            now: second(i64::try_from(now.as_secs()).unwrap_or_default()),
            version: env!("CARGO_PKG_VERSION"),
            phase,
            attention: Vec::new(),
            facts,
            app_ids,
            certificates: facts.tls.as_ref().map_or_else(Vec::new, |tls| certificates(tls)),
            files: files(&facts.reloads),
            refunds: overview.map(refunds),
            decision: DECISION,
            masked: shown("an identifier").is_none_or(|it| it != "an identifier"),
        };
        page.attention = page.attention();
        page.title = page.title();
        page
    }

    fn title(&self) -> String {
        let state = match (self.attention.first(), self.attention.len()) {
            (None, _) => "all in order".to_owned(),
            (Some(first), 1) => first.what.clone(),
            (Some(first), several) => format!("{}, and {} more", first.what, several - 1),
        };
        format!("sunmi-trade: {state}")
    }

    fn attention(&self) -> Vec<Attention> {
        let of = |what: String, at| Attention { what, at };
        let mut all = Vec::new();
        match self.phase {
            Phase::Serving => {}
            Phase::Starting | Phase::Draining => {
                all.push(of(format!("not ready: {}", self.phase.name()), None));
            }
        }
        if self.app_ids.is_empty() {
            all.push(of("no credentials: no call can be signed".to_owned(), Some("server")));
        }
        match &self.refunds {
            None => all.push(of(
                "the refund ledger cannot be read: no refund is sent".to_owned(),
                Some("server"),
            )),
            Some(refunds) => all.extend(refunds.attention()),
        }
        for (kind, _) in self.files.iter().filter(|(_, stale)| *stale) {
            all.push(of(format!("changed files not in force: {kind}"), Some("files")));
        }
        let certificates = self.certificates.iter();
        all.extend(certificates.filter_map(|Certificate { role, trouble, .. }| {
            let what = format!("the {role} {}", trouble.as_ref()?);
            Some(of(what, Some("certificates")))
        }));
        all
    }
}

impl Refunds {
    fn attention(&self) -> impl Iterator<Item = Attention> {
        let persons = match self.persons.count {
            0 => None,
            1 => Some("1 refund needs a person".to_owned()),
            count => Some(format!("{} refunds need a person", grouped(count))),
        };
        let disputed = match self.disputed.count {
            0 => None,
            1 => Some("1 refund is contradicted by Sunmi".to_owned()),
            count => Some(format!("{} refunds are contradicted by Sunmi", grouped(count))),
        };
        let of = |what: Option<String>, at| what.map(|what| Attention { what, at: Some(at) });
        of(persons, "persons").into_iter().chain(of(disputed, "disputed"))
    }
}

fn refunds(overview: &Overview) -> Refunds {
    let Overview { states, doubts, persons, disputed } = overview;
    let exact = states.iter().all(|(state, count)| !is_beyond(*state, *count));
    let total = states.iter().map(|(_, count)| *count).sum();
    let open = doubts.in_doubt > 0 || doubts.processing > 0;
    let oldest = i64::try_from(doubts.oldest.as_millis()).unwrap_or(i64::MAX);
    let mut room = Room::default();
    Refunds {
        total: if exact { grouped(total) } else { format!("at least {}", grouped(total)) },
        states: states.iter().map(|(state, count)| counted(*state, *count)).collect(),
        oldest: open.then(|| span(oldest)),
        persons: List::new(doubts.persons, fitting(persons, For::Person, &mut room)),
        disputed: List::new(doubts.disputed, fitting(disputed, For::Dispute, &mut room)),
    }
}

fn counted(state: State, count: i64) -> Count {
    let means = match state {
        State::Claimed => "may be sent at any moment",
        State::InDoubt => "may have happened; is looked for",
        State::Processing => "Sunmi accepted it, and has not finished",
        State::Settled => "its outcome is known",
        State::NotApplied => "no money moved",
    };
    let count = match is_beyond(state, count) {
        false => grouped(count),
        true => format!("more than {}", grouped(COUNTED)),
    };
    Count { state: state.name(), means, count }
}

/// Whether there are more than were counted.
fn is_beyond(state: State, count: i64) -> bool {
    match state {
        State::Settled | State::NotApplied => count > COUNTED,
        State::Claimed | State::InDoubt | State::Processing => false,
    }
}

/// A count with its digits in groups of three.
fn grouped(count: i64) -> String {
    let digits = count.to_string();
    let group = |(at, digit): (usize, char)| {
        let ends = at > 0 && (digits.len() - at).is_multiple_of(3);
        [ends.then_some(','), Some(digit)].into_iter().flatten()
    };
    digits.chars().enumerate().flat_map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_written_in_groups_of_three_digits_up_to_the_bound() {
        assert_eq!([0, 999, 1000, 1_000_000].map(grouped), ["0", "999", "1,000", "1,000,000"]);
        assert_eq!(counted(State::Settled, COUNTED).count, "1,000,000");
        assert_eq!(counted(State::Settled, COUNTED + 1).count, "more than 1,000,000");
    }
}
