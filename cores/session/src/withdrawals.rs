//! Notifications the client was asked to take off its screen.

use std::collections::BTreeSet;

use nightjar_model::NotificationId;

/// Requests to the client that may wait for its answer.
const REQUESTS_MAX: usize = 64;
/// Ids of one request, so that it stays far below the largest packet.
const REQUEST_IDS_MAX: usize = 1_000;
/// Ids that may wait for a free request.
const WAITING_IDS_MAX: usize = 4_096;

/// Withdrawals on their way, and those that wait because too many are.
#[derive(Debug, Default)]
pub(crate) struct Withdrawals {
    open: Vec<(i32, Vec<NotificationId>)>,
    waiting: BTreeSet<NotificationId>,
}

impl Withdrawals {
    /// More to take back; false when the client is too far behind.
    pub(crate) fn add(&mut self, ids: Vec<NotificationId>) -> bool {
        self.waiting.extend(ids);
        self.waiting.len() <= WAITING_IDS_MAX
    }

    /// Whether [`Self::ask`] has something to send.
    pub(crate) fn can_ask(&self) -> bool {
        !self.waiting.is_empty() && self.open.len() < REQUESTS_MAX
    }

    /// The ids of the next request, which goes out under `serial`.
    pub(crate) fn ask(&mut self, serial: i32) -> Vec<NotificationId> {
        let mut ids = Vec::with_capacity(self.waiting.len().min(REQUEST_IDS_MAX));
        while ids.len() < REQUEST_IDS_MAX {
            let Some(id) = self.waiting.pop_first() else { break };
            ids.push(id);
        }
        self.open.push((serial, ids.clone()));
        ids
    }

    /// The client answered; the ids it was asked for, once.
    pub(crate) fn answered(&mut self, serial: i32) -> Option<Vec<NotificationId>> {
        let at = self.open.iter().position(|(open, _)| *open == serial)?;
        Some(self.open.swap_remove(at).1)
    }

    /// Nothing waits for anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use nightjar_model::ConversationId;

    use super::*;

    fn id(n: usize) -> NotificationId {
        NotificationId::conversation(&ConversationId::parse(&format!("g:{n}")).unwrap())
    }

    #[test]
    fn an_answer_confirms_its_own_ids_once() {
        let mut withdrawals = Withdrawals::default();
        assert!(withdrawals.add(vec![id(1)]));
        assert_eq!(withdrawals.ask(7), [id(1)]);
        assert!(withdrawals.add(vec![id(2)]));
        assert_eq!(withdrawals.ask(8), [id(2)]);
        assert_eq!(withdrawals.answered(8), Some(vec![id(2)]));
        assert_eq!(withdrawals.answered(8), None);
        assert_eq!(withdrawals.answered(7), Some(vec![id(1)]));
        assert!(withdrawals.is_empty());
    }

    #[test]
    fn beyond_64_requests_ids_are_merged_into_the_next() {
        let mut withdrawals = Withdrawals::default();
        for n in 0..64 {
            assert!(withdrawals.add(vec![id(n)]));
            withdrawals.ask(n as i32);
        }
        for n in 64..100 {
            assert!(withdrawals.add(vec![id(n)]));
            assert!(!withdrawals.can_ask());
        }
        withdrawals.answered(3);
        assert!(withdrawals.can_ask());
        assert_eq!(withdrawals.ask(64).len(), 36);
    }

    #[test]
    fn a_client_that_never_answers_meets_a_limit() {
        let mut withdrawals = Withdrawals::default();
        for n in 0..64 {
            withdrawals.add(vec![id(n)]);
            withdrawals.ask(n as i32);
        }
        assert!((0..4_096).all(|n| withdrawals.add(vec![id(n)])));
        assert!(!withdrawals.add(vec![id(5_000)]));
    }
}
