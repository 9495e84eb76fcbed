use proptest::prelude::*;

use super::*;
use Conclusion::{Failed, NotApplied, Nothing, Processing, Succeeded};

const NUMBERS: [NumberSeen; 8] = [
    NumberSeen::Absent,
    NumberSeen::Refund(Course::Succeeded),
    NumberSeen::Refund(Course::UnderWay),
    NumberSeen::Refund(Course::Failed),
    NumberSeen::Refund(Course::Odd),
    NumberSeen::Unclear,
    NumberSeen::Other,
    NumberSeen::Unanswered,
];

const TOTALS: [Total; 4] =
    [Total::NotAsked, Total::Excludes, Total::PaymentUnfindable, Total::Silent("nothing")];

/// Of which everything that can be proved is proved by what is seen.
fn plain() -> Case {
    Case {
        state: State::InDoubt,
        epoch: 1,
        first_edition: false,
        free: true,
        absent: true,
        accepted: false,
        explained: false,
        past_window: true,
    }
}

/// In a word: nothing is nothing, for whatever reason.
fn word(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Succeeded => "succeeded",
        Processing => "processing",
        Failed => "failed",
        NotApplied => "not applied",
        Nothing(_) => "nothing",
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table has as many lines as it has rows")]
fn each_row_of_the_table_concludes_what_it_says_and_nothing_less_does() {
    let (found, absent) = (NumberSeen::Refund, NumberSeen::Absent);
    let excludes = Total::Excludes;
    let table: &[(&str, Case, NumberSeen, Total, &str)] = &[
        ("found", plain(), found(Course::Succeeded), Total::NotAsked, "succeeded"),
        (
            "any epoch",
            Case { epoch: 9, absent: false, ..plain() },
            found(Course::Succeeded),
            Total::NotAsked,
            "succeeded",
        ),
        (
            "in processing",
            Case { state: State::Processing, accepted: true, ..plain() },
            found(Course::Succeeded),
            Total::NotAsked,
            "succeeded",
        ),
        (
            "not free",
            Case { free: false, ..plain() },
            found(Course::Succeeded),
            excludes,
            "nothing",
        ),
        ("under way", plain(), found(Course::UnderWay), Total::NotAsked, "processing"),
        (
            "under way, not free",
            Case { free: false, ..plain() },
            found(Course::UnderWay),
            excludes,
            "nothing",
        ),
        ("odd", plain(), found(Course::Odd), excludes, "nothing"),
        ("failed", plain(), found(Course::Failed), excludes, "failed"),
        ("failed, no payment", plain(), found(Course::Failed), Total::PaymentUnfindable, "failed"),
        ("failed, no total", plain(), found(Course::Failed), Total::Silent(""), "nothing"),
        ("failed, not asked", plain(), found(Course::Failed), Total::NotAsked, "nothing"),
        (
            "failed, not free",
            Case { free: false, ..plain() },
            found(Course::Failed),
            excludes,
            "nothing",
        ),
        (
            "failed before",
            Case { absent: false, ..plain() },
            found(Course::Failed),
            excludes,
            "nothing",
        ),
        (
            "failed, window",
            Case { past_window: false, ..plain() },
            found(Course::Failed),
            excludes,
            "nothing",
        ),
        (
            "failed, explained",
            Case { past_window: false, explained: true, ..plain() },
            found(Course::Failed),
            excludes,
            "failed",
        ),
        ("absent", plain(), absent, excludes, "not applied"),
        ("absent, window", Case { past_window: false, ..plain() }, absent, excludes, "nothing"),
        (
            "absent, explained, window",
            Case { past_window: false, explained: true, ..plain() },
            absent,
            excludes,
            "nothing",
        ),
        ("absent, accepted", Case { accepted: true, ..plain() }, absent, excludes, "nothing"),
        (
            "absent, processing",
            Case { state: State::Processing, ..plain() },
            absent,
            excludes,
            "nothing",
        ),
        ("absent, no total", plain(), absent, Total::Silent(""), "nothing"),
        ("absent, not asked", plain(), absent, Total::NotAsked, "nothing"),
        ("absent, no payment", plain(), absent, Total::PaymentUnfindable, "nothing"),
        ("unclear", plain(), NumberSeen::Unclear, excludes, "nothing"),
        ("another", plain(), NumberSeen::Other, excludes, "nothing"),
        ("unanswered", plain(), NumberSeen::Unanswered, excludes, "nothing"),
    ];
    for (what, case, number, total, expected) in table {
        assert_eq!(word(conclude(case, *number, *total)), *expected, "{what}");
    }
}

#[test]
fn of_the_first_edition_only_the_success_of_a_first_claim_is_concluded() {
    for (epoch, number) in [1, 2].into_iter().flat_map(|epoch| NUMBERS.map(|it| (epoch, it))) {
        for total in TOTALS {
            let case = Case { first_edition: true, free: false, absent: false, epoch, ..plain() };
            let success = epoch == 1 && number == NumberSeen::Refund(Course::Succeeded);
            let expected = if success { "succeeded" } else { "nothing" };
            assert_eq!(word(conclude(&case, number, total)), expected, "{epoch} {number:?}");
        }
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let state = prop_oneof![Just(State::InDoubt), Just(State::Processing)];
    (state, 1i64..4, any::<[bool; 6]>()).prop_map(|(state, epoch, flags)| {
        let [first_edition, free, absent, accepted, explained, past_window] = flags;
        let free = free && !first_edition;
        Case { state, epoch, first_edition, free, absent, accepted, explained, past_window }
    })
}

/// All that is one step more doubtful than this.
fn more_doubtful(case: &Case) -> Vec<Case> {
    vec![
        Case { free: false, ..*case },
        Case { absent: false, ..*case },
        Case { accepted: true, ..*case },
        Case { explained: false, ..*case },
        Case { past_window: false, ..*case },
    ]
}

proptest! {
    #[test]
    fn more_doubt_never_makes_a_more_definite_conclusion(
        case in cases(),
        number in proptest::sample::select(NUMBERS.to_vec()),
        total in proptest::sample::select(TOTALS.to_vec()),
    ) {
        let concluded = word(conclude(&case, number, total));
        for doubtful in more_doubtful(&case) {
            let less = word(conclude(&doubtful, number, total));
            prop_assert!(less == concluded || less == "nothing", "{case:?} {doubtful:?}");
        }
        for unclear in [NumberSeen::Unclear, NumberSeen::Unanswered] {
            prop_assert_eq!(word(conclude(&case, unclear, total)), "nothing");
        }
        let silent = word(conclude(&case, number, Total::Silent("")));
        prop_assert!(silent == concluded || silent == "nothing");
    }

    /// What the total says changes a conclusion only together with what is under the number.
    #[test]
    fn nothing_is_concluded_from_amounts_alone(case in cases()) {
        for number in NUMBERS {
            let seen = TOTALS.map(|total| word(conclude(&case, number, total)));
            if matches!(number, NumberSeen::Unclear | NumberSeen::Other | NumberSeen::Unanswered) {
                prop_assert_eq!(seen, ["nothing"; 4]);
            }
        }
    }

    #[test]
    fn the_total_is_asked_for_exactly_where_it_can_matter(
        case in cases(),
        number in proptest::sample::select(NUMBERS.to_vec()),
    ) {
        let without = word(conclude(&case, number, Total::NotAsked));
        let with = TOTALS.map(|total| word(conclude(&case, number, total)));
        prop_assert_eq!(wants_total(&case, number), with.iter().any(|it| *it != without));
    }
}
