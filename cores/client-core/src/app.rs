//! What the app of this device is doing, as the server is told.

use nightjar_model::{ConversationId, Mono, limits};

/// App-state numbers that one row of the account covers.
const ORDERS_RESERVED: u64 = 64;

/// On the screen or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Screen {
    /// With this conversation open.
    On(Option<ConversationId>),
    /// Until this moment, or for good, the process posts notifications itself.
    Off(Grace),
}

/// How long a process lives on in the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grace {
    /// Until this moment.
    Until(Mono),
    /// As long as it is connected.
    Endless,
}

/// The screen, and the numbers of the reports about it.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) screen: Screen,
    order: u64,
    order_end: u64,
    /// The server has not been told since the last change.
    pub(crate) is_untold: bool,
}

impl App {
    /// In the foreground; `order_end` as the store kept it.
    pub(crate) fn new(order_end: u64) -> Self {
        Self { screen: Screen::On(None), order: order_end, order_end, is_untold: false }
    }

    /// The app came to the screen, or opened another conversation.
    pub(crate) fn foreground(&mut self, conversation: Option<ConversationId>) {
        self.change(Screen::On(conversation));
    }

    /// It left the screen.
    pub(crate) fn background(&mut self, grace_ms: i64, now: Mono) {
        let grace = match u64::try_from(grace_ms.min(limits::GRACE_MS_MAX)) {
            Ok(ms) => Grace::Until(now.after(ms)),
            Err(_) => Grace::Endless,
        };
        self.change(Screen::Off(grace));
    }

    fn change(&mut self, screen: Screen) {
        self.is_untold |= self.screen != screen;
        self.screen = screen;
    }

    pub(crate) fn is_foreground(&self) -> bool {
        matches!(self.screen, Screen::On(_))
    }

    /// Whether this process is to post notifications.
    pub(crate) fn is_posting(&self, now: Mono) -> bool {
        match self.screen {
            Screen::On(_) => false,
            Screen::Off(Grace::Until(until)) => now < until,
            Screen::Off(Grace::Endless) => true,
        }
    }

    /// The word, and in the background the grace that is left.
    pub(crate) fn told(&self, now: Mono) -> (&'static str, Option<i64>) {
        match self.screen {
            Screen::On(_) => ("foreground", None),
            Screen::Off(Grace::Endless) => ("background", Some(-1)),
            Screen::Off(Grace::Until(until)) => {
                ("background", Some(i64::try_from(until.since(now)).unwrap_or(0)))
            }
        }
    }

    /// The conversation that is open.
    pub(crate) fn open(&self) -> Option<&ConversationId> {
        match &self.screen {
            Screen::On(conversation) => conversation.as_ref(),
            Screen::Off(_) => None,
        }
    }

    /// A hello was answered: its session's numbers go on, or begin anew.
    pub(crate) fn greeted(&mut self, resumed: bool) {
        if !resumed {
            (self.order, self.order_end) = (0, 0);
        }
    }

    /// The number of the next report, and whether the account's row has to be written for it.
    pub(crate) fn next_order(&mut self) -> (u64, bool) {
        self.order += 1;
        let is_new_block = self.order >= self.order_end;
        if is_new_block {
            self.order_end = self.order + ORDERS_RESERVED;
        }
        (self.order, is_new_block)
    }

    /// For the account's row: numbers of this session stay below.
    pub(crate) fn order_end(&self) -> u64 {
        self.order_end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grace_ends_by_itself() {
        let mut app = App::new(0);
        app.background(5_000, Mono(100));
        assert!(app.is_posting(Mono(5_099)) && !app.is_posting(Mono(5_100)));
        assert_eq!(app.told(Mono(1_100)), ("background", Some(4_000)));
        assert_eq!(app.told(Mono(9_100)), ("background", Some(0)));
        app.background(-1, Mono(0));
        assert!(app.is_posting(Mono(u64::MAX)));
        assert_eq!(app.told(Mono(0)), ("background", Some(-1)));
        app.background(99_000, Mono(0));
        assert_eq!(app.told(Mono(0)), ("background", Some(25_000)));
    }

    #[test]
    fn numbers_grow_across_restarts_of_a_session_and_begin_anew_with_another() {
        let mut app = App::new(0);
        app.greeted(false);
        assert_eq!(app.next_order(), (1, true));
        assert_eq!(app.next_order(), (2, false));
        let mut restarted = App::new(app.order_end());
        restarted.greeted(true);
        assert!(restarted.next_order().0 > 2);
        restarted.greeted(false);
        assert_eq!(restarted.next_order().0, 1);
    }

    #[test]
    fn only_a_change_has_to_be_told() {
        let mut app = App::new(0);
        app.foreground(None);
        assert!(!app.is_untold);
        app.foreground(Some(ConversationId::parse("g:x").unwrap()));
        assert!(app.is_untold);
    }
}
