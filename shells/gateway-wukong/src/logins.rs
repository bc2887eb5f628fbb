//! Who is in, by user and kind of device, and who has to go.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use nightjar_model::{ConnId, DeviceId, Uid};
use tokio::sync::{Notify, oneshot};

/// One connection that is in.
struct Login {
    conn: ConnId,
    device_id: DeviceId,
    /// Tells it that it is logged out, and what its user reads.
    log_out: oneshot::Sender<&'static str>,
}

/// Comings and goings that wait to be told; the oldest leave first.
const CHANGES_MAX: usize = 10_000;

#[derive(Default)]
struct State {
    users: BTreeMap<Uid, Vec<(u8, Login)>>,
    /// `uid-deviceFlag-online-connId-deviceOnlineCount-totalOnlineCount`; `None` when nobody wants
    /// to know.
    changes: Option<VecDeque<String>>,
}

impl State {
    /// Remembers that a connection came or went.
    fn changed(&mut self, uid: &Uid, flag: u8, conn: ConnId, online: u8) {
        let logins = self.users.get(uid).map_or(&[][..], Vec::as_slice);
        let of_kind = logins.iter().filter(|(of, _)| *of == flag).count();
        let all = logins.len();
        let Some(changes) = &mut self.changes else { return };
        if changes.len() >= CHANGES_MAX {
            changes.pop_front();
        }
        changes.push_back(format!("{uid}-{flag}-{online}-{}-{of_kind}-{all}", conn.0));
    }
}

/// All connections that are in.
#[derive(Clone, Default)]
pub(crate) struct Logins {
    state: Arc<Mutex<State>>,
    news: Arc<Notify>,
}

/// A connection's place among them, for as long as it lives.
pub(crate) struct Place {
    logins: Logins,
    uid: Uid,
    flag: u8,
    conn: ConnId,
    /// Resolves when it is logged out.
    pub(crate) logged_out: oneshot::Receiver<&'static str>,
}

impl Logins {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock can panic")
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
        let mut state = self.lock();
        state.users.entry(uid.clone()).or_default().push((device_flag, login));
        state.changed(uid, device_flag, conn, 1);
        drop(state);
        self.news.notify_one();
        Place { logins: self.clone(), uid: uid.clone(), flag: device_flag, conn, logged_out }
    }

    /// Ends the user's connections for which `whom` is true of kind and device.
    pub(crate) fn log_out(
        &self,
        uid: &Uid,
        text: &'static str,
        whom: impl Fn(u8, &DeviceId) -> bool,
    ) {
        let mut state = self.lock();
        let logins = state.users.get_mut(uid).map(std::mem::take).unwrap_or_default();
        let (go, stay): (Vec<_>, Vec<_>) =
            logins.into_iter().partition(|(flag, login)| whom(*flag, &login.device_id));
        if !stay.is_empty() {
            state.users.insert(uid.clone(), stay);
        }
        for (flag, login) in go {
            state.changed(uid, flag, login.conn, 0);
            // A connection that just ended needs no telling.
            let _ = login.log_out.send(text);
        }
        drop(state);
        self.news.notify_one();
    }

    /// From now on comings and goings are remembered until they are taken.
    pub(crate) fn tell_changes(&self) {
        self.lock().changes.get_or_insert_default();
    }

    /// The oldest changes that were not taken.
    pub(crate) fn take_changes(&self, limit: usize) -> Vec<String> {
        let mut state = self.lock();
        let Some(changes) = &mut state.changes else { return Vec::new() };
        let count = changes.len().min(limit);
        changes.drain(..count).collect()
    }

    /// Waits for a change.
    pub(crate) async fn changed(&self) {
        self.news.notified().await;
    }

    /// The user's devices that are in, of one kind or of all.
    pub(crate) fn devices(&self, uid: &Uid, device_flag: Option<u8>) -> BTreeSet<DeviceId> {
        let state = self.lock();
        let logins = state.users.get(uid).into_iter().flatten();
        let of_kind = logins.filter(|(flag, _)| device_flag.is_none_or(|wanted| *flag == wanted));
        of_kind.map(|(_, login)| login.device_id.clone()).collect()
    }

    /// The kinds of the user's connections, one a connection.
    pub(crate) fn of(&self, uid: &Uid) -> Vec<u8> {
        let state = self.lock();
        let logins = state.users.get(uid).map_or(&[][..], Vec::as_slice);
        logins.iter().map(|(flag, _)| *flag).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.logins.lock();
        let Some(logins) = state.users.get_mut(&self.uid) else { return };
        let before = logins.len();
        logins.retain(|(_, login)| login.conn != self.conn);
        let was_in = logins.len() < before;
        if logins.is_empty() {
            state.users.remove(&self.uid);
        }
        if was_in {
            state.changed(&self.uid, self.flag, self.conn, 0);
        }
        drop(state);
        self.logins.news.notify_one();
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
        logins.tell_changes();
        let mut one = logins.joined(&uid, 1, &device("one"), ConnId(1), false);
        let two = logins.joined(&uid, 1, &device("two"), ConnId(2), false);
        assert!(one.logged_out.try_recv().is_err());
        drop((one, two));
        let told = ["u1-1-1-1-1-1", "u1-1-1-2-2-2", "u1-1-0-1-1-1", "u1-1-0-2-0-0"];
        assert_eq!(logins.take_changes(10), told);
        assert!(logins.lock().users.is_empty());
    }
}
