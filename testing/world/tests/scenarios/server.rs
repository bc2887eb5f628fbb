//! The server dies, or its answer does not arrive.

use insta::assert_snapshot;
use nightjar_world::World;

use crate::{alice_and_bob, to_the_end};

#[test]
fn a_crowd_comes_back_spread_out() {
    const CROWD: u64 = 100;
    let mut world = World::calm(7);
    for number in 0..CROWD {
        world.phone(&format!("user{number}/phone"));
    }
    world.pass(10_000);
    world.kill_server();
    let mut attempts = Vec::new();
    for second in 0..60 {
        if second == 30 {
            world.restart_server();
        }
        let before = world.connections_opened();
        world.pass(1_000);
        attempts.push(world.connections_opened() - before);
    }
    // Everybody at once, and then ever more rarely: never so many in a second again.
    let peak = attempts[3..].iter().max().copied().unwrap_or_default();
    assert!(peak < CROWD * 2 / 5, "{attempts:?}");
    assert!(attempts[10..30].iter().sum::<u64>() < CROWD * 4, "{attempts:?}");
    let online = (0..CROWD as usize).filter(|no| world.connections(*no) == 1).count();
    assert!(online * 10 >= CROWD as usize * 8, "{online} are back: {attempts:?}");
}

#[test]
fn the_sender_never_hears_that_the_message_is_safe() {
    let (mut world, alice, bob) = alice_and_bob();
    world.act("Alice writes; her network is gone once the server has her message");
    world.write(alice, "bob", "did it arrive?");
    world.pass(24);
    world.lose_network(alice);
    world.pass(5_000);
    assert_eq!(world.messages_on(bob), 1, "{}", world.play());
    world.act("She is back, and her app sends it again under the same id: it stays one message");
    world.find_network(alice);
    world.pass(10_000);
    assert_eq!(world.answered_again(), 1, "{}", world.play());
    assert_eq!((world.messages_on(bob), world.messages_on(alice)), (1, 1), "{}", world.play());
    assert_snapshot!(to_the_end(world));
}

#[test]
fn the_server_restarts_within_the_grace() {
    let (mut world, alice, bob) = alice_and_bob();
    world.act("Bob's app leaves the screen; it has five seconds of grace");
    world.leave(bob, 25_000);
    world.pass(1_000);
    world.act("Alice writes; his app posts it, and the server is killed before it hears so");
    world.write(alice, "bob", "still there?");
    world.pass(60);
    world.kill_server();
    world.pass(500);
    assert_eq!((world.notifications(bob), world.pushes()), (1, 0), "{}", world.play());
    world.act("The server starts again and pushes what it owes: it stays one notification");
    world.restart_server();
    world.pass(3_000);
    assert_eq!((world.notifications(bob), world.pushes()), (1, 1), "{}", world.play());
    world.act("Alice writes again: nobody waits for an app whose connection is gone");
    world.write(alice, "bob", "good night");
    world.pass(3_000);
    assert_eq!((world.notifications(bob), world.pushes()), (2, 2), "{}", world.play());
    assert_snapshot!(to_the_end(world));
}
