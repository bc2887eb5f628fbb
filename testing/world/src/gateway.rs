//! The server's ends of the connections: a real session for each, as the native gateway drives it.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use nightjar_model::{ConnId, DeviceId, Reject, Secret, Uid, WallMs};
use nightjar_node::{Input, Origin};
use nightjar_session::{
    Claims, Form, Frame, Input as SessionInput, Output, Session, SessionConfig,
};
use nightjar_store_memory::Crash;

use crate::network::{Down, Up};
use crate::reference::Ask;
use crate::world::{What, World};

/// The sessions of one process.
#[derive(Default)]
pub(crate) struct Gateway {
    pub(crate) sessions: BTreeMap<ConnId, Open>,
}

/// One session, and the packets it does not want yet.
pub(crate) struct Open {
    session: Session,
    unread: VecDeque<Bytes>,
    timer_at_ms: Option<u64>,
}

/// A login token of this world: who, on which device, since when.
pub(crate) fn token(uid: &Uid, device_id: &DeviceId, issued_at: WallMs) -> Secret<String> {
    Secret::new(format!("{uid}/{device_id}/{}", issued_at.0))
}

pub(crate) fn claims(token: &Secret<String>) -> Result<Claims, Reject> {
    let mut parts = token.expose().split('/');
    let (uid, device_id, at) = (parts.next(), parts.next(), parts.next());
    let uid = uid.and_then(|text| Uid::parse(text).ok()).ok_or(Reject::BadToken)?;
    let device_id = device_id.and_then(|text| DeviceId::parse(text).ok());
    let issued_at = at.and_then(|text| text.parse().ok()).ok_or(Reject::BadToken)?;
    Ok(Claims { uid, device_id, issued_at: WallMs(issued_at), push_token: None })
}

impl World {
    /// What arrives at the server's machine.
    pub(crate) fn up_arrives(&mut self, conn: ConnId, up: Up) {
        let Some(connection) = self.network.connections.get(&conn) else { return };
        if connection.is_cut || self.server.down == Some(Crash::PowerLoss) {
            return;
        }
        if self.server.process.is_none() {
            return self.send_down(conn, Down::End);
        }
        if self.agenda.now_ms() < self.server.stalled_until_ms {
            return self.server.kernel.push_back((conn, up));
        }
        self.server_receives(conn, up);
    }

    /// After it stood still, the process reads what its kernel took.
    pub(crate) fn read_kernel(&mut self, number: u32) {
        if number != self.server.number || self.agenda.now_ms() < self.server.stalled_until_ms {
            return;
        }
        for (conn, up) in std::mem::take(&mut self.server.kernel) {
            self.server_receives(conn, up);
        }
    }

    fn server_receives(&mut self, conn: ConnId, up: Up) {
        let now = self.server_now();
        let Some(process) = &mut self.server.process else { return };
        let sessions = &mut process.gateway.sessions;
        match up {
            Up::Open => {
                let session = Session::new(Form::Binary, &SessionConfig::default(), now.mono);
                let open = Open { session, unread: VecDeque::new(), timer_at_ms: None };
                sessions.insert(conn, open);
                self.send_down(conn, Down::Opened);
                self.plan_session_timer(conn);
            }
            Up::Packet(packet) => match sessions.get_mut(&conn) {
                Some(open) => {
                    open.unread.push_back(packet);
                    self.read_packets(conn);
                }
                // The machine knows nothing of this connection.
                None => self.send_down(conn, Down::End),
            },
            Up::End => {
                self.session_gets(conn, SessionInput::Closed);
                if let Some(process) = &mut self.server.process {
                    process.gateway.sessions.remove(&conn);
                }
                self.network.connections.remove(&conn);
            }
        }
    }

    fn read_packets(&mut self, conn: ConnId) {
        loop {
            let Some(process) = &mut self.server.process else { return };
            let Some(open) = process.gateway.sessions.get_mut(&conn) else { return };
            if !open.session.wants_input() {
                return;
            }
            let Some(packet) = open.unread.pop_front() else { return };
            self.server_hears(conn, &packet);
            self.step_session(conn, SessionInput::Packet(&packet));
        }
    }

    /// Something for a session; what it then wants to read is read.
    pub(crate) fn session_gets(&mut self, conn: ConnId, input: SessionInput<'_>) {
        self.step_session(conn, input);
        self.read_packets(conn);
    }

    fn step_session(&mut self, conn: ConnId, input: SessionInput<'_>) {
        let now = self.server_now();
        let Some(process) = &mut self.server.process else { return };
        let Some(open) = process.gateway.sessions.get_mut(&conn) else { return };
        open.session.handle(input, now);
        while let Some(output) = self.session_output(conn) {
            match output {
                Output::Send(Frame::Binary(bytes)) => {
                    self.server_says(conn, &bytes);
                    self.send_down(conn, Down::Packet(bytes));
                }
                Output::Send(Frame::Text(_)) => {
                    unreachable!("the connections of this world are binary")
                }
                Output::Verify { token, .. } => {
                    let result = self.claims_on(conn, &token);
                    if let Some(open) = self.open_session(conn) {
                        open.session.handle(SessionInput::Verified(result), now);
                    }
                }
                // Sums of many clients are nothing a device could miss.
                Output::Measured(..) => {}
                Output::Command(request, command) => {
                    let origin = Origin::Conn(conn, request.0);
                    let phone = self.phone_of(conn);
                    let ask = Ask { conn: Some(conn), phone, command: command.clone() };
                    self.server_asks(origin, ask);
                    self.node_gets(Input::Command { origin, command });
                }
                Output::Close { .. } => {
                    self.send_down(conn, Down::End);
                    if let Some(process) = &mut self.server.process {
                        process.gateway.sessions.remove(&conn);
                    }
                }
            }
        }
        self.plan_session_timer(conn);
    }

    /// What a login token says; an extension gets one of its own.
    fn claims_on(&self, conn: ConnId, token: &Secret<String>) -> Result<Claims, Reject> {
        let has_extension =
            self.phone_of(conn).is_some_and(|phone| self.phones[phone].has_extension);
        let claims = claims(token)?;
        Ok(Claims { push_token: has_extension.then(|| token.clone()), ..claims })
    }

    fn open_session(&mut self, conn: ConnId) -> Option<&mut Open> {
        self.server.process.as_mut()?.gateway.sessions.get_mut(&conn)
    }

    fn session_output(&mut self, conn: ConnId) -> Option<Output> {
        self.open_session(conn)?.session.poll()
    }

    fn plan_session_timer(&mut self, conn: ConnId) {
        let now_ms = self.agenda.now_ms();
        let now = self.server_now();
        let number = self.server.number;
        let Some(open) = self.open_session(conn) else { return };
        let Some(at) = open.session.wait_until() else { return };
        let at_ms = now_ms + at.since(now.mono);
        if open.timer_at_ms.is_none_or(|planned| at_ms < planned) {
            open.timer_at_ms = Some(at_ms);
            self.agenda.at(at_ms, What::SessionTimer(number, conn));
        }
    }

    /// The moment of a session came, or has moved on since it was planned.
    pub(crate) fn session_timer(&mut self, number: u32, conn: ConnId) {
        if number != self.server.number {
            return;
        }
        let stalled_until_ms = self.server.stalled_until_ms;
        if self.agenda.now_ms() < stalled_until_ms {
            // After the kernel was read: a stall is not the silence of a peer.
            let at_ms = stalled_until_ms + 6;
            return self.agenda.at(at_ms, What::SessionTimer(number, conn));
        }
        let now = self.server_now();
        let Some(open) = self.open_session(conn) else { return };
        open.timer_at_ms = None;
        if open.session.wait_until().is_some_and(|at| at <= now.mono) {
            self.session_gets(conn, SessionInput::Timeout);
        } else {
            self.plan_session_timer(conn);
        }
    }

    /// The process is gone, and with it its ends. A machine that lost its power says nothing.
    pub(crate) fn end_connections(&mut self, crash: Crash, gateway: Gateway) {
        for conn in gateway.sessions.into_keys() {
            if crash == Crash::Kill {
                self.send_down(conn, Down::End);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_who_where_and_since_when() {
        let (uid, device) = (Uid::parse("bob").unwrap(), DeviceId::parse("phone").unwrap());
        let claims = claims(&token(&uid, &device, WallMs(7))).unwrap();
        assert_eq!(
            claims,
            Claims { uid, device_id: Some(device), issued_at: WallMs(7), push_token: None }
        );
        assert_eq!(super::claims(&Secret::new("x".into())), Err(Reject::BadToken));
    }
}
