//! What became of notifications, and what was measured, told to the server.

use nightjar_model::{ConversationId, Metric, Mono, NotificationId};
use nightjar_wire::{Body, Kind, Packet, body};

use crate::fetch::Push;
use crate::{Client, State, defaults};

/// What the server is to be told. Of too many ids the oldest are not.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    arrived: Vec<NotificationId>,
    clicked: Vec<NotificationId>,
    dismissed: Vec<NotificationId>,
}

impl Reports {
    pub(crate) fn dismissed(&mut self, id: NotificationId) {
        remember(&mut self.dismissed, id);
    }
}

fn remember(list: &mut Vec<NotificationId>, id: NotificationId) {
    if list.len() >= defaults::REPORTS_MAX {
        list.remove(0);
    }
    list.push(id);
}

impl Client {
    /// A push reached the running app. It may know more than the connection, which then is in
    /// doubt; whether it alerts is for a run of its own ([`crate::fetch::Fetch`]).
    pub(crate) fn push_received(&mut self, push: Push) {
        self.metrics.push(&push, self.now.wall);
        if let Some((_, id)) = push.alert {
            remember(&mut self.reports.get_or_insert_default().arrived, id);
        }
        self.badge(push.badge, push.bv);
        if !push.withdraw.is_empty() {
            self.take_back(push.withdraw);
        }
        self.look_closer();
    }

    /// The system dropped pushes: whatever they were about is asked for.
    pub(crate) fn push_gap(&mut self) {
        self.metrics.count(Metric::PushGap);
        self.wants_sync |= self.is_open && self.config.syncs;
        self.look_closer();
    }

    fn look_closer(&mut self) {
        if self.is_open {
            self.pulse.doubt(self.now.mono);
        } else {
            self.nudge();
        }
    }

    /// A person opened it.
    pub(crate) fn notification_opened(&mut self, id: NotificationId) {
        self.metrics.opened = Some(self.now.mono);
        remember(&mut self.reports.get_or_insert_default().clicked, id);
    }

    /// Whether the person who opened a notification sees what it is about: its conversation is
    /// open and nothing of it is missing.
    pub(crate) fn notice_opened(&mut self) {
        let is_whole = |id: &ConversationId| {
            self.places.get(id).is_some_and(|place| !place.has_gap() && place.stored >= place.head)
        };
        let is_fresh = self.state == State::OnlineFg && self.metrics.came.is_none();
        if self.metrics.opened.is_some() && is_fresh && self.app.open().is_some_and(is_whole) {
            let opened = self.metrics.opened.take();
            self.metrics.end(Metric::PushToOpen, opened, self.now.mono);
        }
    }

    /// Tells what there is to tell.
    pub(crate) fn report(&mut self) {
        let has_sums = self.report_until().is_some_and(|at| at <= self.now.mono);
        if self.is_logging_out || self.reports.is_none() && !has_sums {
            return;
        }
        let Reports { arrived, clicked, dismissed } = *self.reports.take().unwrap_or_default();
        let texts = |ids: Vec<NotificationId>| -> Vec<String> {
            ids.iter().map(|id| id.as_str().to_owned()).collect()
        };
        let (arrived, clicked, dismissed) = (texts(arrived), texts(clicked), texts(dismissed));
        let mut metrics = Vec::new();
        if has_sums {
            metrics = self.metrics.take();
            self.metrics.told_from = self.now.mono.after(defaults::METRICS_MS);
        }
        let report = body::Report { arrived, clicked, dismissed, metrics };
        self.send(&Packet::one_way(Kind::Report, Body::Report(report)));
    }

    /// When sums are to be told.
    pub(crate) fn report_until(&self) -> Option<Mono> {
        let waits = !self.metrics.is_empty() && !self.is_logging_out;
        waits.then_some(self.metrics.told_from)
    }
}
