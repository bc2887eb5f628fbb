//! What happens at random: people, operating systems, networks, operators, bad luck.

use nightjar_model::{AppStateReport, ClientMsgId, Command, NotificationId, SendCommand, Uid};

use crate::acts::{target, uid};
use crate::faults::Fault;
use crate::phone::{App, Phone, PhoneNo};
use crate::play::Play;
use crate::provider::Mood;
use crate::world::{Weather, What, World};

/// Who may be in it.
const PEOPLE: [&str; 6] = ["alice", "bob", "carol", "dave", "erin", "frank"];
/// A sentence from nobody is as good as another.
const WORDS: [&str; 8] = ["hello", "are you there", "yes", "no", "later", "now", "look", "ok"];

/// People act from then on,
const ARRIVED_MS: u64 = 3_000;
/// or once everybody got in, but not later than this.
const ARRIVED_WITHIN_MS: u64 = 60_000;

impl World {
    /// A world in which everything may go wrong, drawn from the seed.
    pub(crate) fn wild(seed: u64, is_written: bool) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed);
        let latency = [1..=5, 10..=80, 30..=400][rng.usize(0..3)].clone();
        let disk = [1..=4, 2..=30, 20..=150][rng.usize(0..3)].clone();
        let weather = Weather {
            latency_ms: latency,
            commit_ms: 1..=40,
            disk_ms: disk,
            is_wild: true,
            night_until_ms: 0,
        };
        let waiting_max = [2, 8, 256][rng.usize(0..3)];
        Self::new(seed, weather, waiting_max, Play::new(is_written))
    }

    /// People come, and everything happens to them for a while.
    pub(crate) fn live(&mut self) {
        self.start_server();
        self.people_arrive();
        self.acts_until_ms = self.rng.u64(60_000..900_000);
        self.run_until(ARRIVED_MS);
        while !self.have_arrived() && self.agenda.now_ms() < ARRIVED_WITHIN_MS {
            self.run_until(self.agenda.now_ms() + 1_000);
        }
        self.agenda.after(0, What::Act);
        // A night makes it longer.
        while self.violation.is_none() && self.agenda.now_ms() < self.acts_until_ms {
            self.run_until(self.acts_until_ms);
        }
    }

    /// Every first login was answered. The server starts a device it never saw at the newest
    /// entries of that moment, and the checks ask for all: so nothing is written before.
    fn have_arrived(&self) -> bool {
        self.phones.iter().all(|phone| match &phone.app {
            Some(App::Ours(client)) => client.is_online(),
            _ => true,
        })
    }

    fn people_arrive(&mut self) {
        let count = self.rng.usize(2..=4);
        for name in &PEOPLE[..count] {
            self.api(Command::PutUser {
                uid: uid(name),
                name: Some(name.to_uppercase()),
                avatar: None,
            });
            for device in ["phone", "laptop", "tablet"].iter().take(self.rng.usize(1..=3)) {
                let is_stranger = self.rng.u32(0..12) == 0;
                let mut phone = Phone::new(&format!("{name}/{device}"), is_stranger);
                phone.is_hasty = self.rng.bool();
                phone.is_granted = self.rng.bool();
                phone.has_extension = !is_stranger && self.rng.u32(0..3) == 0;
                let nat_s = self.rng.u64(60..900);
                phone.nat_ms = self.rng.bool().then_some(nat_s * 1_000);
                let is_bound = self.rng.u32(0..10) > 0;
                let no = self.add_phone(phone);
                if self.without.phones.contains(&no) {
                    continue;
                }
                self.sign_in(no);
                if is_bound {
                    self.bind(no);
                }
            }
        }
        if self.rng.u32(0..5) < 3 {
            let size = if self.rng.bool() { count } else { PEOPLE.len() };
            self.group("crew", &PEOPLE[..size]);
        }
    }

    /// One thing at random, and the moment of the next.
    pub(crate) fn next_act(&mut self) {
        if self.agenda.now_ms() >= self.acts_until_ms {
            return;
        }
        let mut dice = self.dice_of_act();
        std::mem::swap(&mut self.rng, &mut dice);
        let wait_ms = self.until_next_act();
        if !self.without.acts.contains(&self.acts) {
            self.act_at_random();
        }
        std::mem::swap(&mut self.rng, &mut dice);
        self.agenda.after(wait_ms, What::Act);
    }

    fn act_at_random(&mut self) {
        let no = self.rng.usize(0..self.phones.len());
        if self.without.phones.contains(&no) {
            return;
        }
        match self.rng.u32(0..100) {
            0..26 => self.somebody_writes(),
            26..30 => self.lay_ambush(no),
            30..39 => self.somebody_reads(),
            39..41 => self.somebody_recalls(no),
            41..75 => self.system_acts(no),
            75..79 => self.somebody_dismisses(no),
            79..85 => self.account_acts(no),
            85..92 => self.server_suffers(),
            92..96 => self.provider_suffers(),
            _ => self.back_end_acts(no),
        }
    }

    /// Most things come at once or within seconds; in a night, within minutes.
    fn until_next_act(&mut self) -> u64 {
        let now_ms = self.agenda.now_ms();
        if now_ms < self.weather.night_until_ms {
            return self.rng.u64(10_000..150_000);
        }
        match self.rng.u32(0..400) {
            0 => {
                let ms = self.rng.u64(600_000..8 * 3_600_000);
                self.weather.night_until_ms = now_ms + ms;
                // A night makes the run longer, not shorter.
                self.acts_until_ms += ms;
                // In a few nothing happens at all.
                if self.rng.u32(0..20) == 0 { ms } else { 60_000 }
            }
            1..80 => self.rng.u64(0..200),
            80..280 => self.rng.u64(200..4_000),
            _ => self.rng.u64(2_000..20_000),
        }
    }

    fn somebody_writes(&mut self) {
        let writers: Vec<PhoneNo> = (0..self.phones.len())
            .filter(|no| self.phones[*no].is_watched() && !self.phones[*no].is_stranger)
            .collect();
        let Some(no) = self.rng.choice(writers) else { return };
        let Some(to) = self.somebody_else(no) else { return };
        for _ in 0..self.rng.u32(1..=4) {
            let text = self.rng.choice(WORDS).expect("there are words");
            let is_silent = self.rng.u32(0..20) == 0;
            self.write_with(no, &to, text, is_silent);
        }
    }

    /// Another user, or a group.
    pub(crate) fn somebody_else(&mut self, no: PhoneNo) -> Option<String> {
        let own = self.phones[no].uid.clone();
        let mut others: Vec<String> = self
            .reference
            .owners
            .iter()
            .filter(|uid| **uid != own)
            .map(ToString::to_string)
            .collect();
        others.dedup();
        if self.reference.has_groups() {
            others.push("#crew".into());
        }
        self.rng.choice(others)
    }

    fn somebody_reads(&mut self) {
        let readers: Vec<PhoneNo> =
            (0..self.phones.len()).filter(|no| self.phones[*no].is_watched()).collect();
        let Some(no) = self.rng.choice(readers) else { return };
        if let Some(with) = self.somebody_else(no) {
            self.read(no, &with);
        }
    }

    fn somebody_recalls(&mut self, no: PhoneNo) {
        if self.phones[no].is_watched()
            && let Some(with) = self.somebody_else(no)
        {
            self.recall(no, &with);
        }
    }

    fn somebody_dismisses(&mut self, no: PhoneNo) {
        let shown: Vec<NotificationId> = self.phones[no].shade.keys().cloned().collect();
        if let Some(id) = self.rng.choice(shown) {
            self.dismiss(no, &id);
        }
    }

    /// What operating systems and networks do to an app.
    fn system_acts(&mut self, no: PhoneNo) {
        let phone = &self.phones[no];
        let (runs, is_foreground) = (phone.app.is_some(), phone.is_foreground());
        let has_network = phone.has_network;
        match self.rng.u32(0..30) {
            0..8 if runs && is_foreground && phone.is_granted => {
                let budget_ms = [0, 3_000, 10_000, 25_000][self.rng.usize(0..4)];
                self.leave(no, budget_ms);
            }
            0..8 if runs && is_foreground => {
                let grace_ms = [0, 0, 5_000, 25_000, -1][self.rng.usize(0..5)];
                self.background(no, grace_ms);
                if grace_ms >= 0 && self.rng.u32(0..4) > 0 {
                    let after_ms = grace_ms.unsigned_abs() + self.rng.u64(0..6_000);
                    self.plan_freeze(no, after_ms);
                }
            }
            0..10 if self.phones[no].is_signed_in => self.foreground(no),
            10..12 if runs && !is_foreground && !self.phones[no].is_frozen => self.glance(no),
            10..14 => self.freeze(no),
            14..17 => self.thaw(no),
            17..19 if runs => self.swipe_away(no),
            19..22 if has_network => self.lose_network(no),
            19..25 if !has_network => self.find_network(no),
            25..27 => self.cut_links(no),
            27..29 => {
                let ms = self.rng.u64(200..20_000);
                self.tell(no, || format!("has a network that stands still for {ms} ms"));
                self.hold_up(no, ms);
            }
            _ => {}
        }
    }

    /// The app is on the screen for a moment and leaves it again.
    fn glance(&mut self, no: PhoneNo) {
        self.foreground(no);
        let after_ms = self.rng.u64(20..300);
        let boot = self.phones[no].boot;
        self.agenda.after(after_ms, What::Leave(no, boot));
    }

    /// What happens to accounts and tokens.
    fn account_acts(&mut self, no: PhoneNo) {
        let phone = &self.phones[no];
        let is_signed_in = phone.is_signed_in;
        match self.rng.u32(0..12) {
            0..3 if phone.is_watched() => {
                let unbind = self.rng.u32(0..3) > 0;
                self.logout(no, unbind);
            }
            0..7 if !is_signed_in => {
                self.sign_in(no);
                let after_ms = self.rng.u64(0..3_000);
                self.agenda.after(after_ms, What::Bind(no));
            }
            7 => self.kick(no),
            8..10 => {
                self.renew_token(no);
                let after_ms = self.rng.u64(0..30_000);
                self.agenda.after(after_ms, What::Bind(no));
            }
            10 => {
                let to = self.rng.usize(0..self.phones.len());
                if self.phones[to].uid != self.phones[no].uid && self.phones[to].is_signed_in {
                    self.hand_over(no, to);
                }
            }
            _ => {}
        }
    }

    fn server_suffers(&mut self) {
        match self.rng.u32(0..8) {
            0..3 => {
                let fault = [Fault::Kill, Fault::Power, Fault::Torn][self.rng.usize(0..3)];
                let steps = self.rng.u32(0..60);
                self.plan_crash(steps, fault);
            }
            3..5 => {
                let ms = self.rng.u64(300..12_000);
                self.stall(ms);
            }
            _ => {
                let ms = self.rng.u64(100..4_000);
                self.disk_takes(ms);
                let after_ms = self.rng.u64(1_000..20_000);
                self.agenda.after(after_ms, What::DiskRecovers);
            }
        }
    }

    fn provider_suffers(&mut self) {
        let mood = Mood::ALL[self.rng.usize(0..Mood::ALL.len())];
        self.provider_is(mood);
        let after_ms = self.rng.u64(2_000..90_000);
        self.agenda.after(after_ms, What::ProviderRecovers);
    }

    /// What the app's own servers do.
    fn back_end_acts(&mut self, no: PhoneNo) {
        let Some(to) = self.somebody_else(no) else { return };
        let count = if self.rng.u32(0..8) == 0 { self.rng.u32(110..150) } else { 1 };
        if self.rng.u32(0..4) == 0 {
            return self.back_end_reports(no);
        }
        let from = self.phones[no].uid.clone();
        self.back_end_writes(&from, &to, count);
    }

    /// The app's own servers write in somebody's name.
    pub(crate) fn back_end_writes(&mut self, from: &Uid, to: &str, count: u32) {
        self.play.line(self.agenda.now_ms(), "back end", || {
            format!("writes {count} messages to {to} for {from}")
        });
        for _ in 0..count {
            let id = format!("back-end-{}", self.api_calls);
            let send = SendCommand {
                to: target(to),
                client_msg_id: ClientMsgId::parse(&id).expect("it is short and plain"),
                content: br#"{"type":"text","text":"from the back end"}"#.as_slice().into(),
                sealed: false,
                push: None,
                expires_at: None,
            };
            self.api(Command::SendAs { from: from.clone(), send: Box::new(send) });
        }
    }

    fn back_end_reports(&mut self, no: PhoneNo) {
        let state = if self.phones[no].is_foreground() {
            AppStateReport::Foreground { conversation: None }
        } else {
            AppStateReport::Background { grace_ms: 0 }
        };
        let (uid, device_id) = (self.phones[no].uid.clone(), self.phones[no].device_id.clone());
        self.api(Command::ReportAppState { uid, device_id, state });
    }
}
