//! A phone of WuKongIM and everyone around it.

use bytes::BytesMut;
use nightjar_model::{ByeReason, Command, Mono, Notice, Now, Reject, Reply, WallMs};
use nightjar_wkproto::{
    Cipher, Connect, Exchange, Flags, Kind, Packet, Reason, Recv, Recvack, SendPacket, next_frame,
};
use proptest::prelude::*;

use super::*;
use crate::RequestId;
use crate::phase::{Event, Phase};
use crate::tests::play::{chat, delivery, hello_reply, sent, uid};

const SECRET: [u8; 32] = [7; 32];
const NOW: Now = Now { mono: Mono(0), wall: WallMs(1_700_000_000_250) };

struct Stage {
    session: WkSession,
    now: Now,
    cipher: Option<Cipher>,
}

impl Stage {
    fn new() -> Self {
        let config = WkSessionConfig { push_if_unread_after_s: Some(30) };
        let session = WkSession::new(&config, [9; 48], NOW.mono);
        Self { session, now: NOW, cipher: None }
    }

    /// A phone that is in.
    fn live() -> Self {
        let mut stage = Self::new();
        stage.writes(&connect());
        stage.happens(WkInput::Verified(Ok(WkPass { issued_at: WallMs(7) })));
        let id = stage.hello().0;
        stage.happens(WkInput::Reply(id, Ok(hello_reply(Vec::new(), Vec::new()))));
        let Some(Packet::Connack(ack)) = stage.hears().pop() else { panic!("a CONNACK") };
        stage.cipher = Some(Exchange::of_client(SECRET, &ack.server_key, &ack.salt).unwrap());
        stage
    }

    fn happens(&mut self, input: WkInput<'_>) {
        self.session.handle(input, self.now);
    }

    fn writes(&mut self, packet: &Packet) {
        self.happens(WkInput::Bytes(&packet.encode(4)));
    }

    fn passes(&mut self, ms: u64) {
        self.now.mono = self.now.mono.after(ms);
    }

    fn outputs(&mut self) -> Vec<WkOutput> {
        std::iter::from_fn(|| self.session.poll()).collect()
    }

    /// The command that lets the phone in.
    fn hello(&mut self) -> (RequestId, Command) {
        self.commands().pop().expect("a hello")
    }

    fn commands(&mut self) -> Vec<(RequestId, Command)> {
        let command = |output| match output {
            WkOutput::Command(id, command) => Some((id, command)),
            _ => None,
        };
        self.outputs().into_iter().filter_map(command).collect()
    }

    /// What the phone reads.
    fn hears(&mut self) -> Vec<Packet> {
        let packet = |output| match output {
            WkOutput::Send(WkFrame::Binary(bytes)) => {
                let frame = next_frame(&mut BytesMut::from(&bytes[..])).unwrap().unwrap();
                Some(Packet::decode(frame, 4).unwrap())
            }
            _ => None,
        };
        self.outputs().into_iter().filter_map(packet).collect()
    }

    fn send(&mut self, client_seq: u32) -> Packet {
        let cipher = self.cipher.as_ref().unwrap();
        let mut send = SendPacket {
            flags: Flags { red_dot: true, ..Flags::default() },
            client_seq,
            client_msg_no: format!("c{client_seq}"),
            channel_id: "alice".into(),
            channel_type: 1,
            payload: cipher.encrypt(br#"{"type":1,"content":"yes"}"#).into(),
            ..SendPacket::default()
        };
        send.msg_key = cipher.key_of_send(&send);
        Packet::Send(send)
    }
}

fn connect() -> Packet {
    Packet::Connect(Connect {
        version: 4,
        device_id: "phone".into(),
        uid: "bob".into(),
        token: "good".into(),
        client_timestamp: 1_700_000_000_000,
        client_key: Exchange::client_key(SECRET),
        ..Connect::default()
    })
}

fn ack(recv: &Packet) -> Packet {
    let Packet::Recv(Recv { flags, message_id, message_seq, .. }) = *recv else {
        panic!("{recv:?}")
    };
    Packet::Recvack(Recvack { flags, message_id, message_seq })
}

fn is_close(output: &WkOutput) -> bool {
    matches!(output, WkOutput::Close { .. })
}

#[test]
fn it_goes_through_the_phases_of_the_printed_table() {
    let bye = || Notice::Bye { reason: ByeReason::Replaced, text: None };
    let mut stage = Stage::new();
    assert_eq!(stage.session.phase, Phase::AwaitHello);
    stage.writes(&connect());
    assert_eq!(stage.session.phase, Phase::Verifying);
    stage.happens(WkInput::Verified(Ok(WkPass { issued_at: WallMs(7) })));
    assert_eq!(stage.session.phase, Phase::Joining);
    let id = stage.hello().0;
    stage.happens(WkInput::Reply(id, Ok(hello_reply(Vec::new(), Vec::new()))));
    assert_eq!(stage.session.phase, Phase::Live);
    let send = Stage::live().send(1);
    for (event, input) in [
        (Event::Hello, WkInput::Bytes(&connect().encode(4))),
        (Event::Packet, WkInput::Bytes(&send.encode(4))),
        (Event::Broken, WkInput::Bytes(b"\x00")),
        (Event::Bye, WkInput::Notice(bye())),
        (Event::Bye, WkInput::LoggedOut { text: "elsewhere" }),
        (Event::Drain, WkInput::Drain),
        (Event::SocketEnded, WkInput::Closed),
    ] {
        let mut stage = Stage::live();
        stage.happens(input);
        let mut expected = Phase::Live.next(event).unwrap();
        if expected == Phase::Draining {
            // Nothing is on its way, so it is over at once.
            expected = Phase::Draining.next(Event::Answered).unwrap();
        }
        assert_eq!(stage.session.phase, expected, "{event:?}");
    }
}

#[test]
fn connack_says_the_time_between_the_clocks_and_the_hello_what_the_phone_can_say() {
    let mut stage = Stage::new();
    stage.writes(&connect());
    let outputs = stage.outputs();
    let [WkOutput::Verify(login)] = &outputs[..] else { panic!("{outputs:?}") };
    assert_eq!((login.uid.as_str(), login.device_flag), ("bob", 0));
    stage.happens(WkInput::Verified(Ok(WkPass { issued_at: WallMs(7) })));
    let (id, command) = stage.hello();
    let Command::Hello(hello) = command else { panic!("{command:?}") };
    let voice =
        nightjar_model::Voice::Receipts { patience_ms: 15_000, push_if_unread_after_s: Some(30) };
    assert_eq!((hello.voice, hello.token_issued_at), (voice, WallMs(7)));
    stage.happens(WkInput::Reply(id, Ok(hello_reply(Vec::new(), Vec::new()))));
    let heard = stage.hears();
    let [Packet::Connack(ack)] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!((ack.time_diff, ack.reason, ack.server_version), (250, Reason::Success, 5));
}

#[test]
fn packets_that_came_too_early_wait_for_the_answer_to_the_connect() {
    let mut stage = Stage::new();
    let both = [connect().encode(4), Packet::Ping.encode(4)].concat();
    stage.happens(WkInput::Bytes(&both));
    assert!(!stage.session.wants_input());
    stage.happens(WkInput::Verified(Ok(WkPass { issued_at: WallMs(7) })));
    let id = stage.hello().0;
    stage.happens(WkInput::Reply(id, Ok(hello_reply(Vec::new(), Vec::new()))));
    let kinds = stage.hears();
    assert!(matches!(kinds[..], [Packet::Connack(_), Packet::Pong]), "{kinds:?}");
}

#[test]
fn every_refusal_has_a_connack_with_its_reason_and_ends_the_connection() {
    let good = || match connect() {
        Packet::Connect(connect) => connect,
        other => panic!("{other:?}"),
    };
    let cases = [
        (Connect { uid: String::new(), ..good() }, Reason::AuthFail),
        (Connect { uid: "a@b".into(), ..good() }, Reason::AuthFail),
        (Connect { client_key: String::new(), ..good() }, Reason::NoClientKey),
        (Connect { version: 0, ..good() }, Reason::UnsupportedHeader),
        (Connect { device_id: "x".repeat(200), ..good() }, Reason::UnsupportedHeader),
    ];
    for (connect, reason) in cases {
        let mut stage = Stage::new();
        let version = connect.version.max(2);
        stage.writes(&Packet::Connect(connect));
        let outputs = stage.outputs();
        let [WkOutput::Send(WkFrame::Binary(bytes)), end] = &outputs[..] else {
            panic!("{outputs:?}")
        };
        let frame = next_frame(&mut BytesMut::from(&bytes[..])).unwrap().unwrap();
        let Packet::Connack(ack) = Packet::decode(frame, version).unwrap() else { panic!() };
        assert_eq!((ack.reason, ack.server_key.as_str()), (reason, ""));
        assert!(is_close(end));
    }
    let mut stage = Stage::new();
    stage.writes(&connect());
    stage.happens(WkInput::Verified(Err(Reject::BadToken)));
    let heard = stage.hears();
    assert!(matches!(&heard[..], [Packet::Connack(ack)] if ack.reason == Reason::AuthFail));
}

#[test]
fn what_is_written_is_answered_and_marks_what_came_before_as_read_once() {
    let mut stage = Stage::live();
    let send = stage.send(7);
    stage.writes(&send);
    let (id, command) = stage.commands().remove(0);
    let Command::Send(draft) = command else { panic!("{command:?}") };
    assert_eq!(&draft.content[..], br#"{"type":"text","text":"yes"}"#);
    assert!(draft.push.is_none());
    stage.happens(WkInput::Reply(id, Ok(sent(3, false))));
    let outputs = stage.outputs();
    let reads = |outputs: &[WkOutput]| {
        outputs.iter().filter(|o| matches!(o, WkOutput::Command(_, Command::Read { .. }))).count()
    };
    assert_eq!((outputs.len(), reads(&outputs)), (2, 1), "{outputs:?}");
    let send = stage.send(8);
    stage.writes(&send);
    let id = stage.commands().remove(0).0;
    stage.happens(WkInput::Reply(id, Ok(sent(4, false))));
    assert_eq!(reads(&stage.outputs()), 0, "nothing came in between");
    stage.happens(WkInput::Notice(Notice::Wake(delivery(5))));
    let send = stage.send(9);
    stage.writes(&send);
    let id = stage.commands().remove(0).0;
    stage.happens(WkInput::Reply(id, Ok(sent(6, false))));
    assert_eq!(reads(&stage.outputs()), 1);
}

#[test]
fn a_confirmation_is_of_one_message_and_of_those_before_it() {
    let mut stage = Stage::live();
    for seq in 1..=3 {
        stage.happens(WkInput::Notice(Notice::Wake(delivery(seq))));
    }
    let heard = stage.hears();
    assert_eq!(heard.len(), 3);
    stage.writes(&ack(&heard[1]));
    let commands = stage.commands();
    let [(_, Command::Ack(items))] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!((items[0].stored, items[0].surfaced, &items[0].conversation), (2, 2, &chat()));
    // What was never given cannot be confirmed; it shows that the phone runs.
    stage.passes(1_000);
    let forged = Recvack { flags: Flags::default(), message_id: 77, message_seq: 9 };
    stage.writes(&Packet::Recvack(forged));
    let commands = stage.commands();
    assert!(matches!(commands[..], [(_, Command::Heard)]), "{commands:?}");
}

#[test]
fn the_lanes_hear_of_packets_while_something_is_not_confirmed_and_not_more_often_than_needed() {
    let mut stage = Stage::live();
    stage.passes(1_000);
    stage.writes(&Packet::Ping);
    assert!(stage.commands().is_empty(), "nothing is waited for");
    stage.happens(WkInput::Notice(Notice::Wake(delivery(1))));
    stage.outputs();
    stage.writes(&Packet::Ping);
    stage.writes(&Packet::Ping);
    assert_eq!(stage.commands().len(), 1);
    stage.happens(WkInput::Notice(Notice::Unresponsive));
    stage.writes(&Packet::Ping);
    assert!(matches!(stage.commands()[..], [(_, Command::Heard)]));
}

#[test]
fn only_a_kick_is_told_because_told_clients_do_not_come_back() {
    for (reason, is_told) in
        [(ByeReason::Kicked, true), (ByeReason::Replaced, false), (ByeReason::Slow, false)]
    {
        let mut stage = Stage::live();
        stage.happens(WkInput::Notice(Notice::Bye { reason, text: None }));
        let outputs = stage.outputs();
        let told = outputs.iter().filter(|output| matches!(output, WkOutput::Send(_))).count();
        assert_eq!(told, usize::from(is_told), "{reason:?}");
        assert!(is_close(outputs.last().unwrap()));
    }
}

#[test]
fn a_silent_connection_is_over_after_three_minutes() {
    let mut stage = Stage::live();
    stage.passes(179_999);
    stage.happens(WkInput::Timeout);
    assert!(stage.outputs().is_empty());
    assert_eq!(stage.session.wait_until(), Some(Mono(180_000)));
    stage.passes(1);
    stage.happens(WkInput::Timeout);
    let outputs = stage.outputs();
    assert!(matches!(outputs[..], [WkOutput::Command(_, Command::Lost), WkOutput::Close { .. }]));
}

#[test]
fn json_is_told_by_its_first_byte_and_answers_by_name() {
    let mut stage = Stage::new();
    let call =
        r#" {"id":"A","method":"connect","params":{"uid":"bob","token":"t","deviceFlag":2}}"#;
    let (head, tail) = call.split_at(30);
    stage.happens(WkInput::Bytes(head.as_bytes()));
    stage.happens(WkInput::Bytes(tail.as_bytes()));
    stage.happens(WkInput::Verified(Ok(WkPass { issued_at: WallMs(7) })));
    let id = stage.hello().0;
    stage.happens(WkInput::Reply(id, Ok(hello_reply(Vec::new(), Vec::new()))));
    let two = r#"{"id":"B","method":"ping"}{"id":"C","method":"dance"}{"id":"D","method":"send"}"#;
    stage.happens(WkInput::Bytes(two.as_bytes()));
    let texts: Vec<String> = stage
        .outputs()
        .into_iter()
        .filter_map(|output| match output {
            WkOutput::Send(WkFrame::Text(text)) => Some(text),
            _ => None,
        })
        .collect();
    assert_eq!(texts.len(), 4, "{texts:?}");
    assert!(texts[0].contains(r#""id":"A""#) && texts[0].contains(r#""reasonCode":1"#));
    assert!(texts[1].contains(r#""result":{}"#));
    assert!(texts[2].contains(r#""error""#) && texts[2].contains(r#""id":"C""#));
    assert!(texts[3].contains(r#""error""#) && texts[3].contains(r#""id":"D""#));
    assert_eq!(stage.session.phase, Phase::Live);
}

#[test]
fn a_drain_answers_what_was_asked_and_tells_nobody_to_stay_away() {
    let mut stage = Stage::live();
    let send = stage.send(1);
    stage.writes(&send);
    let id = stage.commands().remove(0).0;
    stage.happens(WkInput::Drain);
    assert_eq!(stage.session.phase, Phase::Draining);
    stage.happens(WkInput::Reply(id, Ok(sent(1, true))));
    let heard = stage.outputs();
    assert!(matches!(heard[0], WkOutput::Send(_)));
    assert!(is_close(heard.last().unwrap()));
    assert_eq!(heard.iter().filter(|o| matches!(o, WkOutput::Send(_))).count(), 1);
}

proptest! {
    /// Whatever comes, nothing panics, a close is the last word, and what is asked of the lanes is
    /// bounded.
    #[test]
    fn any_bytes_are_answered_or_close(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..20),
        kinds in prop::collection::vec(0_u8..13, 0..20),
        is_live in any::<bool>(),
    ) {
        let mut stage = if is_live { Stage::live() } else { Stage::new() };
        let mut open = 0_usize;
        for (at, piece) in pieces.iter().enumerate() {
            let mut bytes = piece.clone();
            if let (Some(kind), Some(first)) = (kinds.get(at), bytes.first_mut()) {
                *first = kind << 4 | (*first & 0x0f);
            }
            if !stage.session.wants_input() {
                break;
            }
            stage.happens(WkInput::Bytes(&bytes));
            let outputs = stage.outputs();
            let close = outputs.iter().position(is_close);
            prop_assert!(close.is_none_or(|at| at + 1 == outputs.len()));
            open += outputs.iter().filter(|o| matches!(o, WkOutput::Command(..))).count();
        }
        prop_assert!(open <= nightjar_model::limits::REQUESTS_IN_FLIGHT_MAX + 2);
        let _ = (Kind::ALL, Reply::Done, uid("bob"));
    }
}
