//! What only a script does: moments that chance would hardly meet, and questions about what a
//! person sees.

use nightjar_client_core::Input;

use crate::acts::uid;
use crate::network::Tear;
use crate::phone::{PhoneNo, Screen};
use crate::world::World;

impl World {
    /// The app leaves the screen of a system that freezes processes; it has so long to end, and
    /// is frozen when it says that it has.
    pub fn leave(&mut self, no: PhoneNo, budget_ms: u32) {
        self.tell(no, || format!("leaves the screen and is granted {budget_ms} ms"));
        self.reference_sees_screen(no);
        self.phones[no].screen = Screen::Background { grace_ms: 0 };
        self.feed(no, Input::EnterBackground { budget_ms });
    }

    /// What is on the phone's connections from now on, in both directions, waits for so long.
    pub fn hold_network(&mut self, no: PhoneNo, ms: u64) {
        self.tell(no, || format!("has connections that stand still for {ms} ms"));
        self.hold_up(no, ms);
    }

    /// The next packet for the phone comes in two pieces; `at_byte` bytes come first.
    pub fn tear_next_packet(&mut self, no: PhoneNo, at_byte: usize, rest_after_ms: u64) {
        self.tell(no, || {
            format!("gets {at_byte} bytes, and what follows {rest_after_ms} ms later")
        });
        self.network.tear = Some(Tear { phone: no, at_byte, rest_after_ms });
    }

    /// Packets that came in two pieces; one that ended before the tear came whole.
    #[must_use]
    pub fn packets_torn(&self) -> u64 {
        self.counts.get("packets_torn").copied().unwrap_or(0)
    }

    /// The app's own servers write so many messages in the name of a user.
    pub fn write_many(&mut self, from: &str, to: &str, count: u32) {
        self.back_end_writes(&uid(from), to, count);
    }

    /// From now on every push needs so much longer to its phone.
    pub fn pushes_are_late(&mut self, ms: u64) {
        self.play.line(self.agenda.now_ms(), "provider", || format!("brings pushes {ms} ms late"));
        self.provider.late_ms = ms;
    }

    /// From now on every push comes twice.
    pub fn provider_doubles(&mut self) {
        self.play.line(self.agenda.now_ms(), "provider", || "brings every push twice".into());
        self.provider.doubles = true;
    }

    /// From now on the provider keeps one push for a phone without a network, the newest.
    pub fn provider_keeps_the_newest(&mut self) {
        self.play.line(self.agenda.now_ms(), "provider", || "keeps only the newest push".into());
        self.provider.kept_max = 1;
    }

    /// Notifications on the phone's screen.
    #[must_use]
    pub fn notifications(&self, no: PhoneNo) -> usize {
        self.phones[no].shade.len()
    }

    /// The number on the app's icon.
    #[must_use]
    pub fn badge_on(&self, no: PhoneNo) -> u64 {
        self.phones[no].badge.0
    }

    /// Messages on the phone's disk.
    #[must_use]
    pub fn messages_on(&self, no: PhoneNo) -> usize {
        self.phones[no].disk.messages.len()
    }

    /// Messages that came a second time and got their first answer.
    #[must_use]
    pub fn answered_again(&self) -> u64 {
        self.counts.get("duplicates_answered").copied().unwrap_or(0)
    }

    /// Whether the app of the phone is frozen.
    #[must_use]
    pub fn is_frozen(&self, no: PhoneNo) -> bool {
        self.phones[no].is_frozen
    }

    /// Packets that wait in the phone's sockets for an app that does not read.
    #[must_use]
    pub fn packets_waiting(&self, no: PhoneNo) -> usize {
        let connections = self.network.connections.values().filter(|c| c.phone == no);
        connections.map(|connection| connection.kernel.len()).sum()
    }

    /// Connections that were ever opened.
    #[must_use]
    pub fn connections_opened(&self) -> u64 {
        self.network.opened
    }

    /// Connections the phone has open, as it knows.
    #[must_use]
    pub fn connections(&self, no: PhoneNo) -> usize {
        self.phones[no].connections.len()
    }

    /// Devices and conversations whose pushes wait in the server.
    #[must_use]
    pub fn pushes_waiting(&self) -> usize {
        self.server.process.as_ref().map_or(0, |process| process.node.sizes().3)
    }
}
