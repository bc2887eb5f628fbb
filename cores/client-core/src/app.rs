//! What the app of this device is doing, as the server is told.

use nightjar_model::{ConversationId, Mono, limits};

use crate::defaults::{BUDGET_MAX_MS, BUDGET_RESERVE_MS, GRACE_MS};
use crate::state::Vis;

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

/// The moments of one stay in the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    /// With nothing unsent the connection ends then.
    pub(crate) grace_until: Mono,
    /// It ends then whatever is unsent.
    pub(crate) drain_at: Mono,
    /// The system may freeze the process then.
    pub(crate) ends_at: Mono,
}

impl Budget {
    /// What the system grants. Little of it is kept for the last words; much of a long one is.
    pub(crate) fn new(budget_ms: u32, now: Mono) -> Self {
        let budget_ms = u64::from(budget_ms).min(BUDGET_MAX_MS);
        let grace_ms = GRACE_MS.min(budget_ms / 2);
        Self {
            grace_until: now.after(grace_ms),
            drain_at: now.after(budget_ms.saturating_sub(BUDGET_RESERVE_MS).max(grace_ms)),
            ends_at: now.after(budget_ms),
        }
    }
}

/// The screen, and the numbers of the reports about it.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) screen: Screen,
    /// On the screen, but covered or locked: nobody looks.
    is_inactive: bool,
    /// In the background of a system that freezes processes.
    budget: Option<Box<Budget>>,
    told_at: Mono,
    order: u64,
    order_end: u64,
    /// The server has not been told since the last change.
    pub(crate) is_untold: bool,
}

impl App {
    /// In the foreground; `order_end` as the store kept it.
    pub(crate) fn new(order_end: u64) -> Self {
        Self {
            screen: Screen::On(None),
            is_inactive: false,
            budget: None,
            told_at: Mono(0),
            order: order_end,
            order_end,
            is_untold: false,
        }
    }

    /// The app came to the screen, or opened another conversation.
    pub(crate) fn foreground(&mut self, conversation: Option<ConversationId>) {
        (self.budget, self.is_inactive) = (None, false);
        self.change(Screen::On(conversation));
    }

    /// Somebody looks at it again, or nobody does.
    pub(crate) fn look(&mut self, is_active: bool) {
        self.is_inactive = !is_active;
    }

    /// It left the screen, in a process that stays.
    pub(crate) fn background(&mut self, grace_ms: i64, now: Mono) {
        let grace = match u64::try_from(grace_ms.min(limits::GRACE_MS_MAX)) {
            Ok(ms) => Grace::Until(now.after(ms)),
            Err(_) => Grace::Endless,
        };
        self.budget = None;
        self.change(Screen::Off(grace));
    }

    /// It left the screen; notifications are posted while the grace lasts.
    pub(crate) fn background_within(&mut self, budget: Budget, now: Mono) {
        let grace_ms = budget.grace_until.since(now);
        self.background(i64::try_from(grace_ms).unwrap_or(0), now);
        self.budget = Some(Box::new(budget));
    }

    /// The process was woken in the background: it fetches and posts nothing.
    pub(crate) fn woken(&mut self, budget: Budget, now: Mono) {
        self.background_within(Budget { grace_until: now, ..budget }, now);
    }

    /// The time in the background is over.
    pub(crate) fn expire(&mut self, now: Mono) {
        if let Some(budget) = &mut self.budget {
            budget.grace_until = budget.grace_until.min(now);
            budget.drain_at = budget.drain_at.min(now);
            self.screen = Screen::Off(Grace::Until(now));
        }
    }

    pub(crate) fn budget(&self) -> Option<&Budget> {
        self.budget.as_deref()
    }

    /// What a person sees of it.
    pub(crate) fn vis(&self, now: Mono) -> Vis {
        match (&self.screen, &self.budget) {
            (Screen::On(_), _) => Vis::Fg,
            (Screen::Off(_), None) => Vis::Kept,
            (Screen::Off(_), Some(budget)) if now < budget.drain_at => Vis::Grace,
            (Screen::Off(_), Some(_)) => Vis::Bg,
        }
    }

    fn change(&mut self, screen: Screen) {
        self.is_untold |= self.screen != screen;
        self.screen = screen;
    }

    /// On the screen, and somebody looks: what is stored is seen.
    pub(crate) fn is_foreground(&self) -> bool {
        self.is_on_screen() && !self.is_inactive
    }

    pub(crate) fn is_on_screen(&self) -> bool {
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

    /// When the server was told last.
    pub(crate) fn told_at(&self) -> Mono {
        self.told_at
    }

    /// The number of the next report, and whether the account's row has to be written for it.
    pub(crate) fn next_order(&mut self, now: Mono) -> (u64, bool) {
        self.told_at = now;
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
        assert_eq!(app.next_order(Mono(0)), (1, true));
        assert_eq!(app.next_order(Mono(0)), (2, false));
        let mut restarted = App::new(app.order_end());
        restarted.greeted(true);
        assert!(restarted.next_order(Mono(0)).0 > 2);
        restarted.greeted(false);
        assert_eq!(restarted.next_order(Mono(0)).0, 1);
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
