//! P5: every badge is the unread total at its version, and versions never fall.

use std::collections::BTreeMap;

use nightjar_model::Uid;

/// The watch.
#[derive(Debug, Default)]
pub(crate) struct Badges {
    /// The last `(bv, unread)` decided, and the last that left the server.
    decided: BTreeMap<Uid, (u64, u64)>,
    left: BTreeMap<Uid, (u64, u64)>,
}

impl Badges {
    /// A badge is decided; `unread` is the reference's, if it can be known now. Answers what is
    /// wrong.
    pub(crate) fn decided(
        &mut self,
        uid: &Uid,
        (bv, badge): (u64, u64),
        unread: Option<u64>,
    ) -> Option<String> {
        let before = self.decided.insert(uid.clone(), (bv, badge));
        if let Some(unread) = unread.filter(|unread| *unread != badge) {
            return Some(format!("{uid} is told {badge} unread, and it is {unread} (bv {bv})"));
        }
        match before {
            Some((old, _)) if bv < old => Some(format!("{uid}: bv falls from {old} to {bv}")),
            Some((old, other)) if bv == old && badge != other => {
                Some(format!("{uid}: bv {bv} stands for {other} and for {badge} unread"))
            }
            _ => None,
        }
    }

    /// A badge leaves the server.
    pub(crate) fn left(&mut self, uid: &Uid, bv: u64, badge: u64) {
        let last = self.left.entry(uid.clone()).or_default();
        *last = (*last).max((bv, badge));
    }

    /// What did not leave was never said.
    pub(crate) fn crashed(&mut self) {
        self.decided = self.left.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_falling_version_and_a_wrong_number_are_named() {
        let bob = Uid::parse("bob").unwrap();
        let mut badges = Badges::default();
        assert_eq!(badges.decided(&bob, (5, 1), Some(1)), None);
        assert!(badges.decided(&bob, (4, 1), Some(1)).unwrap().contains("falls"));
        assert!(badges.decided(&bob, (6, 1), Some(2)).unwrap().contains("it is 2"));
        assert!(badges.decided(&bob, (6, 2), Some(2)).unwrap().contains("stands for"));
    }
}
