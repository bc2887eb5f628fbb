//! Several inputs in one turn: each sees what the ones before it decided, though no store does.

use std::collections::BTreeSet;

use nightjar_domain::{Deadlines, Store};
use nightjar_model::{
    AppStateReport, Binding, BindingKey, ClientMsgId, Command, ConnId, ConversationId, DeviceId,
    GroupId, HelloCommand, HistoryCommand, Mono, Notice, Now, Platform, Reply, Secret, SendCommand,
    Target, Uid, WallMs,
};
use nightjar_node::{Effect, Input, Node, NodeConfig, Origin};
use nightjar_push::PushPolicy;
use nightjar_store_memory::MemoryStore;

const NOW: Now = Now { mono: Mono(1_000_000), wall: WallMs(1_790_000_000_000) };

struct Stage {
    node: Node,
    store: MemoryStore,
    calls: u64,
    now: Now,
    /// Of the last turn.
    number: u64,
}

impl Stage {
    fn new() -> Self {
        let config = NodeConfig {
            deadlines: Deadlines::default(),
            policy: PushPolicy::default(),
            credentials: BTreeSet::from([key()]),
            fallback: None,
            pushes_in_flight_max: 8,
            events: false,
        };
        let store = MemoryStore::new(|_| {});
        let node = Node::open(config, &store, NOW).unwrap();
        Self { node, store, calls: 0, now: NOW, number: 0 }
    }

    fn ask(&mut self, command: Command) {
        self.calls += 1;
        self.ask_from(Origin::Api(self.calls), command);
    }

    fn ask_from(&mut self, origin: Origin, command: Command) {
        let input = Input::Command { origin, command };
        self.node.handle(input, &self.store, self.now, &[self.calls as u8; 16]).unwrap();
    }

    fn pass(&mut self, ms: u64) {
        self.now = Now { mono: self.now.mono.after(ms), wall: self.now.wall.after(ms) };
    }

    /// Ends the turn; its effects.
    fn turn(&mut self) -> Vec<Effect> {
        let more =
            (0..100).all(|_| self.node.settle(&self.store, self.now, &[0; 16], true).unwrap());
        assert!(!more, "it settles");
        let effects = self.turn_on_a_slow_disk();
        self.safe();
        effects
    }

    fn settle(&mut self) {
        let more =
            (0..100).all(|_| self.node.settle(&self.store, self.now, &[0; 16], true).unwrap());
        assert!(!more, "it settles");
    }

    /// Ends the turn; its commit is not safe yet.
    fn turn_on_a_slow_disk(&mut self) -> Vec<Effect> {
        let turn = self.node.take_turn();
        self.number = turn.number;
        if let Some(commit) = turn.commit {
            self.store.submit(commit);
        }
        turn.effects
    }

    /// The commits of all turns are safe.
    fn safe(&mut self) {
        let input = Input::Safe { turn: self.number, at: self.now.wall };
        self.node.handle(input, &self.store, self.now, &[0; 16]).unwrap();
    }

    /// Ends the turn while there is no room for what can wait; its effects.
    fn turn_without_room(&mut self) -> Vec<Effect> {
        let more = self.node.settle(&self.store, self.now, &[0; 16], false).unwrap();
        assert!(!more, "what waits for room keeps nobody busy");
        let turn = self.node.take_turn();
        assert!(!turn.takes_room && turn.is_prompt, "bob's friends wait for it");
        if let Some(commit) = turn.commit {
            self.store.submit(commit);
        }
        turn.effects
    }

    /// A user's phone says hello and is in front of them.
    fn login(&mut self, user: &str, conn: u64) {
        let hello = HelloCommand {
            uid: uid(user),
            device_id: DeviceId::parse("phone").unwrap(),
            platform: Platform::Ios,
            state: AppStateReport::Foreground { conversation: None },
            voice: nightjar_model::Voice::Telling,
            resume: None,
            token_issued_at: NOW.wall,
        };
        self.ask_from(Origin::Conn(ConnId(conn), 1), Command::Hello(Box::new(hello)));
    }

    fn bind(&mut self, user: &str) {
        let binding = Binding {
            key: key(),
            token: Secret::new(format!("token of {user}")),
            locale: None,
            environment: None,
            bound_at: WallMs(0),
        };
        let device_id = DeviceId::parse("phone").unwrap();
        self.ask(Command::PutBinding { uid: uid(user), device_id, binding });
    }
}

fn key() -> BindingKey {
    BindingKey { provider: "fcm".into(), credential: "main".into() }
}

fn uid(name: &str) -> Uid {
    Uid::parse(name).unwrap()
}

fn from_alice(id: &str) -> Command {
    from("alice", id)
}

fn from(user: &str, id: &str) -> Command {
    to(Target::User(uid("bob")), user, id)
}

fn to(to: Target, user: &str, id: &str) -> Command {
    let send = SendCommand {
        to,
        client_msg_id: ClientMsgId::parse(id).unwrap(),
        content: r#"{"type":"text","text":"hello"}"#.into(),
        sealed: false,
        push: None,
        expires_at: None,
    };
    Command::SendAs { from: uid(user), send: Box::new(send) }
}

fn replies(effects: &[Effect]) -> Vec<&Reply> {
    let reply = |effect| match effect {
        &Effect::Reply { result: Ok(ref reply), .. } => Some(reply),
        _ => None,
    };
    effects.iter().filter_map(reply).collect()
}

#[test]
fn a_resend_in_the_turn_of_the_first_gets_the_first_answer() {
    let mut stage = Stage::new();
    stage.ask(from_alice("one"));
    stage.ask(from_alice("one"));
    let effects = stage.turn();
    let [Reply::Sent(first), Reply::Sent(second)] = replies(&effects)[..] else {
        panic!("two answers, not {effects:?}")
    };
    assert!(!first.duplicate && second.duplicate);
    assert_eq!((first.message_id, first.seq), (second.message_id, second.seq));
}

#[test]
fn a_burst_longer_than_the_tail_in_one_turn_is_pushed_from_its_first_message() {
    let mut stage = Stage::new();
    stage.bind("bob");
    stage.turn();
    for n in 0..200 {
        stage.ask(from_alice(&format!("m{n}")));
    }
    let pushed = stage.turn().into_iter().find_map(|effect| match effect {
        Effect::Push { request, .. } => Some(request.data.seq),
        _ => None,
    });
    assert_eq!(pushed, Some(1));
}

#[test]
fn history_in_the_turn_of_the_messages_has_all_of_them() {
    let mut stage = Stage::new();
    for n in 0..100 {
        stage.ask(from_alice(&format!("m{n}")));
    }
    stage.ask(Command::HistoryAs {
        viewer: uid("bob"),
        history: HistoryCommand {
            conversation: ConversationId::direct(&uid("alice"), &uid("bob")),
            after: Some(0),
            before: None,
            limit: 200,
        },
    });
    let effects = stage.turn();
    let found = replies(&effects).into_iter().find_map(|reply| match reply {
        Reply::History { entries, .. } => Some(entries.iter().map(|entry| entry.seq)),
        _ => None,
    });
    assert!(found.unwrap().eq(1..=100));
}

#[test]
fn a_grace_that_ended_during_a_stall_keeps_nobody_busy() {
    let mut stage = Stage::new();
    stage.bind("bob");
    let hello = HelloCommand {
        uid: uid("bob"),
        device_id: DeviceId::parse("phone").unwrap(),
        platform: Platform::Ios,
        state: AppStateReport::Background { grace_ms: 25_000 },
        voice: nightjar_model::Voice::Telling,
        resume: None,
        token_issued_at: NOW.wall,
    };
    stage.ask_from(Origin::Conn(ConnId(1), 1), Command::Hello(Box::new(hello)));
    stage.ask(from_alice("one"));
    stage.turn();
    // The deadline passed while the process stood still: its sockets are read first.
    stage.pass(2_500);
    stage.turn();
    stage.ask(from("carol", "two"));
    let pushes = |effects: &[Effect]| {
        effects.iter().filter(|effect| matches!(effect, Effect::Push { .. })).count()
    };
    assert_eq!(pushes(&stage.turn()), 0, "an answer may wait in a socket");
    stage.pass(500);
    assert_eq!(pushes(&stage.turn()), 2, "nobody answered");
}

#[test]
fn a_slow_disk_is_no_silence_of_the_phones() {
    let mut stage = Stage::new();
    stage.bind("bob");
    stage.login("bob", 1);
    stage.turn();
    stage.ask(from_alice("one"));
    stage.settle();
    assert_eq!(wakes(&stage.turn_on_a_slow_disk()), 1, "it leaves once its commit is safe");
    let pushes = |stage: &mut Stage| -> usize {
        stage.settle();
        let effects = stage.turn_on_a_slow_disk();
        effects.iter().filter(|effect| matches!(effect, Effect::Push { .. })).count()
    };
    // For seven seconds the disk takes nothing.
    stage.pass(7_000);
    assert_eq!(pushes(&mut stage), 0, "bob was given nothing to answer");
    assert_eq!(stage.node.wait_until(true), None, "and nobody is busy meanwhile");
    assert!(stage.node.waits_for_safe());
    stage.safe();
    stage.pass(900);
    assert_eq!(pushes(&mut stage), 0, "now his answer may come");
    stage.pass(100);
    assert_eq!(pushes(&mut stage), 1, "it did not");
}

/// How many connections the effects wake.
fn wakes(effects: &[Effect]) -> usize {
    let is_wake =
        |effect: &&Effect| matches!(effect, Effect::Notice { notice: Notice::Wake(_), .. });
    effects.iter().filter(is_wake).count()
}

#[test]
fn a_large_group_waits_for_room_and_a_direct_message_does_not() {
    let mut stage = Stage::new();
    let members: Vec<Uid> = (0..200).map(|n| uid(&format!("m{n}"))).collect();
    for (n, member) in members.iter().enumerate() {
        stage.login(member.as_str(), 100 + n as u64);
    }
    stage.login("bob", 1);
    let group = GroupId::parse("all").unwrap();
    stage.ask(Command::CreateGroup {
        group: group.clone(),
        name: "All".into(),
        owner: uid("alice"),
        members,
    });
    stage.turn();
    stage.ask(to(Target::Group(group), "alice", "to all"));
    stage.ask(from_alice("to bob"));
    assert_eq!(wakes(&stage.turn_without_room()), 1, "only bob is woken");
    let next = stage.node.wait_until(false);
    assert!(next.is_none_or(|at| at > stage.now.mono), "and nothing is busy meanwhile");
    let slices = std::iter::from_fn(|| {
        let more = stage.node.settle(&stage.store, stage.now, &[0; 16], true).unwrap();
        let turn = stage.node.take_turn();
        assert!(turn.takes_room && !turn.is_prompt);
        more.then(|| wakes(&turn.effects))
    });
    let slices: Vec<usize> = slices.collect();
    assert!(slices.iter().all(|wakes| *wakes < 64), "in small parts: {slices:?}");
    assert!(slices.iter().sum::<usize>() > 100, "most of them are woken by now: {slices:?}");
}
