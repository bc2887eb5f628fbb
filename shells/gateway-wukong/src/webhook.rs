//! WuKongIM's webhooks, from the lanes' durable events: `msg.notify`, `msg.offline` and
//! `user.onlinestatus`, as back ends already take them.
//!
//! A batch of events is told before the next one: nothing is skipped, and a crash tells some again
//! under the same `webhook-id`. Only 200 is a success, as in the reference.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use http::StatusCode;
use nightjar_decider::Handle;
use nightjar_model::{Command, ConversationId, Entry, HistoryCommand, Reject, Reply, Seq, Uid};
use nightjar_webhooks::{Target, TargetError};
use nightjar_wkproto::SYSTEM_UID;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::http::message_view;
use crate::logins::Logins;

/// Messages exist.
const NOTIFY: &str = "msg.notify";
/// A message fell due for people who did not show it.
const OFFLINE: &str = "msg.offline";
/// Connections came or went.
const ONLINE: &str = "user.onlinestatus";
/// The name the lanes remember this receiver's place under.
const RECEIVER: &str = "wukong";
/// Events told in one go; as many messages stand in one `msg.notify`.
const BATCH: usize = 100;
/// Without a wake-up, events are looked for so often.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The first wait after a failure; each further one is twice as long.
const WAIT_FIRST: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(300);
/// What nobody takes for so long is passed over and said so in the log.
const GIVE_UP_AFTER: Duration = Duration::from_secs(24 * 3600);
/// Online states that are told at once; those of a longer outage are told too, the oldest first.
const STATES_AT_ONCE: usize = 1_000;

/// Where each event goes.
#[derive(Clone)]
pub struct Webhook {
    targets: [(&'static str, Target); 3],
}

impl Webhook {
    /// A back end's address; the event's name is added to its query. It may be on this machine or
    /// in a private network, where back ends are: the address is the operator's own.
    ///
    /// # Errors
    /// [`TargetError`] when it is no address.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        let mark = if url.contains('?') { '&' } else { '?' };
        let target = |event| Target::parse(&format!("{url}{mark}event={event}"), true);
        let [notify, offline, online] = [NOTIFY, OFFLINE, ONLINE];
        Ok(Self {
            targets: [
                (notify, target(notify)?),
                (offline, target(offline)?),
                (online, target(online)?),
            ],
        })
    }

    fn target(&self, event: &str) -> Option<Target> {
        let found = self.targets.iter().find(|(name, _)| *name == event);
        found.map(|(_, target)| target.clone())
    }
}

/// Tells a back end what happens.
pub(crate) struct Teller {
    pub(crate) handle: Handle,
    pub(crate) logins: Logins,
    pub(crate) webhook: Webhook,
}

/// One POST.
#[derive(Debug, Clone, PartialEq)]
struct Post {
    event: &'static str,
    /// The same for every attempt, also after a restart.
    id: String,
    body: Value,
}

#[derive(Deserialize)]
struct Frame {
    #[serde(rename = "type")]
    kind: String,
    data: Value,
}

/// Where the message of an event is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Place {
    conversation: String,
    seq: Seq,
    from: String,
}

impl Teller {
    /// Runs until the lanes end.
    pub(crate) async fn run(self, mut news: watch::Receiver<u64>) {
        let receiver = RECEIVER.to_owned();
        let cursor = self.handle.call(Command::EventCursor { receiver }).await;
        let Ok(Reply::EventCursor(mut taken)) = cursor else { return };
        loop {
            let states = self.logins.take_changes(STATES_AT_ONCE);
            let fetch = Command::Events { after: taken, limit: BATCH };
            let Ok(Reply::Events(events)) = self.handle.call(fetch).await else { return };
            let Ok(mut posts) = self.posts(&events).await else { return };
            if !states.is_empty() {
                let id = format!("onlinestatus_{}", self.handle.clock.now().wall.0);
                posts.push(Post { event: ONLINE, id, body: states.into() });
            }
            let is_idle = events.len() < BATCH;
            self.tell(posts).await;
            if let Some((last, _)) = events.last() {
                taken = *last;
                let receiver = RECEIVER.to_owned();
                let told = Command::EventsTaken { receiver, number: taken };
                if self.handle.call(told).await.is_err() {
                    return;
                }
            }
            if is_idle {
                tokio::select! {
                    _ = tokio::time::timeout(LOOK_EVERY, news.changed()) => {}
                    () = self.logins.changed() => {}
                }
            }
        }
    }

    /// What a batch of events is told as: the new messages together, and each message that fell
    /// due once, with everybody it fell due for.
    async fn posts(&self, events: &[(u64, String)]) -> Result<Vec<Post>, Reject> {
        let (mut notify, mut first) = (Vec::new(), None);
        let mut offline: BTreeMap<Place, (u64, Vec<String>)> = BTreeMap::new();
        for (number, json) in events {
            let Ok(Frame { kind, data }) = serde_json::from_str(json) else { continue };
            match kind.as_str() {
                "message.created" => {
                    if let Some(entry) = self.entry(&data).await? {
                        first.get_or_insert(*number);
                        notify.push(message_view(&entry, &entry.from));
                    }
                }
                "message.offline" => {
                    let Ok(place) = serde_json::from_value(data["message"].clone()) else {
                        continue;
                    };
                    let uids: Vec<String> =
                        serde_json::from_value(data["uids"].clone()).unwrap_or_default();
                    let people = uids.into_iter().filter(|uid| uid != SYSTEM_UID);
                    let due = offline.entry(place).or_insert((*number, Vec::new()));
                    due.1.extend(people);
                }
                _ => {}
            }
        }
        let mut posts = Vec::new();
        if let Some(number) = first {
            let body = notify.into();
            posts.push(Post { event: NOTIFY, id: format!("evt_{number}"), body });
        }
        for (place, (number, to_uids)) in offline {
            if to_uids.is_empty() {
                continue;
            }
            let Some(entry) = self.entry_at(&place).await? else { continue };
            let mut body = message_view(&entry, &entry.from);
            body["to_uids"] = to_uids.into();
            body["source_id"] = json!(1);
            posts.push(Post { event: OFFLINE, id: format!("evt_{number}"), body });
        }
        Ok(posts)
    }

    async fn entry(&self, message: &Value) -> Result<Option<std::sync::Arc<Entry>>, Reject> {
        match serde_json::from_value(message.clone()) {
            Ok(place) => self.entry_at(&place).await,
            Err(_) => Ok(None),
        }
    }

    /// The message itself, as its sender sees it: an event holds its content in another form.
    async fn entry_at(&self, place: &Place) -> Result<Option<std::sync::Arc<Entry>>, Reject> {
        let (Ok(viewer), Ok(conversation)) =
            (Uid::parse(&place.from), ConversationId::parse(&place.conversation))
        else {
            return Ok(None);
        };
        let after = Some(place.seq.saturating_sub(1));
        let history = HistoryCommand { conversation, after, before: None, limit: 1 };
        match self.handle.call(Command::HistoryAs { viewer, history }).await {
            Ok(Reply::History { entries, .. }) => {
                Ok(entries.into_iter().next().filter(|entry| entry.seq == place.seq))
            }
            Ok(_) | Err(Reject::UnknownConversation) => Ok(None),
            Err(reject) => Err(reject),
        }
    }

    /// Sends all of them at the same time, each until it is taken.
    async fn tell(&self, posts: Vec<Post>) {
        let mut under_way = JoinSet::new();
        for post in posts {
            if let Some(target) = self.webhook.target(post.event) {
                under_way.spawn(deliver(target, post));
            }
        }
        while under_way.join_next().await.is_some() {}
    }
}

async fn deliver(target: Target, post: Post) {
    let Post { event, id, body } = post;
    let text = body.to_string();
    let (since, mut wait) = (Instant::now(), WAIT_FIRST);
    loop {
        match target.post(&[("webhook-id", id.clone())], text.clone()).await {
            Ok(StatusCode::OK) => return,
            Ok(status) => tracing::warn!(%id, event, status = status.as_u16(), "not taken"),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(%id, event, error, "could not be sent");
            }
        }
        if since.elapsed() >= GIVE_UP_AFTER {
            tracing::error!(%id, event, "given up after 24 h");
            return;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(WAIT_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_apart_from_what_is_none() {
        for good in ["http://127.0.0.1:8090/hook", "https://example.com/hook?key=1"] {
            assert!(Webhook::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "example.com", "grpc://example.com"] {
            assert!(Webhook::parse(bad).is_err(), "{bad}");
        }
    }
}
