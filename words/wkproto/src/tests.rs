//! Every vector of the protocol, byte for byte in both directions, and hostile bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::*;

mod vectors;

/// The X25519 secrets of the vectors: bytes 01..20 and 21..40.
fn secret(from: u8) -> [u8; 32] {
    std::array::from_fn(|at| from + at as u8)
}

fn exchange() -> Exchange {
    let client_key = Exchange::client_key(secret(0x01));
    Exchange::with(&client_key, secret(0x21), "0123456789abcdef".into()).unwrap()
}

fn bytes(hex: &str) -> Bytes {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digit).collect()
}

/// Reads the one packet in these bytes.
fn read(hex: &str, version: u8) -> Packet {
    let mut stream = BytesMut::from(&bytes(hex)[..]);
    let frame = next_frame(&mut stream).unwrap().unwrap();
    assert!(stream.is_empty());
    Packet::decode(frame, version).unwrap()
}

/// A packet and its bytes lead to each other.
fn both_ways(packet: Packet, version: u8, hex: &str) {
    assert_eq!(packet.encode(version), bytes(hex), "{packet:?}");
    assert_eq!(read(hex, version), packet);
}

const RED: Flags = Flags { no_persist: false, red_dot: true, sync_once: false, dup: false };
const HELLO: &str = r#"{"type":1,"content":"hello"}"#;
const MESSAGE_ID: i64 = 1_234_567_890_123_456_789;

fn send(client_seq: u32, client_msg_no: &str, payload: &str) -> Packet {
    let cipher = exchange().cipher;
    let mut send = SendPacket {
        flags: RED,
        client_seq,
        client_msg_no: client_msg_no.into(),
        channel_id: "u2".into(),
        channel_type: 1,
        payload: cipher.encrypt(payload.as_bytes()).into(),
        ..SendPacket::default()
    };
    send.msg_key = cipher.key_of_send(&send);
    Packet::Send(send)
}

fn recv() -> Packet {
    let cipher = exchange().cipher;
    let mut recv = Recv {
        flags: RED,
        from_uid: "u1".into(),
        channel_id: "u1".into(),
        channel_type: 1,
        client_msg_no: "cmn-0001".into(),
        message_id: MESSAGE_ID,
        message_seq: 42,
        timestamp: 1_700_000_001,
        payload: cipher.encrypt(HELLO.as_bytes()).into(),
        ..Recv::default()
    };
    recv.msg_key = cipher.key_of_recv(&recv);
    Packet::Recv(recv)
}

#[test]
fn the_exchange_comes_to_the_key_of_the_vector() {
    assert_eq!(Exchange::client_key(secret(0x01)), "B6N8vBQgk8i3VdwbEOhstCY3StFqqFPtC9/AsrhtHHw=");
    let exchange = exchange();
    assert_eq!(exchange.server_key, "WGmv9FBUlzLLqu1eXfmzCm2jHLDldCutWtShp2jxpns=");
    let hidden = "Xh10EPPP5rWxvUSjeRjAuCCPqQmvV+1SC3HWu4vhOFo=";
    assert_eq!(exchange.cipher.encrypt(HELLO.as_bytes()), hidden);
    let client = Exchange::of_client(secret(0x01), &exchange.server_key, &exchange.salt).unwrap();
    assert_eq!(client.decrypt(hidden.as_bytes()).as_deref(), Some(HELLO.as_bytes()));
}

#[test]
fn a_key_that_is_none_is_refused() {
    let random = [7; 48];
    for key in ["", "no base64!", "AAAA", &STANDARD.encode([0; 32]), &STANDARD.encode([1; 33])] {
        assert!(Exchange::new(key, &random).is_err(), "{key}");
    }
    let good = Exchange::new(&Exchange::client_key(secret(1)), &random).unwrap();
    assert_eq!(good.salt.len(), 16);
    assert!(good.salt.bytes().all(|byte| byte.is_ascii_alphanumeric()));
}

#[test]
fn connect_in_every_version() {
    for version in [2, 4, 5] {
        let connect = Connect {
            version,
            device_flag: 1,
            device_id: "dev1W".into(),
            uid: "u1".into(),
            token: "t1".into(),
            client_timestamp: 1_700_000_000_000,
            client_key: Exchange::client_key(secret(0x01)),
        };
        let hex = vectors::CONNECT.replacen("104705", &format!("10470{version}"), 1);
        both_ways(Packet::Connect(connect), version, &hex);
    }
}

#[test]
fn connack_for_new_clients_and_for_old_ones() {
    let connack = |server_version, node_id| {
        let Exchange { server_key, salt, .. } = exchange();
        Packet::Connack(Connack {
            server_version,
            time_diff: 250,
            reason: Reason::Success,
            server_key,
            salt,
            node_id,
        })
    };
    both_ways(connack(5, 1001), 5, vectors::CONNACK);
    both_ways(connack(0, 0), 2, vectors::CONNACK_OLD);
}

#[test]
fn sends_in_every_version() {
    for version in [4, 5] {
        both_ways(send(7, "cmn-0001", HELLO), version, vectors::SEND);
    }
    both_ways(send(7, "cmn-0001", HELLO), 2, vectors::SEND_OLD);
    both_ways(send(8, "cmn-0002", r#"{"type":1,"content":"你好"}"#), 5, vectors::SEND_CHINESE);
}

#[test]
fn recvs_in_every_version() {
    for version in [4, 5] {
        both_ways(recv(), version, vectors::RECV);
    }
    both_ways(recv(), 2, vectors::RECV_OLD);
}

#[test]
fn everything_else() {
    let ack = Sendack {
        flags: RED,
        message_id: MESSAGE_ID,
        client_seq: 7,
        message_seq: 42,
        reason: Reason::Success,
    };
    both_ways(Packet::Sendack(ack), 5, "4211112210f47de98115000000070000002a01");
    let ack = Recvack { flags: RED, message_id: MESSAGE_ID, message_seq: 42 };
    both_ways(Packet::Recvack(ack), 5, "620c112210f47de981150000002a");
    both_ways(Packet::Ping, 5, "70");
    both_ways(Packet::Pong, 5, "80");
    let end = Disconnect { reason: Reason::Kicked, text: "login in other device".into() };
    both_ways(Packet::Disconnect(end), 5, "90180c00156c6f67696e20696e206f7468657220646576696365");
    let sub = Sub {
        setting: Setting(0),
        sub_no: "s1".into(),
        channel_id: "g1".into(),
        channel_type: 2,
        action: 0,
        param: String::new(),
    };
    both_ways(Packet::Sub(sub), 5, "a00d00000273310002673102000000");
    let ack = Suback {
        sub_no: "s1".into(),
        channel_id: "g1".into(),
        channel_type: 2,
        action: 0,
        reason: Reason::Success,
    };
    both_ways(Packet::Suback(ack), 5, "b00b0002733100026731020001");
    let event = Event {
        id: "e1".into(),
        kind: "___TextMessageContent".into(),
        timestamp: 1_700_000_002_000,
        data: r#"{"a":1}"#.into(),
    };
    both_ways(
        Packet::Event(event),
        5,
        "c02a0002653100155f5f5f546578744d657373616765436f6e74656e740000018bcfe56fd07b2261223a317d",
    );
}

#[test]
fn stream_fields_are_read_from_old_clients_and_never_announced_to_them() {
    let hazard = Setting(Setting::STREAM.0 | 1 << 2);
    let Packet::Recv(plain) = recv() else { unreachable!() };
    let marked = Packet::Recv(Recv { setting: hazard, ..plain });
    assert_eq!(marked.encode(4), recv().encode(4));
    let Packet::Recv(seen) = decode_all(&marked.encode(5), 5) else { panic!() };
    assert_eq!(seen.setting, Setting::STREAM);
    let mut body = vec![Setting::STREAM.0, 0, 0, 0, 1];
    for text in ["no", "stream", "u2"] {
        read::put_text(&mut body, text);
    }
    body.extend([1, 0, 0, 0, 0, 0, 0]);
    body.extend(b"x");
    let frame = Frame { kind: Kind::Send, flags: RED, body: body.into() };
    let Packet::Send(send) = Packet::decode(frame, 4).unwrap() else { panic!() };
    assert_eq!((send.channel_id.as_str(), &send.payload[..]), ("u2", &b"x"[..]));
}

fn decode_all(packet: &Bytes, version: u8) -> Packet {
    let mut stream = BytesMut::from(&packet[..]);
    Packet::decode(next_frame(&mut stream).unwrap().unwrap(), version).unwrap()
}

#[test]
fn a_length_is_checked_before_anything_is_reserved() {
    let split = |bytes: &[u8]| next_frame(&mut BytesMut::from(bytes));
    assert_eq!(split(&[0x30, 0xff, 0xff, 0xff, 0x7f]), Err(WkError::TooLarge));
    assert_eq!(split(&[0x30, 0xff, 0xff, 0xff, 0xff]), Err(WkError::BadLength));
    assert_eq!(split(&[0x30, 0]), Err(WkError::BadLength));
    assert_eq!(split(&[0x00]), Err(WkError::UnknownKind(0)));
    assert_eq!(split(&[0xd0, 1]), Err(WkError::UnknownKind(13)));
    assert_eq!(split(&[0x30, 0x80]), Ok(None));
    assert_eq!(split(&[]), Ok(None));
}

#[test]
fn the_exchange_of_the_python_sdk_as_json() {
    let call = rpc::decode(
        r#"{"id":"A","method":"connect","params":{"uid":"u1","token":"tok","deviceId":"python_1",
            "deviceFlag":2,"clientTimestamp":1795230961618}}"#,
    )
    .unwrap();
    let Some(Packet::Connect(connect)) = call.packet else { panic!() };
    assert_eq!((connect.uid.as_str(), connect.device_flag, connect.version), ("u1", 2, 5));
    assert!(!format!("{connect:?}").contains("tok\""));

    let connack = Packet::Connack(Connack {
        server_version: 5,
        time_diff: 1,
        reason: Reason::Success,
        server_key: String::new(),
        salt: String::new(),
        node_id: 1,
    });
    insta::assert_snapshot!(rpc::answer("A", &connack), @r#"{"id":"A","jsonrpc":"2.0","result":{"nodeId":1,"reasonCode":1,"salt":"","serverKey":"","serverVersion":5,"timeDiff":1}}"#);

    let call = rpc::decode(
        r#"{"id":"B","method":"send","params":{"channelId":"u2","channelType":1,"clientMsgNo":"c1",
            "payload":"eyJ0eXBlIjoxLCJjb250ZW50IjoieW8ifQ==","header":{"redDot":true}}}"#,
    )
    .unwrap();
    let Some(Packet::Send(send)) = call.packet else { panic!() };
    assert_eq!(&send.payload[..], br#"{"type":1,"content":"yo"}"#);
    assert!(send.flags.red_dot);

    let call = rpc::decode(
        r#"{"method":"recvack","params":{"header":null,"messageId":"123","messageSeq":1}}"#,
    )
    .unwrap();
    let flags = Flags::default();
    let ack = Packet::Recvack(Recvack { flags, message_id: 123, message_seq: 1 });
    assert_eq!((call.id, call.packet), (None, Some(ack)));
    insta::assert_snapshot!(rpc::answer("C", &Packet::Pong), @r#"{"id":"C","jsonrpc":"2.0","result":{}}"#);
}

#[test]
fn a_recv_as_json_always_has_its_header() {
    let recv = Packet::Recv(Recv {
        from_uid: "u2".into(),
        channel_id: "u2".into(),
        channel_type: 1,
        message_id: 123,
        message_seq: 1,
        timestamp: 1_700_000_000,
        client_msg_no: "x".into(),
        payload: HELLO.into(),
        ..Recv::default()
    });
    insta::assert_snapshot!(rpc::notification(&recv).unwrap(), @r#"{"jsonrpc":"2.0","method":"recv","params":{"channelId":"u2","channelType":1,"clientMsgNo":"x","fromUid":"u2","header":{"dup":false,"noPersist":false,"redDot":false,"syncOnce":false},"messageId":"123","messageSeq":1,"payload":{"content":"hello","type":1},"timestamp":1700000000}}"#);
}

#[test]
fn payloads_of_every_sdk_are_the_same_bytes() {
    let payload = |value: &str| {
        let text = format!(
            r#"{{"method":"send","params":{{"channelId":"a","channelType":1,"payload":{value}}}}}"#
        );
        match rpc::decode(&text).unwrap().packet {
            Some(Packet::Send(send)) => String::from_utf8(send.payload.into()).unwrap(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(payload(r#"{"type":1,"content":"hello"}"#), HELLO);
    assert_eq!(payload(&format!("{:?}", STANDARD.encode(HELLO))), HELLO);
    assert_eq!(payload(r#""plain text!""#), "plain text!");
    assert_eq!(payload("[1,2]"), "[1,2]");
}

#[test]
fn bad_json_is_named() {
    for text in ["", "[]", "{}", r#"{"method":7}"#, r#"{"jsonrpc":"1.0","method":"ping"}"#] {
        assert!(matches!(rpc::decode(text), Err(WkError::BadJson(_))), "{text}");
    }
    let other = rpc::decode(r#"{"id":"1","method":"dance"}"#).unwrap();
    assert_eq!((other.id.as_deref(), other.packet), (Some("1"), None));
}

fn whole(version: u8) -> Vec<Bytes> {
    let connack = Connack {
        server_version: 5,
        time_diff: 1,
        reason: Reason::Success,
        server_key: "k".into(),
        salt: "s".into(),
        node_id: 1,
    };
    let connect = Connect { uid: "u".into(), version, ..Connect::default() };
    let topic = SendPacket { setting: Setting::TOPIC, topic: "t".into(), ..SendPacket::default() };
    [
        Packet::Connect(connect),
        Packet::Connack(connack),
        Packet::Send(topic),
        send(7, "cmn", HELLO),
        recv(),
    ]
    .iter()
    .map(|packet| packet.encode(version))
    .collect()
}

/// Splits and reads until nothing whole is left or something is refused.
fn swallow(bytes: &[u8], version: u8) {
    let mut stream = BytesMut::from(bytes);
    while let Ok(Some(frame)) = next_frame(&mut stream) {
        let _ = Packet::decode(frame, version);
    }
}

#[test]
fn every_truncation_waits_or_is_refused() {
    for version in [2, 3, 4, 5] {
        for packet in whole(version) {
            for end in 0..packet.len() {
                let mut stream = BytesMut::from(&packet[..end]);
                assert_eq!(next_frame(&mut stream), Ok(None), "cut at {end}");
            }
            let mut stream = BytesMut::from(&packet[..]);
            let frame = next_frame(&mut stream).unwrap().unwrap();
            for end in 0..frame.body.len() {
                let short = Frame { body: frame.body.slice(..end), ..frame.clone() };
                // A payload may be any length, so a cut within it is a shorter packet.
                let is_payload = matches!(frame.kind, Kind::Send | Kind::Recv);
                assert!(is_payload || Packet::decode(short, version).is_err(), "body of {end}");
            }
        }
    }
}

#[test]
fn every_bit_flip_is_read_or_refused() {
    for version in [2, 5] {
        for packet in whole(version) {
            for bit in 0..packet.len() * 8 {
                let mut flipped = packet.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                swallow(&flipped, version);
            }
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), version in 0_u8..7) {
        swallow(&bytes, version);
        let _ = rpc::decode(&String::from_utf8_lossy(&bytes));
        let _ = exchange().cipher.decrypt(&bytes);
        let content = payload::to_content(&bytes);
        prop_assert_eq!(payload::from_content(&content), bytes);
    }

    #[test]
    fn what_was_encrypted_comes_back(plain in prop::collection::vec(any::<u8>(), 0..300)) {
        let cipher = exchange().cipher;
        prop_assert_eq!(cipher.decrypt(cipher.encrypt(&plain).as_bytes()), Some(plain));
    }

    #[test]
    fn a_stream_in_any_pieces_is_the_same_packets(cuts in prop::collection::vec(1_usize..40, 1..60)) {
        let packets = whole(5);
        let stream: Vec<u8> = packets.iter().flat_map(|packet| packet.to_vec()).collect();
        let (mut buffer, mut rest, mut seen) = (BytesMut::new(), &stream[..], Vec::new());
        for cut in cuts.into_iter().chain([stream.len()]) {
            let (head, tail) = rest.split_at(cut.min(rest.len()));
            buffer.extend_from_slice(head);
            rest = tail;
            while let Some(frame) = next_frame(&mut buffer).unwrap() {
                seen.push(Packet::decode(frame, 5).unwrap().encode(5));
            }
        }
        prop_assert_eq!(seen, packets);
    }
}
