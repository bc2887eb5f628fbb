//! The lanes of a server as bob's phone can tell them apart, behind a real session.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use nightjar_model::{
    AckItem, AppStateReport, Backlog, ByeReason, ClientMsgId, Command, ContactAction, ContactState,
    ContactView, ConversationId, ConversationKind, ConversationSummary, Delivery, Entry, EntryKind,
    HelloReply, HistoryCommand, Measure, MessageId, Notice, NotificationId, Now, Reject, Removed,
    Reply, ReportCommand, SendCommand, SentReply, Seq, SharedPackets, SyncReply, Target, Uid,
    WallMs,
};
use nightjar_session::{Claims, Form, Frame, Input, Output, Session, SessionConfig};

use super::disk::{ListKey, key_and_version};
use super::play::{group, uid};
use crate::Listed;

/// Every eleventh entry is not bob's to see.
pub(super) fn is_hidden(seq: Seq) -> bool {
    seq % 11 == 5
}

/// Every seventh was handed a push before it is delivered.
pub(super) fn is_pushed(seq: Seq) -> bool {
    seq.is_multiple_of(7)
}

#[derive(Debug, Default)]
pub(super) struct Cursor {
    pub(super) stored: Seq,
    pub(super) surfaced: Seq,
}

#[derive(Debug, Default)]
pub(super) struct Server {
    pub(super) log: BTreeMap<ConversationId, Vec<Arc<Entry>>>,
    sent: BTreeMap<ClientMsgId, SentReply>,
    pub(super) cursors: BTreeMap<ConversationId, Cursor>,
    /// Where bob's phone started; `None` before its first hello.
    pub(super) starts: Option<BTreeMap<ConversationId, Seq>>,
    pub(super) read: BTreeMap<ConversationId, Seq>,
    pub(super) bv: u64,
    versions: BTreeMap<ConversationId, u64>,
    /// What is listed besides conversations, each with its version, or gone.
    listed: BTreeMap<ListKey, (u64, Listed)>,
    /// Versions up to here are forgotten: tokens that are older are too old.
    pub(super) forgotten: u64,
    /// No token is good enough.
    pub(super) refuses_tokens: bool,
    /// Whole lists that were begun.
    pub(super) lists: u32,
    /// A page of the lists has at most so many items.
    pub(super) page_max: Option<usize>,
    pub(super) owed_withdrawals: BTreeSet<NotificationId>,
    resume: Option<String>,
    pub(super) session: Option<Session>,
    /// So many commands are refused as busy.
    pub(super) busy: u32,
    /// Messages are refused so.
    pub(super) refuses: Option<Reject>,
    /// Messages are not answered; how many were not.
    pub(super) is_deaf: bool,
    pub(super) unheard: u32,
    /// What was acknowledged since the stage last looked.
    pub(super) acks: Vec<AckItem>,
    pub(super) app_states: Vec<AppStateReport>,
    pub(super) reports: ReportCommand,
    pub(super) measured: Vec<Measure>,
    pub(super) to_client: VecDeque<Bytes>,
    pub(super) is_closing: bool,
}

impl Server {
    pub(super) fn accept(&mut self, now: Now) {
        self.to_client.clear();
        self.is_closing = false;
        self.session = Some(Session::new(Form::Binary, &SessionConfig::default(), now.mono));
    }

    pub(super) fn handle(&mut self, input: Input<'_>, now: Now) {
        let Some(mut session) = self.session.take() else { return };
        session.handle(input, now);
        while let Some(output) = session.poll() {
            match output {
                Output::Send(Frame::Binary(bytes)) => self.to_client.push_back(bytes),
                Output::Send(Frame::Text(text)) => panic!("{text}"),
                Output::Verify { token, .. } => {
                    let claims = Claims {
                        uid: uid("bob"),
                        device_id: None,
                        issued_at: WallMs(0),
                        push_token: None,
                    };
                    let good = (token.expose() == "good").then_some(claims);
                    session.handle(Input::Verified(good.ok_or(Reject::TokenExpired)), now);
                }
                Output::Command(_, Command::Send(_)) if self.is_deaf => self.unheard += 1,
                Output::Command(id, command) => {
                    let (reply, notice) = self.decide(command, now);
                    session.handle(Input::Reply(id, reply), now);
                    if let Some(notice) = notice {
                        session.handle(Input::Notice(notice), now);
                    }
                }
                Output::Measured(_, measures) => self.measured.extend(measures),
                Output::Close { .. } => self.is_closing = true,
            }
        }
        self.session = Some(session);
    }

    fn decide(&mut self, command: Command, now: Now) -> (Result<Reply, Reject>, Option<Notice>) {
        let may_refuse = matches!(
            command,
            Command::Send(_) | Command::Read { .. } | Command::Sync { .. } | Command::History(_)
        );
        if may_refuse && self.busy > 0 {
            self.busy -= 1;
            return (Err(Reject::Busy), None);
        }
        let reply = match command {
            Command::Hello(hello) => {
                self.app_states.push(hello.state);
                Ok(self.hello(hello.resume))
            }
            Command::Send(_) if let Some(reject) = self.refuses => Err(reject),
            Command::Send(send) => return (Ok(self.send(*send, now)), None),
            Command::Ack(items) => Ok(self.ack(items)),
            Command::Read { conversation, seq } => Ok(self.read(&conversation, seq)),
            Command::Sync { since, limit } => self.sync(since, limit),
            Command::Contact { uid, action } => self.contact(uid, action),
            Command::History(asked) => Ok(self.history(&asked)),
            Command::Pull { conversation, after, limit } => {
                let entries = self.visible(&conversation, after, Seq::MAX);
                let deliveries = entries.take(limit).map(delivery).collect();
                let head_seq = self.head(&conversation);
                Ok(Reply::Pulled { conversation, deliveries, head_seq })
            }
            Command::Withdrawn(ids) => {
                self.owed_withdrawals.retain(|id| !ids.contains(id));
                Ok(Reply::Done)
            }
            Command::Report(report) => {
                self.reports.clicked.extend(report.clicked);
                self.reports.dismissed.extend(report.dismissed);
                Ok(Reply::Done)
            }
            Command::AppState(report) => {
                self.app_states.push(report);
                Ok(Reply::Done)
            }
            Command::Recall { conversation, seq } => {
                let content = format!(r#"{{"type":"recall","target":{seq}}}"#);
                Ok(Reply::Seq(self.append(&conversation, "bob", "recall", &content, now)))
            }
            _ => Ok(Reply::Done),
        };
        (reply, None)
    }

    /// What bob's phone said last about its screen.
    pub(super) fn is_foreground(&self) -> bool {
        matches!(self.app_states.last(), Some(AppStateReport::Foreground { .. }))
    }

    pub(super) fn head(&self, conversation: &ConversationId) -> Seq {
        self.log.get(conversation).map_or(0, |log| log.len() as Seq)
    }

    /// An entry at the end; answers its place.
    pub(super) fn append(
        &mut self,
        conversation: &ConversationId,
        from: &str,
        client_msg_id: &str,
        content: &str,
        now: Now,
    ) -> Seq {
        let log = self.log.entry(conversation.clone()).or_default();
        let seq = log.len() as Seq + 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&seq.to_be_bytes());
        id[8..].copy_from_slice(&fold(conversation.as_str()).to_be_bytes());
        log.push(Arc::new(Entry {
            conversation: conversation.clone(),
            seq,
            message_id: MessageId::from_bytes(id),
            from: uid(from),
            client_msg_id: ClientMsgId::parse(client_msg_id).unwrap(),
            at: now.wall,
            kind: EntryKind::Message,
            ordinal: seq,
            own_ordinal: 0,
            content: Bytes::copy_from_slice(content.as_bytes()),
            sealed: false,
            recalled: false,
            push: None,
            expires_at: None,
        }));
        self.bv += 1;
        self.versions.insert(conversation.clone(), self.bv);
        seq
    }

    /// Alice writes, and bob's session is woken.
    pub(super) fn alice_writes(&mut self, conversation: &ConversationId, now: Now) -> Seq {
        let seq = self.head(conversation) + 1;
        self.alice_says(conversation, &format!(r#"{{"type":"text","text":"{seq}"}}"#), now)
    }

    /// Alice's device or the server in her name adds this entry.
    pub(super) fn alice_says(
        &mut self,
        conversation: &ConversationId,
        content: &str,
        now: Now,
    ) -> Seq {
        let seq = self.head(conversation) + 1;
        self.append(conversation, "alice", &format!("a{seq}"), content, now);
        if !is_hidden(seq) {
            let entry = self.log[conversation][seq as usize - 1].clone();
            self.handle(Input::Notice(Notice::Wake(delivery(&entry))), now);
        }
        seq
    }

    /// Bob read on another device.
    pub(super) fn read_elsewhere(&mut self, conversation: &ConversationId, seq: Seq, now: Now) {
        self.read(conversation, seq);
        let (conversation, unread, bv) = (conversation.clone(), self.unread(), self.bv);
        self.handle(Input::Notice(Notice::ReadMarker { conversation, seq, unread, bv }), now);
    }

    pub(super) fn withdraw(&mut self, id: NotificationId, now: Now) {
        self.owed_withdrawals.insert(id.clone());
        self.handle(Input::Notice(Notice::Withdraw(vec![id])), now);
    }

    /// The next hello does not resume.
    pub(super) fn forget_session(&mut self) {
        self.resume = None;
    }

    pub(super) fn says_bye(&mut self, reason: ByeReason, now: Now) {
        self.handle(Input::Notice(Notice::Bye { reason, text: None }), now);
    }

    pub(super) fn unread_of(&self, conversation: &ConversationId) -> u64 {
        let read = self.read.get(conversation).copied().unwrap_or(0);
        let is_counted = |entry: &&Arc<Entry>| entry.from != uid("bob") && is_text(entry);
        self.visible(conversation, read, Seq::MAX).filter(is_counted).count() as u64
    }

    pub(super) fn unread(&self) -> u64 {
        self.log.keys().map(|conversation| self.unread_of(conversation)).sum()
    }

    /// What bob may see between two places, both exclusive.
    pub(super) fn visible(
        &self,
        conversation: &ConversationId,
        after: Seq,
        before: Seq,
    ) -> impl DoubleEndedIterator<Item = &Arc<Entry>> {
        let log = self.log.get(conversation).into_iter().flatten();
        log.filter(move |entry| entry.seq > after && entry.seq < before && !is_hidden(entry.seq))
    }

    fn hello(&mut self, resume: Option<String>) -> Reply {
        let heads: Vec<(ConversationId, Seq)> =
            self.log.iter().map(|(id, log)| (id.clone(), log.len() as Seq)).collect();
        if self.starts.is_none() {
            // What is hidden right above a start is nothing to wait for.
            let past_hidden = |head: Seq| head + Seq::from(is_hidden(head + 1));
            let starts: BTreeMap<_, _> =
                heads.iter().map(|(id, head)| (id.clone(), past_hidden(*head))).collect();
            for (id, start) in &starts {
                self.cursors.insert(id.clone(), Cursor { stored: *start, surfaced: *start });
            }
            self.starts = Some(starts);
        }
        let backlog = heads
            .into_iter()
            .filter_map(|(conversation, head)| {
                let cursor = self.cursors.entry(conversation.clone()).or_default();
                let (stored, surfaced) = (cursor.stored, cursor.surfaced);
                (stored.min(surfaced) < head).then_some(Backlog {
                    conversation,
                    stored,
                    surfaced,
                    head,
                })
            })
            .collect();
        let resumed = resume.is_some() && resume == self.resume;
        let resume = format!("r{}", self.bv);
        self.resume = Some(resume.clone());
        Reply::Hello(Box::new(HelloReply {
            uid: uid("bob"),
            session: "s".into(),
            resume,
            resumed,
            unread: self.unread(),
            bv: self.bv,
            backlog,
            withdraw: self.owed_withdrawals.iter().cloned().collect(),
        }))
    }

    fn send(&mut self, send: SendCommand, now: Now) -> Reply {
        if let Some(first) = self.sent.get(&send.client_msg_id) {
            return Reply::Sent(SentReply { duplicate: true, ..first.clone() });
        }
        let conversation = match &send.to {
            Target::User(user) => ConversationId::direct(user, &uid("bob")),
            Target::Group(id) => ConversationId::group(id),
        };
        let text = String::from_utf8(send.content.to_vec()).unwrap();
        let mut seq = self.head(&conversation) + 1;
        if is_hidden(seq) {
            // What bob writes himself he sees.
            self.alice_writes(&conversation, now);
            seq += 1;
        }
        let id = send.client_msg_id.as_str();
        assert_eq!(self.append(&conversation, "bob", id, &text, now), seq);
        let message_id = self.log[&conversation][seq as usize - 1].message_id;
        let reply = SentReply { message_id, conversation, seq, at: now.wall, duplicate: false };
        self.sent.insert(send.client_msg_id, reply.clone());
        Reply::Sent(reply)
    }

    fn ack(&mut self, items: Vec<AckItem>) -> Reply {
        for item in &items {
            let cursor = self.cursors.entry(item.conversation.clone()).or_default();
            cursor.stored = cursor.stored.max(item.stored);
            cursor.surfaced = cursor.surfaced.max(item.surfaced);
        }
        self.acks.extend(items);
        Reply::Done
    }

    fn read(&mut self, conversation: &ConversationId, seq: Seq) -> Reply {
        let seq = seq.min(self.head(conversation));
        let read = self.read.entry(conversation.clone()).or_default();
        if seq > *read {
            *read = seq;
            self.bv += 1;
            self.versions.insert(conversation.clone(), self.bv);
        }
        Reply::Badge { unread: self.unread(), bv: self.bv }
    }

    fn sync(&mut self, since: Option<String>, limit: usize) -> Result<Reply, Reject> {
        // In the middle of a list the token also says what was forgotten at its beginning.
        let parse = |text: &str| text.parse::<u64>().map_err(|_| Reject::BadRequest);
        let (since, base) = match since.as_deref().map(|token| token.split_once('.')) {
            Some(Some((next, base))) => (Some(parse(next)?), parse(base)?),
            Some(None) => (since.as_deref().map(parse).transpose()?, 0),
            None => (None, self.forgotten),
        };
        self.lists += u32::from(since.is_none());
        if since.is_some_and(|since| self.refuses_tokens || since.max(base) < self.forgotten) {
            return Err(Reject::TooOld);
        }
        let (point, limit) = (since.unwrap_or(0), self.page_max.unwrap_or(limit));
        let places = self.versions.iter().map(|(id, version)| (*version, Err(id)));
        let items = self.listed.values().map(|(version, item)| (*version, Ok(item)));
        let mut changed: Vec<_> = places.chain(items).filter(|(at, _)| *at > point).collect();
        changed.sort_by_key(|(version, _)| *version);
        let more = changed.len() > limit;
        changed.truncate(limit);
        let next = changed.last().map_or(point, |(version, _)| *version);
        let next =
            if more { format!("{next}.{base}") } else { next.max(self.forgotten).to_string() };
        let mut reply = SyncReply { next, more, ..SyncReply::default() };
        for (_, changed) in changed {
            match changed {
                Err(id) => reply.conversations.push(self.summary(id)),
                Ok(Listed::Contact(it)) => reply.contacts.push(it.clone()),
                Ok(Listed::Group(it)) => reply.groups.push(it.clone()),
                Ok(Listed::Profile(it)) => reply.profiles.push(it.clone()),
                Ok(Listed::Removed(it)) if since.is_some() => reply.removed.push(it.clone()),
                Ok(Listed::Removed(_)) => {}
            }
        }
        Ok(Reply::Sync(Box::new(reply)))
    }

    /// Something is listed, or changed, at the next version.
    pub(super) fn list(&mut self, item: impl FnOnce(u64) -> Listed) {
        self.bv += 1;
        let item = item(self.bv);
        self.listed.insert(key_and_version(&item).0, (self.bv, item));
    }

    /// Somebody is this to bob, and changes it.
    pub(super) fn contact_is(&mut self, name: &str, state: ContactState) -> ContactView {
        let view = |ver| ContactView { uid: uid(name), state, blocked: false, ver };
        self.list(|ver| match state {
            ContactState::None => Listed::Removed(Removed::Contact { uid: uid(name), ver }),
            _ => Listed::Contact(view(ver)),
        });
        view(self.bv)
    }

    /// A contact is no more, so long ago that nobody is told.
    pub(super) fn forget_contact(&mut self, name: &str) {
        self.contact_is(name, ContactState::None);
        self.listed.remove(&("contact", name.to_owned()));
        self.forgotten = self.bv;
    }

    /// The conversation is not listed any more.
    pub(super) fn forget_conversation(&mut self, conversation: &ConversationId) {
        self.versions.remove(conversation);
        self.log.remove(conversation);
    }

    /// Another life of the server: the same lists from here on count from the beginning.
    pub(super) fn begins_anew(&mut self) {
        let forgotten = self.bv + 1_000;
        *self = Self { forgotten, log: std::mem::take(&mut self.log), ..Self::default() };
    }

    fn contact(&mut self, uid: Uid, action: ContactAction) -> Result<Reply, Reject> {
        let state = match action {
            ContactAction::Request => ContactState::Requested,
            ContactAction::Remove => ContactState::None,
            _ => return Err(Reject::NotAsked),
        };
        Ok(Reply::Contact(self.contact_is(uid.as_str(), state)))
    }

    fn summary(&self, id: &ConversationId) -> ConversationSummary {
        ConversationSummary {
            conversation: id.clone(),
            kind: id.kind().unwrap_or(ConversationKind::Group),
            peer: None,
            name: None,
            head_seq: self.head(id),
            read_seq: self.read.get(id).copied().unwrap_or(0),
            unread: self.unread_of(id),
            mentions: 0,
            last: self.visible(id, 0, Seq::MAX).last().cloned(),
        }
    }

    fn history(&self, asked: &HistoryCommand) -> Reply {
        let (after, before) = (asked.after.unwrap_or(0), asked.before.unwrap_or(Seq::MAX));
        let entries = self.visible(&asked.conversation, after, before).cloned();
        let entries: Vec<_> = match asked.after {
            Some(_) => entries.take(asked.limit).collect(),
            None => {
                let mut newest: Vec<_> = entries.rev().take(asked.limit).collect();
                newest.reverse();
                newest
            }
        };
        Reply::History { entries, head_seq: self.head(&asked.conversation) }
    }
}

/// The places of the play.
pub(super) fn conversations() -> [(Target, ConversationId); 2] {
    let (alice, owls) = (uid("alice"), group("owls"));
    let direct = ConversationId::direct(&alice, &uid("bob"));
    let in_group = ConversationId::group(&owls);
    [(Target::User(alice), direct), (Target::Group(owls), in_group)]
}

fn delivery(entry: &Arc<Entry>) -> Delivery {
    let alert = entry.from != uid("bob") && is_text(entry);
    let packets = SharedPackets::default();
    Delivery { entry: entry.clone(), alert, pushed: is_pushed(entry.seq), packets }
}

/// Whether people wrote it.
pub(super) fn is_text(entry: &Entry) -> bool {
    entry.content.starts_with(br#"{"type":"text"#)
}

fn fold(text: &str) -> u64 {
    text.bytes().fold(7, |hash, byte| hash * 31 + u64::from(byte))
}

/// Bob's uid is used by name only.
pub(super) fn nid_of(entry: &Entry) -> NotificationId {
    NotificationId::message(entry.message_id)
}

pub(super) fn is_bob(from: &Uid) -> bool {
    *from == uid("bob")
}
