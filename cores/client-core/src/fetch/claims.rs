//! Who may alert: the push's own message, and those before it that a provider may have dropped.

use std::sync::Arc;

use nightjar_model::{MessageId, Metric, Mono, NotificationId, Now};

use super::ending::notification;
use super::{Alert, Fetch, FetchEvent, FetchOutput, Ordered, Quiet};
use crate::{Claim, LedgerOrder, MessageRow, Poster, Verdict, defaults};

impl Fetch {
    pub(super) fn claim_own(&mut self, now: Now) {
        let Some((message_id, notification)) = self.push.alert.clone() else {
            return self.refused(Quiet::NothingToShow, now.mono);
        };
        if self.push.expires_at.is_some_and(|at| at <= now.wall) {
            return self.refused(Quiet::Expired, now.mono);
        }
        let claim = Claim {
            message_id,
            notification: notification.clone(),
            conversation: self.push.conversation.clone(),
            seq: self.push.seq,
            by: Poster::Extension,
        };
        self.order(LedgerOrder::Claim(Box::new(claim)), Ordered::Own(message_id, notification));
    }

    pub(super) fn claimed(
        &mut self,
        id: MessageId,
        nid: &NotificationId,
        verdict: Verdict,
        since: Option<u64>,
        now: Mono,
    ) {
        match verdict {
            Verdict::Granted => {
                self.is_granted = true;
                self.surfaced.push(nid.clone());
                self.moved(FetchEvent::Granted, now);
                let since = since.map(|seq| format!("&since={seq}")).unwrap_or_default();
                self.outputs.push_back(FetchOutput::Get(format!("/v1/fetch?ids={id}{since}")));
            }
            Verdict::Taken(by) | Verdict::Shown(by) => {
                self.result = Some(Metric::FetchDuplicate);
                self.refused(Quiet::Taken(by), now);
            }
            Verdict::Withdrawn => self.refused(Quiet::Withdrawn, now),
            Verdict::Seen => self.refused(Quiet::Seen, now),
        }
    }

    /// Providers may drop all pushes but the newest, so what came before it is alerted of, too.
    pub(super) fn claim_others(&mut self, messages: &[Arc<MessageRow>], own: Option<MessageId>) {
        let others: Vec<_> = messages
            .iter()
            .filter(|message| message.alert && Some(message.message_id) != own)
            .collect();
        let is_many = others.len() > defaults::FETCH_POSTS_MAX;
        for message in others {
            let notification = match is_many {
                true => NotificationId::conversation(&message.conversation),
                false => NotificationId::message(message.message_id),
            };
            let claim = Claim {
                message_id: message.message_id,
                notification: notification.clone(),
                conversation: message.conversation.clone(),
                seq: message.seq,
                by: Poster::Extension,
            };
            let why = Ordered::Other(message.clone(), notification);
            self.order(LedgerOrder::Claim(Box::new(claim)), why);
        }
    }

    pub(super) fn claimed_other(
        &mut self,
        message: &MessageRow,
        nid: NotificationId,
        is_granted: bool,
    ) {
        let is_alone = nid.message_id().is_some();
        if is_granted && is_alone {
            let alert = Alert::Message(notification(message, None));
            self.post(alert, vec![message.message_id]);
        } else if is_granted {
            self.summed_up.push(message.message_id);
        }
        let is_last = !self.ordered.iter().any(|ordered| matches!(ordered, Ordered::Other(..)));
        if is_last && !self.summed_up.is_empty() {
            let conversation = self.push.conversation.clone();
            let summed_up = std::mem::take(&mut self.summed_up);
            let messages = summed_up.len();
            self.post(Alert::Summary { id: nid, conversation, messages }, summed_up);
        }
    }
}
