//! One conversation as one connection sees it.

use std::collections::VecDeque;

use nightjar_model::Seq;

use crate::given::Given;
use crate::window::Freed;

/// How far a connection was given a conversation, and how far it acknowledged.
#[derive(Debug)]
pub(crate) struct Flow {
    /// Delivered, or passed over, up to here.
    pub(crate) cursor: Seq,
    /// The newest place heard of.
    pub(crate) head: Seq,
    /// The lanes know that the device stored up to here.
    pub(crate) stored: Seq,
    /// The lanes know that the device showed entries up to here.
    pub(crate) surfaced: Seq,
    /// Delivered, written here, or answered to `history`.
    pub(crate) given: Given<16>,
    pub(crate) pace: Pace,
    /// False while only own entries are known: the cursor may stand above entries whose wake-ups
    /// are still on their way. The first wake-up settles it.
    pub(crate) is_pinned: bool,
    /// Written on this connection and above the cursor.
    own: Given<256>,
    /// Delivered and not acknowledged: place and bytes, ascending.
    unacked: VecDeque<(Seq, u32)>,
}

/// What a conversation is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// For something new.
    Idle,
    /// For its turn to pull.
    Queued,
    /// For the answer to a pull.
    Pulling {
        /// Its part of the window.
        reserved: u64,
        /// The newest place heard of when it was asked.
        head: Seq,
    },
}

impl Flow {
    /// A conversation of which nothing was given yet.
    pub(crate) fn resumed(cursor: Seq, stored: Seq, surfaced: Seq) -> Self {
        Self {
            cursor,
            head: cursor,
            stored,
            surfaced,
            given: Given::default(),
            pace: Pace::Idle,
            is_pinned: true,
            own: Given::default(),
            unacked: VecDeque::new(),
        }
    }

    /// A wake-up came for `seq`. Wake-ups keep their order, so none below the first will come.
    pub(crate) fn pin(&mut self, seq: Seq) {
        if self.is_pinned {
            return;
        }
        self.is_pinned = true;
        if seq <= self.cursor {
            self.cursor = seq - 1;
            (self.stored, self.surfaced) = (self.cursor, self.cursor);
        }
        self.own.forget_upto(self.cursor);
    }

    /// An entry was written on this connection.
    pub(crate) fn wrote(&mut self, seq: Seq) {
        self.given.insert(seq, seq);
        self.own.insert(seq, seq);
        self.pass_own();
    }

    /// Whether the entry was written on this connection.
    pub(crate) fn is_own(&self, seq: Seq) -> bool {
        self.own.contains(seq)
    }

    /// The entry goes to the client.
    pub(crate) fn give(&mut self, seq: Seq, bytes: usize) {
        self.unacked.push_back((seq, u32::try_from(bytes).unwrap_or(u32::MAX)));
        self.skip_to(seq);
    }

    /// Everything up to `seq` is done with: given, own, or not this user's to see.
    pub(crate) fn skip_to(&mut self, seq: Seq) {
        self.given.insert(self.cursor.saturating_add(1), seq);
        self.cursor = self.cursor.max(seq);
        self.pass_own();
    }

    /// The client has everything up to `seq`, it says. For the window that is good enough: it only
    /// decides how much more the same client gets.
    pub(crate) fn confirm(&mut self, seq: Seq) -> Freed {
        let mut freed = Freed::default();
        while let Some((_, bytes)) = self.unacked.front().filter(|(at, _)| *at <= seq) {
            freed.messages += 1;
            freed.bytes += *bytes as usize;
            self.unacked.pop_front();
        }
        if self.unacked.is_empty() {
            self.unacked = VecDeque::new();
        }
        freed
    }

    /// How far `stored` and `surfaced` may go: the contiguous prefix of what was given here. What
    /// the device stored before, it may still show.
    pub(crate) fn provable(&self) -> (Seq, Seq) {
        if !self.is_pinned {
            return (self.stored, self.surfaced);
        }
        (self.given.prefix(self.stored), self.given.prefix(self.stored.max(self.surfaced)))
    }

    /// Nothing would be lost by forgetting it: the next wake-up starts it at the same place.
    pub(crate) fn is_caught_up(&self) -> bool {
        self.pace == Pace::Idle
            && self.is_pinned
            && self.cursor == self.head
            && self.stored == self.cursor
            && self.surfaced == self.cursor
            && self.unacked.is_empty()
    }

    fn pass_own(&mut self) {
        self.cursor = self.own.prefix(self.cursor);
        self.head = self.head.max(self.cursor);
        if self.is_pinned {
            self.own.forget_upto(self.cursor);
        }
    }
}
