//! What this client measures: sums of a closed list, told to the server now and then.

use std::collections::BTreeMap;

use nightjar_model::{Measure, Metric, Mono, WallMs, limits, metric_bucket};
use nightjar_wire::{Kind, body};
use serde::{Deserialize, Serialize};

use crate::fetch::Push;

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
    /// The app came to the screen, and the list is not up to date yet.
    pub(crate) came: Option<Mono>,
    /// The store was told to close.
    pub(crate) closing: Option<Mono>,
    /// A person opened a notification, and does not see what it is about yet.
    pub(crate) opened: Option<Mono>,
    pub(crate) restrictions: Restrictions,
}

/// What keeps this app from telling a person of anything, as its system says. It changes nothing
/// here; operators see how often it is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Restrictions {
    /// The app may not show notifications.
    pub notifications_denied: bool,
    /// The user turned its notification channel off.
    pub channel_blocked: bool,
    /// The system keeps it from running in the background.
    pub background_restricted: bool,
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

    /// It ended, if it had begun.
    pub(crate) fn end(&mut self, metric: Metric, since: Option<Mono>, now: Mono) {
        if let Some(since) = since {
            self.time(metric, now.since(since));
        }
    }

    /// A connection was greeted: what keeps the app from telling a person of anything.
    pub(crate) fn count_restrictions(&mut self) {
        let Restrictions { notifications_denied, channel_blocked, background_restricted } =
            self.restrictions;
        let all = [
            (notifications_denied, Metric::NotificationsDenied),
            (channel_blocked, Metric::ChannelBlocked),
            (background_restricted, Metric::BackgroundRestricted),
        ];
        all.into_iter().filter(|(is_so, _)| *is_so).for_each(|(_, metric)| self.count(metric));
    }

    /// A push reached this process.
    pub(crate) fn push(&mut self, push: &Push, now: WallMs) {
        push_measures(push, now).into_iter().for_each(|measure| self.add(&[measure]));
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

/// What a push says of its way here.
pub(crate) fn push_measures(push: &Push, now: WallMs) -> Vec<Measure> {
    let count = |metric| Measure { metric, value: 0, count: 1 };
    let mut measures = vec![count(Metric::PushReceived)];
    if push.is_deprioritised {
        measures.push(count(Metric::PushDeprioritised));
    }
    if let Some((id, _)) = &push.alert {
        let value = metric_bucket(now.0.saturating_sub(id.at().0));
        measures.push(Measure { metric: Metric::PushLatency, value, count: 1 });
    }
    measures
}
