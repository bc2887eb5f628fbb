//! A conversation's lane: the log, its order, its members.

mod members;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use nightjar_model::sabotage::Sabotage;
use nightjar_model::{
    ClientMsgId, ConversationId, ConversationKind, Entry, EntryKind, GroupId, Lane, MessageId, Now,
    PushSpec, Reject, Seq, Uid, WallMs, limits,
};

use crate::keys::Scan;
use crate::read;
use crate::rows::{
    AmendedRow, ConversationRow, MemberRow, MessageRow, OwnRow, RecalledRow, Row, SentRow,
};
use crate::stop::Stop;
use crate::store::{Missing, Rows, Write};

/// Newest entries kept at hand: live delivery and the push decision rarely need an older one.
const TAIL_MAX: usize = 64;

/// A conversation and its members, loaded once and kept while it is used.
#[derive(Debug)]
pub struct Conversation {
    row: ConversationRow,
    members: BTreeMap<Uid, MemberRow>,
    lanes: BTreeMap<Lane, BTreeSet<Uid>>,
    own: BTreeMap<Uid, u64>,
    tail: VecDeque<Arc<Entry>>,
}

/// What a sender wants to add to a log.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The sender's idempotency key.
    pub client_msg_id: ClientMsgId,
    /// The bytes that came.
    pub content: Bytes,
    /// Encrypted for the members.
    pub sealed: bool,
    /// What the sender asks of the push.
    pub push: Option<Box<PushSpec>>,
    /// From then on nobody needs to be told.
    pub expires_at: Option<WallMs>,
}

/// An entry and every row to write with it, in one commit.
#[derive(Debug)]
pub struct Accepted {
    /// The new entry.
    pub entry: Arc<Entry>,
    /// The rows.
    pub writes: Vec<Write>,
}

impl Conversation {
    /// A direct conversation nobody wrote in yet.
    #[must_use]
    pub fn direct(id: &ConversationId, peers: (Uid, Uid)) -> Self {
        let mut conversation = Self::empty(id, ConversationKind::Direct, None, None);
        for uid in [peers.0, peers.1] {
            conversation.index(&uid);
        }
        conversation
    }

    fn empty(
        id: &ConversationId,
        kind: ConversationKind,
        name: Option<String>,
        owner: Option<Uid>,
    ) -> Self {
        let row = ConversationRow {
            conversation: id.clone(),
            kind,
            name,
            owner,
            head: 0,
            floor: 0,
            ordinal: 0,
            last_at: WallMs(0),
        };
        Self {
            row,
            members: BTreeMap::new(),
            lanes: BTreeMap::new(),
            own: BTreeMap::new(),
            tail: VecDeque::new(),
        }
    }

    /// Loads a conversation; a direct one exists as soon as its id can be read.
    ///
    /// # Errors
    /// [`Missing`] when rows are not at hand.
    pub fn load(rows: &dyn Rows, id: &ConversationId) -> Result<Option<Self>, Missing> {
        let stored = read::conversation(rows, id)?;
        if let Some(peers) = id.peers() {
            let mut conversation = Self::direct(id, peers);
            if let Some(row) = stored {
                conversation.row = row;
            }
            return Ok(Some(conversation));
        }
        let Some(row) = stored else { return Ok(None) };
        let mut conversation = Self::empty(id, row.kind, None, None);
        conversation.row = row;
        for row in rows.scan(&Scan::Members(id.clone()))? {
            if let Row::Member(member) = row {
                if member.left.is_none() {
                    conversation.index(&member.uid);
                }
                conversation.members.insert(member.uid.clone(), member);
            }
        }
        Ok(Some(conversation))
    }

    fn index(&mut self, uid: &Uid) {
        self.lanes.entry(Lane::of_user(uid)).or_default().insert(uid.clone());
    }

    /// The stored head.
    #[must_use]
    pub fn row(&self) -> &ConversationRow {
        &self.row
    }

    /// The newest place.
    #[must_use]
    pub fn head(&self) -> Seq {
        self.row.head
    }

    /// User lanes that have members.
    pub fn lanes(&self) -> impl Iterator<Item = Lane> + '_ {
        self.lanes.keys().copied()
    }

    /// Members in one user lane.
    pub fn members_in(&self, lane: Lane) -> impl Iterator<Item = &Uid> + '_ {
        self.lanes.get(&lane).into_iter().flatten()
    }

    /// All members.
    pub fn members(&self) -> impl Iterator<Item = &Uid> + '_ {
        self.lanes.values().flatten()
    }

    /// How many members there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.lanes.values().map(|uids| uids.len()).sum()
    }

    /// Whether the user is a member now.
    #[must_use]
    pub fn is_member(&self, uid: &Uid) -> bool {
        self.lanes.get(&Lane::of_user(uid)).is_some_and(|uids| uids.contains(uid))
    }

    /// What the user may see: places above the first and up to the second; `None` for a stranger.
    #[must_use]
    pub fn visible(&self, uid: &Uid) -> Option<(Seq, Seq)> {
        match self.row.kind {
            ConversationKind::Direct => self.is_member(uid).then_some((0, Seq::MAX)),
            ConversationKind::Group | ConversationKind::Room => {
                let member = self.members.get(uid)?;
                Some((member.joined, member.left.unwrap_or(Seq::MAX)))
            }
        }
    }

    /// The stored membership of a group's member, past ones included.
    #[must_use]
    pub fn membership(&self, uid: &Uid) -> Option<&MemberRow> {
        self.members.get(uid)
    }

    /// The other user of a direct conversation.
    #[must_use]
    pub fn peer_of(&self, uid: &Uid) -> Option<Uid> {
        let (low, high) = self.row.conversation.peers()?;
        Some(if low == *uid { high } else { low })
    }

    /// The entry at a place, from the tail or the store.
    ///
    /// # Errors
    /// [`Missing`] when the row is not at hand.
    pub fn entry(&self, rows: &dyn Rows, seq: Seq) -> Result<Option<Arc<Entry>>, Missing> {
        match self.tail.front() {
            Some(first) if seq >= first.seq => {
                Ok(self.tail.get((seq - first.seq) as usize).cloned())
            }
            _ => read::entry(rows, &self.row.conversation, seq),
        }
    }

    /// Entries above a place, ascending.
    ///
    /// # Errors
    /// [`Missing`] when rows are not at hand.
    pub fn entries_after(
        &self,
        rows: &dyn Rows,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Arc<Entry>>, Missing> {
        match self.tail.front() {
            Some(first) if after + 1 >= first.seq => {
                let skip = (after + 1 - first.seq) as usize;
                Ok(self.tail.iter().skip(skip).take(limit).cloned().collect())
            }
            _ => read::entries(rows, &self.row.conversation, after, Seq::MAX, limit, false),
        }
    }

    /// Forgets all but the newest entry: nothing is open here at the moment.
    pub fn trim(&mut self) {
        let keep = self.tail.len().saturating_sub(1);
        self.tail.drain(..keep);
        self.tail.shrink_to_fit();
    }

    /// Adds a member's message.
    ///
    /// # Errors
    /// [`Reject::NotMember`]; [`Missing`] when rows are not at hand.
    pub fn accept(
        &mut self,
        rows: &dyn Rows,
        from: &Uid,
        draft: Draft,
        now: Now,
        random: &[u8; 10],
    ) -> Result<Accepted, Stop> {
        if !self.is_member(from) {
            return Err(Reject::NotMember.into());
        }
        let own_before = self.own_before(rows, from)?;
        Ok(self.append(from, EntryKind::Message, draft, own_before, now, random))
    }

    /// Takes a message back. Its sender may, and the owner of a group.
    ///
    /// # Errors
    /// [`Reject::UnknownMessage`], [`Reject::Forbidden`]; [`Missing`].
    pub fn recall(
        &mut self,
        rows: &dyn Rows,
        by: &Uid,
        target: Seq,
        now: Now,
        random: &[u8; 10],
    ) -> Result<Accepted, Stop> {
        let found = self.message_for(rows, by, target)?;
        if found.from != *by && self.row.owner.as_ref() != Some(by) {
            return Err(Reject::Forbidden.into());
        }
        let own_before = self.own_before(rows, by)?;
        let content = format!(r#"{{"type":"recall","target":{target}}}"#);
        let draft = Draft::system(content, now, random);
        let mut accepted =
            self.append(by, EntryKind::Recall { target }, draft, own_before, now, random);
        let withdrawn = Arc::new(Entry {
            content: Bytes::new(),
            push: None,
            recalled: true,
            ..Entry::clone(&found)
        });
        self.replace_in_tail(&withdrawn);
        accepted.writes.push(Write::Put(Row::Recalled(RecalledRow {
            conversation: self.row.conversation.clone(),
            seq: target,
            from: found.from.clone(),
        })));
        accepted.writes.push(Write::Put(Row::Entry(Entry::clone(&withdrawn))));
        Ok(accepted)
    }

    /// Adds what is said of a message: an edit by its sender, or a reaction by any member who sees
    /// it. `content` names the target as `kind` does.
    ///
    /// # Errors
    /// [`Reject::NotMember`], [`Reject::UnknownMessage`], [`Reject::Forbidden`];
    /// [`Reject::LimitReached`] above [`limits::AMENDS_MAX`]; [`Missing`].
    pub fn amend(
        &mut self,
        rows: &dyn Rows,
        by: &Uid,
        kind: EntryKind,
        content: String,
        now: Now,
        random: &[u8; 10],
    ) -> Result<Accepted, Stop> {
        let (EntryKind::Edit { target } | EntryKind::Reaction { target }) = kind else {
            return Err(Reject::Internal.into());
        };
        let found = self.message_for(rows, by, target)?;
        if matches!(kind, EntryKind::Edit { .. }) && found.from != *by {
            return Err(Reject::Forbidden.into());
        }
        let count = read::amended(rows, &self.row.conversation, target, by)?;
        if count >= limits::AMENDS_MAX {
            return Err(Reject::LimitReached.into());
        }
        let own_before = self.own_before(rows, by)?;
        let draft = Draft::system(content, now, random);
        let mut accepted = self.append(by, kind, draft, own_before, now, random);
        accepted.writes.push(Write::Put(Row::Amended(AmendedRow {
            conversation: self.row.conversation.clone(),
            seq: target,
            uid: by.clone(),
            count: count + 1,
        })));
        Ok(accepted)
    }

    /// A message that is still there, for a member who sees it and has something to say of it.
    fn message_for(&self, rows: &dyn Rows, by: &Uid, target: Seq) -> Result<Arc<Entry>, Stop> {
        if !self.is_member(by) {
            return Err(Reject::NotMember.into());
        }
        let (above, upto) = self.visible(by).ok_or(Reject::NotMember)?;
        if target <= above || target > upto {
            return Err(Reject::UnknownMessage.into());
        }
        let found = self.entry(rows, target)?.ok_or(Reject::UnknownMessage)?;
        if !found.is_countable() || found.recalled {
            return Err(Reject::UnknownMessage.into());
        }
        Ok(found)
    }

    /// A new group with its first entry, which names the members.
    ///
    /// # Errors
    /// [`Reject::LimitReached`].
    pub fn create_group(
        group: &GroupId,
        name: String,
        owner: &Uid,
        members: &[Uid],
        now: Now,
        random: &[u8; 10],
    ) -> Result<(Self, Accepted), Reject> {
        let id = ConversationId::group(group);
        let mut new = Self::empty(&id, ConversationKind::Group, Some(name), Some(owner.clone()));
        let mut all: BTreeSet<Uid> = members.iter().cloned().collect();
        all.insert(owner.clone());
        let accepted = new.add_and_remove(owner, (&all, &BTreeSet::new()), 0, now, random)?;
        Ok((new, accepted))
    }

    /// Adds and removes members with one entry. Members see what follows their joining.
    ///
    /// # Errors
    /// [`Reject::LimitReached`] above [`limits::GROUP_MEMBERS_MAX`]; [`Missing`] when rows are not
    /// at hand.
    pub fn change_members(
        &mut self,
        rows: &dyn Rows,
        by: &Uid,
        add: &BTreeSet<Uid>,
        remove: &BTreeSet<Uid>,
        now: Now,
        random: &[u8; 10],
    ) -> Result<Accepted, Stop> {
        let own_before = self.own_before(rows, by)?;
        Ok(self.add_and_remove(by, (add, remove), own_before, now, random)?)
    }

    fn add_and_remove(
        &mut self,
        by: &Uid,
        (add, remove): (&BTreeSet<Uid>, &BTreeSet<Uid>),
        own_before: u64,
        now: Now,
        random: &[u8; 10],
    ) -> Result<Accepted, Reject> {
        let added: Vec<&Uid> = add.iter().filter(|uid| !self.is_member(uid)).collect();
        let removed: Vec<&Uid> = remove.iter().filter(|uid| self.is_member(uid)).collect();
        if self.members().count() + added.len() > limits::GROUP_MEMBERS_MAX {
            return Err(Reject::LimitReached);
        }
        let place = self.row.head + 1;
        // Who leaves still sees the entry that says so; who joins sees it too.
        for uid in &added {
            self.put_member(uid, place, true);
        }
        let new_owner = self.hand_over(&removed);
        let content = members_content(&added, &removed, new_owner.as_ref());
        let draft = Draft::system(content, now, random);
        let mut accepted = self.append(by, EntryKind::Members, draft, own_before, now, random);
        for uid in &removed {
            self.put_member(uid, place, false);
        }
        let changed: BTreeSet<&Uid> = added.into_iter().chain(removed).chain(&new_owner).collect();
        for uid in changed {
            if let Some(member) = self.members.get(uid) {
                accepted.writes.push(Write::Put(Row::Member(member.clone())));
            }
        }
        Ok(accepted)
    }

    /// Somebody joins or leaves with the entry at `place`.
    fn put_member(&mut self, uid: &Uid, place: Seq, joins: bool) {
        let (joined, joined_ordinal) = (place - 1, self.row.ordinal);
        let is_owner = self.row.owner.as_ref() == Some(uid);
        let conversation = &self.row.conversation;
        let row = self.members.entry(uid.clone()).or_insert_with(|| MemberRow {
            conversation: conversation.clone(),
            uid: uid.clone(),
            is_owner,
            joined,
            joined_ordinal,
            left: None,
            changed: place,
        });
        if joins {
            (row.joined, row.joined_ordinal) = (joined, joined_ordinal);
        }
        (row.is_owner, row.changed) = (is_owner, place);
        row.left = (!joins).then_some(place);
        if joins {
            self.index(uid);
        } else if let Some(uids) = self.lanes.get_mut(&Lane::of_user(uid)) {
            uids.remove(uid);
            if uids.is_empty() {
                self.lanes.remove(&Lane::of_user(uid));
            }
        }
    }

    fn own_before(&mut self, rows: &dyn Rows, uid: &Uid) -> Result<u64, Missing> {
        if let Some(own) = self.own.get(uid) {
            return Ok(*own);
        }
        let own = read::own_ordinal(rows, &self.row.conversation, uid, Seq::MAX)?;
        self.own.insert(uid.clone(), own);
        Ok(own)
    }

    fn replace_in_tail(&mut self, entry: &Arc<Entry>) {
        if let Some(slot) = self.tail.iter_mut().find(|kept| kept.seq == entry.seq) {
            *slot = Arc::clone(entry);
        }
    }

    fn append(
        &mut self,
        from: &Uid,
        kind: EntryKind,
        draft: Draft,
        own_before: u64,
        now: Now,
        random: &[u8; 10],
    ) -> Accepted {
        let is_message = matches!(kind, EntryKind::Message);
        let counted = u64::from(is_message);
        self.row.head += 1 + u64::from(Sabotage::HeadSkipsASeq.is_on());
        self.row.ordinal += counted;
        // A clock that was set back must not put an answer before its question.
        self.row.last_at = self.row.last_at.max(now.wall);
        let entry = Arc::new(Entry {
            conversation: self.row.conversation.clone(),
            seq: self.row.head,
            message_id: MessageId::new(self.row.last_at, random),
            from: from.clone(),
            client_msg_id: draft.client_msg_id,
            at: self.row.last_at,
            kind,
            ordinal: self.row.ordinal,
            own_ordinal: own_before + counted,
            content: draft.content,
            sealed: draft.sealed,
            recalled: false,
            push: draft.push,
            expires_at: draft.expires_at,
        });
        self.own.insert(from.clone(), entry.own_ordinal);
        self.tail.push_back(Arc::clone(&entry));
        if self.tail.len() > TAIL_MAX {
            self.tail.pop_front();
        }
        let mut writes = vec![
            Write::Put(Row::Entry(Entry::clone(&entry))),
            Write::Put(Row::Conversation(self.row.clone())),
        ];
        if is_message {
            writes.extend(message_rows(&entry));
        }
        Accepted { entry, writes }
    }
}

/// Idempotency, the way from the message id, and the sender's count.
fn message_rows(entry: &Entry) -> [Write; 3] {
    [
        Write::Put(Row::Sent(SentRow {
            uid: entry.from.clone(),
            client_msg_id: entry.client_msg_id.clone(),
            conversation: entry.conversation.clone(),
            seq: entry.seq,
            message_id: entry.message_id,
            at: entry.at,
        })),
        Write::Put(Row::Message(MessageRow {
            message_id: entry.message_id,
            conversation: entry.conversation.clone(),
            seq: entry.seq,
        })),
        Write::Put(Row::Own(OwnRow {
            conversation: entry.conversation.clone(),
            uid: entry.from.clone(),
            seq: entry.seq,
            own_ordinal: entry.own_ordinal,
        })),
    ]
}

/// Names listed in a membership entry; a group's member list has them all.
const NAMES_MAX: usize = 100;

/// The content of a membership entry. Of what needs escaping in JSON, a uid may only hold
/// backslashes.
fn members_content(added: &[&Uid], removed: &[&Uid], new_owner: Option<&Uid>) -> String {
    let quoted = |uid: &Uid| format!("\"{}\"", uid.as_str().replace('\\', "\\\\"));
    let list = |uids: &[&Uid]| {
        uids.iter().take(NAMES_MAX).map(|uid| quoted(uid)).collect::<Vec<_>>().join(",")
    };
    let owner = new_owner.map_or(String::new(), |uid| format!(r#","owner":{}"#, quoted(uid)));
    format!(
        r#"{{"type":"members","added":[{}],"added_count":{},"removed":[{}],"removed_count":{}{owner}}}"#,
        list(added),
        added.len(),
        list(removed),
        removed.len()
    )
}

impl Draft {
    /// What the server itself adds to a log.
    fn system(content: String, now: Now, random: &[u8; 10]) -> Self {
        let id = MessageId::new(now.wall, random).to_string();
        Self {
            client_msg_id: ClientMsgId::parse(&id).expect("a UUID is a valid client_msg_id"),
            content: Bytes::from(content),
            sealed: false,
            push: None,
            expires_at: None,
        }
    }
}
