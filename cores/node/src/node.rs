//! The machine itself: inputs in, turns out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use nightjar_domain::{
    Changes, Commit, Conversation, Durability, Missing, Rows, Scan, Stop, User, WorkRow, read,
};
use nightjar_model::sabotage::Sabotage;
use nightjar_model::{ConnId, ConversationId, DeviceId, Lane, Mono, Now, Reject, Reply, Seq, Uid};
use nightjar_push::{PushPolicy, Queue, RouteState, Ticket};

use crate::contacts::Notes;
use crate::credentials::{self, Credentials};
use crate::flush::Flush;
use crate::passwords::password;
use crate::pending::Pending;
use crate::presence::Presence;
use crate::record::Recorder;
use crate::settings::MuteEnds;
use crate::webhooks::{self, Webhooks};
use crate::work::OpenWork;
use crate::{Command, Effect, Input, NodeConfig, Origin, Turn};

/// One node. See the crate's page for how to drive it.
pub struct Node {
    pub(crate) config: NodeConfig,
    pub(crate) conversations: BTreeMap<ConversationId, Conversation>,
    pub(crate) users: BTreeMap<Uid, User>,
    pub(crate) conns: BTreeMap<ConnId, (Uid, DeviceId)>,
    /// Work rows that are open, by user lane and conversation.
    pub(crate) work: BTreeMap<(Lane, ConversationId), OpenWork>,
    /// Work to look at, in order.
    pub(crate) ready: VecDeque<(Lane, ConversationId)>,
    pub(crate) flush: Flush,
    /// One deadline per device.
    pub(crate) timers: BTreeSet<(Mono, Uid, DeviceId)>,
    /// When a withdrawal over a connection counts as unanswered.
    pub(crate) withdraw_timers: BTreeSet<(Mono, Uid, DeviceId)>,
    /// Deadlines wait until then: the process was stalled and reads its sockets first.
    pub(crate) shifted_until: Mono,
    /// Turns whose commits are not safe yet, and when they began.
    pub(crate) unsafe_turns: VecDeque<(u64, Mono)>,
    /// A deadline passed before what it is for could leave: it waits for the disk.
    pub(crate) waits_for_safe: bool,
    /// When this turn began, and when something was asked last.
    began: Mono,
    clock: Mono,
    /// What an operator chose for all users.
    pub(crate) policy: PushPolicy,
    /// Every credential, and whether it is on.
    pub(crate) credentials: Credentials,
    /// Every webhook an operator set up, and whether it is on.
    pub(crate) webhooks: Webhooks,
    /// When mutes of users in memory end by themselves.
    pub(crate) mute_ends: MuteEnds,
    pub(crate) queue: Queue,
    pub(crate) tickets: BTreeMap<Ticket, crate::alert::InFlight>,
    pub(crate) recorder: Recorder,
    pub(crate) presence: Presence,
    pub(crate) notes: Notes,
    /// Of the input that is being handled.
    pub(crate) changes: Changes,
    /// Of the inputs before it in this turn.
    pending: Pending,
    pub(crate) effects: Vec<Effect>,
    /// This turn holds some of what can wait.
    pub(crate) takes_room: bool,
    /// It answers in a conversation of few people.
    pub(crate) is_prompt: bool,
    pub(crate) stats: NodeStats,
    turn: u64,
}

/// Counters of one node since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NodeStats {
    /// Work rows that were open when the node was opened.
    pub work_rows_at_open: u64,
    /// Messages accepted.
    pub messages: u64,
    /// Entries handed to connections.
    pub deliveries: u64,
    /// Requests handed to providers.
    pub pushes: u64,
    /// Debts settled without a push, for a named reason.
    pub silenced: u64,
    /// Deadlines missed.
    pub deadlines_missed: u64,
    /// Rows of the last message's commit.
    pub message_rows: u64,
}

/// What a handler may look at besides the node.
#[derive(Clone, Copy)]
pub(crate) struct Ctx<'a> {
    pub(crate) rows: &'a dyn Rows,
    pub(crate) now: Now,
    pub(crate) random: &'a [u8; 16],
}

impl Ctx<'_> {
    /// The random part of a UUIDv7.
    pub(crate) fn id_bytes(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        bytes.copy_from_slice(&self.random[..10]);
        bytes
    }
}

impl Node {
    /// Opens a node over a store: reads open work and the operator's choice, nothing else.
    ///
    /// # Errors
    /// [`Missing`] when rows are not at hand.
    pub fn open(config: NodeConfig, rows: &dyn Rows, now: Now) -> Result<Self, Missing> {
        let webhooks = webhooks::open(rows)?;
        let wants_events = config.events || webhooks.values().any(|enabled| *enabled);
        let mut changes = Changes::default();
        let mut node = Self {
            queue: Queue::new(config.pushes_in_flight_max),
            recorder: Recorder::open(rows, &mut changes, wants_events, now)?,
            presence: Presence::default(),
            notes: Notes::open(rows)?,
            policy: read::push_policy(rows)?.unwrap_or_default().over(&config.policy),
            webhooks,
            credentials: credentials::open(&config, rows)?,
            mute_ends: MuteEnds::default(),
            config,
            conversations: BTreeMap::new(),
            users: BTreeMap::new(),
            conns: BTreeMap::new(),
            work: BTreeMap::new(),
            ready: VecDeque::new(),
            flush: Flush::default(),
            timers: BTreeSet::new(),
            withdraw_timers: BTreeSet::new(),
            shifted_until: Mono(0),
            unsafe_turns: VecDeque::new(),
            waits_for_safe: false,
            began: now.mono,
            clock: now.mono,
            tickets: BTreeMap::new(),
            changes,
            pending: Pending::default(),
            effects: Vec::new(),
            takes_room: false,
            is_prompt: false,
            stats: NodeStats::default(),
            turn: 0,
        };
        for row in rows.scan(&Scan::Work)? {
            if let nightjar_domain::Row::Work(row) = row {
                node.reopen_work(row);
            }
        }
        Ok(node)
    }

    fn reopen_work(&mut self, row: WorkRow) {
        self.stats.work_rows_at_open += 1;
        let key = (row.lane, row.conversation.clone());
        self.ready.push_back(key.clone());
        self.work.insert(key, OpenWork::reopened(row));
    }

    /// Takes one input.
    ///
    /// # Errors
    /// [`Missing`]: nothing happened; the caller loads the rows and gives the same input again.
    pub fn handle(
        &mut self,
        input: Input,
        rows: &dyn Rows,
        now: Now,
        random: &[u8; 16],
    ) -> Result<(), Missing> {
        self.seeing_pending(rows, |node, rows| node.take(input, Ctx { rows, now, random }))
    }

    /// Does something with rows as the inputs before it in this turn left them.
    fn seeing_pending<T>(
        &mut self,
        rows: &dyn Rows,
        act: impl FnOnce(&mut Self, &dyn Rows) -> Result<T, Missing>,
    ) -> Result<T, Missing> {
        let mut pending = std::mem::take(&mut self.pending);
        let result = act(self, &pending.over(rows));
        pending.add(&mut self.changes.writes);
        self.pending = pending;
        result
    }

    fn take(&mut self, input: Input, ctx: Ctx<'_>) -> Result<(), Missing> {
        match input {
            Input::Command { origin, command } => {
                let result = match self.command(ctx, origin, command) {
                    Ok(reply) => Ok(reply),
                    Err(Stop::Reject(reject)) => Err(reject),
                    Err(Stop::Missing(missing)) => return Err(missing),
                };
                self.effects.push(Effect::Reply { origin, result });
                Ok(())
            }
            Input::Answered { ticket, answer } => self.answered(ctx, ticket, &answer),
            Input::Safe { turn, at } => {
                self.recorder.safe(turn, at);
                self.safe(turn, ctx.now.mono);
                Ok(())
            }
        }
    }

    fn command(&mut self, ctx: Ctx<'_>, origin: Origin, command: Command) -> Result<Reply, Stop> {
        match origin {
            Origin::Conn(conn, _) => self.command_of_device(ctx, conn, command),
            Origin::Api(_) => self.command_of_operator(ctx, command),
        }
    }

    fn command_of_device(
        &mut self,
        ctx: Ctx<'_>,
        conn: ConnId,
        command: Command,
    ) -> Result<Reply, Stop> {
        if let Command::Hello(hello) = command {
            return self.hello(ctx, conn, *hello);
        }
        let Some((uid, device_id)) = self.conns.get(&conn).cloned() else {
            // The device was kicked or replaced while this was on its way.
            return match command {
                Command::Lost | Command::Heard => Ok(Reply::Done),
                _ => Err(Reject::TokenRevoked.into()),
            };
        };
        let me = crate::device::Me { conn, uid, device_id };
        match command {
            Command::Hello(_) => Err(Reject::HelloExpected.into()),
            Command::AppState(report) => self.app_state(ctx, &me, &report),
            Command::Heard => self.heard(ctx, &me),
            Command::Lost => self.lost(ctx, &me),
            Command::Logout { unbind } => self.logout(ctx, &me, unbind),
            Command::Send(send) => self.send(ctx, &me.uid, *send, Some(conn)),
            Command::Recall { conversation, seq } => {
                self.recall(ctx, &me.uid, &conversation, seq, Some(conn))
            }
            Command::Edit { conversation, seq, content } => {
                self.edit(ctx, &me.uid, (&conversation, seq), &content, conn)
            }
            Command::React { conversation, seq, emoji, remove } => {
                self.react(ctx, &me.uid, (&conversation, seq), (&emoji, remove), conn)
            }
            Command::Typing(target) => self.typing(ctx, &me, &target),
            Command::Contact { uid, action } => {
                self.contact(ctx, &me.uid, &uid, action, Some(conn))
            }
            Command::Presence(command) => self.presence(ctx, &me, &command),
            Command::Ack(items) => self.ack(ctx, &me, &items),
            Command::Read { conversation, seq } => {
                self.read(ctx, (&me.uid, Some(&me.device_id)), &conversation, seq)
            }
            Command::Withdrawn(ids) => self.withdrawn(ctx, &me, &ids),
            Command::Report(report) => self.report(ctx, &me, &report),
            Command::Contacts { uid } if uid == me.uid => self.contacts(ctx, &uid),
            Command::Sync { since, limit } => self.sync(ctx, &me.uid, since.as_deref(), limit),
            Command::History(history) => self.history(ctx, &me.uid, &history),
            Command::Pull { conversation, after, limit } => {
                self.pull(ctx, &me, &conversation, after, limit)
            }
            Command::Members { group, since } => {
                self.members(ctx, Some(&me.uid), &group, since.as_deref())
            }
            Command::BindPush(binding) => self.bind(ctx, &me.uid, &me.device_id, binding),
            Command::UnbindPush(key) => self.unbind(ctx, &me.uid, &me.device_id, Some(&key)),
            _ => Err(Reject::Forbidden.into()),
        }
    }

    fn command_of_operator(&mut self, ctx: Ctx<'_>, command: Command) -> Result<Reply, Stop> {
        match command {
            Command::PutUser { uid, name, avatar } => self.put_user(ctx, &uid, name, avatar),
            Command::PutPassword { uid, keys } => self.put_password(ctx, uid, *keys),
            Command::Password { uid } => password(ctx, &uid),
            Command::ContactAs { uid, other, action } => {
                self.contact(ctx, &uid, &other, action, None)
            }
            Command::Contacts { uid } => self.contacts(ctx, &uid),
            Command::CreateGroup { group, name, owner, members } => {
                self.create_group(ctx, &group, name, &owner, &members)
            }
            Command::ChangeMembers { group, add, remove } => {
                self.change_members(ctx, &group, &add, &remove)
            }
            Command::Members { group, since } => self.members(ctx, None, &group, since.as_deref()),
            Command::SendAs { from, send } => self.send(ctx, &from, *send, None),
            Command::ReadAs { uid, conversation, seq } => {
                self.with_user(ctx, &uid)?;
                self.read(ctx, (&uid, None), &conversation, seq)
            }
            Command::SyncAs { uid, since, limit } => self.sync(ctx, &uid, since.as_deref(), limit),
            Command::HistoryAs { viewer, history } => self.history(ctx, &viewer, &history),
            Command::Devices { uid } => self.devices(ctx, &uid),
            Command::PutBinding { uid, device_id, binding } => {
                self.bind(ctx, &uid, &device_id, binding)
            }
            Command::DeleteBinding { uid, device_id, key } => {
                self.unbind(ctx, &uid, &device_id, key.as_ref())
            }
            Command::Fetch(fetch) => self.fetch(ctx, &fetch),
            Command::Fetched(fetched) => self.fetched(ctx, &fetched),
            Command::Unread { uid } => self.unread(ctx, &uid),
            Command::Kick { uid, device_id, reason } => self.kick(ctx, &uid, &device_id, reason),
            Command::ReportAppState { uid, device_id, state } => {
                self.reported_app_state(ctx, &uid, &device_id, &state)
            }
            Command::Trace { message_id, uid } => self.trace(ctx, message_id, &uid),
            Command::Explain { from, send, at } => self.explain(ctx, &from, *send, at),
            other => self.command_about_pushes(ctx, other),
        }
    }

    /// What an operator chooses of pushes, and what is kept for the server's own parts.
    fn command_about_pushes(&mut self, ctx: Ctx<'_>, command: Command) -> Result<Reply, Stop> {
        match command {
            Command::PushSettings { uid } => self.push_settings(ctx, &uid),
            Command::PutPushSettings { uid, settings } => {
                self.put_push_settings(ctx, &uid, *settings)
            }
            Command::PushPolicy => Ok(Reply::PushPolicy(self.policy)),
            Command::PutPushPolicy(choice) => Ok(self.put_push_policy(choice)),
            Command::PushTemplate { name } => self.push_template(ctx, &name),
            Command::PutPushTemplate(template) => self.put_push_template(ctx, *template),
            Command::DeletePushTemplate { name, locale } => {
                self.delete_push_template(ctx, &name, locale.as_deref())
            }
            Command::Credentials => self.credentials(ctx),
            Command::PutCredential(credential) => self.put_credential(ctx, *credential),
            Command::DeleteCredential(key) => self.delete_credential(key),
            Command::TestTarget { uid, device_id, key } => {
                self.test_target(ctx, &uid, (device_id.as_ref(), &key))
            }
            Command::Outcomes { after, limit } => self.outcomes(ctx, after, limit),
            Command::Events { after, limit } => self.events(ctx, after, limit),
            Command::Receipts { key, receipts } => self.receipts(ctx, &key, &receipts),
            Command::Statistics { from, limit } => self.statistics(ctx, from, limit),
            Command::Webhooks => self.webhooks(ctx),
            Command::PutWebhook(webhook) => self.put_webhook(ctx, *webhook),
            Command::DeleteWebhook { id } => self.delete_webhook(id),
            Command::PutKept { gateway, key, json } => self.put_kept(gateway, key, json),
            Command::Kept { gateway, prefix, after, limit } => {
                self.kept(ctx, gateway, &prefix, &after, limit)
            }
            Command::EventCursor { receiver } => self.event_cursor(ctx, receiver),
            Command::EventsTaken { receiver, number } => self.events_taken(receiver, number),
            _ => Err(Reject::Forbidden.into()),
        }
    }

    /// Does what is ready: looks at open work, fires deadlines, lets pushes leave, and writes
    /// cursors when it is time. Call it after the inputs at hand, and when [`Node::wait_until`]
    /// has come. Answers whether more is ready; the caller takes the turn and calls again after
    /// looking for new inputs, so that one large group never keeps others waiting.
    ///
    /// Without `has_room` what can wait does: members of large groups are not woken, gathered rows
    /// not written. A caller says so while what they came to before is still on its way, because
    /// everybody's answers queue behind it.
    ///
    /// # Errors
    /// [`Missing`]: the caller loads the rows and calls again.
    pub fn settle(
        &mut self,
        rows: &dyn Rows,
        now: Now,
        random: &[u8; 16],
        has_room: bool,
    ) -> Result<bool, Missing> {
        self.clock = now.mono;
        self.seeing_pending(rows, |node, rows| {
            let ctx = Ctx { rows, now, random };
            if has_room {
                node.work_off(ctx)?;
                node.pass_notes(ctx)?;
            }
            node.end_mutes(ctx);
            node.fire_deadlines(ctx)?;
            node.fire_withdrawals(ctx);
            node.tell_presence(ctx)?;
            let more = node.let_pushes_leave(ctx)?;
            let goes_on = has_room && (node.flush(ctx) || node.is_ready());
            Ok(more || goes_on)
        })
    }

    /// Takes what the inputs since the last call came to.
    pub fn take_turn(&mut self) -> Turn {
        self.turn += 1;
        if self.recorder.write_events(&mut self.changes) {
            self.effects.push(Effect::Events);
        }
        self.pending.add(&mut self.changes.writes);
        let writes = self.pending.take();
        let needs_power = std::mem::take(&mut self.changes.needs_power);
        let is_held = needs_power && !Sabotage::AckBeforeFsync.is_on();
        let durability = if is_held { Durability::Power } else { Durability::Process };
        let commit = (!writes.is_empty()).then_some(Commit { writes, durability });
        if commit.is_some() {
            self.unsafe_turns.push_back((self.turn, self.began));
        }
        self.began = self.clock;
        self.recorder.end_turn(self.turn);
        let effects = std::mem::take(&mut self.effects);
        let takes_room = std::mem::take(&mut self.takes_room);
        let is_prompt = std::mem::take(&mut self.is_prompt);
        Turn { number: self.turn, commit, effects, takes_room, is_prompt }
    }

    /// When [`Node::settle`] has something to do again, if nothing comes in before; with the same
    /// room.
    #[must_use]
    pub fn wait_until(&self, has_room: bool) -> Option<Mono> {
        if has_room && self.is_ready() {
            return Some(Mono(0));
        }
        let deadline = self.timers.first().filter(|_| !self.waits_for_safe);
        let deadline = deadline.map(|(at, ..)| (*at).max(self.shifted_until));
        let withdrawal = self.withdraw_timers.first().map(|(at, ..)| *at);
        let flush = self.flush.at().filter(|_| has_room);
        let others =
            [self.mute_ends.at(), self.queue.wait_until(), flush, self.presence.wait_until()];
        [deadline, withdrawal].into_iter().chain(others).flatten().min()
    }

    /// Whether the caller must come back as soon as it can say [`Input::Safe`]: deadlines wait for
    /// the disk.
    #[must_use]
    pub fn waits_for_safe(&self) -> bool {
        self.waits_for_safe
    }

    /// Whether something waits that only needs its turn.
    fn is_ready(&self) -> bool {
        !self.ready.is_empty() || !self.notes.is_empty()
    }

    /// Counters since the node was opened.
    #[must_use]
    pub fn stats(&self) -> NodeStats {
        self.stats
    }

    /// How much is in memory: `(conversations, users, open work, debts waiting to leave)`.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize, usize, usize) {
        (self.conversations.len(), self.users.len(), self.work.len(), self.queue.len())
    }

    /// How the credentials in use fare, and each host of those whose tokens are addresses.
    #[must_use]
    pub fn routes(&self) -> Vec<RouteState> {
        self.queue.routes().collect()
    }

    /// What is gathered is written by the next calls of [`Node::settle`], whatever the time.
    pub fn flush_next(&mut self) {
        self.flush.hurry();
    }

    pub(crate) fn notice(&mut self, conn: ConnId, notice: nightjar_model::Notice) {
        self.effects.push(Effect::Notice { conn, notice });
    }

    /// Where a member's sight begins, and what they read.
    pub(crate) fn joined_and_read(&self, uid: &Uid, id: &ConversationId) -> (Seq, Seq) {
        self.users
            .get(uid)
            .and_then(|user| user.place(id))
            .map_or((0, 0), |place| (place.row.joined, place.row.read))
    }
}
