//! What is posted, written down and told at the end of a run.

use nightjar_model::limits::FETCH_MAX;
use nightjar_model::{Measure, MessageId, Metric, Mono, NotificationId, WallMs, metric_bucket};

use super::{Alert, Fetch, FetchOutput, Ordered};
use crate::{LedgerOrder, MessageRow, Notification};

impl Fetch {
    pub(super) fn post(&mut self, alert: Alert, messages: Vec<MessageId>) {
        self.posting.push((alert.id().clone(), messages));
        self.outputs.push_back(FetchOutput::Post(Box::new(alert)));
    }

    pub(super) fn posted(&mut self, id: &NotificationId, is_posted: bool) {
        let Some(at) = self.posting.iter().position(|(posting, _)| posting == id) else { return };
        let (id, messages) = self.posting.remove(at);
        for message in &messages {
            let order = match is_posted {
                true => LedgerOrder::Posted(*message),
                false => LedgerOrder::NotPosted(*message),
            };
            self.order(order, Ordered::Rest);
        }
        // The server tells messages apart, whatever a summary of them is called here.
        let shown = messages.into_iter().map(NotificationId::message);
        self.surfaced.extend(shown.filter(|_| is_posted));
        debug_assert!(!self.posting.iter().any(|(other, _)| *other == id), "one post an id");
    }

    /// What is told comes before the end: afterwards the process may be frozen.
    pub(super) fn record(&mut self) {
        self.own_is_posted();
        if !self.messages.is_empty() {
            let messages = std::mem::take(&mut self.messages);
            self.order(LedgerOrder::Spool(messages, Vec::new()), Ordered::Rest);
        }
    }

    /// The push's own notification comes to the screen with the end of this run.
    pub(super) fn own_is_posted(&mut self) {
        if let (true, Some((id, _))) = (std::mem::take(&mut self.is_granted), &self.push.alert) {
            self.order(LedgerOrder::Posted(*id), Ordered::OwnPosted);
        }
    }

    pub(super) fn tell(&mut self) {
        let texts = |ids: &[NotificationId]| -> Vec<String> {
            let ids = ids.iter().take(FETCH_MAX);
            ids.map(|id| id.as_str().to_owned()).collect()
        };
        let arrived = self.push.alert.as_ref().map(|(id, _)| NotificationId::message(*id));
        let body = serde_json::json!({
            "surfaced": texts(&self.surfaced),
            "arrived": texts(arrived.as_slice()),
            "withdrawn": texts(&self.withdrawn),
        });
        self.outputs.push_back(FetchOutput::Tell("/v1/fetch/ack", body.to_string()));
    }

    pub(super) fn finish(&mut self, now: Mono) {
        self.own_is_posted();
        let took_ms = now.since(self.started.mono);
        let time = |metric, ms| Measure { metric, value: metric_bucket(ms), count: 1 };
        let mut measures = std::mem::take(&mut self.measures);
        measures.push(time(Metric::FetchDuration, took_ms));
        measures.extend(self.memory_kib.map(|kib| time(Metric::FetchMemory, kib)));
        measures.extend(self.result.map(|metric| Measure { metric, value: 0, count: 1 }));
        let wall_ms = self.started.wall.0.saturating_add(took_ms);
        let shown = self.surfaced.iter().filter_map(NotificationId::message_id);
        measures.extend(
            shown.map(|id| time(Metric::SurfacedLatency, wall_ms.saturating_sub(id.at().0))),
        );
        self.order(LedgerOrder::Spool(Vec::new(), measures), Ordered::Rest);
        self.outputs.push_back(FetchOutput::Done(self.content.clone()));
    }
}

pub(super) fn notification(message: &MessageRow, id: Option<NotificationId>) -> Notification {
    Notification {
        id: id.unwrap_or_else(|| NotificationId::message(message.message_id)),
        message_id: message.message_id,
        conversation: message.conversation.clone(),
        seq: message.seq,
        from: message.from.clone(),
        content: message.content.clone(),
        at: WallMs(message.at.0),
    }
}
