//! A device's connection as the lanes see it, and how long it may stay silent.

use nightjar_model::sabotage::Sabotage;
use nightjar_model::{AppState, AppStateReport, ConnId, ConversationId, DueReason, Mono, Voice};

/// Whether a device can be expected to answer. What its app told is another fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Connected, and it answered the last time it had to.
    Live,
    /// Connected, but it missed a deadline and has been silent since.
    Unresponsive,
    /// No connection.
    Gone,
}

/// What changes a device's reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReachEvent {
    /// It said hello.
    Hello,
    /// Any frame came.
    Frame,
    /// A deadline passed and a message was still neither shown nor read.
    DeadlineMissed,
    /// The connection ended.
    Lost,
}

impl Reach {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Live, Self::Unresponsive, Self::Gone];

    /// The whole table. `None`: the event came late or twice, nothing moves.
    #[must_use]
    pub fn next(self, event: ReachEvent) -> Option<Self> {
        use {Reach::*, ReachEvent::*};
        Some(match (self, event) {
            (Gone | Live | Unresponsive, Hello) => Live,
            (Unresponsive, Frame) => Live,
            (Live, DeadlineMissed) => Unresponsive,
            (Live | Unresponsive, Lost) => Gone,
            (Live, Frame) | (Unresponsive, DeadlineMissed) => return None,
            (Gone, Frame | DeadlineMissed | Lost) => return None,
        })
    }
}

impl ReachEvent {
    /// Every event.
    pub const ALL: [Self; 4] = [Self::Hello, Self::Frame, Self::DeadlineMissed, Self::Lost];
}

/// What the app of a connected device told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// On screen, with this conversation open.
    Foreground(Option<ConversationId>),
    /// Off screen; until this moment its process posts notifications itself.
    Background {
        /// The end of the grace; `None` without one.
        grace_until: Option<Mono>,
    },
}

impl Told {
    /// Takes a report that came now.
    #[must_use]
    pub fn from_report(report: &AppStateReport, now: Mono) -> Self {
        match report {
            AppStateReport::Foreground { conversation } => Self::Foreground(conversation.clone()),
            AppStateReport::Background { .. } if Sabotage::BackgroundNotBelieved.is_on() => {
                Self::Foreground(None)
            }
            AppStateReport::Background { grace_ms: 0 } => Self::Background { grace_until: None },
            AppStateReport::Background { grace_ms } => {
                let until = u64::try_from(*grace_ms).map_or(Mono(u64::MAX), |ms| now.after(ms));
                Self::Background { grace_until: Some(until) }
            }
        }
    }
}

/// How long a device may stay silent about a message before it is pushed, from commit to push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// In the foreground.
    pub foreground_ms: u64,
    /// In its grace.
    pub grace_ms: u64,
    /// XMPP: told inactive.
    pub inactive_ms: u64,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { foreground_ms: 5_000, grace_ms: 2_000, inactive_ms: 2_000 }
    }
}

/// The connection of a device.
#[derive(Debug, Clone)]
pub struct Link {
    /// Which.
    pub conn: ConnId,
    /// What the app told.
    pub told: Told,
    /// Since when it is so; a wait never starts earlier.
    pub since: Mono,
    /// Whether it can be expected to answer.
    pub reach: Reach,
    /// What its protocol lets it say.
    pub voice: Voice,
    /// Until then it need not answer.
    pub patient_until: Mono,
}

impl Link {
    /// The connection of a device that says hello now.
    #[must_use]
    pub fn new(conn: ConnId, told: Told, voice: Voice, now: Mono) -> Self {
        let patience_ms = match voice {
            Voice::Telling => 0,
            Voice::Receipts { patience_ms, .. } => patience_ms,
        };
        let patient_until = now.after(patience_ms);
        Self { conn, told, since: now, reach: Reach::Live, voice, patient_until }
    }

    /// A frame came. Of a device that cannot say more than that it received something, any frame
    /// shows that it runs: its deadlines begin anew. Answers whether that changed anything.
    pub fn heard(&mut self, now: Mono) -> bool {
        let next = self.reach.next(ReachEvent::Frame);
        let is_news = next.is_some() || self.voice != Voice::Telling;
        self.reach = next.unwrap_or(self.reach);
        if is_news {
            self.since = now;
        }
        is_news
    }

    /// Whether what the device received counts as shown: its protocol cannot tell the two apart,
    /// so it does unless the app is known to be off the screen.
    #[must_use]
    pub fn receipt_shows(&self) -> bool {
        self.voice == Voice::Telling || matches!(self.told, Told::Foreground(_))
    }

    /// When a message committed at `committed` falls due on this device, and why then.
    #[must_use]
    pub fn due(&self, committed: Mono, deadlines: &Deadlines) -> (Mono, DueReason) {
        if self.reach != Reach::Live {
            return (committed, DueReason::Unresponsive);
        }
        let start = committed.max(self.since).max(self.patient_until);
        match self.told {
            Told::Foreground(_) => {
                (start.after(deadlines.foreground_ms), DueReason::ForegroundDeadline)
            }
            Told::Background { grace_until: None } => (committed, DueReason::Background),
            Told::Background { grace_until: Some(until) } if until <= committed => {
                (committed, DueReason::Background)
            }
            Told::Background { grace_until: Some(until) } => {
                (start.after(deadlines.grace_ms).min(until), DueReason::GraceDeadline)
            }
        }
    }

    /// The state operators see.
    #[must_use]
    pub fn app_state(&self) -> AppState {
        match (&self.told, self.reach) {
            (_, Reach::Unresponsive) => AppState::Unresponsive,
            (_, Reach::Gone) => AppState::Offline,
            (Told::Foreground(_), Reach::Live) => AppState::Foreground,
            (Told::Background { .. }, Reach::Live) => AppState::Background,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reach_table() {
        let mut table = String::new();
        for state in Reach::ALL {
            for event in ReachEvent::ALL {
                let next = state.next(event).map_or("-".into(), |next| format!("{next:?}"));
                table.push_str(&format!("{state:?} + {event:?} = {next}\n"));
            }
        }
        insta::assert_snapshot!(table);
    }

    fn link(told: Told) -> Link {
        Link::new(ConnId(1), told, Voice::Telling, Mono(1_000))
    }

    #[test]
    fn silence_is_allowed_by_what_the_app_told() {
        let deadlines = Deadlines::default();
        let due = |told: Told, at: u64| link(told).due(Mono(at), &deadlines);
        assert_eq!(
            due(Told::Foreground(None), 2_000),
            (Mono(7_000), DueReason::ForegroundDeadline)
        );
        let none = Told::Background { grace_until: None };
        assert_eq!(due(none, 2_000), (Mono(2_000), DueReason::Background));
        let long = Told::Background { grace_until: Some(Mono(9_000)) };
        assert_eq!(due(long.clone(), 2_000), (Mono(4_000), DueReason::GraceDeadline));
        assert_eq!(due(long.clone(), 8_000), (Mono(9_000), DueReason::GraceDeadline));
        assert_eq!(due(long, 9_500), (Mono(9_500), DueReason::Background));
    }

    #[test]
    fn a_device_that_only_says_what_it_received_is_given_time_and_any_frame_is_a_sign_of_life() {
        let deadlines = Deadlines::default();
        let voice = Voice::Receipts { patience_ms: 15_000, push_if_unread_after_s: None };
        let mut link = Link::new(ConnId(1), Told::Foreground(None), voice, Mono(1_000));
        let due = |link: &Link| link.due(Mono(2_000), &deadlines).0;
        assert_eq!(due(&link), Mono(21_000));
        link.patient_until = Mono(3_000);
        assert_eq!(due(&link), Mono(8_000));
        assert!(link.heard(Mono(6_000)));
        assert_eq!(due(&link), Mono(11_000));
        assert!(link.receipt_shows());
        link.told = Told::Background { grace_until: None };
        assert!(!link.receipt_shows());
        assert_eq!(due(&link), Mono(2_000), "who told that it is away is not waited for");
    }

    #[test]
    fn a_frame_of_a_device_that_can_tell_more_moves_no_deadline() {
        let mut link = link(Told::Foreground(None));
        assert!(!link.heard(Mono(6_000)));
        assert_eq!(link.since, Mono(1_000));
    }

    #[test]
    fn a_wait_starts_anew_when_the_app_comes_back() {
        let deadlines = Deadlines::default();
        let old = link(Told::Foreground(None)).due(Mono(10), &deadlines);
        assert_eq!(old, (Mono(6_000), DueReason::ForegroundDeadline));
    }
}
