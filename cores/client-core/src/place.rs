//! How far one conversation is on this device.

use nightjar_model::{ConversationId, MessageId, Mono, Seq};

use crate::defaults::POSTED_MAX;
use crate::pieces::Pieces;
use crate::{PlaceRow, Standing};

/// One conversation. What was received runs ahead of what is stored, which waits for commits.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// What was received; some of it may not be committed yet.
    pub(crate) received: Pieces,
    /// Only what lies above this place is really here: the prefix was taken from a message of our
    /// own or from `sync`, and older ones may still arrive. `None` once one did.
    pub(crate) guessed_above: Option<Seq>,
    /// Committed up to here.
    pub(crate) stored: Seq,
    /// The server surely knows that this device stored everything up to here.
    pub(crate) proven: Seq,
    /// What has to be given again on this connection, after and before, both exclusive: the server
    /// takes acknowledgements of what the connection was given, and after a long absence it
    /// begins with the newest.
    pub(crate) ungiven: Option<(Seq, Seq)>,
    /// This connection delivered of it.
    pub(crate) is_given: bool,
    /// What the server knows this device has, by its own proof or because it was written here.
    pub(crate) given_upto: Seq,
    /// Shown up to here.
    pub(crate) surfaced: Seq,
    /// The lowest stored message that a person must be told of, and that this client does not
    /// tell them: `surfaced` stays below it until the app comes to the screen or it is read.
    pub(crate) unseen: Option<Seq>,
    /// Notifications handed to the shell.
    pub(crate) posting: Vec<(Seq, MessageId)>,
    /// The ledger knows that the person saw everything up to here.
    pub(crate) told_seen: Seq,
    /// The user read up to here.
    pub(crate) read: Seq,
    /// What the user wanted to have read, beyond a gap.
    pub(crate) read_wanted: Seq,
    /// The server knows that the user read up to here.
    pub(crate) read_told: Seq,
    /// The newest place heard of.
    pub(crate) head: Seq,
    pub(crate) unread: u64,
    pub(crate) mentions: u64,
    /// `unread` covers everything up to here.
    pub(crate) counted: Seq,
    /// What this connection told the server.
    pub(crate) told_stored: Seq,
    pub(crate) told_surfaced: Seq,
    /// When to ask for what is missing.
    pub(crate) fill_at: Option<Mono>,
    /// Something is missing since.
    pub(crate) gap_since: Option<Mono>,
    /// As in [`PlaceRow::list`].
    pub(crate) list: u32,
    /// Grows with activity over all conversations.
    pub(crate) used: u64,
    pub(crate) is_filling: bool,
    /// A `read` is on its way.
    pub(crate) is_telling_read: bool,
    /// Waits for the next acknowledgement.
    pub(crate) is_unacked: bool,
    /// Its row has to be written.
    pub(crate) is_touched: bool,
}

impl Place {
    /// A conversation known up to `prefix` and nothing of it here.
    pub(crate) fn starting_at(prefix: Seq, is_guess: bool) -> Self {
        Self {
            received: Pieces::new(prefix, &[]),
            guessed_above: is_guess.then_some(prefix),
            stored: prefix,
            proven: prefix,
            given_upto: prefix,
            surfaced: prefix,
            head: prefix,
            counted: prefix,
            ..Self::default()
        }
    }

    pub(crate) fn restored(row: &PlaceRow) -> Self {
        Self {
            received: Pieces::new(row.stored, &row.pieces),
            guessed_above: row.guessed_above,
            stored: row.stored,
            proven: row.proven,
            surfaced: row.surfaced,
            read: row.standing.read,
            read_wanted: row.standing.read,
            read_told: row.read_told,
            list: row.list,
            head: row.standing.head,
            unread: row.standing.unread,
            mentions: row.standing.mentions,
            counted: row.standing.head,
            ..Self::default()
        }
    }

    /// The row as it will be true once its commit is done.
    pub(crate) fn row(&self, conversation: &ConversationId) -> PlaceRow {
        PlaceRow {
            conversation: conversation.clone(),
            stored: self.received.prefix(),
            pieces: self.received.ranges().to_vec(),
            guessed_above: self.guessed_above,
            proven: self.proven,
            surfaced: self.surfaced,
            read_told: self.read_told,
            list: self.list,
            standing: self.standing(),
        }
    }

    pub(crate) fn standing(&self) -> Standing {
        Standing { head: self.head, unread: self.unread, mentions: self.mentions, read: self.read }
    }

    /// Takes a message in; false if it is here already, or finds no room.
    pub(crate) fn arrive(&mut self, seq: Seq, is_own: bool) -> bool {
        if !is_own && let Some(floor) = self.guessed_above.take() {
            // Deliveries keep their order, so none below the first will come.
            self.start_below(seq, floor);
        }
        let has_room = match self.received.contains(seq) {
            true => false,
            false if is_own => self.received.insert_own(seq),
            false => self.received.insert(seq, seq),
        };
        if !has_room {
            return false;
        }
        self.head = self.head.max(seq);
        true
    }

    /// The first delivery tells where this device really starts.
    fn start_below(&mut self, seq: Seq, floor: Seq) {
        if seq > floor {
            return;
        }
        self.received.lower(floor);
        self.received = Pieces::new(seq - 1, self.received.ranges());
        self.stored = self.stored.min(seq - 1);
        self.proven = self.proven.min(seq - 1);
        self.surfaced = self.surfaced.min(seq - 1);
        self.counted = self.counted.min(seq - 1);
    }

    /// A new connection: it gave nothing yet and was told nothing.
    pub(crate) fn reconnected(&mut self) {
        (self.told_stored, self.told_surfaced) = (0, 0);
        (self.ungiven, self.is_given) = (None, false);
        self.given_upto = self.proven;
    }

    /// A message was written on this connection.
    pub(crate) fn wrote(&mut self, seq: Seq) {
        if seq == self.given_upto + 1 {
            self.given_upto = seq;
        }
    }

    /// The connection delivers; its first message shows where the server began.
    pub(crate) fn given(&mut self, seq: Seq) {
        if !std::mem::replace(&mut self.is_given, true) && seq > self.given_upto + 1 {
            self.ungiven = Some((self.given_upto, seq));
        }
    }

    /// Everything above `after` and up to `upto` was answered.
    pub(crate) fn fetched(&mut self, after: Seq, upto: Seq) {
        self.received.insert(after.saturating_add(1), upto);
        if let Some((first, before)) = self.ungiven
            && first == after
        {
            self.ungiven = (upto.saturating_add(1) < before).then_some((upto, before));
            // Acknowledged before, it may not have counted.
            self.told_stored = 0;
            self.told_surfaced = 0;
        }
    }

    /// Whether something below the newest place heard of is missing.
    pub(crate) fn has_gap(&self) -> bool {
        self.received.gap().is_some() || self.head > self.received.prefix()
    }

    /// What is to be asked for: after, and before if something above is here; both exclusive.
    pub(crate) fn to_fetch(&self) -> Option<(Seq, Option<Seq>)> {
        let prefix = self.received.prefix();
        match (self.ungiven, self.received.gap()) {
            (Some((after, before)), _) => Some((after, Some(before))),
            (None, Some((after, before))) => Some((after, Some(before))),
            (None, None) => (self.head > prefix).then_some((prefix, None)),
        }
    }

    /// Asks for it. Of what was only heard of nothing was given on this connection.
    pub(crate) fn start_fetch(&mut self) -> Option<(Seq, Option<Seq>)> {
        if !self.is_given
            && let Some((after, None)) = self.to_fetch()
        {
            self.ungiven = Some((after.min(self.proven), self.head + 1));
        }
        let to_fetch = self.to_fetch()?;
        self.fill_at = None;
        self.is_filling = true;
        Some(to_fetch)
    }

    /// A commit is done: everything up to `seq` is stored.
    pub(crate) fn store(&mut self, seq: Seq) {
        self.stored = self.stored.max(seq);
    }

    /// The messages up to here were shown; true if that is news.
    pub(crate) fn advance_surfaced(&mut self, is_foreground: bool) -> bool {
        if is_foreground {
            self.unseen = None;
        }
        let posting =
            if is_foreground { None } else { self.posting.iter().map(|(seq, _)| *seq).min() };
        let first_hidden = self.unseen.into_iter().chain(posting).min();
        let upto = first_hidden.map_or(self.stored, |seq| self.stored.min(seq - 1));
        let moved = upto > self.surfaced;
        self.surfaced = self.surfaced.max(upto);
        moved
    }

    /// A stored message that nobody here tells the person of.
    pub(crate) fn hide(&mut self, seq: Seq) {
        self.unseen = Some(self.unseen.map_or(seq, |unseen| unseen.min(seq)));
    }

    /// Whether another notification can be kept track of.
    pub(crate) fn can_post(&self) -> bool {
        self.posting.len() < POSTED_MAX
    }

    /// The user read up to `seq`, here or elsewhere; answers the messages that need not be posted
    /// any more, or `None` if that is no news.
    pub(crate) fn read_upto(&mut self, seq: Seq) -> Option<Vec<MessageId>> {
        if seq <= self.read {
            return None;
        }
        self.read = seq;
        self.unread = if seq >= self.head { 0 } else { self.unread.min(self.head - seq) };
        self.mentions = self.mentions.min(self.unread);
        if self.unseen.is_some_and(|unseen| unseen <= seq) {
            self.unseen = (seq < self.stored).then_some(seq + 1);
        }
        let gone = self.posting.extract_if(.., |(at, _)| *at <= seq).map(|(_, id)| id).collect();
        Some(gone)
    }

    /// The server has all the user said about reading here.
    pub(crate) fn owes_read(&self) -> bool {
        self.read > self.read_told
    }

    /// Whether forgetting it would lose nothing but the start of the next gap.
    pub(crate) fn is_caught_up(&self) -> bool {
        self.received.ranges().is_empty()
            && self.stored == self.received.prefix()
            && self.posting.is_empty()
            && !self.owes_read()
            && !self.is_touched
            && !self.is_unacked
            && !self.is_filling
            && self.fill_at.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> MessageId {
        MessageId::from_bytes([n; 16])
    }

    #[test]
    fn a_guess_is_corrected_by_the_first_delivery() {
        let mut place = Place::starting_at(49, true);
        assert!(place.arrive(50, true) && place.arrive(51, true));
        assert_eq!(place.received.prefix(), 51);
        assert!(place.arrive(48, false), "it was on its way when we wrote");
        assert_eq!((place.received.prefix(), place.to_fetch()), (48, Some((48, Some(50)))));
        assert!(place.arrive(49, false));
        assert_eq!((place.received.prefix(), place.to_fetch()), (51, None));
        assert!(!place.arrive(47, false), "the start is known now");
    }

    #[test]
    fn a_guess_above_which_deliveries_begin_stands() {
        let mut place = Place::starting_at(10, true);
        assert!(place.arrive(12, false));
        assert_eq!(place.to_fetch(), Some((10, Some(12))));
        assert!(!place.arrive(10, false));
    }

    #[test]
    fn what_the_server_may_not_know_of_is_fetched_again() {
        let mut place = Place::starting_at(0, false);
        assert!((1..=9).all(|seq| place.arrive(seq, false)));
        place.proven = 3;
        place.reconnected();
        place.given(8);
        place.given(9);
        assert_eq!(place.to_fetch(), Some((3, Some(8))));
        place.fetched(3, 5);
        assert_eq!(place.to_fetch(), Some((5, Some(8))));
        place.fetched(5, 7);
        assert_eq!(place.to_fetch(), None);
        place.reconnected();
        place.given(4);
        assert_eq!(place.to_fetch(), None, "it began where we know it knows");
    }

    #[test]
    fn surfaced_stops_below_what_nobody_was_told_of() {
        let mut place = Place::starting_at(0, false);
        assert!((1..=4).all(|seq| place.arrive(seq, false)));
        place.store(4);
        place.posting.push((2, id(2)));
        place.hide(3);
        assert!(place.advance_surfaced(false));
        assert_eq!(place.surfaced, 1);
        place.posting.clear();
        assert!(place.advance_surfaced(false));
        assert_eq!(place.surfaced, 2);
        assert!(!place.advance_surfaced(false));
        assert!(place.advance_surfaced(true));
        assert_eq!((place.surfaced, place.unseen), (4, None));
    }

    #[test]
    fn reading_ends_posting_and_never_goes_back() {
        let mut place = Place::starting_at(0, false);
        assert!((1..=4).all(|seq| place.arrive(seq, false)));
        place.store(4);
        place.unread = 4;
        place.posting.push((2, id(2)));
        place.posting.push((3, id(3)));
        place.hide(1);
        assert_eq!(place.read_upto(2), Some(vec![id(2)]));
        assert_eq!((place.unread, place.unseen), (2, Some(3)));
        assert_eq!(place.read_upto(1), None);
        assert_eq!(place.read_upto(4), Some(vec![id(3)]));
        assert_eq!((place.unread, place.unseen, place.read), (0, None, 4));
    }

    #[test]
    fn a_place_comes_back_as_its_row() {
        let mut place = Place::starting_at(3, true);
        place.arrive(5, false);
        place.read_upto(2);
        let conversation = ConversationId::parse("g:x").unwrap();
        let row = place.row(&conversation);
        assert_eq!(Place::restored(&row).row(&conversation), row);
    }
}
