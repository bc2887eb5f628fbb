//! A decider, its store's door, and people by name.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use nightjar_decider::{Clock, Connection, Decider, Handle, Mail, Pusher};
use nightjar_domain::{
    Commit, CommitNo, Deadlines, Key, Missing, Row, Rows, Scan, Store, Submitted, Write,
};
use nightjar_model::{
    AppStateReport, Binding, BindingKey, ClientMsgId, Command, DeviceId, HelloCommand, Platform,
    Reject, Reply, Secret, SendCommand, Seq, Target, Uid, WallMs,
};
use nightjar_node::NodeConfig;
use nightjar_push::{Answer, Outcome, PushPolicy, PushRequest};
use nightjar_store_memory::MemoryStore;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// Far above what anything here takes; only a defect waits so long.
pub(crate) const WITHIN: Duration = Duration::from_secs(20);

/// A device in the foreground may be silent so long.
pub(crate) const FOREGROUND_MS: u64 = 500;

pub(crate) async fn soon<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(WITHIN, what).await.expect("it comes soon")
}

/// The test's hand on the store.
#[derive(Clone)]
pub(crate) struct Disk {
    store: Arc<Mutex<MemoryStore>>,
    /// The newest commit that was taken, and how often the store was full.
    pub(crate) taken: watch::Receiver<(u64, u64)>,
    /// Which commit brought the entry of a place, where there is one conversation.
    brought: Arc<Mutex<BTreeMap<Seq, u64>>>,
}

impl Disk {
    /// The commit that each place of the only conversation needs.
    pub(crate) fn brought(&self) -> BTreeMap<Seq, u64> {
        self.brought.lock().expect("no holder of this lock can panic").clone()
    }

    fn store(&self) -> MutexGuard<'_, MemoryStore> {
        self.store.lock().expect("no holder of this lock can panic")
    }

    /// Everything that was taken is safe now.
    pub(crate) fn write(&self) -> CommitNo {
        let mut store = self.store();
        let taken = store.taken();
        store.make_safe(taken);
        taken
    }

    /// Everything up to this commit is safe now.
    pub(crate) fn write_up_to(&self, upto: u64) {
        self.store().make_safe(CommitNo(upto));
    }

    pub(crate) fn fail(&self) {
        self.store().fail("the disk is gone");
    }

    pub(crate) fn rows(&self) -> Vec<Row> {
        self.store().all_rows().cloned().collect()
    }

    /// Waits until the store took this commit.
    pub(crate) async fn takes(&mut self, commit: u64) {
        soon(self.taken.wait_for(|(taken, _)| *taken >= commit)).await.unwrap();
    }

    /// Waits until the decider found the store full.
    pub(crate) async fn is_full(&mut self) {
        soon(self.taken.wait_for(|(_, full)| *full > 0)).await.unwrap();
    }
}

/// The decider's end of the same store. Closing it makes everything safe, as a store on disk does.
struct Door {
    disk: Disk,
    taken: watch::Sender<(u64, u64)>,
}

impl Rows for Door {
    fn load(&self, key: &Key) -> Result<Option<Row>, Missing> {
        self.disk.store().load(key)
    }

    fn scan(&self, scan: &Scan) -> Result<Vec<Row>, Missing> {
        self.disk.store().scan(scan)
    }
}

impl Store for Door {
    fn submit(&mut self, commit: Commit) -> Submitted {
        let places: Vec<Seq> = commit
            .writes
            .iter()
            .filter_map(|write| match write {
                Write::Put(Row::Entry(entry)) => Some(entry.seq),
                _ => None,
            })
            .collect();
        let submitted = self.disk.store().submit(commit);
        if let Submitted::Taken(number) = &submitted {
            let mut brought = self.disk.brought.lock().expect("no holder of this lock can panic");
            brought.extend(places.into_iter().map(|seq| (seq, number.0)));
        }
        self.taken.send_modify(|(taken, full)| match &submitted {
            Submitted::Taken(number) => *taken = number.0,
            Submitted::Full(_) => *full += 1,
            Submitted::Broken(_) => {}
        });
        submitted
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.disk.write();
    }
}

pub(crate) struct Stage {
    pub(crate) decider: Decider,
    pub(crate) disk: Disk,
    /// Requests that reached a provider.
    pub(crate) pushed: mpsc::UnboundedReceiver<PushRequest>,
    pub(crate) broken: oneshot::Receiver<String>,
    numbers: Cell<u64>,
}

pub(crate) fn uid(name: &str) -> Uid {
    Uid::parse(name).unwrap()
}

fn device(name: &str) -> (Uid, DeviceId) {
    let (user, device) = name.split_once('/').unwrap();
    (uid(user), DeviceId::parse(device).unwrap())
}

fn apns() -> BindingKey {
    BindingKey { provider: "apns".into(), credential: "main".into() }
}

impl Stage {
    /// A decider whose store takes so many commits before the first has to be safe.
    pub(crate) fn start(waiting_max: usize) -> Self {
        let (pushes, pushed) = mpsc::unbounded_channel();
        let pusher = Pusher::new(tokio::runtime::Handle::current(), move |request| {
            let pushes = pushes.clone();
            Box::pin(async move {
                let _ = pushes.send(*request);
                Answer::new(Outcome::Delivered, "200")
            })
        });
        let (release, parts) = Decider::release(pusher, Clock::start());
        let store = MemoryStore::held(waiting_max, move |commit| release.safe(commit));
        let (sender, taken) = watch::channel((0, 0));
        let disk = Disk { store: Arc::new(Mutex::new(store)), taken, brought: Arc::default() };
        let config = NodeConfig {
            deadlines: Deadlines { foreground_ms: FOREGROUND_MS, ..Deadlines::default() },
            policy: PushPolicy::default(),
            credentials: [apns()].into(),
            fallback: None,
            pushes_in_flight_max: 100,
            events: false,
        };
        let (say_broken, broken) = oneshot::channel();
        let door = Door { disk: disk.clone(), taken: sender };
        let decider = Decider::start(parts, config, Box::new(door), |reason| {
            let _ = say_broken.send(reason);
        })
        .unwrap();
        Self { decider, disk, pushed, broken, numbers: Cell::new(0) }
    }

    pub(crate) fn handle(&self) -> Handle {
        self.decider.handle()
    }

    /// Effects that left so far, after everything that may leave had its chance.
    pub(crate) async fn released(&self) -> u64 {
        // The first answer comes in the turn of what was asked before, the second after it.
        let handle = self.handle();
        for _ in 0..2 {
            assert!(soon(handle.stats()).await.is_some());
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        handle.release().released()
    }

    /// Asks without waiting for the answer.
    pub(crate) fn ask(&self, command: Command) -> JoinHandle<Result<Reply, Reject>> {
        let handle = self.handle();
        tokio::spawn(async move { handle.call(command).await })
    }

    /// Asks, and makes safe whatever that needs.
    pub(crate) async fn done(&self, command: Command) -> Reply {
        let answer = self.ask(command);
        soon(async {
            while !answer.is_finished() {
                self.disk.write();
                tokio::task::yield_now().await;
            }
        })
        .await;
        answer.await.unwrap().unwrap()
    }

    pub(crate) fn message(&self, from: &str, to: &str) -> Command {
        self.numbers.set(self.numbers.get() + 1);
        let send = SendCommand {
            to: Target::User(uid(to)),
            client_msg_id: ClientMsgId::parse(&format!("c{}", self.numbers.get())).unwrap(),
            content: r#"{"type":"text","text":"hello"}"#.into(),
            sealed: false,
            push: None,
            expires_at: None,
        };
        Command::SendAs { from: uid(from), send: Box::new(send) }
    }

    pub(crate) async fn bind(&self, name: &str) {
        let (uid, device_id) = device(name);
        let binding = Binding {
            key: apns(),
            token: Secret::new(format!("token of {name}")),
            locale: None,
            environment: None,
            bound_at: WallMs(0),
        };
        self.done(Command::PutBinding { uid, device_id, binding }).await;
    }

    /// A device in the foreground.
    pub(crate) async fn connect(&self, name: &str) -> Connection {
        let (uid, device_id) = device(name);
        let connection = self.handle().connect();
        let hello = HelloCommand {
            uid,
            device_id,
            platform: Platform::Ios,
            state: AppStateReport::Foreground { conversation: None },
            voice: nightjar_model::Voice::Telling,
            resume: None,
            token_issued_at: self.handle().clock.now().wall,
        };
        connection.give(0, Command::Hello(Box::new(hello))).await;
        self.released().await;
        self.disk.write();
        let mail = soon(connection.mail()).await.unwrap();
        assert!(matches!(mail[0], Mail::Reply(0, Ok(Reply::Hello(_)))), "{mail:?}");
        connection
    }

    pub(crate) fn kick(&self, name: &str) -> Command {
        let (uid, device_id) = device(name);
        Command::Kick { uid, device_id, reason: "lost".into() }
    }
}
