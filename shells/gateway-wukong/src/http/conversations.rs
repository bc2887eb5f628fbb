//! Conversations: what a client lists, and how far its user read.

use std::collections::BTreeMap;

use axum::extract::State;
use bytes::Bytes;
use nightjar_model::{
    Command, ConversationId, ConversationSummary, Reject, Reply, Seq, Uid, limits,
};
use nightjar_wkproto::{Channel, SYSTEM_UID, person_channel_id};
use serde::Deserialize;
use serde_json::{Value, json};

use super::WukongApi;
use super::error::{Answer, Failure, bare, ok, read, unexpected};
use super::history::newest_of;
use super::view::message;

/// Conversations of one answer, as in the reference.
const CONVERSATIONS_MAX: usize = 1_000;
/// Newest messages of each.
const MESSAGES_MAX: usize = 100;
/// Conversations of one page when the caller names no number, and at most.
const PAGE_SIZE: usize = 100;
const PAGE_SIZE_MAX: usize = 500;

#[derive(Deserialize)]
struct SyncBody {
    uid: String,
    #[serde(default)]
    version: i64,
    #[serde(default)]
    last_msg_seqs: String,
    #[serde(default)]
    msg_count: usize,
    #[serde(default)]
    only_unread: u8,
    #[serde(default)]
    exclude_channel_types: Vec<u8>,
    #[serde(default)]
    page: usize,
    #[serde(default)]
    page_size: usize,
}

/// `POST /conversation/sync`.
pub(super) async fn sync(State(api): State<WukongApi>, body: Bytes) -> Answer {
    let body: SyncBody = read(&body)?;
    let uid = Uid::parse(&body.uid)?;
    let known = known(&body.last_msg_seqs)?;
    let mut items = Vec::new();
    for summary in list(&api, &uid).await? {
        let channel = Channel::of(&summary.conversation, &uid);
        let has = known.get(&channel).copied().unwrap_or(0);
        // Two conversations may have messages of one moment: what is as old as the version may
        // be news.
        let is_older = body.version > 0 && version(&summary) < body.version;
        let is_unwanted = summary.head_seq <= has
            || is_older && !known.contains_key(&channel)
            || body.exclude_channel_types.contains(&channel.kind)
            || is_hidden(&api, &uid, &summary).await?;
        if is_unwanted {
            continue;
        }
        items.extend(item(&api, &uid, summary, &channel, body.msg_count, has).await?);
    }
    if body.only_unread != 0 {
        items.retain(|item| item["unread"] != 0);
    }
    if body.page > 0 {
        let size = if body.page_size == 0 { PAGE_SIZE } else { body.page_size.min(PAGE_SIZE_MAX) };
        items = items.into_iter().skip((body.page - 1).saturating_mul(size)).take(size).collect();
    }
    bare(items)
}

/// What the client has: `chan:type:seq|chan:type:seq`.
fn known(text: &str) -> Result<BTreeMap<Channel, Seq>, Failure> {
    let parts = text.split('|').filter(|part| !part.is_empty());
    let read = |part: &str| {
        let (rest, seq) = part.rsplit_once(':')?;
        let (id, kind) = rest.rsplit_once(':')?;
        Some((Channel::new(id, kind.parse().ok()?), seq.parse().ok()?))
    };
    parts
        .map(|part| read(part).ok_or_else(|| Failure::bad("last_msg_seqs is no id:type:seq|…")))
        .collect()
}

/// Everything the user has, the newest first. The system's account is nobody to talk with.
async fn list(api: &WukongApi, uid: &Uid) -> Result<Vec<ConversationSummary>, Failure> {
    let mut all: Vec<ConversationSummary> = Vec::new();
    let mut since = None;
    while all.len() < CONVERSATIONS_MAX {
        let limit = limits::SYNC_PAGE_MAX;
        let command = Command::SyncAs { uid: uid.clone(), since, limit };
        let Reply::Sync(page) = api.call(command).await? else { return Err(unexpected()) };
        all.extend(page.conversations);
        if !page.more {
            break;
        }
        since = Some(page.next);
    }
    all.retain(|summary| summary.peer.as_ref().is_none_or(|peer| peer.as_str() != SYSTEM_UID));
    all.retain(|summary| summary.last.is_some());
    all.sort_by_key(|summary| std::cmp::Reverse(version(summary)));
    all.truncate(CONVERSATIONS_MAX);
    Ok(all)
}

/// The time of the newest message, ns.
fn version(summary: &ConversationSummary) -> i64 {
    let at = summary.last.as_ref().map_or(0, |last| last.at.0);
    i64::try_from(at).unwrap_or(i64::MAX).saturating_mul(1_000_000)
}

/// One conversation, its newest messages first; `None` without any.
async fn item(
    api: &WukongApi,
    uid: &Uid,
    mut summary: ConversationSummary,
    channel: &Channel,
    msg_count: usize,
    has: Seq,
) -> Result<Option<Value>, Failure> {
    let limit = msg_count.min(MESSAGES_MAX);
    if limit == 0 {
        return Ok(None);
    }
    let (newest, _) = newest_of(api, uid, &summary.conversation, limit).await?;
    let Some(last) = newest.last() else { return Ok(None) };
    // Who wrote has read what came before.
    let own = newest.iter().rev().find(|entry| entry.from == *uid && entry.is_countable());
    if let Some(own) = own.filter(|own| own.seq > summary.read_seq) {
        read_up_to(api, uid, &summary.conversation, own.seq).await?;
        summary.read_seq = own.seq;
        summary.unread = unread(api, uid, &summary.conversation).await?;
    }
    let recents: Vec<_> = newest
        .iter()
        .rev()
        .filter(|entry| entry.seq > has)
        .map(|entry| message(entry, uid))
        .collect();
    Ok(Some(json!({
        "channel_id": channel.id,
        "channel_type": channel.kind,
        "unread": summary.unread,
        "timestamp": last.at.0 / 1_000,
        "last_msg_seq": last.seq,
        "last_client_msg_no": last.client_msg_id.as_str(),
        "offset_msg_seq": 0,
        "readed_to_msg_seq": summary.read_seq,
        "version": version(&summary),
        "recents": recents,
    })))
}

async fn unread(api: &WukongApi, uid: &Uid, conversation: &ConversationId) -> Result<u64, Failure> {
    let Reply::Unread(view) = api.call(Command::Unread { uid: uid.clone() }).await? else {
        return Err(unexpected());
    };
    let found = view.conversations.into_iter().find(|(id, ..)| id == conversation);
    Ok(found.map_or(0, |(_, unread, _)| unread))
}

#[derive(Deserialize)]
struct ChannelsBody {
    uid: String,
    #[serde(default)]
    channels: Vec<ChannelName>,
    #[serde(default)]
    msg_count: usize,
}

#[derive(Deserialize)]
struct ChannelName {
    channel_id: String,
    channel_type: u8,
}

/// `POST /conversation/syncByChannels`.
pub(super) async fn sync_by_channels(State(api): State<WukongApi>, body: Bytes) -> Answer {
    let body: ChannelsBody = read(&body)?;
    let uid = Uid::parse(&body.uid)?;
    let mut wanted = BTreeMap::new();
    for ChannelName { channel_id, channel_type } in body.channels {
        let channel = Channel::new(channel_id, channel_type);
        wanted.insert(channel.conversation(&uid)?, channel);
    }
    let mut items = Vec::new();
    for summary in list(&api, &uid).await? {
        if let Some(channel) = wanted.get(&summary.conversation) {
            items.extend(item(&api, &uid, summary, channel, body.msg_count.max(1), 0).await?);
        }
    }
    bare(items)
}

/// `POST /conversation/channels`: person channels by the id of both.
pub(super) async fn channels(State(api): State<WukongApi>, body: Bytes) -> Answer {
    let body: ChannelsBody = read(&body)?;
    let uid = Uid::parse(&body.uid)?;
    let channels = list(&api, &uid).await?.into_iter().map(|summary| {
        let Channel { id, kind } = Channel::of(&summary.conversation, &uid);
        let id = if kind == 1 { person_channel_id(uid.as_str(), &id) } else { id };
        json!({"channel_id": id, "channel_type": kind})
    });
    bare(channels.collect::<Vec<_>>())
}

#[derive(Deserialize)]
struct ReadBody {
    uid: String,
    channel_id: String,
    channel_type: u8,
    #[serde(default)]
    unread: u64,
}

impl ReadBody {
    fn place(&self) -> Result<(Uid, ConversationId), Failure> {
        let uid = Uid::parse(&self.uid)?;
        let channel = Channel::new(self.channel_id.as_str(), self.channel_type);
        let conversation = channel.conversation(&uid)?;
        Ok((uid, conversation))
    }
}

/// `POST /conversations/clearUnread`.
pub(super) async fn clear_unread(State(api): State<WukongApi>, body: Bytes) -> Answer {
    let (uid, conversation) = read::<ReadBody>(&body)?.place()?;
    read_all_but(&api, &uid, &conversation, 0).await?;
    ok()
}

/// `POST /conversations/setUnread`: never marks as unread what was read.
pub(super) async fn set_unread(State(api): State<WukongApi>, body: Bytes) -> Answer {
    let body: ReadBody = read(&body)?;
    let (uid, conversation) = body.place()?;
    read_all_but(&api, &uid, &conversation, body.unread).await?;
    ok()
}

async fn read_all_but(
    api: &WukongApi,
    uid: &Uid,
    conversation: &ConversationId,
    unread: u64,
) -> Result<(), Failure> {
    let (_, head) = newest_of(api, uid, conversation, 1).await?;
    match head.saturating_sub(unread) {
        0 => Ok(()),
        seq => read_up_to(api, uid, conversation, seq).await,
    }
}

async fn read_up_to(
    api: &WukongApi,
    uid: &Uid,
    conversation: &ConversationId,
    seq: Seq,
) -> Result<(), Failure> {
    let (uid, conversation) = (uid.clone(), conversation.clone());
    match api.tell(Command::ReadAs { uid, conversation, seq }).await {
        Err(failure) if failure.is(Reject::UnknownConversation) => Ok(()),
        done => done,
    }
}

/// `POST /conversations/delete`: it is listed again with the next message.
pub(super) async fn delete(State(api): State<WukongApi>, body: Bytes) -> Answer {
    let (uid, conversation) = read::<ReadBody>(&body)?.place()?;
    let (_, head) = newest_of(&api, &uid, &conversation, 1).await?;
    read_up_to(&api, &uid, &conversation, head).await?;
    api.gateway.kept.put(hidden_key(&uid, &conversation), &head).await?;
    ok()
}

fn hidden_key(uid: &Uid, conversation: &ConversationId) -> String {
    format!("hidden/{uid}/{conversation}")
}

/// Whether the user deleted the conversation and nothing came since.
async fn is_hidden(
    api: &WukongApi,
    uid: &Uid,
    summary: &ConversationSummary,
) -> Result<bool, Failure> {
    let key = hidden_key(uid, &summary.conversation);
    let upto: Option<Seq> = api.gateway.kept.get(&key).await?;
    Ok(upto.is_some_and(|upto| summary.head_seq <= upto))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_has_is_read_from_the_right() {
        let read = known("u2:1:7|a:b:2:9|").unwrap();
        assert_eq!(read[&Channel::new("u2", 1)], 7);
        assert_eq!(read[&Channel::new("a:b", 2)], 9);
        assert!(known("").unwrap().is_empty());
        assert!(known("u2:1").is_err());
    }
}
