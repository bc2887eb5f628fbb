//! Both forms come from one definition: what is said in one is said in the other.

use bytes::{BufMut, Bytes, BytesMut};
use nightjar_wire::{Body, HEADER_BYTES, Kind, Packet, Side, body};
use proptest::prelude::*;

use crate::samples::{self, LARGE};

fn both(packet: &Packet, side: Side) -> Result<(), TestCaseError> {
    let bytes = packet.to_bytes();
    let read = Packet::decode(&bytes, side);
    prop_assert_eq!(read.as_ref(), Ok(packet));
    prop_assert_eq!(read.unwrap().to_bytes(), &bytes, "canonical");
    let json = packet.to_json();
    let read = Packet::decode_json(&json, side);
    prop_assert_eq!(read.as_ref(), Ok(packet), "{}", json);
    prop_assert_eq!(read.unwrap().to_bytes(), bytes);
    Ok(())
}

/// Text of all kinds, quotes, controls and faces among it.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9.:_-]{0,12}",
        "\\PC{0,12}",
        prop::collection::vec(any::<char>(), 0..6).prop_map(String::from_iter)
    ]
}

fn maybe() -> impl Strategy<Value = Option<String>> {
    prop::option::of(text())
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..10, Just(LARGE), Just(u64::MAX), any::<u64>()]
}

/// JSON as nobody's serialiser writes it: odd spaces, odd orders, escapes, long numbers.
fn json() -> impl Strategy<Value = String> {
    let space = || "[ \t\n\r]{0,2}";
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("0.10".to_owned()),
        Just("-1.5E+30".to_owned()),
        Just("123456789012345678901234567890".to_owned()),
        Just(r#""\u00e9\ud83d\ude00\/\b""#.to_owned()),
        "[a-z \u{e9}\u{1f600}]{0,8}".prop_map(|text| format!("\"{text}\"")),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            (prop::collection::vec(inner.clone(), 0..4), space()).prop_map(
                |(items, space)| format!("[{space}{}{space}]", items.join(&format!("{space},")))
            ),
            (prop::collection::vec(("[a-c\u{e9}]{0,3}", inner), 0..4), space()).prop_map(
                |(fields, space)| {
                    let fields: Vec<String> = fields
                        .into_iter()
                        .map(|(name, value)| format!("\"{name}\"{space}:{space}{value}"))
                        .collect();
                    format!("{{{space}{}{space}}}", fields.join(&format!(",{space}")))
                }
            ),
        ]
    })
    // JSON's null is an empty content.
    .prop_filter("null is empty", |text| text != "null")
}

prop_compose! {
    fn message()(
        (message_id, conversation, from, client_msg_id) in (text(), text(), text(), text()),
        (seq, at) in (number(), number()),
        content in json(),
        (alert, pushed) in any::<(bool, bool)>(),
    ) -> body::Message {
        let content = content.into();
        body::Message { message_id, conversation, seq, from, client_msg_id, at, content, alert, pushed }
    }
}

prop_compose! {
    fn send()(
        (user, group, client_msg_id) in (maybe(), maybe(), text()),
        content in json(),
        push in prop::option::of((maybe(), maybe(), maybe(), any::<bool>(), prop::option::of(json()))),
        options in prop::option::of((
            any::<Option<bool>>(),
            prop::option::of(number()),
            prop_oneof![
                Just(vec![String::new()]),
                prop::collection::vec(text().prop_filter("no uid is empty", |uid| !uid.is_empty()), 0..4)
            ],
        )),
    ) -> body::Send {
        body::Send {
            to: Some(body::To { user, group, room: None }),
            client_msg_id,
            content: content.into(),
            push: push.map(|(title, body, sound, silent, data)| body::Push {
                title, body, sound, silent, data: data.map(Bytes::from),
            }),
            options: options.map(|(persist, expires_at, mentions)| body::Options {
                persist, online_only: None, expires_at, mentions,
            }),
        }
    }
}

proptest! {
    #[test]
    fn a_message_to_write_is_the_same_in_both_forms(send in send(), serial in 1..1_i32 << 30) {
        both(&Packet::request(serial, Kind::Send, Body::Send(send)), Side::Server)?;
    }

    #[test]
    fn messages_are_the_same_in_both_forms(messages in prop::collection::vec(message(), 0..4)) {
        both(&Packet::one_way(Kind::Deliver, Body::Deliver(body::Deliver { messages })), Side::Client)?;
    }

    #[test]
    fn numbers_of_64_bits_are_numbers_in_json(
        (stored, surfaced) in (prop::option::of(number()), prop::option::of(number())),
        (seq, unread, bv) in (number(), number(), number()),
        (conversation, grace_ms) in (text(), any::<Option<i64>>()),
    ) {
        let items = vec![body::AckItem { conversation: conversation.clone(), stored, surfaced }];
        both(&Packet::one_way(Kind::Ack, Body::Ack(body::Ack { items })), Side::Server)?;
        let marker = body::ReadMarker { conversation: conversation.clone(), seq, unread, bv };
        let packet = Packet::one_way(Kind::ReadMarker, Body::ReadMarker(marker));
        both(&packet, Side::Client)?;
        let json = packet.to_json();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(value["body"]["seq"].as_u64(), Some(seq));
        let state = body::AppState { state: "background".into(), grace_ms, conversation: None, order: bv, heartbeat_s: grace_ms.map(|ms| ms as u32) };
        both(&Packet::request(1, Kind::AppState, Body::AppState(state)), Side::Server)?;
    }

    #[test]
    fn content_goes_through_json_byte_for_byte(content in json()) {
        let text = format!(
            r#"{{"serial":1,"command":"send","body":{{"client_msg_id":"c","content": {content} }}}}"#
        );
        let packet = Packet::decode_json(&text, Side::Server).unwrap();
        let Body::Send(send) = &packet.body else { panic!("{packet:?}") };
        prop_assert_eq!(&send.content[..], content.as_bytes());
        let binary = Packet::decode(&packet.to_bytes(), Side::Server).unwrap();
        let expected = format!("\"content\":{content}");
        prop_assert!(binary.to_json().contains(&expected), "{}", binary.to_json());
    }
}

#[test]
fn the_largest_numbers_stand_in_json_as_they_are() {
    for number in [LARGE, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX - 1, u64::MAX] {
        let text = format!(
            r#"{{"serial":1,"command":"read","body":{{"conversation":"d:a:b","seq":{number}}}}}"#
        );
        let packet = Packet::decode_json(&text, Side::Server).unwrap();
        let read = body::Read { conversation: "d:a:b".into(), seq: number };
        assert_eq!(packet.body, Body::Read(read));
        assert!(packet.to_json().contains(&format!("\"seq\":{number}}}")));
    }
}

#[test]
fn unknown_fields_of_a_later_version_are_ignored_in_both_forms() {
    // Fields 99 to 102, one of each wire type.
    let later: &[u8] =
        b"\x98\x06\xff\x01\xa1\x06\x01\x02\x03\x04\x05\x06\x07\x08\xaa\x06\x03new\xb5\x06\x01\x02\x03\x04";
    for sample in samples::all() {
        let whole = sample.packet.to_bytes();
        let mut out = BytesMut::new();
        out.put_i32((whole.len() + later.len()) as i32);
        out.put_slice(&whole[4..]);
        out.put_slice(later);
        let read = Packet::decode(&out.freeze(), sample.side);
        assert_eq!(read.as_ref(), Ok(&sample.packet), "{}", sample.name);
        if sample.name == "deliver-binary" {
            continue;
        }
        let json = sample.packet.to_json();
        let body = json.find("\"body\":{").unwrap() + "\"body\":{".len();
        let comma = if json[body..].starts_with('}') { "" } else { "," };
        let (head, tail) = json.split_at(body);
        let head = &head[1..];
        let text = format!(r#"{{"later":[{{"a":1}}],{head}"new":{{"deep":[1,null]}}{comma}{tail}"#);
        let read = Packet::decode_json(&text, sample.side);
        assert_eq!(read.as_ref(), Ok(&sample.packet), "{text}");
    }
}

#[test]
fn fields_that_are_left_out_have_their_defaults_in_both_forms() {
    for kind in Kind::ALL {
        let mut out = BytesMut::new();
        [HEADER_BYTES as i32, 3, kind.number(), 0].into_iter().for_each(|field| out.put_i32(field));
        let binary = Packet::decode(&out.freeze(), Side::Server);
        for body in ["", r#","body":{}"#, r#","body":null"#] {
            let text = format!(r#"{{"serial":3,"command":"{}"{body}}}"#, kind.name());
            let json = Packet::decode_json(&text, Side::Server);
            assert_eq!(json, binary, "{text}");
        }
    }
}

#[test]
fn bytes_that_are_no_json_are_named_as_binary_in_the_json_form() {
    let content = Bytes::from_static(b"\xff\x00");
    let message = body::Message { content, ..body::Message::default() };
    let deliver = Body::Deliver(body::Deliver { messages: vec![message] });
    let json = Packet::one_way(Kind::Deliver, deliver).to_json();
    assert!(json.contains(r#""content":{"type":"binary","base64":"/wA="}"#), "{json}");
}
