//! A device that is logged in.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use nightjar_wire::{Body, Kind, Packet, SERVER_SERIAL_MIN, body};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::{Acks, Login, Packets, Reading, Received, Seen, Writing, within};

/// A logged-in device. It answers pings and withdrawals and acknowledges deliveries by its habits,
/// until it is frozen; the connection is cut when it is dropped.
#[derive(Debug)]
pub struct Device {
    /// Whose.
    pub uid: String,
    /// Which.
    pub device_id: String,
    /// What the hello was answered with.
    pub hello: body::HelloAnswer,
    shared: Arc<Shared>,
    outgoing: mpsc::UnboundedSender<Packet>,
    serial: AtomicI32,
    order: AtomicU64,
    /// Reads and writes; ends with the device.
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    seen: watch::Sender<Seen>,
    frozen: watch::Sender<bool>,
    acks: Mutex<Acks>,
    waiting: Mutex<BTreeMap<i32, oneshot::Sender<Packet>>>,
}

impl Device {
    pub(crate) fn start(login: &Login, hello: body::HelloAnswer, packets: Packets) -> Self {
        let shared = Arc::new(Shared {
            seen: watch::Sender::new(Seen::default()),
            frozen: watch::Sender::new(false),
            acks: Mutex::new(login.acks),
            waiting: Mutex::default(),
        });
        let (outgoing, queued) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(write(packets.writing, queued, shared.frozen.subscribe()));
        tasks.spawn(read(packets.reading, Arc::clone(&shared), outgoing.clone()));
        Self {
            uid: login.uid.clone(),
            device_id: login.device_id().to_owned(),
            hello,
            shared,
            outgoing,
            serial: AtomicI32::new(2),
            order: AtomicU64::new(1),
            _tasks: tasks,
        }
    }

    /// From now on nothing is read, answered or written, while the socket stays open.
    pub fn freeze(&self) {
        self.shared.frozen.send_replace(true);
    }

    /// Reads, answers and writes again, beginning with what piled up.
    pub fn thaw(&self) {
        self.shared.frozen.send_replace(false);
    }

    /// Acknowledges deliveries so from now on.
    ///
    /// # Panics
    /// Never.
    pub fn change_acks(&self, acks: Acks) {
        *self.shared.acks.lock().expect("no panic while locked") = acks;
    }

    /// Everything received so far.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.shared.seen.borrow().clone()
    }

    /// Whether the server ended the connection.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.shared.seen.borrow().ended
    }

    /// Waits until `find` finds something in everything received so far.
    ///
    /// # Panics
    /// When it finds nothing in time.
    pub async fn wait_for<T>(&self, what: &str, find: impl Fn(&Seen) -> Option<T>) -> T {
        let mut seen = self.shared.seen.subscribe();
        let found = async {
            let now = seen.wait_for(|seen| find(seen).is_some()).await;
            find(&now.expect("the sender is borrowed")).expect("it was just there")
        };
        within(&format!("{what} at {}/{}", self.uid, self.device_id), found).await
    }

    /// Waits until `n` messages were delivered and answers all of them.
    pub async fn messages(&self, n: usize) -> Vec<body::Message> {
        self.wait_for(&format!("{n} messages"), |seen| {
            (seen.messages().count() >= n).then(|| seen.messages().cloned().collect())
        })
        .await
    }

    /// Waits until the server ends the connection and answers its `bye`.
    pub async fn bye(&self) -> Option<body::Bye> {
        self.wait_for("the end of the connection", |seen| seen.ended.then(|| seen.bye().cloned()))
            .await
    }

    /// Writes a packet as it is.
    pub fn write(&self, packet: Packet) {
        // After the end of the connection nobody takes it.
        let _ = self.outgoing.send(packet);
    }

    /// Asks, and answers with the body of the answer.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn ask(&self, kind: Kind, body: Body) -> Result<Body, body::ErrorDetail> {
        let answer = self.begin(kind, body);
        within(&format!("an answer to {}", kind.name()), answer).await.expect("an answer")
    }

    /// Asks; the answer is awaited when the future is. `None` when the connection ended before.
    ///
    /// # Panics
    /// Never.
    pub fn begin(
        &self,
        kind: Kind,
        body: Body,
    ) -> impl Future<Output = Option<Result<Body, body::ErrorDetail>>> + Send + 'static + use<>
    {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        {
            let mut waiting = self.shared.waiting.lock().expect("no panic while locked");
            // After the end nobody answers; the dropped sender says so.
            if !self.shared.seen.borrow().ended {
                waiting.insert(serial, sender);
            }
        }
        self.write(Packet::request(serial, kind, body));
        async move {
            Some(match answer.await.ok()?.body {
                Body::Error(error) => Err(error.error.unwrap_or_default()),
                body => Ok(body),
            })
        }
    }

    /// Writes a text to a user.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn say(&self, to: &str, text: &str) -> body::SendAnswer {
        let send = text_to_user(to, text);
        self.send(send).await.expect("the message is taken")
    }

    /// Writes a message.
    ///
    /// # Errors
    /// The server's refusal.
    ///
    /// # Panics
    /// When the answer is none.
    pub async fn send(&self, send: body::Send) -> Result<body::SendAnswer, body::ErrorDetail> {
        match self.ask(Kind::Send, Body::Send(send)).await? {
            Body::SendAnswer(answer) => Ok(answer),
            other => panic!("a send was answered with {other:?}"),
        }
    }

    /// Reads up to `seq`; answers the badge and its version.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn read(&self, conversation: &str, seq: u64) -> (u64, u64) {
        let read = body::Read { conversation: conversation.to_owned(), seq };
        match self.ask(Kind::Read, Body::Read(read)).await {
            Ok(Body::ReadAnswer(answer)) => (answer.unread, answer.bv),
            other => panic!("a read was answered with {other:?}"),
        }
    }

    /// Tells that the app left the screen; with a `grace_ms` it posts notifications itself.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn go_to_background(&self, grace_ms: i64) {
        let state = body::AppState {
            state: "background".to_owned(),
            grace_ms: Some(grace_ms),
            conversation: None,
            order: self.order.fetch_add(1, Ordering::Relaxed),
            heartbeat_s: None,
        };
        self.ask(Kind::AppState, Body::AppState(state)).await.expect("the state is taken");
    }

    /// Signs out.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn log_out(&self, unbind: Option<bool>) {
        let logout = Body::Logout(body::Logout { unbind });
        self.ask(Kind::Logout, logout).await.expect("a logout is taken");
    }

    /// Pulls everything of a conversation above `after`, in pages.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn history(&self, conversation: &str, after: u64) -> Vec<body::Message> {
        let mut messages: Vec<body::Message> = Vec::new();
        loop {
            let after = messages.last().map_or(after, |last| last.seq);
            let history = body::History {
                conversation: conversation.to_owned(),
                after: Some(after),
                ..body::History::default()
            };
            match self.ask(Kind::History, Body::History(history)).await {
                Ok(Body::HistoryAnswer(page)) if page.messages.is_empty() => return messages,
                Ok(Body::HistoryAnswer(page)) => messages.extend(page.messages),
                other => panic!("a history was answered with {other:?}"),
            }
        }
    }
}

/// A text for a user, under a `client_msg_id` of its own.
#[must_use]
pub fn text_to_user(to: &str, text: &str) -> body::Send {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let content: Value = json!({"type": "text", "text": text});
    body::Send {
        to: Some(body::To { user: Some(to.to_owned()), ..body::To::default() }),
        client_msg_id: format!("{}-{number}", std::process::id()),
        content: content.to_string().into(),
        ..body::Send::default()
    }
}

async fn read(mut reading: Reading, shared: Arc<Shared>, outgoing: mpsc::UnboundedSender<Packet>) {
    let mut frozen = shared.frozen.subscribe();
    loop {
        if frozen.wait_for(|frozen| !frozen).await.is_err() {
            return;
        }
        let packet = tokio::select! {
            biased;
            _ = frozen.wait_for(|frozen| *frozen) => continue,
            packet = reading.next() => packet,
        };
        let Some(packet) = packet else { break };
        if packet.serial >= SERVER_SERIAL_MIN {
            let answer = Packet::answer(packet.serial, packet.kind, Body::Empty);
            let _ = outgoing.send(answer);
        }
        if let Some(ack) = shared.ack(&packet.body) {
            let _ = outgoing.send(ack);
        }
        shared.received(packet);
    }
    shared.seen.send_modify(|seen| seen.ended = true);
    // Whoever still waits hears that nothing comes.
    shared.waiting.lock().expect("no panic while locked").clear();
}

impl Shared {
    /// What a delivery is acknowledged with.
    fn ack(&self, body: &Body) -> Option<Packet> {
        let Body::Deliver(deliver) = body else { return None };
        let last = deliver.messages.last()?;
        let acks = *self.acks.lock().expect("no panic while locked");
        let item = body::AckItem {
            conversation: last.conversation.clone(),
            stored: (acks != Acks::Nothing).then_some(last.seq),
            surfaced: (acks == Acks::Surfaced).then_some(last.seq),
        };
        item.stored?;
        Some(Packet::one_way(Kind::Ack, Body::Ack(body::Ack { items: vec![item] })))
    }

    fn received(&self, packet: Packet) {
        if (1..SERVER_SERIAL_MIN).contains(&packet.serial) {
            let waiting =
                self.waiting.lock().expect("no panic while locked").remove(&packet.serial);
            if let Some(sender) = waiting {
                // Who asked may not want to know any more.
                let _ = sender.send(packet);
            }
            return;
        }
        let received = Received { at: SystemTime::now(), packet };
        self.seen.send_modify(|seen| seen.packets.push(received));
    }
}

async fn write(
    mut writing: Writing,
    mut queued: mpsc::UnboundedReceiver<Packet>,
    mut frozen: watch::Receiver<bool>,
) {
    while let Some(packet) = queued.recv().await {
        if frozen.wait_for(|frozen| !frozen).await.is_err() {
            return;
        }
        // A peer that went away shows at the reading half.
        if writing.send(&packet).await.is_err() {
            return;
        }
    }
}
