//! Messages, both ways.

use nightjar_model::{
    ClientMsgId, ConversationId, Delivery, Entry, EntryKind, MessageId, Notice, SharedPackets,
};

use super::*;

pub(super) fn conversation() -> ConversationId {
    ConversationId::direct(&Uid::parse("alice").unwrap(), &Uid::parse("bob").unwrap())
}

pub(super) fn entry(seq: u64, from: &str, content: &str) -> Entry {
    Entry {
        conversation: conversation(),
        seq,
        message_id: MessageId::new(WallMs(1_700_000_000_000), &[seq as u8; 10]),
        from: Uid::parse(from).unwrap(),
        client_msg_id: ClientMsgId::parse(&format!("c{seq}")).unwrap(),
        at: WallMs(1_700_000_000_000),
        kind: EntryKind::Message,
        ordinal: seq,
        own_ordinal: 0,
        content: content.as_bytes().to_vec().into(),
        sealed: false,
        recalled: false,
        push: None,
        expires_at: None,
    }
}

fn given(entry: Entry) -> Input<'static> {
    let packets = SharedPackets::default();
    Input::Notice(Notice::Wake(Delivery {
        entry: Arc::new(entry),
        alert: true,
        pushed: false,
        packets,
    }))
}

pub(super) fn wake(seq: u64) -> Input<'static> {
    given(entry(seq, "bob", &format!(r#"{{"type":"text","text":"hi {seq}"}}"#)))
}

fn content_sent(talk: &mut Talk, stanza: &str) -> (String, String) {
    talk.says(stanza);
    match talk.commands.pop() {
        Some((_, Command::Send(send))) => {
            let content = String::from_utf8(send.content.to_vec()).unwrap();
            (send.client_msg_id.to_string(), content)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_body_is_text_and_the_rest_goes_along() {
    let mut talk = Talk::live();
    let plain = "<message to='bob@localhost/x' type='chat' id='1'><body>a &lt; b</body></message>";
    assert_eq!(
        content_sent(&mut talk, plain),
        ("1".into(), r#"{"type":"text","text":"a < b"}"#.into())
    );
    let (id, content) = content_sent(
        &mut talk,
        "<message to='bob@localhost' type='chat' id='2'><body>hi</body>\
         <request xmlns='urn:xmpp:receipts'/><origin-id xmlns='urn:xmpp:sid:0' id='o'/>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='alice@localhost' id='forged'/>\
         <delay xmlns='urn:xmpp:delay' stamp='2001-01-01T00:00:00Z'/></message>",
    );
    assert_eq!(id, "o");
    assert_eq!(
        content,
        r#"{"type":"text","text":"hi","xmpp":"<request xmlns='urn:xmpp:receipts'/>"}"#
    );
}

#[test]
fn what_went_along_comes_out_and_nothing_forged_does() {
    let mut talk = Talk::live();
    talk.input(given(entry(
        1,
        "bob",
        r#"{"type":"text","text":"hi","xmpp":"<request xmlns='urn:xmpp:receipts'/><stanza-id xmlns='urn:xmpp:sid:0' id='x'/>"}"#,
    )));
    let told = talk.told();
    let message = told.split("<iq").next().unwrap();
    insta::assert_snapshot!(message);
}

#[test]
fn content_of_another_kind_is_a_json_container() {
    let mut talk = Talk::live();
    talk.input(given(entry(1, "bob", r#"{"type":"image","url":"x"}"#)));
    let told = talk.told();
    assert!(
        told.contains(r#"<json xmlns='urn:xmpp:json:0'>{"type":"image","url":"x"}</json>"#),
        "{told}"
    );
    talk.input(given(entry(2, "bob", r#"{"type":"text","text":"x","xmpp":"<a><b></a>"}"#)));
    assert!(talk.told().contains("<body>x</body>"), "what cannot be read is left out");
}

#[test]
fn what_another_device_wrote_is_a_carbon_if_asked_for() {
    let mut talk = Talk::live();
    talk.input(given(entry(1, "alice", r#"{"type":"text","text":"mine"}"#)));
    assert!(!talk.told().contains("mine"));
    talk.says("<iq id='c' type='set'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    talk.input(given(entry(2, "alice", r#"{"type":"text","text":"mine"}"#)));
    let told = talk.told();
    assert!(
        told.contains("<sent xmlns='urn:xmpp:carbons:2'>") && told.contains("to='bob@localhost'"),
        "{told}"
    );
}

#[test]
fn nothing_is_delivered_before_the_first_presence() {
    let mut talk = Talk::bound();
    talk.input(wake(1));
    assert!(!talk.told().contains("hi 1") && talk.commands.is_empty());
    talk.says("<presence/>");
    let pulls = talk.commands.iter().filter(|(_, command)| matches!(command, Command::Pull { .. }));
    assert_eq!(pulls.count(), 1);
}

#[test]
fn a_marker_reads_up_to_the_message_it_names() {
    let mut talk = Talk::live();
    talk.input(wake(1));
    talk.input(wake(2));
    let marker = |id: &str| {
        format!(
            "<message to='bob@localhost'><displayed xmlns='urn:xmpp:chat-markers:0' id='{id}'/></message>"
        )
    };
    talk.says(&marker("c2"));
    assert!(matches!(talk.commands.pop(), Some((_, Command::Read { seq: 2, .. }))));
    talk.says(&marker("c9"));
    assert!(talk.commands.is_empty());
}

#[test]
fn what_cannot_be_sent_comes_back_with_its_reason() {
    let rows = [
        ("to='bob@example.com'", "service-unavailable"),
        ("to='bob@localhost' type='groupchat'", "service-unavailable"),
        ("to='@'", "jid-malformed"),
        ("", "service-unavailable"),
    ];
    for (attributes, condition) in rows {
        let mut talk = Talk::live();
        talk.says(&format!("<message {attributes} id='7'><body>x</body></message>"));
        let told = talk.told();
        assert!(told.contains("type='error'") && told.contains(condition), "{attributes}: {told}");
        assert!(told.contains("id='7'") && talk.commands.is_empty());
    }
    let mut talk = Talk::live();
    let long = "x".repeat(300 << 10);
    talk.says(&format!(
        "<message to='bob@localhost' id='8'><body>{long}</body></message><presence/>"
    ));
    let told = talk.told();
    assert!(told.contains("policy-violation") && !talk.stream.is_over(), "{told}");
}

#[test]
fn a_stanza_from_somebody_else_ends_the_stream() {
    let mut talk = Talk::live();
    talk.says("<message from='bob@localhost' to='alice@localhost'><body>x</body></message>");
    assert!(talk.told().contains("invalid-from") && talk.commands.len() == 1);
    for own in ["alice@localhost", "alice@localhost/phone"] {
        let mut talk = Talk::live();
        talk.says(&format!(
            "<message from='{own}' to='bob@localhost' id='1'><body>x</body></message>"
        ));
        assert!(matches!(talk.commands.pop(), Some((_, Command::Send(_)))));
    }
}
