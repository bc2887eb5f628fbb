//! A device's connection: hello, app state, sign-out, the end.

use nightjar_domain::{Device, Link, Row, Stop, Told};
use nightjar_model::sabotage::Sabotage;
use nightjar_model::{
    AppStateReport, Backlog, ByeReason, ConnId, DeviceId, HelloCommand, HelloReply, Notice, Reject,
    Reply, Seq, Uid, Voice, WallMs,
};
use sha2::{Digest, Sha256};

use crate::node::{Ctx, Node};

/// Conversations named in the answer to a hello.
const BACKLOG_NAMED_MAX: usize = 500;

/// The device behind a connection.
pub(crate) struct Me {
    pub(crate) conn: ConnId,
    pub(crate) uid: Uid,
    pub(crate) device_id: DeviceId,
}

impl Node {
    /// A device logs in.
    pub(crate) fn hello(
        &mut self,
        ctx: Ctx<'_>,
        conn: ConnId,
        hello: HelloCommand,
    ) -> Result<Reply, Stop> {
        let HelloCommand { uid, device_id, platform, state, voice, resume, token_issued_at } =
            hello;
        self.with_user(ctx, &uid)?;
        let user = self.users.get_mut(&uid).expect("it was loaded above");
        let device_from = user.devices.get(&device_id).map(|device| device.row.tokens_valid_from);
        if token_issued_at < user.row.tokens_valid_from.max(device_from.unwrap_or(WallMs(0))) {
            return Err(Reject::TokenRevoked.into());
        }
        if !user.devices.contains_key(&device_id) {
            let device = Device::fresh(&uid, &device_id, Some(platform), ctx.now.wall);
            user.add_device(device, &mut self.changes);
        }
        self.replace_link(&uid, &device_id, conn);
        self.welcome_back(ctx, &uid, &device_id);
        let user = self.users.get_mut(&uid).ok_or(Reject::Internal)?;
        let settings = user.settings().clone();
        let device = user.devices.get_mut(&device_id).ok_or(Reject::LimitReached)?;
        let resumed = resume.is_some_and(|token| {
            !device.row.resume_hash.is_empty() && device.row.resume_hash == hash(&token)
        });
        let token = hex(ctx.random);
        if !resumed {
            device.row.session = hex(&hash(&token)[..8]);
        }
        device.row.resume_hash = hash(&token);
        device.row.platform = Some(platform);
        device.row.seen_at = ctx.now.wall;
        device.state_since = ctx.now.wall;
        device.row.push_if_unread_after_s = match voice {
            Voice::Telling => None,
            Voice::Receipts { push_if_unread_after_s, .. } => push_if_unread_after_s,
        };
        device.choose_unread_wait(&settings);
        let told = Told::from_report(&state, ctx.now.mono);
        device.link = Some(Link::new(conn, told, voice, ctx.now.mono));
        let session = device.row.session.clone();
        self.changes.put(Row::Device(device.row.clone()));
        self.conns.insert(conn, (uid.clone(), device_id.clone()));
        self.recorder.presence(&uid, &device_id, true, ctx.now.wall);
        let withdraw = self.owed_withdrawals(ctx, &uid, &device_id)?;
        self.rearm(ctx, &uid, &device_id)?;
        let backlog = self.backlog(&uid, &device_id);
        let user = self.users.get_mut(&uid).ok_or(Reject::Internal)?;
        let (unread, bv) = user.badge(&mut self.changes);
        Ok(Reply::Hello(Box::new(HelloReply {
            uid,
            session,
            resume: token,
            resumed,
            unread,
            bv,
            backlog,
            withdraw,
        })))
    }

    /// The same device on another connection: the older one ends.
    fn replace_link(&mut self, uid: &Uid, device_id: &DeviceId, conn: ConnId) {
        let device = self.users.get(uid).and_then(|user| user.devices.get(device_id));
        let Some(old) = device.and_then(|device| device.link.as_ref()).map(|link| link.conn) else {
            return;
        };
        if old != conn {
            self.forget_conn(old);
            self.notice(old, Notice::Bye { reason: ByeReason::Replaced, text: None });
        }
    }

    /// A device that was signed out is owed nothing of that time.
    pub(crate) fn welcome_back(&mut self, ctx: Ctx<'_>, uid: &Uid, device_id: &DeviceId) {
        let Some(user) = self.users.get_mut(uid) else { return };
        let ids: Vec<_> = user.places().map(|place| place.row.conversation.clone()).collect();
        let Some(device) = user.devices.get_mut(device_id) else { return };
        if !std::mem::take(&mut device.row.signed_out) {
            return;
        }
        for id in ids {
            self.settle_all(ctx, uid, device_id, &id);
        }
        // In the commit that signs it in, so that no crash leaves one without the other.
        if let Some(user) = self.users.get_mut(uid) {
            for row in user.take_dirty_cursors() {
                self.changes.put(Row::Cursor(row));
            }
        }
    }

    /// What the device has not stored, and what it may still say that it showed: what
    /// nobody saw yet, and where it may be showing notifications. The newest activity first.
    fn backlog(&self, uid: &Uid, device_id: &DeviceId) -> Vec<Backlog> {
        let Some(user) = self.users.get(uid) else { return Vec::new() };
        let Some(device) = user.devices.get(device_id) else { return Vec::new() };
        let mut open: Vec<(u64, Backlog)> = user
            .places()
            .filter_map(|place| {
                let id = &place.row.conversation;
                let (cursor, head) = (device.cursor(id, place.row.joined), place.head());
                let (stored, surfaced) = (cursor.stored, cursor.surfaced);
                let seen = surfaced.max(place.row.read);
                let may_show = !cursor.showing.is_empty() || cursor.showing_shared;
                (stored < head || seen < head || may_show).then(|| {
                    (place.version(), Backlog { conversation: id.clone(), stored, surfaced, head })
                })
            })
            .collect();
        open.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
        open.truncate(BACKLOG_NAMED_MAX);
        open.into_iter().map(|(_, backlog)| backlog).collect()
    }

    /// The app of a connected device went to the foreground or background.
    pub(crate) fn app_state(
        &mut self,
        ctx: Ctx<'_>,
        me: &Me,
        report: &AppStateReport,
    ) -> Result<Reply, Stop> {
        let user = self.users.get_mut(&me.uid).ok_or(Reject::Internal)?;
        let device = user.devices.get_mut(&me.device_id).ok_or(Reject::UnknownDevice)?;
        if let Some(link) = &mut device.link {
            let told = Told::from_report(report, ctx.now.mono);
            let was_foreground = matches!(link.told, Told::Foreground(_));
            let is_foreground = matches!(told, Told::Foreground(_));
            if was_foreground != is_foreground {
                link.since = ctx.now.mono;
                device.state_since = ctx.now.wall;
            }
            link.told = told;
        }
        self.rearm(ctx, &me.uid, &me.device_id)?;
        Ok(Reply::Done)
    }

    /// The app state, told by the app's back end. A device without a connection stays offline.
    pub(crate) fn reported_app_state(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        device_id: &DeviceId,
        report: &AppStateReport,
    ) -> Result<Reply, Stop> {
        let user = self.with_user(ctx, uid)?;
        let device = user.devices.get(device_id).ok_or(Reject::UnknownDevice)?;
        let Some(conn) = device.link.as_ref().map(|link| link.conn) else {
            return Ok(Reply::Done);
        };
        let me = Me { conn, uid: uid.clone(), device_id: device_id.clone() };
        self.app_state(ctx, &me, report)
    }

    /// A frame came from a device that was inferred unresponsive, or that says no more than that
    /// it received something.
    pub(crate) fn heard(&mut self, ctx: Ctx<'_>, me: &Me) -> Result<Reply, Stop> {
        let user = self.users.get_mut(&me.uid).ok_or(Reject::Internal)?;
        let device = user.devices.get_mut(&me.device_id).ok_or(Reject::UnknownDevice)?;
        if let Some(link) = &mut device.link {
            let was = link.app_state();
            link.heard(ctx.now.mono);
            if link.app_state() != was {
                device.state_since = ctx.now.wall;
            }
        }
        self.rearm(ctx, &me.uid, &me.device_id)?;
        Ok(Reply::Done)
    }

    /// The connection is gone: what the device is owed falls due.
    pub(crate) fn lost(&mut self, ctx: Ctx<'_>, me: &Me) -> Result<Reply, Stop> {
        self.forget_conn(me.conn);
        let user = self.users.get_mut(&me.uid).ok_or(Reject::Internal)?;
        let Some(device) = user.devices.get_mut(&me.device_id) else { return Ok(Reply::Done) };
        if device.link.as_ref().is_some_and(|link| link.conn == me.conn) {
            device.link = None;
            device.state_since = ctx.now.wall;
            self.recorder.presence(&me.uid, &me.device_id, false, ctx.now.wall);
            self.rearm(ctx, &me.uid, &me.device_id)?;
            self.withdraw_by_push(&me.uid, &me.device_id);
        }
        Ok(Reply::Done)
    }

    /// The device signs out. With `unbind` it is owed nothing from now on.
    pub(crate) fn logout(&mut self, ctx: Ctx<'_>, me: &Me, unbind: bool) -> Result<Reply, Stop> {
        self.forget_conn(me.conn);
        if unbind && !Sabotage::UnbindForgotten.is_on() {
            self.sign_out(ctx, &me.uid, &me.device_id, None);
        }
        self.changes.needs_power = true;
        let user = self.users.get_mut(&me.uid).ok_or(Reject::Internal)?;
        let device = user.devices.get_mut(&me.device_id).ok_or(Reject::UnknownDevice)?;
        device.link = None;
        device.state_since = ctx.now.wall;
        device.row.resume_hash = Vec::new();
        self.changes.put(Row::Device(device.row.clone()));
        self.recorder.presence(&me.uid, &me.device_id, false, ctx.now.wall);
        self.rearm(ctx, &me.uid, &me.device_id)?;
        Ok(Reply::Done)
    }

    /// Ends the session of a device for good.
    pub(crate) fn kick(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        device_id: &DeviceId,
        reason: String,
    ) -> Result<Reply, Stop> {
        let user = self.with_user(ctx, uid)?;
        let device = user.devices.get_mut(device_id).ok_or(Reject::UnknownDevice)?;
        let conn = device.link.take().map(|link| link.conn);
        device.state_since = ctx.now.wall;
        // A token of this very millisecond may have been issued before.
        self.sign_out(ctx, uid, device_id, Some(ctx.now.wall.after(1)));
        self.recorder.kicked(uid, device_id, &reason, ctx.now.wall);
        if let Some(conn) = conn.filter(|_| !Sabotage::KickKeepsSession.is_on()) {
            self.forget_conn(conn);
            self.notice(conn, Notice::Bye { reason: ByeReason::Kicked, text: Some(reason) });
        }
        Ok(Reply::Done)
    }

    /// A user left a group: their place ends with the entry that says so.
    pub(crate) fn leave(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        id: &nightjar_model::ConversationId,
        entry: &nightjar_model::Entry,
    ) -> Result<(), Stop> {
        self.with_user(ctx, uid)?;
        let user = self.users.get_mut(uid).expect("it was loaded above");
        if user.place(id).is_some() {
            user.apply(entry, None);
            user.enter(ctx.rows, &self.conversations[id], &mut self.changes)?;
        }
        let devices: Vec<DeviceId> = user.devices.keys().cloned().collect();
        for device_id in devices {
            self.settle_all(ctx, uid, &device_id, id);
        }
        Ok(())
    }

    /// Removes the bindings, forgives the debts and calls back what is at the providers.
    fn sign_out(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        device_id: &DeviceId,
        tokens_from: Option<WallMs>,
    ) {
        self.changes.needs_power = true;
        self.call_back(uid, device_id);
        self.queue.unbound(uid, device_id);
        let Some(user) = self.users.get_mut(uid) else { return };
        let Some(device) = user.devices.get_mut(device_id) else { return };
        let bindings = std::mem::take(&mut device.bindings);
        let owed: Vec<_> = device.debts().cloned().collect();
        device.forgive();
        device.withdrawing.clear();
        device.row.signed_out = true;
        device.row.resume_hash = Vec::new();
        if let Some(from) = tokens_from {
            device.row.tokens_valid_from = from;
        }
        self.changes.put(Row::Device(device.row.clone()));
        for binding in &bindings {
            user.forget_binding(device_id, binding, &mut self.changes);
        }
        for id in owed {
            self.settle_all(ctx, uid, device_id, &id);
        }
    }

    /// Nothing in the conversation is owed to the device any more.
    fn settle_all(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        device_id: &DeviceId,
        id: &nightjar_model::ConversationId,
    ) {
        let Some(user) = self.users.get_mut(uid) else { return };
        let (joined, head): (Seq, Seq) =
            user.place(id).map_or((0, 0), |place| (place.row.joined, place.head()));
        if let Some(device) = user.devices.get_mut(device_id) {
            device.change_cursor(id, joined, |row| {
                let moved = row.settled < head;
                row.settled = row.settled.max(head);
                moved
            });
            device.close(id, head);
        }
        self.touched(ctx.now, uid, id);
    }
}

/// SHA-256: resume tokens are random, so a plain hash hides them.
fn hash(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
