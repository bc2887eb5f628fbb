//! Anything may come in, in any order.

use bytes::Bytes;
use nightjar_model::{Backlog, ByeReason, Command, Notice, Reject, Reply, Seq};
use nightjar_wire::{Body, Kind, Packet, SERVER_SERIAL_MIN, body};
use proptest::prelude::*;

use super::play::*;
use crate::{Form, Frame, Input, Output, RequestId};

#[derive(Debug, Clone)]
enum Line {
    Client(Box<Packet>),
    Verified(bool),
    /// The reply to the open command of this place, if there is one.
    Reply(usize, Result<Reply, Reject>),
    Notice(Notice),
    Wait(u64),
    Drain,
    Closed,
}

fn packets() -> impl Strategy<Value = Line> {
    let conversation = prop_oneof![
        Just(chat().to_string()),
        Just(group(1).to_string()),
        Just(String::new()),
        "[a-z:/]{1,8}"
    ];
    let mark = prop_oneof![0_u64..12, Just(1 << 63), Just(u64::MAX)];
    let body = (conversation, mark.clone(), mark, any::<bool>()).prop_flat_map(
        |(conversation, seq, other, flag)| {
            let item = body::AckItem {
                conversation: conversation.clone(),
                stored: flag.then_some(seq),
                surfaced: Some(other),
            };
            let app_state = body::AppState {
                state: if flag { "background" } else { "foreground" }.into(),
                grace_ms: Some(seq as i64),
                conversation: flag.then(|| conversation.clone()),
                order: other,
                heartbeat_s: flag.then_some(seq as u32),
            };
            let history = body::History {
                conversation: conversation.clone(),
                after: flag.then_some(seq),
                before: Some(other),
                limit: Some(seq as u32),
            };
            let to = Some(body::To { user: Some(conversation.clone()), ..body::To::default() });
            let typing = body::Typing { to: to.clone(), ..body::Typing::default() };
            prop_oneof![
                3 => Just((Kind::Ack, Body::Ack(body::Ack { items: vec![item] }))),
                1 => Just((Kind::AppState, Body::AppState(app_state))),
                1 => Just((Kind::History, Body::History(history))),
                1 => Just((Kind::Read, Body::Read(body::Read { conversation, seq }))),
                2 => Just((Kind::Send, Body::Send(body::Send { to, ..send_body() }))),
                2 => Just((Kind::Send, Body::Send(send_body()))),
                1 => Just((Kind::Typing, Body::Typing(typing))),
                1 => Just((Kind::Ping, Body::Empty)),
                1 => Just((Kind::Withdraw, Body::Withdraw(body::Withdraw::default()))),
            ]
        },
    );
    let rare = prop_oneof![
        Just((Kind::Hello, Body::Hello(hello_body()))),
        Just((Kind::Logout, Body::Logout(body::Logout::default()))),
        Just((Kind::Bye, Body::Bye(body::Bye::default()))),
    ];
    let serial = prop_oneof![4 => 1_i32..100, 1 => Just(0)];
    (serial, prop_oneof![30 => body, 1 => rare]).prop_map(|(serial, (kind, body))| {
        Line::Client(Box::new(Packet::request(serial, kind, body)))
    })
}

fn replies() -> impl Strategy<Value = Result<Reply, Reject>> {
    let places = (0_u64..8, 0_u64..8);
    prop_oneof![
        3 => Just(Ok(Reply::Done)),
        3 => (1_u64..10, any::<bool>()).prop_map(|(seq, duplicate)| Ok(sent(seq, duplicate))),
        3 => places.clone().prop_map(|(from, head)| Ok(pulled(from..=head, head))),
        1 => places.prop_map(|(from, head_seq)| {
            let entries = (from..=head_seq).map(|seq| entry(&chat(), seq, "{}")).collect();
            Ok(Reply::History { entries, head_seq })
        }),
        1 => Just(Ok(hello_reply(Vec::new(), Vec::new()))),
        1 => prop::sample::select(&Reject::ALL[..]).prop_map(Err),
    ]
}

fn notices() -> impl Strategy<Value = Notice> {
    prop_oneof![
        8 => (0_u64..12).prop_map(|seq| Notice::Wake(delivery(seq))),
        1 => (0_usize..4).prop_map(|n| Notice::Withdraw(vec![nid(n)])),
        1 => Just(Notice::Unresponsive),
        1 => Just(Notice::Typing { conversation: chat(), from: uid("alice") }),
    ]
}

fn lines() -> impl Strategy<Value = Vec<Line>> {
    let line = prop_oneof![
        30 => packets(),
        30 => (0_usize..4, replies()).prop_map(|(at, reply)| Line::Reply(at, reply)),
        20 => notices().prop_map(Line::Notice),
        4 => (0_u64..40_000).prop_map(Line::Wait),
        1 => any::<bool>().prop_map(Line::Verified),
        1 => Just(Line::Drain),
        1 => Just(Line::Closed),
        1 => Just(Line::Notice(Notice::Bye { reason: ByeReason::Kicked, text: None })),
    ];
    prop::collection::vec(line, 0..80)
}

/// What a play came to.
#[derive(Default)]
struct Record {
    said: Vec<String>,
    open: Vec<RequestId>,
    hellos: usize,
    losts: usize,
    closes: usize,
}

impl Record {
    fn note(&mut self, output: &Output) {
        assert_eq!(self.closes, 0, "{output:?} after the end");
        match output {
            Output::Command(_, Command::Lost) => {
                self.losts += 1;
                assert_eq!((self.hellos, self.losts), (1, 1));
            }
            Output::Command(id, command) => {
                assert_eq!(self.losts, 0, "{command:?} after Lost");
                self.hellos += usize::from(matches!(command, Command::Hello(_)));
                self.open.push(*id);
            }
            Output::Close { .. } => {
                self.closes += 1;
                assert_eq!(self.losts, self.hellos);
            }
            Output::Send(frame) => return self.said.push(format!("{:?}", read(frame))),
            Output::Verify { .. } | Output::Measured(..) => {}
        }
        self.said.push(format!("{output:?}"));
    }
}

fn perform(form: Form, backlog: u64, lines: &[Line]) -> Record {
    let (mut stage, mut record) = (Stage::new(form), Record::default());
    if backlog < 8 {
        stage.joins((1..=backlog).map(|n| missing(n as usize)).collect());
        record.hellos = 1;
    }
    for line in lines {
        match line {
            Line::Client(packet) if stage.session.wants_input() => stage.writes(packet),
            Line::Client(_) => {}
            Line::Verified(true) => stage.happens(Input::Verified(Ok(claims()))),
            Line::Verified(false) => stage.happens(Input::Verified(Err(Reject::BadToken))),
            Line::Reply(at, reply) if *at < record.open.len() => {
                let id = record.open.remove(*at);
                stage.lanes_say(id, reply.clone());
            }
            Line::Reply(..) => {}
            Line::Notice(notice) => stage.lanes_notice(notice.clone()),
            Line::Wait(ms) => stage.time_passes(*ms),
            Line::Drain => stage.happens(Input::Drain { reconnect_after_ms: 1 }),
            Line::Closed => stage.happens(Input::Closed),
        }
        while let Some(output) = stage.next() {
            record.note(&output);
        }
    }
    stage.happens(Input::Closed);
    while let Some(output) = stage.next() {
        record.note(&output);
    }
    assert_eq!(record.losts, record.hellos, "the lanes must hear of the end");
    assert!(!stage.session.wants_input());
    record
}

fn missing(n: usize) -> Backlog {
    let conversation = if n == 1 { chat() } else { group(n) };
    Backlog { conversation, stored: 1, surfaced: 3, head: n as Seq * 4 }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// No order of events breaks the contract, and both forms tell the same story.
    #[test]
    fn both_forms_tell_the_same_story(backlog in 0_u64..10, lines in lines()) {
        let binary = perform(Form::Binary, backlog, &lines);
        let json = perform(Form::Json, backlog, &lines);
        prop_assert_eq!(binary.said, json.said);
    }

    /// Bytes that are almost packets, before and after the hello.
    #[test]
    fn garbage_never_breaks_it(
        joined in any::<bool>(),
        serial in prop_oneof![Just(1), Just(SERVER_SERIAL_MIN), any::<i32>()],
        command in -1_i32..30,
        code in 0_i32..3,
        bytes in prop::collection::vec(any::<u8>(), 0..64),
        text in ".{0,64}",
    ) {
        let length = 16 + bytes.len() as i32;
        let mut packet = Vec::new();
        for field in [length, serial, command, code] {
            packet.extend(field.to_be_bytes());
        }
        packet.extend(&bytes);
        let json = format!(
            r#"{{"serial":{serial},"command":"{}","code":{code},"body":{text}}}"#,
            Kind::from_number(command).map_or("nothing", Kind::name)
        );
        let inputs: [(Bytes, &str); 3] = [
            (packet.into(), &json),
            (bytes.into(), &text),
            (Bytes::new(), ""),
        ];
        for (binary, text) in inputs {
            for form in [Form::Binary, Form::Json] {
                let mut stage = Stage::new(form);
                if joined {
                    stage.joins(Vec::new());
                }
                match form {
                    Form::Binary => stage.happens(Input::Packet(&binary)),
                    Form::Json => stage.happens(Input::Text(text)),
                }
                let mut is_closed = false;
                while let Some(output) = stage.next() {
                    prop_assert!(!is_closed);
                    is_closed = matches!(output, Output::Close { .. });
                    if let Output::Send(Frame::Text(text)) = output {
                        prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
                    }
                }
            }
        }
    }
}
