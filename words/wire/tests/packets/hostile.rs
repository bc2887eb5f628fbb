//! Truncated, flipped, forged and malformed input has a named error or a meaning, and costs no
//! more than its size.

use bytes::{BufMut, Bytes, BytesMut};
use nightjar_model::Reject;
use nightjar_model::limits::PACKET_BYTES_MAX;
use nightjar_wire::{Body, HEADER_BYTES, Kind, Packet, Side, WireError, body};
use proptest::prelude::*;

use crate::samples::{self, Sample};

const SIDES: [Side; 2] = [Side::Server, Side::Client];

/// What was read is no larger than what it was read from, or has a named error with an answer.
fn judge(read: Result<Packet, WireError>, bytes: usize) {
    match read {
        Ok(packet) => assert!(packet.to_bytes().len() <= bytes, "{packet:?} of {bytes} bytes"),
        Err(error) => {
            assert!(Reject::ALL.contains(&error.reject()));
            assert!(error.to_string().len() <= 200, "{error}");
        }
    }
}

/// The packet with these bytes after its header, and a length that fits.
fn with_body(sample: &Sample, body: &[u8]) -> Bytes {
    let whole = sample.packet.to_bytes();
    let mut out = BytesMut::new();
    out.put_i32((HEADER_BYTES + body.len()) as i32);
    out.put_slice(&whole[4..HEADER_BYTES]);
    out.put_slice(body);
    out.freeze()
}

fn body_of(sample: &Sample) -> Bytes {
    sample.packet.to_bytes().slice(HEADER_BYTES..)
}

#[test]
fn every_truncation_is_named() {
    for sample in samples::all() {
        let bytes = sample.packet.to_bytes();
        for end in 0..bytes.len() {
            let read = Packet::decode(&bytes.slice(..end), sample.side);
            assert_eq!(read, Err(WireError::Truncated), "{} up to {end}", sample.name);
        }
        let mut longer = BytesMut::from(&bytes[..]);
        longer.put_u8(0);
        let read = Packet::decode(&longer.freeze(), sample.side);
        assert_eq!(read, Err(WireError::Truncated), "{} and a byte", sample.name);
    }
}

#[test]
fn a_truncated_body_under_a_length_that_fits_is_named_or_says_less() {
    for sample in samples::all() {
        let body = body_of(&sample);
        for end in 0..body.len() {
            let bytes = with_body(&sample, &body[..end]);
            match Packet::decode(&bytes, sample.side) {
                Ok(packet) => {
                    assert_ne!(packet, sample.packet, "{} up to {end}", sample.name);
                    assert_eq!(packet.kind, sample.packet.kind);
                    judge(Ok(packet), bytes.len());
                }
                Err(error) => {
                    let (kind, serial) = (sample.packet.kind, sample.packet.serial);
                    assert_eq!(error, WireError::BadBody { kind, serial });
                }
            }
        }
    }
}

#[test]
fn every_single_bit_flip_is_read_or_named() {
    for sample in samples::all() {
        let bytes = sample.packet.to_bytes();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = BytesMut::from(&bytes[..]);
            flipped[bit / 8] ^= 1 << (bit % 8);
            let flipped = flipped.freeze();
            for side in SIDES {
                judge(Packet::decode(&flipped, side), flipped.len());
            }
        }
    }
}

#[test]
fn every_truncation_of_the_json_form_is_named() {
    for sample in samples::all() {
        let json = sample.packet.to_json();
        for (end, _) in json.char_indices() {
            let read = Packet::decode_json(&json[..end], sample.side);
            assert!(matches!(read, Err(WireError::BadJson(_))), "{} up to {end}", sample.name);
        }
    }
}

#[test]
fn every_single_bit_flip_of_the_json_form_is_read_or_named() {
    for sample in samples::all() {
        let json = sample.packet.to_json().into_bytes();
        for bit in 0..json.len() * 8 {
            let mut flipped = json.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // What is not UTF-8 never becomes a text message.
            let Ok(text) = std::str::from_utf8(&flipped) else { continue };
            if let Err(error) = Packet::decode_json(text, sample.side) {
                assert!(Reject::ALL.contains(&error.reject()), "{}: {error}", sample.name);
            }
        }
    }
}

#[test]
fn text_that_is_not_utf_8_is_named() {
    let (kind, serial) = (Kind::Read, 7);
    let sample = |body: &[u8]| {
        let sample = samples::all().into_iter().find(|sample| sample.name == "read-request");
        Packet::decode(&with_body(&sample.unwrap(), body), Side::Server)
    };
    assert!(sample(b"\x0a\x02ok").is_ok());
    let bad = Err(WireError::BadBody { kind, serial });
    for text in [&b"\x0a\x02\xff\xfe"[..], b"\x0a\x03\xed\xa0\x80", b"\x0a\x02\xc0\x80"] {
        assert_eq!(sample(text), bad);
    }
    // NUL is text; the ids above refuse it by name.
    assert!(sample(b"\x0a\x03a\0b").is_ok());
}

#[test]
fn a_length_inside_a_body_cannot_reach_out_of_it() {
    let lengths: [&[u8]; 4] = [
        b"\x7f",
        b"\xff\xff\xff\xff\x07",
        b"\xff\xff\xff\xff\x0f",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    ];
    for sample in samples::all().iter().filter(|sample| !body_of(sample).is_empty()) {
        for length in lengths {
            for field in 1..12_u8 {
                let body = [&[field << 3 | 2][..], length, b"x"].concat();
                let read = Packet::decode(&with_body(sample, &body), sample.side);
                assert!(read.is_err(), "{} field {field} {length:x?}", sample.name);
            }
        }
    }
}

#[test]
fn serials_below_0_and_commands_nobody_knows_are_named() {
    let bytes = |serial: i32, command: i32| {
        let mut out = BytesMut::new();
        [16, serial, command, 0].into_iter().for_each(|field| out.put_i32(field));
        out.freeze()
    };
    for serial in [-1, i32::MIN] {
        let read = Packet::decode(&bytes(serial, 2), Side::Server);
        assert_eq!(read, Err(WireError::BadSerial { serial }));
        let json = format!(r#"{{"serial":{serial},"command":"ping"}}"#);
        let read = Packet::decode_json(&json, Side::Server);
        assert_eq!(read, Err(WireError::BadSerial { serial }));
    }
    let known = |number: &i32| Kind::from_number(*number).is_some();
    for command in (-2..40).chain([i32::MIN, i32::MAX]).filter(|number| !known(number)) {
        let error = Packet::decode(&bytes(9, command), Side::Server).unwrap_err();
        assert_eq!(error, WireError::UnknownCommand { command: command.to_string(), serial: 9 });
        assert!(!error.is_fatal(), "the client may be newer");
    }
    let long = "x".repeat(5_000);
    let json = format!(r#"{{"serial":9,"command":"{long}"}}"#);
    let Err(WireError::UnknownCommand { command, .. }) = Packet::decode_json(&json, Side::Server)
    else {
        panic!("nobody knows it");
    };
    assert_eq!(command.len(), 32, "its name is not repeated whole");
}

fn json_error(text: &str) -> WireError {
    Packet::decode_json(text, Side::Server).unwrap_err()
}

#[test]
fn malformed_json_is_named() {
    let bad = [
        "",
        " ",
        "null",
        "[]",
        r#"[7,"ping",0,{}]"#,
        "7",
        "\"ping\"",
        "{",
        "{}",
        r#"{"serial":1}"#,
        r#"{"command":2}"#,
        r#"{"command":"ping","serial":"1"}"#,
        r#"{"command":"ping","serial":1.5}"#,
        r#"{"command":"ping","serial":2147483648}"#,
        r#"{"command":"ping","serial":1,"serial":2}"#,
        r#"{"command":"ping","command":"send"}"#,
        r#"{"command":"ping"} {"command":"ping"}"#,
        "{\"command\":\"ping\0\"}",
        "{\"command\":\"pi\\ud800ng\"}",
        r#"{"command":"ping","body":}"#,
        r#"{'command':'ping'}"#,
        r#"{"command":"ping",}"#,
    ];
    for text in bad {
        let error = json_error(text);
        assert!(matches!(error, WireError::BadJson(_)), "{text}: {error:?}");
        assert!(error.to_string().len() < 200, "{error}");
    }
}

#[test]
fn a_json_body_that_is_not_the_commands_is_named() {
    let bad = [
        r#"[]"#,
        r#"["d:alice:bob",1]"#,
        r#"7"#,
        r#""x""#,
        r#"{"conversation":7}"#,
        r#"{"conversation":null,"seq":1}"#,
        r#"{"seq":-1}"#,
        r#"{"seq":1.0}"#,
        r#"{"seq":1e2}"#,
        r#"{"seq":"1"}"#,
        r#"{"seq":18446744073709551616}"#,
        r#"{"seq":1,"seq":1}"#,
        r#"{"conversation":"a","conversation":"b"}"#,
    ];
    for body in bad {
        let text = format!(r#"{{"serial":7,"command":"read","body":{body}}}"#);
        let error = json_error(&text);
        assert_eq!(error, WireError::BadBody { kind: Kind::Read, serial: 7 }, "{body}");
    }
}

#[test]
fn deep_and_huge_json_costs_no_stack_and_no_more_than_its_limit() {
    let depth = 400_000;
    let nest = |inner: &str, open: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    let deep = nest("1", "[", "]");
    let in_content = format!(
        r#"{{"serial":1,"command":"send","body":{{"client_msg_id":"c","content":{deep}}}}}"#
    );
    let Ok(Packet { body: Body::Send(send), .. }) = Packet::decode_json(&in_content, Side::Server)
    else {
        panic!("content is the app's own");
    };
    assert_eq!(send.content, deep.as_bytes());
    // As an unknown field, as the body, and as the packet itself.
    let unknown = format!(r#"{{"command":"ping","later":{deep}}}"#);
    assert!(Packet::decode_json(&unknown, Side::Server).is_ok());
    let as_body = format!(r#"{{"command":"read","body":{deep}}}"#);
    assert_eq!(json_error(&as_body).reject(), Reject::BadFrame);
    assert!(matches!(json_error(&deep), WireError::BadJson(_)));
    let objects = nest("1", r#"{"a":"#, "}").chars().take(PACKET_BYTES_MAX).collect::<String>();
    assert!(matches!(json_error(&objects), WireError::BadJson(_)));
    let huge = format!(r#"{{"command":"ping","later":"{}"}}"#, "x".repeat(PACKET_BYTES_MAX));
    assert_eq!(json_error(&huge), WireError::TooLarge);
}

#[test]
fn mentions_are_a_list_or_all() {
    let send = |mentions: &str| {
        let text = format!(
            r#"{{"serial":1,"command":"send","body":{{"options":{{"mentions":{mentions}}}}}}}"#
        );
        match Packet::decode_json(&text, Side::Server) {
            Ok(Packet { body: Body::Send(send), .. }) => Ok(send.options.unwrap().mentions),
            other => Err(other.unwrap_err()),
        }
    };
    assert_eq!(send(r#""all""#), Ok(vec![String::new()]));
    assert_eq!(send(r#"["all"]"#), Ok(vec!["all".to_owned()]), "a user of that name");
    assert_eq!(send("[]"), Ok(Vec::new()));
    assert_eq!(send(r#"["bob","carol"]"#), Ok(vec!["bob".to_owned(), "carol".to_owned()]));
    for bad in [r#""ALL""#, r#""everybody""#, r#""""#, "7", "true", "null", "{}", "[7]", "[null]"] {
        let error = send(bad).unwrap_err();
        assert_eq!(error, WireError::BadBody { kind: Kind::Send, serial: 1 }, "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_body_of_any_command_is_read_or_named(
        command in 0_i32..25,
        serial in prop_oneof![Just(0), Just(1), Just(1 << 30), any::<i32>()],
        code in prop_oneof![9 => Just(0), 1 => any::<i32>()],
        body in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        let mut out = BytesMut::new();
        let length = (HEADER_BYTES + body.len()) as i32;
        [length, serial, command, code].into_iter().for_each(|field| out.put_i32(field));
        out.put_slice(&body);
        let bytes = out.freeze();
        for side in SIDES {
            judge(Packet::decode(&bytes, side), bytes.len());
        }
    }

    #[test]
    fn any_damage_to_a_packet_is_read_or_named(
        at in any::<prop::sample::Index>(),
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let samples = samples::all();
        let sample = at.get(&samples);
        let mut bytes = BytesMut::from(&sample.packet.to_bytes()[..]);
        for (at, byte) in damages {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let bytes = bytes.freeze();
        for side in SIDES {
            judge(Packet::decode(&bytes, side), bytes.len());
        }
    }

    #[test]
    fn any_text_is_json_of_a_packet_or_named(text in "\\PC{0,200}") {
        for side in SIDES {
            if let Err(error) = Packet::decode_json(&text, side) {
                prop_assert!(Reject::ALL.contains(&error.reject()));
            }
        }
    }
}

#[test]
fn a_reject_that_came_back_keeps_its_number_and_name() {
    for reject in Reject::ALL {
        let packet = Packet::reject(5, Kind::Send, reject);
        let read = Packet::decode(&packet.to_bytes(), Side::Client).unwrap();
        assert_eq!(read.code, reject.number());
        let Body::Error(body::Error { error: Some(detail) }) = read.body else {
            panic!("{:?}", read.body);
        };
        assert_eq!((detail.code.as_str(), detail.retry), (reject.name(), reject.retry()));
    }
}
