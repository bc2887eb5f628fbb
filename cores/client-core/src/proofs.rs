//! Which acknowledgements surely arrived: an answer proves everything that was written before its
//! request.

use nightjar_model::{ConversationId, Seq};

/// Acknowledgements that are remembered until they are proven; of more, less is proven.
const UNPROVEN_MAX: usize = 1_024;

/// The unproven acknowledgements of one connection.
#[derive(Debug, Default)]
pub(crate) struct Proofs {
    /// Sent since the request was written.
    new: Vec<(ConversationId, Seq)>,
    /// Sent before it.
    asked: Vec<(ConversationId, Seq)>,
    serial: i32,
}

impl Proofs {
    /// Everything up to `stored` was acknowledged.
    pub(crate) fn acknowledged(&mut self, conversation: &ConversationId, stored: Seq) {
        if self.new.len() < UNPROVEN_MAX {
            self.new.push((conversation.clone(), stored));
        }
    }

    /// A request was written.
    pub(crate) fn asked(&mut self, serial: i32) {
        if self.asked.is_empty() && !self.new.is_empty() {
            self.asked = std::mem::take(&mut self.new);
            self.serial = serial;
        }
    }

    /// A request was answered; answers what that proves.
    pub(crate) fn answered(&mut self, serial: i32) -> Vec<(ConversationId, Seq)> {
        if serial == self.serial { std::mem::take(&mut self.asked) } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_to_a_later_request_proves() {
        let owls = ConversationId::parse("g:owls").unwrap();
        let mut proofs = Proofs::default();
        proofs.asked(1);
        proofs.acknowledged(&owls, 5);
        assert_eq!(proofs.answered(1), []);
        proofs.asked(2);
        proofs.acknowledged(&owls, 6);
        proofs.asked(3);
        assert_eq!(proofs.answered(3), []);
        assert_eq!(proofs.answered(2), [(owls.clone(), 5)]);
        proofs.asked(4);
        assert_eq!(proofs.answered(4), [(owls, 6)]);
    }
}
