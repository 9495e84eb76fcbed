//! What becomes of a call to Sunmi, drawn for each.

use std::time::Duration;

use sunmi_trade::sandbox::book::Course;

use crate::options::Options;
use crate::rng::Rng;

#[derive(Clone, Debug)]
pub struct Fate {
    /// How long the request is under way.
    pub there: Duration,
    /// Whether Sunmi does what is asked.
    pub execute: bool,
    pub course: Course,
    /// How long the answer is under way.
    pub back: Duration,
    pub answer: Answer,
}

#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// As the books have it.
    True,
    /// None: no connection was made.
    Unreachable,
    /// None, ever.
    Hang,
    /// None: the connection breaks, whether or not the request arrived.
    Broken,
    /// This code, whatever happened; with the result, if that was a success.
    Code(&'static str, Option<Duration>),
    /// This status, and no envelope.
    Http(u16),
    /// A page for people.
    Html,
}

/// Before a request is processed.
const REFUSALS: [&str; 8] = ["E01", "E05", "E20", "E22", "D04", "T01", "R02", "Q03"];
const DOUBTS: [&str; 5] = ["S03", "F04", "20000", "D01", "X99"];

impl Fate {
    pub fn fair(rng: &mut Rng) -> Self {
        Self {
            there: rng.ms(1..60),
            execute: true,
            course: Course::default(),
            back: rng.ms(1..60),
            answer: Answer::True,
        }
    }

    pub fn of_query(options: &Options, rng: &mut Rng) -> Self {
        let fair = Self::fair(rng);
        if !rng.chance(options.spoiled_query) {
            return fair;
        }
        let answer = rng.pick(&[
            Answer::True,
            Answer::Unreachable,
            Answer::Hang,
            Answer::Broken,
            Answer::Code("S03", None),
            Answer::Code("R03", Some(Duration::from_secs(1))),
            Answer::Code("D01", None),
            Answer::Http(503),
            Answer::Html,
        ]);
        // A slow answer shows what was so when it was made.
        Self { back: rng.ms(1..3_000), answer, ..fair }
    }

    pub fn of_refund(options: &Options, rng: &mut Rng) -> Self {
        let course = Course {
            seconds: if rng.chance(options.slow_refund) { 1 + rng.below(40) as i64 } else { 0 },
            fails: rng.chance(options.failing_refund),
        };
        let fair = Self { course, ..Self::fair(rng) };
        if !rng.chance(options.spoiled_refund) {
            return fair;
        }
        if rng.chance(options.kept_refusal) {
            let course = Course { seconds: 0, fails: true };
            return Self { course, answer: Answer::Code(rng.pick(&REFUSALS), None), ..fair };
        }
        if rng.chance(options.late) {
            let latest = options.latest().as_millis() as u64;
            let there = match rng.chance(0.5) {
                true => rng.ms(latest - 1_500..latest),
                false => rng.ms(0..latest),
            };
            return Self { there, answer: rng.pick(&[Answer::Hang, Answer::Broken]), ..fair };
        }
        let back = rng.ms(1..2_500);
        let (execute, answer) = match rng.below(12) {
            0 => (false, Answer::Unreachable),
            1 | 10 => {
                // A long wait brings the next attempt near the ceiling.
                let wait = rng.chance(0.7).then(|| rng.ms(0..6_000));
                (false, Answer::Code("R03", wait))
            }
            2 => (false, Answer::Code(rng.pick(&REFUSALS), None)),
            3 => (false, Answer::Http(rng.pick(&[400, 401, 403, 404, 413]))),
            4 => (false, rng.pick(&[Answer::Hang, Answer::Broken])),
            5 => (true, rng.pick(&[Answer::Hang, Answer::Broken])),
            6 => (rng.chance(0.5), Answer::Http(rng.pick(&[429, 500, 502, 503, 302]))),
            7 => (rng.chance(0.5), Answer::Html),
            _ => (rng.chance(0.5), Answer::Code(rng.pick(&DOUBTS), None)),
        };
        Self { execute, back, answer, ..fair }
    }

    /// A refusal, or a failure, that is long under way.
    pub fn late_refusal(rng: &mut Rng) -> Self {
        let answer = rng.pick(&[
            Answer::Code("R03", None),
            Answer::Code("E20", None),
            Answer::Code("E22", None),
            Answer::Http(404),
            Answer::True,
        ]);
        let execute = matches!(answer, Answer::True);
        let course = Course { seconds: 0, fails: true };
        Self { execute, course, back: rng.ms(2_000..5_800), answer, ..Self::fair(rng) }
    }

    /// A success that is long under way.
    pub fn late_success(rng: &mut Rng) -> Self {
        Self { back: rng.ms(1_000..5_000), ..Self::fair(rng) }
    }
}
