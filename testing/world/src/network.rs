//! Connections between phones and the server: delay, order, loss, and ends that nobody hears of.
//!
//! One connection keeps its order, like TCP; different connections overtake each other. A cut
//! connection swallows everything in both directions and tells nobody. Bytes for a frozen app are
//! taken by its kernel and read when it thaws.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use nightjar_client_core::ConnectionId;
use nightjar_model::ConnId;

use crate::faults::Fault;
use crate::phone::PhoneNo;
use crate::world::{What, World};

/// Towards the server.
#[derive(Debug, Clone)]
pub(crate) enum Up {
    Open,
    Packet(Bytes),
    End,
}

/// Towards a phone.
#[derive(Debug, Clone)]
pub(crate) enum Down {
    Opened,
    Packet(Bytes),
    /// Some bytes of a packet whose others come before or after it.
    Piece(Bytes),
    End,
}

/// All connections that ever were and are not over.
#[derive(Debug, Default)]
pub(crate) struct Network {
    pub(crate) connections: BTreeMap<ConnId, Connection>,
    /// The next packet for a phone comes in two pieces.
    pub(crate) tear: Option<Tear>,
    pub(crate) opened: u64,
}

/// How a packet for a phone is torn.
#[derive(Debug)]
pub(crate) struct Tear {
    pub(crate) phone: PhoneNo,
    /// So many bytes come first.
    pub(crate) at_byte: usize,
    pub(crate) rest_after_ms: u64,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) phone: PhoneNo,
    /// The phone's own name for it, and the run of the app that opened it.
    pub(crate) name: ConnectionId,
    pub(crate) boot: u32,
    latency_ms: u64,
    /// The last arrivals: what is sent later does not arrive earlier.
    up_at_ms: u64,
    down_at_ms: u64,
    /// Packets go nowhere, and nobody is told.
    pub(crate) is_cut: bool,
    /// A NAT on the way forgot it: nothing reaches the phone, and what it writes ends it.
    is_forgotten: bool,
    /// When something was sent last, in either direction.
    used_ms: u64,
    /// What the phone's kernel took for an app that is frozen.
    pub(crate) kernel: VecDeque<Down>,
}

impl World {
    /// A phone dials; the network decides what comes of it.
    pub(crate) fn dial(&mut self, phone: PhoneNo, name: ConnectionId) {
        let latency_ms = self.draw(self.weather.latency_ms.clone());
        self.network.opened += 1;
        let conn = ConnId(self.network.opened);
        let now_ms = self.agenda.now_ms();
        let boot = self.phones[phone].boot;
        self.phones[phone].connections.insert(name, conn);
        self.network.connections.insert(
            conn,
            Connection {
                phone,
                name,
                boot,
                latency_ms,
                up_at_ms: now_ms,
                down_at_ms: now_ms,
                is_cut: !self.phones[phone].has_network,
                is_forgotten: false,
                used_ms: now_ms,
                kernel: VecDeque::new(),
            },
        );
        self.send_up(conn, Up::Open);
    }

    /// Sends towards the server.
    pub(crate) fn send_up(&mut self, conn: ConnId, up: Up) {
        let late_ms = self.lateness(conn);
        let now_ms = self.agenda.now_ms();
        let is_forgotten = self.is_forgotten(conn);
        let Some(connection) = self.network.connections.get_mut(&conn) else { return };
        if connection.is_cut {
            return;
        }
        if is_forgotten {
            return self.agenda.after(connection.latency_ms, What::Down(conn, Down::End));
        }
        let at_ms = (now_ms + connection.latency_ms + late_ms).max(connection.up_at_ms);
        connection.up_at_ms = at_ms;
        self.agenda.at(at_ms, What::Up(conn, up));
    }

    /// Sends towards the phone.
    pub(crate) fn send_down(&mut self, conn: ConnId, down: Down) {
        let late_ms = self.lateness(conn);
        let now_ms = self.agenda.now_ms();
        let is_forgotten = self.is_forgotten(conn);
        let Some(connection) = self.network.connections.get_mut(&conn) else { return };
        if connection.is_cut || is_forgotten {
            return;
        }
        let at_ms = (now_ms + connection.latency_ms + late_ms).max(connection.down_at_ms);
        connection.down_at_ms = at_ms;
        let is_meant = |tear: &mut Tear| tear.phone == connection.phone;
        if let Down::Packet(packet) = &down
            && let Some(tear) = self.network.tear.take_if(is_meant)
            && tear.at_byte < packet.len()
        {
            let (first, rest) = (packet.slice(..tear.at_byte), packet.slice(tear.at_byte..));
            connection.down_at_ms = at_ms + tear.rest_after_ms;
            self.agenda.at(at_ms, What::Down(conn, Down::Piece(first)));
            self.agenda.at(connection.down_at_ms, What::Down(conn, Down::Piece(rest)));
            return self.cover("packets_torn");
        }
        self.agenda.at(at_ms, What::Down(conn, down));
    }

    /// What a packet waits beyond the latency of its connection; now and then one is lost and
    /// sent again.
    fn lateness(&mut self, conn: ConnId) -> u64 {
        if !self.weather.is_wild {
            return 0;
        }
        let is_lost = !self.without.faults.contains(&Fault::Loss);
        match self.rng.u32(0..200) {
            0 if is_lost => {
                if let Some(phone) = self.phone_of(conn) {
                    self.hit(Fault::Loss, phone);
                }
                self.rng.u64(200..3_000)
            }
            _ => self.rng.u64(0..8),
        }
    }

    /// Whether a NAT has forgotten the connection by now, for nothing went over it.
    fn is_forgotten(&mut self, conn: ConnId) -> bool {
        let now_ms = self.agenda.now_ms();
        let Some(connection) = self.network.connections.get_mut(&conn) else { return false };
        let phone = connection.phone;
        let idle_ms = now_ms - std::mem::replace(&mut connection.used_ms, now_ms);
        let is_over = self.phones[phone].nat_ms.is_some_and(|nat_ms| idle_ms > nat_ms);
        let is_over = is_over && !self.without.faults.contains(&Fault::Nat);
        if is_over && !connection.is_forgotten && !connection.is_cut {
            connection.is_forgotten = true;
            self.tell(phone, || "was forgotten by its NAT".into());
            self.hit(Fault::Nat, phone);
            return true;
        }
        connection.is_forgotten
    }

    /// A NAT forgets the phone's connections.
    pub(crate) fn forget(&mut self, phone: PhoneNo) {
        for connection in self.network.connections.values_mut().filter(|c| c.phone == phone) {
            connection.is_forgotten = true;
        }
    }

    /// What arrives at a phone.
    pub(crate) fn down_arrives(&mut self, conn: ConnId, down: Down) {
        let Some(connection) = self.network.connections.get_mut(&conn) else { return };
        let phone = connection.phone;
        if connection.is_cut || self.phones[phone].boot != connection.boot {
            return;
        }
        if self.phones[phone].is_frozen {
            connection.kernel.push_back(down);
            self.hit(Fault::Buffer, phone);
        } else {
            self.phone_receives(conn, down);
        }
    }

    /// Nothing goes through the phone's connections any more, and nobody is told.
    pub(crate) fn cut(&mut self, phone: PhoneNo) {
        for connection in self.network.connections.values_mut().filter(|c| c.phone == phone) {
            connection.is_cut = true;
        }
    }

    /// What is on the phone's connections waits for so long.
    pub(crate) fn hold_up(&mut self, phone: PhoneNo, ms: u64) {
        if !self.phones[phone].connections.is_empty() {
            self.hit(Fault::Hold, phone);
        }
        self.delay(phone, ms);
    }

    /// What the phone wrote and the server has not waits for so long.
    pub(crate) fn hold_up_words(&mut self, phone: PhoneNo, ms: u64) {
        let at_ms = self.agenda.now_ms() + ms;
        let network = &self.network;
        let is_its = |what: &What| match what {
            What::Up(conn, _) => {
                network.connections.get(conn).is_some_and(|connection| connection.phone == phone)
            }
            _ => false,
        };
        self.agenda.put_off(at_ms, is_its);
        for connection in self.network.connections.values_mut().filter(|c| c.phone == phone) {
            connection.up_at_ms = connection.up_at_ms.max(at_ms);
        }
    }

    /// The phone heard that its connection ended; what it wrote may yet arrive, and then its end.
    pub(crate) fn has_ended(&mut self, conn: ConnId) {
        if let Some(connection) = self.network.connections.get_mut(&conn) {
            connection.boot = u32::MAX;
            self.send_up(conn, Up::End);
        }
    }

    /// The same, and no fault of the network.
    pub(crate) fn delay(&mut self, phone: PhoneNo, ms: u64) {
        let until_ms = self.agenda.now_ms() + ms;
        for connection in self.network.connections.values_mut().filter(|c| c.phone == phone) {
            connection.up_at_ms = connection.up_at_ms.max(until_ms);
            connection.down_at_ms = connection.down_at_ms.max(until_ms);
        }
    }

    /// The phone's end is gone; the server hears of it if the network lets it.
    pub(crate) fn hang_up(&mut self, phone: PhoneNo, name: ConnectionId) {
        if let Some(conn) = self.phones[phone].connections.remove(&name) {
            self.send_up(conn, Up::End);
            if let Some(connection) = self.network.connections.get_mut(&conn) {
                // Nothing reaches an app that closed its socket.
                connection.boot = u32::MAX;
            }
        }
    }
}
