//! Families whose values somebody else keeps: they are read when they are asked for.

use std::collections::HashMap;
use std::fmt;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

/// Whether a value can fall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// It cannot; its name ends in `_total`.
    Counter,
    /// It can.
    Gauge,
}

/// The values of the labels, in their order, and the value of the series.
pub type Sample<const LABELS: usize> = ([&'static str; LABELS], f64);

/// A family that is read when it is asked for. One without samples is not shown.
pub struct Pulled {
    kind: Type,
    desc: Desc,
    read: Box<dyn Fn() -> Vec<Metric> + Send + Sync>,
}

impl Pulled {
    /// A family with these labels, whose samples are what `read` gives.
    ///
    /// # Errors
    /// That a name is none.
    pub fn new<const LABELS: usize>(
        kind: Type,
        (name, help): (&str, &str),
        labels: [&'static str; LABELS],
        read: impl Fn() -> Vec<Sample<LABELS>> + Send + Sync + 'static,
    ) -> prometheus::Result<Self> {
        let names = labels.map(str::to_owned).into();
        let desc = Desc::new(name.to_owned(), help.to_owned(), names, HashMap::new())?;
        let read = move || {
            let metric = |(values, value)| metric(kind, labels.into_iter().zip(values), value);
            read().into_iter().map(metric).collect()
        };
        Ok(Self { kind, desc, read: Box::new(read) })
    }
}

impl Collector for Pulled {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut family = MetricFamily::default();
        family.set_name(self.desc.fq_name.clone());
        family.set_help(self.desc.help.clone());
        family.set_field_type(match self.kind {
            Type::Counter => MetricType::COUNTER,
            Type::Gauge => MetricType::GAUGE,
        });
        family.set_metric((self.read)());
        vec![family]
    }
}

fn metric<'a>(kind: Type, labels: impl Iterator<Item = (&'a str, &'a str)>, value: f64) -> Metric {
    let pair = |(name, value): (&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.to_owned());
        pair.set_value(value.to_owned());
        pair
    };
    let mut metric = Metric::from_label(labels.map(pair).collect());
    match kind {
        Type::Counter => {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        }
        Type::Gauge => {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
    }
    metric
}

impl fmt::Debug for Pulled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pulled").field(&self.desc.fq_name).finish()
    }
}
