//! Unread totals by arithmetic, held against counting: random logs of a group in which people
//! write, take back, read out of order, leave, come back and leave memory.

use std::collections::{BTreeMap, BTreeSet};

use nightjar_domain::{Accepted, Changes, Commit, Conversation, Draft, Durability, Store, User};
use nightjar_model::{ClientMsgId, EntryKind, GroupId, Mono, Now, Seq, Uid, WallMs};
use nightjar_store_memory::MemoryStore;
use proptest::prelude::*;

const PEOPLE: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// What happens next; places and people are taken modulo what there is.
#[derive(Debug, Clone)]
enum Step {
    Send {
        from: usize,
    },
    Recall {
        by: usize,
        target: u64,
    },
    Read {
        who: usize,
        seq: u64,
    },
    Join {
        who: usize,
    },
    Leave {
        who: usize,
    },
    /// The user leaves memory and is loaded again.
    ReloadUser {
        who: usize,
    },
    /// The conversation leaves memory and is loaded again.
    ReloadConversation,
    /// Nobody looks at new entries until the next step that needs it.
    Postpone,
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..PEOPLE.len();
    prop_oneof![
        8 => who.clone().prop_map(|from| Step::Send { from }),
        3 => (who.clone(), any::<u64>()).prop_map(|(by, target)| Step::Recall { by, target }),
        4 => (who.clone(), any::<u64>()).prop_map(|(who, seq)| Step::Read { who, seq }),
        1 => who.clone().prop_map(|who| Step::Join { who }),
        1 => who.clone().prop_map(|who| Step::Leave { who }),
        2 => who.prop_map(|who| Step::ReloadUser { who }),
        1 => Just(Step::ReloadConversation),
        2 => Just(Step::Postpone),
    ]
}

/// The log and its readers as a person would write them down.
#[derive(Default)]
struct Plain {
    /// `(author, countable)` of each place from 1 on.
    log: Vec<(usize, bool)>,
    /// Messages that were taken back, and by which place.
    recalled: BTreeMap<Seq, Seq>,
    /// `(joined, left, read)` of everybody who is or was a member.
    readers: BTreeMap<usize, (Seq, Option<Seq>, Seq)>,
}

impl Plain {
    fn is_member(&self, who: usize) -> bool {
        self.readers.get(&who).is_some_and(|(_, left, _)| left.is_none())
    }

    fn head(&self) -> Seq {
        self.log.len() as Seq
    }

    fn sight(&self, who: usize) -> (Seq, Seq) {
        let (joined, left, _) = self.readers[&who];
        (joined, left.unwrap_or(self.head()))
    }

    fn unread(&self, who: usize) -> u64 {
        let (joined, until) = self.sight(who);
        let read = self.readers[&who].2;
        (joined + 1..=until)
            .filter(|seq| *seq > read && !self.recalled.contains_key(seq))
            .filter(|seq| {
                let (from, is_countable) = self.log[*seq as usize - 1];
                is_countable && from != who
            })
            .count() as u64
    }

    /// Whether counting is exact for them: who left sees recalls of later only after a reload.
    fn is_settled(&self, who: usize) -> bool {
        let until = self.sight(who).1;
        self.recalled.iter().all(|(target, by)| *target > until || *by <= until)
    }
}

struct Real {
    store: MemoryStore,
    conversation: Conversation,
    users: Vec<User>,
    is_postponed: bool,
    numbers: u64,
}

fn uid(who: usize) -> Uid {
    Uid::parse(PEOPLE[who]).unwrap()
}

fn now(number: u64) -> Now {
    Now { mono: Mono(number), wall: WallMs(number) }
}

fn random(number: u64) -> [u8; 10] {
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes
}

impl Real {
    fn new(plain: &mut Plain) -> Self {
        let group = GroupId::parse("crew").unwrap();
        let members = [uid(0), uid(1), uid(2)];
        let (conversation, accepted) = Conversation::create_group(
            &group,
            "Crew".into(),
            &uid(0),
            &members,
            now(1),
            &random(1),
        )
        .unwrap();
        plain.log.push((0, false));
        plain.readers = (0..3).map(|who| (who, (0, None, 0))).collect();
        let store = MemoryStore::new(|_| {});
        let users = (0..PEOPLE.len())
            .map(|who| User::load(&store, &uid(who), WallMs(0)).unwrap())
            .collect();
        let mut real = Self { store, conversation, users, is_postponed: false, numbers: 1 };
        real.accepted(&accepted);
        real
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn commit(&mut self, changes: Changes) {
        let commit = Commit { writes: changes.writes, durability: Durability::Power };
        self.store.submit(commit);
    }

    fn accepted(&mut self, accepted: &Accepted) {
        self.commit(Changes { writes: accepted.writes.clone(), needs_power: true });
        if !std::mem::take(&mut self.is_postponed) {
            self.catch_up();
        }
    }

    /// Every member counts the entries they have not counted.
    fn catch_up(&mut self) {
        for who in 0..PEOPLE.len() {
            if self.conversation.is_member(&uid(who)) {
                self.catch_up_one(who);
            }
        }
    }

    fn catch_up_one(&mut self, who: usize) {
        let mut changes = Changes::default();
        let (user, id) = (&mut self.users[who], self.conversation.row().conversation.clone());
        user.enter(&self.store, &self.conversation, &mut changes).unwrap();
        let from = user.place(&id).unwrap().head();
        for entry in self.conversation.entries_after(&self.store, from, usize::MAX).unwrap() {
            let author = match entry.kind {
                EntryKind::Recall { target } => {
                    let target = self.conversation.entry(&self.store, target).unwrap();
                    target.map(|target| target.from.clone())
                }
                _ => None,
            };
            self.users[who].apply(&entry, author.as_ref());
        }
        self.commit(changes);
    }

    fn change(&mut self, add: Option<usize>, remove: Option<usize>) -> Accepted {
        let set = |who: Option<usize>| who.map(uid).into_iter().collect::<BTreeSet<Uid>>();
        let number = self.number();
        self.conversation
            .change_members(
                &self.store,
                &uid(0),
                &set(add),
                &set(remove),
                now(number),
                &random(number),
            )
            .unwrap()
    }

    fn leave(&mut self, who: usize) {
        self.catch_up();
        let accepted = self.change(None, Some(who));
        self.commit(Changes { writes: accepted.writes.clone(), needs_power: true });
        let mut changes = Changes::default();
        self.users[who].apply(&accepted.entry, None);
        self.users[who].enter(&self.store, &self.conversation, &mut changes).unwrap();
        self.commit(changes);
        self.catch_up();
    }

    fn read(&mut self, who: usize, seq: Seq) {
        self.catch_up();
        let mut changes = Changes::default();
        self.users[who].mark_read(&self.store, &self.conversation, seq, &mut changes).unwrap();
        self.commit(changes);
    }

    fn send(&mut self, from: usize) {
        let number = self.number();
        let draft = Draft {
            client_msg_id: ClientMsgId::parse(&format!("c{number}")).unwrap(),
            content: "{}".into(),
            sealed: false,
            push: None,
            expires_at: None,
        };
        let accepted = self
            .conversation
            .accept(&self.store, &uid(from), draft, now(number), &random(number))
            .unwrap();
        self.accepted(&accepted);
    }

    fn recall(&mut self, by: usize, target: Seq) -> bool {
        let number = self.number();
        let recalled =
            self.conversation.recall(&self.store, &uid(by), target, now(number), &random(number));
        let is_done = recalled.is_ok();
        if let Ok(accepted) = recalled {
            self.accepted(&accepted);
        }
        is_done
    }
}

/// Does the step in both worlds.
fn take(step: &Step, plain: &mut Plain, real: &mut Real) {
    match *step {
        Step::Send { from } if plain.is_member(from) => {
            plain.log.push((from, true));
            real.send(from);
        }
        Step::Recall { by, target } if plain.is_member(by) => {
            let target = target % (plain.head() + 1);
            let found = target.checked_sub(1).map(|at| plain.log[at as usize]);
            let may = found.is_some_and(|(from, is_countable)| {
                let is_seen = target > plain.sight(by).0;
                let is_there = is_countable && !plain.recalled.contains_key(&target);
                is_seen && is_there && (from == by || by == 0)
            });
            assert_eq!(real.recall(by, target), may, "recall of {target} by {by}");
            if may {
                plain.log.push((by, false));
                plain.recalled.insert(target, plain.head());
            }
        }
        Step::Read { who, seq } if plain.readers.contains_key(&who) => {
            let seq = seq % (plain.head() + 3);
            real.read(who, seq);
            let until = plain.sight(who).1;
            let reader = plain.readers.get_mut(&who).unwrap();
            reader.2 = reader.2.max(seq.min(until));
        }
        Step::Join { who } if !plain.is_member(who) => {
            let head = plain.head();
            real.catch_up();
            let accepted = real.change(Some(who), None);
            real.accepted(&accepted);
            plain.log.push((0, false));
            plain.readers.insert(who, (head, None, head));
        }
        Step::Leave { who } if who != 0 && plain.is_member(who) => {
            real.leave(who);
            plain.log.push((0, false));
            let head = plain.head();
            plain.readers.get_mut(&who).unwrap().1 = Some(head);
        }
        Step::ReloadUser { who } => {
            real.users[who] = User::load(&real.store, &uid(who), WallMs(0)).unwrap();
        }
        Step::ReloadConversation => {
            let id = real.conversation.row().conversation.clone();
            real.conversation = Conversation::load(&real.store, &id).unwrap().unwrap();
        }
        Step::Postpone => real.is_postponed = true,
        _ => {}
    }
}

fn check(plain: &Plain, real: &mut Real) -> Result<(), TestCaseError> {
    let id = real.conversation.row().conversation.clone();
    prop_assert_eq!(real.conversation.head(), plain.head());
    for who in plain.readers.keys().copied() {
        let (joined, left, read) = plain.readers[&who];
        let sight = real.conversation.visible(&uid(who));
        prop_assert_eq!(sight, Some((joined, left.unwrap_or(Seq::MAX))));
        prop_assert_eq!(real.conversation.is_member(&uid(who)), left.is_none());
        if !plain.is_settled(who) {
            continue;
        }
        let user = &mut real.users[who];
        let place = user.place(&id).unwrap();
        prop_assert_eq!(place.row.read, read, "read of {}", PEOPLE[who]);
        prop_assert_eq!(place.unread(), plain.unread(who), "unread of {}", PEOPLE[who]);
        prop_assert_eq!(user.unread(), plain.unread(who), "badge of {}", PEOPLE[who]);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn unread_is_what_counting_gives(steps in prop::collection::vec(step(), 1..80)) {
        let mut plain = Plain::default();
        let mut real = Real::new(&mut plain);
        let mut versions = vec![0; PEOPLE.len()];
        for step in &steps {
            take(step, &mut plain, &mut real);
            if real.is_postponed {
                continue;
            }
            real.catch_up();
            check(&plain, &mut real)?;
            for (who, last) in versions.iter_mut().enumerate() {
                let mut changes = Changes::default();
                let (_, version) = real.users[who].badge(&mut changes);
                real.commit(changes);
                prop_assert!(version >= *last, "the version of {} fell", PEOPLE[who]);
                *last = version;
            }
        }
    }

    #[test]
    fn the_log_has_no_holes_and_running_numbers(steps in prop::collection::vec(step(), 1..80)) {
        let mut plain = Plain::default();
        let mut real = Real::new(&mut plain);
        for step in &steps {
            take(step, &mut plain, &mut real);
        }
        let id = real.conversation.row().conversation.clone();
        let entries =
            nightjar_domain::read::entries(&real.store, &id, 0, Seq::MAX, usize::MAX, false).unwrap();
        let seqs: Vec<Seq> = entries.iter().map(|entry| entry.seq).collect();
        prop_assert_eq!(seqs, (1..=plain.head()).collect::<Vec<_>>());
        let (mut ordinal, mut own) = (0, BTreeMap::new());
        for entry in &entries {
            let (from, is_countable) = plain.log[entry.seq as usize - 1];
            prop_assert_eq!(entry.from.as_str(), PEOPLE[from]);
            prop_assert_eq!(entry.is_countable(), is_countable);
            prop_assert_eq!(entry.recalled, plain.recalled.contains_key(&entry.seq));
            prop_assert_eq!(entry.content.is_empty(), entry.recalled);
            ordinal += u64::from(is_countable);
            let own = own.entry(from).or_insert(0);
            *own += u64::from(is_countable);
            prop_assert_eq!((entry.ordinal, entry.own_ordinal), (ordinal, *own));
        }
        let mut verifier = nightjar_domain::Verifier::default();
        real.store.all_rows().for_each(|row| verifier.row(row));
        prop_assert_eq!(verifier.finish().problems, Vec::<String>::new());
    }
}
