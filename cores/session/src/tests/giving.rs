use nightjar_model::{
    AckItem, Backlog, Command, ConversationId, Notice, Reject, Reply, Seq, SharedPackets,
};
use nightjar_wire::{Body, Kind, body};

use super::play::*;
use crate::{Form, Frame, Output, RequestId};

fn lanes_get_pull(stage: &mut Stage) -> (RequestId, Seq, usize) {
    match stage.lanes_get() {
        (id, Command::Pull { conversation, after, limit }) => {
            assert_eq!(conversation, chat());
            (id, after, limit)
        }
        other => panic!("expected a pull, got {other:?}"),
    }
}

fn lanes_get_ack(stage: &mut Stage) -> Vec<(Seq, Seq)> {
    match stage.lanes_get().1 {
        Command::Ack(items) => {
            items.iter().map(|AckItem { stored, surfaced, .. }| (*stored, *surfaced)).collect()
        }
        other => panic!("expected an ack, got {other:?}"),
    }
}

fn missing(stored: Seq, surfaced: Seq, head: Seq) -> Vec<Backlog> {
    vec![Backlog { conversation: chat(), stored, surfaced, head }]
}

#[test]
fn a_wake_up_is_a_delivery() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        stage.alice_writes(7);
        let packet = stage.client_hears();
        assert_eq!((packet.serial, packet.kind), (0, Kind::Deliver));
        let Body::Deliver(deliver) = packet.body else { panic!() };
        let message = &deliver.messages[0];
        assert_eq!((message.seq, message.from.as_str()), (7, "alice"));
        assert_eq!(message.conversation, chat().to_string());
        assert_eq!(message.content.as_ref(), br#"{"type":"text","text":"hi"}"#);
        assert_eq!((message.alert, message.pushed), (true, false));
        stage.tells(Kind::Ack, ack_body(7, 7));
        assert_eq!(lanes_get_ack(&mut stage), [(7, 7)]);
        stage.tells(Kind::Ack, ack_body(7, 7));
        stage.nothing_more();
    });
}

#[test]
fn a_delivery_is_encoded_once_for_all_connections() {
    let mut delivery = delivery(7);
    delivery.packets = SharedPackets::default();
    let heard = [(); 2].map(|()| {
        let mut stage = Stage::new(Form::Binary).joined();
        stage.lanes_notice(Notice::Wake(delivery.clone()));
        match stage.next() {
            Some(Output::Send(Frame::Binary(bytes))) => bytes,
            other => panic!("{other:?}"),
        }
    });
    assert_eq!(heard[0].as_ptr(), heard[1].as_ptr());
}

#[test]
fn after_a_hello_the_backlog_is_pulled_in_pieces() {
    in_both_forms(|mut stage| {
        stage.joins(missing(10, 10, 110));
        let (id, after, limit) = lanes_get_pull(&mut stage);
        assert_eq!((after, limit), (10, 64));
        stage.alice_writes(111);
        stage.nothing_more();
        stage.lanes_say(id, Ok(pulled(11..=74, 111)));
        assert_eq!(stage.client_gets(), Vec::from_iter(11..=74));
        let (id, after, limit) = lanes_get_pull(&mut stage);
        assert_eq!((after, limit), (74, 37));
        stage.lanes_say(id, Ok(pulled(75..=111, 111)));
        assert_eq!(stage.client_gets(), Vec::from_iter(75..=111));
        stage.nothing_more();
        stage.alice_writes(112);
        assert_eq!(stage.client_gets(), [112]);
    });
}

#[test]
fn a_client_that_does_not_acknowledge_gets_256_and_then_waits() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        for seq in 1..=300 {
            stage.alice_writes(seq);
        }
        assert_eq!(stage.client_gets(), Vec::from_iter(1..=256));
        stage.nothing_more();
        stage.tells(Kind::Ack, ack_body(100, 0));
        assert_eq!(lanes_get_ack(&mut stage), [(100, 0)]);
        let (id, after, limit) = lanes_get_pull(&mut stage);
        assert_eq!((after, limit), (256, 44));
        stage.lanes_say(id, Ok(pulled(257..=300, 300)));
        assert_eq!(stage.client_gets(), Vec::from_iter(257..=300));
    });
}

#[test]
fn own_messages_are_not_delivered_to_their_connection() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        stage.alice_writes(1);
        assert_eq!(stage.client_gets(), [1]);
        let serial = stage.asks(Kind::Send, Body::Send(send_body()));
        let (id, _) = stage.lanes_get();
        stage.lanes_say(id, Ok(sent(2, false)));
        stage.client_hears_answer(serial);
        stage.alice_writes(4);
        let (id, after, _) = lanes_get_pull(&mut stage);
        assert_eq!(after, 2);
        stage.lanes_say(id, Ok(pulled(2..=4, 4)));
        assert_eq!(stage.client_gets(), [3, 4]);
        stage.tells(Kind::Ack, ack_body(4, 4));
        assert_eq!(lanes_get_ack(&mut stage), [(4, 4)]);
    });
}

#[test]
fn a_duplicate_answer_is_no_new_message() {
    in_both_forms(|mut stage| {
        stage.joins(missing(0, 0, 2));
        let (pull, ..) = lanes_get_pull(&mut stage);
        let serial = stage.asks(Kind::Send, Body::Send(send_body()));
        let (id, _) = stage.lanes_get();
        stage.lanes_say(id, Ok(sent(2, true)));
        stage.client_hears_answer(serial);
        stage.lanes_say(pull, Ok(pulled(1..=2, 2)));
        assert_eq!(stage.client_gets(), [1, 2], "an older connection wrote it");
    });
}

#[test]
fn filling_a_gap_by_history_lets_the_acknowledgement_through() {
    in_both_forms(|mut stage| {
        stage.joins(missing(10, 150, 150));
        while let Some(Output::Command(id, Command::Pull { after, limit, .. })) = stage.next() {
            stage.lanes_say(id, Ok(pulled(after + 1..=after + limit as Seq, 150)));
            stage.client_gets();
        }
        stage.tells(Kind::Ack, ack_body(150, 150));
        stage.nothing_more();
        let history = body::History {
            conversation: chat().to_string(),
            before: Some(51),
            ..body::History::default()
        };
        let serial = stage.asks(Kind::History, Body::History(history));
        let (id, _) = stage.lanes_get();
        let entries = (11..=50).map(|seq| entry(&chat(), seq, "{}")).collect();
        stage.lanes_say(id, Ok(Reply::History { entries, head_seq: 150 }));
        let Body::HistoryAnswer(answer) = stage.client_hears_answer(serial) else { panic!() };
        assert_eq!((answer.messages.len(), answer.head_seq), (40, 150));
        stage.tells(Kind::Ack, ack_body(150, 150));
        assert_eq!(lanes_get_ack(&mut stage), [(150, 0)]);
    });
}

#[test]
fn a_history_that_does_not_fit_loses_its_far_end() {
    let long = format!("{{\"t\":\"{}\"}}", "x".repeat(60_000));
    for (after, before, kept) in [(Some(0), None, 1..=17), (None, Some(101), 84..=100)] {
        in_both_forms(|stage| {
            let mut stage = stage.joined();
            let conversation = chat().to_string();
            let history = body::History { conversation, after, before, limit: Some(100) };
            let serial = stage.asks(Kind::History, Body::History(history));
            let (id, _) = stage.lanes_get();
            let entries = (1..=100).map(|seq| entry(&chat(), seq, &long)).collect();
            stage.lanes_say(id, Ok(Reply::History { entries, head_seq: 100 }));
            let Body::HistoryAnswer(answer) = stage.client_hears_answer(serial) else { panic!() };
            let seqs: Vec<Seq> = answer.messages.iter().map(|message| message.seq).collect();
            assert_eq!(seqs, Vec::from_iter(kept.clone()));
        });
    }
}

#[test]
fn acknowledgements_beyond_what_was_given_change_nothing() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        stage.tells(Kind::Ack, ack_body(1 << 63, 1 << 63));
        stage.nothing_more();
        stage.alice_writes(1);
        stage.client_gets();
        stage.tells(Kind::Ack, ack_body(1 << 63, Seq::MAX));
        assert_eq!(lanes_get_ack(&mut stage), [(1, 1)]);
        stage.alice_writes(2);
        assert_eq!(stage.client_gets(), [2]);
        let item = body::AckItem { conversation: "no such".into(), ..body::AckItem::default() };
        let ack = body::Ack { items: vec![item] };
        let serial = stage.asks(Kind::Ack, Body::Ack(ack));
        stage.client_hears_refusal(serial, Reject::BadRequest);
        let ack = body::Ack { items: vec![body::AckItem::default(); 513] };
        let serial = stage.asks(Kind::Ack, Body::Ack(ack));
        stage.client_hears_refusal(serial, Reject::BadRequest);
    });
}

#[test]
fn a_pull_the_lanes_had_no_room_for_is_asked_again() {
    in_both_forms(|mut stage| {
        stage.joins(missing(0, 0, 1));
        let (id, ..) = lanes_get_pull(&mut stage);
        stage.lanes_say(id, Err(Reject::Busy));
        stage.nothing_more();
        stage.time_passes(999);
        stage.nothing_more();
        stage.time_passes(1);
        let (id, after, limit) = lanes_get_pull(&mut stage);
        assert_eq!((after, limit), (0, 1));
        stage.lanes_say(id, Ok(pulled(1..=1, 1)));
        assert_eq!(stage.client_gets(), [1]);
    });
}

#[test]
fn a_pull_of_a_conversation_the_user_left_is_forgotten() {
    in_both_forms(|mut stage| {
        stage.joins(missing(0, 0, 1));
        let (id, ..) = lanes_get_pull(&mut stage);
        stage.lanes_say(id, Err(Reject::UnknownConversation));
        stage.time_passes(29_000);
        stage.nothing_more();
    });
}

#[test]
fn many_conversations_share_one_window() {
    let mut stage = Stage::new(Form::Binary);
    let backlog: Vec<Backlog> = (0..20)
        .map(|n| Backlog { conversation: group(n), stored: 0, surfaced: 0, head: 20 })
        .collect();
    stage.joins(backlog);
    let mut given = Vec::new();
    while let Some(output) = stage.next() {
        match output {
            Output::Command(id, Command::Pull { conversation, after, limit }) => {
                let deliveries = answer(&conversation, after, limit);
                let head_seq = 20;
                stage.lanes_say(id, Ok(Reply::Pulled { conversation, deliveries, head_seq }));
            }
            Output::Send(frame) => {
                let Body::Deliver(deliver) = read(&frame).body else { panic!() };
                given.push((deliver.messages[0].conversation.clone(), deliver.messages[0].seq));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(given.len(), 256);
    assert_eq!(given[0], (group(0).to_string(), 1), "the newest conversation comes first");
}

fn answer(
    conversation: &ConversationId,
    after: Seq,
    limit: usize,
) -> Vec<nightjar_model::Delivery> {
    (after + 1..=after + limit as Seq)
        .map(|seq| nightjar_model::Delivery {
            entry: entry(conversation, seq, "{}"),
            alert: true,
            pushed: false,
            packets: SharedPackets::default(),
        })
        .collect()
}
