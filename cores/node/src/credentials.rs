//! Provider keys as the lanes see them: which there are, and which are on.

use std::collections::BTreeMap;

use nightjar_domain::{Key, Missing, Row, Rows, Scan, Stop};
use nightjar_model::{BindingKey, Credential, DeviceId, Reject, Reply, TestTarget, Uid, limits};
use nightjar_push::SilentReason;

use crate::NodeConfig;
use crate::node::{Ctx, Node};

/// Every credential, and whether it is on.
pub(crate) type Credentials = BTreeMap<BindingKey, bool>;

/// Those of the configuration and those an operator made, as they were left.
pub(crate) fn open(config: &NodeConfig, rows: &dyn Rows) -> Result<Credentials, Missing> {
    let mut all: Credentials = config.credentials.iter().map(|key| (key.clone(), true)).collect();
    for row in stored(rows)? {
        // What the file holds by now stands above what an operator made under its name.
        if row.options.is_none() == config.credentials.contains(&row.key) {
            all.insert(row.key, row.enabled);
        }
    }
    Ok(all)
}

fn stored(rows: &dyn Rows) -> Result<Vec<Credential>, Missing> {
    let rows = rows.scan(&Scan::Credentials)?.into_iter();
    Ok(rows
        .filter_map(|row| match row {
            Row::Credential(row) => Some(row),
            _ => None,
        })
        .collect())
}

impl Node {
    /// Whether pushes may go through a credential.
    pub(crate) fn is_open(&self, key: &BindingKey) -> bool {
        self.credentials.get(key).copied().unwrap_or(self.config.fallback.as_ref() == Some(key))
    }

    /// Why a device that has bindings cannot be pushed through some of them; one that is off says
    /// more than one that is gone.
    pub(crate) fn barred(&self, uid: &Uid, device_id: &DeviceId) -> Option<SilentReason> {
        let device = self.users.get(uid).and_then(|user| user.devices.get(device_id))?;
        let why =
            device.bindings.iter().filter_map(|binding| match self.credentials.get(&binding.key) {
                Some(true) => None,
                Some(false) => Some(SilentReason::CredentialDisabled),
                None => Some(SilentReason::UnknownCredential),
            });
        why.min()
    }

    /// What an operator made or turned off, keys included.
    pub(crate) fn credentials(&self, ctx: Ctx<'_>) -> Result<Reply, Stop> {
        Ok(Reply::Credentials(stored(ctx.rows)?))
    }

    /// Makes a credential, replaces its options, or turns one on or off. The caller has opened the
    /// options with the provider.
    pub(crate) fn put_credential(
        &mut self,
        ctx: Ctx<'_>,
        mut credential: Credential,
    ) -> Result<Reply, Stop> {
        let is_configured = self.config.credentials.contains(&credential.key);
        match &credential.options {
            Some(_) if is_configured => return Err(Reject::Exists.into()),
            None if !is_configured => return Err(Reject::UnknownCredential.into()),
            _ => {}
        }
        let is_new = !self.credentials.contains_key(&credential.key);
        if is_new && stored(ctx.rows)?.len() >= limits::CREDENTIALS_MAX {
            return Err(Reject::LimitReached.into());
        }
        credential.changed_at = ctx.now.wall;
        self.queue.credential_changed(&credential.key);
        self.credentials.insert(credential.key.clone(), credential.enabled);
        self.changes.put(Row::Credential(credential));
        self.changes.needs_power = true;
        Ok(Reply::Done)
    }

    /// Removes one an operator made. Bindings to it stay, and are silent.
    pub(crate) fn delete_credential(&mut self, key: BindingKey) -> Result<Reply, Stop> {
        if self.config.credentials.contains(&key) {
            return Err(Reject::Exists.into());
        }
        if self.credentials.remove(&key).is_none() {
            return Err(Reject::UnknownCredential.into());
        }
        self.queue.credential_changed(&key);
        self.changes.delete(Key::Credential(key.provider, key.credential));
        self.changes.needs_power = true;
        Ok(Reply::Done)
    }

    /// Where a test push of a credential goes: the user's device that is bound to it and said
    /// hello last, or the one that is named. One that is off can be tried, too.
    pub(crate) fn test_target(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        (device_id, key): (Option<&DeviceId>, &BindingKey),
    ) -> Result<Reply, Stop> {
        self.with_user(ctx, uid)?;
        let devices = self.users[uid].devices.values();
        let mut candidates: Vec<_> = devices
            .filter(|device| device_id.is_none_or(|id| *id == device.row.device_id))
            .map(|device| (device.row.seen_at, device.row.device_id.clone()))
            .collect();
        candidates.sort();
        for (_, device_id) in candidates.into_iter().rev() {
            let bindings = self.own_bindings(ctx, uid, &device_id)?;
            let Some(binding) = bindings.into_iter().find(|b| b.key == *key) else { continue };
            let user = self.users.get_mut(uid).expect("it was loaded above");
            let (unread, bv) = user.badge(&mut self.changes);
            let target = TestTarget { device_id, binding, unread, bv };
            return Ok(Reply::TestTarget(Box::new(target)));
        }
        Err(Reject::UnknownDevice.into())
    }
}
