//! Leaving the screen: the grace, the last things said, the store closed, the process free to be
//! frozen; and the way back from each of these points.

use nightjar_model::sabotage::Sabotage;
use nightjar_model::{ByeReason, Metric, Mono};

use crate::app::Budget;
use crate::requests::Asked;
use crate::state::{Move, Vis};
use crate::{Client, Ended, KeepAlive, Output, State, defaults};

/// The store as this client ordered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storing {
    Open,
    /// It was told to close; the answer carries this number.
    Closing(u32),
    Closed,
}

impl Client {
    /// No scene is on the screen any more; the system lets the process live so long.
    pub(crate) fn enter_background(&mut self, budget_ms: u32) {
        let now = self.now.mono;
        if self.config.keep_alive == KeepAlive::Persistent {
            self.app.background(-1, now);
        } else {
            self.hold();
            self.app.background_within(Budget::new(budget_ms, now), now);
        }
        self.pace();
        // Before anything else, for the process may not come to anything else.
        if self.is_open {
            self.tell_app_state();
        }
        self.moved(Move::Background);
    }

    /// The process lives on and only reports that it left the screen.
    pub(crate) fn stay_in_background(&mut self, grace_ms: i64) {
        self.app.background(grace_ms, self.now.mono);
        self.pace();
        self.moved(Move::Background);
    }

    /// A push or the system's timer woke the process, for so long.
    pub(crate) fn woken(&mut self, budget_ms: u32) {
        if self.state == State::Idle && !self.is_wanted {
            self.metrics.count(Metric::ColdStart);
        }
        let is_resting = match self.app.vis(self.now.mono) {
            Vis::Fg => !self.is_wanted,
            Vis::Kept | Vis::Sending | Vis::Grace => false,
            Vis::Bg => true,
        };
        if is_resting && self.config.keep_alive != KeepAlive::Persistent {
            self.hold();
            self.app.woken(Budget::new(budget_ms, self.now.mono), self.now.mono);
            self.dial_from_rest();
            self.moved(Move::Wanted);
        } else {
            self.nudge();
        }
    }

    /// The system's patience ends now.
    pub(crate) fn budget_expiring(&mut self) {
        if self.app.budget().is_none() {
            return;
        }
        self.app.expire(self.now.mono);
        self.expired();
        self.say_goodbye_in_background();
    }

    fn hold(&mut self) {
        if !std::mem::replace(&mut self.is_held, true) {
            self.output(Output::HoldBackground);
        }
    }

    pub(crate) fn release(&mut self) {
        if std::mem::take(&mut self.is_held) && !Sabotage::GrantKept.is_on() {
            self.output(Output::ReleaseBackground);
        }
    }

    /// When the next of the background's moments is.
    pub(crate) fn background_until(&self) -> Option<Mono> {
        let budget = self.app.budget()?;
        match self.state {
            State::Draining if self.is_open => Some(self.drain_until.min(budget.ends_at)),
            State::OnlineBgGrace if self.is_quiet() => Some(budget.grace_until),
            State::OnlineBgGrace
            | State::Connecting
            | State::Handshaking
            | State::Syncing
            | State::OfflineBackoff => Some(budget.drain_at),
            _ => None,
        }
    }

    /// Ends what is over.
    pub(crate) fn background_time_passed(&mut self) {
        let now = self.now.mono;
        if let Some(budget) = self.app.budget() {
            let is_quiet = self.state == State::OnlineBgGrace && self.is_quiet();
            if budget.drain_at <= now || is_quiet && budget.grace_until <= now {
                self.app.expire(now);
                self.expired();
            }
        }
        if self.state == State::Draining && self.is_open {
            let is_over = self.drain_until <= now;
            if is_over || self.is_flushed() {
                self.say_goodbye_in_background();
            }
        }
    }

    /// The time in the background is over.
    fn expired(&mut self) {
        if self.is_logging_out {
            return self.end(Ended::LoggedOut { confirmed: false });
        }
        match self.state {
            State::Connecting | State::Handshaking => {
                self.drop_connection();
                self.moved(Move::Expired);
            }
            State::OfflineBackoff | State::Syncing | State::OnlineBgGrace => {
                self.moved(Move::Expired);
            }
            _ => {}
        }
    }

    /// The connection goes first, then the store.
    pub(crate) fn begin_draining(&mut self) {
        let now = self.now.mono;
        self.is_account_touched |= !std::mem::replace(&mut self.account.is_leaving, true);
        let left_ms = self.app.budget().map_or(0, |budget| budget.ends_at.since(now));
        self.drain_until = now.after(defaults::DRAIN_MS.min(left_ms / 2));
        if self.is_open {
            self.acknowledge_now();
        }
    }

    fn say_goodbye_in_background(&mut self) {
        if self.state != State::Draining || !self.is_open {
            return;
        }
        self.metrics.count(match self.is_flushed() {
            true => Metric::DrainClean,
            false => Metric::DrainExpired,
        });
        self.acknowledge_now();
        self.say_bye(ByeReason::Background);
        self.drop_connection();
    }

    /// Nothing that the user wrote is on its way.
    fn is_quiet(&self) -> bool {
        !self.outbox.is_waiting()
    }

    /// Whether everything that was to be said is said and answered.
    fn is_flushed(&self) -> bool {
        let is_told_long_ago = self.now.mono >= self.app.told_at().after(defaults::STATE_ACK_MS);
        let is_open = |asked: &Asked| match asked {
            Asked::Send(_) | Asked::Read(..) => true,
            Asked::AppState => !is_told_long_ago,
            _ => false,
        };
        self.is_quiet()
            && self.unacked.is_empty()
            && self.unread_told.is_empty()
            && self.thens.commits_open() == 0
            && self.requests.count(is_open) == 0
    }

    // The store.

    /// Where nobody is in front of it and nothing is on its way, the store closes.
    pub(crate) fn quiesce(&mut self) {
        let is_away = match self.state {
            State::Idle => !self.app.is_on_screen() && self.app.budget().is_some(),
            State::Draining => !self.is_open,
            State::LoggedOut | State::Kicked => true,
            _ => false,
        };
        if is_away && self.storing == Storing::Open {
            self.quiesces = self.quiesces.wrapping_add(1);
            self.storing = Storing::Closing(self.quiesces);
            self.metrics.closing = Some(self.now.mono);
            self.output(Output::QuiesceStore(self.quiesces));
        }
        let is_done = self.storing == Storing::Closed;
        if is_done && self.state != State::Draining {
            self.release();
        }
    }

    /// The store is needed again.
    pub(crate) fn reopen_store(&mut self) {
        if std::mem::replace(&mut self.storing, Storing::Open) != Storing::Open {
            self.output(Output::ReopenStore);
        }
    }

    /// Everything is written and nothing is open.
    pub(crate) fn store_closed(&mut self, number: u32) {
        if self.storing != Storing::Closing(number) {
            return;
        }
        self.storing = Storing::Closed;
        let closing = self.metrics.closing.take();
        self.metrics.end(Metric::StoreClose, closing, self.now.mono);
        self.moved(Move::StoreClosed);
    }

    /// The process may be frozen now.
    pub(crate) fn suspend(&mut self) {
        self.suspended_at = Some(self.now.mono);
        let earliest_ms =
            if self.outbox.is_waiting() { defaults::WAKE_SENDING_MS } else { defaults::WAKE_MS };
        self.output(Output::ScheduleWake { earliest_ms });
    }
}
