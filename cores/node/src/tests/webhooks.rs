//! Webhooks that operators set up.

use nightjar_model::{Webhook, limits};

use super::*;

fn webhook(id: &str) -> Webhook {
    Webhook {
        id: id.into(),
        url: "https://example.com/".into(),
        secret: Secret::new("s".into()),
        types: Vec::new(),
        enabled: true,
        allow_private: false,
        changed_at: WallMs(0),
    }
}

fn put(play: &mut Play, webhook: Webhook) -> Result<Reply, Reject> {
    play.operator(Command::PutWebhook(Box::new(webhook)))
}

fn cursor(play: &mut Play, receiver: &str) -> u64 {
    match play.operator(Command::EventCursor { receiver: receiver.into() }) {
        Ok(Reply::EventCursor(number)) => number,
        other => panic!("{other:?}"),
    }
}

fn last_event(play: &mut Play) -> u64 {
    match play.operator(Command::Webhooks) {
        Ok(Reply::Webhooks { last_event, .. }) => last_event,
        other => panic!("{other:?}"),
    }
}

/// Nobody wants events unless an operator says so.
fn play() -> Play {
    Play::with(|config| config.events = false)
}

#[test]
fn events_are_kept_while_somebody_wants_them() {
    let mut play = play();
    play.says("alice", "bob");
    assert_eq!(last_event(&mut play), 0);
    put(&mut play, webhook("one")).unwrap();
    play.says("alice", "bob");
    let told = last_event(&mut play);
    assert!(told > 0);
    play.restart();
    play.says("alice", "bob");
    let told = [told, last_event(&mut play)];
    assert!(told[0] < told[1], "also after a restart: {told:?}");
    put(&mut play, Webhook { enabled: false, ..webhook("one") }).unwrap();
    play.says("alice", "bob");
    assert_eq!(last_event(&mut play), told[1]);
}

#[test]
fn a_new_one_begins_now_and_a_changed_one_goes_on_where_it_was() {
    let mut play = play();
    put(&mut play, webhook("one")).unwrap();
    play.says("alice", "bob");
    let told = last_event(&mut play);
    put(&mut play, webhook("two")).unwrap();
    put(&mut play, Webhook { url: "https://example.com/new".into(), ..webhook("one") }).unwrap();
    assert_eq!([cursor(&mut play, "one"), cursor(&mut play, "two")], [0, told]);
    play.operator(Command::DeleteWebhook { id: "two".into() }).unwrap();
    let again = play.operator(Command::DeleteWebhook { id: "two".into() });
    assert_eq!(again, Err(Reject::UnknownWebhook));
    assert_eq!(cursor(&mut play, "two"), 0);
    play.is_whole();
}

#[test]
fn there_is_a_limit_of_them() {
    let mut play = play();
    for n in 0..limits::WEBHOOKS_MAX {
        put(&mut play, webhook(&format!("w{n}"))).unwrap();
    }
    assert_eq!(put(&mut play, webhook("more")), Err(Reject::LimitReached));
    put(&mut play, webhook("w0")).unwrap();
}
