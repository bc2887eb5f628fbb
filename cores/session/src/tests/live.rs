use bytes::Bytes;
use nightjar_model::{
    AppStateReport, BindingKey, ClientMsgId, Command, ConversationKind, ConversationSummary,
    GroupId, HistoryCommand, Measure, MemberView, MembersView, Mentions, Metric, Notice,
    NotificationId, Platform, PresenceCommand, PresenceStatus, PresenceView, Reject, Reply,
    ReportCommand, Role, SyncReply, Target, WallMs, limits,
};
use nightjar_wire::{Body, Kind, Packet, SERVER_SERIAL_MIN, body};

use super::play::*;
use crate::{Form, Input, Output, Session};

#[test]
fn answers_come_in_any_order_each_under_its_own_serial() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        let read = body::Read { conversation: chat().to_string(), seq: 4 };
        let first = stage.asks(Kind::Send, Body::Send(send_body()));
        let second = stage.asks(Kind::Read, Body::Read(read));
        let ((send, _), (read, command)) = (stage.lanes_get(), stage.lanes_get());
        assert_eq!(command, Command::Read { conversation: chat(), seq: 4 });
        stage.lanes_say(read, Ok(Reply::Badge { unread: 2, bv: 8 }));
        stage.lanes_say(send, Ok(sent(5, false)));
        let badge = Body::ReadAnswer(body::ReadAnswer { unread: 2, bv: 8 });
        assert_eq!(stage.client_hears_answer(second), badge);
        let Body::SendAnswer(answer) = stage.client_hears_answer(first) else { panic!() };
        assert_eq!((answer.seq, answer.at, answer.duplicate), (5, 5, false));
        stage.lanes_say(send, Ok(sent(5, false)));
        stage.nothing_more();
    });
}

#[test]
fn a_send_keeps_its_bytes_and_its_wishes() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        let content = Bytes::from_static(br#"{"type":"text", "text":"a  b"}"#);
        let send = body::Send {
            content: content.clone(),
            push: Some(body::Push {
                title: Some("T".into()),
                silent: true,
                data: Some(Bytes::from_static(br#"{"k":1}"#)),
                ..body::Push::default()
            }),
            options: Some(body::Options {
                expires_at: Some(99),
                mentions: vec!["carol".into()],
                ..body::Options::default()
            }),
            ..send_body()
        };
        stage.asks(Kind::Send, Body::Send(send));
        let Command::Send(send) = stage.lanes_get().1 else { panic!() };
        assert_eq!(send.to, Target::User(uid("alice")));
        assert_eq!(send.client_msg_id, ClientMsgId::parse("c1").unwrap());
        assert_eq!((send.content, send.sealed), (content, false));
        assert_eq!(send.expires_at, Some(WallMs(99)));
        let push = send.push.unwrap();
        assert_eq!((push.title.as_deref(), push.silent), (Some("T"), true));
        assert_eq!(push.data.as_deref(), Some(r#"{"k":1}"#));
        assert_eq!(push.mentions, Mentions::Users(vec![uid("carol")]));
    });
}

#[test]
fn each_request_becomes_its_command() {
    let since = Some("t1".to_owned());
    let bind = body::BindPush {
        provider: "apns".into(),
        credential: "main".into(),
        token: "abc".into(),
        environment: Some("sandbox".into()),
        ..body::BindPush::default()
    };
    let key = BindingKey { provider: "apns".into(), credential: "main".into() };
    let history = body::History {
        conversation: chat().to_string(),
        before: Some(9),
        limit: Some(5_000),
        ..body::History::default()
    };
    let unbind = body::UnbindPush { provider: "apns".into(), credential: "main".into() };
    let new = Bytes::from_static(br#"{"type":"text", "text":"new"}"#);
    let edit = body::Edit { conversation: chat().to_string(), seq: 3, content: new.clone() };
    let react =
        body::React { conversation: chat().to_string(), seq: 3, emoji: "+1".into(), remove: true };
    let recall = body::Recall { conversation: chat().to_string(), seq: 3 };
    let members = body::Members { group: "g1".into(), since: since.clone() };
    let asked: [(Kind, Body, Command); 8] = [
        (
            Kind::Sync,
            Body::Sync(body::Sync { since: since.clone(), limit: Some(9_999) }),
            Command::Sync { since: since.clone(), limit: 500 },
        ),
        (
            Kind::History,
            Body::History(history),
            Command::History(HistoryCommand {
                conversation: chat(),
                after: None,
                before: Some(9),
                limit: 200,
            }),
        ),
        (Kind::UnbindPush, Body::UnbindPush(unbind), Command::UnbindPush(key.clone())),
        (Kind::Recall, Body::Recall(recall), Command::Recall { conversation: chat(), seq: 3 }),
        (
            Kind::Edit,
            Body::Edit(edit),
            Command::Edit { conversation: chat(), seq: 3, content: new },
        ),
        (
            Kind::React,
            Body::React(react),
            Command::React { conversation: chat(), seq: 3, emoji: "+1".into(), remove: true },
        ),
        (
            Kind::Members,
            Body::Members(members),
            Command::Members { group: GroupId::parse("g1").unwrap(), since: since.clone() },
        ),
        (
            Kind::Logout,
            Body::Logout(body::Logout { unbind: Some(false) }),
            Command::Logout { unbind: false },
        ),
    ];
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        for (kind, body, command) in asked.clone() {
            stage.asks(kind, body);
            assert_eq!(stage.lanes_get().1, command);
        }
        stage.asks(Kind::BindPush, Body::BindPush(bind.clone()));
        let Command::BindPush(binding) = stage.lanes_get().1 else { panic!() };
        assert_eq!((binding.key, binding.token.expose().as_str()), (key.clone(), "abc"));
        assert_eq!(binding.bound_at, stage.now.wall);
    });
}

fn sends() -> Vec<(body::Send, Reject, &'static str)> {
    let to = |to| Some(to);
    let options = |options| Some(options);
    let push = |push| Some(push);
    let none = body::Options::default();
    vec![
        (body::Send { to: None, ..send_body() }, Reject::BadRequest, "to must name"),
        (
            body::Send {
                to: to(body::To { room: Some("r".into()), ..body::To::default() }),
                ..send_body()
            },
            Reject::BadRequest,
            "rooms",
        ),
        (
            body::Send {
                to: to(body::To { user: Some("a:b".into()), ..body::To::default() }),
                ..send_body()
            },
            Reject::BadRequest,
            "uid holds the character ':'",
        ),
        (
            body::Send { client_msg_id: String::new(), ..send_body() },
            Reject::BadRequest,
            "client_msg_id is empty",
        ),
        (
            body::Send { content: Bytes::from_static(b"[1]"), ..send_body() },
            Reject::BadRequest,
            "content must be a JSON object",
        ),
        (
            body::Send { content: Bytes::new(), ..send_body() },
            Reject::BadRequest,
            "content must be a JSON object",
        ),
        (
            body::Send {
                content: format!("{{\"a\":\"{}\"}}", "x".repeat(64 << 10)).into(),
                ..send_body()
            },
            Reject::TooLarge,
            "64 KiB",
        ),
        (
            body::Send {
                options: options(body::Options { mentions: vec![String::new()], ..none.clone() }),
                ..send_body()
            },
            Reject::Forbidden,
            "mention all",
        ),
        (
            body::Send {
                options: options(body::Options {
                    mentions: vec!["carol".into(); 257],
                    ..none.clone()
                }),
                ..send_body()
            },
            Reject::LimitReached,
            "256",
        ),
        (
            body::Send {
                options: options(body::Options { persist: Some(false), ..none }),
                ..send_body()
            },
            Reject::BadRequest,
            "persist",
        ),
        (
            body::Send {
                push: push(body::Push { title: Some("t".repeat(513)), ..body::Push::default() }),
                ..send_body()
            },
            Reject::TooLarge,
            "push.title",
        ),
        (
            body::Send {
                push: push(body::Push {
                    data: Some(Bytes::from_static(b"7")),
                    ..body::Push::default()
                }),
                ..send_body()
            },
            Reject::BadRequest,
            "push.data must be a JSON object",
        ),
    ]
}

#[test]
fn a_bad_send_is_refused_by_name_and_the_connection_lives() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        for (send, reject, text) in sends() {
            let serial = stage.asks(Kind::Send, Body::Send(send));
            let said = stage.client_hears_refusal(serial, reject);
            assert!(said.contains(text), "{said}");
            stage.nothing_more();
        }
        stage.asks(Kind::Send, Body::Send(send_body()));
        assert!(matches!(stage.lanes_get().1, Command::Send(_)));
    });
}

#[test]
fn content_that_is_not_json_is_refused() {
    for content in [&b"{"[..], b"{\"a\":1}}", b"\xff\xfe", b"{\"a\":\"\xff\"}", b"nothing"] {
        let mut stage = Stage::new(Form::Binary).joined();
        let content = Bytes::copy_from_slice(content);
        let serial = stage.asks(Kind::Send, Body::Send(body::Send { content, ..send_body() }));
        stage.client_hears_refusal(serial, Reject::BadRequest);
    }
    let mut stage = Stage::new(Form::Binary).joined();
    let content = format!("{}1{}", "{\"a\":".repeat(5_000), "}".repeat(5_000)).into();
    stage.asks(Kind::Send, Body::Send(body::Send { content, ..send_body() }));
    assert!(matches!(stage.lanes_get().1, Command::Send(_)), "depth alone is no harm");
}

#[test]
fn all_in_json_is_forbidden_to_clients() {
    let mut stage = Stage::new(Form::Json).joined();
    stage.happens(Input::Text(
        r#"{"serial":9,"command":"send","body":{"to":{"group":"g1"},"client_msg_id":"c",
        "content":{"type":"text"},"options":{"mentions":"all"}}}"#,
    ));
    stage.client_hears_refusal(9, Reject::Forbidden);
}

#[test]
fn a_request_without_a_serial_is_refused() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        stage.tells(Kind::Send, Body::Send(send_body()));
        assert!(stage.client_hears_refusal(0, Reject::BadRequest).contains("serial"));
    });
}

#[test]
fn what_only_the_server_sends_is_refused() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        let serial = stage.asks(Kind::ReadMarker, Body::ReadMarker(body::ReadMarker::default()));
        stage.client_hears_refusal(serial, Reject::BadRequest);
    });
}

#[test]
fn people_are_looked_at_and_seen() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        let status = body::PresenceStatus { status: "away".into(), text: None };
        let presence = body::Presence {
            subscribe: vec!["alice".into()],
            unsubscribe: vec!["carol".into()],
            set: Some(status.clone()),
            users: Vec::new(),
        };
        let serial = stage.asks(Kind::Presence, Body::Presence(presence));
        let (id, command) = stage.lanes_get();
        let view = PresenceView {
            uid: uid("alice"),
            online: true,
            last_seen: None,
            status: Some(PresenceStatus { status: "away".into(), text: None }),
        };
        let asked = PresenceCommand {
            subscribe: vec![uid("alice")],
            unsubscribe: vec![uid("carol")],
            set: view.status.clone(),
        };
        assert_eq!(command, Command::Presence(Box::new(asked)));
        stage.lanes_say(id, Ok(Reply::Presence(vec![view.clone()])));
        let alice = body::PresenceUser {
            uid: "alice".into(),
            online: true,
            last_seen: None,
            status: Some(status),
        };
        let users = vec![alice.clone()];
        let answer = Body::PresenceAnswer(body::PresenceAnswer { users });
        assert_eq!(stage.client_hears_answer(serial), answer);

        let gone = PresenceView { online: false, last_seen: Some(WallMs(9)), ..view };
        stage.happens(Input::Notice(Notice::Presence(gone)));
        let alice = body::PresenceUser { online: false, last_seen: Some(9), ..alice };
        let told = body::Presence { users: vec![alice], ..body::Presence::default() };
        assert_eq!(stage.client_hears().body, Body::Presence(told));
    });
}

#[test]
fn too_many_people_and_long_words_are_refused() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        let many = vec!["alice".to_owned(); 501];
        let status = |status: String, text| Some(body::PresenceStatus { status, text });
        for presence in [
            body::Presence { subscribe: many.clone(), ..body::Presence::default() },
            body::Presence { unsubscribe: many, ..body::Presence::default() },
            body::Presence { subscribe: vec!["a b".into()], ..body::Presence::default() },
            body::Presence { set: status(String::new(), None), ..body::Presence::default() },
        ] {
            let serial = stage.asks(Kind::Presence, Body::Presence(presence));
            stage.client_hears_refusal(serial, Reject::BadRequest);
        }
        for set in [status("x".repeat(33), None), status("x".into(), Some("x".repeat(257)))] {
            let presence = body::Presence { set, ..body::Presence::default() };
            let serial = stage.asks(Kind::Presence, Body::Presence(presence));
            stage.client_hears_refusal(serial, Reject::TooLarge);
        }
    });
}

#[test]
fn an_unknown_command_is_answered_and_the_connection_lives() {
    let mut stage = Stage::new(Form::Json).joined();
    for command in ["contacts", "teleport"] {
        let text = format!(r#"{{"serial":5,"command":"{command}","body":{{"x":1}}}}"#);
        stage.happens(Input::Text(&text));
        let Some(crate::Output::Send(crate::Frame::Text(answer))) = stage.next() else { panic!() };
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert_eq!((&answer["serial"], &answer["command"]), (&5.into(), &command.into()));
        assert_eq!(answer["code"], Reject::UnknownCommand.number());
        assert_eq!(answer["body"]["error"]["code"], "unknown_command");
    }
    let mut stage = Stage::new(Form::Binary).joined();
    for number in [24_i32, 99] {
        let mut packet = Packet::request(5, Kind::Ping, Body::Empty).to_bytes().to_vec();
        packet[8..12].copy_from_slice(&number.to_be_bytes());
        stage.happens(Input::Packet(&packet.into()));
        let Some(crate::Output::Send(crate::Frame::Binary(answer))) = stage.next() else {
            panic!()
        };
        let header = nightjar_wire::Header::parse(&answer).unwrap();
        assert_eq!((header.serial, header.command), (5, number));
        assert_eq!(header.code, Reject::UnknownCommand.number());
        assert_eq!(header.length as usize, answer.len());
    }
    stage.asks(Kind::Ping, Body::Empty);
    assert_eq!(stage.client_hears().body, Body::Empty);
}

#[test]
fn a_refusal_of_the_lanes_is_answered_and_some_end_the_connection() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        let serial = stage.asks(Kind::Send, Body::Send(send_body()));
        let (id, _) = stage.lanes_get();
        stage.lanes_say(id, Err(Reject::NotMember));
        stage.client_hears_refusal(serial, Reject::NotMember);
        let serial = stage.asks(Kind::Send, Body::Send(send_body()));
        let (id, _) = stage.lanes_get();
        stage.lanes_say(id, Err(Reject::Busy));
        stage.client_hears_refusal(serial, Reject::Busy);
        assert_eq!(stage.client_hears_bye().reason, "slow");
        stage.ends(1_000);
    });
}

fn app_state(state: &str, order: u64) -> Body {
    Body::AppState(body::AppState { state: state.into(), order, ..body::AppState::default() })
}

#[test]
fn an_older_app_state_is_answered_and_ignored() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        let serial = stage.asks(Kind::AppState, app_state("background", 5));
        let (id, command) = stage.lanes_get();
        assert_eq!(command, Command::AppState(AppStateReport::Background { grace_ms: 0 }));
        stage.lanes_say(id, Ok(Reply::Done));
        stage.client_hears_answer(serial);
        let serial = stage.asks(Kind::AppState, app_state("foreground", 4));
        stage.client_hears_answer(serial);
        stage.nothing_more();
        stage.tells(Kind::AppState, app_state("foreground", 5));
        let (id, command) = stage.lanes_get();
        let foreground = AppStateReport::Foreground { conversation: None };
        assert_eq!(command, Command::AppState(foreground));
        stage.lanes_say(id, Ok(Reply::Done));
        stage.nothing_more();
        let serial = stage.asks(Kind::AppState, app_state("asleep", 9));
        stage.client_hears_refusal(serial, Reject::BadRequest);
        stage.asks(Kind::AppState, app_state("background", 6));
        assert!(matches!(stage.lanes_get().1, Command::AppState(_)), "a bad report moves nothing");
    });
}

#[test]
fn withdrawals_are_asked_and_confirmed() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        stage.lanes_notice(Notice::Withdraw(vec![nid(1), nid(2)]));
        let request = stage.client_hears();
        assert_eq!((request.kind, request.serial), (Kind::Withdraw, SERVER_SERIAL_MIN));
        stage.writes(&Packet::answer(request.serial, Kind::Withdraw, Body::Empty));
        assert_eq!(stage.lanes_get().1, Command::Withdrawn(vec![nid(1), nid(2)]));
        stage.writes(&Packet::answer(request.serial, Kind::Withdraw, Body::Empty));
        stage.nothing_more();
        stage.lanes_notice(Notice::Withdraw(vec![nid(3)]));
        let serial = stage.client_hears().serial;
        stage.writes(&Packet::reject(serial, Kind::Withdraw, Reject::Internal));
        stage.nothing_more();
    });
}

#[test]
fn a_frame_of_an_unresponsive_device_is_told_once_and_first() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        stage.lanes_notice(Notice::Unresponsive);
        stage.asks(Kind::Send, Body::Send(send_body()));
        assert_eq!(stage.lanes_get().1, Command::Heard);
        assert!(matches!(stage.lanes_get().1, Command::Send(_)));
        stage.asks(Kind::Ping, Body::Empty);
        stage.client_hears();
        stage.nothing_more();
    });
}

#[test]
fn markers_and_typing_are_passed_on() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        let conversation = chat();
        stage.lanes_notice(Notice::ReadMarker { conversation, seq: 4, unread: 1, bv: 3 });
        let Body::ReadMarker(marker) = stage.client_hears().body else { panic!() };
        assert_eq!((marker.seq, marker.unread, marker.bv), (4, 1, 3));
        stage.lanes_notice(Notice::Typing { conversation: chat(), from: uid("alice") });
        let Body::Typing(typing) = stage.client_hears().body else { panic!() };
        assert_eq!(typing.from.as_deref(), Some("alice"));
        let to = Some(body::To { group: Some("g1".into()), ..body::To::default() });
        stage.tells(Kind::Typing, Body::Typing(body::Typing { to, ..body::Typing::default() }));
        let (id, command) = stage.lanes_get();
        assert_eq!(command, Command::Typing(Target::Group(GroupId::parse("g1").unwrap())));
        stage.lanes_say(id, Err(Reject::NotMember));
        stage.nothing_more();
    });
}

#[test]
fn reports_name_notifications() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        let report = |arrived: &str| {
            Body::Report(body::Report { arrived: vec![arrived.into()], ..body::Report::default() })
        };
        stage.tells(Kind::Report, report("m.1"));
        let arrived = vec![NotificationId::parse("m.1").unwrap()];
        let report_of = ReportCommand { arrived, ..ReportCommand::default() };
        assert_eq!(stage.lanes_get().1, Command::Report(report_of));
        stage.tells(Kind::Report, report(""));
        stage.client_hears_refusal(0, Reject::BadRequest);
    });
}

#[test]
fn what_a_client_measured_goes_to_the_shell_under_names_of_the_list() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        let metric = |name: &str, value| body::Metric { name: name.into(), value, count: u64::MAX };
        let metrics = vec![metric("connect_time_ms", u64::MAX), metric("of a later version", 1)];
        let report = |metrics| Body::Report(body::Report { metrics, ..body::Report::default() });
        stage.tells(Kind::Report, report(metrics));
        let (value, count) = (limits::METRIC_VALUE_MAX, limits::METRIC_COUNT_MAX);
        let measure = Measure { metric: Metric::ConnectTime, value, count };
        assert_eq!(stage.shell_gets(), Output::Measured(Platform::Ios, vec![measure]));
        stage.nothing_more();
        stage.tells(Kind::Report, report(vec![metric("zombie_socket", 0); 257]));
        stage.client_hears_refusal(0, Reject::BadRequest);
    });
}

#[test]
fn a_page_of_conversations_always_fits_a_packet() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        let long = format!("{{\"type\":\"text\",\"text\":\"{}\"}}", "x".repeat(60_000));
        let serial = stage.asks(Kind::Sync, Body::Sync(body::Sync::default()));
        let (id, _) = stage.lanes_get();
        let conversations = (0..500)
            .map(|n| ConversationSummary {
                conversation: group(n),
                kind: ConversationKind::Group,
                peer: None,
                name: Some("\"".repeat(256)),
                head_seq: 1,
                read_seq: 0,
                unread: 1,
                mentions: 0,
                last: Some(entry(&group(n), 1, &long)),
            })
            .collect();
        let sync = SyncReply { conversations, next: "t2".into(), ..SyncReply::default() };
        stage.lanes_say(id, Ok(Reply::Sync(Box::new(sync))));
        let Body::SyncAnswer(answer) = stage.client_hears_answer(serial) else { panic!() };
        assert_eq!((answer.conversations.len(), answer.next.as_str()), (500, "t2"));
        assert!(answer.conversations[0].last.is_some());
        assert!(answer.conversations[499].last.is_none());
    });
}

#[test]
fn an_idle_session_is_small() {
    assert!(size_of::<Session>() <= 448, "{} bytes", size_of::<Session>());
}

#[test]
fn members_are_told_with_role_and_version() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        let asked = body::Members { group: "crew".into(), since: None };
        let serial = stage.asks(Kind::Members, Body::Members(asked));
        let (id, _) = stage.lanes_get();
        let member = |name, role, ver| MemberView { uid: uid(name), role, ver };
        let page = MembersView {
            members: vec![member("alice", Role::Owner, 1), member("bob", Role::Member, 4)],
            removed: vec![uid("carol")],
            next: "v1.4.bob".into(),
        };
        stage.lanes_say(id, Ok(Reply::Members(page)));
        let Body::MembersAnswer(answer) = stage.client_hears_answer(serial) else { panic!() };
        let told: Vec<_> = answer
            .members
            .iter()
            .map(|one| (one.uid.as_str(), one.role.as_str(), one.ver))
            .collect();
        assert_eq!(told, [("alice", "owner", 1), ("bob", "member", 4)]);
        assert_eq!((answer.removed, answer.next.as_str()), (vec!["carol".to_owned()], "v1.4.bob"));
    });
}
