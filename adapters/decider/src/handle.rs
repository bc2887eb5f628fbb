//! What gateways hold of the decider.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use nightjar_model::{Command, ConnId, Reject, Reply};
use nightjar_node::{Input, NodeStats, Origin};
use nightjar_push::RouteState;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

use crate::mailbox::{Mail, Mailbox};
use crate::{Clock, Release};

/// Inputs that may wait for the decider; senders wait above it.
pub(crate) const INBOX_MAX: usize = 8_192;

/// What goes into the decider's channel.
pub(crate) enum ToDecider {
    Input(Input),
    Stats(oneshot::Sender<Stats>),
    Stop(oneshot::Sender<()>),
}

/// Connections and callers that wait for something.
#[derive(Default)]
pub(crate) struct Waiting {
    connections: Mutex<HashMap<ConnId, Arc<Mailbox>>>,
    callers: Mutex<HashMap<u64, oneshot::Sender<Result<Reply, Reject>>>>,
}

impl Waiting {
    pub(crate) fn mail(&self, conn: ConnId, mail: Mail) {
        let connections = self.connections.lock().expect("no holder of this lock can panic");
        if let Some(mailbox) = connections.get(&conn) {
            mailbox.put(mail);
        }
    }

    fn expect_answer(&self, caller: u64) -> oneshot::Receiver<Result<Reply, Reject>> {
        let (sender, answer) = oneshot::channel();
        self.callers.lock().expect("no holder of this lock can panic").insert(caller, sender);
        answer
    }

    /// The decider has ended: who still waits gets no answer.
    pub(crate) fn give_up(&self) {
        self.callers.lock().expect("no holder of this lock can panic").clear();
    }

    pub(crate) fn answer(&self, caller: u64, result: Result<Reply, Reject>) {
        let mut callers = self.callers.lock().expect("no holder of this lock can panic");
        if let Some(sender) = callers.remove(&caller) {
            // A caller that went away needs no answer.
            let _ = sender.send(result);
        }
    }
}

/// The way to the decider. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    pub(crate) inbox: mpsc::Sender<ToDecider>,
    pub(crate) waiting: Arc<Waiting>,
    pub(crate) release: Arc<Release>,
    pub(crate) numbers: Arc<AtomicU64>,
    pub(crate) draining: Arc<AtomicBool>,
    pub(crate) events: watch::Receiver<u64>,
    /// The clocks every part of the process reads.
    pub clock: Clock,
}

/// One connection's end of the decider.
pub struct Connection {
    handle: Handle,
    mailbox: Arc<Mailbox>,
    /// Its number.
    pub conn: ConnId,
}

impl Handle {
    /// A new connection. The caller gives `Command::Lost` when it ends after a hello.
    #[must_use]
    pub fn connect(&self) -> Connection {
        let conn = ConnId(self.numbers.fetch_add(1, Ordering::Relaxed));
        let mailbox = Arc::new(Mailbox::default());
        let mut connections =
            self.waiting.connections.lock().expect("no holder of this lock can panic");
        connections.insert(conn, Arc::clone(&mailbox));
        drop(connections);
        if self.draining.load(Ordering::SeqCst) {
            mailbox.put(Mail::Drain);
        }
        Connection { handle: self.clone(), mailbox, conn }
    }

    /// Asks in the operator's name and waits for the answer, which comes when it is safe.
    ///
    /// # Errors
    /// The lanes' [`Reject`]; [`Reject::Draining`] when the decider has ended.
    pub async fn call(&self, command: Command) -> Result<Reply, Reject> {
        let caller = self.numbers.fetch_add(1, Ordering::Relaxed);
        let answer = self.waiting.expect_answer(caller);
        if !self.give(Input::Command { origin: Origin::Api(caller), command }).await {
            self.waiting.answer(caller, Err(Reject::Draining));
        }
        answer.await.unwrap_or(Err(Reject::Draining))
    }

    /// Gives an input; waits while too many wait. Answers false when the decider has ended.
    pub(crate) async fn give(&self, input: Input) -> bool {
        self.inbox.send(ToDecider::Input(input)).await.is_ok()
    }

    /// What the node says of itself.
    pub async fn stats(&self) -> Option<Stats> {
        let (sender, answer) = oneshot::channel();
        self.inbox.send(ToDecider::Stats(sender)).await.ok()?;
        answer.await.ok()
    }

    /// Changes whenever new webhook events are stored.
    #[must_use]
    pub fn events(&self) -> watch::Receiver<u64> {
        self.events.clone()
    }

    /// How many connections there are.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.waiting.connections.lock().expect("no holder of this lock can panic").len()
    }

    /// Tells every connection that the server goes away; new ones are told at once.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        let connections =
            self.waiting.connections.lock().expect("no holder of this lock can panic");
        for mailbox in connections.values() {
            mailbox.put(Mail::Drain);
        }
    }

    /// Whether the server is going away.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// What was released, for metrics.
    #[must_use]
    pub fn release(&self) -> &Release {
        &self.release
    }
}

/// What a node says of itself.
#[derive(Debug)]
pub struct Stats {
    /// Counters since it was opened.
    pub counts: NodeStats,
    /// How much it keeps: `(conversations, users, open work, debts waiting to leave)`.
    pub sizes: (usize, usize, usize, usize),
    /// How the credentials fare that pushes leave by.
    pub routes: Vec<RouteState>,
}

impl Connection {
    /// Gives a command under the session's name for it; waits while too many wait. After the end
    /// of the decider it has no answer: the connections ended before.
    ///
    /// The command is on its way before the future is polled, unless it has to wait: a future
    /// that held it would take its room in every idle connection.
    pub fn give(&self, request: u32, command: Command) -> impl Future<Output = ()> + Send + '_ {
        let input = Input::Command { origin: Origin::Conn(self.conn, request), command };
        let waits = match self.handle.inbox.try_send(ToDecider::Input(input)) {
            Err(TrySendError::Full(input)) => Some(Box::pin(self.handle.inbox.send(input))),
            Ok(()) | Err(TrySendError::Closed(_)) => None,
        };
        async move {
            if let Some(waits) = waits {
                let _ = waits.await;
            }
        }
    }

    /// Waits for mail and takes all of it; `None` when too much waited: the connection must end.
    pub async fn mail(&self) -> Option<VecDeque<Mail>> {
        self.mailbox.take().await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut connections =
            self.handle.waiting.connections.lock().expect("no holder of this lock can panic");
        connections.remove(&self.conn);
    }
}
