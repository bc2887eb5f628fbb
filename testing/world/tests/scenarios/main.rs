//! Named scenarios. What happened in each stands beside this file as a play, and every promise
//! is checked while it is played.

mod extension;
mod leaving;
mod outages;
mod pushes;
mod server;

use insta::assert_snapshot;
use nightjar_world::{Mood, PhoneNo, World};

/// Alice's laptop, and Bob's phone.
fn alice_and_bob() -> (World, PhoneNo, PhoneNo) {
    let mut world = World::calm(7);
    world.act("Alice and Bob sign in");
    let alice = world.phone("alice/laptop");
    let bob = world.phone("bob/phone");
    world.pass(10_000);
    (world, alice, bob)
}

/// The play of a scenario that ends in peace, with every promise kept.
fn to_the_end(mut world: World) -> String {
    world.finish();
    assert_eq!(world.violation(), None, "{}", world.play());
    numbered(&world.play())
}

/// A play whose notifications have numbers for names: the bytes of their ids are chance, and say
/// nothing.
fn numbered(play: &str) -> String {
    let mut parts = play.split("m.…");
    let mut text = parts.next().unwrap_or_default().to_owned();
    let mut names: Vec<&str> = Vec::new();
    for part in parts {
        let (name, rest) = part.split_at(4);
        let known = names.iter().position(|known| *known == name);
        let number = known.unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        });
        text.push_str(&format!("m.{}{rest}", number + 1));
    }
    text
}

#[test]
fn a_sleeping_phone_gets_one_push_then_everything_in_order() {
    let (mut world, alice, bob) = alice_and_bob();
    world.act("Bob's phone goes to sleep");
    world.background(bob, 0);
    world.lose_network(bob);
    world.pass(60_000);
    world.act("Alice writes");
    world.write(alice, "bob", "are you awake?");
    world.pass(5_000);
    world.act("Bob wakes the phone and opens the app");
    world.find_network(bob);
    world.foreground(bob);
    world.pass(2_000);
    world.act("Alice writes again, and Bob reads");
    world.write(alice, "bob", "good morning");
    world.pass(2_000);
    world.read(bob, "alice");
    assert_snapshot!(to_the_end(world));
}

#[test]
fn a_frozen_phone_with_an_open_socket_is_pushed_at_the_deadline_then_at_once() {
    let (mut world, alice, bob) = alice_and_bob();
    world.act("The system freezes Bob's app; its kernel goes on acknowledging");
    world.freeze(bob);
    world.act("Alice writes: the server waits five seconds for Bob's phone");
    world.write(alice, "bob", "one");
    world.pass(7_000);
    world.act("Alice writes again: nobody waits for a phone that did not answer");
    world.write(alice, "bob", "two");
    world.pass(2_000);
    assert_snapshot!(to_the_end(world));
}

#[test]
fn in_its_grace_the_app_posts_the_notification_itself() {
    let (mut world, alice, bob) = alice_and_bob();
    world.act("Bob leaves the app, which says that it lives for 25 seconds more");
    world.background(bob, 25_000);
    world.pass(2_000);
    world.act("Alice writes: no push is needed");
    world.write(alice, "bob", "see you");
    world.pass(10_000);
    world.act("The grace is over and the app is frozen");
    world.pass(15_000);
    world.freeze(bob);
    world.act("Alice writes: this one is pushed at once");
    world.write(alice, "bob", "or not");
    world.pass(2_000);
    assert_snapshot!(to_the_end(world));
}

#[test]
fn reading_on_one_device_withdraws_on_the_other() {
    let (mut world, alice, phone) = alice_and_bob();
    let tablet = world.phone("bob/tablet");
    world.pass(5_000);
    world.act("Bob's phone is in his pocket, frozen");
    world.background(phone, 0);
    world.freeze(phone);
    world.pass(1_000);
    world.act("Alice writes: the tablet shows it, the phone is pushed");
    world.write(alice, "bob", "where are you?");
    world.pass(2_000);
    world.act("Bob reads on the tablet");
    world.read(tablet, "alice");
    world.pass(3_000);
    assert_snapshot!(to_the_end(world));
}

#[test]
fn a_kill_right_after_the_acknowledgement_leaves_the_debt() {
    let (mut world, alice, bob) = alice_and_bob();
    world.act("Bob's phone is frozen with an open socket");
    world.freeze(bob);
    world.act("Alice writes, and the server is killed as soon as she has her answer");
    world.write(alice, "bob", "did you get this?");
    world.pass(50);
    world.kill_server();
    world.pass(5_000);
    world.act("The server comes back: what is owed is pushed at once");
    world.restart_server();
    world.pass(2_000);
    assert_snapshot!(to_the_end(world));
}

#[test]
fn signing_out_with_unbind_silences() {
    let (mut world, alice, bob) = alice_and_bob();
    world.act("Bob's provider is slow, and Alice writes while his phone is away");
    world.background(bob, 0);
    world.pass(500);
    world.provider_is(Mood::Fails);
    world.write(alice, "bob", "one");
    world.pass(500);
    world.act("Bob comes back and signs out before the next attempt");
    world.foreground(bob);
    world.pass(100);
    world.logout(bob, true);
    world.pass(1_000);
    world.provider_is(Mood::Good);
    world.act("Alice writes: nothing leaves for this phone any more");
    world.write(alice, "bob", "two");
    world.pass(60_000);
    assert_snapshot!(to_the_end(world));
}

#[test]
fn a_phone_that_changes_hands_takes_its_token_along() {
    let (mut world, alice, old) = alice_and_bob();
    let new = world.phone("carol/phone");
    world.pass(2_000);
    world.act("Bob gives his phone to Carol, who signs in; nobody signed out");
    world.hand_over(old, new);
    world.pass(1_000);
    world.act("Alice writes to Bob: Carol must not see it");
    world.write(alice, "bob", "a secret");
    world.pass(10_000);
    world.act("Alice writes to Carol, whose app is in the background");
    world.background(new, 0);
    world.pass(500);
    world.write(alice, "carol", "hello Carol");
    world.pass(2_000);
    assert_snapshot!(to_the_end(world));
}

#[test]
fn a_stall_of_the_server_is_no_mass_push() {
    let mut world = World::calm(7);
    world.act("Alice writes to a group whose five other members have the app open");
    let alice = world.phone("alice/laptop");
    let names = ["bob", "carol", "dave", "erin", "frank"];
    for name in names {
        world.phone(&format!("{name}/phone"));
    }
    world.pass(5_000);
    world.group("crew", &["alice", "bob", "carol", "dave", "erin", "frank"]);
    world.pass(5_000);
    world.write(alice, "#crew", "lunch?");
    world.pass(50);
    world.act("The server stands still for eight seconds; every answer waits in its sockets");
    world.stall_server(8_000);
    world.pass(12_000);
    assert_eq!(world.pushes(), 0, "{}", world.play());
    assert_snapshot!(to_the_end(world));
}
