use bytes::Bytes;
use nightjar_model::{ByeReason, Command, Notice, Reject, Reply};
use nightjar_wire::{Body, Kind, Packet, SERVER_SERIAL_MIN, WireError, body};

use super::play::*;
use crate::{Form, Input, Output};

#[test]
fn a_silent_peer_is_asked_and_then_dropped() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        stage.time_passes(29_999);
        stage.nothing_more();
        stage.time_passes(1);
        let ping = stage.client_hears();
        assert_eq!((ping.kind, ping.serial), (Kind::Ping, SERVER_SERIAL_MIN));
        stage.time_passes(14_999);
        stage.nothing_more();
        stage.time_passes(1);
        stage.ends(0);
    });
}

#[test]
fn any_packet_answers_a_ping() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        stage.time_passes(30_000);
        let ping = stage.client_hears();
        stage.time_passes(14_999);
        stage.writes(&Packet::answer(ping.serial, Kind::Ping, Body::Empty));
        stage.time_passes(29_999);
        stage.nothing_more();
        stage.time_passes(1);
        let ping = stage.client_hears();
        assert_eq!(ping.serial, SERVER_SERIAL_MIN + 1, "a serial is used once");
        stage.tells(Kind::Ack, ack_body(1, 1));
        stage.time_passes(15_000);
        stage.nothing_more();
    });
}

#[test]
fn silence_counts_while_the_peer_keeps_us_from_writing() {
    let mut stage = Stage::new(Form::Binary).joined();
    // The shell is stuck in a write and takes nothing.
    for serial in 100.. {
        let request = Packet::request(serial, Kind::Send, Body::Send(send_body()));
        stage.session.handle(Input::Packet(&request.to_bytes()), stage.now);
        if !stage.session.wants_input() {
            break;
        }
    }
    for seconds in [30, 15] {
        assert!(!stage.session.is_over());
        stage.now.mono = stage.now.mono.after(seconds * 1_000);
        assert!(stage.session.wait_until().is_some_and(|at| at <= stage.now.mono));
        stage.session.handle(Input::Timeout, stage.now);
    }
    assert!(stage.session.is_over());
}

#[test]
fn silence_does_not_count_while_the_lanes_keep_us_from_reading() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        let mut asked = Vec::new();
        while stage.session.wants_input() {
            let serial = stage.asks(Kind::Send, Body::Send(send_body()));
            asked.push((serial, stage.lanes_get().0));
        }
        assert_eq!(asked.len(), 64);
        stage.time_passes(600_000);
        stage.nothing_more();
        stage.lanes_say(asked[0].1, Ok(sent(1, false)));
        stage.client_hears_answer(asked[0].0);
        assert!(stage.session.wants_input());
        stage.time_passes(29_999);
        stage.nothing_more();
        stage.time_passes(1);
        assert_eq!(stage.client_hears().kind, Kind::Ping);
    });
}

#[test]
fn a_logout_is_answered_and_ends() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        let serial = stage.asks(Kind::Logout, Body::Logout(body::Logout::default()));
        let (id, command) = stage.lanes_get();
        assert_eq!(command, Command::Logout { unbind: true });
        stage.lanes_say(id, Ok(Reply::Done));
        stage.client_hears_answer(serial);
        stage.ends(1_000);
    });
}

#[test]
fn the_lanes_may_end_it_with_a_reason() {
    for reason in [ByeReason::Kicked, ByeReason::Replaced] {
        in_both_forms(|stage| {
            let mut stage = stage.joined();
            stage.lanes_notice(Notice::Bye { reason, text: Some("sold".into()) });
            let bye = stage.client_hears_bye();
            assert_eq!((bye.reason.as_str(), bye.text.as_deref()), (reason.as_str(), Some("sold")));
            stage.ends(1_000);
        });
    }
}

#[test]
fn the_client_may_end_it() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        let bye = body::Bye { reason: "background".into(), ..body::Bye::default() };
        stage.tells(Kind::Bye, Body::Bye(bye));
        stage.ends(1_000);
    });
}

#[test]
fn a_lost_socket_is_told_to_the_lanes_once() {
    in_both_forms(|mut stage| {
        stage.happens(Input::Closed);
        stage.nothing_more();
    });
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        stage.asks(Kind::Send, Body::Send(send_body()));
        let (id, _) = stage.lanes_get();
        stage.happens(Input::Closed);
        assert_eq!(stage.lanes_get().1, Command::Lost);
        stage.lanes_say(id, Ok(sent(1, false)));
        stage.happens(Input::Closed);
        stage.alice_writes(2);
        stage.happens(Input::Timeout);
        stage.happens(Input::Drain { reconnect_after_ms: 1 });
        stage.nothing_more();
    });
}

#[test]
fn a_drain_waits_for_the_answers() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        let serial = stage.asks(Kind::Send, Body::Send(send_body()));
        let (id, _) = stage.lanes_get();
        stage.happens(Input::Drain { reconnect_after_ms: 700 });
        stage.alice_writes(1);
        stage.nothing_more();
        stage.lanes_say(id, Ok(sent(2, false)));
        stage.client_hears_answer(serial);
        let bye = stage.client_hears_bye();
        assert_eq!((bye.reason.as_str(), bye.reconnect_after_ms), ("drain", Some(700)));
        stage.ends(1_000);
    });
}

#[test]
fn a_drain_does_not_wait_longer_than_two_seconds() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        stage.asks(Kind::Send, Body::Send(send_body()));
        stage.lanes_get();
        stage.happens(Input::Drain { reconnect_after_ms: 700 });
        stage.time_passes(1_999);
        stage.nothing_more();
        stage.time_passes(1);
        assert_eq!(stage.client_hears_bye().reason, "drain");
        stage.ends(1_000);
    });
}

/// What is on the screen and not acknowledged would be pushed.
#[test]
fn a_drain_waits_for_the_acknowledgement_of_what_was_delivered() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        stage.alice_writes(1);
        assert_eq!(stage.client_gets(), [1]);
        stage.happens(Input::Drain { reconnect_after_ms: 700 });
        assert!(stage.session.wants_input());
        stage.nothing_more();
        stage.tells(Kind::Ack, ack_body(1, 1));
        let (id, command) = stage.lanes_get();
        assert!(matches!(command, Command::Ack(_)), "{command:?}");
        stage.nothing_more();
        stage.lanes_say(id, Ok(Reply::Done));
        assert_eq!(stage.client_hears_bye().reason, "drain");
        stage.ends(1_000);
    });
}

#[test]
fn a_drain_waits_half_a_second_for_a_client_that_acknowledges_nothing() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        stage.alice_writes(1);
        assert_eq!(stage.client_gets(), [1]);
        stage.happens(Input::Drain { reconnect_after_ms: 700 });
        stage.time_passes(499);
        stage.nothing_more();
        stage.time_passes(1);
        assert_eq!(stage.client_hears_bye().reason, "drain");
        stage.ends(1_000);
    });
}

#[test]
fn a_draining_server_takes_nothing_new() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        let first = stage.asks(Kind::Send, Body::Send(send_body()));
        let (id, _) = stage.lanes_get();
        stage.happens(Input::Drain { reconnect_after_ms: 700 });
        let second = stage.asks(Kind::Send, Body::Send(send_body()));
        stage.client_hears_refusal(second, Reject::Draining);
        stage.tells(Kind::Typing, Body::Typing(Default::default()));
        stage.nothing_more();
        stage.lanes_say(id, Ok(sent(2, false)));
        stage.client_hears_answer(first);
        assert_eq!(stage.client_hears_bye().reason, "drain");
        stage.ends(1_000);
    });
}

#[test]
fn a_drain_ends_an_idle_connection_and_a_hello_on_its_way_at_once() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        stage.happens(Input::Drain { reconnect_after_ms: 5 });
        assert_eq!(stage.client_hears_bye().reconnect_after_ms, Some(5));
        stage.ends(1_000);
    });
    in_both_forms(|mut stage| {
        let serial = stage.asks(Kind::Hello, Body::Hello(hello_body()));
        stage.shell_verifies();
        stage.happens(Input::Drain { reconnect_after_ms: 5 });
        stage.client_hears_refusal(serial, Reject::Draining);
        assert_eq!(stage.client_hears_bye().reason, "drain");
        stage.closes(1_000);
    });
}

#[test]
fn what_cannot_be_read_is_answered_with_bye_protocol() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        stage.happens(Input::Broken(WireError::BadLength { length: 3 }));
        let bye = stage.client_hears_bye();
        assert_eq!(bye.reason, "protocol");
        assert!(bye.text.unwrap().contains("length"));
        stage.ends(1_000);
    });
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        stage.happens(Input::Text("{}}"));
        assert_eq!(stage.client_hears_bye().reason, "protocol");
        stage.ends(1_000);
    });
    in_both_forms(|mut stage| {
        stage.happens(Input::Packet(&Bytes::from_static(b"GET / HTTP/1.1\r\n\r\n")));
        assert_eq!(stage.client_hears_bye().reason, "protocol");
        stage.closes(1_000);
    });
}

#[test]
fn a_request_whose_body_cannot_be_read_gets_its_answer_before_the_bye() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        stage.happens(Input::Text(r#"{"serial":5,"command":"read","body":{"seq":"many"}}"#));
        stage.client_hears_refusal(5, Reject::BadFrame);
        assert_eq!(stage.client_hears_bye().reason, "protocol");
        stage.ends(1_000);
    });
}

#[test]
fn a_client_that_does_not_take_what_is_sent_is_slow() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        let typing = || Notice::Typing { conversation: chat(), from: uid("alice") };
        for _ in 0..512 {
            stage.session.handle(Input::Notice(typing()), stage.now);
        }
        assert!(!stage.session.wants_input());
        stage.session.handle(Input::Notice(typing()), stage.now);
        let outputs: Vec<Output> = std::iter::from_fn(|| stage.session.poll()).collect();
        assert_eq!(outputs.len(), 512 + 3);
        let Output::Send(frame) = &outputs[512] else { panic!("{:?}", outputs[512]) };
        let Body::Bye(bye) = read(frame).body else { panic!() };
        assert_eq!(bye.reason, "slow");
        assert!(matches!(outputs[513], Output::Command(_, Command::Lost)));
        assert_eq!(outputs[514], Output::Close { linger_ms: 1_000 });
    });
}
