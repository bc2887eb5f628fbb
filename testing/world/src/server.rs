//! The server: the real node over a store that crashes, as the server's decider thread drives it.
//!
//! A turn takes the inputs at hand, settles, submits one commit and holds the effects until the
//! commit is safe. The process may die between any two inputs and any two effects.

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nightjar_domain::{CommitNo, Store, Submitted};
use nightjar_model::{Command, ConnId, Mono, Now, WallMs};
use nightjar_node::{Effect, Input, Node, NodeConfig, Origin, Turn};
use nightjar_session::{Input as SessionInput, RequestId};
use nightjar_store_memory::{Crash, MemoryStore};

use crate::faults::Fault;
use crate::gateway::Gateway;
use crate::invariants::STALL_EXCUSE_MS;
use crate::network::Up;
use crate::provider::Pusher;
use crate::reference::Ask;
use crate::world::{What, World};

/// Wall clock at the beginning of the world.
pub(crate) const WALL_START_MS: u64 = 1_790_000_000_000;
/// The monotonic clock of a process starts here.
const MONO_START_MS: u64 = 1_000_000;
/// A batch that takes the disk longer than this keeps effects waiting.
const SLOW_DISK_MS: u64 = 200;
/// Inputs of one turn.
const INPUTS_A_TURN_MAX: usize = 512;
/// More turns than this within one millisecond: the server runs in circles.
const TURNS_A_MS_MAX: u32 = 2_000;

/// The machine and what is on it.
pub(crate) struct Server {
    pub(crate) config: NodeConfig,
    pub(crate) process: Option<Process>,
    pub(crate) store: MemoryStore,
    safe: Arc<AtomicU64>,
    /// Commits that may wait for the disk.
    waiting_max: u64,
    /// Processes so far.
    pub(crate) number: u32,
    /// What ended the last process, while there is none.
    pub(crate) down: Option<Crash>,
    /// The process stands still until then; what comes in waits in the kernel.
    pub(crate) stalled_until_ms: u64,
    pub(crate) kernel: VecDeque<(ConnId, Up)>,
    /// How long the disk takes for a batch.
    pub(crate) disk_ms: RangeInclusive<u64>,
    /// Inputs and effects until the process dies.
    pub(crate) dies_after: Option<(u32, Fault)>,
    /// What the disk will do with the next batch.
    pub(crate) trouble: Option<Trouble>,
    /// The next process finds the wall clock set back.
    pub(crate) is_clock_back: bool,
}

/// Why the disk does not write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// There is no room, until somebody makes some.
    Full,
    /// It fails once.
    Broken,
}

/// One run of the server.
pub(crate) struct Process {
    pub(crate) node: Node,
    started_ms: u64,
    skew_ms: u64,
    pub(crate) gateway: Gateway,
    pub(crate) inbox: VecDeque<Input>,
    pub(crate) asked: BTreeMap<Origin, Ask>,
    pub(crate) pusher: Pusher,
    /// Effects of turns that wait for a commit.
    held: VecDeque<(CommitNo, u64, Vec<Effect>)>,
    news: Option<(u64, WallMs)>,
    /// The disk writes up to here, since then.
    writing: Option<(CommitNo, u64)>,
    /// A turn that found the store full.
    blocked: Option<(Turn, CommitNo)>,
    turn_at_ms: Option<u64>,
    turns: (u64, u32),
}

impl Server {
    pub(crate) fn new(config: NodeConfig, waiting_max: u64, disk_ms: RangeInclusive<u64>) -> Self {
        let safe = Arc::new(AtomicU64::new(0));
        let told = Arc::clone(&safe);
        let store = MemoryStore::held(waiting_max as usize, move |commit: CommitNo| {
            told.store(commit.0, Ordering::Relaxed);
        });
        Self {
            config,
            process: None,
            store,
            safe,
            waiting_max,
            number: 0,
            down: None,
            stalled_until_ms: 0,
            kernel: VecDeque::new(),
            disk_ms,
            dies_after: None,
            trouble: None,
            is_clock_back: false,
        }
    }

    /// Every commit up to here is safe.
    pub(crate) fn safe(&self) -> CommitNo {
        CommitNo(self.safe.load(Ordering::Relaxed))
    }

    /// Whether the disk has been writing for long: nothing can leave meanwhile.
    pub(crate) fn waits_for_disk(&self, now_ms: u64) -> bool {
        let writing = self.process.as_ref().and_then(|process| process.writing);
        writing.is_some_and(|(_, since_ms)| now_ms - since_ms > SLOW_DISK_MS)
    }
}

impl Process {
    fn now(&self, now_ms: u64) -> Now {
        Now {
            mono: Mono(MONO_START_MS + now_ms - self.started_ms),
            wall: WallMs(WALL_START_MS + now_ms - self.skew_ms),
        }
    }

    fn moment(&self, at: Mono) -> u64 {
        self.started_ms + at.0.saturating_sub(MONO_START_MS)
    }
}

impl World {
    /// A moment of the server's wall clock, in milliseconds of the world.
    pub(crate) fn server_moment(&self, wall_ms: u64) -> u64 {
        wall_ms + self.server.process.as_ref().map_or(0, |process| process.skew_ms)
    }

    /// The server's clocks; those of the world while there is no process.
    pub(crate) fn server_now(&self) -> Now {
        let now_ms = self.agenda.now_ms();
        match &self.server.process {
            Some(process) => process.now(now_ms),
            None => Now { mono: Mono(now_ms), wall: WallMs(WALL_START_MS + now_ms) },
        }
    }

    /// A process opens the store and is ready.
    pub(crate) fn start_server(&mut self) {
        let now_ms = self.agenda.now_ms();
        self.server.number += 1;
        self.server.down = None;
        // Somebody sets the clock back now and then; deadlines must not care.
        let is_back = std::mem::take(&mut self.server.is_clock_back);
        let is_back = is_back || self.weather.is_wild && self.rng.u32(0..4) == 0;
        let skew_ms = if is_back && !self.without.faults.contains(&Fault::Clock) {
            self.hit_all(Fault::Clock);
            self.rng.u64(0..30_000)
        } else {
            0
        };
        let opened = Now {
            mono: Mono(MONO_START_MS),
            wall: WallMs(WALL_START_MS + now_ms - skew_ms.min(now_ms)),
        };
        let node = Node::open(self.server.config.clone(), &self.server.store, opened)
            .expect("the store in memory has every row at hand");
        self.server.safe.store(0, Ordering::Relaxed);
        self.server.process = Some(Process {
            node,
            started_ms: now_ms,
            skew_ms: skew_ms.min(now_ms),
            gateway: Gateway::default(),
            inbox: VecDeque::new(),
            asked: BTreeMap::new(),
            pusher: Pusher::default(),
            held: VecDeque::new(),
            news: None,
            writing: None,
            blocked: None,
            turn_at_ms: None,
            turns: (0, 0),
        });
        let number = self.server.number;
        self.play.line(now_ms, "server", || format!("is ready (process {number})"));
        self.reference.ready(now_ms);
        self.owe_withdrawals_again();
        self.reference.looks_behind = true;
        for phone in self.unbound.clone() {
            self.agenda.after(500, What::Bind(phone));
        }
        self.plan_turn(now_ms);
    }

    /// Gives the node an input; it is looked at in the next turn.
    pub(crate) fn node_gets(&mut self, input: Input) {
        let now_ms = self.agenda.now_ms();
        let Some(process) = &mut self.server.process else { return };
        process.inbox.push_back(input);
        self.plan_turn(now_ms);
    }

    fn plan_turn(&mut self, at_ms: u64) {
        let at_ms = at_ms.max(self.agenda.now_ms());
        let Some(process) = &mut self.server.process else { return };
        if process.turn_at_ms.is_none_or(|planned| at_ms < planned) {
            process.turn_at_ms = Some(at_ms);
            self.agenda.at(at_ms, What::Turn(self.server.number));
        }
    }

    /// One turn of the decider.
    pub(crate) fn turn(&mut self, number: u32) {
        let now_ms = self.agenda.now_ms();
        if number != self.server.number {
            return;
        }
        if now_ms < self.server.stalled_until_ms {
            if let Some(process) = &mut self.server.process {
                process.turn_at_ms = None;
            }
            return self.plan_turn(self.server.stalled_until_ms);
        }
        let Some(process) = &mut self.server.process else { return };
        if process.turn_at_ms.is_none_or(|at_ms| at_ms > now_ms) {
            return;
        }
        process.turn_at_ms = None;
        if process.blocked.is_some() || self.runs_in_circles() {
            return;
        }
        for _ in 0..INPUTS_A_TURN_MAX {
            let Some(input) = self.next_input() else { break };
            if self.dies_now() {
                return;
            }
            self.decide(input);
        }
        self.settle();
    }

    fn next_input(&mut self) -> Option<Input> {
        self.server.process.as_mut()?.inbox.pop_front()
    }

    fn decide(&mut self, input: Input) {
        if let Input::Answered { ticket, answer } = &input {
            self.server_hears_answer(*ticket, answer);
        }
        if let Input::Command { origin: Origin::Conn(conn, _), command } = &input {
            self.server_hears_of(*conn, matches!(command, Command::Heard));
        }
        let random = self.random();
        let now_ms = self.agenda.now_ms();
        let Some(process) = &mut self.server.process else { return };
        let now = process.now(now_ms);
        process
            .node
            .handle(input, &self.server.store, now, &random)
            .expect("the store in memory has every row at hand");
    }

    fn settle(&mut self) {
        let news = self.server.process.as_mut().and_then(|process| process.news.take());
        if let Some((turn, at)) = news {
            self.decide(Input::Safe { turn, at });
        }
        let random = self.random();
        let now_ms = self.agenda.now_ms();
        let Some(process) = &mut self.server.process else { return };
        let now = process.now(now_ms);
        let more = process
            .node
            .settle(&self.server.store, now, &random, true)
            .expect("the store in memory has every row at hand");
        let turn = process.node.take_turn();
        let wait_until = process.node.wait_until(true).map(|at| process.moment(at));
        let was_behind = std::mem::replace(&mut self.reference.looks_behind, more);
        self.reference.is_behind = was_behind || more;
        self.submit(turn);
        if more {
            self.plan_turn(now_ms);
        } else if let Some(at_ms) = wait_until {
            self.plan_turn(at_ms);
        }
    }

    fn runs_in_circles(&mut self) -> bool {
        let now_ms = self.agenda.now_ms();
        let Some(process) = &mut self.server.process else { return true };
        if process.turns.0 != now_ms {
            process.turns = (now_ms, 0);
        }
        process.turns.1 += 1;
        let is_too_much = process.turns.1 > TURNS_A_MS_MAX;
        if is_too_much {
            self.violated("P2", "the server takes turn after turn and time stands still".into());
        }
        is_too_much
    }

    /// What a turn decided counts from now on, also while it waits for room in the store.
    fn submit(&mut self, turn: Turn) {
        let taken = self.server.store.taken();
        let commit = CommitNo(taken.0 + u64::from(turn.commit.is_some()));
        self.server_decided(&turn.effects, commit);
        self.store(turn, commit);
    }

    /// Gives the store the turn's commit and holds its effects, or waits for room. No other turn is
    /// taken meanwhile, so the commit keeps its number.
    fn store(&mut self, mut turn: Turn, number: CommitNo) {
        let waiting = self.server.store.taken().0 - self.server.safe().0;
        if turn.commit.is_some() && waiting >= self.server.waiting_max {
            self.cover("store_full");
            if let Some(process) = &mut self.server.process {
                process.blocked = Some((turn, number));
            }
            return;
        }
        if let Some(commit) = turn.commit.take() {
            self.read_trace(&commit);
            let submitted = self.server.store.submit(commit);
            assert_eq!(submitted, Submitted::Taken(number), "there was room for the commit");
        }
        if let Some(process) = &mut self.server.process {
            process.held.push_back((number, turn.number, turn.effects));
        }
        self.write_next();
        self.let_go();
    }

    /// The disk takes everything that waits as one batch.
    fn write_next(&mut self) {
        let taken = self.server.store.taken();
        let disk_ms = self.draw(self.server.disk_ms.clone());
        let safe = self.server.safe();
        let now_ms = self.agenda.now_ms();
        let Some(process) = &mut self.server.process else { return };
        if process.writing.is_none() && taken > safe {
            process.writing = Some((taken, now_ms));
            self.agenda.after(disk_ms, What::Written(self.server.number));
        }
    }

    /// The disk has done a batch.
    pub(crate) fn written(&mut self, number: u32) {
        let now_ms = self.agenda.now_ms();
        if number != self.server.number {
            return;
        }
        if now_ms < self.server.stalled_until_ms {
            return self.agenda.at(self.server.stalled_until_ms, What::Written(number));
        }
        let Some(process) = &mut self.server.process else { return };
        let Some((upto, since_ms)) = process.writing.take() else { return };
        if let Some(trouble) = self.server.trouble {
            return self.end_for(trouble);
        }
        if now_ms - since_ms > SLOW_DISK_MS {
            self.reference.excuse(now_ms + STALL_EXCUSE_MS);
        }
        self.server.store.make_safe(upto);
        self.let_go();
        if self.server.process.as_ref().is_some_and(|process| process.node.waits_for_safe()) {
            self.plan_turn(now_ms);
        }
        let blocked = self.server.process.as_mut().and_then(|process| process.blocked.take());
        if let Some((turn, number)) = blocked {
            self.store(turn, number);
            self.plan_turn(now_ms);
        }
        self.write_next();
    }

    /// Lets the effects of safe turns leave, in order.
    fn let_go(&mut self) {
        loop {
            let safe = self.server.safe();
            let now_ms = self.agenda.now_ms();
            let Some(process) = &mut self.server.process else { return };
            if process.held.front().is_none_or(|(commit, ..)| *commit > safe) {
                return;
            }
            let Some((_, turn, effects)) = process.held.pop_front() else { return };
            process.news = Some((turn, process.now(now_ms).wall));
            for effect in effects {
                if self.dies_now() {
                    return;
                }
                self.carry_out(effect);
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Reply { origin, result } => {
                self.answer_leaves(origin, &result);
                if let Origin::Conn(conn, request) = origin {
                    self.session_gets(conn, SessionInput::Reply(RequestId(request), result));
                }
            }
            Effect::Notice { conn, notice } => {
                self.session_gets(conn, SessionInput::Notice(notice))
            }
            Effect::Push { ticket, request } => self.push(ticket, *request),
            Effect::CancelPush { ticket } => self.cancel_push(ticket),
            Effect::Events => {}
        }
    }

    /// Whether this is the step at which the process dies.
    fn dies_now(&mut self) -> bool {
        let Some((steps, fault)) = &mut self.server.dies_after else {
            return self.server.process.is_none();
        };
        if *steps > 0 {
            *steps -= 1;
            return self.server.process.is_none();
        }
        let fault = *fault;
        self.crash(fault);
        true
    }

    /// The disk will not write any more: the process ends when it hears of it.
    pub(crate) fn disk_fails(&mut self, trouble: Trouble) {
        self.server.trouble = Some(trouble);
    }

    pub(crate) fn disk_recovers(&mut self) {
        self.server.disk_ms = self.weather.disk_ms.clone();
        self.server.trouble = None;
    }

    /// A failed write ends the process. A disk that failed once is taken for good by the next one.
    fn end_for(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Full => self.crash(Fault::Full),
            Trouble::Broken => {
                self.server.trouble = None;
                self.crash(Fault::Broken);
            }
        }
    }

    /// Some commits of the batch that is being written made it.
    fn tear_batch(&mut self) {
        let safe = self.server.safe();
        let writing = self.server.process.as_ref().and_then(|process| process.writing);
        if let Some((upto, _)) = writing {
            let made_it = self.rng.u64(safe.0..=upto.0);
            self.server.store.make_safe(CommitNo(made_it));
        }
    }

    /// The process ends here and now.
    pub(crate) fn crash(&mut self, fault: Fault) {
        self.server.dies_after = None;
        if self.server.process.is_none() {
            return;
        }
        self.hit_all(fault);
        let (crash, count, how) = match fault {
            Fault::Power => (Crash::PowerLoss, "power_losses", "loses its power"),
            Fault::Torn => {
                self.tear_batch();
                (Crash::PowerLoss, "power_losses", "loses its power in the middle of a write")
            }
            Fault::Full => (Crash::Kill, "disk_failures", "ends: its disk is full"),
            Fault::Broken => (Crash::Kill, "disk_failures", "ends: its disk failed"),
            _ => (Crash::Kill, "kills", "is killed"),
        };
        self.cover(count);
        let now_ms = self.agenda.now_ms();
        self.play.line(now_ms, "server", || how.into());
        let Some(process) = self.server.process.take() else { return };
        let safe = self.server.safe();
        let empty = MemoryStore::new(|_| {});
        self.server.store = std::mem::replace(&mut self.server.store, empty).crash(crash);
        self.server.down = Some(crash);
        self.server.stalled_until_ms = 0;
        self.server.kernel.clear();
        self.end_connections(crash, process.gateway);
        self.server_crashed(crash, safe);
        if self.weather.is_wild {
            let ms = self.rng.u64(200..15_000);
            self.agenda.after(ms, What::Start);
        }
    }

    /// The process stands still for a while: its sockets fill, its timers are late.
    pub(crate) fn stall(&mut self, ms: u64) {
        if self.server.process.is_none() {
            return;
        }
        let now_ms = self.agenda.now_ms();
        self.cover("stalls");
        self.hit_all(Fault::Stall);
        self.play.line(now_ms, "server", || format!("stands still for {ms} ms"));
        self.server.stalled_until_ms = now_ms + ms;
        self.reference.excuse(now_ms + ms + STALL_EXCUSE_MS);
        // The decider wakes first and reads its sockets a moment later: the harder order.
        self.agenda.at(now_ms + ms + 5, What::KernelRead(self.server.number));
    }
}

#[cfg(test)]
mod tests {
    use nightjar_model::ConversationId;

    use crate::acts::uid;
    use crate::world::World;

    #[test]
    fn what_a_turn_decides_counts_while_it_waits_for_room() {
        let mut world = World::calm(7);
        let alice = world.phone("alice/laptop");
        world.phone("bob/phone");
        world.pass(10_000);
        world.server.waiting_max = 0;
        world.write(alice, "bob", "hello");
        world.pass(1_000);
        let process = world.server.process.as_ref().expect("the server runs");
        assert!(process.blocked.is_some(), "the store has no room");
        let conversation = ConversationId::direct(&uid("alice"), &uid("bob"));
        assert_eq!(world.reference.known.head(&conversation), 1, "the answer was decided");
    }
}
