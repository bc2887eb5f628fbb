//! What people, operating systems, operators and the world do. Scenarios and random runs both
//! speak this language.

use nightjar_client_core::{
    Claim, Draft, Input, LedgerAnswer, LedgerOrder, Poster, State, Verdict,
};
use nightjar_model::{
    Binding, BindingKey, Command, ConversationId, GroupId, MessageId, NotificationId, Secret, Seq,
    Target, Uid, WallMs,
};
use nightjar_node::{Input as NodeInput, Origin};
use nightjar_push::PushRequest;

use crate::faults::Fault;
use crate::phone::{App, Phone, PhoneNo, Screen, Shown};
use crate::provider::Mood;
use crate::reference::Ask;
use crate::world::{What, World};

/// The one set of provider keys of this world.
pub(crate) fn binding_key() -> BindingKey {
    BindingKey { provider: "fcm".into(), credential: "main".into() }
}

pub(crate) fn uid(name: &str) -> Uid {
    Uid::parse(name).expect("the people of this world have plain names")
}

impl World {
    /// Says what people do next, as a heading of the play.
    pub fn act(&mut self, title: &str) {
        self.play.act(self.agenda.now_ms(), title);
    }

    /// A new device, `user/device`, signed in, bound and on the screen.
    pub fn phone(&mut self, name: &str) -> PhoneNo {
        let no = self.add_phone(Phone::new(name, false));
        self.sign_in(no);
        self.bind(no);
        no
    }

    pub(crate) fn add_phone(&mut self, phone: Phone) -> PhoneNo {
        let no = self.phones.len();
        self.provider.tokens.insert(phone.push_token.clone(), no);
        self.reference.add_phone(no, phone.uid.clone());
        self.phones.push(phone);
        no
    }

    /// A group with these members; the first is its owner.
    pub fn group(&mut self, name: &str, members: &[&str]) {
        let group = GroupId::parse(name).expect("groups of this world have plain names");
        let members: Vec<Uid> = members.iter().map(|name| uid(name)).collect();
        self.reference.add_group(&group, &members);
        let (owner, name) = (members[0].clone(), name.to_owned());
        self.api(Command::CreateGroup { group, name, owner, members });
    }

    /// The operator asks something.
    pub(crate) fn api(&mut self, command: Command) {
        if self.server.process.is_none() {
            return;
        }
        self.api_calls += 1;
        let origin = Origin::Api(self.api_calls);
        self.server_asks(origin, Ask { conn: None, phone: None, command: command.clone() });
        self.node_gets(NodeInput::Command { origin, command });
    }

    /// The user signs in on the device; the app starts if it does not run.
    pub fn sign_in(&mut self, no: PhoneNo) {
        self.tell(no, || "signs in".into());
        if self.phones[no].app.is_some() {
            self.end_app(no);
        }
        self.phones[no].is_signed_in = true;
        self.phones[no].screen = Screen::Foreground(None);
        // A token of the same millisecond as a kick counts as older.
        self.phones[no].issued_at = WallMs(self.server_now().wall.0 + 1);
        self.start_app(no);
    }

    /// The app's back end tells the server where the device can be pushed, until it is answered.
    pub fn bind(&mut self, no: PhoneNo) {
        self.unbound.insert(no);
        let phone = &self.phones[no];
        let binding = Binding {
            key: binding_key(),
            token: Secret::new(phone.push_token.clone()),
            locale: None,
            environment: None,
            bound_at: WallMs(0),
        };
        let (uid, device_id) = (phone.uid.clone(), phone.device_id.clone());
        self.api(Command::PutBinding { uid, device_id, binding });
        self.binds.insert(self.api_calls, no);
    }

    /// The operating system gives the app a new push token; the old one is dead.
    pub fn renew_token(&mut self, no: PhoneNo) {
        self.tell(no, || "gets a new push token".into());
        let old = std::mem::take(&mut self.phones[no].push_token);
        self.provider.tokens.remove(&old);
        let new = format!("{old}'");
        self.provider.tokens.insert(new.clone(), no);
        self.phones[no].push_token = new;
    }

    /// The second device takes over the first one's hardware: its app is gone with its data, and
    /// the push token is the second one's now.
    pub fn hand_over(&mut self, from: PhoneNo, to: PhoneNo) {
        let name = self.phones[to].name.clone();
        self.tell(from, || format!("is wiped and handed over: it is {name} now"));
        self.end_app(from);
        self.phones[from].is_signed_in = false;
        self.phones[from].shade.clear();
        let token = self.phones[from].push_token.clone();
        self.provider.tokens.insert(token.clone(), to);
        self.phones[to].push_token = token;
        self.bind(to);
    }

    /// The user writes to a user or, with `#`, to a group.
    pub fn write(&mut self, no: PhoneNo, to: &str, text: &str) {
        self.write_with(no, to, text, false);
    }

    pub(crate) fn write_with(&mut self, no: PhoneNo, to: &str, text: &str, is_silent: bool) {
        self.tell(no, || {
            let how = if is_silent { " silently" } else { "" };
            format!("writes \"{text}\" to {to}{how}")
        });
        let content = format!(r#"{{"type":"text","text":"{text}"}}"#);
        let push =
            is_silent.then(|| nightjar_model::PushSpec { silent: true, ..Default::default() });
        let draft = Draft {
            client_msg_id: None,
            to: target(to),
            content: content.into(),
            push: push.map(Box::new),
            expires_at: None,
            depends_on: Vec::new(),
        };
        self.feed(no, Input::Send(Box::new(draft)));
    }

    /// The user reads a conversation to its end, as far as the device has it.
    pub fn read(&mut self, no: PhoneNo, with: &str) {
        let conversation = self.conversation(no, with);
        let last = self.phones[no].disk.log(&conversation).next_back().map(|message| message.seq);
        let Some(seq) = last else { return };
        self.tell(no, || format!("reads {with} up to #{seq}"));
        let phone = &mut self.phones[no];
        let read = phone.disk.log(&conversation).take_while(|message| message.seq <= seq);
        phone.seen.extend(read.map(|message| (conversation.clone(), message.seq)));
        self.feed(no, Input::Read { conversation, seq });
    }

    /// The user takes their last message of a conversation back.
    pub fn recall(&mut self, no: PhoneNo, with: &str) {
        let conversation = self.conversation(no, with);
        let uid = &self.phones[no].uid;
        let Some(seq) = self.reference.last_of(&conversation, uid) else { return };
        self.tell(no, || format!("takes back #{seq} of {with}"));
        self.feed(no, Input::Recall { conversation, seq });
    }

    pub(crate) fn conversation(&self, no: PhoneNo, with: &str) -> ConversationId {
        match target(with) {
            Target::User(other) => ConversationId::direct(&self.phones[no].uid, &other),
            Target::Group(group) => ConversationId::group(&group),
        }
    }

    /// The app comes to the screen; it is started if it does not run.
    pub fn foreground(&mut self, no: PhoneNo) {
        self.tell(no, || "comes to the screen".into());
        self.unlock(no);
        self.phones[no].screen = Screen::Foreground(None);
        if self.has_failed(no) {
            self.end_app(no);
        }
        if self.phones[no].app.is_none() {
            return self.start_app(no);
        }
        if self.phones[no].is_frozen {
            self.run_on(no);
        }
        self.tell_screen(no);
        self.clear_seen(no);
    }

    /// Whether the app is over for this run of it.
    fn has_failed(&self, no: PhoneNo) -> bool {
        match &self.phones[no].app {
            Some(App::Ours(client)) => client.state() == State::Failed,
            _ => false,
        }
    }

    /// The app leaves the screen; for `grace_ms` its process posts notifications itself.
    pub fn background(&mut self, no: PhoneNo, grace_ms: i64) {
        self.tell(no, || match grace_ms {
            0 => "leaves the screen".into(),
            -1 => "leaves the screen and stays alive".into(),
            ms => format!("leaves the screen with a grace of {ms} ms"),
        });
        self.reference_sees_screen(no);
        self.phones[no].screen = Screen::Background { grace_ms };
        self.tell_screen(no);
    }

    /// The system freezes the app: its socket stays open and nothing in it runs.
    pub fn freeze(&mut self, no: PhoneNo) {
        if self.phones[no].app.is_some() && !self.phones[no].is_frozen {
            let is_connected = !self.phones[no].connections.is_empty();
            self.tell(no, || match is_connected {
                true => "is frozen, its socket open".into(),
                false => "is frozen".into(),
            });
            self.reference_sees_screen(no);
            self.hit(Fault::Freeze, no);
            self.phones[no].is_frozen = true;
            self.cover("freezes");
        }
    }

    /// The app runs again.
    pub fn thaw(&mut self, no: PhoneNo) {
        if self.phones[no].is_frozen {
            self.tell(no, || "runs again".into());
            self.run_on(no);
        }
    }

    /// The app is ended by its user or the system.
    pub fn swipe_away(&mut self, no: PhoneNo) {
        self.tell(no, || "has its app ended".into());
        self.reference_sees_screen(no);
        if self.phones[no].app.is_some() {
            self.hit(Fault::Jetsam, no);
        }
        self.end_app(no);
    }

    /// No network; open connections are dead and nobody hears of it.
    pub fn lose_network(&mut self, no: PhoneNo) {
        self.tell(no, || "loses its network".into());
        self.hit(Fault::Offline, no);
        self.phones[no].has_network = false;
        self.cut(no);
        self.tell_network(no);
    }

    /// A network again, another one than before.
    pub fn find_network(&mut self, no: PhoneNo) {
        self.tell(no, || "has a network again".into());
        self.phones[no].has_network = true;
        self.show_kept(no);
        self.tell_network(no);
    }

    /// Tells the app of a network that came or went, as soon as it runs.
    pub(crate) fn tell_network(&mut self, no: PhoneNo) {
        let phone = &mut self.phones[no];
        if phone.is_frozen || phone.has_network == phone.is_told_of_network {
            return;
        }
        phone.is_told_of_network = phone.has_network;
        let is_there = phone.has_network;
        self.feed(no, if is_there { Input::NetworkChanged } else { Input::NetworkLost });
    }

    /// The connections die and nobody hears of it.
    pub fn cut_links(&mut self, no: PhoneNo) {
        self.tell(no, || "has dead connections without knowing".into());
        if !self.phones[no].connections.is_empty() {
            self.hit(Fault::HalfOpen, no);
        }
        self.cut(no);
    }

    /// The user signs out.
    pub fn logout(&mut self, no: PhoneNo, unbind: bool) {
        self.tell(no, || {
            let how = if unbind { "with unbind" } else { "and stays bound" };
            format!("signs out {how}")
        });
        self.feed(no, Input::Logout { unbind });
    }

    /// The operator ends the device's session.
    pub fn kick(&mut self, no: PhoneNo) {
        self.tell(no, || "is kicked by the operator".into());
        let (uid, device_id) = (self.phones[no].uid.clone(), self.phones[no].device_id.clone());
        self.api(Command::Kick { uid, device_id, reason: "lost".into() });
    }

    /// The user swipes a notification away.
    pub(crate) fn dismiss(&mut self, no: PhoneNo, id: &NotificationId) {
        self.tell(no, || format!("has {id} swiped away", id = short(id)));
        self.phones[no].shade.remove(id);
    }

    /// The server's process ends at once.
    pub fn kill_server(&mut self) {
        self.crash(Fault::Kill);
    }

    /// The server's machine loses its power.
    pub fn cut_power(&mut self) {
        self.crash(Fault::Power);
    }

    /// The server starts again.
    pub fn restart_server(&mut self) {
        if self.server.process.is_none() {
            self.start_server();
        }
    }

    /// The server's process stands still.
    pub fn stall_server(&mut self, ms: u64) {
        self.stall(ms);
    }

    /// From now on the disk takes so long for a batch.
    pub fn disk_takes(&mut self, ms: u64) {
        self.play.line(self.agenda.now_ms(), "disk", || format!("takes {ms} ms for a batch"));
        self.server.disk_ms = ms..=ms;
        self.hit_all(Fault::Slow);
    }

    /// How the provider behaves from now on.
    pub fn provider_is(&mut self, mood: Mood) {
        self.play.line(self.agenda.now_ms(), "provider", || format!("is {mood:?}").to_lowercase());
        self.provider.mood = mood;
    }

    /// A push on the phone: the system shows it, or the app that is on the screen does.
    pub(crate) fn phone_pushed(&mut self, no: PhoneNo, request: PushRequest) {
        let phone = &self.phones[no];
        if request.uid != phone.uid || request.device_id != phone.device_id {
            // For whoever had the hardware before: the app that is there now does not show it.
            return;
        }
        if self.phones[no].is_quit && !self.phones[no].has_extension {
            return self.tell(no, || "is pushed, and nothing runs that could show it".into());
        }
        if self.phones[no].is_locked {
            return self.show_unread(no, &request);
        }
        if self.phones[no].has_extension {
            return self.wake_extension(no, request);
        }
        let data = &request.data;
        self.take_off(no, &data.wd, "a push");
        let bv = self.phones[no].badge.1;
        if data.bv > bv {
            self.phones[no].badge = (data.badge, data.bv);
        }
        let (Some(nid), true) = (&data.nid, request.alert.is_some()) else { return };
        let place = (data.conv.clone(), data.seq);
        let phone = &self.phones[no];
        let is_on_screen = phone.is_watched() && phone.disk.messages.contains_key(&place);
        if is_on_screen || !self.extension_may_show(no, &request) {
            return;
        }
        self.show(no, nid, &data.conv, data.seq, "by a push");
    }

    /// Before the first unlock no process can read the ledger: the system shows what came.
    fn show_unread(&mut self, no: PhoneNo, request: &PushRequest) {
        let data = &request.data;
        if let (Some(nid), true) = (&data.nid, request.alert.is_some()) {
            // No ledger knows of it: after the unlock an extension may show it by itself.
            self.doubtful.insert((no, (data.conv.clone(), data.seq)));
            self.show(no, nid, &data.conv, data.seq, "by the system, which is locked");
        }
    }

    /// What the app's extension finds in the ledger it shares with the app. What somebody else
    /// shows is shown again under the same id, which changes nothing.
    fn extension_may_show(&mut self, no: PhoneNo, request: &PushRequest) -> bool {
        let (data, now) = (&request.data, self.phone_now().wall);
        let (Some(message_id), Some(nid)) = (data.mid, data.nid.clone()) else { return true };
        let claim = Claim {
            message_id,
            notification: nid,
            conversation: data.conv.clone(),
            seq: data.seq,
            by: Poster::Extension,
        };
        let ledger = &mut self.phones[no].ledger;
        let answer = ledger.order(&LedgerOrder::Claim(Box::new(claim)), now);
        let LedgerAnswer::Claimed { verdict, .. } = answer else { return true };
        if verdict == Verdict::Granted {
            ledger.order(&LedgerOrder::Posted(message_id), now);
        }
        !matches!(verdict, Verdict::Withdrawn | Verdict::Seen)
    }

    /// A notification comes to the screen, or replaces the one of the same id.
    pub(crate) fn show(
        &mut self,
        no: PhoneNo,
        id: &NotificationId,
        conversation: &ConversationId,
        seq: Seq,
        how: &str,
    ) {
        self.tell(no, || format!("shows {} for {conversation} #{seq} {how}", short(id)));
        self.phones[no].seen.insert((conversation.clone(), seq));
        self.reference.withdrawals.shown(no, id);
        let shared = NotificationId::conversation(conversation);
        let is_shared = *id == shared;
        let twice = self.phones[no].shade.iter().any(|(other, shown)| {
            other != id
                && shown.conversation == *conversation
                && shown.seqs.contains(&seq)
                && (is_shared || *other == shared)
        });
        // What a loss of power took from the server it may name anew.
        let place = (no, (conversation.clone(), seq));
        let is_doubtful = self.doubtful.contains(&place) || self.forgotten.contains(&place);
        if twice && !is_doubtful {
            let name = &self.phones[no].name;
            let text = format!("{name} shows two notifications for {conversation} #{seq}");
            self.violated("P3", text);
        }
        let shown = self.phones[no].shade.entry(id.clone()).or_insert_with(|| Shown {
            conversation: conversation.clone(),
            seqs: Default::default(),
        });
        shown.seqs.insert(seq);
    }

    /// Notifications leave the screen.
    pub(crate) fn take_off(&mut self, no: PhoneNo, ids: &[NotificationId], who: &str) {
        for id in ids {
            if self.phones[no].shade.remove(id).is_some() {
                self.cover("notifications_withdrawn");
                self.tell(no, || format!("has {} taken off by {who}", short(id)));
            }
        }
    }

    /// Runs for so many milliseconds.
    pub fn pass(&mut self, ms: u64) {
        self.run_until(self.agenda.now_ms() + ms);
    }

    /// A crash comes after so many more steps of the server.
    pub(crate) fn plan_crash(&mut self, steps: u32, fault: Fault) {
        self.server.dies_after = Some((steps, fault));
    }

    /// Plans the end of a grace: the system freezes the app then.
    pub(crate) fn plan_freeze(&mut self, no: PhoneNo, after_ms: u64) {
        let boot = self.phones[no].boot;
        self.agenda.after(after_ms, What::Freeze(no, boot));
    }
}

/// Who a message is for: a user, or a group as `#name`.
pub(crate) fn target(to: &str) -> Target {
    match to.strip_prefix('#') {
        Some(group) => {
            Target::Group(GroupId::parse(group).expect("groups of this world have plain names"))
        }
        None => Target::User(uid(to)),
    }
}

/// A notification id as people can tell it from others.
pub(crate) fn short(id: &NotificationId) -> String {
    match id.message_id() {
        Some(message) => format!("m.…{}", tail(message)),
        None => id.as_str().to_owned(),
    }
}

fn tail(id: MessageId) -> String {
    let text = id.to_string();
    text[text.len() - 4..].to_owned()
}
