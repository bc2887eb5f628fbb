//! The app leaves the screen: what comes before, within and after its grace.

use insta::assert_snapshot;
use nightjar_world::{PhoneNo, World};

use crate::{alice_and_bob, to_the_end};

/// What a system grants an app that leaves the screen.
const GRANT_MS: u32 = 25_000;

/// Alice writes so long after Bob's app left the screen. Answers what was pushed.
fn written_after(ms: u64) -> (World, PhoneNo, u64) {
    let (mut world, alice, bob) = alice_and_bob();
    world.act("Bob's app leaves the screen; it has five seconds of grace");
    world.leave(bob, GRANT_MS);
    world.pass(ms);
    world.act(&format!("Alice writes {ms} ms later"));
    world.write(alice, "bob", "are you there?");
    world.pass(3_000);
    let pushes = world.pushes();
    (world, bob, pushes)
}

#[test]
fn a_message_as_the_app_leaves() {
    let (world, bob, pushes) = written_after(0);
    assert_eq!((pushes, world.notifications(bob)), (0, 1), "{}", world.play());
    assert_snapshot!(to_the_end(world));
}

#[test]
fn a_message_one_second_into_the_grace() {
    let (world, bob, pushes) = written_after(1_000);
    assert_eq!((pushes, world.notifications(bob)), (0, 1), "{}", world.play());
    assert_snapshot!(to_the_end(world));
}

#[test]
fn a_message_as_the_grace_ends() {
    let (world, bob, pushes) = written_after(4_900);
    assert_eq!((pushes, world.notifications(bob)), (0, 1), "{}", world.play());
    assert_snapshot!(to_the_end(world));
}

#[test]
fn a_message_after_the_grace() {
    let (world, bob, pushes) = written_after(5_100);
    assert_eq!((pushes, world.notifications(bob)), (1, 1), "{}", world.play());
    assert!(world.is_frozen(bob), "{}", world.play());
    assert_eq!(world.connections(bob), 0, "{}", world.play());
    assert_snapshot!(to_the_end(world));
}

#[test]
fn a_quick_return_keeps_the_connection() {
    let (mut world, alice, bob) = alice_and_bob();
    let opened = world.connections_opened();
    world.act("Bob's app leaves the screen");
    world.leave(bob, GRANT_MS);
    world.pass(4_900);
    world.act("He comes back just before its grace ends");
    world.foreground(bob);
    world.pass(2_000);
    assert_eq!(world.connections_opened(), opened, "{}", world.play());
    world.act("Alice writes: he sees it, nothing is pushed");
    world.write(alice, "bob", "back already?");
    world.pass(8_000);
    assert_eq!((world.pushes(), world.notifications(bob)), (0, 0), "{}", world.play());
    assert_snapshot!(to_the_end(world));
}

#[test]
fn the_last_words_are_lost() {
    let (mut world, alice, bob) = alice_and_bob();
    world.act("Bob's network swallows everything just before his app leaves the screen");
    world.cut_links(bob);
    world.leave(bob, GRANT_MS);
    world.pass(20_000);
    assert!(world.is_frozen(bob), "{}", world.play());
    world.act("Alice writes: the server believes in the foreground for five seconds, no more");
    world.write(alice, "bob", "are you there?");
    world.pass(4_900);
    assert_eq!(world.pushes(), 0, "{}", world.play());
    world.pass(2_000);
    assert_eq!((world.pushes(), world.notifications(bob)), (1, 1), "{}", world.play());
    assert_snapshot!(to_the_end(world));
}

/// Alice's message reaches Bob's phone in two pieces, torn at each of its bytes, and his app leaves
/// the screen between them. `pushes` and one notification are there eight seconds later, and in
/// the end the message once. The play of the tear at byte 40.
fn torn_at_each_byte(leaves: fn(&mut World, PhoneNo), pushes: u64) -> String {
    let mut play = None;
    for byte in 0.. {
        let (mut world, alice, bob) = alice_and_bob();
        world.act("Alice writes, and Bob's app leaves in the middle of her message");
        world.tear_next_packet(bob, byte, 1_000);
        world.write(alice, "bob", "halfway");
        world.pass(100);
        leaves(&mut world, bob);
        world.pass(8_000);
        if world.packets_torn() == 0 {
            break;
        }
        let told = (world.pushes(), world.notifications(bob));
        assert_eq!(told, (pushes, 1), "at byte {byte}\n{}", world.play());
        world.act("Bob opens the app: the message is there once");
        world.foreground(bob);
        world.pass(3_000);
        let left = (world.messages_on(bob), world.notifications(bob));
        assert_eq!(left, (1, 0), "at byte {byte}\n{}", world.play());
        let text = to_the_end(world);
        if byte == 40 {
            play = Some(text);
        }
    }
    play.expect("a packet with a message has more than 40 bytes")
}

#[test]
fn leaving_at_once_at_each_byte_of_a_message() {
    assert_snapshot!(torn_at_each_byte(|world, bob| world.leave(bob, 0), 1));
}

#[test]
fn leaving_with_a_grace_at_each_byte_of_a_message() {
    assert_snapshot!(torn_at_each_byte(|world, bob| world.leave(bob, GRANT_MS), 0));
}

#[test]
fn frozen_without_a_word_at_each_byte_of_a_message() {
    assert_snapshot!(torn_at_each_byte(|world, bob| world.freeze(bob), 1));
}

#[test]
fn a_frozen_app_finds_its_socket_full() {
    let (mut world, alice, bob) = alice_and_bob();
    world.act("Bob's app is frozen with its socket open");
    world.freeze(bob);
    world.act("More comes than the server hands to a device that does not answer");
    world.write_many("alice", "bob", 300);
    world.pass(10_000);
    let waiting = world.packets_waiting(bob);
    world.write_many("alice", "bob", 100);
    world.pass(10_000);
    assert!(waiting > 0, "{}", world.play());
    assert_eq!(world.packets_waiting(bob), waiting, "{}", world.play());
    world.act("Bob's app runs again: everything is there, in order and once");
    world.foreground(bob);
    world.pass(5_000);
    assert_eq!((world.messages_on(bob), world.notifications(bob)), (400, 0), "{}", world.play());
    assert_eq!(world.messages_on(alice), 400, "{}", world.play());
    to_the_end(world);
}
