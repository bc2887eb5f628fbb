//! The task around the machine: it carries out what the machine says, in order, and hands in what
//! happens.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use nightjar_client_core::{
    AmendmentRow, Client as Machine, ConversationRow, Dial, Event, Indicator, Input, Ledger,
    MessageRow, Notification, Output, Record,
};
use nightjar_model::{ConversationId, NotificationId, Seq};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use crate::clock::Clock;
use crate::ledger::LedgerFile;
use crate::line::{Happened, Line};
use crate::store::{Lists, Store, StoreError};
use crate::transport::{Address, ConnectError, Connector};

/// News the app has not taken above which no packet is read.
const UNTOLD_MAX: usize = 1_024;
/// A computer that slept is noticed this late at most.
const NAP_MS: u64 = 30_000;

/// What an app is told.
#[derive(Debug)]
pub enum News {
    /// Something to show; the link apart.
    Event(Event),
    /// The link, for an indicator.
    Link {
        /// What it is.
        indicator: Indicator,
        /// Milliseconds to the next attempt, if it has a moment.
        next_try_ms: Option<u64>,
    },
    /// Post this notification, and answer with [`crate::Client::notified`].
    Notify(Box<Notification>),
    /// Take these notifications off the screen, and answer with [`crate::Client::removed`].
    Withdraw(Vec<NotificationId>),
    /// Ask the system for time in the background.
    HoldBackground,
    /// Give it back: nothing is open any more, and the process may be frozen.
    ReleaseBackground,
    /// Ask the system to wake the process after so many milliseconds or later, for
    /// [`crate::Client::woken`].
    ScheduleWake(u64),
    /// An attempt to connect failed; the next one comes by itself.
    NoConnection(ConnectError),
    /// Nothing more is written down of what the machine is given; the client goes on.
    RecordFailed(std::io::Error),
    /// The store failed; the client has ended.
    StoreFailed(Arc<StoreError>),
}

/// What an app asks.
pub(crate) enum Order {
    /// Something for the machine.
    Input(Input<'static>),
    /// Stored messages below a place, ascending.
    Messages(ConversationId, Option<Seq>, u32, oneshot::Sender<Vec<MessageRow>>),
    /// Stored conversations, the last changed first.
    Conversations(oneshot::Sender<Vec<ConversationRow>>),
    /// Stored contacts, groups and profiles.
    Lists(oneshot::Sender<Lists>),
    /// What is said of the messages between two places.
    Amendments(ConversationId, (Seq, Seq), oneshot::Sender<Vec<AmendmentRow>>),
}

/// Where it is kept who alerts of what.
pub(crate) enum Shared {
    /// In this process, which alone posts notifications.
    Alone(Ledger),
    /// Beside an extension.
    File(LedgerFile),
}

pub(crate) struct Driver {
    pub(crate) machine: Machine,
    pub(crate) clock: Clock,
    pub(crate) servers: Vec<Address>,
    pub(crate) connector: Connector,
    /// `None`: nothing outlives the process.
    pub(crate) store: Option<Store>,
    pub(crate) ledger: Shared,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) news: mpsc::Sender<News>,
    pub(crate) line: Line,
    pub(crate) untold: VecDeque<News>,
    /// The store closes, under this number.
    pub(crate) closing: Option<(u32, oneshot::Receiver<Result<(), StoreError>>)>,
    pub(crate) record: Option<std::fs::File>,
    pub(crate) has_failed: bool,
}

/// What the task waits for.
enum Next {
    Order(Option<Order>),
    Line(Happened),
    Committed(Result<u64, Arc<StoreError>>),
    StoreClosed(u32, Result<(), Arc<StoreError>>),
    Time,
    Told,
}

impl Driver {
    /// Runs until nobody can give orders any more; then says goodbye and closes the file.
    pub(crate) async fn run(mut self) -> Result<(), Arc<StoreError>> {
        while self.turn().await {}
        self.handle(Input::Stop).await;
        self.line.end().await;
        match self.store {
            Some(store) => store.close().await,
            None => Ok(()),
        }
    }

    /// Waits for one thing and deals with it; false when the app is gone.
    async fn turn(&mut self) -> bool {
        match self.next().await {
            Next::Order(None) => return false,
            Next::Order(Some(order)) => self.obey(order).await,
            Next::Line(Happened::Opened(id)) => self.handle(Input::Connected(id)).await,
            Next::Line(Happened::Packet(id, packet)) => {
                self.handle(Input::Packet(id, &packet)).await;
            }
            Next::Line(Happened::Closed(id, why)) => {
                let phase = why.as_ref().and_then(ConnectError::phase);
                self.untold.extend(why.map(News::NoConnection));
                match phase {
                    Some(phase) => self.handle(Input::ConnectFailed(id, phase)).await,
                    None => self.handle(Input::Closed(id)).await,
                }
            }
            Next::Committed(Ok(number)) => self.handle(Input::Committed(number)).await,
            Next::Committed(Err(error)) => self.store_failed(error).await,
            Next::StoreClosed(number, Ok(())) => self.store_closed(number).await,
            Next::StoreClosed(_, Err(error)) => self.store_failed(error).await,
            Next::Time => self.handle(Input::Timeout).await,
            Next::Told => {}
        }
        true
    }

    async fn next(&mut self) -> Next {
        let nap = self.nap();
        let wants_packets = self.machine.wants_packets() && self.untold.len() < UNTOLD_MAX;
        let Self { orders, line, store, news, untold, closing, has_failed, .. } = self;
        tokio::select! {
            order = orders.recv() => Next::Order(order),
            happened = line.next(wants_packets) => Next::Line(happened),
            committed = committed(store.as_mut().filter(|_| !*has_failed)) => {
                Next::Committed(committed)
            }
            (number, closed) = store_closed(closing) => Next::StoreClosed(number, closed),
            () = sleep(nap) => Next::Time,
            permit = news.reserve(), if !untold.is_empty() => {
                match permit {
                    Ok(permit) => permit.send(untold.pop_front().expect("there is one")),
                    // Nobody listens.
                    Err(_) => untold.clear(),
                }
                Next::Told
            }
        }
    }

    fn nap(&mut self) -> Duration {
        let now = self.clock.now().mono;
        let until = self.machine.wait_until().map_or(NAP_MS, |at| at.since(now).min(NAP_MS));
        Duration::from_millis(until)
    }

    async fn handle(&mut self, input: Input<'_>) {
        self.hand_in(input);
        while let Some(output) = self.machine.poll() {
            self.carry_out(output).await;
        }
    }

    fn hand_in(&mut self, input: Input<'_>) {
        let mut random = [0; 16];
        getrandom::fill(&mut random).expect("the system has random bytes");
        let now = self.clock.now();
        if let Some(file) = &mut self.record
            && let Err(error) = writeln!(file, "{}", Record::line(&input, now, &random))
        {
            self.record = None;
            self.untold.push_back(News::RecordFailed(error));
        }
        self.machine.handle(input, now, &random);
    }

    async fn carry_out(&mut self, output: Output) {
        match output {
            Output::QuiesceStore(number) => self.quiesce(number).await,
            Output::ReopenStore => self.reopen().await,
            Output::HoldBackground => self.untold.push_back(News::HoldBackground),
            Output::ReleaseBackground => self.untold.push_back(News::ReleaseBackground),
            Output::ScheduleWake { earliest_ms } => {
                self.untold.push_back(News::ScheduleWake(earliest_ms));
            }
            Output::Connect { connection, to, within_ms } => match self.address(&to) {
                Some(to) => {
                    let within = Duration::from_millis(within_ms);
                    self.line.dial(connection, &self.connector, to, within);
                }
                None => self.hand_in(Input::Closed(connection)),
            },
            Output::Send(connection, packet) => {
                if !self.line.send(connection, packet) {
                    self.line.close(connection);
                    self.hand_in(Input::Closed(connection));
                }
            }
            Output::Close(connection) => self.line.close(connection),
            Output::Commit(commit) => {
                let number = commit.number;
                match &self.store {
                    _ if self.has_failed => {}
                    None => self.hand_in(Input::Committed(number)),
                    Some(store) => {
                        if let Err(error) = store.commit(commit).await {
                            self.give_up_store(error);
                        }
                    }
                }
            }
            Output::Notify(notification) => self.untold.push_back(News::Notify(notification)),
            Output::Ledger(order) => {
                let now = self.clock.now().wall;
                let answer = match &mut self.ledger {
                    Shared::Alone(ledger) => ledger.order(&order, now),
                    Shared::File(file) => file.answer(order, now).await,
                };
                self.hand_in(Input::Ledger(answer));
            }
            Output::Withdraw(ids) => self.untold.push_back(News::Withdraw(ids)),
            Output::Event(Event::Link(indicator)) => {
                let now = self.clock.now().mono;
                let next_try_ms = match indicator {
                    Indicator::Waiting { next_try } => next_try.map(|at| at.since(now)),
                    _ => None,
                };
                self.untold.push_back(News::Link { indicator, next_try_ms });
            }
            Output::Event(event) => self.untold.push_back(News::Event(event)),
        }
    }

    /// Where to connect. A redirect must not be less safe than the servers one chose.
    fn address(&self, to: &Dial) -> Option<Address> {
        match to {
            Dial::Server(at) => self.servers.get(*at).cloned(),
            Dial::Redirect(text) => {
                let address: Address = text.parse().ok()?;
                let needs_tls = self.servers.iter().any(Address::is_encrypted);
                (address.is_encrypted() || !needs_tls).then_some(address)
            }
        }
    }

    async fn store_failed(&mut self, error: Arc<StoreError>) {
        self.give_up_store(error);
        self.handle(Input::Timeout).await;
    }

    fn give_up_store(&mut self, error: Arc<StoreError>) {
        self.has_failed = true;
        self.untold.push_back(News::StoreFailed(error));
        self.hand_in(Input::CommitFailed);
    }

    async fn quiesce(&mut self, number: u32) {
        match &self.store {
            _ if self.has_failed => {}
            None => self.hand_in(Input::StoreClosed(number)),
            Some(store) => match store.quiesce().await {
                Ok(closed) => self.closing = Some((number, closed)),
                Err(error) => self.give_up_store(error),
            },
        }
    }

    async fn reopen(&mut self) {
        self.closing = None;
        if let Some(store) = self.store.as_ref().filter(|_| !self.has_failed)
            && let Err(error) = store.reopen().await
        {
            self.give_up_store(error);
        }
    }

    /// The machine hears of every commit before it hears that the file is closed.
    async fn store_closed(&mut self, number: u32) {
        match self.store.as_mut().map(Store::safe) {
            Some(Ok(safe)) => self.handle(Input::Committed(safe)).await,
            Some(Err(error)) => return self.store_failed(error).await,
            None => {}
        }
        self.handle(Input::StoreClosed(number)).await;
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Input(input) => self.handle(input).await,
            Order::Messages(conversation, before, limit, answer) => {
                let found = match &self.store {
                    Some(store) => store.messages(conversation, before, limit).await,
                    None => Ok(Vec::new()),
                };
                let _ = answer.send(found.unwrap_or_default());
            }
            Order::Amendments(conversation, targets, answer) => {
                let found = match &self.store {
                    Some(store) => store.amendments(conversation, targets).await,
                    None => Ok(Vec::new()),
                };
                let _ = answer.send(found.unwrap_or_default());
            }
            Order::Lists(answer) => {
                let found = match &self.store {
                    Some(store) => store.lists().await,
                    None => Ok(Lists::default()),
                };
                let _ = answer.send(found.unwrap_or_default());
            }
            Order::Conversations(answer) => {
                let found = match &self.store {
                    Some(store) => store.conversations().await,
                    None => Ok(Vec::new()),
                };
                let _ = answer.send(found.unwrap_or_default());
            }
        }
    }
}

async fn store_closed(
    closing: &mut Option<(u32, oneshot::Receiver<Result<(), StoreError>>)>,
) -> (u32, Result<(), Arc<StoreError>>) {
    let Some((number, closed)) = closing else { return std::future::pending().await };
    let (number, closed) = (*number, closed.await);
    *closing = None;
    (number, closed.unwrap_or(Err(StoreError::Stopped)).map_err(Arc::new))
}

async fn committed(store: Option<&mut Store>) -> Result<u64, Arc<StoreError>> {
    match store {
        Some(store) => store.committed().await,
        None => std::future::pending().await,
    }
}
