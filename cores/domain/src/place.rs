//! How far a user is in a conversation, and how much of it is unread: arithmetic, never counting.

use nightjar_model::sabotage::Sabotage;
use nightjar_model::{ConversationId, Entry, EntryKind, Seq, Uid};

use crate::read;
use crate::rows::PlaceRow;
use crate::store::{Missing, Rows};

/// A user's place in a conversation.
///
/// unread = countable entries above `read` − the user's own above `read` − others' messages above
/// `read` that were taken back. Each term is a difference of running numbers the entries carry.
#[derive(Debug, Clone)]
pub struct Place {
    /// What is stored.
    pub row: PlaceRow,
    head: Seq,
    ordinal: u64,
    own: u64,
    recalled: u64,
    version: u64,
}

impl Place {
    /// The place of somebody who joined above `joined` and saw nothing yet. The running numbers
    /// are those of the conversation and of the user up to there: they may have been a member
    /// before.
    #[must_use]
    pub fn new(
        uid: &Uid,
        conversation: &ConversationId,
        joined: Seq,
        joined_ordinal: u64,
        joined_own: u64,
    ) -> Self {
        let row = PlaceRow {
            uid: uid.clone(),
            conversation: conversation.clone(),
            joined,
            left: None,
            read: joined,
            read_ordinal: joined_ordinal,
            read_own: joined_own,
            version: 0,
            version_head: 0,
            offline_said: joined,
            is_owner: false,
            listed: 0,
        };
        Self {
            row,
            head: joined,
            ordinal: joined_ordinal,
            own: joined_own,
            recalled: 0,
            version: 0,
        }
    }

    /// The place as of the conversation's stored head.
    ///
    /// `fresh` is a number above every version this user was ever told: the place changed since
    /// its version was written if the conversation grew.
    ///
    /// # Errors
    /// [`Missing`] when rows are not at hand.
    pub fn load(rows: &dyn Rows, row: PlaceRow, fresh: u64) -> Result<Self, Missing> {
        let stored = read::conversation(rows, &row.conversation)?;
        let newest = stored.as_ref().map_or(0, |conversation| conversation.head);
        let head = row.left.map_or(newest, |left| left.min(newest));
        let ordinal = match &stored {
            Some(conversation) if head == newest => conversation.ordinal,
            _ => read::entry(rows, &row.conversation, head)?.map_or(0, |entry| entry.ordinal),
        };
        let own = read::own_ordinal(rows, &row.conversation, &row.uid, head)?;
        let recalled = read::recalled_of_others(rows, &row.conversation, &row.uid, row.read, head)?;
        let version = if head > row.version_head { fresh } else { row.version };
        Ok(Self { row, head, ordinal, own, recalled, version })
    }

    /// Entries up to here are counted.
    #[must_use]
    pub fn head(&self) -> Seq {
        self.head
    }

    /// Unread messages.
    #[must_use]
    pub fn unread(&self) -> u64 {
        let countable = self.ordinal.saturating_sub(self.row.read_ordinal);
        let own = self.own.saturating_sub(self.row.read_own);
        countable.saturating_sub(own + self.recalled)
    }

    /// The user's counter when the conversation last changed for them.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether the user sees the entry at this place.
    #[must_use]
    pub fn sees(&self, seq: Seq) -> bool {
        seq > self.row.joined && self.row.left.is_none_or(|left| seq <= left)
    }

    /// Counts the next entry. `recalled_from` is the author of the message a recall takes back.
    /// Answers false when the entry was counted before or is out of sight.
    pub fn apply(&mut self, entry: &Entry, recalled_from: Option<&Uid>) -> bool {
        if entry.seq <= self.head || !self.sees(entry.seq) {
            return false;
        }
        self.head = entry.seq;
        self.ordinal = entry.ordinal;
        if entry.from == self.row.uid && !Sabotage::UnreadCountsOwn.is_on() {
            self.own = entry.own_ordinal;
        }
        if let (EntryKind::Recall { target }, Some(author)) = (&entry.kind, recalled_from)
            && *target > self.row.read
            && *author != self.row.uid
            && !Sabotage::RecallStillCounts.is_on()
        {
            self.recalled += 1;
        }
        true
    }

    /// Moves the read marker up to `seq`, whose running numbers are given; it never moves down.
    pub fn mark_read(&mut self, seq: Seq, ordinal: u64, own: u64, recalled_above: u64) -> bool {
        if seq <= self.row.read {
            return false;
        }
        self.row.read = seq;
        self.row.read_ordinal = ordinal;
        self.row.read_own = own;
        self.recalled = recalled_above;
        true
    }

    /// The place changed: it has the user's newest counter.
    pub fn touch(&mut self, version: u64) {
        self.version = version;
    }

    /// Whether the version must be written before a token that covers it is given out.
    #[must_use]
    pub fn version_is_unwritten(&self) -> bool {
        self.row.version != self.version || self.row.version_head != self.head
    }

    /// The row with its version as of now.
    pub fn row_to_write(&mut self) -> PlaceRow {
        self.row.version = self.version;
        self.row.version_head = self.head;
        self.row.clone()
    }
}
