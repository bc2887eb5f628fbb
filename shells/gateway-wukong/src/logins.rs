//! Who is in, by user and kind of device, and who has to go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use nightjar_model::{ConnId, DeviceId, Uid};
use tokio::sync::oneshot;

/// One connection that is in.
struct Login {
    conn: ConnId,
    device_id: DeviceId,
    /// Tells it that it is logged out, and what its user reads.
    log_out: oneshot::Sender<&'static str>,
}

type ByUser = BTreeMap<Uid, Vec<(u8, Login)>>;

/// All connections that are in.
#[derive(Clone, Default)]
pub(crate) struct Logins(Arc<Mutex<ByUser>>);

/// A connection's place among them, for as long as it lives.
pub(crate) struct Place {
    logins: Logins,
    uid: Uid,
    conn: ConnId,
    /// Resolves when it is logged out.
    pub(crate) logged_out: oneshot::Receiver<&'static str>,
}

impl Logins {
    fn lock(&self) -> MutexGuard<'_, ByUser> {
        self.0.lock().expect("no holder of this lock can panic")
    }

    /// A device is in. A master is alone among those of its kind: the others are told and go. (The
    /// same device on an older connection is ended by the lanes.)
    pub(crate) fn joined(
        &self,
        uid: &Uid,
        device_flag: u8,
        device_id: &DeviceId,
        conn: ConnId,
        is_master: bool,
    ) -> Place {
        if is_master {
            self.log_out(uid, "login in other device", |flag, other| {
                flag == device_flag && other != device_id
            });
        }
        let (log_out, logged_out) = oneshot::channel();
        let login = Login { conn, device_id: device_id.clone(), log_out };
        self.lock().entry(uid.clone()).or_default().push((device_flag, login));
        Place { logins: self.clone(), uid: uid.clone(), conn, logged_out }
    }

    /// Ends the user's connections for which `whom` is true of kind and device.
    pub(crate) fn log_out(
        &self,
        uid: &Uid,
        text: &'static str,
        whom: impl Fn(u8, &DeviceId) -> bool,
    ) {
        let mut users = self.lock();
        let Some(logins) = users.get_mut(uid) else { return };
        let all = std::mem::take(logins);
        let (go, stay) = all.into_iter().partition(|(flag, login)| whom(*flag, &login.device_id));
        *logins = stay;
        let go: Vec<(u8, Login)> = go;
        for (_, login) in go {
            // A connection that just ended needs no telling.
            let _ = login.log_out.send(text);
        }
    }

    /// The user's devices that are in, of one kind or of all.
    pub(crate) fn devices(&self, uid: &Uid, device_flag: Option<u8>) -> BTreeSet<DeviceId> {
        let users = self.lock();
        let logins = users.get(uid).into_iter().flatten();
        let of_kind = logins.filter(|(flag, _)| device_flag.is_none_or(|wanted| *flag == wanted));
        of_kind.map(|(_, login)| login.device_id.clone()).collect()
    }

    /// The kinds of the user's connections, one a connection.
    pub(crate) fn of(&self, uid: &Uid) -> Vec<u8> {
        let users = self.lock();
        users
            .get(uid)
            .map(|logins| logins.iter().map(|(flag, _)| *flag).collect())
            .unwrap_or_default()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut users = self.logins.lock();
        if let Some(logins) = users.get_mut(&self.uid) {
            logins.retain(|(_, login)| login.conn != self.conn);
            if logins.is_empty() {
                users.remove(&self.uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logins() -> (Logins, Uid, impl Fn(&str) -> DeviceId) {
        let device = |id: &str| DeviceId::parse(id).unwrap();
        (Logins::default(), Uid::parse("u1").unwrap(), device)
    }

    #[test]
    fn a_master_is_alone_among_its_kind() {
        let (logins, uid, device) = logins();
        let mut phone = logins.joined(&uid, 0, &device("phone"), ConnId(1), true);
        let mut browser = logins.joined(&uid, 1, &device("browser"), ConnId(2), true);
        let mut other = logins.joined(&uid, 0, &device("other"), ConnId(3), true);
        assert_eq!(phone.logged_out.try_recv(), Ok("login in other device"));
        assert!(browser.logged_out.try_recv().is_err());
        assert!(other.logged_out.try_recv().is_err());
        assert_eq!(logins.of(&uid), [1, 0]);
    }

    #[test]
    fn slaves_live_side_by_side_and_leave_no_trace() {
        let (logins, uid, device) = logins();
        let mut one = logins.joined(&uid, 1, &device("one"), ConnId(1), false);
        let two = logins.joined(&uid, 1, &device("two"), ConnId(2), false);
        assert!(one.logged_out.try_recv().is_err());
        drop((one, two));
        assert!(logins.lock().is_empty());
    }
}
