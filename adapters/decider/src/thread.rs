//! The thread itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::{Duration, Instant};

use nightjar_domain::{CommitNo, Missing, Store, Submitted};
use nightjar_node::{Input, Node, NodeConfig, Turn};
use tokio::sync::{mpsc, oneshot, watch};

use crate::handle::{Handle, INBOX_MAX, Stats, ToDecider, Waiting};
use crate::{Clock, Pusher, Release};

/// Inputs decided in one turn: what queued during the last commit, bounded.
const INPUTS_A_TURN_MAX: usize = 512;
/// How long to wait when the store has no room.
const FULL_WAIT: Duration = Duration::from_millis(1);
/// While small conversations are written to, what can wait rests for so long after each of its
/// turns: on few cores its wake-ups, and 200 ms later their answers, would take all of them.
const REST: Duration = Duration::from_millis(3);
/// They are written to until so long after the last message.
const BUSY: Duration = Duration::from_millis(20);
/// Turns on the way out: what is gathered is written, what is queued is answered.
const LAST_TURNS_MAX: usize = 1_024;

/// Why a decider did not start.
#[derive(Debug)]
pub enum StartError {
    /// Open work could not be read.
    Rows(Missing),
    /// The thread could not be made.
    Thread(std::io::Error),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rows(missing) => write!(f, "open work could not be read: {missing:?}"),
            Self::Thread(error) => write!(f, "the decider thread could not be made: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// A running decider.
pub struct Decider {
    handle: Handle,
    thread: std::thread::JoinHandle<()>,
    letting_go: tokio::task::JoinHandle<()>,
}

impl Decider {
    /// What a store must call when a commit became safe, made before the store is opened.
    #[must_use]
    pub fn release(pusher: Pusher, clock: Clock) -> (Arc<Release>, Parts) {
        let waiting = Arc::new(Waiting::default());
        let (events_in, events) = watch::channel(0);
        let release =
            Arc::new(Release::new(Arc::clone(&waiting), pusher.clone(), events_in, clock));
        let parts = Parts { waiting, release: Arc::clone(&release), pusher, events, clock };
        (release, parts)
    }

    /// Opens the node over the store and starts the thread. Call it in the gateways' runtime:
    /// effects leave from there.
    ///
    /// `on_broken` is called once when the store fails for good; the process must end then.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(
        parts: Parts,
        config: NodeConfig,
        store: Box<dyn Store + Send>,
        on_broken: impl FnOnce(String) + Send + 'static,
    ) -> Result<Self, StartError> {
        let Parts { waiting, release, pusher, events, clock } = parts;
        let node = Node::open(config, &*store, clock.now()).map_err(StartError::Rows)?;
        let (inbox, inputs) = mpsc::channel(INBOX_MAX);
        pusher.answer_to(inbox.clone());
        let handle = Handle {
            inbox,
            waiting,
            release: Arc::clone(&release),
            numbers: Arc::new(AtomicU64::new(1)),
            draining: Arc::new(AtomicBool::new(false)),
            events,
            clock,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(StartError::Thread)?;
        let now = Instant::now();
        let worker = Worker {
            node,
            store,
            release,
            clock,
            last: CommitNo(0),
            random: Random::default(),
            busy_until: now,
            rests_until: now,
        };
        let thread = std::thread::Builder::new()
            .name("decider".into())
            .spawn(move || {
                if let Err(broken) = runtime.block_on(worker.run(inputs)) {
                    on_broken(broken);
                }
            })
            .map_err(StartError::Thread)?;
        let letting_go = tokio::spawn(Arc::clone(&handle.release).run());
        Ok(Self { handle, thread, letting_go })
    }

    /// What gateways hold.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Decides what is queued, writes what is gathered, and ends the thread. The store is closed
    /// with it: everything submitted is safe then.
    pub async fn stop(self) {
        let (done, ended) = oneshot::channel();
        if self.handle.inbox.send(ToDecider::Stop(done)).await.is_ok() {
            let _ = ended.await;
        }
        let thread = self.thread;
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        self.handle.release.close();
        let _ = self.letting_go.await;
        self.handle.waiting.give_up();
    }
}

/// What exists before the store does.
pub struct Parts {
    waiting: Arc<Waiting>,
    release: Arc<Release>,
    pusher: Pusher,
    events: watch::Receiver<u64>,
    clock: Clock,
}

struct Worker {
    node: Node,
    store: Box<dyn Store + Send>,
    release: Arc<Release>,
    clock: Clock,
    last: CommitNo,
    random: Random,
    busy_until: Instant,
    rests_until: Instant,
}

impl Worker {
    async fn run(mut self, mut inputs: mpsc::Receiver<ToDecider>) -> Result<(), String> {
        let mut batch = Vec::with_capacity(INPUTS_A_TURN_MAX);
        let mut more = true;
        loop {
            self.wait(&mut inputs, &mut batch, more).await;
            self.hear_what_is_safe()?;
            let mut stop = None;
            for input in batch.drain(..) {
                match input {
                    ToDecider::Input(input) => self.decide(input)?,
                    ToDecider::Stats(sender) => {
                        let (counts, sizes) = (self.node.stats(), self.node.sizes());
                        let _ = sender.send(Stats { counts, sizes, routes: self.node.routes() });
                    }
                    ToDecider::Stop(done) => stop = Some(done),
                }
            }
            let has_room = self.rests().is_none() && self.release.has_room();
            more = self.end_turn(has_room)?;
            if let Some(done) = stop {
                self.finish(&mut inputs)?;
                drop(self);
                let _ = done.send(());
                return Ok(());
            }
        }
    }

    /// Takes what is queued; waits for something only when nothing is ready.
    async fn wait(
        &self,
        inputs: &mut mpsc::Receiver<ToDecider>,
        batch: &mut Vec<ToDecider>,
        more: bool,
    ) {
        while batch.len() < INPUTS_A_TURN_MAX {
            match inputs.try_recv() {
                Ok(input) => batch.push(input),
                Err(_) => break,
            }
        }
        if more || !batch.is_empty() {
            return;
        }
        let rests_until = self.rests();
        let has_room = rests_until.is_none() && self.release.has_room();
        let until = self.node.wait_until(has_room).map(|at| self.clock.instant(at));
        let until = until.into_iter().chain(rests_until).min();
        let time = async {
            match until {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = inputs.recv_many(batch, INPUTS_A_TURN_MAX) => {}
            () = self.release.news(), if !has_room || self.node.waits_for_safe() => {}
            () = time => {}
        }
    }

    /// Until when what can wait rests.
    fn rests(&self) -> Option<Instant> {
        Some(self.rests_until).filter(|until| *until > Instant::now())
    }

    fn decide(&mut self, input: Input) -> Result<(), String> {
        let now = self.clock.now();
        let random = self.random.next();
        self.node.handle(input, &*self.store, now, &random).map_err(broken)
    }

    /// Before anybody asks about a message, its trace knows that it is safe.
    fn hear_what_is_safe(&mut self) -> Result<(), String> {
        match self.release.take_news() {
            Some((turn, at)) => self.decide(Input::Safe { turn, at }),
            None => Ok(()),
        }
    }

    fn end_turn(&mut self, has_room: bool) -> Result<bool, String> {
        let now = self.clock.now();
        let random = self.random.next();
        let more = self.node.settle(&*self.store, now, &random, has_room).map_err(broken)?;
        let turn = self.node.take_turn();
        self.submit(turn)?;
        Ok(more)
    }

    fn submit(&mut self, turn: Turn) -> Result<(), String> {
        let mut waits = turn.commit;
        while let Some(commit) = waits.take() {
            match self.store.submit(commit) {
                Submitted::Taken(number) => self.last = number,
                Submitted::Full(commit) => {
                    std::thread::sleep(FULL_WAIT);
                    waits = Some(commit);
                }
                Submitted::Broken(reason) => return Err(reason),
            }
        }
        // What was read may belong to an earlier commit that is not safe yet.
        self.release.hold(self.last, turn.number, turn.effects, turn.takes_room);
        let now = Instant::now();
        if turn.is_prompt {
            self.busy_until = now + BUSY;
        }
        if turn.takes_room && now < self.busy_until {
            self.rests_until = now + REST;
        }
        Ok(())
    }

    fn finish(&mut self, inputs: &mut mpsc::Receiver<ToDecider>) -> Result<(), String> {
        for _ in 0..LAST_TURNS_MAX {
            let mut rest = 0;
            while let Ok(input) = inputs.try_recv() {
                if let ToDecider::Input(input) = input {
                    self.decide(input)?;
                    rest += 1;
                }
            }
            self.hear_what_is_safe()?;
            self.node.flush_next();
            if !self.end_turn(true)? && rest == 0 {
                break;
            }
        }
        Ok(())
    }
}

fn broken(missing: Missing) -> String {
    match missing {
        Missing::Broken(reason) => reason,
        // An embedded store has every row at hand.
        other => format!("the store did not answer: {other:?}"),
    }
}

/// Random bytes from the operating system, fetched a page at a time.
struct Random {
    page: Box<[u8; 4096]>,
    used: usize,
}

impl Default for Random {
    fn default() -> Self {
        Self { page: Box::new([0; 4096]), used: 4096 }
    }
}

impl Random {
    fn next(&mut self) -> [u8; 16] {
        if self.used + 16 > self.page.len() {
            getrandom::fill(&mut self.page[..]).expect("the operating system has random bytes");
            self.used = 0;
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.page[self.used..self.used + 16]);
        self.page[self.used..self.used + 16].fill(0);
        self.used += 16;
        bytes
    }
}
