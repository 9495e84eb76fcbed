//! What becomes of a call to Sunmi, drawn for each.

use std::time::Duration;

use sunmi_trade::sandbox::book::{Course, Originals};

use crate::options::Options;
use crate::rng::Rng;

/// How likely what is to happen to calls.
#[derive(Clone, Debug, Default)]
pub struct Chances {
    /// That a query is spoiled, or is long under way, there or back.
    pub spoiled_query: f64,
    pub slow_query: f64,
    /// That a query is answered with what another call asked for.
    pub crossed_query: f64,
    /// That no connection can be made.
    pub unreachable: f64,
    /// That a refund is lost before it arrives, and that its answer is.
    pub request_lost: f64,
    pub answer_lost: f64,
    /// That it is under way for long, and executed in the end.
    pub late: f64,
    /// That its answer is long under way.
    pub slow_answer: f64,
    /// That it is refused before it is looked at, or throttled.
    pub refused: f64,
    /// That a code that proves nothing is answered, and an HTTP status or a page, whatever
    /// happened.
    pub doubtful: f64,
    pub http: f64,
    /// That it is executed, and answered with a refusal of the trade, as a second copy would be.
    pub refused_after: f64,
    /// That the answer is another call's, or names another original.
    pub crossed: f64,
    /// That something in between repeats it, at once or later, and which answer comes back.
    pub repeated: f64,
    /// That it takes time, and that it fails in the end.
    pub slow_refund: f64,
    pub failing_refund: f64,
}

#[derive(Clone, Debug)]
pub struct Fate {
    /// How long the request is under way.
    pub there: Duration,
    /// Whether Sunmi does what is asked.
    pub execute: bool,
    pub course: Course,
    pub originals: Originals,
    /// When something in between repeats it, after it was executed, and whether the answer to
    /// the second one is the one that comes back.
    pub repeat: Option<(Duration, bool)>,
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
    /// What an earlier call for another payment was answered.
    Crossed,
}

/// Refusals that any copy of a request would meet: nothing was executed.
const OF_THE_ACCOUNT: [&str; 7] = ["E01", "E05", "E23", "E25", "R02", "Q03", "20001"];
/// Refusals of the trade.
const OF_THE_TRADE: [&str; 8] = ["R03", "D04", "E15", "E20", "E22", "E28", "T01", "T13"];
/// Those that a second copy of an executed request would be answered. What refuses a part of a
/// payment (T13) would have refused the first copy, too.
const OF_A_SECOND: [&str; 7] = ["R03", "D04", "E15", "E20", "E22", "E28", "T01"];
const DOUBTS: [&str; 6] = ["S03", "F04", "20000", "D11", "T04", "X99"];

impl Chances {
    pub fn wild(rng: &mut Rng, has_baseline: bool) -> Self {
        let how = rng.pick(&[0.5, 1.0, 2.0]);
        let any = |rng: &mut Rng, value: f64| if rng.chance(0.6) { 0.0 } else { value * how };
        // Without a baseline a refusal of the second copy is believed: that remains.
        let second = |rng: &mut Rng, value: f64| any(rng, value * f64::from(has_baseline));
        Self {
            spoiled_query: rng.pick(&[0.0, 0.0, 0.1, 0.4]),
            slow_query: rng.pick(&[0.0, 0.0, 0.1, 0.4]),
            crossed_query: rng.pick(&[0.0, 0.0, 0.0, 0.1]),
            unreachable: any(rng, 0.05),
            request_lost: any(rng, 0.15),
            answer_lost: any(rng, 0.15),
            late: any(rng, 0.2),
            slow_answer: any(rng, 0.05),
            refused: any(rng, 0.05),
            doubtful: any(rng, 0.1),
            http: any(rng, 0.1),
            refused_after: second(rng, 0.15),
            crossed: any(rng, 0.1),
            repeated: second(rng, 0.2),
            slow_refund: rng.pick(&[0.0, 0.0, 0.3]),
            failing_refund: rng.pick(&[0.0, 0.1, 0.3]),
        }
    }
}

impl Fate {
    pub fn fair(rng: &mut Rng) -> Self {
        Self {
            there: rng.ms(1..60),
            execute: true,
            course: Course::default(),
            originals: Originals::Echoed,
            repeat: None,
            back: rng.ms(1..60),
            answer: Answer::True,
        }
    }

    /// `of_number` is whether it asks for a refund by its number. What is answered to that names
    /// nothing of which is known that it has to be the same, so that another call's answer could
    /// not be told from it.
    pub fn of_query(options: &Options, rng: &mut Rng, of_number: bool) -> Self {
        let (chances, mut fate) = (&options.calls, Self::fair(rng));
        if rng.chance(chances.slow_query) {
            // A slow answer shows what was so when it was made.
            fate.there = rng.ms(1..2_500);
            fate.back = rng.ms(1..2_500);
        }
        if !of_number && rng.chance(chances.crossed_query) {
            fate.answer = Answer::Crossed;
        }
        if rng.chance(chances.spoiled_query) {
            // To refuse a query is not to find: what then remains is left out as in `Chances`.
            let finds = options.restored || chances.refused_after + chances.repeated > 0.0;
            fate.answer = rng.pick(&[
                Answer::Unreachable,
                Answer::Hang,
                Answer::Broken,
                Answer::Code("S03", None),
                Answer::Code("R03", Some(Duration::from_secs(1))),
                Answer::Code("D01", None),
                Answer::Code(if finds { "20000" } else { "D11" }, None),
                Answer::Http(503),
                Answer::Html,
            ]);
        }
        fate
    }

    pub fn of_refund(options: &Options, rng: &mut Rng) -> Self {
        let (chances, mut fate) = (&options.calls, Self::fair(rng));
        fate.course.seconds =
            if rng.chance(chances.slow_refund) { 1 + rng.below(40) as i64 } else { 0 };
        fate.course.fails = rng.chance(chances.failing_refund);
        fate.originals =
            rng.pick(&[Originals::Echoed, Originals::Echoed, Originals::Absent, Originals::Empty]);
        if rng.chance(chances.slow_answer) {
            fate.back = rng.ms(1_000..5_800);
        }
        let lost = rng.pick(&[Answer::Hang, Answer::Broken]);
        let statuses = [400, 401, 403, 404, 413, 400, 403, 302, 429, 500, 502, 503];
        let spoiled = rng.pick(&statuses);
        let spoiled = if rng.chance(0.2) { Answer::Html } else { Answer::Http(spoiled) };
        if rng.chance(chances.repeated) {
            let later = options.latest().as_millis() as u64 - 200;
            let after = if rng.chance(0.6) { Duration::ZERO } else { rng.ms(1..later) };
            fate.repeat = Some((after, after.is_zero() && rng.chance(0.6)));
            if !rng.chance(0.5) {
                fate.answer = lost;
            }
        } else if rng.chance(chances.unreachable) {
            fate.answer = Answer::Unreachable;
        } else if rng.chance(chances.request_lost) {
            (fate.execute, fate.answer) = (false, lost);
        } else if rng.chance(chances.answer_lost) {
            fate.answer = lost;
        } else if rng.chance(chances.late) {
            let latest = options.latest().as_millis() as u64;
            let soonest = if rng.chance(0.5) { latest - 1_500 } else { 0 };
            (fate.there, fate.answer) = (rng.ms(soonest..latest), lost);
        } else if rng.chance(chances.refused) {
            fate.execute = false;
            let codes: &[&'static str] =
                if rng.chance(0.5) { &OF_THE_ACCOUNT } else { &OF_THE_TRADE };
            fate.answer = Answer::Code(rng.pick(codes), None);
        } else if rng.chance(chances.doubtful) {
            fate.execute = rng.chance(0.5);
            let accepts = fate.execute && rng.chance(0.2);
            fate.answer = Answer::Code(if accepts { "D01" } else { rng.pick(&DOUBTS) }, None);
        } else if rng.chance(chances.http) {
            (fate.execute, fate.answer) = (rng.chance(0.5), spoiled);
        } else if rng.chance(chances.refused_after) {
            fate.answer = Answer::Code(rng.pick(&OF_A_SECOND), None);
        } else if rng.chance(chances.crossed) {
            match rng.chance(0.5) {
                true => fate.originals = Originals::Other,
                false => (fate.execute, fate.answer) = (rng.chance(0.5), Answer::Crossed),
            }
        }
        fate
    }
}
