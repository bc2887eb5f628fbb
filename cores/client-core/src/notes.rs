//! Notifications: posted only when this process answers for them and the [ledger](crate::Ledger)
//! grants it, taken back by id. What the ledger is asked it answers in order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use nightjar_model::{ConversationId, MessageId, Metric, Mono, NotificationId, Secret, Seq};
use nightjar_wire::{Body, Kind, Packet};

use crate::amending::is_countable;
use crate::fetch::PushSession;
use crate::inbox::Origin;
use crate::then::Then;
use crate::{
    Claim, Client, ConnectionId, Event, Identity, LedgerAnswer, LedgerOrder, MessageRow,
    Notification, Output, Poster, Verdict, defaults,
};

/// What is open between this client, the ledger and the screen.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Orders on the ledger that have no answer yet, oldest first.
    ordered: VecDeque<Ordered>,
    /// Claimed, or handed to the shell. With its text until the claim is answered.
    posting: BTreeMap<MessageId, Posting>,
    /// Withdrawals the server waits for, until everything is off the screen.
    leaving: Vec<Leaving>,
}

#[derive(Debug)]
struct Posting {
    conversation: ConversationId,
    notification: Option<Box<Notification>>,
}

/// A request of the server.
#[derive(Debug)]
struct Leaving {
    connection: ConnectionId,
    serial: i32,
    ids: BTreeSet<NotificationId>,
    since: Mono,
}

/// What an order on the ledger was for.
#[derive(Debug)]
enum Ordered {
    Claim(MessageId),
    Withdrawal { connection: ConnectionId, serial: i32 },
    Removal(Vec<NotificationId>),
    Badge { unread: u64, bv: u64 },
    Rest,
}

impl Client {
    fn order(&mut self, order: LedgerOrder, why: Ordered) {
        self.notes.get_or_insert_default().ordered.push_back(why);
        self.output(Output::Ledger(order));
    }

    /// The ledger answers the oldest order.
    pub(crate) fn ledger_says(&mut self, answer: LedgerAnswer) {
        let ordered = self.notes.as_mut().and_then(|notes| notes.ordered.pop_front());
        match (ordered, answer) {
            (None, _) => {}
            (Some(Ordered::Claim(id)), LedgerAnswer::Claimed { verdict, .. }) => {
                self.claimed(id, verdict);
            }
            // The server has to push: its run may find the ledger in order.
            (Some(Ordered::Claim(id)), _) => self.leave_to_server(id),
            (Some(Ordered::Withdrawal { connection, serial }), LedgerAnswer::TakeOff(ids)) => {
                self.leaves(connection, serial, ids);
            }
            (Some(Ordered::Removal(ids)), LedgerAnswer::Done) => self.is_off_screen(&ids),
            (Some(Ordered::Badge { .. }), LedgerAnswer::Badge(None)) => {}
            (Some(Ordered::Badge { unread, bv }), _) => self.tell(Event::Badge { unread, bv }),
            (_, LedgerAnswer::TakeOff(ids)) => self.take_off(ids),
            (_, LedgerAnswer::Spooled { messages, measures, upto }) => {
                self.import(messages, upto);
                self.metrics.add(&measures);
            }
            _ => {}
        }
        self.forget_empty_notes();
    }

    /// Most clients have none most of the time.
    fn forget_empty_notes(&mut self) {
        let is_empty = |notes: &mut Box<Notes>| {
            notes.ordered.is_empty() && notes.posting.is_empty() && notes.leaving.is_empty()
        };
        self.notes.take_if(is_empty);
    }

    // Posting.

    /// A message is stored. In the foreground that shows it; in the background a person has to
    /// be told, by this process or, if it does not answer for that, by the server.
    pub(crate) fn show_or_post(&mut self, message: &MessageRow, origin: Origin) {
        let is_owed = match origin {
            Origin::Delivered { pushed } => message.alert && !pushed,
            Origin::Fetched => is_countable(&message.content),
            Origin::Spooled => false,
        };
        let is_own = message.from == self.identity.uid;
        if !is_owed || is_own || self.app.is_foreground() {
            return;
        }
        let is_posting = origin != Origin::Fetched && self.app.is_posting(self.now.mono);
        let claims = self.notes.as_ref().map_or(0, |notes| notes.ordered.len());
        let Some(place) = self.places.get_mut(&message.conversation) else { return };
        if message.seq <= place.read {
            return;
        }
        if !is_posting || !place.can_post() || claims >= defaults::ORDERS_MAX {
            return place.hide(message.seq);
        }
        place.posting.push((message.seq, message.message_id));
        self.claim(message);
    }

    fn claim(&mut self, message: &MessageRow) {
        let MessageRow { message_id, conversation, seq, from, content, at, .. } = message.clone();
        let id = NotificationId::message(message_id);
        let claim = Claim {
            message_id,
            notification: id.clone(),
            conversation: conversation.clone(),
            seq,
            by: Poster::App,
        };
        let posting = Posting {
            conversation: conversation.clone(),
            notification: Some(Box::new(Notification {
                id,
                message_id,
                conversation,
                seq,
                from,
                content,
                at,
            })),
        };
        self.notes.get_or_insert_default().posting.insert(message_id, posting);
        self.order(LedgerOrder::Claim(Box::new(claim)), Ordered::Claim(message_id));
    }

    fn claimed(&mut self, id: MessageId, verdict: Verdict) {
        let notes = self.notes.as_mut();
        let posting = notes.and_then(|notes| notes.posting.get_mut(&id));
        let is_watched = self.app.is_foreground();
        match (verdict, posting) {
            (Verdict::Granted, Some(posting)) if !is_watched => {
                if let Some(notification) = posting.notification.take() {
                    self.output(Output::Notify(notification));
                }
            }
            // Read, taken back or seen meanwhile.
            (Verdict::Granted, _) => {
                self.no_longer_posting(id);
                self.order(LedgerOrder::NotPosted(id), Ordered::Rest);
            }
            // Whoever claimed it may be killed before it is posted.
            (Verdict::Taken(_), _) => {
                self.metrics.count(Metric::AlertDuplicate);
                self.leave_to_server(id);
            }
            (Verdict::Shown(_) | Verdict::Withdrawn | Verdict::Seen, _) => {
                if let Some((conversation, _)) = self.no_longer_posting(id) {
                    self.is_surfaced(&conversation);
                }
            }
        }
    }

    /// Forgets that it was to be posted; answers where it is.
    fn no_longer_posting(&mut self, id: MessageId) -> Option<(ConversationId, Seq)> {
        let posting = self.notes.as_mut()?.posting.remove(&id)?;
        let place = self.places.get_mut(&posting.conversation)?;
        let at = place.posting.iter().position(|(_, posting)| *posting == id)?;
        let (seq, _) = place.posting.remove(at);
        Some((posting.conversation, seq))
    }

    fn is_surfaced(&mut self, conversation: &ConversationId) {
        let is_foreground = self.app.is_foreground();
        let Some(place) = self.places.get_mut(conversation) else { return };
        if place.advance_surfaced(is_foreground) {
            self.touch(conversation);
            self.owe_ack(conversation);
        }
    }

    /// Nobody here tells the person of it.
    fn leave_to_server(&mut self, id: MessageId) {
        if let Some((conversation, seq)) = self.no_longer_posting(id)
            && let Some(place) = self.places.get_mut(&conversation)
        {
            place.hide(seq);
        }
    }

    /// The shell posted it: now the message is surfaced.
    pub(crate) fn notified(&mut self, id: &NotificationId) {
        let Some(message_id) = id.message_id() else { return };
        // Also of one that was read or taken back meanwhile: the ledger says that it must go.
        self.order(LedgerOrder::Posted(message_id), Ordered::Rest);
        if let Some((conversation, _)) = self.no_longer_posting(message_id) {
            let ms = self.now.wall.0.saturating_sub(message_id.at().0);
            self.metrics.time(Metric::SurfacedLatency, ms);
            self.is_surfaced(&conversation);
            // An acknowledgement that waits for more may come after the grace, and after a push.
            if self.is_open && self.app.budget().is_some() {
                self.acknowledge_now();
            }
        }
    }

    /// It could not be posted: the server has to push.
    pub(crate) fn not_notified(&mut self, id: &NotificationId) {
        let Some(message_id) = id.message_id() else { return };
        if self.notes.as_ref().is_some_and(|notes| notes.posting.contains_key(&message_id)) {
            self.leave_to_server(message_id);
            self.order(LedgerOrder::NotPosted(message_id), Ordered::Rest);
        }
    }

    // Seen.

    /// The app is on the screen: everything stored can be seen.
    pub(crate) fn show_everything(&mut self) {
        let mut shown = Vec::new();
        for (conversation, place) in &mut self.places {
            if place.advance_surfaced(true) {
                shown.push(conversation.clone());
            }
        }
        shown.iter().for_each(|conversation| self.owe_ack(conversation));
    }

    /// The person saw these conversations so far: no alert of that is needed any more, neither
    /// one on the screen nor one of a push that comes late.
    pub(crate) fn saw(&mut self, places: Vec<(ConversationId, Seq)>) {
        let is_news = |(conversation, upto): &(ConversationId, Seq)| {
            let Some(place) = self.places.get_mut(conversation) else { return false };
            let told = place.told_seen;
            place.told_seen = told.max(*upto);
            *upto > told
        };
        let news: Vec<_> = places.into_iter().filter(is_news).collect();
        if !news.is_empty() {
            self.order(LedgerOrder::Seen(news), Ordered::Rest);
        }
    }

    /// This conversation is being looked at.
    pub(crate) fn clear_notifications(&mut self, conversation: &ConversationId) {
        let stored = self.places.get(conversation).map(|place| place.stored);
        self.saw(stored.map(|stored| (conversation.clone(), stored)).into_iter().collect());
    }

    /// Messages that were read are not posted any more.
    pub(crate) fn forget_posting(&mut self, messages: &[MessageId]) {
        if let Some(notes) = &mut self.notes {
            notes.posting.retain(|id, _| !messages.contains(id));
        }
    }

    /// A person swiped it away.
    pub(crate) fn dismissed(&mut self, id: NotificationId) {
        self.order(LedgerOrder::Dismissed(vec![id.clone()]), Ordered::Rest);
        self.reports.get_or_insert_default().dismissed(id);
    }

    // Taking back.

    /// The server takes notifications back.
    pub(crate) fn told_to_withdraw(&mut self, serial: i32, ids: Vec<NotificationId>) {
        if ids.is_empty() {
            return self.confirm(serial);
        }
        for id in &ids {
            if let Some(message_id) = id.message_id()
                && let Some((conversation, _)) = self.no_longer_posting(message_id)
            {
                self.is_surfaced(&conversation);
            }
        }
        let connection = self.connection;
        self.order(LedgerOrder::Withdraw(ids), Ordered::Withdrawal { connection, serial });
    }

    /// A push says so; nobody waits for an answer.
    pub(crate) fn take_back(&mut self, ids: Vec<NotificationId>) {
        self.order(LedgerOrder::Withdraw(ids), Ordered::Rest);
    }

    /// The ledger will remember; now the screen.
    fn leaves(&mut self, connection: ConnectionId, serial: i32, ids: Vec<NotificationId>) {
        let notes = self.notes.get_or_insert_default();
        // Of older connections nobody waits for an answer.
        notes.leaving.retain(|leaving| leaving.connection == connection);
        if notes.leaving.len() < defaults::WITHDRAWALS_MAX {
            let (ids, since) = (ids.iter().cloned().collect(), self.now.mono);
            notes.leaving.push(Leaving { connection, serial, ids, since });
        }
        self.take_off(ids);
    }

    pub(crate) fn take_off(&mut self, ids: Vec<NotificationId>) {
        if !ids.is_empty() {
            self.output(Output::Withdraw(ids));
        }
    }

    /// The shell took them off the screen, or they were not on it.
    pub(crate) fn removed(&mut self, ids: Vec<NotificationId>) {
        self.order(LedgerOrder::Removed(ids.clone()), Ordered::Removal(ids));
    }

    /// The ledger knows: the server may, too.
    fn is_off_screen(&mut self, ids: &[NotificationId]) {
        let Some(notes) = &mut self.notes else { return };
        for leaving in &mut notes.leaving {
            leaving.ids.retain(|id| !ids.contains(id));
        }
        let is_done = |leaving: &mut Leaving| leaving.ids.is_empty();
        let done: Vec<_> = notes.leaving.extract_if(.., is_done).collect();
        for Leaving { connection, serial, since, .. } in done {
            self.metrics.time(Metric::WithdrawLatency, self.now.mono.since(since));
            if connection == self.connection {
                self.confirm(serial);
            }
        }
    }

    fn confirm(&mut self, serial: i32) {
        if self.is_open {
            self.send(&Packet::answer(serial, Kind::Withdraw, Body::Empty));
        }
    }

    /// Extensions of this app get a token of their own.
    pub(crate) fn signed_in(&mut self, push_token: Option<String>) {
        let Some(push_token) = push_token.map(Secret::new) else { return };
        let Identity { uid, device_id, .. } = self.identity.clone();
        let session = PushSession { uid, device_id, push_token };
        self.order(LedgerOrder::SignedIn(Box::new(session)), Ordered::Rest);
    }

    /// Nobody is signed in any more: nothing of theirs stays on the screen.
    pub(crate) fn forget_notes(&mut self) {
        self.notes = self.notes.take().map(|notes| {
            let ordered = notes.ordered;
            Box::new(Notes { ordered, ..Notes::default() })
        });
        self.order(LedgerOrder::Forget, Ordered::Rest);
        (self.account.unread, self.account.bv) = (0, 0);
        self.tell(Event::Badge { unread: 0, bv: 0 });
    }

    // The badge.

    /// It is committed; the ledger knows whether an extension set a newer one.
    pub(crate) fn set_badge(&mut self, unread: u64, bv: u64) {
        self.order(LedgerOrder::Badge { unread, bv }, Ordered::Badge { unread, bv });
    }

    // What extensions left.

    /// Asks for what was kept for this app.
    pub(crate) fn ask_for_spool(&mut self) {
        self.order(LedgerOrder::Spooled, Ordered::Rest);
    }

    /// Takes what continues what is here; the rest the server delivers.
    fn import(&mut self, messages: Vec<Arc<MessageRow>>, upto: u64) {
        if messages.is_empty() {
            return;
        }
        for message in messages {
            let is_next = self.places.get(&message.conversation).is_some_and(|place| {
                place.guessed_above.is_none() && place.received.prefix() + 1 == message.seq
            });
            if is_next {
                self.arrived(Arc::unwrap_or_clone(message), Origin::Spooled);
            }
        }
        self.thens.push(Then::Imported(upto));
    }

    /// What was imported is stored.
    pub(crate) fn imported(&mut self, upto: u64) {
        self.order(LedgerOrder::Imported(upto), Ordered::Rest);
    }
}
