//! What callers are up to, drawn from the seed.

use std::time::Duration;

use sunmi_trade::trade::{Identifier, OrderRef, Refund};

use crate::options::Options;
use crate::rng::Rng;
use crate::world::World;

/// How a caller behaves.
#[derive(Clone, Debug)]
pub struct Plan {
    pub at: Duration,
    pub refund: Refund,
    pub replica: usize,
    pub deadline: Duration,
    pub hangs_up: Option<HangUp>,
    /// How often it repeats at once when it is not told that money moved.
    pub repeats: usize,
    pub acknowledges: bool,
}

#[derive(Clone, Debug)]
pub enum HangUp {
    AfterPolls(usize),
    After(Duration),
}

pub fn id(text: &str) -> Identifier {
    Identifier::parse(text.to_owned()).unwrap()
}

/// What all callers of a run are up to.
pub fn draw(world: &World, replicas: usize) -> Vec<Plan> {
    let mut plans = Vec::new();
    for number in 0..world.options.numbers {
        let rng = &mut world.rng(("callers", number));
        let first = plan(&world.options, rng, &format!("R{number}"), replicas);
        let mut at = first.at;
        for _ in 0..rng.below(4) {
            let latest = rng.pick(&[100, 2_000, 45_000]);
            at += rng.ms(0..latest);
            let other = plan(&world.options, rng, first.refund.order_id.as_str(), replicas);
            let refund = match rng.chance(world.options.other_content) {
                true => Refund { app_id: first.refund.app_id.clone(), ..other.refund.clone() },
                false => first.refund.clone(),
            };
            plans.push(Plan { at, refund, ..other });
        }
        plans.push(first);
    }
    plans
}

fn plan(options: &Options, rng: &mut Rng, number: &str, replicas: usize) -> Plan {
    let short = rng.chance(options.short_deadlines);
    let hurry = options.hurry.as_millis() as u64;
    Plan {
        at: rng.ms(0..hurry),
        refund: content(options, rng, number),
        replica: rng.below(replicas),
        deadline: if short { rng.ms(550..1_500) } else { rng.ms(4_000..10_000) },
        hangs_up: rng.chance(options.cancel).then(|| match rng.chance(0.5) {
            true => HangUp::AfterPolls(rng.below(6)),
            false => HangUp::After(rng.ms(0..3_000)),
        }),
        repeats: if rng.chance(options.repeat_at_once) { 1 + rng.below(3) } else { 0 },
        acknowledges: rng.chance(options.acknowledges),
    }
}

/// What is asked for: few amounts and few payments, so that refunds resemble each other.
fn content(options: &Options, rng: &mut Rng, number: &str) -> Refund {
    let payment = match rng.chance(options.nowhere) {
        true => "NOWHERE".to_owned(),
        false => format!("P{}", rng.below(options.payments)),
    };
    // Where no look finds the names of a payment, only equal ones are known to be equal.
    let original = match rng.below(if options.payments_queryable { 6 } else { 1 }) {
        0..=3 => OrderRef::OrderId(id(&payment)),
        4 => OrderRef::MisId(id(&format!("{payment}-MIS"))),
        _ => OrderRef::PlatformId(id(&format!("{payment}-PLATFORM"))),
    };
    Refund {
        app_id: id(&format!("A{}", rng.below(options.app_ids))),
        msn: id("M1"),
        amount: rng.pick(&[10, 10, 10, 7]),
        original,
        order_id: id(number),
        business_id: id("B1"),
        app_id_named: !options.exchanged && (options.app_ids > 1 || rng.chance(0.5)),
        acknowledged: Box::default(),
        note: sunmi_trade::trade::Note::default(),
        caller: None,
        day_bound: None,
    }
}
