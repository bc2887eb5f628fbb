//! What was received, on both sides.

use super::entries::wake;
use super::*;

const ENABLE: &str = "<enable xmlns='urn:xmpp:sm:3'/>";

fn message(id: u32) -> String {
    format!("<message to='bob@localhost' type='chat' id='m{id}'><body>hi</body></message>")
}

fn sent(seq: u64) -> Reply {
    Reply::Sent(nightjar_model::SentReply {
        message_id: nightjar_model::MessageId::new(WallMs(1), &[seq as u8; 10]),
        conversation: entries::conversation(),
        seq,
        at: WallMs(1),
        duplicate: false,
    })
}

#[test]
fn a_message_is_acknowledged_once_it_is_committed() {
    let mut talk = Talk::live();
    talk.says(ENABLE);
    assert_eq!(talk.told(), "<enabled xmlns='urn:xmpp:sm:3'/>");
    talk.says(&format!("{}<r xmlns='urn:xmpp:sm:3'/>", message(1)));
    assert_eq!(talk.told(), "", "it may still be lost");
    talk.answer(Ok(sent(1)));
    assert_eq!(talk.told(), "<a xmlns='urn:xmpp:sm:3' h='1'/>");
    // A question about what is committed does not wait for what came later.
    talk.says(&format!("{}<r xmlns='urn:xmpp:sm:3'/>{}", message(2), message(3)));
    let third = talk.commands.pop().unwrap();
    talk.answer(Ok(sent(2)));
    assert_eq!(talk.told(), "<a xmlns='urn:xmpp:sm:3' h='2'/>");
    talk.input(Input::Reply(third.0, Err(Reject::Blocked)));
    assert!(talk.told().contains("service-unavailable"));
    talk.says("<r xmlns='urn:xmpp:sm:3'/>");
    assert_eq!(talk.told(), "<a xmlns='urn:xmpp:sm:3' h='3'/>", "a refused stanza counts too");
}

#[test]
fn an_acknowledgement_says_what_was_shown() {
    let mut talk = Talk::live();
    talk.says(ENABLE);
    talk.told();
    talk.input(wake(1));
    let told = talk.told();
    assert!(
        told.contains("<body>hi 1</body>") && told.ends_with("<r xmlns='urn:xmpp:sm:3'/>"),
        "{told}"
    );
    talk.says("<a xmlns='urn:xmpp:sm:3' h='1'/>");
    let Some((_, Command::Ack(items))) = talk.commands.pop() else { panic!("no ack") };
    assert_eq!((items[0].stored, items[0].surfaced), (1, 1));
    talk.says("<a xmlns='urn:xmpp:sm:3' h='1'/>");
    assert!(talk.commands.is_empty(), "nothing new was said");
    talk.says("<a xmlns='urn:xmpp:sm:3' h='2'/>");
    let told = talk.told();
    assert!(told.contains("handled-count-too-high") && told.contains("send-count='1'"), "{told}");
    assert!(talk.stream.is_over());
}

#[test]
fn without_management_an_answered_ping_says_it() {
    let mut talk = Talk::live();
    talk.input(wake(1));
    talk.input(wake(2));
    let told = talk.told();
    assert_eq!(told.matches("urn:xmpp:ping").count(), 2, "{told}");
    let id = told.split("id='there-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    talk.says("<iq type='result' id='there-999'/>");
    assert!(talk.commands.is_empty(), "no such ping was sent");
    talk.says(&format!("<iq type='error' id='there-{id}'/>"));
    let Some((_, Command::Ack(items))) = talk.commands.pop() else { panic!("no ack") };
    assert_eq!(items[0].surfaced, 1, "only what went before that ping");
}

#[test]
fn management_is_refused_where_it_makes_no_sense() {
    let mut talk = Talk::live();
    talk.says(&format!("{ENABLE}{ENABLE}"));
    assert!(talk.told().contains("unexpected-request"));
    talk.says("<resume xmlns='urn:xmpp:sm:3' previd='x' h='1'/>");
    assert!(talk.told().contains("item-not-found"));
    let mut talk = Talk::live();
    talk.says("<r xmlns='urn:xmpp:sm:3'/>");
    assert!(talk.stream.is_over(), "it was never turned on");
}

#[test]
fn silence_is_asked_about_and_then_ends() {
    let mut talk = Talk::live();
    talk.ms = talk.stream.wait_until().unwrap().0;
    assert_eq!(talk.ms, 15 * 60_000);
    talk.input(Input::Timeout);
    assert!(talk.told().contains("urn:xmpp:ping") && !talk.stream.is_over());
    talk.ms = talk.stream.wait_until().unwrap().0;
    talk.input(Input::Timeout);
    assert!(talk.told().contains("connection-timeout") && talk.stream.is_over());
    assert!(matches!(talk.commands.last(), Some((_, Command::Lost))));
}
