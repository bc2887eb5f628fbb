//! What the server answers to the look-up.

use std::sync::Arc;

use nightjar_model::limits::FETCH_MAX;
use nightjar_model::{Metric, Mono, NotificationId};
use nightjar_wire::body;
use serde::Deserialize;

use super::ending::notification;
use super::{Content, Fetch, FetchEvent, FetchState, Ordered, Quiet};
use crate::LedgerOrder;
use crate::inbox::read_message;

/// `GET /v1/fetch`, docs/push.md.
#[derive(Deserialize)]
struct FetchAnswer {
    messages: Vec<body::Message>,
    unread: u64,
    bv: u64,
    #[serde(default)]
    withdraw: Vec<String>,
}

impl Fetch {
    pub(super) fn answered(&mut self, status: u16, body: &[u8], now: Mono) {
        match self.state {
            FetchState::Fetching if status == 200 => match serde_json::from_slice(body) {
                Ok(answer) => self.fetched(answer, now),
                Err(_) => self.not_answered(now),
            },
            FetchState::Fetching if is_revoked(body) => {
                self.give_back();
                self.signed_out(now);
            }
            FetchState::Fetching => self.not_answered(now),
            FetchState::Telling => self.moved(FetchEvent::Told, now),
            _ => {}
        }
    }

    pub(super) fn not_answered(&mut self, now: Mono) {
        match self.state {
            FetchState::Fetching => {
                self.result.get_or_insert(Metric::FetchFallback);
                self.moved(FetchEvent::NotFetched, now);
            }
            FetchState::Telling => self.moved(FetchEvent::Told, now),
            _ => {}
        }
    }

    fn fetched(&mut self, answer: FetchAnswer, now: Mono) {
        self.result = Some(Metric::FetchFetched);
        let FetchAnswer { messages, unread, bv, withdraw } = answer;
        self.order(LedgerOrder::Badge { unread, bv }, Ordered::Badge);
        let withdraw = withdraw.iter().filter_map(|id| NotificationId::parse(id).ok()).collect();
        self.take_back(withdraw);
        let messages: Vec<_> =
            messages.into_iter().flat_map(read_message).take(FETCH_MAX).map(Arc::new).collect();
        let own = self.push.alert.as_ref().map(|(id, _)| *id);
        match messages.iter().find(|message| Some(message.message_id) == own) {
            None => self.no_alert(Quiet::NotOurs),
            Some(message) if !message.alert => self.no_alert(Quiet::Seen),
            Some(message) => {
                let id = self.push.alert.as_ref().map(|(_, nid)| nid.clone());
                self.content = Content::Show(Box::new(notification(message, id)));
            }
        }
        self.claim_others(&messages, own);
        self.messages = messages;
        self.moved(FetchEvent::Fetched, now);
    }

    /// The claim was granted, but the server knows better.
    fn no_alert(&mut self, why: Quiet) {
        self.content = Content::Quiet(why);
        self.give_back();
        if let (Quiet::Seen, Some((id, _))) = (why, &self.push.alert) {
            let id = NotificationId::message(*id);
            self.take_back(vec![id]);
        }
    }

    fn give_back(&mut self) {
        self.surfaced.clear();
        if let (true, Some((id, _))) = (std::mem::take(&mut self.is_granted), &self.push.alert) {
            let order = LedgerOrder::NotPosted(*id);
            self.order(order, Ordered::Rest);
        }
    }
}

/// The device signed out or was kicked.
fn is_revoked(body: &[u8]) -> bool {
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    json.is_some_and(|json| json["error"]["code"] == "token_revoked")
}
