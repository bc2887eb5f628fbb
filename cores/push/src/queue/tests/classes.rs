//! What is urgent passes what is not.

use super::*;

#[test]
fn a_campaign_takes_half_of_the_places_and_a_call_passes_all_that_waits() {
    let mut play = Play::new(16);
    for n in 0..100 {
        play.queue.due(key(n), PushClass::System);
    }
    assert_eq!(play.leave("apns").len(), 8);
    play.queue.due(key(200), PushClass::Chat);
    play.queue.due(key(201), PushClass::Call);
    assert_eq!(play.leave("apns"), [key(201), key(200)], "both at once, the call first");
    // The campaign goes on as its own answers come.
    play.answer(&answer(Outcome::Delivered));
    assert_eq!(play.leave("apns").len(), 0, "a chat and a call are in its half's way");
}

#[test]
fn what_becomes_more_urgent_while_it_waits_moves_up() {
    let mut play = Play::new(8);
    for n in 0..8 {
        play.queue.due(key(n), PushClass::Call);
    }
    assert_eq!(play.leave("apns").len(), 8);
    for n in 10..20 {
        play.queue.due(key(n), PushClass::System);
    }
    assert_eq!(play.leave("apns"), [], "all places are taken");
    play.queue.due(key(19), PushClass::Mention);
    play.answer(&answer(Outcome::Delivered));
    play.answer(&answer(Outcome::Delivered));
    assert_eq!(play.leave("apns")[0], key(19));
    // The same for one that is not parked yet.
    play.queue.due(key(30), PushClass::System);
    play.queue.due(key(31), PushClass::Chat);
    play.queue.due(key(30), PushClass::Call);
    assert_eq!(play.queue.next(play.now).map(|(key, _)| key), Some(key(30)));
}

#[test]
fn a_class_that_is_passed_again_and_again_gets_its_turn() {
    let mut play = Play::new(8);
    play.queue.due(key(250), PushClass::System);
    let mut turns = 0;
    for n in 0..200 {
        play.queue.due(key(n), PushClass::Call);
        let (next, _) = play.queue.next(play.now).unwrap();
        turns += 1;
        if next == key(250) {
            break;
        }
        play.queue.done(&next);
    }
    assert!(turns <= 8, "{turns}");
}
