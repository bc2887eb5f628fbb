//! The lists, kept up to date by what changed since a token.

use std::sync::Arc;

use nightjar_model::{ConversationId, ConversationKind, Metric, Mono, Uid};
use nightjar_wire::{Body, Kind, body};

use crate::inbox::read_message;
use crate::incoming::Refusal;
use crate::place::Place;
use crate::requests::Asked;
use crate::state::Move;
use crate::then::Then;
use crate::{Client, ConversationRow, Event, Row, State, defaults};

impl Client {
    /// Reads, gaps and the list, when the server has room for them.
    pub(crate) fn ask_what_is_wanted(&mut self) {
        if self.now.mono < self.ask_from || self.is_logging_out {
            return;
        }
        self.tell_reads();
        if self.state == State::Draining {
            return;
        }
        if self.wants_sync && self.now.mono >= self.sync_from && !self.requests.is_full() {
            self.wants_sync = false;
            let since = self.account.sync.clone();
            let anew = since.is_none();
            let sync = body::Sync { since, limit: Some(defaults::SYNC_PAGE) };
            self.ask(Asked::Sync { anew }, Kind::Sync, Body::Sync(sync));
        }
        self.fill_gaps();
    }

    /// When the next of these may be asked.
    pub(crate) fn ask_until(&self) -> Option<Mono> {
        if self.is_logging_out || self.state == State::Draining {
            return None;
        }
        let waits = self.wants_sync && !self.requests.is_full();
        let sync = waits.then(|| self.ask_from.max(self.sync_from));
        sync.into_iter().chain(self.reads_until()).chain(self.fill_until()).min()
    }

    /// A page. Its token is committed with what it covers.
    pub(crate) fn synced(&mut self, mut answer: body::SyncAnswer, anew: bool) {
        if anew {
            self.begin_list();
        }
        self.synced_lists(&mut answer);
        for conversation in answer.conversations {
            self.synced_conversation(conversation);
        }
        self.account.sync = Some(answer.next);
        self.account.is_synced |= !answer.more;
        self.is_account_touched = true;
        self.is_up_to_date();
        if answer.more {
            self.wants_sync = true;
        } else {
            self.end_list();
            self.is_fresh_now();
            self.thens.push(Then::Tell(Event::Synced));
        }
    }

    fn synced_conversation(&mut self, mut summary: body::Conversation) {
        let Ok(conversation) = ConversationId::parse(&summary.conversation) else { return };
        let row = ConversationRow {
            conversation: conversation.clone(),
            kind: kind(&summary.kind),
            peer: summary.peer.as_deref().and_then(|peer| Uid::parse(peer).ok()),
            name: summary.name.take(),
        };
        self.rows.push(Row::Conversation(Box::new(row.clone())));
        self.thens.push(Then::Tell(Event::Conversation(Box::new(row))));
        if let Some(Ok(last)) = summary.last.take().map(read_message) {
            self.rows.push(Row::Message(Arc::new(last)));
        }
        let place = self.place(&conversation, summary.head_seq);
        place.head = place.head.max(summary.head_seq);
        if summary.head_seq >= place.counted {
            count(place, &summary);
        }
        self.touch(&conversation);
        self.server_read(&conversation, summary.read_seq);
        self.notice_gap(&conversation);
        if let Some(place) = self.places.get(&conversation) {
            let standing = place.standing();
            self.thens.push(Then::Tell(Event::Place { conversation, standing }));
        }
    }

    pub(crate) fn refused_sync(&mut self, refusal: Refusal) {
        if refusal.retry {
            self.ask_from = self.now.mono.after(defaults::ASK_AGAIN_MS);
            self.wants_sync = true;
        } else if self.account.sync.take().is_some() {
            // The token is too old or of another server: the whole list, then.
            self.wants_sync = true;
            self.is_account_touched = true;
            if self.relists > 0 {
                // It was refused although it is of a list that was begun because of that.
                let wait_ms = defaults::RELIST_MS << (self.relists - 1).min(16);
                self.sync_from = self.now.mono.after(wait_ms.min(defaults::RELIST_MAX_MS));
                self.is_up_to_date();
            }
            self.relists = self.relists.saturating_add(1);
        } else {
            self.is_up_to_date();
        }
    }

    /// The last page is here, or none is wanted.
    pub(crate) fn is_fresh_now(&mut self) {
        self.relists = 0;
        let (now, metrics) = (self.now.mono, &mut self.metrics);
        let (greeted, came) = (metrics.greeted.take(), metrics.came.take());
        metrics.end(Metric::TimeToSync, greeted, now);
        metrics.end(Metric::ForegroundToFresh, came, now);
    }

    /// What blocks being online is done; the rest comes while it is.
    fn is_up_to_date(&mut self) {
        if self.state == State::Syncing {
            self.moved(Move::Synced);
        }
    }
}

/// The server's numbers, unless the user has read on since.
fn count(place: &mut Place, summary: &body::Conversation) {
    place.counted = place.counted.max(summary.head_seq);
    if place.read <= summary.read_seq {
        place.unread = summary.unread;
        place.mentions = summary.mentions;
    }
}

fn kind(name: &str) -> Option<ConversationKind> {
    let all = [ConversationKind::Direct, ConversationKind::Group, ConversationKind::Room];
    all.into_iter().find(|kind| kind.as_str() == name)
}
