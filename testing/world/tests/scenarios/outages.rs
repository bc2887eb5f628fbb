//! Ten minutes without a vendor, in each way it can be gone.

use nightjar_world::{Mood, World};

const PHONES: usize = 25;
/// Of each phone, in each of the ten minutes of each outage: ten thousand in all.
const MESSAGES: u32 = 10;
/// It fails, it hangs, it asks for time, it takes everything and its answers get lost.
const WAYS: [Mood; 4] = [Mood::Fails, Mood::Deaf, Mood::Throttles, Mood::Mute];
/// Requests in one outage: one a phone before the first answer comes, and one at a time from then
/// on, the shortest wait being a second.
const ASKED_MAX: u64 = PHONES as u64 + 10 * 60;

#[test]
fn ten_minutes_without_a_vendor_lose_double_and_disorder_nothing() {
    let mut world = World::calm(7);
    world.phone("alice/laptop");
    let names: Vec<String> = (0..PHONES).map(|n| format!("user{n}")).collect();
    let phones: Vec<_> = names.iter().map(|name| world.phone(&format!("{name}/phone"))).collect();
    world.pass(10_000);
    for phone in &phones {
        world.background(*phone, 0);
        world.freeze(*phone);
    }
    world.pass(1_000);
    for way in WAYS {
        world.provider_is(way);
        let before = world.pushes();
        for _ in 0..10 {
            for name in &names {
                world.write_many("alice", name, MESSAGES);
            }
            world.pass(60_000);
            let waiting = world.pushes_waiting();
            assert!(waiting <= PHONES, "{way:?}: {waiting} wait, not one a phone");
        }
        let asked = world.pushes() - before;
        assert!(asked <= ASKED_MAX, "{way:?}: {asked} requests");
        // It is back; the answer to the last probe, the next probe, and everybody follows.
        world.provider_is(Mood::Good);
        world.pass(120_000);
        assert_eq!(world.pushes_waiting(), 0, "{way:?}");
        let written = PHONES as u64 * 10 * u64::from(MESSAGES);
        assert!(world.pushes() - before >= written, "{way:?}: one push a message");
    }
    world.finish();
    assert_eq!(world.violation(), None, "{}", world.play());
}
