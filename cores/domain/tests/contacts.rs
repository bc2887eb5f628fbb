//! Contacts at their limits, over a store in memory.

use nightjar_domain::{
    Changed, Changes, Commit, Contacted, Durability, Row, Said, Stop, Store, SyncPoint, User,
    Verifier,
};
use nightjar_model::{ContactAction, ContactState, Reject, Uid, WallMs, limits};
use nightjar_store_memory::MemoryStore;

const NOW: WallMs = WallMs(1_700_000_000_000);

fn uid(name: &str) -> Uid {
    Uid::parse(name).unwrap()
}

fn nth(n: u32) -> Uid {
    uid(&format!("friend{n:05}"))
}

struct Lane {
    store: MemoryStore,
    user: User,
}

impl Lane {
    fn new() -> Self {
        let store = MemoryStore::new(|_| {});
        let user = User::load(&store, &uid("alice"), WallMs(0)).unwrap();
        Self { store, user }
    }

    fn write(&mut self, changes: Changes) {
        let durability = Durability::Power;
        self.store.submit(Commit { writes: changes.writes, durability });
    }

    fn wants(&mut self, other: &Uid, action: ContactAction) -> Result<Contacted, Stop> {
        let mut changes = Changes::default();
        let came_to = self.user.want_contact(&self.store, other, action, NOW, &mut changes);
        self.write(changes);
        came_to
    }

    fn hears(&mut self, other: &Uid, said: Said) -> Contacted {
        let mut changes = Changes::default();
        let came_to = self.user.hear_contact(&self.store, other, said, NOW, &mut changes);
        self.write(changes);
        came_to.unwrap()
    }

    /// The versions told from a point on, all at once.
    fn told(&mut self, point: SyncPoint) -> Result<Vec<(u64, Changed)>, Stop> {
        let mut changes = Changes::default();
        let changed = self.user.changed_since(&self.store, point, 100_000, NOW, &mut changes);
        self.write(changes);
        Ok(changed?.0)
    }

    fn is_whole(&self) {
        let mut verifier = Verifier::default();
        self.store.all_rows().for_each(|row| verifier.row(row));
        assert_eq!(verifier.finish().problems, Vec::<String>::new());
    }

    fn reloaded(mut self) -> Self {
        self.user = User::load(&self.store, &uid("alice"), WallMs(0)).unwrap();
        self
    }
}

fn refused(result: Result<Contacted, Stop>) -> Reject {
    match result {
        Err(Stop::Reject(reject)) => reject,
        other => panic!("{other:?}"),
    }
}

#[test]
fn contacts_have_a_limit_and_removed_ones_make_room() {
    let mut lane = Lane::new();
    for n in 0..limits::CONTACTS_MAX {
        lane.wants(&nth(n), ContactAction::Join).unwrap();
    }
    let one_more = uid("one-more");
    let mut lane = lane.reloaded();
    assert_eq!(refused(lane.wants(&one_more, ContactAction::Request)), Reject::LimitReached);
    assert_eq!(refused(lane.wants(&one_more, ContactAction::Block)), Reject::LimitReached);
    let heard = lane.hears(&one_more, Said::Joined);
    assert_eq!((heard.view.state, heard.tells), (ContactState::None, true), "they are told");
    let told = lane.told(SyncPoint::default()).unwrap();
    assert_eq!(told.len() as u32, limits::CONTACTS_MAX);
    let version = told.last().unwrap().0;

    for n in [3, 5, 4, 9] {
        lane.wants(&nth(n), ContactAction::Remove).unwrap();
    }
    let changed = lane.told(SyncPoint { version, base: 0 }).unwrap();
    assert_eq!(changed.len(), 4);
    lane.wants(&one_more, ContactAction::Request).unwrap();
    // The older half of the removed ones is forgotten: who was not told of them begins anew.
    let too_old = lane.told(SyncPoint { version, base: 0 });
    assert_eq!(too_old, Err(Stop::Reject(Reject::TooOld)));
    let version = changed[1].0;
    assert_eq!(lane.told(SyncPoint { version, base: 0 }).unwrap().len(), 3);
    assert_eq!(lane.told(SyncPoint::default()).unwrap().len() as u32, limits::CONTACTS_MAX - 1);
    lane.is_whole();
}

#[test]
fn requests_that_wait_have_a_limit_and_answered_ones_make_room() {
    let mut lane = Lane::new();
    for n in 0..limits::CONTACTS_ASKED_MAX {
        assert!(lane.hears(&nth(n), Said::Requested).changed);
    }
    let mut lane = lane.reloaded();
    let one_more = uid("one-more");
    let dropped = lane.hears(&one_more, Said::Requested);
    assert_eq!((dropped.view.state, dropped.changed), (ContactState::None, false));
    assert!(!dropped.tells, "they cannot tell");
    lane.wants(&nth(0), ContactAction::Accept).unwrap();
    assert!(lane.hears(&one_more, Said::Requested).changed);
    lane.is_whole();
}

#[test]
fn blocks_have_a_limit() {
    let mut lane = Lane::new();
    for n in 0..limits::BLOCKED_MAX as u32 {
        lane.wants(&nth(n), ContactAction::Block).unwrap();
    }
    let mut lane = lane.reloaded();
    let one_more = uid("one-more");
    assert_eq!(refused(lane.wants(&one_more, ContactAction::Block)), Reject::LimitReached);
    assert!(!lane.user.blocks(&one_more));
    lane.wants(&nth(0), ContactAction::Unblock).unwrap();
    lane.wants(&one_more, ContactAction::Block).unwrap();
    assert!(lane.user.blocks(&one_more) && !lane.user.blocks(&nth(0)));
    lane.is_whole();
}

#[test]
fn versions_only_grow_over_reloads() {
    let mut lane = Lane::new();
    let mut last = 0;
    for n in 0..20 {
        let action = if n % 2 == 0 { ContactAction::Block } else { ContactAction::Unblock };
        let ver = lane.wants(&uid("bob"), action).unwrap().view.ver;
        assert!(ver > last);
        last = ver;
        lane = lane.reloaded();
    }
}

#[test]
fn a_store_that_counts_contacts_wrong_is_named() {
    let mut lane = Lane::new();
    lane.wants(&uid("bob"), ContactAction::Request).unwrap();
    lane.wants(&uid("carol"), ContactAction::Block).unwrap();
    lane.is_whole();
    let rows: Vec<Row> = lane.store.all_rows().cloned().collect();
    let problems = |change: &dyn Fn(&mut Row) -> bool| {
        let mut verifier = Verifier::default();
        for row in &rows {
            let mut row = row.clone();
            if change(&mut row) {
                verifier.row(&row);
            }
        }
        verifier.finish().problems
    };
    let lost = problems(&|row| !matches!(row, Row::Contact(row) if row.other == uid("bob")));
    let unblocked = problems(&|row| {
        if let Row::User(row) = row {
            row.contacts.blocked.clear();
        }
        true
    });
    let forgotten = problems(&|row| {
        if let Row::User(row) = row {
            row.contacts = Default::default();
        }
        true
    });
    for found in [lost, unblocked, forgotten] {
        assert!(found.iter().any(|text| text.contains("contacts")), "{found:?}");
    }
}
