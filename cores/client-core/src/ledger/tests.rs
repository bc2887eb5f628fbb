//! Orders on a ledger and their answers.

use nightjar_model::Metric;

use super::samples::{mid, nid};
use super::*;

fn chat() -> ConversationId {
    ConversationId::parse("d:alice:bob").unwrap()
}

fn shared() -> NotificationId {
    NotificationId::conversation(&chat())
}

#[derive(Default)]
struct Desk {
    ledger: Ledger,
    now: u64,
}

impl Desk {
    fn order(&mut self, order: LedgerOrder) -> LedgerAnswer {
        self.ledger.order(&order, WallMs(self.now))
    }

    fn claim_under(&mut self, n: u64, notification: NotificationId, by: Poster) -> Verdict {
        let (message_id, conversation) = (mid(n), chat());
        let claim = Claim { message_id, notification, conversation, seq: n, by };
        match self.order(LedgerOrder::Claim(Box::new(claim))) {
            LedgerAnswer::Claimed { verdict, .. } => verdict,
            other => panic!("{other:?}"),
        }
    }

    fn claim(&mut self, n: u64) -> Verdict {
        self.claim_under(n, nid(n), Poster::App)
    }

    fn show(&mut self, n: u64, notification: NotificationId) {
        assert_eq!(self.claim_under(n, notification, Poster::App), Verdict::Granted);
        assert_eq!(self.order(LedgerOrder::Posted(mid(n))), LedgerAnswer::Done);
    }

    fn take_off(&mut self, order: LedgerOrder) -> Vec<NotificationId> {
        match self.order(order) {
            LedgerAnswer::TakeOff(ids) => ids,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn one_of_all_that_claim_is_granted_and_a_failed_post_frees_it() {
    let mut desk = Desk::default();
    assert_eq!(desk.claim(1), Verdict::Granted);
    assert_eq!(desk.claim_under(1, nid(1), Poster::Extension), Verdict::Taken(Poster::App));
    desk.order(LedgerOrder::NotPosted(mid(1)));
    assert_eq!(desk.claim_under(1, nid(1), Poster::Extension), Verdict::Granted);
    desk.order(LedgerOrder::Posted(mid(1)));
    desk.order(LedgerOrder::NotPosted(mid(1)));
    assert_eq!(desk.claim(1), Verdict::Shown(Poster::Extension));
}

#[test]
fn what_was_seen_leaves_the_screen_and_is_not_alerted_of_later() {
    let mut desk = Desk::default();
    desk.show(1, nid(1));
    desk.show(2, nid(2));
    assert_eq!(desk.take_off(LedgerOrder::Seen(vec![(chat(), 1)])), [nid(1)]);
    desk.order(LedgerOrder::Removed(vec![nid(1)]));
    assert_eq!(desk.take_off(LedgerOrder::Seen(vec![(chat(), 3)])), [nid(2)]);
    assert_eq!(desk.claim(3), Verdict::Seen);
    assert_eq!(desk.take_off(LedgerOrder::Seen(vec![(chat(), 2)])), []);
    assert_eq!(desk.claim(3), Verdict::Seen, "a marker never goes back");
    assert_eq!(desk.claim(4), Verdict::Granted);
}

#[test]
fn a_shared_notification_stays_while_it_stands_for_something_unseen() {
    let mut desk = Desk::default();
    desk.show(6, shared());
    desk.show(7, shared());
    assert_eq!(desk.take_off(LedgerOrder::Seen(vec![(chat(), 6)])), []);
    assert_eq!(desk.take_off(LedgerOrder::Seen(vec![(chat(), 7)])), [shared()]);
    desk.show(8, shared());
    assert_eq!(desk.take_off(LedgerOrder::Withdraw(vec![shared()])), [shared()]);
    desk.order(LedgerOrder::Removed(vec![shared()]));
    assert_eq!(desk.claim_under(8, shared(), Poster::App), Verdict::Withdrawn);
    desk.show(9, shared());
}

#[test]
fn what_is_taken_back_between_claim_and_post_is_taken_off_after_it() {
    let mut desk = Desk::default();
    desk.claim(1);
    assert_eq!(desk.take_off(LedgerOrder::Withdraw(vec![nid(1)])), [nid(1)]);
    desk.order(LedgerOrder::Removed(vec![nid(1)]));
    assert_eq!(desk.take_off(LedgerOrder::Posted(mid(1))), [nid(1)]);
    desk.order(LedgerOrder::Removed(vec![nid(1)]));
    assert_eq!(desk.claim(1), Verdict::Withdrawn);
}

#[test]
fn what_the_system_shows_is_known_or_has_to_go() {
    let mut desk = Desk::default();
    desk.take_off(LedgerOrder::Withdraw(vec![nid(1)]));
    desk.order(LedgerOrder::Removed(vec![nid(1)]));
    let on_screen = vec![nid(1), nid(2), shared()];
    assert_eq!(desk.take_off(LedgerOrder::OnScreen(on_screen)), [nid(1)]);
    assert_eq!(desk.claim(2), Verdict::Shown(Poster::Remote));
    desk.order(LedgerOrder::Dismissed(vec![nid(2)]));
    assert_eq!(desk.claim(2), Verdict::Withdrawn);
}

#[test]
fn the_badge_with_the_higher_version_holds() {
    let mut desk = Desk::default();
    let mut badge = |unread, bv| desk.order(LedgerOrder::Badge { unread, bv });
    assert_eq!(badge(3, 0), LedgerAnswer::Badge(Some(3)));
    assert_eq!(badge(5, 7), LedgerAnswer::Badge(Some(5)));
    assert_eq!(badge(9, 7), LedgerAnswer::Badge(None), "an equal version is no news");
    assert_eq!(badge(9, 6), LedgerAnswer::Badge(None));
    desk.order(LedgerOrder::Forget);
    assert_eq!(desk.order(LedgerOrder::Badge { unread: 1, bv: 2 }), LedgerAnswer::Badge(Some(1)));
}

#[test]
fn it_forgets_the_oldest_and_what_is_a_week_old() {
    let mut desk = Desk::default();
    desk.take_off(LedgerOrder::Withdraw(vec![nid(1)]));
    for n in 1..=50 {
        desk.now = n;
        let hundred = (n * 100 - 98)..=(n * 100 + 1);
        desk.take_off(LedgerOrder::Withdraw(hundred.map(nid).collect()));
    }
    assert_eq!(defaults::LEDGER_MAX, 5_000);
    assert!(!desk.ledger.is_withdrawn(&nid(1)) && desk.ledger.is_withdrawn(&nid(2)));
    desk.now += defaults::LEDGER_MS;
    assert_eq!(desk.claim(1), Verdict::Granted);
    assert!(!desk.ledger.is_withdrawn(&nid(4_000)));
}

#[test]
fn what_was_kept_for_the_app_is_handed_out_until_it_is_stored() {
    let mut desk = Desk::default();
    let message = |n: u64| {
        Arc::new(MessageRow {
            message_id: mid(n),
            conversation: chat(),
            seq: n,
            from: nightjar_model::Uid::parse("alice").unwrap(),
            client_msg_id: nightjar_model::ClientMsgId::parse("c").unwrap(),
            at: WallMs(n),
            content: "{}".into(),
            alert: true,
        })
    };
    let measure = Measure { metric: Metric::PushReceived, value: 0, count: 1 };
    for n in 1..=defaults::SPOOL_MAX as u64 + 1 {
        desk.order(LedgerOrder::Spool(vec![message(n)], vec![measure]));
    }
    let kept = |answer| match answer {
        LedgerAnswer::Spooled { messages, measures, upto } => {
            let first = messages.first().map(|message| message.seq);
            (first, messages.len(), measures.iter().map(|measure| measure.count).sum(), upto)
        }
        other => panic!("{other:?}"),
    };
    let (first, len, count, upto): (_, _, u64, _) = kept(desk.order(LedgerOrder::Spooled));
    assert_eq!((first, len, count, upto), (Some(2), defaults::SPOOL_MAX, 1_001, 1_001));
    desk.order(LedgerOrder::Spool(vec![message(5_000)], Vec::new()));
    assert_eq!(kept(desk.order(LedgerOrder::Spooled)), (Some(3), 1_000, 0, 1_002));
    desk.order(LedgerOrder::Imported(upto));
    assert_eq!(kept(desk.order(LedgerOrder::Spooled)), (Some(5_000), 1, 0, 1_002));
}
