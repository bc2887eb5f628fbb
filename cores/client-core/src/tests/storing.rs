//! What arrives is stored, then acknowledged; gaps are filled.

use nightjar_model::sabotage::{self, Sabotage};
use nightjar_model::{Metric, Seq};
use nightjar_wire::{Body, Kind, Packet, body};

use super::play::Stage;
use super::server::conversations;
use crate::{Amendment, ConnectionId, Event, Input};

fn acks_on_the_way(stage: &Stage) -> Vec<(Option<Seq>, Option<Seq>)> {
    let acks = stage.on_the_way().into_iter().filter_map(|packet| match packet.body {
        Body::Ack(ack) => Some(ack.items),
        _ => None,
    });
    acks.flatten().map(|item| (item.stored, item.surfaced)).collect()
}

#[test]
fn nothing_is_acknowledged_before_its_commit() {
    let mut stage = Stage::online();
    stage.server.alice_writes(&conversations()[0].1, stage.now);
    while stage.client_reads() {}
    stage.time_passes(2_000);
    assert_eq!(acks_on_the_way(&stage), []);
    assert!(!stage.has_event(|event| matches!(event, Event::Message(_))));
    stage.commits();
    stage.time_passes(200);
    assert_eq!(acks_on_the_way(&stage), [(Some(1), Some(1))]);
    assert!(stage.has_event(|event| matches!(event, Event::Message(_))));
}

#[test]
fn acknowledgements_are_gathered_but_not_for_ever() {
    let mut stage = Stage::online();
    for _ in 0..31 {
        stage.server.alice_writes(&conversations()[1].1, stage.now);
    }
    while stage.client_reads() || stage.commits() {}
    assert_eq!(acks_on_the_way(&stage).len(), 0);
    for _ in 0..6 {
        stage.server.alice_writes(&conversations()[1].1, stage.now);
    }
    while stage.client_reads() || stage.commits() {}
    assert_eq!(acks_on_the_way(&stage).len(), 1, "32 messages are enough");
}

#[test]
fn a_long_absence_is_caught_up_from_the_newest_and_from_below() {
    let mut stage = Stage::online();
    let chat = &conversations()[0].1;
    stage.server.alice_writes(chat, stage.now);
    stage.everything_arrives();
    stage.happens(Input::Stop);
    for _ in 0..1_000 {
        stage.server.alice_writes(chat, stage.now);
    }
    stage.happens(Input::Start);
    stage.everything_arrives();
    let mut first = stage.events.iter().filter_map(|event| match event {
        Event::Message(message) => Some(message.seq),
        _ => None,
    });
    assert_eq!(first.nth(1), Some(902), "the newest hundred come first");
    stage.everything_arrives();
    assert_eq!(stage.server.cursors[chat].stored, 1_001);
    assert_eq!(stage.disk.messages.len(), stage.server.visible(chat, 0, Seq::MAX).count());
}

#[test]
fn a_synced_list_survives_a_restart_and_is_asked_for_what_changed() {
    let mut stage = Stage::online();
    let chat = &conversations()[0].1;
    stage.server.alice_writes(chat, stage.now);
    stage.cut();
    stage.everything_arrives();
    assert_eq!(stage.disk.account.sync.as_deref(), Some("1"));
    assert_eq!(stage.client.places[chat].unread, 1);
    stage.crashes();
    while stage.commits() || stage.server_reads() {}
    stage.client_reads();
    let asked = stage.on_the_way().into_iter().find_map(|packet| match packet.body {
        Body::Sync(sync) => Some(sync.since),
        _ => None,
    });
    assert_eq!(asked, Some(Some("1".to_owned())));
}

#[test]
fn a_token_the_server_does_not_know_starts_the_list_anew() {
    let mut stage = Stage::online();
    stage.server.alice_writes(&conversations()[0].1, stage.now);
    stage.everything_arrives();
    stage.disk.account.sync = Some("of another server".to_owned());
    stage.crashes();
    stage.everything_arrives();
    assert_eq!(stage.disk.account.sync.as_deref(), Some("1"));
}

#[test]
fn a_badge_of_a_lower_version_is_ignored() {
    let mut stage = Stage::online();
    let connection = stage.client.connection;
    let marker = |unread, bv| {
        let conversation = conversations()[0].1.to_string();
        let marker = body::ReadMarker { conversation, seq: 0, unread, bv };
        Packet::one_way(Kind::ReadMarker, Body::ReadMarker(marker)).to_bytes()
    };
    stage.happens(Input::Packet(connection, &marker(3, 7)));
    stage.happens(Input::Packet(connection, &marker(9, 6)));
    stage.happens(Input::Packet(ConnectionId(77), &marker(9, 60)));
    while stage.commits() {}
    let badges: Vec<_> = stage.events.iter().filter(|e| matches!(e, Event::Badge { .. })).collect();
    assert_eq!(badges, [&Event::Badge { unread: 3, bv: 7 }]);
}

#[test]
fn reading_is_told_until_the_server_knows_and_never_goes_back() {
    let mut stage = Stage::online();
    let chat = &conversations()[0].1;
    for _ in 0..4 {
        stage.server.alice_writes(chat, stage.now);
    }
    stage.everything_arrives();
    stage.reads(chat, 3);
    stage.commits();
    stage.cut();
    assert_eq!(stage.server.read.get(chat), None);
    stage.crashes();
    stage.everything_arrives();
    assert_eq!(stage.server.read.get(chat), Some(&3));
    stage.reads(chat, 2);
    stage.everything_arrives();
    assert_eq!(stage.client.places[chat].read, 3);
    stage.reads(chat, 99);
    stage.everything_arrives();
    assert_eq!(stage.server.read.get(chat), Some(&4), "not beyond what there is");
}

fn reads_on_the_way(stage: &Stage) -> Vec<Seq> {
    let reads = stage.on_the_way().into_iter().filter_map(|packet| match packet.body {
        Body::Read(read) => Some(read.seq),
        _ => None,
    });
    reads.collect()
}

/// A phone with four messages of one chat.
fn with_four_messages() -> Stage {
    let mut stage = Stage::online();
    for _ in 0..4 {
        stage.server.alice_writes(&conversations()[0].1, stage.now);
    }
    stage.everything_arrives();
    stage
}

#[test]
fn what_is_read_within_a_second_is_told_as_one() {
    let mut stage = with_four_messages();
    let chat = &conversations()[0].1;
    for seq in 1..=3 {
        stage.reads(chat, seq);
        while stage.commits() {}
        stage.time_passes(300);
    }
    stage.time_passes(99);
    assert!(reads_on_the_way(&stage).is_empty());
    stage.time_passes(1);
    assert_eq!(reads_on_the_way(&stage), [3]);
}

#[test]
fn leaving_the_screen_tells_at_once_what_was_read() {
    let mut stage = with_four_messages();
    stage.reads(&conversations()[0].1, 2);
    while stage.commits() {}
    assert!(reads_on_the_way(&stage).is_empty());
    stage.enters_background(25_000);
    assert_eq!(reads_on_the_way(&stage), [2]);
}

#[test]
fn what_nobody_looks_at_is_read_only_when_somebody_does() {
    let leave: [fn(&mut Stage); 2] =
        [|stage| stage.happens(Input::Inactive), |stage| stage.background(-1)];
    let come: [fn(&mut Stage); 2] = [|stage| stage.happens(Input::Active), Stage::foreground];
    let chat = &conversations()[0].1;
    for (leave, come) in leave.into_iter().zip(come) {
        let mut stage = with_four_messages();
        leave(&mut stage);
        stage.reads(chat, 3);
        stage.reads(chat, 2);
        stage.everything_arrives();
        assert_eq!((stage.client.places[chat].read, stage.server.read.get(chat)), (0, None));
        come(&mut stage);
        stage.everything_arrives();
        assert_eq!((stage.client.places[chat].read, stage.server.read.get(chat)), (3, Some(&3)));
    }
}

#[test]
fn history_is_stored_and_told() {
    let mut stage = Stage::new();
    let chat = &conversations()[0].1;
    for _ in 0..10 {
        stage.server.alice_writes(chat, stage.now);
    }
    stage.happens(Input::Start);
    stage.everything_arrives();
    assert!(!stage.disk.has(chat, 3), "a new device starts at the newest");
    stage.happens(Input::History { conversation: chat.clone(), before: Some(5), limit: 3 });
    stage.everything_arrives();
    let told = stage.events.iter().find_map(|event| match event {
        Event::History { messages, head_seq, .. } => Some((messages.len(), *head_seq)),
        _ => None,
    });
    assert_eq!(told, Some((3, 10)));
    assert!(stage.disk.has(chat, 3));
}

#[test]
fn only_its_author_takes_a_message_back() {
    let mut stage = Stage::online();
    let chat = &conversations()[0].1;
    stage.server.alice_writes(chat, stage.now);
    stage.server.append(chat, "bob", "b", r#"{"type":"text","text":"mine"}"#, stage.now);
    for (at, target) in [("r1", 1), ("r2", 2)] {
        let recall = format!(r#"{{"type":"recall","target":{target}}}"#);
        stage.server.append(chat, "alice", at, &recall, stage.now);
    }
    stage.everything_arrives();
    stage.cut();
    stage.everything_arrives();
    assert_eq!(stage.disk.recalled.iter().map(|(_, seq)| *seq).collect::<Vec<_>>(), [1]);
}

#[test]
fn edits_and_reactions_are_about_their_message_and_count_as_nothing() {
    let mut stage = Stage::online();
    let chat = &conversations()[0].1;
    stage.server.alice_writes(chat, stage.now);
    stage.background(-1);
    stage.everything_arrives();
    assert_eq!((stage.client.places[chat].unread, stage.screen.len()), (1, 1));
    let edit = r#"{"type":"edit","target":1,"content":{"type":"text","text":"better"}}"#;
    stage.server.alice_says(chat, edit, stage.now);
    let reaction = r#"{"type":"reaction","target":1,"emoji":"🦉","remove":false}"#;
    stage.server.alice_says(chat, reaction, stage.now);
    stage.everything_arrives();
    assert_eq!((stage.client.places[chat].unread, stage.screen.len()), (1, 1));
    let said: Vec<_> = stage.disk.amendments.iter().map(|row| (row.target, row.seq)).collect();
    assert_eq!(said, [(1, 2), (1, 3)]);
    assert_eq!(stage.disk.amendments[1].amendment, Amendment::Reacted("🦉".to_owned()));
    assert!(stage.has_event(|event| matches!(event, Event::Amended(row) if row.seq == 2)));
}

#[test]
fn what_this_device_amends_comes_back_at_once() {
    let mut stage = Stage::online();
    let chat = &conversations()[0].1;
    stage.writes(&conversations()[0].0);
    stage.everything_arrives();
    stage.happens(Input::Recall { conversation: chat.clone(), seq: 1 });
    stage.everything_arrives_now();
    assert_eq!(stage.disk.recalled.iter().map(|(_, seq)| *seq).collect::<Vec<_>>(), [1]);
    assert_eq!(stage.client.places[chat].stored, 2);
}

#[test]
fn bytes_that_are_no_packet_end_the_connection_and_three_in_a_row_the_client() {
    let mut stage = Stage::online();
    for _ in 0..3 {
        let connection = stage.client.connection;
        stage.happens(Input::Packet(connection, &bytes::Bytes::from_static(&[0, 0, 0, 16])));
        stage.everything_arrives();
        stage.time_passes(10_000);
    }
    assert!(stage.has_event(|event| *event == Event::Ended(crate::Ended::Protocol)));
}

#[test]
fn what_can_never_be_read_costs_two_connections_and_is_left_out() {
    let mut stage = Stage::online();
    let chat = &conversations()[0].1;
    for _ in 0..6 {
        stage.server.alice_writes(chat, stage.now);
    }
    stage.damaged = Some((chat.clone(), 4));
    for _ in 0..400 {
        if !(stage.client_reads() || stage.commits() || stage.server_reads()) {
            stage.time_passes(250);
        }
    }
    assert!(!stage.has_event(|event| matches!(event, Event::Ended(_))));
    assert!(stage.client.is_online());
    assert_eq!(stage.dials.len(), 3, "the third copy is skipped");
    for entry in stage.server.visible(chat, 0, Seq::MAX) {
        assert_eq!(stage.disk.has(chat, entry.seq), entry.seq != 4, "{}", entry.seq);
    }
    let place = &stage.client.places[chat];
    assert_eq!((place.stored, place.has_gap()), (6, false), "it is no hole for ever");
    assert_eq!(stage.server.cursors[chat].stored, 6);
    assert!(stage.counted(Metric::UnreadablePacket) > 3);
}

#[test]
fn an_idle_client_is_small() {
    assert!(size_of::<crate::Client>() <= 1_056, "{}", size_of::<crate::Client>());
}

/// Whether the play goes wrong when the client commits this fault.
fn is_found(fault: Sabotage, play: fn()) -> bool {
    play();
    sabotage::choose(Some(fault));
    let found = std::panic::catch_unwind(play).is_err();
    sabotage::choose(None);
    found
}

#[test]
fn a_client_that_acknowledges_before_its_commit_is_found() {
    assert!(is_found(Sabotage::StoredBeforeCommit, || {
        let mut stage = Stage::online();
        stage.server.alice_writes(&conversations()[0].1, stage.now);
        while stage.client_reads() {}
        stage.time_passes(200);
        while stage.server_reads() {}
    }));
}

#[test]
fn a_client_that_ignores_gaps_is_found() {
    assert!(is_found(Sabotage::GapIgnored, || {
        let mut stage = Stage::online();
        let chat = &conversations()[0].1;
        stage.happens(Input::Stop);
        for _ in 0..200 {
            stage.server.alice_writes(chat, stage.now);
        }
        stage.happens(Input::Start);
        stage.everything_arrives();
        stage.everything_arrives();
        assert_eq!(stage.disk.messages.len(), stage.server.visible(chat, 0, Seq::MAX).count());
    }));
}
