//! Families of runs with one kind of fault each, or none: how little comes before persons.
//!
//! The table says of each kind whether the design leaves something of it to a person. Where it
//! does not, nothing is left open in the end.

use crate::fate::Chances;
use crate::judge::Left;
use crate::options::Options;
use crate::sums::Sum;
use crate::{check, run_all, switch};

/// A kind of fault.
struct Family {
    name: &'static str,
    /// Whether a person may be needed, and why.
    person: Option<&'static str>,
    fault: fn(Options) -> Options,
}

const fn family(name: &'static str, fault: fn(Options) -> Options) -> Family {
    Family { name, person: None, fault }
}

const fn persons(name: &'static str, why: &'static str, fault: fn(Options) -> Options) -> Family {
    Family { name, person: Some(why), fault }
}

fn calls(mut options: Options, calls: Chances) -> Options {
    options.calls = calls;
    options
}

const OFTEN: f64 = 0.4;

#[rustfmt::skip]
const FAMILIES: [Family; 35] = [
    family("quiet", |it| Options { nowhere: 0.05, ..it }),
    family("requests lost", |it| calls(it, Chances { request_lost: OFTEN, ..Chances::default() })),
    family("answers lost", |it| calls(it, Chances { answer_lost: OFTEN, ..Chances::default() })),
    family("executed late", |it| calls(it, Chances { late: OFTEN, ..Chances::default() })),
    family("answers slow", |it| calls(it, Chances { slow_answer: OFTEN, ..Chances::default() })),
    family("no connection", |it| calls(it, Chances { unreachable: OFTEN, ..Chances::default() })),
    family("codes that prove nothing", |it| calls(it, Chances { doubtful: OFTEN, ..Chances::default() })),
    family("HTTP errors and pages", |it| calls(it, Chances { http: OFTEN, ..Chances::default() })),
    family("refused", |it| calls(it, Chances { refused: OFTEN, ..Chances::default() })),
    family("refused after execution", |it| calls(it, Chances { refused_after: OFTEN, ..Chances::default() })),
    family("queries spoiled", |it| calls(it, Chances { spoiled_query: OFTEN, ..Chances::default() })),
    family("queries slow", |it| calls(it, Chances { slow_query: OFTEN, ..Chances::default() })),
    family("queries answered for another", |it| calls(it, Chances { crossed_query: OFTEN, ..Chances::default() })),
    family("refunds slow", |it| calls(it, Chances { slow_refund: OFTEN, ..Chances::default() })),
    family("refunds fail", |it| calls(it, Chances { failing_refund: OFTEN, ..Chances::default() })),
    family("refused refunds kept", |it| Options { keep_refused: true, balance: 25, ..it }),
    family("refunds on the device", |it| Options { device_refunds: 4, ..it }),
    family("refunds returned", |it| Options { returns: 4, ..it }),
    family("keys exchanged", |it| Options { keys_change: true, ..it }),
    family("two app_ids", |it| Options { app_ids: 2, ..it }),
    family("processes die", |it| Options { death_at_statement: 0.01, death_at_refund: 0.1, ..it }),
    family("processes suspended", |it| Options { suspension: 0.05, replicas: 2, ..it }),
    family("statements fail", |it| Options { statement_fails: 0.1, ..it }),
    family("commits unknown", |it| Options { commit_unknown: 0.1, ..it }),
    family("everything stops", |it| Options { pause: 0.05, ..it }),
    family("the ledger's clock steps", |it| Options { steps: true, ..it }),
    family("callers hang up", |it| Options { cancel: 0.5, short_deadlines: 0.4, ..it }),
    family("other content", |it| Options { other_content: 0.4, ..it }),
    family("numbers hidden, requests lost", |it| Options { half_hidden: true, balance: 1000,
        ..calls(it, Chances { request_lost: OFTEN, ..Chances::default() }) }),
    family("rows emptied", |it| Options { retention: Some(std::time::Duration::from_secs(15)), ..it }),
    persons("answers of another call", "what accepts something is never taken for nothing",
        |it| calls(it, Chances { crossed: OFTEN, ..Chances::default() })),
    persons("POSTs repeated", "a total with a refund twice in it tells nothing of the next",
        |it| calls(it, Chances { repeated: OFTEN, ..Chances::default() })),
    persons("numbers used before", "nobody can tell whose refund it is",
        |it| Options { used_before: 2, ..it }),
    persons("face payments, requests lost", "neither it nor its payment can be found",
        |it| Options { payments_queryable: false, ..calls(it, Chances { request_lost: OFTEN, ..Chances::default() }) }),
    persons("numbers not found, answers lost", "the total alone tells nothing",
        |it| Options { queryable: false, ..calls(it, Chances { answer_lost: OFTEN, ..Chances::default() }) }),
];

const RUNS: u64 = 12;

impl Family {
    fn options(&self, seed: u64) -> Options {
        (self.fault)(Options::calm(seed))
    }

    /// What is left open though it need not be.
    fn excess(&self, left: &Left) -> Vec<String> {
        if self.person.is_some() {
            return Vec::new();
        }
        let open = left.for_persons().map(|row| {
            let number = row.key.order_id.as_str();
            format!("{number}: it is left to a person in the family \"{}\": {row:?}", self.name)
        });
        open.collect()
    }
}

#[test]
fn a_single_kind_of_fault_leaves_no_more_to_persons_than_the_design_says() {
    let only = switch("SIM_FAMILY");
    let seed = switch("SIM_SEED").map(|text| text.parse().unwrap());
    if seed.is_some() && only.is_none() {
        return;
    }
    let runs = switch("SIM_FAMILY_RUNS").map_or(RUNS, |text| text.parse().unwrap());
    println!("{}", Sum::HEAD);
    for family in FAMILIES.iter().filter(|it| only.as_ref().is_none_or(|name| name == it.name)) {
        let more = |left: &Left| family.excess(left);
        if let Some(seed) = seed {
            let (_, verdict) = check(family.name, family.options(seed), true, more);
            return verdict.unwrap_or_else(|why| panic!("{why}"));
        }
        let sum = run_all(family.name, runs, |seed| family.options(seed), more);
        println!("{}", sum.row(family.name));
        if family.person.is_some() {
            assert!(sum.for_persons > 0, "{}: nobody is needed: say so in the table", family.name);
        }
    }
}

#[test]
fn without_faults_every_caller_has_a_definite_answer_in_time() {
    if switch("SIM_SEED").is_some() || switch("SIM_FAMILY").is_some() {
        return;
    }
    let options =
        |seed| Options { faults_until: std::time::Duration::from_secs(75), ..Options::calm(seed) };
    let sum = run_all("quiet", 40, options, |left| left.indefinite());
    println!("{}\n{}", Sum::HEAD, sum.row("quiet, definite answers"));
}
