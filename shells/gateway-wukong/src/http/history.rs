//! Reading messages.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Query, State};
use bytes::Bytes;
use nightjar_model::{
    Command, ConversationId, Entry, HistoryCommand, Reject, Reply, Seq, Uid, limits,
};
use nightjar_wkproto::{Channel, MessageNumber};
use serde::Deserialize;
use serde_json::json;

use super::WukongApi;
use super::error::{Answer, Failure, bare, not_found, read, unexpected};
use super::view::message;

/// Messages of one answer.
const LIMIT_MAX: usize = 10_000;
/// Messages of one answer when the caller names no number.
const LIMIT: usize = 50;
/// Messages looked through for one by the sender's key.
const LOOKED_MAX: usize = 2_000;

#[derive(Deserialize)]
struct SyncBody {
    login_uid: String,
    channel_id: String,
    channel_type: u8,
    #[serde(default)]
    start_message_seq: Seq,
    #[serde(default)]
    end_message_seq: Seq,
    #[serde(default)]
    limit: usize,
    #[serde(default)]
    pull_mode: u8,
}

/// Which messages a page holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Page {
    after: Option<Seq>,
    before: Option<Seq>,
    /// From the upper end.
    newest: bool,
    limit: usize,
}

impl SyncBody {
    /// Down from `start`, both ends as the reference draws them; without either, the newest.
    fn page(&self) -> Page {
        let (start, end) = (self.start_message_seq, self.end_message_seq);
        let limit = if self.limit == 0 { LIMIT } else { self.limit.min(LIMIT_MAX) };
        match self.pull_mode {
            _ if start == 0 && end == 0 => Page { after: None, before: None, newest: true, limit },
            0 => Page {
                after: (end > 0).then_some(end),
                before: (start > 0).then_some(start.saturating_add(1)),
                newest: true,
                limit,
            },
            _ => Page {
                after: Some(start.saturating_sub(1)),
                before: (end > 0).then_some(end),
                newest: false,
                limit,
            },
        }
    }
}

/// `POST /channel/messagesync`.
pub(super) async fn sync(State(api): State<WukongApi>, body: Bytes) -> Answer {
    let body: SyncBody = read(&body)?;
    let (viewer, conversation) = place(&body.login_uid, &body.channel_id, body.channel_type)?;
    let page = body.page();
    let (entries, _) = entries(&api, &viewer, &conversation, page).await?;
    let edge = if page.newest { entries.first() } else { entries.last() };
    let end = body.end_message_seq;
    let is_at_end = end > 0 && edge.is_some_and(|entry| entry.seq == end);
    let more = entries.len() == page.limit && !is_at_end;
    let messages: Vec<_> = entries.iter().map(|entry| message(entry, &viewer)).collect();
    bare(json!({
        "start_message_seq": body.start_message_seq,
        "end_message_seq": end,
        "more": u8::from(more),
        "messages": messages,
    }))
}

fn place(
    login_uid: &str,
    channel_id: &str,
    channel_type: u8,
) -> Result<(Uid, ConversationId), Failure> {
    let viewer = Uid::parse(login_uid)?;
    let conversation = Channel::new(channel_id, channel_type).conversation(&viewer)?;
    Ok((viewer, conversation))
}

/// The newest `limit` messages of a conversation, ascending, and its newest place.
pub(super) async fn newest_of(
    api: &WukongApi,
    viewer: &Uid,
    conversation: &ConversationId,
    limit: usize,
) -> Result<(Vec<Arc<Entry>>, Seq), Failure> {
    let page = Page { after: None, before: None, newest: true, limit: limit.min(LIMIT_MAX) };
    entries(api, viewer, conversation, page).await
}

/// A page, ascending, and the newest place. Of what the viewer cannot see there is nothing.
async fn entries(
    api: &WukongApi,
    viewer: &Uid,
    conversation: &ConversationId,
    mut page: Page,
) -> Result<(Vec<Arc<Entry>>, Seq), Failure> {
    let mut found: Vec<Arc<Entry>> = Vec::new();
    let mut head = 0;
    while found.len() < page.limit {
        let limit = (page.limit - found.len()).min(limits::HISTORY_MAX);
        let history = HistoryCommand {
            conversation: conversation.clone(),
            after: page.after.filter(|_| !page.newest),
            before: page.before,
            limit,
        };
        let command = Command::HistoryAs { viewer: viewer.clone(), history };
        let (some, head_seq) = match api.gateway.handle.call(command).await {
            Ok(Reply::History { entries, head_seq }) => (entries, head_seq),
            Ok(_) => return Err(unexpected()),
            Err(Reject::UnknownConversation) => break,
            Err(reject) => return Err(reject.into()),
        };
        head = head_seq;
        let above = page.after.filter(|_| page.newest).unwrap_or(0);
        let is_last = some.len() < limit || some.iter().any(|entry| entry.seq <= above);
        let mut some: Vec<_> = some.into_iter().filter(|entry| entry.seq > above).collect();
        if page.newest {
            page.before = some.first().map(|entry| entry.seq);
            some.append(&mut found);
            found = some;
        } else {
            page.after = some.last().map(|entry| entry.seq).or(page.after);
            found.append(&mut some);
        }
        if is_last {
            break;
        }
    }
    Ok((found, head))
}

#[derive(Deserialize)]
struct SeveralBody {
    login_uid: String,
    channel_id: String,
    channel_type: u8,
    #[serde(default)]
    message_seqs: Vec<Seq>,
    #[serde(default)]
    message_ids: Vec<i64>,
    #[serde(default)]
    client_msg_nos: Vec<String>,
}

/// `POST /messages`.
pub(super) async fn several(State(api): State<WukongApi>, body: Bytes) -> Answer {
    let body: SeveralBody = read(&body)?;
    let (viewer, conversation) = place(&body.login_uid, &body.channel_id, body.channel_type)?;
    let asked = body.message_seqs.len() + body.message_ids.len() + body.client_msg_nos.len();
    if asked > limits::HISTORY_MAX {
        let max = limits::HISTORY_MAX;
        return Err(Failure::bad(format!("at most {max} messages can be asked for at a time")));
    }
    let mut found = Vec::new();
    for seq in body.message_seqs {
        found.extend(at(&api, &viewer, &conversation, seq).await?);
    }
    for id in body.message_ids {
        found.extend(by_number(&api, &viewer, &conversation, MessageNumber(id)).await?);
    }
    let names = body.client_msg_nos.into_iter().collect();
    found.extend(by_names(&api, &viewer, &conversation, &names).await?);
    let messages: Vec<_> = found.iter().map(|entry| message(entry, &viewer)).collect();
    bare(json!({
        "start_message_seq": 0, "end_message_seq": 0, "more": 0, "messages": messages,
    }))
}

#[derive(Deserialize)]
struct OneBody {
    login_uid: String,
    channel_id: String,
    channel_type: u8,
    message_id: Option<i64>,
    #[serde(default)]
    client_msg_no: String,
}

/// `POST /message`.
pub(super) async fn one(State(api): State<WukongApi>, body: Bytes) -> Answer {
    let body: OneBody = read(&body)?;
    let (viewer, conversation) = place(&body.login_uid, &body.channel_id, body.channel_type)?;
    let found = match body.message_id {
        Some(id) => by_number(&api, &viewer, &conversation, MessageNumber(id)).await?,
        None => {
            let names = [body.client_msg_no].into();
            by_names(&api, &viewer, &conversation, &names).await?.into_iter().next()
        }
    };
    found.map_or_else(not_found, |entry| bare(message(&entry, &viewer)))
}

#[derive(Deserialize)]
pub(super) struct ByNameQuery {
    channel_id: String,
    channel_type: u8,
    client_msg_no: String,
}

/// `GET /message/byclientmsgno`: a person channel by the id of both.
pub(super) async fn by_client_msg_no(
    State(api): State<WukongApi>,
    Query(query): Query<ByNameQuery>,
) -> Answer {
    let (viewer, channel_id) = match query.channel_id.split_once('@') {
        Some((one, other)) if query.channel_type == 1 => (one.to_owned(), other.to_owned()),
        _ if query.channel_type == 1 => {
            return Err(Failure::bad("a person channel is named by both uids, as A@B"));
        }
        _ => (member(&api, &query).await?, query.channel_id),
    };
    let (viewer, conversation) = place(&viewer, &channel_id, query.channel_type)?;
    let names = [query.client_msg_no].into();
    let found = by_names(&api, &viewer, &conversation, &names).await?.into_iter().next();
    found.map_or_else(not_found, |entry| bare(message(&entry, &viewer)))
}

/// Somebody who can see the group.
async fn member(api: &WukongApi, query: &ByNameQuery) -> Result<String, Failure> {
    let group = Channel::new(query.channel_id.as_str(), query.channel_type).group()?;
    match api.call(Command::Members { group, since: None }).await? {
        Reply::Members(page) => {
            let first = page.members.into_iter().next();
            first.map(|member| member.uid.to_string()).ok_or(Reject::UnknownGroup.into())
        }
        _ => Err(unexpected()),
    }
}

#[derive(Deserialize)]
pub(super) struct ChannelQuery {
    login_uid: String,
    channel_id: String,
    channel_type: u8,
}

/// `GET /channel/max_message_seq`.
pub(super) async fn newest_seq(
    State(api): State<WukongApi>,
    Query(query): Query<ChannelQuery>,
) -> Answer {
    let (viewer, conversation) = place(&query.login_uid, &query.channel_id, query.channel_type)?;
    let (_, head) = newest_of(&api, &viewer, &conversation, 1).await?;
    bare(json!({"message_seq": head}))
}

/// `GET /channel/last_message`.
pub(super) async fn newest(
    State(api): State<WukongApi>,
    Query(query): Query<ChannelQuery>,
) -> Answer {
    let (viewer, conversation) = place(&query.login_uid, &query.channel_id, query.channel_type)?;
    let (entries, _) = newest_of(&api, &viewer, &conversation, 1).await?;
    entries.first().map_or_else(not_found, |entry| bare(message(entry, &viewer)))
}

async fn at(
    api: &WukongApi,
    viewer: &Uid,
    conversation: &ConversationId,
    seq: Seq,
) -> Result<Option<Arc<Entry>>, Failure> {
    let before = Some(seq.saturating_add(1));
    let page = Page { after: None, before, newest: true, limit: 1 };
    let (found, _) = entries(api, viewer, conversation, page).await?;
    Ok(found.into_iter().next().filter(|entry| entry.seq == seq))
}

/// A message by its number. The number holds the message's time, and time never falls within a
/// conversation: halving finds where to look.
async fn by_number(
    api: &WukongApi,
    viewer: &Uid,
    conversation: &ConversationId,
    number: MessageNumber,
) -> Result<Option<Arc<Entry>>, Failure> {
    let (newest, head) = newest_of(api, viewer, conversation, 1).await?;
    let Some(newest) = newest.first() else { return Ok(None) };
    let (mut low, mut high) = (1, head.max(newest.seq));
    while low < high {
        let middle = low + (high - low) / 2;
        let page = Page { after: Some(middle - 1), before: None, newest: false, limit: 1 };
        let (found, _) = entries(api, viewer, conversation, page).await?;
        match found.first() {
            Some(entry) if entry.at < number.at() => low = entry.seq + 1,
            _ => high = middle,
        }
    }
    let page =
        Page { after: Some(low.saturating_sub(1)), before: None, newest: false, limit: LIMIT };
    let (found, _) = entries(api, viewer, conversation, page).await?;
    Ok(found.into_iter().find(|entry| MessageNumber::of(entry.message_id) == number))
}

/// Messages by their senders' keys, among the newest.
async fn by_names(
    api: &WukongApi,
    viewer: &Uid,
    conversation: &ConversationId,
    names: &BTreeSet<String>,
) -> Result<Vec<Arc<Entry>>, Failure> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let (found, _) = newest_of(api, viewer, conversation, LOOKED_MAX).await?;
    let is_named = |entry: &Arc<Entry>| names.contains(entry.client_msg_id.as_str());
    Ok(found.into_iter().filter(is_named).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(start: Seq, end: Seq, pull_mode: u8) -> Page {
        SyncBody {
            login_uid: "u".into(),
            channel_id: "c".into(),
            channel_type: 2,
            start_message_seq: start,
            end_message_seq: end,
            limit: 10,
            pull_mode,
        }
        .page()
    }

    #[test]
    fn pages_end_where_the_reference_ends_them() {
        let (newest, limit) = (true, 10);
        assert_eq!(page(0, 0, 1), Page { after: None, before: None, newest, limit });
        assert_eq!(page(20, 5, 0), Page { after: Some(5), before: Some(21), newest, limit });
        assert_eq!(page(20, 0, 0), Page { after: None, before: Some(21), newest, limit });
        let newest = false;
        assert_eq!(page(20, 30, 1), Page { after: Some(19), before: Some(30), newest, limit });
        assert_eq!(page(20, 0, 1), Page { after: Some(19), before: None, newest, limit });
    }
}
