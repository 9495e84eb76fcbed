//! The refunds of a statement, to be found by their numbers.

use super::statement::Line;
use crate::ledger::Row;

/// Which line: its place among those that were read.
pub(super) type At = usize;

/// The refunds of a statement, in order, and where those with a number are.
pub(super) struct Lines {
    all: Vec<Line>,
    /// Those with a number of their own, by it.
    by_order: Vec<At>,
    /// Those with a number of the platform's, by it.
    by_platform: Vec<At>,
}

impl Lines {
    pub(super) fn new(all: Vec<Line>) -> Self {
        let sorted = |number: fn(&Line) -> Option<&str>| {
            let mut places: Vec<At> = (0..all.len())
                .filter(|at| all.get(*at).is_some_and(|it| number(it).is_some()))
                .collect();
            // Stable, so that lines with one number stay in order.
            places.sort_by_key(|at| all.get(*at).and_then(number));
            places
        };
        let (by_order, by_platform) = (sorted(order), sorted(platform));
        Self { all, by_order, by_platform }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, at: At) -> Option<&Line> {
        self.all.get(at)
    }

    /// These lines, those with an equal number of their own one after another.
    pub(super) fn in_order(&self) -> &[At] {
        &self.by_order
    }

    /// The lines with this number, and this `app_id` if they have one.
    pub(super) fn of_order<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = At> + 'a {
        let app_id = row.key.app_id.as_str();
        let found = self.find(&self.by_order, order, row.key.order_id.as_str());
        found.iter().copied().filter(move |at| self.may_be_of(*at, app_id))
    }

    /// The lines with the number that the platform gave this refund, likewise.
    pub(super) fn of_platform<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = At> + 'a {
        let app_id = row.key.app_id.as_str();
        let answer = row.answer.as_ref();
        let number = answer.and_then(|it| it.trade.platform_id.as_deref());
        let found = number.map(|number| self.find(&self.by_platform, platform, number));
        found.unwrap_or_default().iter().copied().filter(move |at| self.may_be_of(*at, app_id))
    }

    fn may_be_of(&self, at: At, app_id: &str) -> bool {
        let of = self.get(at).and_then(|line| line.app_id.as_deref());
        of.is_none_or(|of| of == app_id)
    }

    fn find<'a>(
        &'a self,
        sorted: &'a [At],
        number: fn(&Line) -> Option<&str>,
        wanted: &str,
    ) -> &'a [At] {
        let of = |at: &At| self.get(*at).and_then(number).unwrap_or_default();
        let begin = sorted.partition_point(|at| of(at) < wanted);
        let end = sorted.partition_point(|at| of(at) <= wanted);
        sorted.get(begin..end).unwrap_or_default()
    }
}

fn order(line: &Line) -> Option<&str> {
    line.order_id.as_deref()
}

fn platform(line: &Line) -> Option<&str> {
    line.platform_id.as_deref()
}
