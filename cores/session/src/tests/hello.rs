use nightjar_model::{AppStateReport, Command, Notice, Platform, Reject, Secret, WallMs};
use nightjar_wire::{Body, Kind, Packet, body};

use super::play::*;
use crate::{Claims, Input, Output};

#[test]
fn a_hello_is_checked_joined_and_answered() {
    in_both_forms(|mut stage| {
        let hello = body::Hello { resume: Some("r0".into()), ..hello_body() };
        let serial = stage.asks(Kind::Hello, Body::Hello(hello));
        let Some(Output::Verify { token, device_id }) = stage.next() else { panic!("no Verify") };
        assert_eq!((token.expose().as_str(), device_id.as_str()), ("good", "phone"));
        assert!(!stage.session.wants_input(), "nothing before its answer");

        let push_token = Some(Secret::new("looks up".to_owned()));
        stage.happens(Input::Verified(Ok(Claims { push_token, ..claims() })));
        let (id, command) = stage.lanes_get();
        let Command::Hello(hello) = command else { panic!("{command:?}") };
        assert_eq!((hello.uid.as_str(), hello.device_id.as_str()), ("bob", "phone"));
        assert_eq!((hello.platform, hello.token_issued_at), (Platform::Ios, WallMs(7)));
        assert_eq!(hello.state, AppStateReport::Foreground { conversation: None });
        assert_eq!(hello.resume.as_deref(), Some("r0"));

        stage.lanes_say(id, Ok(hello_reply(Vec::new(), Vec::new())));
        let Body::HelloAnswer(answer) = stage.client_hears_answer(serial) else { panic!() };
        assert_eq!((answer.uid.as_str(), answer.session.as_str()), ("bob", "s1"));
        assert_eq!((answer.resume.as_str(), answer.resumed), ("r1", false));
        assert_eq!((answer.unread, answer.bv), (3, 9));
        assert_eq!(answer.push_token_scope.as_deref(), Some("looks up"));
        assert_eq!(answer.server_time, stage.now.wall.0);
        assert_eq!((answer.heartbeat_s, answer.ack_deadline_ms), (30, 5_000));
        let limits = answer.limits.unwrap();
        assert_eq!((limits.packet_bytes, limits.content_bytes), (1 << 20, 64 << 10));
        assert_eq!((limits.unacked_messages, limits.requests_in_flight), (256, 64));
        stage.nothing_more();
        assert!(stage.session.wants_input());
    });
}

#[test]
fn a_hello_in_the_background_has_a_bounded_grace() {
    let cases =
        [(None, 0), (Some(9_000), 9_000), (Some(60_000), 25_000), (Some(-1), -1), (Some(-7), 0)];
    for (asked, granted) in cases {
        in_both_forms(|mut stage| {
            let hello =
                body::Hello { app_state: "background".into(), grace_ms: asked, ..hello_body() };
            stage.asks(Kind::Hello, Body::Hello(hello));
            stage.shell_verifies();
            stage.happens(Input::Verified(Ok(claims())));
            let Command::Hello(hello) = stage.lanes_get().1 else { panic!() };
            assert_eq!(hello.state, AppStateReport::Background { grace_ms: granted });
        });
    }
}

#[test]
fn without_a_hello_it_ends_after_ten_seconds() {
    in_both_forms(|mut stage| {
        stage.time_passes(9_999);
        stage.nothing_more();
        stage.time_passes(1);
        let bye = stage.client_hears_bye();
        assert_eq!(bye.reason, "protocol");
        assert!(bye.text.unwrap().contains("hello"));
        stage.closes(1_000);
    });
}

#[test]
fn the_first_packet_must_be_hello() {
    in_both_forms(|mut stage| {
        let serial = stage.asks(Kind::Send, Body::Send(send_body()));
        stage.client_hears_refusal(serial, Reject::HelloExpected);
        assert_eq!(stage.client_hears_bye().reason, "protocol");
        stage.closes(1_000);
    });
}

#[test]
fn only_the_first_packet_may_be_hello() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        let serial = stage.asks(Kind::Hello, Body::Hello(hello_body()));
        stage.client_hears_refusal(serial, Reject::HelloExpected);
        assert_eq!(stage.client_hears_bye().reason, "protocol");
        stage.ends(1_000);
    });
}

#[test]
fn a_newer_protocol_is_refused_with_the_highest_we_speak() {
    in_both_forms(|mut stage| {
        let hello = body::Hello { protocol: Some(2), ..hello_body() };
        let serial = stage.asks(Kind::Hello, Body::Hello(hello));
        let text = stage.client_hears_refusal(serial, Reject::UnsupportedVersion);
        assert!(text.contains('1'), "{text}");
        assert_eq!(stage.client_hears_bye().reason, "protocol");
        stage.closes(1_000);
    });
}

#[test]
fn a_wrong_field_is_named_and_may_be_corrected() {
    let wrong: [(body::Hello, &str); 5] = [
        (body::Hello { device_id: String::new(), ..hello_body() }, "device_id is empty"),
        (body::Hello { platform: "amiga".into(), ..hello_body() }, "platform must be one of ios"),
        (body::Hello { app_state: String::new(), ..hello_body() }, "app_state must be"),
        (body::Hello { app_state: "offline".into(), ..hello_body() }, "app_state must be"),
        (body::Hello { resume: Some("x".repeat(2_000)), ..hello_body() }, "resume may have"),
    ];
    for (hello, text) in wrong {
        in_both_forms(|mut stage| {
            let serial = stage.asks(Kind::Hello, Body::Hello(hello.clone()));
            let packet = stage.client_hears();
            let Body::Error(body::Error { error: Some(error) }) = packet.body else { panic!() };
            assert_eq!(packet.serial, serial);
            assert!(error.message.contains(text), "{}", error.message);
            assert!(stage.session.wants_input());
            stage.joins(Vec::new());
        });
    }
}

#[test]
fn a_hello_is_a_request() {
    in_both_forms(|mut stage| {
        stage.tells(Kind::Hello, Body::Hello(hello_body()));
        assert!(stage.client_hears_refusal(0, Reject::BadRequest).contains("serial"));
        stage.joins(Vec::new());
    });
}

#[test]
fn a_token_of_another_device_is_a_bad_token() {
    in_both_forms(|mut stage| {
        let serial = stage.asks(Kind::Hello, Body::Hello(hello_body()));
        stage.shell_verifies();
        let device_id = Some(nightjar_model::DeviceId::parse("tablet").unwrap());
        stage.happens(Input::Verified(Ok(Claims { device_id, ..claims() })));
        stage.client_hears_refusal(serial, Reject::BadToken);
        assert_eq!(stage.client_hears_bye().reason, "protocol");
        stage.closes(1_000);
    });
}

#[test]
fn a_token_may_be_refused_by_the_shell_or_by_the_lanes() {
    in_both_forms(|mut stage| {
        let serial = stage.asks(Kind::Hello, Body::Hello(hello_body()));
        stage.shell_verifies();
        stage.happens(Input::Verified(Err(Reject::TokenExpired)));
        stage.client_hears_refusal(serial, Reject::TokenExpired);
        assert_eq!(stage.client_hears_bye().reason, "expired");
        stage.closes(1_000);
    });
    let refusals = [
        (Reject::TokenRevoked, "kicked"),
        (Reject::LimitReached, "protocol"),
        (Reject::Internal, "slow"),
    ];
    for (reject, reason) in refusals {
        in_both_forms(|mut stage| {
            let serial = stage.asks(Kind::Hello, Body::Hello(hello_body()));
            stage.shell_verifies();
            stage.happens(Input::Verified(Ok(claims())));
            let (id, _) = stage.lanes_get();
            stage.lanes_say(id, Err(reject));
            stage.client_hears_refusal(serial, reject);
            assert_eq!(stage.client_hears_bye().reason, reason);
            stage.ends(1_000);
        });
    }
}

#[test]
fn what_the_lanes_say_before_their_answer_comes_after_it() {
    in_both_forms(|mut stage| {
        let serial = stage.asks(Kind::Hello, Body::Hello(hello_body()));
        stage.shell_verifies();
        stage.happens(Input::Verified(Ok(claims())));
        let (id, _) = stage.lanes_get();
        stage.alice_writes(4);
        stage.lanes_notice(Notice::Unresponsive);
        stage.nothing_more();
        stage.lanes_say(id, Ok(hello_reply(Vec::new(), vec![nid(1)])));
        stage.client_hears_answer(serial);
        let Body::Withdraw(withdraw) = stage.client_hears().body else { panic!() };
        assert_eq!(withdraw.notification_ids, ["c.g:1"]);
        assert_eq!(stage.client_gets(), [4]);
    });
}

#[test]
fn lanes_that_never_answer_a_hello_do_not_hold_it_forever() {
    in_both_forms(|mut stage| {
        let serial = stage.asks(Kind::Hello, Body::Hello(hello_body()));
        stage.shell_verifies();
        stage.happens(Input::Verified(Ok(claims())));
        stage.lanes_get();
        stage.time_passes(10_000);
        stage.client_hears_refusal(serial, Reject::Busy);
        assert_eq!(stage.client_hears_bye().reason, "slow");
        stage.ends(1_000);
    });
}

#[test]
fn a_packet_while_the_hello_is_looked_at_ends_the_connection() {
    in_both_forms(|mut stage| {
        stage.asks(Kind::Hello, Body::Hello(hello_body()));
        stage.shell_verifies();
        stage.writes(&Packet::request(9, Kind::Ping, Body::Empty));
        stage.client_hears_refusal(9, Reject::HelloExpected);
        assert_eq!(stage.client_hears_bye().reason, "protocol");
        stage.closes(1_000);
    });
}
