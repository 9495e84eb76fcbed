//! Every event over every state: what is written, and what is left.

use std::time::Duration;

use sunmi_trade::ledger::{Claim, Decision, Key, Ledger, Row, Said, Settled, State};
use sunmi_trade::trade::{Refund, TradeState};

use crate::bench::{
    Bench, LEASE, WINDOW, answer, ask, because, claim_as, looked, on_every_ledger, refund, row,
    written,
};

on_every_ledger! {
    each_event_leaves_each_state_as_the_table_says
}

/// A state, as far as events tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Claimed,
    InDoubt,
    Processing,
    Succeeded,
    Failed,
    Untold,
    Told,
}

const ALL: [At; 7] =
    [At::Claimed, At::InDoubt, At::Processing, At::Succeeded, At::Failed, At::Untold, At::Told];

impl At {
    fn of(row: &Row) -> Self {
        match (row.state, row.outcome, row.told) {
            (State::Claimed, _, _) => Self::Claimed,
            (State::InDoubt, _, _) => Self::InDoubt,
            (State::Processing, _, _) => Self::Processing,
            (State::Settled, Some(TradeState::Succeeded), _) => Self::Succeeded,
            (State::Settled, _, _) => Self::Failed,
            (State::NotApplied, _, false) => Self::Untold,
            (State::NotApplied, _, true) => Self::Told,
        }
    }

    /// Claims this refund, as a claim of this id, and brings it there.
    async fn bring(self, ledger: &Ledger, refund: &Refund, id: &str) {
        let key = Key::of(refund);
        let seen = looked(ledger, refund).await;
        let claim = claim_as(ledger, refund, &seen, id).await;
        assert!(matches!(claim, Claim::Fresh(..)), "{claim:?}");
        let why = because("a test");
        match self {
            Self::Claimed => {}
            Self::InDoubt => {
                assert!(ledger.doubt(&key, 1, &why, Said::default()).await.unwrap());
            }
            Self::Processing => {
                let accepted = answer(refund, TradeState::Processing);
                assert!(ledger.processing(&key, &accepted).await.unwrap());
            }
            Self::Succeeded => {
                let done = answer(refund, TradeState::Succeeded);
                assert_eq!(ledger.settle(&key, &done).await.unwrap(), Settled::Written);
            }
            Self::Failed => {
                let failed = answer(refund, TradeState::Failed);
                assert!(ledger.fail(&row(ledger, refund).await, &failed).await.unwrap());
            }
            Self::Untold | Self::Told => {
                let told = self == Self::Told;
                assert!(ledger.refuse(&key, 1, &why, told).await.unwrap());
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    SameContent,
    OtherContent,
    Succeeded,
    Failed,
    Accepted,
    Refused,
    GivenBack,
    Doubtful,
    LeaseOver,
    JudgedNotApplied,
    Told,
    Reopened,
    PersonSaysItHappened,
    PersonSaysItDidNot,
    Retention,
}

/// What is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// The row, to the letter.
    AsItWas,
    /// The row, with what contradicts it.
    Contradicted,
    /// Another state.
    Now(At),
    /// Another state, with what it contradicts.
    NowContradicting(At),
    /// The same state, without content.
    Emptied,
}

impl Event {
    /// The row of this event: what it leaves of a row claimed, in doubt, processing, succeeded,
    /// failed, not applied and untold, not applied and told.
    fn leaves(self) -> [Left; 7] {
        use Left::{AsItWas, Contradicted, Emptied, Now, NowContradicting};
        let kept = [AsItWas; 7];
        let of = |changed: &[(usize, Left)]| {
            let mut all = kept;
            changed.iter().for_each(|(at, left)| all[*at] = *left);
            all
        };
        let (doubt, done, failed) = (Now(At::InDoubt), Now(At::Succeeded), Now(At::Failed));
        let (accepted, told, untold) = (Now(At::Processing), Now(At::Told), Now(At::Untold));
        match self {
            Self::SameContent => of(&[(6, Now(At::Claimed))]),
            Self::OtherContent => kept,
            Self::Succeeded => of(&[
                (0, done),
                (1, done),
                (2, done),
                (4, Contradicted),
                (5, done),
                (6, NowContradicting(At::Succeeded)),
            ]),
            Self::Failed => of(&[
                (0, failed),
                (1, failed),
                (2, failed),
                (3, Contradicted),
                (5, Contradicted),
                (6, Contradicted),
            ]),
            Self::Accepted => of(&[
                (0, accepted),
                (1, accepted),
                (4, Contradicted),
                (5, accepted),
                (6, NowContradicting(At::Processing)),
            ]),
            // Who sends it sees what is there instead, and says if that is a contradiction.
            Self::Refused => of(&[(0, untold), (1, untold)]),
            Self::GivenBack => of(&[(0, told), (1, told)]),
            Self::Doubtful => of(&[(0, doubt), (1, doubt)]),
            Self::LeaseOver => of(&[(0, doubt)]),
            Self::JudgedNotApplied => of(&[(1, untold)]),
            Self::Told => of(&[(5, told), (6, told)]),
            Self::Reopened => of(&[(5, doubt), (6, doubt)]),
            Self::PersonSaysItHappened => of(&[(1, done), (2, done)]),
            Self::PersonSaysItDidNot => of(&[(1, untold), (2, untold)]),
            Self::Retention => of(&[(3, Emptied), (4, Emptied), (5, Emptied), (6, Emptied)]),
        }
    }

    const ALL: [Self; 15] = [
        Self::SameContent,
        Self::OtherContent,
        Self::Succeeded,
        Self::Failed,
        Self::Accepted,
        Self::Refused,
        Self::GivenBack,
        Self::Doubtful,
        Self::LeaseOver,
        Self::JudgedNotApplied,
        Self::Told,
        Self::Reopened,
        Self::PersonSaysItHappened,
        Self::PersonSaysItDidNot,
        Self::Retention,
    ];

    /// Lets it happen to the row as it was seen, of a claim of this id, and checks what is said.
    async fn happen(self, ledger: &Ledger, refund: &Refund, (seen, id): (&Row, &str)) {
        let (key, at) = (&seen.key, At::of(seen));
        let decision = Decision { by: "somebody".to_owned(), reason: "a test".to_owned() };
        let why = because("an event");
        let done = answer(refund, TradeState::Succeeded);
        let left = self.leaves()[ALL.iter().position(|one| *one == at).unwrap()];
        let moves = !matches!(left, Left::AsItWas | Left::Contradicted);
        let moved = match self {
            Self::SameContent => match ask(ledger, refund).await {
                Claim::Fresh(..) => true,
                Claim::Changed => return assert_eq!(at, At::Untold),
                Claim::Known(known) => return assert_eq!(known.state, seen.state),
                other @ (Claim::Differs(_) | Claim::InFlight(_) | Claim::Beyond(_)) => {
                    panic!("{other:?}")
                }
            },
            Self::OtherContent => {
                let other = Refund { amount: refund.amount + 1, ..refund.clone() };
                let claim = ask(ledger, &other).await;
                return assert!(matches!(claim, Claim::Differs(_)), "{claim:?}");
            }
            Self::Succeeded => {
                let settled = ledger.settle(key, &done).await.unwrap();
                let otherwise = match at {
                    At::Succeeded => Settled::Already,
                    At::Claimed
                    | At::InDoubt
                    | At::Processing
                    | At::Failed
                    | At::Untold
                    | At::Told => Settled::Otherwise,
                };
                return assert_eq!(settled, if moves { Settled::Written } else { otherwise });
            }
            Self::Failed => ledger.fail(seen, &answer(refund, TradeState::Failed)).await.unwrap(),
            Self::Accepted => {
                ledger.processing(key, &answer(refund, TradeState::Processing)).await.unwrap()
            }
            Self::Refused => ledger.refuse(key, seen.epoch, &why, false).await.unwrap(),
            Self::GivenBack => ledger.give_back(key, id, "a test").await.unwrap(),
            Self::Doubtful => ledger.doubt(key, seen.epoch, &why, Said::default()).await.unwrap(),
            Self::LeaseOver => ledger.expire(key, seen.epoch).await.unwrap(),
            Self::JudgedNotApplied => ledger.judge_not_applied(seen, WINDOW).await.unwrap(),
            Self::Told => ledger.tell(key, seen.epoch).await.unwrap(),
            Self::Reopened => ledger.reopen(refund, seen.epoch, &why).await.unwrap(),
            Self::PersonSaysItHappened => {
                ledger.decide(seen, Some(&done), &decision).await.unwrap()
            }
            Self::PersonSaysItDidNot => ledger.decide(seen, None, &decision).await.unwrap(),
            Self::Retention => ledger.purge(LEASE + WINDOW).await.unwrap() == 1,
        };
        assert_eq!(moved, moves);
    }
}

async fn each_event_leaves_each_state_as_the_table_says(bench: &Bench) {
    let ledger = bench.ledger().await;
    for event in Event::ALL {
        for (from, left) in ALL.into_iter().zip(event.leaves()) {
            let what = format!("{event:?} over {from:?}");
            let refund = refund(&what.replace(' ', "-"));
            from.bring(&ledger, &refund, &what).await;
            bench.pass(LEASE + WINDOW);
            let seen = row(&ledger, &refund).await;
            assert_eq!(At::of(&seen), from, "{what}");
            event.happen(&ledger, &refund, (&seen, &what)).await;

            let after = row(&ledger, &refund).await;
            let as_it_was = Row { disputed: None, ..after.clone() };
            let contradicts = matches!(left, Left::Contradicted | Left::NowContradicting(_));
            assert_eq!(after.disputed.is_some(), contradicts, "{what}: {after:?}");
            match left {
                Left::AsItWas | Left::Contradicted => {
                    assert_eq!(written(&as_it_was), written(&seen), "{what}");
                }
                Left::Now(at) | Left::NowContradicting(at) => {
                    assert_eq!(At::of(&after), at, "{what}");
                    assert!(after.change > seen.change, "{what}: no change for who looked before");
                    let moved_at = if event == Event::Told { seen.changed_at } else { bench.now() };
                    assert_eq!(after.changed_at, moved_at, "{what}");
                }
                Left::Emptied => {
                    assert_eq!((At::of(&after), after.amount), (from, None), "{what}");
                    assert!(after.change > seen.change, "{what}");
                }
            }
            // So that retention finds nothing else at rest.
            while ledger.purge(Duration::ZERO).await.unwrap() > 0 {}
        }
    }
}
