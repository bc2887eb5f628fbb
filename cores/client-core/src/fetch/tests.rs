//! Runs beside each other on one ledger, before a server that is played.

use std::collections::BTreeMap;

use nightjar_model::WallMs;
use proptest::prelude::*;

use super::*;
use crate::ledger::samples::{mid, nid};
use crate::{Claim, Ledger};

const CHAT: &str = "d:alice:bob";

fn chat() -> ConversationId {
    ConversationId::parse(CHAT).unwrap()
}

fn push(n: u64) -> Push {
    Push {
        alert: Some((mid(n), nid(n))),
        conversation: chat(),
        seq: n,
        badge: n,
        bv: n,
        expires_at: None,
        withdraw: Vec::new(),
        is_deprioritised: false,
    }
}

/// The messages of these places as the server answers them.
fn answer(places: &[(u64, bool)]) -> Bytes {
    let message = |(n, alert): &(u64, bool)| {
        serde_json::json!({
            "message_id": mid(*n).to_string(), "conversation": CHAT, "seq": n, "from": "alice",
            "client_msg_id": format!("c{n}"), "at": 1, "alert": alert, "pushed": true,
            "content": {"type": "text", "text": "hello"},
        })
    };
    let messages: Vec<_> = places.iter().map(message).collect();
    let answer = serde_json::json!({"messages": messages, "unread": 3, "bv": 50, "withdraw": []});
    answer.to_string().into()
}

/// A device with its ledger and screen.
#[derive(Default)]
struct Phone {
    ledger: Ledger,
    now: u64,
    badge: u64,
    /// How often each message was put on the screen.
    alerts: BTreeMap<MessageId, u32>,
    summaries: Vec<usize>,
    screen: BTreeSet<NotificationId>,
    told: Vec<serde_json::Value>,
}

struct Run {
    fetch: Fetch,
    waiting: VecDeque<FetchOutput>,
    done: Option<Content>,
    got: Vec<String>,
}

impl Phone {
    fn now(&self) -> Now {
        Now { mono: Mono(self.now), wall: WallMs(1_000_000_000 + self.now) }
    }

    fn run(&self, push: Push) -> Run {
        let session = PushSession {
            uid: Uid::parse("bob").unwrap(),
            device_id: DeviceId::parse("phone").unwrap(),
            push_token: Secret::new("scoped".to_owned()),
        };
        let fetch = Fetch::start(push, Some(&session), self.now());
        let mut run = Run { fetch, waiting: VecDeque::new(), done: None, got: Vec::new() };
        run.gather();
        run
    }

    /// One step of a run; false if it waits for the server or for time.
    fn step(&mut self, run: &mut Run) -> bool {
        let Some(output) = run.waiting.front() else { return false };
        if matches!(output, FetchOutput::Get(_)) && run.got.is_empty() {
            return false;
        }
        let output = run.waiting.pop_front().unwrap();
        match output {
            FetchOutput::Ledger(order) => {
                let answer = self.ledger.order(&order, self.now().wall);
                self.give(run, FetchInput::Ledger(answer));
            }
            FetchOutput::Get(_) => {}
            FetchOutput::Tell(path, body) => {
                assert_eq!(path, "/v1/fetch/ack");
                self.told.push(serde_json::from_str(&body).unwrap());
                self.give(run, FetchInput::Answered { status: 204, body: Bytes::new() });
            }
            FetchOutput::Post(alert) => {
                let id = alert.id().clone();
                match *alert {
                    Alert::Message(notification) => self.alerted(notification.message_id),
                    Alert::Summary { messages, .. } => self.summaries.push(messages),
                }
                self.screen.insert(id.clone());
                self.give(run, FetchInput::Posted(id));
            }
            FetchOutput::Withdraw(ids) => {
                self.screen.retain(|id| !ids.contains(id));
                self.give(run, FetchInput::Removed(ids));
            }
            FetchOutput::SetBadge(badge) => self.badge = badge,
            FetchOutput::Done(content) => {
                assert!(run.done.replace(content.clone()).is_none());
                let (id, nid) = run.fetch.push.alert.clone().unwrap_or((mid(0), nid(0)));
                if !matches!(content, Content::Quiet(_)) {
                    self.alerted(id);
                    self.screen.insert(nid);
                }
            }
        }
        true
    }

    fn alerted(&mut self, id: MessageId) {
        *self.alerts.entry(id).or_default() += 1;
    }

    fn give(&mut self, run: &mut Run, input: FetchInput) {
        run.fetch.handle(input, self.now().mono);
        run.gather();
    }

    fn steps(&mut self, run: &mut Run) {
        while self.step(run) {}
    }

    /// The server answers the look-up of a run with these.
    fn answers(&mut self, run: &mut Run, places: &[(u64, bool)]) {
        self.steps(run);
        let Some(FetchOutput::Get(path)) = run.waiting.pop_front() else { panic!("no look-up") };
        run.got.push(path);
        self.give(run, FetchInput::Answered { status: 200, body: answer(places) });
        self.steps(run);
    }

    fn after(&mut self, run: &mut Run, ms: u64) {
        self.now += ms;
        if run.fetch.wait_until().is_some_and(|at| at.0 <= self.now) {
            self.give(run, FetchInput::Timeout);
        }
        run.waiting.retain(|output| !matches!(output, FetchOutput::Get(_)));
        self.steps(run);
    }
}

impl Run {
    fn gather(&mut self) {
        while let Some(output) = self.fetch.poll() {
            self.waiting.push_back(output);
        }
    }

    fn quiet(&self) -> Option<Quiet> {
        match self.done {
            Some(Content::Quiet(why)) => Some(why),
            _ => None,
        }
    }
}

#[test]
fn a_push_is_looked_up_shown_and_told() {
    let mut phone = Phone::default();
    let mut run = phone.run(push(3));
    phone.answers(&mut run, &[(3, true)]);
    let Some(Content::Show(shown)) = &run.done else { panic!("{:?}", run.done) };
    assert_eq!((shown.id.clone(), shown.from.as_str()), (nid(3), "alice"));
    assert_eq!(run.got, [format!("/v1/fetch?ids={}", mid(3))]);
    let id = nid(3);
    let shown = [id.as_str()];
    let told = serde_json::json!({"surfaced": shown, "arrived": shown, "withdrawn": []});
    assert_eq!(phone.told, [told]);
    assert_eq!(phone.badge, 3, "the answer was the newer one");
    let spooled = phone.ledger.order(&LedgerOrder::Spooled, WallMs(0));
    let LedgerAnswer::Spooled { messages, measures, .. } = spooled else { panic!() };
    assert_eq!(messages.len(), 1);
    assert!(measures.iter().any(|measure| measure.metric == Metric::FetchFetched));
}

#[test]
fn the_same_push_twice_alerts_once() {
    let mut phone = Phone::default();
    let (mut first, mut second) = (phone.run(push(1)), phone.run(push(1)));
    phone.steps(&mut first);
    phone.steps(&mut second);
    assert_eq!(second.quiet(), Some(Quiet::Taken(Poster::Extension)));
    phone.answers(&mut first, &[(1, true)]);
    let mut third = phone.run(push(1));
    phone.steps(&mut third);
    assert_eq!(third.quiet(), Some(Quiet::Taken(Poster::Extension)));
    assert_eq!(phone.alerts[&mid(1)], 1);
}

#[test]
fn what_a_provider_dropped_before_this_push_is_alerted_of_too() {
    let mut phone = Phone::default();
    let mut run = phone.run(push(1));
    phone.answers(&mut run, &[(1, true)]);
    let mut run = phone.run(push(4));
    phone.answers(&mut run, &[(2, true), (3, false), (4, true)]);
    assert_eq!(run.got, [format!("/v1/fetch?ids={}&since=1", mid(4))]);
    assert_eq!(phone.screen, BTreeSet::from([nid(1), nid(2), nid(4)]));
    let surfaced = phone.told[1]["surfaced"].as_array().unwrap();
    assert_eq!(surfaced.len(), 2);
    let mut late = phone.run(push(2));
    phone.steps(&mut late);
    assert_eq!(late.quiet(), Some(Quiet::Taken(Poster::Extension)));
}

#[test]
fn of_many_there_is_one_summary() {
    let mut phone = Phone::default();
    let mut run = phone.run(push(12));
    let places: Vec<_> = (1..=12).map(|n| (n, true)).collect();
    phone.answers(&mut run, &places);
    assert_eq!(phone.summaries, [11]);
    assert_eq!(phone.screen, BTreeSet::from([nid(12), NotificationId::conversation(&chat())]));
    assert_eq!(phone.told[0]["surfaced"].as_array().unwrap().len(), 12);
}

#[test]
fn nobody_signed_in_is_shown_nothing() {
    let phone = Phone::default();
    let mut fetch = Fetch::start(push(1), None, phone.now());
    let outputs: Vec<_> = std::iter::from_fn(|| fetch.poll()).collect();
    assert_eq!(outputs.first(), Some(&FetchOutput::SetBadge(0)));
    let done = FetchOutput::Done(Content::Quiet(Quiet::SignedOut));
    assert_eq!(outputs.last(), Some(&done));
    assert!(!outputs.iter().any(|output| matches!(output, FetchOutput::Get(_))));
    assert_eq!(fetch.wait_until(), None);
}

#[test]
fn a_device_that_was_kicked_is_shown_nothing_and_the_claim_is_free_again() {
    let mut phone = Phone::default();
    let mut run = phone.run(push(1));
    phone.steps(&mut run);
    run.waiting.clear();
    let body = Bytes::from_static(br#"{"error":{"code":"token_revoked"}}"#);
    phone.give(&mut run, FetchInput::Answered { status: 401, body });
    phone.steps(&mut run);
    assert_eq!((run.quiet(), phone.badge), (Some(Quiet::SignedOut), 0));
    let mut again = phone.run(push(1));
    phone.answers(&mut again, &[(1, true)]);
    assert_eq!(phone.alerts[&mid(1)], 1);
}

#[test]
fn without_an_answer_the_push_is_shown_as_it_came_in_time() {
    let mut phone = Phone::default();
    let mut run = phone.run(push(1));
    phone.steps(&mut run);
    phone.after(&mut run, 7_999);
    assert_eq!(run.done, None);
    phone.after(&mut run, 1);
    assert_eq!(run.done, Some(Content::Original));
    let mut again = phone.run(push(1));
    phone.steps(&mut again);
    assert_eq!(again.quiet(), Some(Quiet::Taken(Poster::Extension)));
}

#[test]
fn a_broken_ledger_hides_nothing() {
    let mut phone = Phone::default();
    let mut run = phone.run(push(1));
    while run.waiting.pop_front().is_some() {
        phone.give(&mut run, FetchInput::Ledger(LedgerAnswer::Failed));
        if run.waiting.iter().any(|output| matches!(output, FetchOutput::Tell(..))) {
            break;
        }
    }
    phone.steps(&mut run);
    assert_eq!(run.done, Some(Content::Original));
}

#[test]
fn the_run_ends_in_time_whatever_does_not_answer() {
    let mut phone = Phone::default();
    let mut run = phone.run(push(4));
    phone.answers(&mut run, &[(4, true)]);
    // The system does not say that an old notification is gone.
    let taking_back = Push { withdraw: vec![nid(1)], ..push(5) };
    let mut run = phone.run(taking_back);
    let FetchOutput::Ledger(order) = run.waiting.pop_front().unwrap() else { panic!() };
    let answer = phone.ledger.order(&order, phone.now().wall);
    phone.give(&mut run, FetchInput::Ledger(answer));
    run.waiting.retain(|output| !matches!(output, FetchOutput::Withdraw(_)));
    phone.answers(&mut run, &[(5, true)]);
    assert_eq!(run.done, None);
    phone.after(&mut run, 24_999);
    assert_eq!(run.done, None);
    phone.after(&mut run, 1);
    assert!(matches!(run.done, Some(Content::Show(_))), "{:?}", run.done);
    let mut again = phone.run(push(5));
    phone.steps(&mut again);
    assert_eq!(again.quiet(), Some(Quiet::Taken(Poster::Extension)));
}

#[test]
fn a_late_push_of_what_was_taken_back_or_seen_alerts_nobody() {
    let mut phone = Phone::default();
    let mut withdrawal = Push { withdraw: vec![nid(1)], alert: None, ..push(1) };
    withdrawal.seq = 1;
    let mut run = phone.run(withdrawal);
    phone.steps(&mut run);
    assert_eq!(run.quiet(), Some(Quiet::NothingToShow));
    assert_eq!(phone.told[0]["withdrawn"], serde_json::json!([nid(1).as_str()]));
    let mut late = phone.run(push(1));
    phone.steps(&mut late);
    assert_eq!(late.quiet(), Some(Quiet::Withdrawn));
    phone.ledger.order(&LedgerOrder::Seen(vec![(chat(), 2)]), phone.now().wall);
    let mut late = phone.run(push(2));
    phone.steps(&mut late);
    assert_eq!(late.quiet(), Some(Quiet::Seen));
    assert_eq!(phone.badge, 2);
}

#[test]
fn what_is_taken_back_during_the_run_is_not_shown() {
    let mut phone = Phone::default();
    let mut run = phone.run(push(1));
    phone.steps(&mut run);
    phone.ledger.order(&LedgerOrder::Withdraw(vec![nid(1)]), phone.now().wall);
    phone.answers(&mut run, &[(1, true)]);
    assert_eq!(run.quiet(), Some(Quiet::Withdrawn));
    assert_eq!(phone.told[0]["surfaced"], serde_json::json!([]));
}

#[test]
fn what_the_server_says_was_read_or_hides_is_not_shown() {
    let mut phone = Phone::default();
    let mut read = phone.run(push(1));
    phone.answers(&mut read, &[(1, false)]);
    assert_eq!(read.quiet(), Some(Quiet::Seen));
    let mut hidden = phone.run(push(2));
    phone.answers(&mut hidden, &[]);
    assert_eq!(hidden.quiet(), Some(Quiet::NotOurs));
    let expired = Push { expires_at: Some(WallMs(5)), ..push(3) };
    let mut expired = phone.run(expired);
    phone.steps(&mut expired);
    assert_eq!(expired.quiet(), Some(Quiet::Expired));
    assert!(phone.screen.is_empty());
}

#[test]
fn a_claim_of_a_run_that_was_killed_is_free_again() {
    let mut phone = Phone::default();
    let mut killed = phone.run(push(1));
    phone.steps(&mut killed);
    drop(killed);
    phone.now = defaults::CLAIM_MS - 1;
    let mut early = phone.run(push(1));
    phone.steps(&mut early);
    assert_eq!(early.quiet(), Some(Quiet::Taken(Poster::Extension)));
    phone.now = defaults::CLAIM_MS;
    let mut run = phone.run(push(1));
    phone.answers(&mut run, &[(1, true)]);
    assert_eq!(phone.alerts[&mid(1)], 1);
}

proptest! {
    /// Whatever runs go on beside each other and beside the app, step by step in any order.
    #[test]
    fn no_order_of_things_alerts_twice(
        pushes in prop::collection::vec(1_u64..6, 1..6),
        steps in prop::collection::vec(0_usize..7, 0..120),
    ) {
        let mut phone = Phone::default();
        let mut runs: Vec<Run> = pushes.iter().map(|n| phone.run(push(*n))).collect();
        let count = runs.len();
        let mut app = 0;
        for step in steps {
            if step >= count {
                // The app, which heard of the next message over its connection.
                app += 1;
                let claim = Claim {
                    message_id: mid(app),
                    notification: nid(app),
                    conversation: chat(),
                    seq: app,
                    by: Poster::App,
                };
                let order = LedgerOrder::Claim(Box::new(claim));
                let answer = phone.ledger.order(&order, phone.now().wall);
                if matches!(answer, LedgerAnswer::Claimed { verdict: Verdict::Granted, .. }) {
                    phone.alerted(mid(app));
                    phone.ledger.order(&LedgerOrder::Posted(mid(app)), phone.now().wall);
                }
            } else if !phone.step(&mut runs[step])
                && matches!(runs[step].waiting.front(), Some(FetchOutput::Get(_)))
            {
                let upto = pushes[step];
                let places: Vec<_> = (1..=upto).map(|n| (n, true)).collect();
                phone.answers(&mut runs[step], &places);
            }
        }
        for (run, upto) in runs.iter_mut().zip(&pushes) {
            phone.steps(run);
            if run.done.is_none() {
                phone.answers(run, &(1..=*upto).map(|n| (n, true)).collect::<Vec<_>>());
            }
            prop_assert!(run.done.is_some());
        }
        prop_assert!(phone.alerts.values().all(|times| *times == 1), "{:?}", phone.alerts);
        let upto = pushes.iter().max().unwrap();
        let missing: Vec<_> = (1..=*upto).filter(|n| !phone.alerts.contains_key(&mid(*n))).collect();
        prop_assert!(missing.is_empty(), "nobody alerts of {missing:?}");
    }
}
