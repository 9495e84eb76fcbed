//! Finds which refund of the ledger each line of a statement is, and the other way round.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::judge::{Finding, Judge, Kind, Ours};
use super::lines::{At, Lines};
use super::report::Report;
use super::statement::Line;
use crate::cli::refunds::pages;
use crate::cli::refunds::progress::Progress;
use crate::error::BoxError;
use crate::ledger::{Filter, Key, Row, Snapshot, Span};
use crate::trade::Identifier;

/// A comparison under way.
pub(super) struct Comparison<'a, 'r> {
    lines: &'a Lines,
    judge: &'a Judge<'a>,
    report: &'r mut Report<'a>,
    /// The refunds that each line was found to be.
    found: Vec<Option<Key>>,
    /// What is to be told of refunds of the period, unless a line is found after all.
    without: Vec<Finding<'static>>,
    /// The refunds that lines were found for by the platform's numbers, late.
    late: HashSet<Key>,
    /// What would come with a command that settles a refund, by its line: told once it is known that
    /// the line can be no other refund. What such a command records cannot be taken back.
    to_settle: BTreeMap<At, (Key, Finding<'a>)>,
    /// Other refunds that those lines may be.
    others: HashMap<At, Key>,
}

impl<'a, 'r> Comparison<'a, 'r> {
    pub(super) fn new(lines: &'a Lines, judge: &'a Judge<'a>, report: &'r mut Report<'a>) -> Self {
        let found = vec![None; lines.len()];
        Self {
            lines,
            judge,
            report,
            found,
            without: Vec::new(),
            late: HashSet::new(),
            to_settle: BTreeMap::new(),
            others: HashMap::new(),
        }
    }

    /// Goes through the refunds that may have been made in the period: claimed before its end,
    /// and known, as they are, since its beginning.
    pub(super) async fn of_period(
        &mut self,
        ledger: &mut Snapshot,
        app_id: Option<&Identifier>,
    ) -> Result<(), BoxError> {
        let (Span { since, until }, margin) = (self.judge.span, self.judge.margin());
        let filter = Filter {
            app_id: app_id.cloned(),
            claimed: Span { since: None, until: until.map(|it| it.saturating_add(margin)) },
            changed: Span { since: since.map(|it| it.saturating_sub(margin)), until: None },
            ..Filter::default()
        };
        let mut progress = Progress::of("refunds of the period", None);
        pages::each(ledger, &filter, i64::MAX, |row| {
            progress.advance(1);
            let lines = self.lines;
            let is_unnumbered =
                |at: &At| lines.get(*at).is_some_and(|line| line.order_id.is_none());
            let of_platform = lines.of_platform(&row).filter(is_unnumbered);
            let of_row: Vec<At> = lines.of_order(&row).chain(of_platform).collect();
            if of_row.is_empty() {
                self.without.extend(self.judge.none(&row));
                return Ok(());
            }
            self.pair(&row, &of_row)
        })
        .await
    }

    /// Looks up the numbers of lines that were none of the period's, whenever they were claimed.
    pub(super) async fn by_number(
        &mut self,
        ledger: &mut Snapshot,
        app_id: Option<&Identifier>,
    ) -> Result<(), BoxError> {
        let lines = self.lines;
        let number = |at: &At| lines.get(*at).and_then(|line| line.order_id.as_deref());
        let mut progress = Progress::of("numbers looked up", None);
        for group in lines.in_order().chunk_by(|one, other| number(one) == number(other)) {
            progress.advance(group.len() as u64);
            if group.iter().all(|at| self.is_found(*at)) {
                continue;
            }
            // Nothing else can be in the ledger.
            let identifier =
                group.first().and_then(number).and_then(|it| Identifier::parse(it.to_owned()));
            let Some(identifier) = identifier else { continue };
            let mut rows = ledger.of_number(identifier.as_str()).await?;
            rows.retain(|row| app_id.is_none_or(|id| row.key.app_id == *id));
            for row in &rows {
                let of_row: Vec<At> = lines.of_order(row).collect();
                if of_row.iter().any(|at| !self.is_found_as(*at, &row.key)) {
                    self.pair(row, &of_row)?;
                }
            }
        }
        Ok(())
    }

    /// Goes through the whole ledger, if there are lines that only the platform's number may find.
    pub(super) async fn by_platform(
        &mut self,
        ledger: &mut Snapshot,
        app_id: Option<&Identifier>,
    ) -> Result<(), BoxError> {
        let lines = self.lines;
        let has_number = |at: At| lines.get(at).is_some_and(|line| line.platform_id.is_some());
        let is_wanted = |at: At| !self.is_found(at) || self.to_settle.contains_key(&at);
        if !(0..lines.len()).any(|at| is_wanted(at) && has_number(at)) {
            return Ok(());
        }
        let filter = Filter { app_id: app_id.cloned(), ..Filter::default() };
        let mut progress = Progress::of("refunds of the ledger", None);
        pages::each(ledger, &filter, i64::MAX, |row| {
            progress.advance(1);
            let of_platform: Vec<At> = lines.of_platform(&row).collect();
            of_platform.iter().for_each(|at| self.may_also_be(*at, &row.key));
            if !of_platform.iter().any(|at| self.is_left_for(*at, &row.key)) {
                return Ok(());
            }
            let mut of_row: Vec<At> = lines.of_order(&row).chain(of_platform).collect();
            of_row.sort_unstable();
            of_row.dedup();
            of_row.retain(|at| self.is_left_for(*at, &row.key) || self.is_found_as(*at, &row.key));
            self.late.insert(row.key.clone());
            self.pair(&row, &of_row)
        })
        .await
    }

    /// Looks for other refunds under the numbers of lines that would settle one.
    pub(super) async fn by_numbers_to_settle(
        &mut self,
        ledger: &mut Snapshot,
        app_id: Option<&Identifier>,
    ) -> Result<(), BoxError> {
        let lines = self.lines;
        for at in self.to_settle.keys().copied().collect::<Vec<_>>() {
            let number = lines.get(at).and_then(|line| line.order_id.as_deref());
            let Some(number) = number else { continue };
            let mut rows = ledger.of_number(number).await?;
            rows.retain(|row| app_id.is_none_or(|id| row.key.app_id == *id));
            for row in rows.iter().filter(|row| lines.of_order(row).any(|it| it == at)) {
                self.may_also_be(at, &row.key);
            }
        }
        Ok(())
    }

    fn may_also_be(&mut self, at: At, key: &Key) {
        if self.to_settle.get(&at).is_some_and(|(of, _)| of != key) {
            self.others.insert(at, key.clone());
        }
    }

    /// Tells what was found of one side alone, and what is to be settled.
    pub(super) fn finish(self) -> Result<(), BoxError> {
        for (at, (_, finding)) in self.to_settle {
            match self.others.get(&at) {
                None => self.report.tell(&finding)?,
                Some(other) => self.report.tell(&ambiguous(finding.lines, finding.ours, other))?,
            }
        }
        let found: Vec<bool> = self.found.iter().map(Option::is_some).collect();
        let is_found = |at: At| found.get(at).is_some_and(|found| *found);
        for finding in &self.without {
            let is_late = finding.ours.as_ref().is_some_and(|it| self.late.contains(&it.key));
            if !is_late {
                self.report.tell(finding)?;
            }
        }
        let lines = self.lines;
        let name = |at: At| lines.get(at).map(|it| (&it.app_id, &it.order_id, &it.platform_id));
        let mut left: Vec<At> = (0..lines.len()).filter(|at| !is_found(*at)).collect();
        left.sort_by_key(|at| {
            name(*at).map(|(app_id, order_id, platform_id)| {
                // The platform's number tells apart only what has no own one.
                (order_id, app_id, platform_id.as_ref().filter(|_| order_id.is_none()))
            })
        });
        let is_same = |one: &At, other: &At| {
            let (Some(one), Some(other)) = (name(*one), name(*other)) else { return false };
            one.0 == other.0 && one.1 == other.1 && (one.1.is_some() || one.2 == other.2)
        };
        for group in left.chunk_by(is_same) {
            let group: Vec<&Line> = group.iter().filter_map(|at| lines.get(*at)).collect();
            match group.as_slice() {
                [_] => self.report.tell(&alone(group))?,
                _ => self.report.tell(&self.judge.several(None, group))?,
            }
        }
        Ok(())
    }

    /// Compares a refund with its lines.
    fn pair(&mut self, row: &Row, of_row: &[At]) -> Result<(), BoxError> {
        let lines = self.lines;
        let mut own = Vec::new();
        for at in of_row {
            let Some(line) = lines.get(*at) else { continue };
            let Some(found) = self.found.get_mut(*at) else { continue };
            match found {
                Some(other) if *other != row.key => {
                    self.report.tell(&ambiguous(vec![line], Some(Ours::from(row)), other))?;
                    self.may_also_be(*at, &row.key);
                }
                Some(_) => own.push((*at, line)),
                None => {
                    *found = Some(row.key.clone());
                    own.push((*at, line));
                }
            }
        }
        match own.as_slice() {
            [] => Ok(()),
            [(at, line)] => match self.judge.one(row, line) {
                None => {
                    self.report.equal();
                    Ok(())
                }
                Some(finding) if finding.command.is_some() => {
                    self.to_settle.insert(*at, (row.key.clone(), finding));
                    Ok(())
                }
                Some(finding) => self.report.tell(&finding),
            },
            _ => {
                own.iter().for_each(|(at, _)| drop(self.to_settle.remove(at)));
                let own = own.into_iter().map(|(_, line)| line).collect();
                self.report.tell(&self.judge.several(Some(row), own))
            }
        }
    }

    fn is_found(&self, at: At) -> bool {
        self.found.get(at).is_some_and(Option::is_some)
    }

    /// Whether the platform's number alone says which refund a line is, and this may be the one.
    fn is_left_for(&self, at: At, key: &Key) -> bool {
        let found = self.found.get(at).and_then(Option::as_ref);
        found.is_none_or(|found| found != key && self.late.contains(found))
    }

    fn is_found_as(&self, at: At, key: &Key) -> bool {
        self.found.get(at).is_some_and(|found| found.as_ref() == Some(key))
    }
}

fn alone(lines: Vec<&Line>) -> Finding<'_> {
    Finding {
        kind: Kind::OnlyInStatement,
        lines,
        ours: None,
        why: "the ledger does not have it".to_owned(),
        next: Some("find out who made it, and whether from another ledger".to_owned()),
        command: None,
    }
}

fn ambiguous<'a>(lines: Vec<&'a Line>, ours: Option<Ours>, other: &Key) -> Finding<'a> {
    Finding {
        kind: Kind::Ambiguous,
        lines,
        ours,
        why: format!("it may also be {} of {}", other.order_id, other.app_id),
        next: Some(
            "find out which of the two it is; the column with the app_id, or --app-id, may tell"
                .to_owned(),
        ),
        command: None,
    }
}
