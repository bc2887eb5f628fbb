//! The facts a push is decided by, read in one step.

use std::sync::Arc;

use nightjar_domain::{Missing, Reach, Told, read};
use nightjar_model::sabotage::Sabotage;
use nightjar_model::{
    Binding, BindingKey, ConversationId, DeviceId, DevicePolicy, DueReason, Entry, Mono,
    PushSettings, PushTemplate, Secret, Seq, Uid, WallMs,
};
use nightjar_push::{Attempts, Elsewhere, PushCase, choose, is_on_request, locales, silenced_by};

use crate::node::{Ctx, Node};

impl Node {
    /// What holds of an entry and a device at this moment, as if the device had never been pushed
    /// in this conversation before.
    pub(crate) fn facts(
        &mut self,
        ctx: Ctx<'_>,
        (uid, device_id): (&Uid, &DeviceId),
        entry: &Arc<Entry>,
    ) -> Result<PushCase, Missing> {
        let (_, due) = self.due_reason(uid, device_id, ctx.now.mono);
        let filter = entry.push.as_deref().and_then(|push| push.filter.as_ref());
        let mut bindings = self.usable_bindings(ctx, uid, device_id)?;
        bindings.retain(|Binding { key: BindingKey { provider, credential }, .. }| {
            !is_on_request(provider) || filter.is_some_and(|f| f.names_credential(credential))
        });
        let had_one = !bindings.is_empty();
        if let Some(filter) = filter {
            bindings.retain(|binding| filter.takes_credential(&binding.key.credential));
        }
        let is_filtered = filter.is_some_and(|filter| !filter.takes_device(device_id))
            || had_one && bindings.is_empty();
        let sender = self.with_user(ctx, &entry.from)?;
        let sender_name = sender.settings().nickname.clone().or_else(|| sender.row.name.clone());
        let user = self.with_user(ctx, uid)?;
        let settings = Arc::clone(user.settings());
        let policy = self.policy.of(&settings);
        let template = template_of(ctx, entry, &settings, bindings.first())?;
        let conversation = &self.conversations[&entry.conversation];
        let user = &self.users[uid];
        let device = &user.devices[device_id];
        let barred = self.barred(uid, device_id);
        Ok(PushCase {
            barred,
            kind: conversation.row().kind,
            sender_name,
            group_name: conversation.row().name.clone(),
            uid: uid.clone(),
            device_id: device_id.clone(),
            app_state: device.app_state(),
            due,
            is_member: conversation.is_member(uid),
            blocked: user.blocks(&entry.from) || settings.blocked.contains(&entry.from),
            signed_out: device.row.signed_out,
            unread_wait_ms: device.unread_wait_ms,
            surfaced: false,
            read: false,
            is_filtered,
            is_primary: policy.devices != DevicePolicy::PrimaryOnly
                || self.is_primary(uid, device_id, &settings),
            elsewhere: self.elsewhere(ctx, (uid, device_id), &entry.conversation, entry.seq),
            held_until: None,
            settings,
            policy,
            template,
            choice: choose(&bindings, &Attempts::default(), ctx.now.mono, |_| None),
            bindings,
            unseen: 1,
            is_shared: None,
            badge: user.unread(),
            bv: 0,
            withdraw: Vec::new(),
            entry: Arc::clone(entry),
        })
    }

    /// What the user's other devices do about an entry; one that is not written yet is due on them
    /// as if it was written now.
    fn elsewhere(
        &self,
        ctx: Ctx<'_>,
        (uid, device_id): (&Uid, &DeviceId),
        id: &ConversationId,
        seq: Seq,
    ) -> Elsewhere {
        let (joined, _) = self.joined_and_read(uid, id);
        let others = self.users[uid].devices.values();
        let others = others.filter(|other| other.row.device_id != *device_id);
        let mut elsewhere = Elsewhere::default();
        for other in others.filter(|other| !other.row.signed_out) {
            elsewhere.surfaced |= other.cursor(id, joined).surfaced >= seq;
            let Some(link) = other.link.as_ref().filter(|link| link.reach == Reach::Live) else {
                continue;
            };
            elsewhere.is_active |= matches!(link.told, Told::Foreground(_));
            let deadlines = &self.config.deadlines;
            let due = other.due(id, deadlines);
            let (at, why) = due.unwrap_or_else(|| link.due(ctx.now.mono, deadlines));
            if at > ctx.now.mono && why != DueReason::Unread {
                let until = ctx.now.wall.after(at.since(ctx.now.mono));
                elsewhere.waits_until = elsewhere.waits_until.max(Some(until));
            }
        }
        elsewhere
    }

    /// Whether it is the one device that is pushed: the one the user named, else the one that said
    /// hello last among those that can be pushed.
    fn is_primary(&self, uid: &Uid, device_id: &DeviceId, settings: &PushSettings) -> bool {
        let devices = &self.users[uid].devices;
        let has_fallback = self.config.fallback.is_some();
        let can_be_pushed = |device: &nightjar_domain::Device| {
            let has_binding = device.bindings.iter().any(|binding| self.is_open(&binding.key));
            !device.row.signed_out && (has_fallback || has_binding)
        };
        let named = settings.primary_device.as_ref().and_then(|named| devices.get(named));
        let primary = named.filter(|device| can_be_pushed(device)).or_else(|| {
            let candidates = devices.values().filter(|device| can_be_pushed(device));
            candidates.max_by_key(|device| (device.row.seen_at, &device.row.device_id))
        });
        primary.is_none_or(|primary| primary.row.device_id == *device_id)
    }

    /// Where the device can be pushed now: its own bindings whose credential is there and on.
    pub(crate) fn usable_bindings(
        &self,
        ctx: Ctx<'_>,
        uid: &Uid,
        device_id: &DeviceId,
    ) -> Result<Vec<Binding>, Missing> {
        let mut usable = self.own_bindings(ctx, uid, device_id)?;
        usable.retain(|binding| self.is_open(&binding.key));
        Ok(usable)
    }

    /// Its bindings whose token nobody else bound since.
    pub(crate) fn own_bindings(
        &self,
        ctx: Ctx<'_>,
        uid: &Uid,
        device_id: &DeviceId,
    ) -> Result<Vec<Binding>, Missing> {
        let device = self.users.get(uid).and_then(|user| user.devices.get(device_id));
        let Some(device) = device else { return Ok(Vec::new()) };
        let mut usable = Vec::with_capacity(device.bindings.len());
        for binding in &device.bindings {
            let BindingKey { provider, credential } = &binding.key;
            let owner = read::token(ctx.rows, provider, credential, &binding.token)?;
            let is_ours = owner.is_none_or(|row| row.uid == *uid && row.device_id == *device_id);
            if is_ours || Sabotage::TokenNotMoved.is_on() {
                usable.push(binding.clone());
            }
        }
        if let (true, Some(key)) = (usable.is_empty(), &self.config.fallback) {
            usable.push(Binding {
                key: key.clone(),
                token: Secret::new(device_id.to_string()),
                locale: None,
                environment: None,
                bound_at: WallMs(0),
            });
        }
        Ok(usable)
    }

    /// When an entry of now falls due on the device, and why then.
    pub(crate) fn due_reason(
        &self,
        uid: &Uid,
        device_id: &DeviceId,
        now: Mono,
    ) -> (Mono, DueReason) {
        let device = self.users.get(uid).and_then(|user| user.devices.get(device_id));
        match device.and_then(|device| device.link.as_ref()) {
            Some(link) => link.due(now, &self.config.deadlines),
            None => (now, DueReason::Offline),
        }
    }

    /// Whether a person is to be told of an entry above what they read: nobody took it back, and
    /// they did not choose otherwise.
    pub(crate) fn is_news(&self, uid: &Uid, entry: &Entry, now: WallMs) -> bool {
        let Some(user) = self.users.get(uid) else { return false };
        entry.is_alertable()
            && entry.from != *uid
            && !user.blocks(&entry.from)
            && !user.settings().blocked.contains(&entry.from)
            && silenced_by(user.settings(), uid, entry, now).is_none()
    }
}

/// The template the message names, else the receiver's, in the receiver's language. A name that
/// is no template any more leaves the message as it is.
fn template_of(
    ctx: Ctx<'_>,
    entry: &Entry,
    settings: &PushSettings,
    binding: Option<&Binding>,
) -> Result<Option<PushTemplate>, Missing> {
    let own = entry.push.as_deref().and_then(|push| push.template.as_ref());
    let names = [own.map(|own| own.name.as_str()), settings.template.as_deref()];
    let bound = binding.and_then(|binding| binding.locale.as_deref());
    let wanted = settings.language.as_deref().or(bound);
    for name in names.into_iter().flatten() {
        for locale in locales(wanted) {
            let found = read::push_template(ctx.rows, name, locale.as_deref())?;
            if found.is_some() {
                return Ok(found);
            }
        }
    }
    Ok(None)
}
