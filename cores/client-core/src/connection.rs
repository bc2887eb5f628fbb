//! Connecting, greeting, and every way a connection ends.

use nightjar_model::sabotage::Sabotage;
use nightjar_model::{ByeReason, ConversationId, Metric, Reject, Secret};
use nightjar_wire::{Body, Kind, Packet, body};

use crate::proofs::Proofs;
use crate::pulse::{Beat, Pulse};
use crate::requests::Asked;
use crate::state::Move;
use crate::then::Then;
use crate::{
    Client, ConnectPhase, ConnectionId, Ended, Event, KeepAlive, NeedToken, Output, State, defaults,
};

/// The protocol this client speaks.
const PROTOCOL: u32 = 1;

impl Client {
    pub(crate) fn start(&mut self) {
        self.is_wanted = true;
        if self.app.is_on_screen() {
            self.metrics.came.get_or_insert(self.now.mono);
        }
        self.ask_for_spool();
        self.dial_from_rest();
        self.moved(Move::Start);
    }

    /// Whoever rests without a connection has no wait before the next attempt.
    pub(crate) fn dial_from_rest(&mut self) {
        if matches!(self.state, State::Idle | State::Suspended | State::Draining) {
            self.dialer.afresh(self.now.mono);
        }
    }

    pub(crate) fn stop(&mut self) {
        if self.is_logging_out {
            return self.end(Ended::LoggedOut { confirmed: false });
        }
        self.is_wanted = false;
        if self.is_open {
            self.acknowledge_now();
            self.say_bye(ByeReason::Background);
        }
        self.drop_connection();
        self.moved(Move::Stop);
    }

    /// The user signed in again.
    pub(crate) fn log_in(&mut self, token: Secret<String>) {
        if matches!(self.state, State::LoggedOut | State::Kicked) {
            self.identity.token = token;
            self.forget_told_bindings();
            self.forget_what_is_owed();
            self.is_wanted = true;
            self.dialer.token(true);
            self.dialer.afresh(self.now.mono);
        }
        self.moved(Move::Login);
    }

    /// The token the app was asked for, or a newer one for the next hello.
    pub(crate) fn take_token(&mut self, token: Secret<String>) {
        self.identity.token = token;
        let was_needed = self.dialer.token(true);
        if was_needed && self.state == State::OfflineBackoff {
            self.dialer.now(self.now.mono);
            self.moved(Move::Wanted);
        }
    }

    /// The user wants something sent or seen: a wait is not worth its while any more.
    pub(crate) fn nudge(&mut self) {
        if self.state == State::OfflineBackoff {
            self.dialer.nudge(self.now.mono);
            self.moved(Move::Wanted);
        }
    }

    /// Starts an attempt.
    pub(crate) fn dial(&mut self) {
        self.has_line = true;
        self.metrics.count(Metric::ConnectAttempts);
        self.metrics.connecting.get_or_insert(self.now.mono);
        self.connection = self.next_connection();
        self.until = self.now.mono.after(defaults::CONNECT_MS);
        let to = self.dialer.dial();
        let (connection, within_ms) = (self.connection, defaults::CONNECT_MS);
        self.output(Output::Connect { connection, to, within_ms });
    }

    pub(crate) fn connected(&mut self, connection: ConnectionId) {
        self.switch_to(connection);
        if connection != self.connection || !self.moved(Move::Opened) {
            return;
        }
        self.until = self.now.mono.after(defaults::HELLO_MS);
        // Should the answer be lost, the server knows this device and the store has to know that.
        self.is_fresh = !std::mem::replace(&mut self.account.said_hello, true);
        self.is_account_touched |= self.is_fresh;
        self.thens.push(Then::Hello(connection));
    }

    pub(crate) fn say_hello(&mut self, connection: ConnectionId) {
        if connection != self.connection || self.state != State::Handshaking {
            return;
        }
        let (app_state, grace_ms) = match self.is_errand {
            true => ("background", Some(0)),
            false => self.app.told(self.now.mono),
        };
        // A hello cannot name the conversation that is open.
        self.app.is_untold = self.app.open().is_some();
        let hello = body::Hello {
            token: self.identity.token.expose().clone(),
            device_id: self.identity.device_id.to_string(),
            platform: self.config.platform.as_str().to_owned(),
            app_state: app_state.to_owned(),
            resume: self.account.resume.as_ref().map(|token| token.expose().clone()),
            sync: self.account.sync.clone(),
            client: self.config.client.clone(),
            protocol: Some(PROTOCOL),
            grace_ms,
            heartbeat_s: self.slow_s(),
        };
        self.ask(Asked::Hello, Kind::Hello, Body::Hello(hello));
    }

    pub(crate) fn greeted(&mut self, answer: body::HelloAnswer) {
        if !self.moved(Move::Greeted) {
            return;
        }
        self.is_open = true;
        if self.is_logging_out {
            return self.say_what_is_owed();
        }
        // Signed in again, the device is to be pushed after all.
        self.forget_what_is_owed();
        let now = self.now.mono;
        self.dialer.online(now);
        self.measure_greeting();
        self.metrics.told_from = now.after(defaults::METRICS_FIRST_MS);
        self.signed_in(answer.push_token_scope);
        self.pulse = Pulse::new(answer.heartbeat_s, self.dice.fraction(), now);
        self.adaptive.connected();
        self.pace();
        self.app.greeted(answer.resumed);
        self.account.resume = Some(Secret::new(answer.resume));
        self.is_account_touched = true;
        (self.ask_from, self.send_from) = (now, now);
        self.wants_sync = self.config.syncs;
        if answer.bv == self.account.bv && answer.unread != self.account.unread {
            self.metrics.count(Metric::BadgeDrift);
        }
        self.badge(answer.unread, answer.bv);
        self.take_up_places();
        self.resume_messages();
        if !self.config.syncs {
            self.moved(Move::Synced);
            self.is_fresh_now();
        }
    }

    fn measure_greeting(&mut self) {
        let (now, metrics) = (self.now.mono, &mut self.metrics);
        let (connecting, lost) = (metrics.connecting.take(), metrics.lost.take());
        metrics.end(Metric::ConnectTime, connecting, now);
        metrics.end(Metric::ReconnectTime, lost, now);
        metrics.greeted = Some(now);
        metrics.count_restrictions();
    }

    /// What the last connection may have left unsaid is said again.
    fn take_up_places(&mut self) {
        let newest = self.uses.saturating_sub(defaults::RETOLD_MAX);
        let is_foreground = self.app.is_foreground();
        let mut again: Vec<ConversationId> = Vec::new();
        let mut owing = Vec::new();
        let mut gaps = Vec::new();
        for (conversation, place) in &mut self.places {
            let was_told = place.told_stored > 0 || place.told_surfaced > 0;
            place.reconnected();
            place.advance_surfaced(is_foreground);
            if was_told || place.is_unacked || place.used >= newest {
                again.push(conversation.clone());
            }
            if place.owes_read() {
                owing.push(conversation.clone());
            }
            if place.has_gap() {
                gaps.push(conversation.clone());
            }
        }
        again.iter().for_each(|conversation| self.owe_ack(conversation));
        owing.into_iter().for_each(|conversation| self.owe_read(conversation));
        gaps.iter().for_each(|conversation| self.notice_gap(conversation));
    }

    /// An attempt failed, and the shell knows how far it came.
    pub(crate) fn connect_failed(&mut self, connection: ConnectionId, phase: ConnectPhase) {
        if self.is_rival(connection) || connection == self.connection && self.has_line {
            self.metrics.count(match phase {
                ConnectPhase::Name => Metric::ConnectFailedName,
                ConnectPhase::Reach => Metric::ConnectFailedReach,
                ConnectPhase::Tls => Metric::ConnectFailedTls,
            });
        }
        self.closed(connection);
    }

    pub(crate) fn closed(&mut self, connection: ConnectionId) {
        if self.is_rival(connection) {
            self.rival = None;
        } else if connection == self.connection && self.has_line {
            self.lost_for_a_rival();
        }
    }

    /// The attempt failed or the connection is gone, or as good as gone.
    pub(crate) fn lost(&mut self) {
        let now = self.now.mono;
        if self.is_open {
            self.metrics.lost = self.app.is_foreground().then_some(now);
        } else {
            self.attempt_failed();
        }
        self.dialer.lost(self.now.mono, self.dice);
        self.leave(Move::Lost);
    }

    fn attempt_failed(&mut self) {
        self.metrics.count(Metric::ConnectFailed);
        if self.state == State::Handshaking {
            self.metrics.count(Metric::ConnectFailedHello);
        }
    }

    /// The connection goes; where to, the table says.
    fn leave(&mut self, event: Move) {
        if self.is_logging_out {
            return self.end(Ended::LoggedOut { confirmed: false });
        }
        self.drop_connection();
        self.moved(event);
    }

    /// The process was frozen: its socket is dead, whatever it looks like.
    pub(crate) fn thawed(&mut self) {
        if self.has_line && self.state != State::Connecting {
            self.metrics.count(Metric::ZombieSocket);
        }
        self.dialer.afresh(self.now.mono);
        self.leave(Move::Slept);
    }

    /// The server does not take the token.
    fn needs_token(&mut self, why: NeedToken) {
        if self.is_logging_out {
            // Without a token nothing can be told.
            self.forget_what_is_owed();
            return self.end(Ended::LoggedOut { confirmed: false });
        }
        if !self.is_open {
            self.attempt_failed();
        }
        self.dialer.token(false);
        self.drop_connection();
        if self.moved(Move::TokenBad) {
            self.tell(Event::TokenNeeded(why));
        }
    }

    /// Over, until the user signs in again or for good.
    pub(crate) fn end(&mut self, why: Ended) {
        let event = match why {
            Ended::LoggedOut { .. } => Move::LoggedOut,
            Ended::Kicked { .. } | Ended::Replaced | Ended::Refused(_) => Move::Kicked,
            Ended::Protocol | Ended::StoreFailed => Move::Failed,
        };
        let was_errand = self.is_errand;
        if self.moved(event) {
            (self.is_logging_out, self.is_errand) = (false, false);
            if self.account.owes_unbind.is_some() {
                self.dialer.lost(self.now.mono, self.dice);
            }
            if !matches!(why, Ended::StoreFailed) {
                self.account.resume = None;
                self.is_account_touched = true;
            }
            self.drop_connection();
            if matches!(why, Ended::LoggedOut { .. } | Ended::Kicked { .. }) {
                self.forget_notes();
            }
            if matches!(why, Ended::Kicked { .. } | Ended::LoggedOut { confirmed: true }) {
                self.forget_what_is_owed();
            }
            // An errand that failed is no news.
            if !was_errand || matches!(why, Ended::LoggedOut { confirmed: true }) {
                self.tell(Event::Ended(why));
            }
        }
    }

    pub(crate) fn drop_connection(&mut self) {
        self.drop_rival();
        if std::mem::take(&mut self.has_line) {
            if self.state == State::Handshaking && !Sabotage::StrayHelloEnds.is_on() {
                self.stray_until = self.now.mono.after(defaults::STRAY_MS);
            }
            self.output(Output::Close(self.connection));
        }
        self.is_open = false;
        self.network_lost_at = None;
        self.is_fresh = false;
        self.outbox.link_lost();
        self.proofs = Proofs::default();
        self.bindings_unanswered();
        for asked in self.requests.clear() {
            self.unanswered(asked);
        }
    }

    fn unanswered(&mut self, asked: Asked) {
        let kind = match asked {
            Asked::Fill(conversation, ..) => {
                if let Some(place) = self.places.get_mut(&conversation) {
                    place.is_filling = false;
                }
                return;
            }
            Asked::Read(conversation, _) => {
                if let Some(place) = self.places.get_mut(&conversation) {
                    place.is_telling_read = false;
                }
                return;
            }
            Asked::AppState => return self.metrics.count(Metric::AppStateLost),
            Asked::History(_) => Kind::History,
            Asked::Amend(kind, _) => kind,
            Asked::Contact => Kind::Contact,
            _ => return,
        };
        self.tell(Event::Refused { kind, reject: None });
    }

    pub(crate) fn online_time_passed(&mut self) {
        let now = self.now.mono;
        if self.is_logging_out && self.until <= now {
            return self.end(Ended::LoggedOut { confirmed: false });
        }
        let is_long = |at: nightjar_model::Mono| now.since(at) >= defaults::NETWORK_LOST_MS;
        if self.network_lost_at.is_some_and(is_long) {
            return self.lost();
        }
        if self.rival.as_ref().is_some_and(|rival| rival.until <= now) {
            self.drop_rival();
        }
        let late = self.requests.late(now);
        let is_for_the_user =
            |asked: &Asked| matches!(asked, Asked::History(_) | Asked::Amend(..) | Asked::Contact);
        let is_lost = !late.iter().all(is_for_the_user);
        late.into_iter().for_each(|asked| self.unanswered(asked));
        if is_lost {
            return self.lost();
        }
        self.beat();
    }

    fn beat(&mut self) {
        let now = self.now.mono;
        if self.is_behind() {
            self.pulse.heard(now);
        }
        match self.pulse.beat(now) {
            Beat::Rest => {}
            Beat::Ping => {
                if let Some(asked) = self.pulse.asked() {
                    self.metrics.time(Metric::HeartbeatInterval, u64::from(asked.interval_s));
                }
                self.ask(Asked::Ping, Kind::Ping, Body::Empty);
            }
            Beat::Dead => {
                let found =
                    self.pulse.asked().and_then(|asked| self.adaptive.unanswered(asked, now));
                if let Some(found_s) = found {
                    self.metrics.time(Metric::NatTimeout, u64::from(found_s));
                }
                self.metrics.time(Metric::DeadDetect, now.since(self.pulse.heard_at()));
                self.lost_for_a_rival();
            }
        }
    }

    // A process that stays in the background.

    /// Nobody is in front of it, and the system does not freeze it.
    pub(crate) fn is_patient(&self) -> bool {
        self.config.keep_alive == KeepAlive::Persistent && !self.app.is_on_screen()
    }

    /// The silence it keeps, in seconds, where that is longer than the server's heartbeat.
    fn slow_s(&self) -> Option<u32> {
        self.adaptive.interval_s().filter(|_| self.is_patient())
    }

    /// Asks and dials as often as somebody in front of it, or nobody, needs.
    pub(crate) fn pace(&mut self) {
        self.dialer.patience(self.is_patient());
        self.pulse.slow_down(self.slow_s());
    }

    /// Something was heard; what that shows of the network the server has to know, too.
    pub(crate) fn heard_from_server(&mut self) {
        let now = self.now.mono;
        let Some(asked) = self.pulse.heard(now) else { return };
        let before = self.slow_s();
        self.adaptive.answered(asked, now);
        self.pace();
        self.app.is_untold |= self.is_open && self.slow_s() != before;
    }

    pub(crate) fn say_bye(&mut self, reason: ByeReason) {
        let bye = body::Bye { reason: reason.as_str().to_owned(), ..body::Bye::default() };
        self.send(&Packet::one_way(Kind::Bye, Body::Bye(bye)));
    }

    /// What came cannot be read. Once may be bad luck.
    pub(crate) fn misread(&mut self) {
        self.say_bye(ByeReason::Protocol);
        self.disagreed();
    }

    fn disagreed(&mut self) {
        match self.dialer.misread() {
            defaults::PROTOCOL_ERRORS_MAX.. => self.end(Ended::Protocol),
            _ => self.lost(),
        }
    }

    /// The server ends it.
    pub(crate) fn told_bye(&mut self, bye: body::Bye) {
        let reason = ByeReason::ALL.into_iter().find(|reason| reason.as_str() == bye.reason);
        match reason {
            _ if self.is_logging_out => self.end(Ended::LoggedOut { confirmed: false }),
            Some(ByeReason::Kicked) => self.end(Ended::Kicked { text: bye.text }),
            // Once: if it was somebody else, they will say so again.
            Some(ByeReason::Replaced) if self.now.mono < self.stray_until => {
                self.stray_until = self.now.mono;
                self.lost();
            }
            Some(ByeReason::Replaced) => self.end(Ended::Replaced),
            Some(ByeReason::Expired) => self.needs_token(NeedToken::Expired),
            Some(ByeReason::Protocol) => self.disagreed(),
            Some(ByeReason::Drain) => {
                let after_ms = bye.reconnect_after_ms.unwrap_or(0);
                self.dialer.asked(after_ms, bye.redirect.as_deref(), self.now.mono, self.dice);
                self.leave(Move::Lost);
            }
            Some(ByeReason::Slow | ByeReason::Background) | None => {
                self.dialer.lost(self.now.mono, self.dice);
                if let Some(after_ms) = bye.reconnect_after_ms {
                    self.dialer.not_within(after_ms, self.now.mono, self.dice);
                }
                self.leave(Move::Lost);
            }
        }
    }

    /// The server does not take the hello.
    pub(crate) fn refused_hello(&mut self, reject: Option<Reject>, retry: bool) {
        match reject {
            Some(Reject::BadToken) => self.needs_token(NeedToken::Bad),
            Some(Reject::TokenExpired) => self.needs_token(NeedToken::Expired),
            Some(Reject::TokenRevoked) => self.end(Ended::Kicked { text: None }),
            Some(reject) if !retry => self.end(Ended::Refused(reject)),
            None if !retry => self.end(Ended::Refused(Reject::Internal)),
            // A drain names its moment in the bye that follows.
            Some(Reject::Draining) => {}
            _ => self.lost(),
        }
    }

    pub(crate) fn came_to_screen(&mut self, conversation: Option<ConversationId>) {
        let (was_on_screen, was_seen) = (self.app.is_on_screen(), self.app.is_foreground());
        if let Some(conversation) = &conversation {
            self.clear_notifications(conversation);
        }
        if self.is_open && self.app.budget().is_some() {
            self.metrics.count(Metric::GraceReturn);
        }
        self.app.foreground(conversation);
        self.pace();
        if !was_on_screen {
            self.is_account_touched |= std::mem::take(&mut self.account.is_leaving);
            self.release();
            match self.state {
                State::OfflineBackoff => self.dialer.nudge(self.now.mono),
                _ => self.dial_from_rest(),
            }
            self.moved(Move::Foreground);
            self.metrics.came = Some(self.now.mono);
            if self.state == State::OnlineFg && !self.wants_sync {
                let came = self.metrics.came.take();
                self.metrics.end(Metric::ForegroundToFresh, came, self.now.mono);
            }
        }
        if !was_seen {
            self.show_everything();
            self.read_what_was_held();
        }
    }

    /// Somebody looks at the app on the screen, or nobody does.
    pub(crate) fn look(&mut self, is_active: bool) {
        let was_seen = self.app.is_foreground();
        self.app.look(is_active);
        if self.app.is_foreground() && !was_seen {
            self.show_everything();
            self.read_what_was_held();
        }
    }

    /// The server is told before anything else.
    pub(crate) fn tell_app_state(&mut self) {
        if !std::mem::take(&mut self.app.is_untold) {
            return;
        }
        let (state, grace_ms) = self.app.told(self.now.mono);
        let conversation = self.app.open().map(ConversationId::to_string);
        let (order, is_new_block) = self.app.next_order(self.now.mono);
        self.is_account_touched |= is_new_block;
        let (state, heartbeat_s) = (state.to_owned(), self.slow_s());
        let state = body::AppState { state, grace_ms, conversation, order, heartbeat_s };
        self.ask(Asked::AppState, Kind::AppState, Body::AppState(state));
    }
}
