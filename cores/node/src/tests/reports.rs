//! What became of notifications, as devices and their extensions say.

use nightjar_model::{FetchedCommand, ReportCommand};

use super::*;

fn report(arrived: &[NotificationId], dismissed: &[NotificationId]) -> Command {
    Command::Report(ReportCommand {
        arrived: arrived.to_vec(),
        clicked: Vec::new(),
        dismissed: dismissed.to_vec(),
    })
}

impl Play {
    fn extension(&mut self, name: &str, surfaced: &[&SentReply]) -> Result<Reply, Reject> {
        let surfaced = surfaced.iter().map(|sent| nid(sent)).collect();
        self.extension_says(name, surfaced, Vec::new())
    }

    fn extension_says(
        &mut self,
        name: &str,
        surfaced: Vec<NotificationId>,
        withdrawn: Vec<NotificationId>,
    ) -> Result<Reply, Reject> {
        let (uid, device_id) = device(name);
        let (token_issued_at, arrived) = (self.now.wall, Vec::new());
        self.operator(Command::Fetched(FetchedCommand {
            uid,
            device_id,
            token_issued_at,
            surfaced,
            arrived,
            withdrawn,
        }))
    }

    fn cursor(&mut self, name: &str, conversation: &ConversationId) -> nightjar_domain::CursorRow {
        self.after(100);
        let (_, device_id) = device(name);
        let found = self.store.all_rows().find_map(|row| match row {
            Row::Cursor(row) if row.device_id == device_id && row.conversation == *conversation => {
                Some(row.clone())
            }
            _ => None,
        });
        found.expect("the cursor was written")
    }
}

/// Bob's phone is in the background in a grace of its own, so nothing is pushed at once.
fn with_a_debt(play: &mut Play, messages: usize) -> Vec<SentReply> {
    play.phone("bob/phone");
    play.online("bob/phone");
    play.background("bob/phone", 25_000);
    (0..messages).map(|_| play.says("alice", "bob")).collect()
}

#[test]
fn what_an_extension_showed_is_not_pushed_and_can_be_taken_back() {
    let mut play = Play::start();
    let sent = with_a_debt(&mut play, 2);
    assert_eq!(play.extension("bob/phone", &[&sent[0], &sent[1]]), Ok(Reply::Done));
    play.after(60_000);
    assert_eq!(play.pushed(), Vec::<String>::new());
    assert_eq!(play.reasons("bob/phone", &sent[1], Step::Surfaced).len(), 1);
    let cursor = play.cursor("bob/phone", &sent[0].conversation);
    assert_eq!((cursor.surfaced, cursor.settled, cursor.stored), (2, 2, 0));
    play.online("bob/laptop");
    play.read("bob/laptop", &sent[0].conversation, 2);
    let told = play.notices("bob/phone");
    assert!(told.contains(&Notice::Withdraw(vec![nid(&sent[0]), nid(&sent[1])])), "{told:?}");
    play.is_whole();
}

#[test]
fn what_an_extension_left_out_is_still_owed() {
    let mut play = Play::start();
    let sent = with_a_debt(&mut play, 3);
    play.extension("bob/phone", &[&sent[0], &sent[2]]).unwrap();
    play.after(2_100);
    // The third is on the screen already: its push replaces it under the same id.
    let pushed: Vec<_> = play.take_pushes().iter().map(Pushed::mid).collect();
    assert_eq!(pushed.first(), Some(&sent[1].message_id));
    assert!(!pushed.contains(&sent[0].message_id));
    play.is_whole();
}

#[test]
fn a_dismissed_notification_is_not_taken_back() {
    let mut play = Play::start();
    play.phone("bob/phone");
    let sent = play.says("alice", "bob");
    play.take_pushes();
    play.online("bob/phone");
    play.background("bob/phone", 0);
    play.ask("bob/phone", report(&[nid(&sent)], &[nid(&sent)])).unwrap();
    assert_eq!(play.reasons("bob/phone", &sent, Step::Arrived).len(), 1);
    assert_eq!(play.reasons("bob/phone", &sent, Step::Dismissed).len(), 1);
    play.notices("bob/phone");
    play.online("bob/laptop");
    play.read("bob/laptop", &sent.conversation, 1);
    let told = play.notices("bob/phone");
    assert!(!told.iter().any(|notice| matches!(notice, Notice::Withdraw(_))), "{told:?}");
}

#[test]
fn what_an_extension_took_back_is_confirmed() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.online("bob/laptop");
    let sent = play.says("alice", "bob");
    play.surfaced("bob/laptop", &sent.conversation, 1);
    play.take_pushes();
    play.read("bob/laptop", &sent.conversation, 1);
    play.take_pushes();
    play.extension_says("bob/phone", Vec::new(), vec![nid(&sent)]).unwrap();
    assert_eq!(play.online("bob/phone").withdraw, []);
}

#[test]
fn a_late_joiner_says_nothing_of_older_messages() {
    let mut play = Play::start();
    play.group("crew", "alice", &["bob"]);
    let before = play.tells("bob", "crew");
    let (group, add) = (GroupId::parse("crew").unwrap(), vec![uid("carol")]);
    play.operator(Command::ChangeMembers { group, add, remove: Vec::new() }).unwrap();
    let after = play.tells("bob", "crew");
    play.online("carol/phone");
    play.ask("carol/phone", report(&[nid(&before), nid(&after)], &[])).unwrap();
    play.extension("carol/phone", &[&before]).unwrap();
    play.online("mallory/phone");
    play.ask("mallory/phone", report(&[nid(&after)], &[])).unwrap();
    play.after(100);
    let said = play.store.all_rows().filter_map(|row| match row {
        Row::Trace(row) if matches!(row.step, Step::Arrived | Step::Surfaced) => {
            Some((row.uid.clone()?.to_string(), (row.from, row.to), row.step))
        }
        _ => None,
    });
    let places = (after.seq, after.seq);
    assert_eq!(said.collect::<Vec<_>>(), [("carol".to_owned(), places, Step::Arrived)]);
}

#[test]
fn a_report_of_a_shared_notification_is_of_all_it_stands_for() {
    let mut play = Play::start();
    play.phone("bob/phone");
    let mut sent = Vec::new();
    for _ in 0..7 {
        sent.push(play.says("alice", "bob"));
        play.take_pushes();
    }
    play.online("bob/phone");
    let shared = NotificationId::conversation(&sent[0].conversation);
    play.ask("bob/phone", report(std::slice::from_ref(&shared), &[])).unwrap();
    assert_eq!(play.reasons("bob/phone", &sent[6], Step::Arrived).len(), 1);
    let nowhere = NotificationId::conversation(&group("nowhere"));
    play.ask("bob/phone", report(&[nowhere], &[shared])).unwrap();
    assert!(!play.cursor("bob/phone", &sent[0].conversation).showing_shared);
}

/// Bob's phone shows a storm's notification, all of it was read on his laptop, and one more
/// message comes under its name.
fn one_more_after_a_storm(play: &mut Play) -> (SentReply, NotificationId, Pushed) {
    play.phone("bob/phone");
    play.online("bob/laptop");
    let storm: Vec<_> = (0..7).map(|_| play.says("alice", "bob")).collect();
    play.take_pushes();
    let shared = NotificationId::conversation(&storm[0].conversation);
    play.read("bob/laptop", &storm[0].conversation, 7);
    play.take_pushes();
    let sent = play.says("alice", "bob");
    let push = play.the_push();
    assert_eq!(push.request.data.nid, Some(shared.clone()));
    (sent, shared, push)
}

#[test]
fn a_push_does_not_take_back_the_notification_it_posts() {
    let mut play = Play::start();
    let (sent, shared, push) = one_more_after_a_storm(&mut play);
    assert!(!push.request.data.wd.contains(&shared), "it replaces it");
    // Its extension asks while the provider has not answered yet.
    let (uid, device_id) = device("bob/phone");
    let (token_issued_at, ids) = (play.now.wall, vec![sent.message_id]);
    let fetch = nightjar_model::FetchCommand { uid, device_id, token_issued_at, ids, since: None };
    let Ok(Reply::Fetched(view)) = play.operator(Command::Fetch(fetch)) else { panic!("refused") };
    assert!(!view.withdraw.contains(&shared), "{:?}", view.withdraw);
    play.is_whole();
}

#[test]
fn what_an_extension_showed_under_the_conversations_name_is_taken_back_by_it() {
    let mut play = Play::start();
    let (sent, shared, push) = one_more_after_a_storm(&mut play);
    play.answer(&push, Answer::new(Outcome::Delivered, "200"));
    play.extension("bob/phone", &[&sent]).unwrap();
    play.read("bob/laptop", &sent.conversation, sent.seq);
    let taken_back: Vec<NotificationId> =
        play.take_pushes().into_iter().flat_map(|push| push.request.data.wd).collect();
    assert!(taken_back.contains(&shared), "{taken_back:?}");
    play.is_whole();
}

#[test]
fn an_extension_of_a_device_that_signed_out_says_nothing() {
    let mut play = Play::start();
    let sent = with_a_debt(&mut play, 1);
    play.ask("bob/phone", Command::Logout { unbind: true }).unwrap();
    assert_eq!(play.extension("bob/phone", &[&sent[0]]), Err(Reject::TokenRevoked));
    assert_eq!(play.extension("bob/nowhere", &[&sent[0]]), Err(Reject::TokenRevoked));
}
