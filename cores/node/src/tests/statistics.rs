//! What providers and apps report, in the trace and in the statistics.

use nightjar_model::{NotificationId, Receipt, ReceiptEvent, ReportCommand, Statistic, limits};

use super::*;

const DAY_MS: u64 = 24 * 3600 * 1000;

fn apns() -> BindingKey {
    BindingKey { provider: "apns".into(), credential: "main".into() }
}

/// Every row, as `day provider accepted/arrived/clicked reason=count…`.
fn counted(play: &mut Play) -> Vec<String> {
    let first = u32::try_from(play.now.wall.0 / DAY_MS).unwrap();
    let line = |row: Statistic| {
        let failed: String =
            row.failed.iter().map(|(reason, count)| format!(" {reason}={count}")).collect();
        let Statistic { day, key, accepted, arrived, clicked, .. } = row;
        let provider = key.provider;
        format!(
            "{} {provider} {accepted}/{arrived}/{clicked}{failed}",
            i64::from(day) - i64::from(first)
        )
    };
    match play.operator(Command::Statistics { from: 0, limit: 1_000 }) {
        Ok(Reply::Statistics(rows)) => rows.into_iter().map(line).collect(),
        other => panic!("{other:?}"),
    }
}

fn receipt(push: &Pushed, event: ReceiptEvent) -> Receipt {
    Receipt { mid: push.mid(), token: push.request.binding.token.clone(), event, at: None }
}

fn tell(play: &mut Play, receipts: Vec<Receipt>) {
    play.operator(Command::Receipts { key: apns(), receipts }).unwrap();
}

#[test]
fn answers_and_receipts_are_counted_and_are_in_the_trace() {
    let mut play = Play::start();
    play.phone("bob/phone");
    let sent = play.says("alice", "bob");
    let push = play.the_push();
    play.answer(&push, Answer::new(Outcome::Delivered, "200"));
    play.says("alice", "bob");
    let refused = play.the_push();
    play.answer(&refused, Answer::new(Outcome::Reject, "BadTopic"));
    tell(
        &mut play,
        vec![receipt(&push, ReceiptEvent::Arrived), receipt(&push, ReceiptEvent::Clicked)],
    );
    assert_eq!(counted(&mut play), ["0 apns 1/1/1 BadTopic=1"]);
    assert_eq!(play.reasons("bob/phone", &sent, Step::Arrived), [""]);
    assert_eq!(play.reasons("bob/phone", &sent, Step::Clicked), [""]);
    tell(&mut play, vec![receipt(&push, ReceiptEvent::Failed("display_off".into()))]);
    let provider = play.reasons("bob/phone", &sent, Step::Provider);
    assert_eq!(provider.last().map(String::as_str), Some("failed display_off"));
    // The same again says nothing new.
    tell(&mut play, vec![receipt(&push, ReceiptEvent::Failed("display_off".into()))]);
    assert_eq!(counted(&mut play), ["0 apns 1/1/1 BadTopic=1 display_off=1"]);
    play.after(100);
    play.restart();
    assert_eq!(counted(&mut play), ["0 apns 1/1/1 BadTopic=1 display_off=1"]);
    play.is_whole();
}

#[test]
fn an_app_and_its_provider_who_tell_of_one_push_count_once() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.says("alice", "bob");
    let push = play.the_push();
    play.answer(&push, Answer::new(Outcome::Delivered, "200"));
    tell(&mut play, vec![receipt(&push, ReceiptEvent::Arrived); 3]);
    play.online("bob/phone");
    let arrived = vec![NotificationId::message(push.mid())];
    let report = ReportCommand { clicked: arrived.clone(), arrived, dismissed: Vec::new() };
    play.ask("bob/phone", Command::Report(report)).unwrap();
    assert_eq!(counted(&mut play), ["0 apns 1/1/1"]);
}

#[test]
fn a_receipt_that_fits_nobody_counts_for_nothing() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.phone("carol/phone");
    play.says("alice", "bob");
    let push = play.the_push();
    play.answer(&push, Answer::new(Outcome::Delivered, "200"));
    let good = receipt(&push, ReceiptEvent::Arrived);
    let unknown_token = Receipt { token: Secret::new("nobody's".into()), ..good.clone() };
    let of_another = Receipt { token: Secret::new("token of carol/phone".into()), ..good.clone() };
    let unknown_message = Receipt { mid: MessageId::new(WallMs(1), &[0; 10]), ..good };
    tell(&mut play, vec![unknown_token, of_another, unknown_message]);
    assert_eq!(counted(&mut play), ["0 apns 1/0/0"]);
}

#[test]
fn each_day_has_its_row_and_the_oldest_leave() {
    let mut play = Play::start();
    play.phone("bob/phone");
    let day = |play: &mut Play| {
        play.says("alice", "bob");
        play.take_pushes();
        play.after(100);
        play.pass(DAY_MS);
    };
    day(&mut play);
    day(&mut play);
    play.pass(DAY_MS * u64::from(limits::STATISTIC_DAYS_KEPT - 2));
    day(&mut play);
    let kept = i64::from(limits::STATISTIC_DAYS_KEPT);
    assert_eq!(counted(&mut play), [format!("{} apns 1/0/0", -kept), "-1 apns 1/0/0".into()]);
    play.pass(DAY_MS);
    play.restart();
    play.after(100);
    assert_eq!(counted(&mut play), ["-2 apns 1/0/0"]);
}

#[test]
fn reasons_beyond_the_limit_are_counted_together() {
    let mut play = Play::start();
    play.phone("bob/phone");
    for n in 0..limits::STATISTIC_REASONS_MAX + 8 {
        play.says("alice", "bob");
        let push = play.the_push();
        play.answer(&push, Answer::new(Outcome::Reject, format!("r{n}")));
    }
    let Ok(Reply::Statistics(rows)) = play.operator(Command::Statistics { from: 0, limit: 9 })
    else {
        panic!("no statistics");
    };
    assert_eq!(rows[0].failed.len(), limits::STATISTIC_REASONS_MAX);
    assert_eq!(rows[0].failed.last(), Some(&("other".into(), 9)));
}
