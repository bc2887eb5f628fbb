//! What the system says about networks.

use nightjar_model::Mono;

use crate::state::Move;
use crate::{Client, ConnectionId, Output, State, defaults};

/// An attempt over another network while the old connection has to prove itself: whichever does
/// so first is kept, so that a change costs no gap where the old path still works.
#[derive(Debug)]
pub(crate) struct Rival {
    pub(crate) connection: ConnectionId,
    pub(crate) until: Mono,
}

impl Client {
    pub(crate) fn network_lost(&mut self) {
        self.dialer.network(false);
        self.network_lost_at.get_or_insert(self.now.mono);
        self.drop_rival();
    }

    /// The path may be another one.
    pub(crate) fn network_changed(&mut self) {
        self.dialer.network(true);
        self.network_lost_at = None;
        match self.state {
            State::OfflineBackoff => self.nudge(),
            State::Syncing | State::OnlineFg | State::OnlineBgGrace => {
                self.pulse.doubt(self.now.mono);
                self.start_rival();
            }
            _ => {}
        }
    }

    pub(crate) fn next_connection(&mut self) -> ConnectionId {
        self.last_connection = ConnectionId(self.last_connection.0.wrapping_add(1));
        self.last_connection
    }

    fn start_rival(&mut self) {
        if self.rival.is_some() || self.is_logging_out {
            return;
        }
        let within_ms = defaults::CONNECT_MS;
        let rival =
            Rival { connection: self.next_connection(), until: self.now.mono.after(within_ms) };
        let to = self.dialer.dial();
        self.output(Output::Connect { connection: rival.connection, to, within_ms });
        self.rival = Some(Box::new(rival));
    }

    pub(crate) fn is_rival(&self, connection: ConnectionId) -> bool {
        self.rival.as_ref().is_some_and(|rival| rival.connection == connection)
    }

    /// The old connection has proven itself, or nothing is wanted any more.
    pub(crate) fn drop_rival(&mut self) {
        if let Some(rival) = self.rival.take() {
            self.output(Output::Close(rival.connection));
        }
    }

    /// The rival was faster: the old connection goes. The server is told by the hello that
    /// resumes its session, not by a goodbye, which would make the device look gone.
    pub(crate) fn switch_to(&mut self, connection: ConnectionId) {
        if self.is_rival(connection) {
            self.switch();
        }
    }

    /// The old connection is dead. An attempt that is on its way already is no new one.
    pub(crate) fn lost_for_a_rival(&mut self) {
        if self.rival.is_some() && !self.is_logging_out {
            self.switch();
        } else {
            self.lost();
        }
    }

    fn switch(&mut self) {
        let Some(rival) = self.rival.take() else { return };
        self.drop_connection();
        self.connection = rival.connection;
        self.until = rival.until;
        self.has_line = true;
        self.moved(Move::Switched);
    }
}
