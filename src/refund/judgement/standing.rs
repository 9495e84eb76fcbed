//! Whether a settled refund still stands at Sunmi as it is recorded.

use super::seen::{Course, NumberSeen};

/// How a refund is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// Whether as succeeded; else, as failed.
    pub(crate) succeeded: bool,
    /// Whether that is known from a query, so that a query did find it.
    pub(crate) by_query: bool,
}

/// Whether it still stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Sunmi shows it as it is recorded.
    Stands,
    /// Sunmi shows something else.
    Differs(&'static str),
    /// Sunmi does not tell.
    Untold(&'static str),
}

/// Judges what is under the refund's number, and under the names that Sunmi's own answer gave it.
/// One look that differs outweighs all others. Names tell only by a refund that is under them: a
/// payment may have the same.
///
/// | recorded as | number or names show | it |
/// |---|---|---|
/// | succeeded | a refund in another state than 3 | differs |
/// | failed | a refund in another state than 5 | differs |
/// | either | another order, under its number | differs |
/// | either | a refund in the state recorded | stands |
/// | succeeded, found by a query then | not there | differs |
/// | succeeded, never found by a query | not there | untold: not every account finds refunds |
/// | failed | not there | stands |
/// | either | all else | untold |
pub(crate) fn judge(recorded: Recorded, number: NumberSeen, names: &[NumberSeen]) -> Standing {
    let looks = || std::iter::once(&number).chain(names);
    let courses = looks().filter_map(|seen| match seen {
        NumberSeen::Refund(course) => Some(*course),
        NumberSeen::Absent | NumberSeen::Unclear | NumberSeen::Other | NumberSeen::Unanswered => {
            None
        }
    });
    let courses: Vec<Course> = courses.collect();
    if let Some(why) = courses.iter().find_map(|course| difference(recorded, *course)) {
        return Standing::Differs(why);
    }
    if number != NumberSeen::Other && !courses.is_empty() {
        return Standing::Stands;
    }
    match number {
        NumberSeen::Other => {
            Standing::Differs("another order, or another amount, is under its number")
        }
        NumberSeen::Absent if !recorded.succeeded => Standing::Stands,
        NumberSeen::Absent if recorded.by_query => {
            Standing::Differs("Sunmi has shown it, and does not find it any more")
        }
        NumberSeen::Absent => Standing::Untold(
            "Sunmi does not find it, and not every account finds refunds by their number",
        ),
        NumberSeen::Unclear => {
            Standing::Untold("an order whose type or amount is not told is under its number")
        }
        NumberSeen::Refund(_) | NumberSeen::Unanswered => {
            Standing::Untold("Sunmi does not tell what is under its number")
        }
    }
}

/// How a refund that was found differs from what is recorded.
fn difference(recorded: Recorded, found: Course) -> Option<&'static str> {
    match (recorded.succeeded, found) {
        (true, Course::Succeeded) | (false, Course::Failed) => None,
        (false, Course::Succeeded) => {
            Some("Sunmi has it as succeeded, and it is recorded as failed")
        }
        (true, Course::Failed) => Some("Sunmi has it as failed, and it is recorded as succeeded"),
        (true, Course::UnderWay) => {
            Some("Sunmi has it as not finished, and it is recorded as succeeded")
        }
        (false, Course::UnderWay) => {
            Some("Sunmi has it as not finished, and it is recorded as failed")
        }
        (true | false, Course::Odd) => Some("its state at Sunmi is none that a refund has"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refund_stands_only_where_sunmi_shows_what_is_recorded_and_nothing_else() {
        use Course::{Failed, Odd, Succeeded, UnderWay};
        use NumberSeen::{Absent, Other, Refund, Unanswered, Unclear};
        let (stands, differs, untold) = (0, 1, 2);
        let table: [(bool, bool, NumberSeen, &[NumberSeen], i32); 23] = [
            (true, false, Refund(Succeeded), &[], stands),
            (true, false, Refund(Succeeded), &[Absent, Other, Unclear, Unanswered], stands),
            (true, false, Refund(Succeeded), &[Refund(Failed)], differs),
            (true, false, Refund(Succeeded), &[Refund(Succeeded), Refund(Odd)], differs),
            (true, false, Refund(UnderWay), &[], differs),
            (true, false, Refund(Failed), &[Refund(Succeeded)], differs),
            (true, false, Refund(Odd), &[], differs),
            (true, false, Other, &[Refund(Succeeded)], differs),
            (true, false, Absent, &[Refund(Succeeded)], stands),
            (true, true, Absent, &[Refund(Succeeded)], stands),
            (true, true, Absent, &[Absent], differs),
            (true, false, Absent, &[Other], untold),
            (true, false, Unclear, &[], untold),
            (true, true, Unanswered, &[], untold),
            (true, true, Unanswered, &[Refund(Succeeded)], stands),
            (true, true, Unanswered, &[Refund(UnderWay)], differs),
            (false, false, Refund(Failed), &[], stands),
            (false, true, Absent, &[], stands),
            (false, true, Refund(Succeeded), &[], differs),
            (false, true, Refund(UnderWay), &[], differs),
            (false, true, Absent, &[Refund(Succeeded)], differs),
            (false, true, Other, &[], differs),
            (false, true, Unclear, &[], untold),
        ];
        for (succeeded, by_query, number, names, expected) in table {
            let judged = judge(Recorded { succeeded, by_query }, number, names);
            let seen = match judged {
                Standing::Stands => stands,
                Standing::Differs(_) => differs,
                Standing::Untold(_) => untold,
            };
            assert_eq!(seen, expected, "{succeeded} {by_query} {number:?} {names:?}: {judged:?}");
        }
    }
}
