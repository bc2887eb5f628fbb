//! The conversation between a person and the client.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use nightjar_client_core::{
    AmendmentRow, Ended, Event, FailReason, Indicator, Listed, MessageRow, NeedToken, Notification,
    Restored, Standing, defaults,
};
use nightjar_model::{
    ClientMsgId, ContactState, ConversationId, NotificationId, Removed, Seq, Target, Uid,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::command::{self, Command, HELP};
use super::content::{self, printable};
use super::screen::{self, print};
use crate::{Client, Gone, News};

/// Messages that came while the app was in the background; of more, the oldest are only in
/// `/history`.
const HIDDEN_MAX: usize = 1_000;
/// What the client needs beyond a message's own time to notice that it is over.
const GRACE: Duration = Duration::from_secs(5);

/// A talk without its client.
pub(crate) struct Talk {
    me: Uid,
    target: Option<Target>,
    standings: BTreeMap<ConversationId, Standing>,
    /// What was typed and is not sent, by its id.
    unsent: BTreeMap<ClientMsgId, String>,
    /// Why something was not sent, for the exit code.
    failures: Vec<String>,
    hidden: Vec<Arc<MessageRow>>,
    is_hidden: bool,
    is_online: bool,
    posted: Vec<NotificationId>,
    /// Who asks to be a contact, and was shown.
    asking: BTreeSet<Uid>,
    badge: u64,
    last_trouble: String,
}

/// A talk that goes on.
pub(crate) struct Running {
    talk: Talk,
    client: Client,
    news: mpsc::Receiver<News>,
}

/// Whether the talk goes on after something was said.
enum Mood {
    Stay,
    Leave,
}

impl Talk {
    pub(crate) fn new(me: Uid, target: Option<Target>, restored: &Restored) -> Self {
        let standings = restored.places.iter().map(|row| (row.conversation.clone(), row.standing));
        let unsent = restored.outgoing.iter().filter(|row| !row.is_failed || row.resumes);
        let unsent = unsent.map(|row| (row.client_msg_id.clone(), content::text(&row.content)));
        Self {
            me,
            target,
            standings: standings.collect(),
            unsent: unsent.collect(),
            failures: Vec::new(),
            hidden: Vec::new(),
            is_hidden: false,
            is_online: false,
            posted: Vec::new(),
            asking: BTreeSet::new(),
            badge: restored.account.unread,
            last_trouble: String::new(),
        }
    }

    pub(crate) fn with(self, client: Client, news: mpsc::Receiver<News>) -> Running {
        Running { talk: self, client, news }
    }

    /// The conversation that lines go to.
    fn open(&self) -> Option<ConversationId> {
        Some(match self.target.as_ref()? {
            Target::User(uid) => ConversationId::direct(&self.me, uid),
            Target::Group(group) => ConversationId::group(group),
        })
    }

    fn standing(&self, conversation: &ConversationId) -> Standing {
        self.standings.get(conversation).copied().unwrap_or_default()
    }

    fn show(&self, message: &MessageRow) {
        print(&screen::message(message, &self.me));
    }

    fn arrived(&mut self, message: Arc<MessageRow>) {
        if content::is_amending(&message.content) {
            // Told by an event of its own.
            return;
        }
        if !self.is_hidden {
            return self.show(&message);
        }
        if self.hidden.len() == HIDDEN_MAX {
            self.hidden.remove(0);
        }
        self.hidden.push(message);
    }

    /// What happened to a message, the link or the list; an error ends the talk.
    fn told(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Message(message) => self.arrived(message),
            Event::Sent { client_msg_id, conversation, seq, at, .. } => {
                let text = self.unsent.remove(&client_msg_id).unwrap_or_default();
                let to = screen::place(&conversation, &self.me);
                print(&screen::sent(at, &to, &text, seq));
            }
            Event::Failed { client_msg_id, to, reason } => self.failed(&client_msg_id, &to, reason),
            Event::Place { conversation, standing } => {
                self.standings.insert(conversation, standing);
            }
            Event::Badge { unread, .. } => self.badge = unread,
            Event::Synced => print(&format!("{} unread", self.badge)),
            Event::Recalled { conversation, seq, by } => {
                let place = screen::place(&conversation, &self.me);
                print(&format!("{} took back #{seq} in {place}", printable(by.as_str())));
            }
            Event::Amended(row) => print(&screen::amended(&row, &self.me)),
            Event::Typing { conversation, from } => {
                let place = screen::place(&conversation, &self.me);
                print(&format!("{} is typing in {place}", printable(from.as_str())));
            }
            Event::Refused { kind, reject } => {
                let why = reject.map_or("no answer", |reject| reject.message());
                print(&format!("{}: {why}", kind.name()));
            }
            Event::TokenNeeded(why) => return Err(refusal(why)),
            Event::Ended(why) => return Err(end(&why)),
            Event::Queued { client_msg_id, to } => self.queued(&client_msg_id, &to),
            // Shown with what the store knows of it.
            Event::History { .. } => {}
            Event::Listed(item) => self.listed(&item),
            Event::Link(_) | Event::Conversation(_) | Event::Relisted => {}
        }
        Ok(())
    }

    /// Only a question needs an answer; the rest is in `/contacts`.
    fn listed(&mut self, item: &Listed) {
        match item {
            Listed::Contact(contact) if contact.state == ContactState::Asked => {
                if self.asking.insert(contact.uid.clone()) {
                    let who = printable(contact.uid.as_str());
                    print(&format!("{who} asks to be a contact: /accept {who} or /remove {who}"));
                }
            }
            Listed::Contact(contact) => drop(self.asking.remove(&contact.uid)),
            Listed::Removed(Removed::Contact { uid, .. }) => drop(self.asking.remove(uid)),
            Listed::Group(_) | Listed::Profile(_) | Listed::Removed(Removed::Group { .. }) => {}
        }
    }

    /// Nobody should wonder whether a line typed without a connection is lost.
    fn queued(&self, id: &ClientMsgId, to: &Target) {
        if let (false, Some(text)) = (self.is_online, self.unsent.get(id)) {
            print(&screen::queued(&screen::target(to), text));
        }
    }

    fn show_history(&self, messages: &[Arc<MessageRow>], amendments: &[AmendmentRow]) {
        for message in messages.iter().filter(|message| !content::is_amending(&message.content)) {
            print(&screen::numbered(message, amendments, &self.me));
        }
    }

    fn failed(&mut self, id: &ClientMsgId, to: &Target, reason: FailReason) {
        let text = self.unsent.remove(id).unwrap_or_default();
        let why = match reason {
            FailReason::NoLink => "no link; it stays in the outbox".to_owned(),
            FailReason::NoAnswer => "the server did not answer".to_owned(),
            FailReason::Rejected(reject) => reject.message().to_owned(),
            FailReason::OutboxFull => "the outbox is full".to_owned(),
            FailReason::BadContent => "it is too long".to_owned(),
            FailReason::UploadFailed => "its upload failed".to_owned(),
        };
        print(&format!("✗ not sent to {}: {text} ({why})", screen::target(to)));
        self.failures.push(why);
    }

    fn list(&self) {
        for (conversation, standing) in &self.standings {
            let place = screen::place(conversation, &self.me);
            let Standing { unread, head, .. } = standing;
            print(&format!("{place}: {unread} unread, newest #{head}"));
        }
        print(&format!("{} unread in all", self.badge));
    }

    fn trouble(&mut self, text: String) {
        if text != self.last_trouble {
            print(&format!("no connection: {}", printable(&text)));
            self.last_trouble = text;
        }
    }
}

impl Running {
    /// Goes on until somebody has enough: the person, the server, or the end of the input once
    /// everything typed is sent.
    pub(crate) async fn run(mut self, mut lines: mpsc::Receiver<String>) -> Result<(), String> {
        self.open().await;
        let mut until = None;
        let end = loop {
            if until.is_some() && self.talk.unsent.is_empty() {
                break Ok(());
            }
            let patience = until.unwrap_or_else(far);
            tokio::select! {
                line = lines.recv(), if until.is_none() => match line {
                    None => until = Some(Instant::now() + patience_for_sending()),
                    Some(line) => match self.typed(&line).await {
                        Ok(Mood::Stay) => {}
                        Ok(Mood::Leave) => break Ok(()),
                        Err(Gone) => break Err("the client ended".to_owned()),
                    },
                },
                news = self.news.recv() => match news {
                    None => break Err("the client ended".to_owned()),
                    Some(news) => if let Err(why) = self.heard(news).await { break Err(why) },
                },
                () = sleep_until(patience), if until.is_some() => {
                    break Err(format!("{} could not be sent in time", self.talk.unsent.len()));
                }
            }
        };
        let is_over_by_itself = until.is_some();
        self.leave(end, is_over_by_itself).await
    }

    async fn leave(self, end: Result<(), String>, counts_failures: bool) -> Result<(), String> {
        let Self { talk, client, mut news } = self;
        // What is still told is of no use, but must not hold the client up.
        let unheard = tokio::spawn(async move { while news.recv().await.is_some() {} });
        let closed = client.close().await.map_err(|error| error.to_string());
        let _ = unheard.await;
        print("bye");
        end.and(closed)?;
        match talk.failures.first() {
            Some(why) if counts_failures => Err(format!("{} not sent: {why}", talk.failures.len())),
            _ => Ok(()),
        }
    }

    /// Tells the client which conversation is on the screen.
    async fn open(&self) {
        if !self.talk.is_hidden {
            // The loop notices when the client is gone.
            let _ = self.client.foreground(self.talk.open()).await;
        }
    }

    async fn typed(&mut self, line: &str) -> Result<Mood, Gone> {
        match command::parse(line) {
            Ok(command) => self.obey(command).await,
            Err(why) => {
                print(&printable(&why));
                Ok(Mood::Stay)
            }
        }
    }

    async fn obey(&mut self, command: Command) -> Result<Mood, Gone> {
        match command {
            Command::Nothing => {}
            Command::Say(text) => self.say(text).await?,
            Command::To(target) => {
                print(&format!("writing to {}", screen::target(&target)));
                self.talk.target = Some(target);
                self.open().await;
            }
            Command::List => self.talk.list(),
            Command::Contacts => {
                screen::contacts(&self.client.lists().await?).iter().for_each(|line| print(line));
            }
            Command::Contact(uid, action) => self.client.change_contact(uid, action).await?,
            Command::Help => print(HELP),
            Command::Quit => return Ok(Mood::Leave),
            Command::Background(grace_ms) => {
                self.talk.is_hidden = true;
                self.client.background(grace_ms).await?;
                print("in the background");
            }
            Command::Foreground => {
                self.talk.is_hidden = false;
                self.open().await;
                print("in the foreground");
                let hidden = std::mem::take(&mut self.talk.hidden);
                hidden.iter().for_each(|message| self.talk.show(message));
            }
            Command::Read
            | Command::History(_)
            | Command::Recall(_)
            | Command::Edit(..)
            | Command::React(..) => {
                let Some(conversation) = self.talk.open() else {
                    nowhere();
                    return Ok(Mood::Stay);
                };
                self.obey_here(command, conversation).await?;
            }
        }
        Ok(Mood::Stay)
    }

    async fn obey_here(
        &mut self,
        command: Command,
        conversation: ConversationId,
    ) -> Result<(), Gone> {
        match command {
            Command::Read => {
                let seq: Seq = self.talk.standing(&conversation).head;
                self.client.read(conversation, seq).await
            }
            Command::History(limit) => self.client.history(conversation, None, limit).await,
            Command::Recall(seq) => self.client.recall(conversation, seq).await,
            Command::Edit(seq, text) => {
                self.client.edit(conversation, seq, content::content(&text)).await
            }
            Command::React(seq, sign, remove) => {
                self.client.react(conversation, seq, sign, remove).await
            }
            _ => Ok(()),
        }
    }

    async fn say(&mut self, text: String) -> Result<(), Gone> {
        let Some(target) = self.talk.target.clone() else {
            nowhere();
            return Ok(());
        };
        let id = self.client.send(target, content::content(&text)).await?;
        self.talk.unsent.insert(id, printable(&text));
        Ok(())
    }

    /// As the messages read now, with what others think of them.
    async fn show_history(&self, conversation: ConversationId, messages: &[Arc<MessageRow>]) {
        let (Some(first), Some(last)) = (messages.first(), messages.last()) else { return };
        let amendments = self.client.amendments(conversation, (first.seq, last.seq)).await;
        self.talk.show_history(messages, &amendments.unwrap_or_default());
    }

    async fn heard(&mut self, news: News) -> Result<(), String> {
        match news {
            News::Event(Event::History { conversation, messages, .. }) => {
                self.show_history(conversation, &messages).await;
                Ok(())
            }
            News::Event(event) => self.talk.told(event),
            News::Link { indicator, next_try_ms } => {
                self.talk.is_online = indicator == Indicator::Online;
                print(&screen::link(indicator, next_try_ms));
                Ok(())
            }
            News::Notify(notification) => {
                self.post(&notification).await;
                Ok(())
            }
            News::Withdraw(ids) => {
                self.take_back(&ids);
                // The loop notices when the client is gone.
                let _ = self.client.removed(ids).await;
                Ok(())
            }
            // A terminal is never in the background.
            News::HoldBackground | News::ReleaseBackground | News::ScheduleWake(_) => Ok(()),
            News::NoConnection(error) => {
                self.talk.trouble(super::with_cause(error));
                Ok(())
            }
            News::RecordFailed(error) => {
                self.talk.trouble(super::with_cause(error));
                Ok(())
            }
            News::StoreFailed(error) => Err(super::with_cause(&*error)),
        }
    }

    async fn post(&mut self, notification: &Notification) {
        let from = printable(notification.from.as_str());
        print(&format!("(notification) {from}: {}", content::text(&notification.content)));
        self.talk.posted.push(notification.id.clone());
        if self.talk.posted.len() > HIDDEN_MAX {
            self.talk.posted.remove(0);
        }
        // The loop notices when the client is gone.
        let _ = self.client.notified(notification.id.clone(), true).await;
    }

    fn take_back(&mut self, ids: &[NotificationId]) {
        let before = self.talk.posted.len();
        self.talk.posted.retain(|posted| !ids.contains(posted));
        let gone = before - self.talk.posted.len();
        if gone > 0 {
            print(&format!("(notifications taken back: {gone})"));
        }
    }
}

fn nowhere() {
    print("nobody to write to yet: /to UID or /group ID");
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(3_600)
}

fn patience_for_sending() -> Duration {
    Duration::from_millis(defaults::SEND_BUDGET_MS) + GRACE
}

fn refusal(why: NeedToken) -> String {
    match why {
        NeedToken::Expired => "the token's time is over; get a new one".to_owned(),
        NeedToken::Bad => "the server does not accept this token for this user".to_owned(),
    }
}

fn end(why: &Ended) -> String {
    match why {
        Ended::Kicked { text: None } => "this device was signed out by the operator".to_owned(),
        Ended::Kicked { text: Some(text) } => {
            format!("this device was signed out: {}", printable(text))
        }
        Ended::Replaced => "the same device connected elsewhere".to_owned(),
        Ended::LoggedOut { .. } => "signed out".to_owned(),
        Ended::Refused(reject) => format!("the server refuses: {}", reject.message()),
        Ended::Protocol => "client and server do not understand each other".to_owned(),
        Ended::StoreFailed => "the store failed".to_owned(),
    }
}
