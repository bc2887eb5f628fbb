//! Accepting: one small commit a message, whatever the size of the group.

use std::collections::BTreeSet;

use nightjar_domain::{Accepted, Conversation, Draft, Stop, read};
use nightjar_model::sabotage::Sabotage;
use nightjar_model::{
    ConnId, ConversationId, Entry, GroupCreated, GroupId, Lane, Mentions, Notice, PushSpec, Reject,
    Reply, SendCommand, SentReply, Seq, Target, Uid, limits,
};

use crate::node::{Ctx, Node};
use crate::work::OpenWork;

/// Direct conversations and small groups are looked at in the turn that accepts the message.
const LANES_AT_ONCE_MAX: usize = 4;

impl Node {
    /// Writes a message. `conn` is the connection that sent it, which gets no delivery of it.
    pub(crate) fn send(
        &mut self,
        ctx: Ctx<'_>,
        from: &Uid,
        send: SendCommand,
        conn: Option<ConnId>,
    ) -> Result<Reply, Stop> {
        if send.content.len() > limits::CONTENT_BYTES_MAX {
            return Err(Reject::TooLarge.into());
        }
        if is_reserved(&send.content) {
            return Err(Reject::BadRequest.into());
        }
        if let Some(first) = self.first_answer(ctx, from, &send)? {
            return Ok(Reply::Sent(first));
        }
        self.check_asked(ctx, send.push.as_deref())?;
        let id = conversation_of(from, &send.to);
        self.check_not_blocked(ctx, from, &id)?;
        if !self.with_conversation(ctx, &id)? {
            return Err(Reject::UnknownGroup.into());
        }
        let draft = Draft {
            client_msg_id: send.client_msg_id,
            content: send.content,
            sealed: send.sealed,
            push: send.push,
            expires_at: send.expires_at,
        };
        let conversation = self.conversations.get_mut(&id).expect("it was loaded above");
        let accepted = conversation.accept(ctx.rows, from, draft, ctx.now, &ctx.id_bytes())?;
        self.stats.messages += 1;
        let entry = &accepted.entry;
        let reply = SentReply {
            message_id: entry.message_id,
            conversation: id.clone(),
            seq: entry.seq,
            at: entry.at,
            duplicate: false,
        };
        self.recorder.created(entry);
        self.publish(ctx, accepted, conn)?;
        Ok(Reply::Sent(reply))
    }

    fn first_answer(
        &self,
        ctx: Ctx<'_>,
        from: &Uid,
        send: &SendCommand,
    ) -> Result<Option<SentReply>, Stop> {
        if Sabotage::DedupForgotten.is_on() {
            return Ok(None);
        }
        let Some(row) = read::sent(ctx.rows, from, &send.client_msg_id)? else { return Ok(None) };
        if row.at.after(limits::IDEMPOTENCY_KEPT_MS) < ctx.now.wall {
            return Ok(None);
        }
        Ok(Some(SentReply {
            message_id: row.message_id,
            conversation: row.conversation,
            seq: row.seq,
            at: row.at,
            duplicate: true,
        }))
    }

    /// A template that does not exist would show something else than its sender means.
    pub(crate) fn check_asked(&self, ctx: Ctx<'_>, push: Option<&PushSpec>) -> Result<(), Stop> {
        match push.and_then(|push| push.template.as_ref()) {
            Some(template) if !self.has_template(ctx, &template.name)? => {
                Err(Reject::UnknownTemplate.into())
            }
            _ => Ok(()),
        }
    }

    /// Takes a message back.
    pub(crate) fn recall(
        &mut self,
        ctx: Ctx<'_>,
        by: &Uid,
        id: &ConversationId,
        seq: Seq,
        conn: Option<ConnId>,
    ) -> Result<Reply, Stop> {
        if !self.with_conversation(ctx, id)? {
            return Err(Reject::UnknownConversation.into());
        }
        let conversation = self.conversations.get_mut(id).expect("it was loaded above");
        let accepted = conversation.recall(ctx.rows, by, seq, ctx.now, &ctx.id_bytes())?;
        let place = accepted.entry.seq;
        self.publish(ctx, accepted, conn)?;
        Ok(Reply::Seq(place))
    }

    pub(crate) fn create_group(
        &mut self,
        ctx: Ctx<'_>,
        group: &GroupId,
        name: String,
        owner: &Uid,
        members: &[Uid],
    ) -> Result<Reply, Stop> {
        let id = ConversationId::group(group);
        if self.with_conversation(ctx, &id)? {
            return Err(Reject::Exists.into());
        }
        let (conversation, accepted) =
            Conversation::create_group(group, name, owner, members, ctx.now, &ctx.id_bytes())?;
        self.conversations.insert(id.clone(), conversation);
        self.publish(ctx, accepted, None)?;
        Ok(Reply::Group(GroupCreated { group: group.clone(), conversation: id }))
    }

    pub(crate) fn change_members(
        &mut self,
        ctx: Ctx<'_>,
        group: &GroupId,
        add: &[Uid],
        remove: &[Uid],
    ) -> Result<Reply, Stop> {
        let id = ConversationId::group(group);
        if !self.with_conversation(ctx, &id)? {
            return Err(Reject::UnknownGroup.into());
        }
        // Who leaves has counted everything up to the entry that says so.
        for uid in remove {
            self.look_at(ctx, Lane::of_user(uid), &id)?;
        }
        let conversation = self.conversations.get_mut(&id).expect("it was loaded above");
        let owner = conversation.row().owner.clone().ok_or(Reject::UnknownGroup)?;
        let (add, remove): (BTreeSet<Uid>, BTreeSet<Uid>) =
            (add.iter().cloned().collect(), remove.iter().cloned().collect());
        let accepted = conversation.change_members(
            ctx.rows,
            &owner,
            &add,
            &remove,
            ctx.now,
            &ctx.id_bytes(),
        )?;
        let entry = std::sync::Arc::clone(&accepted.entry);
        self.publish(ctx, accepted, None)?;
        for uid in &remove {
            self.leave(ctx, uid, &id, &entry)?;
        }
        Ok(Reply::Group(GroupCreated { group: group.clone(), conversation: id }))
    }

    /// Writes the rows of an accepted entry and the work rows of the lanes that have members.
    pub(crate) fn publish(
        &mut self,
        ctx: Ctx<'_>,
        accepted: Accepted,
        conn: Option<ConnId>,
    ) -> Result<(), Stop> {
        let entry = accepted.entry;
        let before = self.changes.writes.len();
        self.changes.writes.extend(accepted.writes);
        self.changes.needs_power = true;
        let conversation = &self.conversations[&entry.conversation];
        let lanes: Vec<(Lane, bool)> = conversation
            .lanes()
            .map(|lane| (lane, conversation.members_in(lane).any(|uid| *uid != entry.from)))
            .collect();
        let first = lanes_mentioned(&entry);
        let at_once = lanes.len() <= LANES_AT_ONCE_MAX;
        for (lane, has_others) in &lanes {
            let key = (*lane, entry.conversation.clone());
            let work = self.work.entry(key.clone()).or_insert_with(|| OpenWork::new(entry.seq));
            work.grow(entry.seq, conn);
            // A row that is there says from where on to look; the head says how far.
            if *has_others && !work.is_stored && !Sabotage::DebtNotWritten.is_on() {
                work.is_stored = true;
                self.changes.put(nightjar_domain::Row::Work(work.row(key.0, &key.1)));
            }
            if !at_once && !work.is_queued {
                work.is_queued = true;
                // Who is mentioned does not wait for everybody else.
                match first.contains(lane) {
                    true => self.ready.push_front(key),
                    false => self.ready.push_back(key),
                }
            }
        }
        self.stats.message_rows = (self.changes.writes.len() - before) as u64;
        self.recorder.accepted(&entry);
        if at_once {
            self.is_prompt = true;
            for (lane, _) in lanes {
                self.look_at(ctx, lane, &entry.conversation)?;
            }
        }
        Ok(())
    }

    /// Tells the other members that somebody types; nothing is stored.
    pub(crate) fn typing(
        &mut self,
        ctx: Ctx<'_>,
        me: &crate::device::Me,
        target: &Target,
    ) -> Result<Reply, Stop> {
        let id = conversation_of(&me.uid, target);
        if !self.with_conversation(ctx, &id)? {
            return Err(Reject::UnknownGroup.into());
        }
        let conversation = &self.conversations[&id];
        if !conversation.is_member(&me.uid) {
            return Err(Reject::NotMember.into());
        }
        let links: Vec<ConnId> = conversation
            .members()
            .filter(|uid| **uid != me.uid)
            .filter_map(|uid| self.users.get(uid))
            .filter(|user| !user.blocks(&me.uid))
            .flat_map(|user| user.devices.values())
            .filter(|device| device.is_live())
            .filter_map(|device| device.link.as_ref().map(|link| link.conn))
            .collect();
        for conn in links {
            let notice = Notice::Typing { conversation: id.clone(), from: me.uid.clone() };
            self.notice(conn, notice);
        }
        Ok(Reply::Done)
    }
}

/// Lanes of those whom the entry mentions one by one.
fn lanes_mentioned(entry: &Entry) -> BTreeSet<Lane> {
    match entry.push.as_deref().map(|push| &push.mentions) {
        Some(Mentions::Users(uids)) => uids.iter().map(Lane::of_user).collect(),
        _ => BTreeSet::new(),
    }
}

/// Content types of entries the server writes: a client that reads one believes it.
const RESERVED: [&str; 4] = ["recall", "members", "edit", "reaction"];

/// Whether people may not write this content.
fn is_reserved(content: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Known<'a> {
        #[serde(rename = "type", borrow)]
        kind: std::borrow::Cow<'a, str>,
    }
    // What has no type at all, or one that is no text, is not ours either.
    serde_json::from_slice::<Known<'_>>(content)
        .is_ok_and(|known| RESERVED.contains(&known.kind.as_ref()))
}

/// The conversation a message to this target belongs to.
pub(crate) fn conversation_of(from: &Uid, to: &Target) -> ConversationId {
    match to {
        Target::User(uid) => ConversationId::direct(from, uid),
        Target::Group(group) => ConversationId::group(group),
    }
}
