//! What the client says.

use nightjar_model::Reject;
use nightjar_model::sabotage::Sabotage;
use nightjar_model::{ByeReason, Command, Mono, Now, ReportCommand};
use nightjar_wire::{Body, Kind, Packet, SERVER_SERIAL_MIN, WireError, body};

use crate::pending::{Ask, Waiting};
use crate::phase::{Event, Phase};
use crate::requests::{self, Asked, Refusal};
use crate::session::bye;
use crate::{Output, Session};

impl Session {
    /// One packet, or why what came is none.
    pub(crate) fn received(&mut self, packet: Result<Packet, WireError>, now: Now) {
        match packet {
            Ok(packet) if packet.kind == Kind::Hello => self.said_hello(packet, now.mono),
            Ok(packet) => match self.phase.next(Event::Packet) {
                Some(Phase::Closed) => self.out_of_order(Event::Packet, &packet),
                Some(Phase::Draining) => self.said_last(packet, now.mono),
                Some(_) => self.said(packet, now),
                None => {}
            },
            Err(error) if self.phase == Phase::Live && !error.is_fatal() => {
                self.heard(now.mono);
                self.send_unreadable(&error, &error.reject().into());
            }
            Err(error) => self.unreadable(&error),
        }
    }

    fn said_hello(&mut self, packet: Packet, now: Mono) {
        let ask = Ask { serial: packet.serial, kind: packet.kind };
        if self.phase.next(Event::Hello) == Some(Phase::Closed) {
            return self.out_of_order(Event::Hello, &packet);
        }
        let greeting = match packet.body {
            Body::Hello(hello) => needs_serial(ask).and_then(|()| requests::hello(hello)),
            _ => Err(requests::bad("a hello has code 0 and a serial below 2^30")),
        };
        match greeting {
            Ok((greeting, token)) => self.greeted(ask, greeting, token, now),
            Err(refusal) if refusal.reject.bye().is_some() => self.refuse(ask, &refusal),
            Err(refusal) if self.moved(Event::BadHello) => self.send_refusal(ask, &refusal),
            Err(_) => {}
        }
    }

    /// A hello comes first and once, and nothing else before its answer.
    fn out_of_order(&mut self, event: Event, packet: &Packet) {
        let reject = Reject::HelloExpected;
        self.send_refusal(Ask { serial: packet.serial, kind: packet.kind }, &reject.into());
        let farewell = bye(reject.bye().unwrap_or(ByeReason::Protocol.as_str()));
        self.end(event, Some(farewell));
    }

    /// What came is no packet: a request that was at least recognised gets its answer.
    fn unreadable(&mut self, error: &WireError) {
        if self.phase.next(Event::Broken) != Some(Phase::Closed) {
            return;
        }
        let refusal = Refusal { reject: error.reject(), detail: Some(error.to_string()) };
        self.send_unreadable(error, &refusal);
        let protocol = bye(ByeReason::Protocol.as_str());
        self.end(Event::Broken, Some(body::Bye { text: refusal.detail, ..protocol }));
    }

    /// The peer is there, whatever it said.
    fn heard(&mut self, now: Mono) {
        self.heartbeat.heard(now);
        if std::mem::take(&mut self.is_unresponsive) {
            self.command(Command::Heard);
        }
    }

    fn said(&mut self, packet: Packet, now: Now) {
        self.heard(now.mono);
        if packet.serial >= SERVER_SERIAL_MIN {
            return self.confirmed(packet.serial, &packet.body);
        }
        let ask = Ask { serial: packet.serial, kind: packet.kind };
        let done = match packet.body {
            Body::Ack(ack) => self.acked(ask, &ack),
            Body::AppState(state) => self.told_app_state(ask, &state),
            Body::Bye(_) => return self.end(Event::Bye, None),
            Body::Empty => {
                self.answer(ask, Body::Empty);
                Ok(())
            }
            Body::Typing(typing) => requests::typing(&typing).map(|asked| self.ask(ask, asked)),
            Body::Report(report) => self.told_report(ask, report),
            request => needs_serial(ask).and_then(|()| self.asked(ask, request, now)),
        };
        if let Err(refusal) = done {
            self.refuse(ask, &refusal);
        }
    }

    /// The server goes away: what the client has done is heard, what it wants is for another day.
    fn said_last(&mut self, packet: Packet, now: Mono) {
        if packet.serial >= SERVER_SERIAL_MIN {
            return self.confirmed(packet.serial, &packet.body);
        }
        let ask = Ask { serial: packet.serial, kind: packet.kind };
        let done = match packet.body {
            Body::Ack(ack) => self.acked(ask, &ack),
            Body::Bye(_) => return self.end(Event::Bye, None),
            _ => Err(Reject::Draining.into()),
        };
        match done {
            Ok(()) => self.end_if_drained(now),
            Err(refusal) if ask.is_request() => self.send_refusal(ask, &refusal),
            Err(_) => {}
        }
    }

    /// A request that has an answer.
    fn asked(&mut self, ask: Ask, request: Body, now: Now) -> Asked<()> {
        let command = match request {
            Body::Send(send) => requests::send(send)?,
            Body::Read(read) => requests::read(&read)?,
            Body::Sync(sync) => requests::sync(sync)?,
            Body::BindPush(bind) => requests::bind_push(bind, now.wall)?,
            Body::UnbindPush(unbind) => requests::unbind_push(unbind)?,
            Body::Recall(recall) => requests::recall(&recall)?,
            Body::Edit(edit) => requests::edit(edit)?,
            Body::React(react) => requests::react(react)?,
            Body::Presence(presence) => requests::presence(presence)?,
            Body::ContactChange(change) => requests::contact(&change)?,
            Body::Members(members) => requests::members(members)?,
            Body::History(history) => {
                let history = requests::history(&history)?;
                let id = self.command(Command::History(history.clone()));
                self.pending.insert(id, Waiting::History(ask, Box::new(history)));
                return Ok(());
            }
            Body::Logout(logout) => {
                let id = self.command(Command::Logout { unbind: logout.unbind.unwrap_or(true) });
                self.pending.insert(id, Waiting::Logout(ask));
                return Ok(());
            }
            _ => return Err(requests::bad("a client does not send this")),
        };
        self.ask(ask, command);
        Ok(())
    }

    fn ask(&mut self, ask: Ask, command: Command) {
        let id = self.command(command);
        self.pending.insert(id, Waiting::Answer(ask));
    }

    fn acked(&mut self, ask: Ask, ack: &body::Ack) -> Asked<()> {
        let items = self.deliveries.ack(requests::ack(ack)?);
        if items.is_empty() {
            self.answer(ask, Body::Empty);
        } else {
            self.ask(ask, Command::Ack(items));
        }
        Ok(())
    }

    fn told_report(&mut self, ask: Ask, report: body::Report) -> Asked<()> {
        let (report, measures) = requests::device_report(report)?;
        if let (Some(platform), false) = (self.platform, measures.is_empty()) {
            self.output(Output::Measured(platform, measures));
        }
        if report == ReportCommand::default() {
            self.answer(ask, Body::Empty);
        } else {
            self.ask(ask, Command::Report(report));
        }
        Ok(())
    }

    fn told_app_state(&mut self, ask: Ask, state: &body::AppState) -> Asked<()> {
        let report = requests::app_state(state)?;
        if state.order < self.order && !Sabotage::OldAppStateAccepted.is_on() {
            self.answer(ask, Body::Empty);
            return Ok(());
        }
        self.order = state.order;
        self.heartbeat.announced(state.heartbeat_s);
        self.ask(ask, Command::AppState(report));
        Ok(())
    }

    /// The answer to a request of the server.
    fn confirmed(&mut self, serial: i32, body: &Body) {
        let Some(withdrawals) = &mut self.withdrawals else { return };
        let Some(ids) = withdrawals.answered(serial) else { return };
        // A refusal confirms nothing; the next hello asks again.
        if matches!(body, Body::Empty) {
            self.command(Command::Withdrawn(ids));
        }
        self.ask_withdrawals();
    }
}

fn needs_serial(ask: Ask) -> Asked<()> {
    if ask.serial > 0 {
        return Ok(());
    }
    Err(requests::bad(format!("{} is a request and needs a serial above 0", ask.kind.name())))
}
