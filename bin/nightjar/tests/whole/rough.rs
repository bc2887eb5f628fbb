//! A rough day: real processes, each behind a network that fails, stopped and killed in an order
//! drawn from a seed. What the simulated world proves of the cores is asked here of the binary.
//!
//! ```text
//! NIGHTJAR_ROUGH_SEED=7 NIGHTJAR_ROUGH_ROUNDS=10 cargo nextest run -p nightjar --test whole -E 'test(/^rough/)'
//! ```

use std::collections::BTreeMap;
use std::time::SystemTime;

use nightjar_provider_servers::ApnsServer;
use nightjar_whole::{Chat, Person, Proxy, Server, ms_since_epoch, within};
use serde_json::Value;

use crate::setup;

/// From a message to its push or its showing: the deadline of the foreground and a second.
const SEEN_OR_PUSHED_MS: u64 = 6_000;
/// Open debts are pushed so soon after a server is ready again.
const AFTER_READY_MS: u64 = 2_000;

#[derive(Debug, Clone, Copy)]
enum Fault {
    TerminalFrozen,
    TerminalKilled,
    NetworkPaused,
    NetworkCut,
    ServerKilled,
}

const FAULTS: [Fault; 5] = [
    Fault::TerminalFrozen,
    Fault::TerminalKilled,
    Fault::NetworkPaused,
    Fault::NetworkCut,
    Fault::ServerKilled,
];

/// Somebody at a terminal, with a network of their own.
struct Desk {
    person: Person,
    proxy: Proxy,
    terminal: Option<Chat>,
    /// What was typed here, in order.
    typed: Vec<String>,
    /// What terminals that are gone printed.
    printed: Vec<String>,
}

impl Desk {
    async fn new(server: &Server, uid: &str, to: &str) -> Self {
        let person = Person::new(server, uid, to).await;
        let proxy = Proxy::start(server.native()).await;
        let token = format!("{uid}-token");
        server.api().bind(uid, &person.device_id(), ["apns", "main", &token]).await;
        Self { person, proxy, terminal: None, typed: Vec::new(), printed: Vec::new() }
    }

    async fn sits_down(&mut self, server: &Server) {
        let address = self.proxy.address().to_string();
        let mut terminal = self.person.chat(server.setup(), &[address]);
        terminal.until("online").await;
        self.terminal = Some(terminal);
    }

    fn terminal(&mut self) -> &mut Chat {
        self.terminal.as_mut().expect("somebody sits there")
    }

    async fn types(&mut self) -> String {
        let text = format!("{} writes no. {}", self.person.uid, self.typed.len() + 1);
        self.typed.push(text.clone());
        self.terminal().types(&text).await;
        text
    }

    /// Types a line and waits until the server has it.
    async fn says(&mut self) -> String {
        let text = self.types().await;
        self.terminal().until(&format!("{text}  ✓ sent")).await;
        text
    }

    async fn leaves(&mut self) {
        let terminal = self.terminal.take().expect("somebody sits there");
        self.printed.extend(terminal.kill().await);
    }
}

struct Day {
    server: Server,
    apns: ApnsServer,
    /// A writes to B, B to C, C to A.
    desks: Vec<Desk>,
    /// From when to when nobody could be served, in ms of the wall clock.
    outages: Vec<(u64, u64)>,
}

impl Day {
    async fn new() -> Self {
        let apns = ApnsServer::start().await;
        let server = setup().with(&apns.config("main")).start().await;
        let mut desks = Vec::new();
        for (uid, to) in [("alice", "bob"), ("bob", "carol"), ("carol", "alice")] {
            desks.push(Desk::new(&server, uid, to).await);
        }
        for desk in &mut desks {
            desk.sits_down(&server).await;
        }
        Self { server, apns, desks, outages: Vec::new() }
    }

    /// One fault that hits one person, from its begin to its end, while all of them write.
    async fn goes_wrong(&mut self, fault: Fault, who: usize) {
        let writer = (who + 2) % 3;
        match fault {
            Fault::TerminalFrozen => {
                self.desks[who].terminal().freeze();
                let text = self.desks[writer].says().await;
                self.pushed(who, &text).await;
                self.desks[who].types().await;
                self.desks[who].terminal().thaw();
            }
            Fault::TerminalKilled => {
                self.desks[who].leaves().await;
                let text = self.desks[writer].says().await;
                self.pushed(who, &text).await;
                self.desks[who].sits_down(&self.server).await;
            }
            Fault::NetworkPaused => {
                self.desks[who].proxy.pause();
                let text = self.desks[writer].says().await;
                self.desks[who].types().await;
                self.pushed(who, &text).await;
                self.desks[who].proxy.resume();
            }
            Fault::NetworkCut => {
                self.desks[who].types().await;
                self.desks[who].proxy.cut();
                self.desks[writer].says().await;
            }
            Fault::ServerKilled => {
                self.desks[writer].says().await;
                self.kill_the_server().await;
            }
        }
        for desk in &mut self.desks {
            desk.says().await;
        }
    }

    async fn kill_the_server(&mut self) {
        let from = ms_since_epoch(SystemTime::now());
        self.server.kill().await;
        self.server.assert_verified();
        self.server.start_again().await;
        self.outages.push((from, ms_since_epoch(self.server.ready_at())));
        for desk in &self.desks {
            desk.proxy.redirect(self.server.native());
        }
    }

    /// Waits until the push of the text is at its provider.
    async fn pushed(&self, who: usize, text: &str) {
        let token = format!("{}-token", self.desks[who].person.uid);
        let pushes = self.apns.wait_until(|pushes| {
            pushes
                .iter()
                .any(|push| push.token == token && push.json()["aps"]["alert"]["body"] == *text)
        });
        within(&format!("the push of '{text}'"), pushes).await;
    }

    /// The last moment at which somebody who was written to at `at` may still know nothing.
    fn latest(&self, at: u64) -> u64 {
        let mut latest = at + SEEN_OR_PUSHED_MS;
        for (from, to) in &self.outages {
            if *from <= latest && *to >= at {
                latest += to - from + AFTER_READY_MS;
            }
        }
        latest
    }

    /// P1 to P3 as an outsider can ask for them.
    async fn assert_promises(&self) {
        let api = self.server.api();
        let mut pushes: BTreeMap<(String, String), usize> = BTreeMap::new();
        for push in self.apns.requests() {
            let nid = push.json()["nid"].as_str().unwrap_or_default().to_owned();
            if !nid.is_empty() {
                *pushes.entry((push.token, nid)).or_default() += 1;
            }
        }
        let most = 1 + self.outages.len();
        assert!(pushes.values().all(|times| *times <= most), "{pushes:#?}");
        for (writer, desk) in self.desks.iter().enumerate() {
            let reader = &self.desks[(writer + 1) % 3];
            let (one, two) = (&desk.person.uid, &reader.person.uid);
            let (low, high) = if one < two { (one, two) } else { (two, one) };
            let history = api.whole_history(&format!("d:{low}:{high}"), one).await;
            let of_writer: Vec<_> =
                history.iter().filter(|message| message["from"] == one.as_str()).collect();
            let texts: Vec<_> = of_writer
                .iter()
                .filter_map(|message| message["content"]["text"].as_str())
                .collect();
            assert_eq!(texts, desk.typed, "what {one} typed is there once and in order");
            for message in of_writer {
                self.assert_known(two, message).await;
                let text = message["content"]["text"].as_str().unwrap_or_default();
                let shown = |line: &&String| line.ends_with(&format!(": {text}"));
                let times = reader.printed.iter().filter(shown).count();
                assert!(times <= 1, "{two} saw '{text}' {times} times");
            }
        }
    }

    /// The reader's device showed the message, or a provider had it, before it was too late.
    async fn assert_known(&self, reader: &str, message: &Value) {
        let api = self.server.api();
        let first = async {
            loop {
                let trace = api.trace(id(message), reader).await;
                let known = trace.iter().filter(|event| {
                    ["surfaced", "read", "provider"].iter().any(|step| event["step"] == *step)
                });
                if let Some(first) = known.filter_map(|event| event["at"].as_u64()).min() {
                    return first;
                }
            }
        };
        let first = within(&format!("{reader} to be told of {message}"), first).await;
        let latest = self.latest(message["at"].as_u64().expect("a time"));
        assert!(first <= latest, "{reader} was told {} ms late: {message}", first - latest);
    }
}

fn id(message: &Value) -> &str {
    message["message_id"].as_str().expect("an id")
}

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| text.parse().expect("a number"))
}

#[tokio::test]
async fn whatever_is_stopped_killed_or_cut_nothing_is_lost_late_or_double() {
    let mut dice = fastrand::Rng::with_seed(number("NIGHTJAR_ROUGH_SEED", 1));
    let mut day = Day::new().await;
    for _ in 0..number("NIGHTJAR_ROUGH_ROUNDS", 1) {
        let mut faults = FAULTS;
        dice.shuffle(&mut faults);
        for fault in faults {
            day.goes_wrong(fault, dice.usize(0..3)).await;
        }
    }
    // The last line of each is on the other's screen, and so is all that was before it.
    for writer in 0..3 {
        let last = day.desks[writer].says().await;
        day.desks[(writer + 1) % 3].terminal().until(&format!(": {last}")).await;
    }
    for desk in &mut day.desks {
        desk.leaves().await;
    }
    day.assert_promises().await;
    day.server.terminate().await;
    day.server.assert_verified();
}
