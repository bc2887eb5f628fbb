//! Pushes that wake an extension beside the app.

use insta::assert_snapshot;
use nightjar_world::{PhoneNo, World};

use crate::to_the_end;

/// Alice's laptop, and Bob's phone, which has an extension; the app is frozen after its goodbye.
fn alice_and_bob_in_his_pocket() -> (World, PhoneNo, PhoneNo) {
    let mut world = World::calm(7);
    world.act("Alice and Bob sign in, and he has read one message");
    let alice = world.phone("alice/laptop");
    let bob = world.phone_with_extension("bob/phone");
    world.pass(10_000);
    world.write(alice, "bob", "hello");
    world.pass(2_000);
    world.read(bob, "alice");
    world.pass(2_000);
    world.act("Bob's phone goes to his pocket: the app says goodbye and is frozen");
    world.leave(bob, 25_000);
    world.pass(10_000);
    assert!(world.is_frozen(bob), "{}", world.play());
    (world, alice, bob)
}

/// Notifications that came to a screen so far, also one that replaced itself.
fn shown(world: &World) -> usize {
    world.play().matches("shows m.").count()
}

#[test]
fn a_kick_while_the_extension_fetches() {
    let (mut world, alice, bob) = alice_and_bob_in_his_pocket();
    world.act("Alice writes; the push wakes the extension, which asks the server");
    world.write(alice, "bob", "a secret");
    world.pass(90);
    world.act("The operator kicks the phone before the question arrives");
    world.kick(bob);
    world.pass(5_000);
    assert_eq!((shown(&world), world.badge_on(bob)), (0, 0), "{}", world.play());
    world.act("Alice writes again: nothing leaves for this phone any more");
    let pushes = world.pushes();
    world.write(alice, "bob", "another secret");
    world.pass(10_000);
    assert_eq!((world.pushes(), shown(&world)), (pushes, 0), "{}", world.play());
    assert_snapshot!(to_the_end(world));
}

#[test]
fn extensions_in_parallel() {
    let (mut world, alice, bob) = alice_and_bob_in_his_pocket();
    world.act("Alice writes twice, and each push comes twice: four runs go on at once");
    world.provider_doubles();
    world.write(alice, "bob", "one");
    world.write(alice, "bob", "two");
    world.pass(5_000);
    assert_eq!((shown(&world), world.notifications(bob)), (2, 2), "{}", world.play());
    assert_eq!(world.badge_on(bob), 2, "{}", world.play());
    assert_snapshot!(to_the_end(world));
}

#[test]
fn an_extension_finds_what_the_app_posted() {
    let (mut world, alice, bob) = alice_and_bob_in_his_pocket();
    world.act("Bob looks at the app and leaves it again");
    world.foreground(bob);
    world.pass(2_000);
    world.leave(bob, 25_000);
    world.pass(1_000);
    world.act("In its grace the app posts what Alice writes; the server does not hear so in time");
    world.write(alice, "bob", "did you leave?");
    world.pass(50);
    world.hold_network(bob, 3_000);
    world.pass(5_000);
    assert_eq!(world.pushes(), 1, "{}", world.play());
    assert_eq!((shown(&world), world.notifications(bob)), (1, 1), "{}", world.play());
    assert_snapshot!(to_the_end(world));
}

#[test]
fn three_days_offline_and_the_extension_fetches_what_was_dropped() {
    let (mut world, alice, bob) = alice_and_bob_in_his_pocket();
    world.act("Bob's phone is switched off for three days");
    world.provider_keeps_the_newest();
    world.lose_network(bob);
    for day in ["one", "two", "three"] {
        world.act(&format!("Day {day}: Alice writes"));
        world.write(alice, "bob", &format!("day {day}"));
        world.pass(24 * 3_600_000);
    }
    world.act("The phone is on again: one push comes of three, and its extension shows all three");
    world.find_network(bob);
    world.pass(3_000);
    assert_eq!((shown(&world), world.notifications(bob)), (3, 3), "{}", world.play());
    assert_eq!(world.badge_on(bob), 3, "{}", world.play());
    assert_snapshot!(to_the_end(world));
}

#[test]
fn an_extension_without_an_answer_shows_the_push_as_it_came() {
    let (mut world, alice, bob) = alice_and_bob_in_his_pocket();
    world.act("Alice writes, and the server is killed before the extension asks it");
    world.write(alice, "bob", "is anybody there?");
    world.pass(90);
    world.kill_server();
    world.pass(30_000);
    assert_eq!((shown(&world), world.notifications(bob)), (1, 1), "{}", world.play());
    world.act("The server comes back and knows that this was handed over");
    world.restart_server();
    world.pass(5_000);
    assert_eq!((shown(&world), world.notifications(bob)), (1, 1), "{}", world.play());
    assert_snapshot!(to_the_end(world));
}
