//! Nothing undurable escapes: effects wait here until their commit is safe.
//!
//! They leave from a task of the gateways' runtime. A connection's task that is woken from another
//! thread costs a system call and a switch; woken from within it costs neither, and neither the
//! decider nor the store's writer stands still for it.
//!
//! What can wait, the wake-ups of a large group and the rows that are written later, is on its way
//! in a few small turns at a time: everybody's answers queue behind it, here, in the store's writer
//! and among the tasks that it wakes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use nightjar_domain::CommitNo;
use nightjar_model::WallMs;
use nightjar_node::{Effect, Origin};
use tokio::sync::{Notify, watch};

use crate::handle::Waiting;
use crate::mailbox::Mail;
use crate::{Clock, Pusher};

/// Turns with what could have waited that may be on their way: the disk works on one while the
/// connections of the other are woken.
const ROOM: usize = 2;

/// Turns whose effects wait, and where they go.
pub struct Release {
    state: Mutex<State>,
    /// Something may leave, or it is over.
    stirred: Notify,
    /// A turn has left, for a decider that waits for that.
    left: Notify,
    waiting: Arc<Waiting>,
    pusher: Pusher,
    events: watch::Sender<u64>,
    clock: Clock,
    released: AtomicU64,
}

/// A turn that waits.
struct Held {
    /// It is safe with this commit.
    commit: CommitNo,
    turn: u64,
    effects: Vec<Effect>,
    takes_room: bool,
}

#[derive(Default)]
struct State {
    /// In order.
    turns: VecDeque<Held>,
    /// Turns on their way that took room.
    in_room: usize,
    safe: CommitNo,
    /// The newest turn known to be safe and when, until the decider asks.
    news: Option<(u64, WallMs)>,
    is_over: bool,
}

impl Release {
    pub(crate) fn new(
        waiting: Arc<Waiting>,
        pusher: Pusher,
        events: watch::Sender<u64>,
        clock: Clock,
    ) -> Self {
        Self {
            state: Mutex::new(State::default()),
            stirred: Notify::new(),
            left: Notify::new(),
            waiting,
            pusher,
            events,
            clock,
            released: AtomicU64::new(0),
        }
    }

    /// The effects of a turn wait for this commit.
    pub(crate) fn hold(&self, commit: CommitNo, turn: u64, effects: Vec<Effect>, takes_room: bool) {
        let mut state = self.state();
        state.in_room += usize::from(takes_room);
        state.turns.push_back(Held { commit, turn, effects, takes_room });
        if commit <= state.safe {
            self.stirred.notify_one();
        }
    }

    /// Everything up to this commit is safe. Called by the store's writer.
    pub fn safe(&self, upto: CommitNo) {
        let mut state = self.state();
        state.safe = state.safe.max(upto);
        self.stirred.notify_one();
    }

    /// Nothing will be held any more; [`Self::run`] ends when everything safe has left.
    pub(crate) fn close(&self) {
        self.state().is_over = true;
        self.stirred.notify_one();
    }

    /// Whether another turn with what could wait may be on its way.
    pub(crate) fn has_room(&self) -> bool {
        self.state().in_room < ROOM
    }

    /// Waits until a turn has left: there may be room, and news.
    pub(crate) async fn news(&self) {
        self.left.notified().await;
    }

    /// The newest turn that became safe since the last call, and when.
    pub(crate) fn take_news(&self) -> Option<(u64, WallMs)> {
        self.state().news.take()
    }

    /// Effects that left since the start.
    #[must_use]
    pub fn released(&self) -> u64 {
        self.released.load(Ordering::Relaxed)
    }

    /// Lets effects go in the order of their turns until [`Self::close`].
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            while let Some(held) = self.next() {
                self.released.fetch_add(held.effects.len() as u64, Ordering::Relaxed);
                for effect in held.effects {
                    self.carry_out(effect);
                }
                if held.takes_room {
                    // The connections it woke run first.
                    tokio::task::yield_now().await;
                    self.state().in_room -= 1;
                }
                self.left.notify_one();
            }
            if self.state().is_over {
                return;
            }
            self.stirred.notified().await;
        }
    }

    /// The next turn that is safe.
    fn next(&self) -> Option<Held> {
        let mut state = self.state();
        let is_safe = state.turns.front().is_some_and(|held| held.commit <= state.safe);
        let held = is_safe.then(|| state.turns.pop_front()).flatten()?;
        state.news = Some((held.turn, self.clock.now().wall));
        Some(held)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock can panic")
    }

    fn carry_out(&self, effect: Effect) {
        match effect {
            Effect::Reply { origin: Origin::Conn(conn, request), result } => {
                self.waiting.mail(conn, Mail::Reply(request, result));
            }
            Effect::Reply { origin: Origin::Api(caller), result } => {
                self.waiting.answer(caller, result);
            }
            Effect::Notice { conn, notice } => self.waiting.mail(conn, Mail::Notice(notice)),
            Effect::Push { ticket, request } => self.pusher.push(ticket, request),
            Effect::CancelPush { ticket } => self.pusher.cancel(ticket),
            Effect::Events => self.events.send_modify(|version| *version += 1),
        }
    }
}
