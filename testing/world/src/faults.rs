//! What goes wrong, in which state of a client it did, and whose hours it filled.

use std::collections::{BTreeMap, BTreeSet};

use nightjar_client_core::State;

use crate::phone::{App, PhoneNo};
use crate::world::World;

const HOUR_MS: u64 = 3_600_000;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The server's process ends.
    Kill,
    /// The server's machine loses its power.
    Power,
    /// The same in the middle of a write: some commits of the batch made it, nobody was told.
    Torn,
    /// The server's disk has no room.
    Full,
    /// The server's disk fails once.
    Broken,
    /// The server's disk takes long.
    Slow,
    /// The server's process stands still.
    Stall,
    /// A new process finds the wall clock set back.
    Clock,
    /// No network, and the system says so.
    Offline,
    /// A connection swallows everything in both directions; nobody is told.
    HalfOpen,
    /// A NAT forgot the connection: the server is not told, the app when it next writes.
    Nat,
    /// Another network than before.
    Migration,
    /// What is on a connection waits.
    Hold,
    /// A packet is lost and sent again.
    Loss,
    /// What an old connection carries arrives after what the next one does.
    Reorder,
    /// The app's process is frozen with its sockets open.
    Freeze,
    /// The phone's kernel takes bytes that the app does not read.
    Buffer,
    /// The time in the background ends early.
    Grant,
    /// The system ends the app.
    Jetsam,
    /// The user ends the app: no push reaches it before it is opened again.
    ForceQuit,
    /// The phone starts anew; nothing on its disk can be read before it is unlocked.
    Reboot,
    /// The system takes the app's network away for a while and says nothing.
    Doze,
    /// The app's store cannot commit.
    Disk,
    /// One of two reports about the screen overtakes the other.
    Overtaken,
    /// The provider answers late.
    Late,
    /// The provider's answers get lost.
    Mute,
    /// Requests to the provider get lost.
    Deaf,
    /// The provider asks to come back later.
    Throttle,
    /// The provider fails.
    Fails,
    /// The provider says that the token is of its other environment.
    Environment,
    /// The provider does not know the token any more.
    Gone,
    /// A push comes twice.
    Twice,
    /// Pushes overtake each other.
    Disorder,
    /// Of the pushes for a phone without a network the newest is kept.
    Newest,
    /// A push wakes a process of its own beside the app.
    Worker,
}

/// What must be there for a fault to hit a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    App,
    /// A connection, or an attempt.
    Connection,
    /// A connection that is logged in.
    Login,
    /// Time granted in the background.
    Grant,
    /// A push to the device.
    Push,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Self; 35] = [
        Self::Kill,
        Self::Power,
        Self::Torn,
        Self::Full,
        Self::Broken,
        Self::Slow,
        Self::Stall,
        Self::Clock,
        Self::Offline,
        Self::HalfOpen,
        Self::Nat,
        Self::Migration,
        Self::Hold,
        Self::Loss,
        Self::Reorder,
        Self::Freeze,
        Self::Buffer,
        Self::Grant,
        Self::Jetsam,
        Self::ForceQuit,
        Self::Reboot,
        Self::Doze,
        Self::Disk,
        Self::Overtaken,
        Self::Late,
        Self::Mute,
        Self::Deaf,
        Self::Throttle,
        Self::Fails,
        Self::Environment,
        Self::Gone,
        Self::Twice,
        Self::Disorder,
        Self::Newest,
        Self::Worker,
    ];

    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Power => "power",
            Self::Torn => "torn",
            Self::Full => "full",
            Self::Broken => "broken",
            Self::Slow => "slow",
            Self::Stall => "stall",
            Self::Clock => "clock",
            Self::Offline => "offline",
            Self::HalfOpen => "half-open",
            Self::Nat => "nat",
            Self::Migration => "migration",
            Self::Hold => "hold",
            Self::Loss => "loss",
            Self::Reorder => "reorder",
            Self::Freeze => "freeze",
            Self::Buffer => "buffer",
            Self::Grant => "grant",
            Self::Jetsam => "jetsam",
            Self::ForceQuit => "force-quit",
            Self::Reboot => "reboot",
            Self::Doze => "doze",
            Self::Disk => "disk",
            Self::Overtaken => "overtaken",
            Self::Late => "late",
            Self::Mute => "mute",
            Self::Deaf => "deaf",
            Self::Throttle => "throttle",
            Self::Fails => "fails",
            Self::Environment => "environment",
            Self::Gone => "gone",
            Self::Twice => "twice",
            Self::Disorder => "disorder",
            Self::Newest => "newest",
            Self::Worker => "worker",
        }
    }

    fn needs(self) -> Needs {
        match self {
            Self::Kill | Self::Power | Self::Torn | Self::Full | Self::Broken => Needs::Nothing,
            Self::Slow | Self::Stall | Self::Clock | Self::Offline | Self::Reboot => Needs::Nothing,
            Self::Migration | Self::Doze => Needs::Nothing,
            Self::HalfOpen | Self::Nat | Self::Hold => Needs::Connection,
            Self::Loss | Self::Reorder | Self::Buffer => Needs::Connection,
            Self::Freeze | Self::Jetsam | Self::ForceQuit | Self::Disk => Needs::App,
            Self::Overtaken => Needs::Login,
            Self::Grant => Needs::Grant,
            Self::Late | Self::Mute | Self::Deaf | Self::Throttle | Self::Fails => Needs::Push,
            Self::Environment | Self::Gone | Self::Twice | Self::Disorder => Needs::Push,
            Self::Newest | Self::Worker => Needs::Push,
        }
    }
}

/// A client's state; `None` while no app runs.
pub(crate) type Seat = Option<State>;

/// Why a fault cannot hit a client in a state. Every other cell of the matrix must be hit.
pub(crate) fn impossible(fault: Fault, seat: Seat) -> Option<&'static str> {
    use State::{
        Connecting, Draining, Failed, Handshaking, Idle, Kicked, LoggedOut, OfflineBackoff,
        OnlineFg, Suspended,
    };
    let Some(state) = seat else {
        return match fault.needs() {
            Needs::Nothing | Needs::Push => None,
            _ => Some("no app runs"),
        };
    };
    match (fault.needs(), state) {
        (
            Needs::Connection | Needs::Login,
            LoggedOut | Idle | Suspended | OfflineBackoff | Kicked | Failed,
        ) => Some("there is no connection"),
        (Needs::Login, Connecting | Handshaking) => Some("nothing is reported before the login"),
        (Needs::Login, Draining) => Some("it reports nothing before it comes back"),
        (Needs::Grant, OnlineFg) => Some("it is on the screen"),
        (Needs::Nothing, OnlineFg) if fault == Fault::Doze => Some("it is on the screen"),
        (Needs::Grant, LoggedOut | Kicked | Failed | Suspended) => Some("it holds no time"),
        (Needs::Push, Kicked) => Some("a device that was kicked is not pushed"),
        (Needs::App, Suspended) if fault == Fault::Disk => Some("its store is closed"),
        (Needs::App, LoggedOut | Kicked | Failed | Idle) if fault == Fault::Disk => {
            Some("it writes nothing")
        }
        (Needs::Connection, Draining) if fault == Fault::Reorder => {
            Some("it dials no other connection")
        }
        _ => None,
    }
}

/// The cells of the matrix, and the hours that had messages and faults.
#[derive(Debug, Default)]
pub(crate) struct Hits {
    pub(crate) cells: BTreeMap<(Fault, Seat), u64>,
    written: BTreeSet<(PhoneNo, u64)>,
    faulty: BTreeSet<(PhoneNo, u64)>,
}

impl Hits {
    /// Milliseconds of devices' lives within an hour that had a message for or from the device
    /// and a fault that hit it.
    pub(crate) fn busy_ms(&self, end_ms: u64) -> u64 {
        let ms = |(_, hour): &(PhoneNo, u64)| (end_ms - hour * HOUR_MS).min(HOUR_MS);
        self.written.intersection(&self.faulty).map(ms).sum()
    }
}

impl World {
    /// A fault hits a phone.
    pub(crate) fn hit(&mut self, fault: Fault, no: PhoneNo) {
        let hour = self.agenda.now_ms() / HOUR_MS;
        self.hits.faulty.insert((no, hour));
        let seat = match &self.phones[no].app {
            Some(App::Ours(client)) => Some(client.state()),
            Some(App::Strange(_)) => return,
            None => None,
        };
        *self.hits.cells.entry((fault, seat)).or_default() += 1;
    }

    /// A fault of the server or the provider hits all of them.
    pub(crate) fn hit_all(&mut self, fault: Fault) {
        for no in 0..self.phones.len() {
            self.hit(fault, no);
        }
    }

    /// A message is written by or for the phone.
    pub(crate) fn is_written_to(&mut self, no: PhoneNo) {
        let hour = self.agenda.now_ms() / HOUR_MS;
        self.hits.written.insert((no, hour));
    }
}

/// Every state of a client, and none.
pub(crate) fn seats() -> impl Iterator<Item = Seat> {
    State::ALL.into_iter().map(Some).chain([None])
}

/// A state as reports name it.
pub(crate) fn seat_name(seat: Seat) -> String {
    seat.map_or_else(|| "NotRunning".into(), |state| format!("{state:?}"))
}
