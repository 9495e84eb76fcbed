use proptest::prelude::*;

use super::super::seen::PaymentFacts;
use super::*;
use crate::ledger::OpenThen;
use crate::trade::{PaymentNames, TradeState};

fn base(total: i64) -> Baseline {
    Baseline {
        total,
        floor: 0,
        refunded: 0,
        state: TradeState::Succeeded,
        amount: Some(1_000),
        open: Vec::new(),
    }
}

fn now(total: i64) -> PaymentSeen {
    PaymentSeen::Found(facts(Some(total)))
}

fn facts(total: Option<i64>) -> PaymentFacts {
    let names = PaymentNames::default();
    PaymentFacts { total, state: TradeState::Succeeded, amount: Some(1_000), names }
}

/// What the total now says of a refund of this amount, of a payment without names.
fn weighed(then: &PaymentThen, now: &PaymentSeen, others: &[Other], amount: i64) -> Total {
    weigh((then, &PaymentNames::default()), now, others, amount)
}

/// Another refund of 10, claimed since, that succeeded and has been at rest for long.
fn other(order_id: &str) -> Other {
    Other {
        app_id: "app".to_owned(),
        order_id: order_id.to_owned(),
        epoch: 1,
        amount: Some(10),
        claimed_after: true,
        surely: true,
        succeeded: true,
        by_person: false,
        at_rest: true,
    }
}

fn open(order_id: &str) -> OpenThen {
    OpenThen { app_id: "app".to_owned(), order_id: order_id.to_owned(), epoch: 1, amount: 10 }
}

#[test]
fn a_refund_of_10_is_excluded_by_a_total_that_leaves_no_room_for_it() {
    let none: &[Other] = &[];
    let with_floor = |floor| Baseline { floor, ..base(0) };
    let with_open = Baseline { open: vec![open("R2")], ..base(10) };
    let earlier = Other { claimed_after: false, ..other("R2") };
    let table: &[(&str, Baseline, i64, &[Other], bool)] = &[
        ("as it was", base(0), 0, none, true),
        ("grown by less", base(0), 9, none, true),
        ("grown by as much", base(0), 10, none, false),
        ("shrunk", base(30), 29, none, false),
        ("another since", base(0), 10, &[other("R2")], true),
        ("another since, and as much", base(0), 20, &[other("R2")], false),
        ("another, not at rest", base(0), 10, &[Other { at_rest: false, ..other("R2") }], false),
        (
            "another, by a person's word",
            base(0),
            10,
            &[Other { by_person: true, ..other("R2") }],
            false,
        ),
        (
            "another, not succeeded",
            base(0),
            10,
            &[Other { succeeded: false, ..other("R2") }],
            false,
        ),
        ("another, before", base(0), 10, std::slice::from_ref(&earlier), false),
        ("another, emptied", base(0), 0, &[Other { amount: None, ..other("R2") }], false),
        ("a recent one that the total did not show yet", with_floor(10), 10, none, true),
        ("the same, and as much", with_floor(10), 20, none, false),
        ("a recent one that it still does not show", with_floor(10), 9, none, false),
        ("an open one that succeeded", with_open.clone(), 10, std::slice::from_ref(&earlier), true),
        (
            "an open one that succeeded by a person's word",
            with_open.clone(),
            10,
            &[Other { by_person: true, ..earlier.clone() }],
            false,
        ),
        ("an open one that failed, still counted", with_open.clone(), 10, none, false),
        ("an open one that failed", with_open.clone(), 0, none, true),
        (
            "an open one that succeeded in a later claim",
            with_open.clone(),
            20,
            &[Other { epoch: 2, ..other("R2") }],
            false,
        ),
        ("the most there can be", base(i64::MAX), i64::MAX, none, true),
    ];
    for (what, base, total, others, excludes) in table {
        let total = weighed(&PaymentThen::Found(base.clone()), &now(*total), others, 10);
        assert_eq!(total == Total::Excludes, *excludes, "{what}");
    }
}

#[test]
fn a_payment_that_is_not_as_it_was_says_nothing() {
    let found_as = |state, total| PaymentSeen::Found(PaymentFacts { state, ..facts(total) });
    let found = || PaymentThen::Found(base(0));
    let table = [
        (found(), found_as(TradeState::Succeeded, Some(0)), "excludes"),
        (found(), found_as(TradeState::Succeeded, None), "silent"),
        (found(), found_as(TradeState::Ended, Some(0)), "silent"),
        (found(), PaymentSeen::NotFound, "silent"),
        (found(), PaymentSeen::NotShown, "silent"),
        (PaymentThen::NotLooked, now(0), "silent"),
        (PaymentThen::NotLooked, PaymentSeen::NotFound, "silent"),
        (PaymentThen::NotFound, now(0), "silent"),
        (PaymentThen::NotFound, PaymentSeen::NotFound, "unfindable"),
        (PaymentThen::NotFound, PaymentSeen::NotShown, "unfindable"),
        (PaymentThen::NotShown, PaymentSeen::NotFound, "unfindable"),
        (PaymentThen::NotShown, now(0), "silent"),
    ];
    for (then, now, expected) in table {
        let word = match weighed(&then, &now, &[], 10) {
            Total::NotAsked => "not asked",
            Total::Excludes => "excludes",
            Total::PaymentUnfindable => "unfindable",
            Total::Silent(_) => "silent",
        };
        assert_eq!(word, expected, "{then:?} {now:?}");
    }
}

/// An answer about another payment has another total.
#[test]
fn a_total_counts_only_if_it_is_of_the_payment_that_was_found_before() {
    let some = |name: &str| Some(name.to_owned());
    let known = PaymentNames { platform_id: some("X"), order_id: None, mis_id: some("1") };
    let of = |platform_id, mis_id, amount| {
        let names = PaymentNames { platform_id, order_id: some("P"), mis_id };
        PaymentSeen::Found(PaymentFacts { names, amount, ..facts(Some(0)) })
    };
    let table = [
        (of(some("X"), some("1"), Some(1_000)), true),
        (of(some("X"), None, Some(1_000)), true),
        (of(None, some("1"), Some(1_000)), true),
        (of(some("Y"), some("1"), Some(1_000)), false),
        (of(some("X"), some("2"), Some(1_000)), false),
        (of(None, None, Some(1_000)), false),
        (of(some("X"), some("1"), Some(999)), false),
        (of(some("X"), some("1"), None), false),
    ];
    for (now, is_it) in table {
        let total = weigh((&PaymentThen::Found(base(0)), &known), &now, &[], 10);
        assert_eq!(total == Total::Excludes, is_it, "{now:?}");
    }
}

#[test]
fn another_refund_stands_unless_it_is_found_otherwise_or_cannot_be_read() {
    let table = [
        (Some(NumberSeen::Refund(Course::Succeeded)), true),
        (Some(NumberSeen::Absent), true),
        (Some(NumberSeen::Unanswered), true),
        (Some(NumberSeen::Refund(Course::Failed)), false),
        (Some(NumberSeen::Refund(Course::UnderWay)), false),
        (Some(NumberSeen::Refund(Course::Odd)), false),
        (Some(NumberSeen::Unclear), false),
        (Some(NumberSeen::Other), false),
        (None, false),
    ];
    for (seen, stands) in table {
        assert_eq!(still_stands(seen), stands, "{seen:?}");
    }
}

/// A history of a payment since a baseline, told by what really happened.
#[derive(Clone, Debug)]
struct History {
    before: i64,
    /// Refunds that were open at the baseline: their amounts, whether Sunmi had executed them by
    /// then, and whether they stand in the end.
    open: Vec<(i64, bool, bool)>,
    /// Refunds claimed since: their amounts, whether they stand, and whether the ledger knows.
    since: Vec<(i64, bool, bool)>,
    /// What was refunded elsewhere since.
    elsewhere: i64,
    amount: i64,
}

impl History {
    fn baseline(&self) -> Baseline {
        let executed = self.open.iter().filter(|it| it.1).map(|it| it.0).sum::<i64>();
        let open = self
            .open
            .iter()
            .enumerate()
            .map(|(at, it)| OpenThen { amount: it.0, ..open(&format!("O{at}")) });
        Baseline { open: open.collect(), ..base(self.before + executed) }
    }

    fn others(&self) -> Vec<Other> {
        let open = self.open.iter().enumerate().map(|(at, it)| Other {
            amount: Some(it.0),
            claimed_after: false,
            succeeded: it.2,
            ..other(&format!("O{at}"))
        });
        let since = self.since.iter().enumerate().map(|(at, it)| Other {
            amount: Some(it.0),
            succeeded: it.1 && it.2,
            ..other(&format!("S{at}"))
        });
        open.chain(since).collect()
    }

    /// The total in the end, if the refund in question was executed or not.
    fn total(&self, executed: bool) -> i64 {
        let open = self.open.iter().filter(|it| it.2).map(|it| it.0).sum::<i64>();
        let since = self.since.iter().filter(|it| it.1).map(|it| it.0).sum::<i64>();
        let own = if executed { self.amount } else { 0 };
        self.before + open + since + self.elsewhere + own
    }
}

fn histories() -> impl Strategy<Value = History> {
    let amount = || prop_oneof![Just(10i64), 1i64..40];
    let refunds = || proptest::collection::vec((amount(), any::<bool>(), any::<bool>()), 0..4);
    let elsewhere = prop_oneof![Just(0i64), 0i64..40];
    (0i64..50, refunds(), refunds(), elsewhere, amount()).prop_map(
        |(before, open, since, elsewhere, amount)| History {
            before,
            open,
            since,
            elsewhere,
            amount,
        },
    )
}

proptest! {
    /// Whatever else happened, unless something was returned that the ledger has as succeeded.
    #[test]
    fn a_total_that_holds_the_refund_never_excludes_it(history in histories()) {
        let then = PaymentThen::Found(history.baseline());
        let total = weighed(&then, &now(history.total(true)), &history.others(), history.amount);
        prop_assert_ne!(total, Total::Excludes, "{:?}", history);
    }

    #[test]
    fn a_payment_of_which_nothing_else_was_refunded_excludes_what_was_not(
        before in 0i64..50,
        amount in 1i64..40,
    ) {
        let then = PaymentThen::Found(base(before));
        prop_assert_eq!(weighed(&then, &now(before), &[], amount), Total::Excludes);
    }
}
