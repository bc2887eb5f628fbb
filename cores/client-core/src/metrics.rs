//! What this client measures: sums of a closed list, told to the server now and then.

use std::collections::BTreeMap;

use nightjar_model::{Measure, Metric, Mono, limits, metric_bucket};
use nightjar_wire::{Kind, body};

/// Sums since they were last told.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// Packets whose body could not be read, by kind.
    pub(crate) unreadable: BTreeMap<Kind, u32>,
    /// By metric and bucket: bounded by the list.
    counts: BTreeMap<(Metric, u64), u64>,
    /// When the server may be told next.
    pub(crate) told_from: Mono,
    /// The first attempt of the connection that is wanted.
    pub(crate) connecting: Option<Mono>,
    /// The last connection was lost, with the app on the screen.
    pub(crate) lost: Option<Mono>,
    /// The hello was answered, and the list is not up to date yet.
    pub(crate) greeted: Option<Mono>,
}

impl Metrics {
    /// It happened.
    pub(crate) fn count(&mut self, metric: Metric) {
        self.add(&[Measure { metric, value: 0, count: 1 }]);
    }

    /// It took so long.
    pub(crate) fn time(&mut self, metric: Metric, ms: u64) {
        self.add(&[Measure { metric, value: metric_bucket(ms), count: 1 }]);
    }

    /// It took from `since`, if that is known, which it is not any more then.
    pub(crate) fn ended(metric: Metric, since: &mut Option<Mono>, now: Mono) -> Option<Measure> {
        let ms = now.since(since.take()?);
        Some(Measure { metric, value: metric_bucket(ms), count: 1 })
    }

    /// Sums of others.
    pub(crate) fn add(&mut self, measures: &[Measure]) {
        for Measure { metric, value, count } in measures {
            let sum = self.counts.entry((*metric, *value)).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    /// How often it was counted since the server was told.
    #[cfg(test)]
    pub(crate) fn counted(&self, metric: Metric) -> u64 {
        self.counts.iter().filter(|((counted, _), _)| *counted == metric).map(|(_, n)| n).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The sums, as the wire says them; they are counted anew then.
    pub(crate) fn take(&mut self) -> Vec<body::Metric> {
        let mut told = Vec::new();
        while told.len() < limits::METRICS_MAX
            && let Some(((metric, value), count)) = self.counts.pop_first()
        {
            // The last bucket has no bound; its samples lie above the one before.
            let value = value.min(limits::METRIC_VALUE_MAX);
            told.push(body::Metric { name: metric.name().to_owned(), value, count });
        }
        told
    }
}
