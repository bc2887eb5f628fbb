//! Two ways to one device: what comes over the socket, what comes by push, in either order.

use insta::assert_snapshot;

use crate::{alice_and_bob, to_the_end};

#[test]
fn a_push_comes_before_the_socket() {
    let (mut world, alice, bob) = alice_and_bob();
    world.act("Bob's app is in the background, alive; his connection stands still");
    world.background(bob, 0);
    world.pass(1_000);
    world.hold_network(bob, 10_000);
    world.act("Alice writes: the push is there long before the packet");
    world.write(alice, "bob", "which way is faster?");
    world.pass(5_000);
    assert_eq!((world.notifications(bob), world.messages_on(bob)), (1, 0), "{}", world.play());
    world.act("The packet comes: no second notification");
    world.pass(8_000);
    assert_eq!((world.notifications(bob), world.messages_on(bob)), (1, 1), "{}", world.play());
    assert_eq!(world.pushes(), 1, "{}", world.play());
    assert_snapshot!(to_the_end(world));
}

#[test]
fn the_socket_comes_before_a_push() {
    let (mut world, alice, bob) = alice_and_bob();
    world.act("Bob's app is in its grace; what it posts, the server does not hear of in time");
    world.background(bob, 25_000);
    world.pass(1_000);
    world.pushes_are_late(3_000);
    world.write(alice, "bob", "which way is faster?");
    world.pass(60);
    world.hold_network(bob, 20_000);
    world.pass(1_500);
    assert_eq!((world.notifications(bob), world.pushes()), (1, 0), "{}", world.play());
    world.act(
        "The server hears nothing for two seconds and pushes: the same notification, no second one",
    );
    world.pass(10_000);
    assert_eq!((world.notifications(bob), world.pushes()), (1, 1), "{}", world.play());
    assert_snapshot!(to_the_end(world));
}

#[test]
fn reading_on_the_web_while_the_phone_is_suspended() {
    let (mut world, alice, phone) = alice_and_bob();
    let web = world.phone("bob/web");
    world.pass(5_000);
    world.act("Bob's phone goes to his pocket: the app says goodbye and is frozen");
    world.leave(phone, 25_000);
    world.pass(10_000);
    assert!(world.is_frozen(phone), "{}", world.play());
    world.act("Alice writes: the web page shows it, the phone is pushed");
    world.write(alice, "bob", "where are you?");
    world.pass(2_000);
    assert_eq!((world.notifications(phone), world.badge_on(phone)), (1, 1), "{}", world.play());
    world.act("Bob reads on the web: a push takes the notification off the phone");
    world.read(web, "alice");
    world.pass(3_000);
    assert_eq!((world.notifications(phone), world.badge_on(phone)), (0, 0), "{}", world.play());
    assert_snapshot!(to_the_end(world));
}

#[test]
fn three_days_offline_then_only_the_newest_push() {
    let (mut world, alice, bob) = alice_and_bob();
    world.act("Bob's phone is switched off for three days");
    world.provider_keeps_the_newest();
    world.leave(bob, 25_000);
    world.pass(10_000);
    world.lose_network(bob);
    for day in ["one", "two", "three"] {
        world.act(&format!("Day {day}: Alice writes"));
        world.write(alice, "bob", &format!("day {day}"));
        world.pass(24 * 3_600_000);
    }
    world.act("The phone is on again: one push comes of three, and its badge is right");
    world.find_network(bob);
    world.pass(2_000);
    assert_eq!((world.notifications(bob), world.badge_on(bob)), (1, 3), "{}", world.play());
    world.act("Bob opens the app: everything is there");
    world.foreground(bob);
    world.pass(3_000);
    assert_eq!((world.messages_on(bob), world.notifications(bob)), (3, 0), "{}", world.play());
    assert_snapshot!(to_the_end(world));
}
