//! How faults strike: at random, and out of an ambush that waits for a client to be in a state.

use nightjar_client_core::{Input, State};

use crate::faults::{Fault, Seat, impossible, seats};
use crate::network::Down;
use crate::phone::{App, PhoneNo, Screen};
use crate::provider::Mood;
use crate::server::Trouble;
use crate::world::{What, World};

/// What the system grants an app that leaves the screen.
const GRANT_MS: u32 = 25_000;
/// A state that is over in a moment is stretched by so long, so that a push may fall into it.
const STRETCH_MS: u64 = 4_000;

impl World {
    /// Some fault waits for a phone to be in some state, and the phone is led there.
    pub(crate) fn lay_ambush(&mut self, no: PhoneNo) {
        if self.phones[no].is_stranger {
            return;
        }
        let fault = Fault::ALL[self.rng.usize(0..Fault::ALL.len())];
        let possible: Vec<Seat> =
            seats().filter(|seat| impossible(fault, *seat).is_none()).collect();
        let Some(seat) = self.rng.choice(possible) else { return };
        self.phones[no].ambush = Some((seat, fault));
        self.lead_to(no, (seat, fault));
        self.spring_ambush(no);
    }

    fn lead_to(&mut self, no: PhoneNo, (seat, fault): (Seat, Fault)) {
        let is_signed_in = self.phones[no].is_signed_in;
        let is_away = matches!(fault, Fault::Grant | Fault::Doze);
        match seat {
            Some(State::LoggedOut) if is_signed_in => {
                let unbind = self.rng.bool();
                self.logout(no, unbind);
            }
            Some(State::Kicked) if is_signed_in => self.kick(no),
            _ if !is_signed_in => self.sign_in(no),
            None => self.jetsam(no),
            Some(State::Failed) => self.fail_store(no),
            Some(State::OnlineBgGrace | State::Suspended) => {
                self.foreground(no);
                self.leave(no, GRANT_MS);
            }
            Some(State::Draining) => self.lead_to_draining(no),
            Some(State::Idle) => {
                self.jetsam(no);
                self.foreground(no);
                self.leave(no, 0);
            }
            Some(State::OfflineBackoff) => self.lead_to_waiting(no, is_away),
            Some(State::Connecting | State::Handshaking | State::Syncing) if is_away => {
                self.foreground(no);
                self.leave(no, GRANT_MS);
                self.reset_links(no);
            }
            Some(State::Connecting | State::Handshaking | State::Syncing) => {
                self.jetsam(no);
                self.foreground(no);
            }
            Some(_) => self.foreground(no),
        }
    }

    /// What was written keeps the app from its end until the time for it is up, and then a while.
    fn lead_to_draining(&mut self, no: PhoneNo) {
        self.foreground(no);
        self.write_to_anybody(no);
        self.leave(no, 8_000);
        self.hold_network(no, 12_000);
    }

    /// Nothing answers for a while, whatever the system says about networks.
    fn lead_to_waiting(&mut self, no: PhoneNo, is_away: bool) {
        self.foreground(no);
        self.write_to_anybody(no);
        if is_away {
            self.leave(no, GRANT_MS);
        }
        if self.rng.bool() && !is_away {
            return self.lose_network(no);
        }
        self.phones[no].dozes_until_ms = self.agenda.now_ms() + 10_000;
        self.reset_links(no);
    }

    fn write_to_anybody(&mut self, no: PhoneNo) {
        if let Some(to) = self.somebody_else(no) {
            self.write(no, &to, "one more thing");
        }
    }

    /// The app's connections end, and it hears of it.
    fn reset_links(&mut self, no: PhoneNo) {
        let conns: Vec<_> = self.phones[no].connections.values().copied().collect();
        for conn in conns {
            self.agenda.after(0, What::Down(conn, Down::End));
        }
    }

    /// Strikes if the phone's client is where it is waited for.
    pub(crate) fn spring_ambush(&mut self, no: PhoneNo) {
        let phone = &self.phones[no];
        let seat = match &phone.app {
            Some(App::Ours(client)) => Some(client.state()),
            Some(App::Strange(_)) => return,
            None => None,
        };
        if let Some((_, fault)) = self.phones[no].ambush.take_if(|(waits, _)| *waits == seat) {
            self.agenda.after(0, What::Strike(no, fault));
        }
    }

    /// A fault strikes where it can; most end by themselves after a while.
    pub(crate) fn strike(&mut self, no: PhoneNo, fault: Fault) {
        if self.is_ending || self.without.faults.contains(&fault) {
            return;
        }
        match fault {
            Fault::Kill | Fault::Power | Fault::Torn => self.crash(fault),
            Fault::Clock => {
                self.server.is_clock_back = true;
                self.crash(Fault::Kill);
            }
            Fault::Full | Fault::Broken | Fault::Slow | Fault::Stall => self.server_ails(fault),
            Fault::Late
            | Fault::Mute
            | Fault::Deaf
            | Fault::Throttle
            | Fault::Fails
            | Fault::Environment
            | Fault::Twice
            | Fault::Disorder
            | Fault::Gone
            | Fault::Newest
            | Fault::Worker => self.push_goes_wrong(no, fault),
            _ => self.phone_suffers(no, fault),
        }
    }

    fn server_ails(&mut self, fault: Fault) {
        match fault {
            Fault::Full => self.disk_fails(Trouble::Full),
            Fault::Broken => self.disk_fails(Trouble::Broken),
            Fault::Slow => {
                let ms = self.rng.u64(100..4_000);
                self.disk_takes(ms);
            }
            _ => {
                let ms = self.rng.u64(300..12_000);
                self.stall(ms);
            }
        }
        if fault != Fault::Stall {
            let after_ms = self.rng.u64(1_000..20_000);
            self.agenda.after(after_ms, What::DiskRecovers);
        }
    }

    /// The provider misbehaves, and something is pushed to the phone, whose client is kept where
    /// it is for a moment.
    fn push_goes_wrong(&mut self, no: PhoneNo, fault: Fault) {
        match fault {
            Fault::Twice => self.provider_doubles(),
            Fault::Disorder => self.pushes_overtake(),
            Fault::Newest => {
                self.provider_keeps_the_newest();
                self.lose_network(no);
                let after_ms = self.rng.u64(3_000..20_000);
                self.agenda.after(after_ms, What::Recovers(no));
            }
            Fault::Gone => {
                self.renew_token(no);
                let after_ms = self.rng.u64(0..30_000);
                self.agenda.after(after_ms, What::Bind(no));
            }
            _ => {
                let mood = Mood::ALL.into_iter().find(|mood| mood.fault() == Some(fault));
                if let Some(mood) = mood {
                    self.provider_is(mood);
                }
            }
        }
        let after_ms = self.rng.u64(2_000..90_000);
        self.agenda.after(after_ms, What::ProviderRecovers);
        self.hold_up(no, STRETCH_MS);
        let mut others = self.reference.owners.iter();
        let other = others.find(|uid| **uid != self.phones[no].uid).cloned();
        if let Some(other) = other {
            let to = self.phones[no].uid.to_string();
            self.back_end_writes(&other, &to, 4);
        }
    }

    fn phone_suffers(&mut self, no: PhoneNo, fault: Fault) {
        match fault {
            Fault::Offline => {
                self.lose_network(no);
                let after_ms = self.rng.u64(500..60_000);
                self.agenda.after(after_ms, What::Recovers(no));
            }
            Fault::HalfOpen => self.cut_links(no),
            Fault::Nat => self.forget_links(no),
            Fault::Migration => self.switch_network(no),
            Fault::Hold => {
                let ms = self.rng.u64(200..20_000);
                self.hold_network(no, ms);
            }
            Fault::Reorder => self.overtake_old(no),
            Fault::Freeze => self.freeze(no),
            Fault::Buffer => {
                self.freeze(no);
                let (from, to) = (self.phones[no].uid.clone(), self.phones[no].uid.to_string());
                let other = self.reference.owners.iter().find(|uid| **uid != from).cloned();
                if let Some(other) = other {
                    self.back_end_writes(&other, &to, 3);
                }
            }
            Fault::Grant => self.expire_grant(no),
            Fault::Jetsam => self.jetsam(no),
            Fault::ForceQuit => self.force_quit(no),
            Fault::Reboot => self.reboot(no),
            Fault::Doze => {
                let ms = self.rng.u64(20_000..600_000);
                self.doze(no, ms);
            }
            Fault::Disk => self.fail_store(no),
            Fault::Overtaken => {
                self.phones[no].is_hasty = true;
                self.background(no, 5_000);
                self.foreground(no);
            }
            _ => {}
        }
    }

    /// The system ends the app; its notifications stay.
    pub(crate) fn jetsam(&mut self, no: PhoneNo) {
        if self.phones[no].app.is_some() {
            self.tell(no, || "has its app ended by the system".into());
            self.reference_sees_screen(no);
            self.hit(Fault::Jetsam, no);
            self.end_app(no);
        }
    }

    /// The user ends the app for good: what is pushed wakes nothing before it is opened again.
    pub fn force_quit(&mut self, no: PhoneNo) {
        if self.phones[no].app.is_some() {
            self.tell(no, || "has its app ended by force".into());
            self.reference_sees_screen(no);
            self.hit(Fault::ForceQuit, no);
            self.end_app(no);
            self.phones[no].is_quit = true;
        }
    }

    /// The phone starts anew. Its disk cannot be read before somebody unlocks it.
    pub fn reboot(&mut self, no: PhoneNo) {
        self.tell(no, || "starts anew, and is locked".into());
        self.reference_sees_screen(no);
        self.hit(Fault::Reboot, no);
        self.cut(no);
        self.end_app(no);
        self.end_extensions(no);
        self.phones[no].shade.clear();
        self.phones[no].is_locked = true;
        let after_ms = self.rng.u64(1_000..120_000);
        self.agenda.after(after_ms, What::Unlocks(no));
    }

    pub(crate) fn unlock(&mut self, no: PhoneNo) {
        if std::mem::take(&mut self.phones[no].is_locked) {
            self.tell(no, || "is unlocked".into());
        }
    }

    /// The phone lies still: the system takes the app's network for so long and says nothing.
    /// Pushes come all the same.
    pub fn doze(&mut self, no: PhoneNo, ms: u64) {
        if self.phones[no].is_foreground() {
            return;
        }
        self.tell(no, || format!("dozes for {ms} ms"));
        self.hit(Fault::Doze, no);
        let until_ms = self.agenda.now_ms() + ms;
        self.phones[no].dozes_until_ms = until_ms;
        self.delay(no, ms);
    }

    /// The app's store fails; the user starts the app again when they see it.
    pub fn fail_store(&mut self, no: PhoneNo) {
        let phone = &self.phones[no];
        if phone.app.is_none() || phone.is_frozen || phone.is_stranger || phone.is_disk_broken {
            return;
        }
        self.tell(no, || "cannot write to its disk".into());
        self.hit(Fault::Disk, no);
        self.phones[no].is_disk_broken = true;
        self.phones[no].disk.lose(false);
        self.feed(no, Input::CommitFailed);
    }

    /// The system takes back what is left of the time it granted.
    pub fn expire_grant(&mut self, no: PhoneNo) {
        let phone = &self.phones[no];
        if phone.is_held && !phone.is_frozen && !phone.is_foreground() {
            self.tell(no, || "is told that its time in the background ends".into());
            self.hit(Fault::Grant, no);
            self.feed(no, Input::BudgetExpiring);
            self.plan_freeze(no, 1_000);
        }
    }

    /// A NAT forgets the phone's connections: what the server sends is lost, and what the app
    /// writes is answered with an end.
    pub fn forget_links(&mut self, no: PhoneNo) {
        if !self.phones[no].connections.is_empty() {
            self.tell(no, || "is forgotten by its NAT".into());
            self.hit(Fault::Nat, no);
            self.forget(no);
        }
    }

    /// Another network than before; what ran over the old one may go on for a while or not.
    pub fn switch_network(&mut self, no: PhoneNo) {
        if !self.phones[no].has_network {
            return;
        }
        let is_cut = self.rng.bool();
        self.tell(no, || {
            let rest = if is_cut { "; the old one is gone" } else { "" };
            format!("has another network{rest}")
        });
        self.hit(Fault::Migration, no);
        if is_cut {
            self.cut(no);
        }
        self.phones[no].is_told_of_network = false;
        self.tell_network(no);
    }

    /// The app's connections end for the app at once; what they carry to the server comes late,
    /// after the words of the next one.
    pub fn overtake_old(&mut self, no: PhoneNo) {
        if self.phones[no].connections.is_empty() || self.phones[no].is_frozen {
            return;
        }
        let late_ms = self.draw(1_000..=8_000);
        self.tell(no, || {
            format!("loses its connections; what they carry arrives {late_ms} ms later")
        });
        self.hit(Fault::Reorder, no);
        self.hold_up_words(no, late_ms);
        self.reset_links(no);
    }

    /// The system that froze the app lets it run for a moment.
    pub(crate) fn wake(&mut self, no: PhoneNo) {
        let phone = &self.phones[no];
        if phone.app.is_some()
            && phone.is_frozen
            && matches!(phone.screen, Screen::Background { .. })
        {
            self.tell(no, || "is woken in the background".into());
            self.run_on(no);
            self.feed(no, Input::Woken { budget_ms: GRANT_MS });
            self.plan_freeze(no, u64::from(GRANT_MS) + 500);
        }
    }
}
