//! Where devices can be pushed.

use nightjar_domain::{Changes, Device, Row, Stop, read};
use nightjar_model::sabotage::Sabotage;
use nightjar_model::{Binding, BindingKey, DeviceId, Reject, Reply, Uid, limits};
use nightjar_push::{PushKey, PushLane};

use crate::node::{Ctx, Node};

impl Node {
    /// Gives a device a binding. The token is its alone from then on.
    pub(crate) fn bind(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        device_id: &DeviceId,
        mut binding: Binding,
    ) -> Result<Reply, Stop> {
        if !self.credentials.contains_key(&binding.key) {
            return Err(Reject::UnknownCredential.into());
        }
        if binding.token.expose().is_empty() {
            return Err(Reject::BadRequest.into());
        }
        if binding.token.expose().len() > limits::PUSH_TOKEN_BYTES_MAX {
            return Err(Reject::TooLarge.into());
        }
        binding.bound_at = ctx.now.wall;
        let BindingKey { provider, credential } = &binding.key;
        let former = read::token(ctx.rows, provider, credential, &binding.token)?
            .filter(|row| row.uid != *uid || row.device_id != *device_id);
        if let Some(former) = &former {
            self.with_user(ctx, &former.uid)?;
        }
        self.with_user(ctx, uid)?;
        if let Some(former) = former.filter(|_| !Sabotage::TokenNotMoved.is_on()) {
            self.take_token(&former.uid, &former.device_id, &binding);
        }
        let user = self.users.get_mut(uid).expect("it was loaded above");
        if !user.devices.contains_key(device_id) {
            let device = Device::fresh(uid, device_id, None, ctx.now.wall);
            user.add_device(device, &mut self.changes);
        }
        self.welcome_back(ctx, uid, device_id);
        let user = self.users.get_mut(uid).expect("it was loaded above");
        let device = user.devices.get_mut(device_id).ok_or(Reject::LimitReached)?;
        let row = device.row.clone();
        let gone = device.bind(binding.clone());
        self.changes.put(Row::Device(row));
        for old in &gone {
            user.forget_binding(device_id, old, &mut self.changes);
        }
        user.write_binding(device_id, &binding, &mut self.changes);
        self.changes.needs_power = true;
        Ok(Reply::Done)
    }

    /// The token moves: its former device loses the binding, and what was on its way there is
    /// called back.
    fn take_token(&mut self, uid: &Uid, device_id: &DeviceId, binding: &Binding) {
        self.call_back(uid, device_id);
        let Some(user) = self.users.get_mut(uid) else { return };
        let Some(device) = user.devices.get_mut(device_id) else { return };
        let is_same =
            device.bindings.iter().any(|b| b.key == binding.key && b.token == binding.token);
        if is_same {
            device.unbind(&binding.key);
            user.forget_binding(device_id, binding, &mut self.changes);
        }
        // What the device is owed is decided anew, without the token.
        self.queue_debts(uid, device_id);
        self.recorder.token_moved(uid, device_id, &binding.key);
    }

    /// Removes one binding, or all.
    pub(crate) fn unbind(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        device_id: &DeviceId,
        key: Option<&BindingKey>,
    ) -> Result<Reply, Stop> {
        let user = self.with_user(ctx, uid)?;
        let device = user.devices.get_mut(device_id).ok_or(Reject::UnknownDevice)?;
        let gone = match key {
            Some(key) => device.unbind(key),
            None => std::mem::take(&mut device.bindings),
        };
        let mut changes = Changes::default();
        for binding in &gone {
            user.forget_binding(device_id, binding, &mut changes);
        }
        self.changes.writes.extend(changes.writes);
        self.changes.needs_power = true;
        self.queue.unbound(uid, device_id);
        if !gone.is_empty() {
            self.call_back(uid, device_id);
            self.queue_debts(uid, device_id);
        }
        Ok(Reply::Done)
    }

    /// Puts what a device is owed back into the queue after it was called back.
    pub(crate) fn queue_debts(&mut self, uid: &Uid, device_id: &DeviceId) {
        let device = self.users.get(uid).and_then(|user| user.devices.get(device_id));
        let Some(device) = device else { return };
        for id in device.debts() {
            let lane = PushLane::Conversation(id.clone());
            let key = PushKey { uid: uid.clone(), device_id: device_id.clone(), lane };
            self.queue.due(key, device.urgency(id));
        }
        self.withdraw_by_push(uid, device_id);
    }
}
