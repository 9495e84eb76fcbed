//! What became of a refund whose outcome is open.

use super::seen::{Course, NumberSeen};
use super::total::Total;
use crate::ledger::State;

/// What the ledger has of the refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) state: State,
    pub(crate) epoch: i64,
    /// Whether its row is of the first edition.
    pub(crate) first_edition: bool,
    /// Whether its number was not there before its first send.
    pub(crate) free: bool,
    /// Whether its number was not there before this claim's send.
    pub(crate) absent: bool,
    /// Whether Sunmi ever accepted a refund under its number.
    pub(crate) accepted: bool,
    /// Whether Sunmi refused it, and had to.
    pub(crate) explained: bool,
    /// Whether its window is over, by both clocks.
    pub(crate) past_window: bool,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conclusion {
    Succeeded,
    Processing,
    Failed,
    NotApplied,
    /// That is not proved, for this reason.
    Nothing(&'static str),
}

/// Concludes from what is seen.
///
/// | number shows | and | conclusion |
/// |---|---|---|
/// | a refund in state 3 | the number was free before its first send | succeeded |
/// | a refund in state 1, 2, D01 | the same | processing |
/// | a refund in state 5 | the same, absent before this claim's send; the total excludes the amount or the payment cannot be found; the window is over, or a refusal is explained | failed |
/// | absent | in doubt, never accepted, the window is over, the total excludes the amount | not applied |
/// | all else | | nothing |
///
/// Of a row of the first edition nothing is concluded but that it succeeded, and that only of its
/// first claim: later ones may have had other content.
pub(crate) fn conclude(case: &Case, number: NumberSeen, total: Total) -> Conclusion {
    match number {
        NumberSeen::Refund(course) => conclude_found(case, course, total),
        NumberSeen::Absent => conclude_absent(case, total),
        NumberSeen::Unclear => {
            Conclusion::Nothing("an order whose type or amount is not told is under its number")
        }
        NumberSeen::Other => Conclusion::Nothing("another order is under its number"),
        NumberSeen::Unanswered => {
            Conclusion::Nothing("Sunmi does not tell what is under its number")
        }
    }
}

fn conclude_found(case: &Case, course: Course, total: Total) -> Conclusion {
    let theirs = case.first_edition && case.epoch == 1 && course == Course::Succeeded;
    if !case.free && !theirs {
        return Conclusion::Nothing(
            "a refund is under its number, and may have been there before it was first sent",
        );
    }
    match course {
        Course::Succeeded => Conclusion::Succeeded,
        Course::UnderWay => Conclusion::Processing,
        Course::Failed => conclude_failed(case, total),
        Course::Odd => Conclusion::Nothing("its state at Sunmi is none that a refund has"),
    }
}

fn conclude_failed(case: &Case, total: Total) -> Conclusion {
    if !case.absent {
        return Conclusion::Nothing(
            "a failed refund is under its number, maybe of an earlier claim",
        );
    }
    if !case.past_window && !case.explained {
        return Conclusion::Nothing("a failed refund is under its number; another may yet appear");
    }
    match total {
        Total::Excludes | Total::PaymentUnfindable => Conclusion::Failed,
        Total::NotAsked => Conclusion::Nothing("a failed refund is under its number"),
        Total::Silent(why) => Conclusion::Nothing(why),
    }
}

fn conclude_absent(case: &Case, total: Total) -> Conclusion {
    if case.first_edition {
        return Conclusion::Nothing("it is of the first edition, and is not under its number");
    }
    if case.state != State::InDoubt || case.accepted {
        return Conclusion::Nothing("Sunmi accepted it, and does not show it under its number");
    }
    if !case.past_window {
        return Conclusion::Nothing("it is not under its number; it may yet be executed");
    }
    match total {
        Total::Excludes => Conclusion::NotApplied,
        Total::Silent(why) => Conclusion::Nothing(why),
        Total::NotAsked | Total::PaymentUnfindable => {
            Conclusion::Nothing("neither it nor its payment can be found")
        }
    }
}

/// Whether the total is worth asking for: only where a conclusion may depend on it.
pub(crate) fn wants_total(case: &Case, number: NumberSeen) -> bool {
    let excluded = conclude(case, number, Total::Excludes);
    excluded != conclude(case, number, Total::NotAsked)
}

#[cfg(test)]
mod tests;
