//! Mixes of few faults that lead to where one rule alone stands between a doubt and a false
//! conclusion. What comes before persons there is not counted.

use std::time::Duration;

use crate::fate::Chances;
use crate::options::Options;
use crate::sums::Sum;
use crate::{check, run_all, switch};

/// A name, and what goes wrong.
type Mix = (&'static str, fn(Options) -> Options);

const LAG: Duration = Duration::from_millis(4_900);

#[rustfmt::skip]
const MIXES: [Mix; 4] = [
    // One that is returned makes the total as if the next had not been.
    ("returned beside hidden", |it| Options {
        half_hidden: true, returns: 20,
        calls: Chances { answer_lost: 0.4, ..Chances::default() }, ..busy(it)
    }),
    // One that was under way fails, and the total is as if the next had not been.
    ("failed beside hidden", |it| Options {
        queryable: false,
        calls: Chances { answer_lost: 0.3, slow_refund: 0.6, failing_refund: 0.6, ..Chances::default() },
        ..busy(it)
    }),
    // One that succeeded just now is not in the total yet.
    ("acknowledged and lagging", |it| Options {
        queryable: false, acknowledges: 1.0, repeat_at_once: 1.0, total_lag: LAG,
        calls: Chances { answer_lost: 0.3, ..Chances::default() }, ..busy(it)
    }),
    // Two callers use one number at once.
    ("one number twice at once", |it| Options {
        other_content: 0.7, replicas: 3, payments: 3, hurry: Duration::from_secs(3),
        calls: Chances { slow_query: 0.5, ..Chances::default() }, ..busy(it)
    }),
];

/// Many refunds of one payment that allows them.
fn busy(options: Options) -> Options {
    Options { payments: 1, balance: 1000, numbers: 8, hurry: Duration::from_secs(50), ..options }
}

const RUNS: u64 = 50;

#[test]
fn where_one_rule_alone_stands_nothing_false_is_concluded() {
    let only = switch("SIM_FAMILY");
    let seed = switch("SIM_SEED").map(|text| text.parse().unwrap());
    if seed.is_some() && only.is_none() {
        return;
    }
    let runs = switch("SIM_FAMILY_RUNS").map_or(RUNS, |text| text.parse().unwrap());
    println!("{}", Sum::HEAD);
    for (name, fault) in MIXES.iter().filter(|it| only.as_ref().is_none_or(|name| name == it.0)) {
        let options = |seed| fault(Options::calm(seed));
        if let Some(seed) = seed {
            let (_, verdict) = check(name, options(seed), true, |_| Vec::new());
            return verdict.unwrap_or_else(|why| panic!("{why}"));
        }
        println!("{}", run_all(name, runs, options, |_| Vec::new()).row(name));
    }
}
