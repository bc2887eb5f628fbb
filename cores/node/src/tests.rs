//! A node over a store in memory, played with people and devices by name: `bob/phone` is the
//! device `phone` of the user `bob`.

mod amend;
mod bindings;
mod commits;
mod contacts;
mod credentials;
mod deadlines;
mod events;
mod hello;
mod members;
mod outages;
mod presence;
mod pushes;
mod receipts;
mod reopen;
mod reports;
mod settings;
mod statistics;
mod sync;
mod sync_lists;
mod webhooks;
mod withdrawals;

use std::collections::BTreeMap;

use nightjar_domain::{Commit, Deadlines, Report, Row, Store, Submitted, Verifier};
use nightjar_model::{
    AckItem, AppStateReport, Binding, BindingKey, ClientMsgId, Command, ConnId, ConversationId,
    DeviceId, GroupId, HelloCommand, HelloReply, MessageId, Mono, Notice, NotificationId, Now,
    Platform, PushSpec, Reject, Reply, Secret, SendCommand, SentReply, Seq, Step, Target, Uid,
    UnreadView, Voice, WallMs,
};
use nightjar_push::{Answer, Outcome, PushPolicy, PushRequest, Ticket};
use nightjar_store_memory::{Crash, MemoryStore};

use crate::{Effect, Input, Node, NodeConfig, Origin, Turn};

/// Provider keys that exist in every play.
const CREDENTIALS: [(&str, &str); 2] = [("apns", "main"), ("fcm", "main")];

fn uid(name: &str) -> Uid {
    Uid::parse(name).unwrap()
}

/// `bob/phone` as uid and device id.
fn device(name: &str) -> (Uid, DeviceId) {
    let (user, device) = name.split_once('/').unwrap();
    (uid(user), DeviceId::parse(device).unwrap())
}

fn chat(a: &str, b: &str) -> ConversationId {
    ConversationId::direct(&uid(a), &uid(b))
}

fn group(name: &str) -> ConversationId {
    ConversationId::group(&GroupId::parse(name).unwrap())
}

fn nid(message: &SentReply) -> NotificationId {
    NotificationId::message(message.message_id)
}

/// A request at a provider that nobody answered yet.
#[derive(Debug, Clone)]
struct Pushed {
    ticket: Ticket,
    request: PushRequest,
}

impl Pushed {
    fn device(&self) -> String {
        format!("{}/{}", self.request.uid, self.request.device_id)
    }

    fn token(&self) -> &str {
        self.request.binding.token.expose()
    }

    fn mid(&self) -> MessageId {
        self.request.data.mid.expect("a push of a message names it")
    }
}

struct Play {
    config: NodeConfig,
    store: MemoryStore,
    node: Node,
    now: Now,
    numbers: u64,
    conns: BTreeMap<String, ConnId>,
    heard: BTreeMap<String, Vec<Notice>>,
    pushes: Vec<Pushed>,
    cancelled: Vec<Ticket>,
    replies: Vec<Result<Reply, Reject>>,
    /// Commits since the last look, in order.
    commits: Vec<Commit>,
}

impl Play {
    fn start() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut NodeConfig)) -> Self {
        let key = |(provider, credential): (&str, &str)| BindingKey {
            provider: provider.into(),
            credential: credential.into(),
        };
        let mut config = NodeConfig {
            deadlines: Deadlines::default(),
            policy: PushPolicy::default(),
            credentials: CREDENTIALS.into_iter().map(key).collect(),
            fallback: None,
            pushes_in_flight_max: 100,
            events: true,
        };
        change(&mut config);
        let store = MemoryStore::new(|_| {});
        let now = Now { mono: Mono(1_000_000), wall: WallMs(1_700_000_000_000) };
        let node = Node::open(config.clone(), &store, now).unwrap();
        Self {
            config,
            store,
            node,
            now,
            numbers: 0,
            conns: BTreeMap::new(),
            heard: BTreeMap::new(),
            pushes: Vec::new(),
            cancelled: Vec::new(),
            replies: Vec::new(),
            commits: Vec::new(),
        }
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn random(&mut self) -> [u8; 16] {
        let number = self.number();
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        bytes[8..].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
        bytes
    }

    /// Gives one input and lets everything happen that is ready.
    fn give(&mut self, input: Input) {
        self.handle(input);
        self.end_turn();
        self.settle();
    }

    fn handle(&mut self, input: Input) {
        let random = self.random();
        self.node.handle(input, &self.store, self.now, &random).unwrap();
    }

    fn settle(&mut self) {
        loop {
            let random = self.random();
            let more = self.node.settle(&self.store, self.now, &random, true).unwrap();
            self.end_turn();
            if !more {
                return;
            }
        }
    }

    fn end_turn(&mut self) {
        let Turn { number, commit, effects, .. } = self.node.take_turn();
        if let Some(commit) = commit {
            self.commits.push(commit.clone());
            assert!(matches!(self.store.submit(commit), Submitted::Taken(_)));
        }
        self.handle(Input::Safe { turn: number, at: self.now.wall });
        for effect in effects {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Reply { result, .. } => self.replies.push(result),
            Effect::Notice { conn, notice } => {
                let name = self.conns.iter().find(|(_, known)| **known == conn);
                let name =
                    name.map_or_else(|| "somebody gone".to_owned(), |(name, _)| name.clone());
                self.heard.entry(name).or_default().push(notice);
            }
            Effect::Push { ticket, request } => {
                self.pushes.push(Pushed { ticket, request: *request });
            }
            Effect::CancelPush { ticket } => {
                self.pushes.retain(|push| push.ticket != ticket);
                self.cancelled.push(ticket);
            }
            Effect::Events => {}
        }
    }

    fn command(&mut self, origin: Origin, command: Command) -> Result<Reply, Reject> {
        self.give(Input::Command { origin, command });
        self.replies.pop().expect("every command has a reply")
    }

    fn operator(&mut self, command: Command) -> Result<Reply, Reject> {
        let origin = Origin::Api(self.number());
        self.command(origin, command)
    }

    fn ask(&mut self, name: &str, command: Command) -> Result<Reply, Reject> {
        self.command(Origin::Conn(self.conns[name], 1), command)
    }

    /// Lets time pass, and everything in it happen when it is due.
    fn after(&mut self, ms: u64) {
        let end = self.now.mono.after(ms);
        while let Some(at) = self.node.wait_until(true).filter(|at| *at <= end) {
            self.pass(at.since(self.now.mono));
            self.settle();
        }
        self.pass(end.since(self.now.mono));
    }

    fn pass(&mut self, ms: u64) {
        self.now = Now { mono: self.now.mono.after(ms), wall: self.now.wall.after(ms) };
    }

    /// The process is killed and starts again over what was written.
    fn restart(&mut self) {
        let store = std::mem::replace(&mut self.store, MemoryStore::new(|_| {}));
        self.store = store.crash(Crash::Kill);
        self.pass(10);
        self.now.mono = Mono(1_000_000);
        self.conns.clear();
        self.pushes.clear();
        self.node = Node::open(self.config.clone(), &self.store, self.now).unwrap();
        self.settle();
    }

    // People and devices.

    fn hello(&mut self, name: &str, state: AppStateReport) -> HelloReply {
        self.hello_as(name, state, Voice::Telling)
    }

    fn hello_as(&mut self, name: &str, state: AppStateReport, voice: Voice) -> HelloReply {
        let (uid, device_id) = device(name);
        let conn = ConnId(self.number());
        self.conns.insert(name.to_owned(), conn);
        let hello = HelloCommand {
            uid,
            device_id,
            platform: Platform::Ios,
            state,
            voice,
            resume: None,
            token_issued_at: self.now.wall,
        };
        match self.ask(name, Command::Hello(Box::new(hello))) {
            Ok(Reply::Hello(reply)) => *reply,
            other => panic!("hello of {name}: {other:?}"),
        }
    }

    /// Connects in the foreground.
    fn online(&mut self, name: &str) -> HelloReply {
        self.hello(name, AppStateReport::Foreground { conversation: None })
    }

    fn background(&mut self, name: &str, grace_ms: i64) {
        let report = AppStateReport::Background { grace_ms };
        self.ask(name, Command::AppState(report)).unwrap();
    }

    fn lose(&mut self, name: &str) {
        self.ask(name, Command::Lost).unwrap();
        self.conns.remove(name);
    }

    /// A device that is offline and can be pushed under the token `TOKEN of NAME`.
    fn phone(&mut self, name: &str) {
        self.bind(name, "apns", &format!("token of {name}"));
    }

    fn bind(&mut self, name: &str, provider: &str, token: &str) {
        let (uid, device_id) = device(name);
        let binding = Binding {
            key: BindingKey { provider: provider.into(), credential: "main".into() },
            token: Secret::new(token.into()),
            locale: None,
            environment: None,
            bound_at: WallMs(0),
        };
        self.operator(Command::PutBinding { uid, device_id, binding }).unwrap();
    }

    fn group(&mut self, name: &str, owner: &str, members: &[&str]) {
        let members: Vec<Uid> = members.iter().map(|name| uid(name)).collect();
        self.group_of(name, owner, members);
    }

    fn group_of(&mut self, name: &str, owner: &str, members: Vec<Uid>) {
        let group = GroupId::parse(name).unwrap();
        let (name, owner) = (name.to_owned(), uid(owner));
        self.operator(Command::CreateGroup { group, name, owner, members }).unwrap();
    }

    fn draft(&mut self, to: Target) -> SendCommand {
        let number = self.number();
        SendCommand {
            to,
            client_msg_id: ClientMsgId::parse(&format!("c{number}")).unwrap(),
            content: format!(r#"{{"type":"text","text":"message {number}"}}"#).into(),
            sealed: false,
            push: None,
            expires_at: None,
        }
    }

    fn send(&mut self, from: &str, send: SendCommand) -> SentReply {
        let command = Command::SendAs { from: uid(from), send: Box::new(send) };
        match self.operator(command) {
            Ok(Reply::Sent(sent)) => sent,
            other => panic!("{from} sends: {other:?}"),
        }
    }

    fn says(&mut self, from: &str, to: &str) -> SentReply {
        let draft = self.draft(Target::User(uid(to)));
        self.send(from, draft)
    }

    fn tells(&mut self, from: &str, to: &str) -> SentReply {
        let draft = self.draft(Target::Group(GroupId::parse(to).unwrap()));
        self.send(from, draft)
    }

    /// Messages that are all decided in one turn.
    fn tells_at_once(&mut self, from: &str, to: &str, count: usize) -> Vec<SentReply> {
        self.replies.clear();
        for _ in 0..count {
            let send = Box::new(self.draft(Target::Group(GroupId::parse(to).unwrap())));
            let origin = Origin::Api(self.number());
            self.handle(Input::Command {
                origin,
                command: Command::SendAs { from: uid(from), send },
            });
        }
        self.settle();
        let sent = |reply: Result<Reply, Reject>| match reply {
            Ok(Reply::Sent(sent)) => sent,
            other => panic!("{from} sends: {other:?}"),
        };
        self.replies.drain(..).map(sent).collect()
    }

    fn whispers(&mut self, from: &str, to: &str) -> SentReply {
        let mut draft = self.draft(Target::User(uid(to)));
        draft.push = Some(Box::new(PushSpec { silent: true, ..PushSpec::default() }));
        self.send(from, draft)
    }

    fn surfaced(&mut self, name: &str, conversation: &ConversationId, seq: Seq) {
        let item = AckItem { conversation: conversation.clone(), stored: seq, surfaced: seq };
        self.ask(name, Command::Ack(vec![item])).unwrap();
    }

    fn read(&mut self, name: &str, conversation: &ConversationId, seq: Seq) -> (u64, u64) {
        let command = Command::Read { conversation: conversation.clone(), seq };
        match self.ask(name, command) {
            Ok(Reply::Badge { unread, bv }) => (unread, bv),
            other => panic!("{name} reads: {other:?}"),
        }
    }

    fn recall(&mut self, name: &str, message: &SentReply) {
        let command =
            Command::Recall { conversation: message.conversation.clone(), seq: message.seq };
        self.ask(name, command).unwrap();
    }

    fn unread(&mut self, user: &str) -> UnreadView {
        match self.operator(Command::Unread { uid: uid(user) }) {
            Ok(Reply::Unread(view)) => view,
            other => panic!("unread of {user}: {other:?}"),
        }
    }

    // Providers.

    /// The only request at the providers.
    fn the_push(&self) -> Pushed {
        assert_eq!(self.pushes.len(), 1, "{:#?}", self.pushes);
        self.pushes[0].clone()
    }

    /// Devices with a request at the providers, in the order they left.
    fn pushed(&self) -> Vec<String> {
        self.pushes.iter().map(Pushed::device).collect()
    }

    fn answer(&mut self, push: &Pushed, answer: Answer) {
        self.pushes.retain(|other| other.ticket != push.ticket);
        self.give(Input::Answered { ticket: push.ticket, answer });
    }

    /// Every request is taken, and whatever follows, until none is left.
    fn take_pushes(&mut self) -> Vec<Pushed> {
        let mut taken = Vec::new();
        while !self.pushes.is_empty() {
            let push = self.pushes[0].clone();
            self.answer(&push, Answer::new(Outcome::Delivered, "200"));
            taken.push(push);
        }
        taken
    }

    // What is known.

    fn notices(&mut self, name: &str) -> Vec<Notice> {
        self.heard.remove(name).unwrap_or_default()
    }

    /// Reasons of the steps of this kind in the message's trace for this device.
    fn reasons(&mut self, name: &str, message: &SentReply, wanted: Step) -> Vec<String> {
        let (uid, device_id) = device(name);
        match self.operator(Command::Trace { message_id: message.message_id, uid }) {
            Ok(Reply::Trace(events)) => events
                .into_iter()
                .filter(|event| {
                    event.step == wanted && event.device_id.as_ref() == Some(&device_id)
                })
                .map(|event| event.reason.unwrap_or_default())
                .collect(),
            other => panic!("trace: {other:?}"),
        }
    }

    /// Events of this type, as their data.
    fn events(&mut self, kind: &str) -> Vec<serde_json::Value> {
        match self.operator(Command::Events { after: 0, limit: 1_000 }) {
            Ok(Reply::Events(events)) => events
                .iter()
                .map(|(_, json)| serde_json::from_str::<serde_json::Value>(json).unwrap())
                .filter(|event| event["type"] == kind)
                .map(|event| event["data"].clone())
                .collect(),
            other => panic!("events: {other:?}"),
        }
    }

    fn open_work(&self) -> usize {
        self.store.all_rows().filter(|row| matches!(row, Row::Work(_))).count()
    }

    /// What `nightjar verify` would say of the store, after what is gathered was written.
    fn verify(&mut self) -> Report {
        self.after(100);
        let mut verifier = Verifier::default();
        self.store.all_rows().for_each(|row| verifier.row(row));
        verifier.finish()
    }

    fn is_whole(&mut self) {
        let report = self.verify();
        assert_eq!(report.problems, Vec::<String>::new());
    }
}
