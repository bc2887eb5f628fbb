//! Which message a number is, for those that were given and not acknowledged.

use std::collections::VecDeque;

use nightjar_model::{ConversationId, Seq};
use nightjar_wkproto::MessageNumber;

/// What was given and not acknowledged, in the order it was given. The window of the connection
/// bounds it.
#[derive(Debug, Default)]
pub(super) struct Unacked {
    given: VecDeque<(MessageNumber, ConversationId, Seq)>,
}

impl Unacked {
    pub(super) fn gave(&mut self, number: MessageNumber, conversation: &ConversationId, seq: Seq) {
        self.given.push_back((number, conversation.clone(), seq));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// The client has the message, and with it what it was given of the conversation before: a
    /// connection keeps its order. `None` for a number it was not given.
    pub(super) fn acked(&mut self, number: MessageNumber) -> Option<(ConversationId, Seq)> {
        let at = self.given.iter().position(|(given, ..)| *given == number)?;
        let (_, conversation, seq) = self.given[at].clone();
        self.given.retain(|(_, of, place)| *of != conversation || *place > seq);
        if self.given.is_empty() {
            self.given = VecDeque::new();
        }
        Some((conversation, seq))
    }
}
