//! The extension of an app: each push starts a run of it, a real machine in a process of its own,
//! which shares the ledger with the app and asks the server over requests of its own.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use nightjar_client_core::fetch::{
    Alert, Content, Fetch, FetchInput, FetchOutput, Push, PushSession, Quiet,
};
use nightjar_client_core::{LedgerAnswer, LedgerOrder, Notification};
use nightjar_model::{
    Command, ConversationId, FetchCommand, FetchedCommand, FetchedView, MessageId, NotificationId,
    Reject, Reply,
};
use nightjar_node::Origin;
use nightjar_push::PushRequest;
use serde_json::{Value, json};

use crate::faults::Fault;
use crate::gateway::claims;
use crate::phone::{Phone, PhoneNo};
use crate::world::{What, World};

/// Without a network a request comes to nothing after so long.
const NO_NETWORK_MS: u64 = 20;

/// Which run.
pub(crate) type RunNo = u64;

/// The runs of all phones.
#[derive(Default)]
pub(crate) struct Extensions {
    runs: BTreeMap<RunNo, Run>,
    started: RunNo,
    /// Requests the server has, by its name for them.
    asked: BTreeMap<Origin, RunNo>,
}

/// One run.
struct Run {
    phone: PhoneNo,
    fetch: Fetch,
    request: PushRequest,
    session: Option<PushSession>,
}

impl World {
    /// A new device as by [`World::phone`], whose app has an extension.
    pub fn phone_with_extension(&mut self, name: &str) -> PhoneNo {
        let mut phone = Phone::new(name, false);
        phone.has_extension = true;
        let no = self.add_phone(phone);
        self.sign_in(no);
        self.bind(no);
        no
    }

    /// A push wakes the extension.
    pub(crate) fn wake_extension(&mut self, no: PhoneNo, request: PushRequest) {
        let json = Value::Object(request.data.to_json()).to_string();
        let push = Push::parse(&json).expect("the server's pushes are pushes of ours");
        let now = self.phone_now();
        let answer = self.phones[no].ledger.order(&LedgerOrder::Session, now.wall);
        let session = match answer {
            LedgerAnswer::Session(session) => session.map(|session| *session),
            _ => None,
        };
        if request.alert.is_some() {
            // If the run says nothing, the system shows what came.
            self.phones[no].seen.insert((request.data.conv.clone(), request.data.seq));
        }
        self.extensions.started += 1;
        let number = self.extensions.started;
        self.tell(no, || format!("wakes its extension (run {number})"));
        self.hit(Fault::Worker, no);
        let fetch = Fetch::start(push, session.as_ref(), now);
        self.extensions.runs.insert(number, Run { phone: no, fetch, request, session });
        self.run_extension(number);
    }

    /// The phone is off: its runs are gone.
    pub(crate) fn end_extensions(&mut self, no: PhoneNo) {
        self.extensions.runs.retain(|_, run| run.phone != no);
    }

    fn feed_extension(&mut self, number: RunNo, input: FetchInput) {
        let now = self.phone_now().mono;
        if let Some(run) = self.extensions.runs.get_mut(&number) {
            run.fetch.handle(input, now);
            self.run_extension(number);
        }
    }

    /// Carries out what a run wants, in order, until it waits for the server or is over.
    fn run_extension(&mut self, number: RunNo) {
        let mut open = VecDeque::new();
        loop {
            let Some(run) = self.extensions.runs.get_mut(&number) else { return };
            open.extend(std::iter::from_fn(|| run.fetch.poll()));
            let Some(output) = open.pop_front() else { break };
            let Some(input) = self.extension_does(number, output) else { continue };
            let now = self.phone_now().mono;
            if let Some(run) = self.extensions.runs.get_mut(&number) {
                run.fetch.handle(input, now);
            }
        }
        let now = self.phone_now().mono;
        let until = self.extensions.runs.get(&number).and_then(|run| run.fetch.wait_until());
        if let Some(at) = until {
            self.agenda.after(at.since(now), What::ExtensionTimer(number));
        }
    }

    /// The moment of a run came, or has moved on since it was planned.
    pub(crate) fn extension_timer(&mut self, number: RunNo) {
        let now = self.phone_now().mono;
        let run = self.extensions.runs.get(&number);
        if run.and_then(|run| run.fetch.wait_until()).is_some_and(|at| at <= now) {
            self.feed_extension(number, FetchInput::Timeout);
        }
    }

    fn extension_does(&mut self, number: RunNo, output: FetchOutput) -> Option<FetchInput> {
        let no = self.extensions.runs.get(&number)?.phone;
        match output {
            FetchOutput::Ledger(order) => {
                let now = self.phone_now().wall;
                return Some(FetchInput::Ledger(self.phones[no].ledger.order(&order, now)));
            }
            FetchOutput::Get(path) => {
                let command = self.extensions.runs.get(&number)?.fetch_command(&path);
                self.extension_asks(number, command);
            }
            FetchOutput::Tell(_, body) => {
                let command = self.extensions.runs.get(&number)?.fetched_command(&body);
                self.extension_asks(number, command);
            }
            FetchOutput::Post(alert) => {
                let id = alert.id().clone();
                match &*alert {
                    Alert::Message(note) => {
                        self.show(no, &id, &note.conversation, note.seq, "by the extension");
                    }
                    Alert::Summary { conversation, messages, .. } => {
                        self.show_summary(no, conversation, *messages);
                    }
                }
                return Some(FetchInput::Posted(id));
            }
            FetchOutput::Withdraw(ids) => {
                self.take_off(no, &ids, "the extension");
                return Some(FetchInput::Removed(ids));
            }
            FetchOutput::SetBadge(unread) => self.phones[no].badge.0 = unread,
            FetchOutput::Done(content) => self.extension_ends(number, content),
        }
        None
    }

    /// One notification for many messages: a person sees that they are there.
    fn show_summary(&mut self, no: PhoneNo, conversation: &ConversationId, messages: usize) {
        self.tell(no, || format!("shows that {messages} messages of {conversation} are there"));
        let head = self.reference.known.head(conversation);
        let places = (1..=head).map(|seq| (conversation.clone(), seq));
        self.phones[no].seen.extend(places);
    }

    /// The system shows what a run made of its push. It may come a moment after the app on the
    /// screen said that it showed the message and cleared it: then nobody takes it off before the
    /// app is back, and the server is not to know.
    fn show_content(&mut self, no: PhoneNo, note: &Notification) {
        let place = (note.conversation.clone(), note.seq);
        if self.phones[no].disk.messages.contains_key(&place) {
            self.forgotten.insert((no, place));
        }
        self.show(no, &note.id, &note.conversation, note.seq, "by the extension");
    }

    fn extension_ends(&mut self, number: RunNo, content: Content) {
        let Some(run) = self.extensions.runs.remove(&number) else { return };
        let (no, data) = (run.phone, run.request.data);
        match (content, data.nid) {
            (Content::Show(note), _) => self.show_content(no, &note),
            (Content::Original, Some(nid)) => {
                self.show(no, &nid, &data.conv, data.seq, "by a push as it came");
            }
            (Content::Original, None) => {}
            (Content::Quiet(why), _) => self.tell(no, || {
                let why = match why {
                    Quiet::Taken(by) => format!("shown by the {by:?} already").to_lowercase(),
                    Quiet::Withdrawn => "it was taken back".into(),
                    Quiet::Seen => "it was seen".into(),
                    Quiet::SignedOut => "nobody is signed in any more".into(),
                    Quiet::NotOurs => "it is another account's".into(),
                    Quiet::Expired => "its time is over".into(),
                    Quiet::NothingToShow => "it only takes back".into(),
                };
                format!("shows nothing for the push of run {number}: {why}")
            }),
        }
    }

    fn extension_asks(&mut self, number: RunNo, command: Option<Command>) {
        let has_network =
            self.extensions.runs.get(&number).is_some_and(|run| self.phones[run.phone].has_network);
        match command.filter(|_| has_network) {
            Some(command) => {
                let latency_ms = self.draw(self.weather.latency_ms.clone());
                self.agenda.after(latency_ms, What::ExtensionAsks(number, Box::new(command)));
            }
            None => self.agenda.after(NO_NETWORK_MS, What::ExtensionHears(number, None)),
        }
    }

    /// A request of a run arrives at the server.
    pub(crate) fn extension_request_arrives(&mut self, number: RunNo, command: Command) {
        if self.server.process.is_none() {
            let latency_ms = self.draw(self.weather.latency_ms.clone());
            return self.agenda.after(latency_ms, What::ExtensionHears(number, None));
        }
        self.api(command);
        self.extensions.asked.insert(Origin::Api(self.api_calls), number);
    }

    /// The server's answer leaves, in the words of its HTTP gateway. One that a crash swallowed
    /// never does.
    pub(crate) fn answer_extension(&mut self, origin: Origin, result: &Result<Reply, Reject>) {
        let Some(number) = self.extensions.asked.remove(&origin) else { return };
        let (status, body) = match result {
            Ok(Reply::Fetched(view)) => {
                self.badge_leaves(number, view);
                (200, fetched_body(view).to_string())
            }
            Ok(_) => (204, String::new()),
            Err(reject) => {
                (reject.http_status(), json!({"error": {"code": reject.name()}}).to_string())
            }
        };
        let latency_ms = self.draw(self.weather.latency_ms.clone());
        let answer = Some((status, Bytes::from(body)));
        self.agenda.after(latency_ms, What::ExtensionHears(number, answer));
    }

    fn badge_leaves(&mut self, number: RunNo, view: &FetchedView) {
        let Some(run) = self.extensions.runs.get(&number) else { return };
        let uid = self.phones[run.phone].uid.clone();
        self.reference.badges.left(&uid, view.bv, view.unread);
    }

    /// A run hears what the server says, or that it cannot be reached.
    pub(crate) fn extension_hears(&mut self, number: RunNo, answer: Option<(u16, Bytes)>) {
        let input = match answer {
            Some((status, body)) => FetchInput::Answered { status, body },
            None => FetchInput::NotAnswered,
        };
        self.feed_extension(number, input);
    }

    /// A run is told the badge, and what is to go.
    pub(crate) fn was_fetched(&mut self, fetch: &FetchCommand, view: &FetchedView) {
        self.badge(&fetch.uid, (view.bv, view.unread));
        if let Some(phone) = self.phone_named(&fetch.uid, &fetch.device_id) {
            for id in &view.withdraw {
                self.reference.withdrawals.told(phone, id);
            }
        }
    }

    /// What a run took off by the server's knowledge is not on the screen.
    pub(crate) fn extension_took_off(&mut self, no: PhoneNo, withdrawn: &[NotificationId]) {
        for message_id in withdrawn.iter().filter_map(NotificationId::message_id) {
            if let Some(place) = self.reference.known.place_of(message_id) {
                self.reference.alerts.taken_off(no, place);
            }
        }
    }

    /// What a run showed by the server's knowledge is owed no more.
    pub(crate) fn extension_surfaced(&mut self, no: PhoneNo, surfaced: &[NotificationId]) {
        for message_id in surfaced.iter().filter_map(NotificationId::message_id) {
            if let Some(place) = self.reference.known.place_of(message_id) {
                self.reference.dark.close_one(no, &place);
            }
        }
    }
}

impl Run {
    fn fetch_command(&self, path: &str) -> Option<Command> {
        let query = path.strip_prefix("/v1/fetch?ids=")?;
        let (ids, since) = query.split_once("&since=").unwrap_or((query, ""));
        let session = self.session.as_ref()?;
        Some(Command::Fetch(FetchCommand {
            uid: session.uid.clone(),
            device_id: session.device_id.clone(),
            token_issued_at: claims(&session.push_token).ok()?.issued_at,
            ids: ids.split(',').filter_map(|id| MessageId::parse(id).ok()).collect(),
            since: since.parse().ok(),
        }))
    }

    fn fetched_command(&self, body: &str) -> Option<Command> {
        let body: Value = serde_json::from_str(body).ok()?;
        let ids = |name: &str| {
            let texts = body[name].as_array().into_iter().flatten().filter_map(Value::as_str);
            texts.filter_map(|id| NotificationId::parse(id).ok()).collect()
        };
        let session = self.session.as_ref()?;
        Some(Command::Fetched(FetchedCommand {
            uid: session.uid.clone(),
            device_id: session.device_id.clone(),
            token_issued_at: claims(&session.push_token).ok()?.issued_at,
            surfaced: ids("surfaced"),
            arrived: ids("arrived"),
            withdrawn: ids("withdrawn"),
        }))
    }
}

fn fetched_body(view: &FetchedView) -> Value {
    let messages: Vec<_> = view
        .entries
        .iter()
        .map(|(entry, alert)| nightjar_wire::message(entry, *alert, true))
        .collect();
    let withdraw: Vec<_> = view.withdraw.iter().map(NotificationId::as_str).collect();
    json!({"messages": messages, "unread": view.unread, "bv": view.bv, "withdraw": withdraw})
}
