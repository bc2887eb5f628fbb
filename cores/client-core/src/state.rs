//! The life of a client: one table of states and events.
//!
//! What a person sees ([`Vis`]), whether the system sees a network and how far the outbox is are
//! other facts, kept beside the state; a cell that depends on them names a rule.

/// Where a client is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Signed out: no session; the store is closed.
    LoggedOut,
    /// Signed in, and nothing is wanted now: not started yet, stopped, or on the way to
    /// [`State::Suspended`].
    Idle,
    /// An attempt is on its way.
    Connecting,
    /// The connection is open and the hello written.
    Handshaking,
    /// Logged in; the list of conversations is on its way. Messages come and go as usual.
    Syncing,
    /// Logged in and up to date, in front of a person.
    OnlineFg,
    /// Logged in, in the background: notifications are posted while the grace lasts.
    OnlineBgGrace,
    /// In the background: what is on its way ends, then the connection, then the store.
    Draining,
    /// In the background without connection, open store or timers: the process may be frozen.
    Suspended,
    /// A connection is wanted and there is none: the next attempt has its moment, or waits for
    /// the network or a token.
    OfflineBackoff,
    /// The server signed this device out, or refuses it; only a new login helps.
    Kicked,
    /// The store is broken, or the two sides cannot read each other: over for this process.
    Failed,
}

/// What moves a client on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Move {
    /// The user signed in again.
    Login,
    /// The app wants to be connected.
    Start,
    /// The app wants to be away.
    Stop,
    /// It is on the screen.
    Foreground,
    /// It left the screen.
    Background,
    /// The time in the background is over, or nothing is left to do in it.
    Expired,
    /// A send, a push or a network makes an attempt worth its while.
    Wanted,
    /// The moment of the next attempt came.
    Try,
    /// The connection is open.
    Opened,
    /// The server took the hello.
    Greeted,
    /// The first page of the list is here.
    Synced,
    /// The attempt failed, or the connection is gone or believed dead.
    Lost,
    /// The connection gives way to an attempt over another network.
    Switched,
    /// The process was frozen.
    Slept,
    /// The token is bad or its time is over.
    TokenBad,
    /// Something is to be written while the store is closed.
    Written,
    /// The store is closed.
    StoreClosed,
    /// Kicked, replaced, or refused for good.
    Kicked,
    /// Signed out.
    LoggedOut,
    /// The store cannot commit, or nobody understands the other.
    Failed,
}

/// What a person sees of the app, kept through every state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vis {
    /// It is on the screen.
    Fg,
    /// In the background, in a process that stays: the connection is kept.
    Kept,
    /// In the background, with time left and something unsent.
    Sending,
    /// In the background, with time left.
    Grace,
    /// In the background, and the time is over.
    Bg,
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    pub(crate) vis: Vis,
    /// An attempt may start now: there are a network and a token, and no wait.
    pub(crate) is_due: bool,
    /// The server answered the hello and was not told goodbye.
    pub(crate) is_open: bool,
    /// The app wants to be connected.
    pub(crate) is_wanted: bool,
}

/// What a cell says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    To(State),
    /// The event is in order and moves nothing.
    Stay,
    /// An attempt, if it is wanted, may start now and the app is not in [`Vis::Bg`]; else as
    /// [`Next::Wait`].
    Dial,
    /// Where it is wanted and somebody or something waits, the next attempt is awaited; else
    /// nothing.
    Wait,
    /// As [`Vis`] wants it.
    Online,
    /// [`Next::Online`] if the connection is still there, else [`Next::Dial`].
    Return,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 12] = [
        Self::LoggedOut,
        Self::Idle,
        Self::Connecting,
        Self::Handshaking,
        Self::Syncing,
        Self::OnlineFg,
        Self::OnlineBgGrace,
        Self::Draining,
        Self::Suspended,
        Self::OfflineBackoff,
        Self::Kicked,
        Self::Failed,
    ];

    /// The state after the event. `None`: it came too early, too late or twice; nothing moves.
    pub(crate) fn next(self, event: Move, facts: Facts) -> Option<Self> {
        let next = self.cell(event)?;
        Some(next.resolve(facts).unwrap_or(self))
    }

    /// The whole table; what is not listed is not expected. Its print is in `state/snapshots`.
    fn cell(self, event: Move) -> Option<Next> {
        use {Move::*, Next::*, State as S};
        Some(match (self, event) {
            (S::LoggedOut | S::Kicked, Login) => Dial,
            // To tell the server what a logout without a connection could not.
            (S::LoggedOut, Try) => To(S::Connecting),
            (S::LoggedOut | S::Kicked, Foreground | Background | StoreClosed | Written) => Stay,
            (S::Failed, Foreground | Background) => Stay,
            (S::LoggedOut | S::Kicked | S::Failed, _) | (_, Login) => return None,

            (_, Kicked) => To(S::Kicked),
            (_, LoggedOut) => To(S::LoggedOut),
            (_, Failed) => To(S::Failed),

            (S::Idle, Start | Foreground | Wanted) => Dial,
            (S::Idle, Stop | Background | Written) => Stay,
            (S::Idle, StoreClosed) => To(S::Suspended),

            (S::Suspended, Start | Foreground | Wanted) => Dial,
            (S::Suspended, Written) => To(S::Idle),
            // Frozen is what it is meant to be; who woke the process says why.
            (S::Suspended, Stop | Background | Slept) => Stay,

            (S::OfflineBackoff, Try) => To(S::Connecting),
            (S::OfflineBackoff, Foreground | Slept | Wanted) => Dial,
            (S::OfflineBackoff, Background) => Wait,
            (S::OfflineBackoff, Expired | Stop) => To(S::Idle),

            (S::Connecting, Opened) => To(S::Handshaking),
            (S::Handshaking, Greeted) => To(S::Syncing),
            (S::Handshaking, TokenBad) => Wait,
            (S::Connecting | S::Handshaking, Lost | Slept) => Dial,
            (S::Connecting | S::Handshaking, Foreground | Background | Wanted) => Stay,
            (S::Connecting | S::Handshaking, Expired | Stop) => To(S::Idle),

            (S::Syncing, Synced) => Online,
            (S::Syncing, Foreground | Background | Wanted) => Stay,
            (S::OnlineFg | S::OnlineBgGrace, Foreground | Background) => Online,
            (S::OnlineFg | S::OnlineBgGrace, Synced | Wanted) => Stay,
            (S::Syncing | S::OnlineBgGrace, Expired) => To(S::Draining),
            (S::Syncing | S::OnlineFg | S::OnlineBgGrace, Lost | Slept) => Dial,
            (S::Syncing | S::OnlineFg | S::OnlineBgGrace, Switched) => To(S::Connecting),
            (S::Syncing | S::OnlineFg | S::OnlineBgGrace, TokenBad) => Wait,
            (S::Syncing | S::OnlineFg | S::OnlineBgGrace, Stop) => To(S::Idle),

            (S::Draining, Foreground | Start | Wanted) => Return,
            (S::Draining, StoreClosed) => To(S::Suspended),
            (S::Draining, Stop) => To(S::Idle),
            (S::Draining, Background | Expired | Synced | Written) => Stay,
            (S::Draining, Lost | Slept | TokenBad) => Stay,

            _ => return None,
        })
    }
}

impl Next {
    /// The state a rule leads to; `None`: the same.
    fn resolve(self, facts: Facts) -> Option<State> {
        let is_awaited = facts.is_wanted && matches!(facts.vis, Vis::Fg | Vis::Kept | Vis::Sending);
        let may_dial = facts.is_wanted && facts.is_due;
        match self {
            Self::To(state) => Some(state),
            Self::Stay => None,
            Self::Dial if may_dial && facts.vis != Vis::Bg => Some(State::Connecting),
            Self::Dial | Self::Wait if is_awaited => Some(State::OfflineBackoff),
            Self::Dial | Self::Wait => Some(State::Idle),
            Self::Return if !facts.is_open => Self::Dial.resolve(facts),
            Self::Online | Self::Return => Some(match facts.vis {
                Vis::Fg => State::OnlineFg,
                Vis::Kept | Vis::Sending | Vis::Grace => State::OnlineBgGrace,
                Vis::Bg => State::Draining,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
