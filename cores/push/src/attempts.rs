//! What was tried for one message, and where it goes next.

use nightjar_model::{Binding, BindingKey, Mono, WallMs};

use crate::outcome::{Answer, Outcome};
use crate::render::Trim;
use crate::times::wait_ms;

/// A vendor that has not taken a message for so long is not waited for where the device has
/// another binding, and the back end is told where it has none: the longest a device may be
/// silent by default, so the person has already waited that long twice.
pub const LATE_AFTER_MS: u64 = 5_000;
/// Bindings a message remembers: more than a device has, so that one bound anew is another.
const TRIED_MAX: usize = 2 * nightjar_model::limits::BINDINGS_MAX;

/// What was tried for a key's current message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attempts {
    /// How much of the text still goes along.
    pub trim: Trim,
    /// It was said that the message waits for its provider, since it was asked last.
    pub said_waiting: bool,
    /// The back end was told that nobody takes the message.
    pub said_unreachable: bool,
    tried: Vec<Tried>,
}

/// What one binding did with the message.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tried {
    key: BindingKey,
    /// Bound anew it is another one.
    bound_at: WallMs,
    tries: u32,
    /// It refused the message for good.
    is_spent: bool,
    /// It may have taken the message although it did not say so.
    may_have_arrived: bool,
    /// It called the token dead.
    called_dead: bool,
    /// It is not tried again before.
    not_before: Mono,
    /// From then on it is late.
    late_at: Mono,
}

/// Which of a device's bindings its message goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The device has none.
    NoBinding,
    /// Every one refused it for good.
    Refused,
    /// This one.
    Binding {
        /// Its place among the device's bindings.
        at: usize,
        /// When it may be tried.
        not_before: Mono,
        /// None of them takes the message in time.
        is_late: bool,
    },
}

impl Attempts {
    fn of(&self, binding: &Binding) -> Option<&Tried> {
        let is_it = |tried: &&Tried| tried.key == binding.key && tried.bound_at == binding.bound_at;
        self.tried.iter().find(is_it)
    }

    fn entry(&mut self, binding: &Binding) -> &mut Tried {
        let is_it = |tried: &Tried| tried.key == binding.key && tried.bound_at == binding.bound_at;
        let at = self.tried.iter().position(is_it).unwrap_or_else(|| {
            if self.tried.len() >= TRIED_MAX {
                self.tried.remove(0);
            }
            self.tried.push(Tried {
                key: binding.key.clone(),
                bound_at: binding.bound_at,
                tries: 0,
                is_spent: false,
                may_have_arrived: false,
                called_dead: false,
                not_before: Mono(0),
                late_at: Mono(u64::MAX),
            });
            self.tried.len() - 1
        });
        &mut self.tried[at]
    }

    /// Whether the message waited for a provider.
    #[must_use]
    pub fn has_waited(&self) -> bool {
        self.said_waiting || self.tried.iter().any(|tried| tried.tries > 0)
    }

    /// The next message of the key. What was late for the last one is late for this one.
    pub(crate) fn next_message(&mut self) {
        let mut tried = std::mem::take(&mut self.tried);
        tried.retain(|tried| tried.late_at < Mono(u64::MAX));
        for tried in &mut tried {
            tried.tries = 0;
            (tried.is_spent, tried.may_have_arrived, tried.called_dead) = (false, false, false);
        }
        *self = Self { tried, ..Self::default() };
    }

    /// The binding took a message: it is not late any more.
    pub(crate) fn took(&mut self, binding: &Binding) {
        self.tried.retain(|tried| tried.key != binding.key);
    }

    /// The binding's token is called dead. Answers whether that is news about this message.
    pub(crate) fn call_dead(&mut self, binding: &Binding) -> bool {
        !std::mem::replace(&mut self.entry(binding).called_dead, true)
    }

    /// The binding will never take the message.
    pub(crate) fn spend(&mut self, binding: &Binding) {
        self.entry(binding).is_spent = true;
    }

    /// The binding is tried again after a wait. Answers when, and when to look at the message
    /// again: then, or as soon as another binding may take its place.
    pub(crate) fn later(
        &mut self,
        binding: &Binding,
        answer: &Answer,
        now: Mono,
        jitter: u8,
    ) -> (Mono, Mono) {
        self.said_waiting = false;
        // Who refuses the key does not take it a few seconds later either.
        let needs_operator = matches!(answer.outcome, Outcome::AuthExpired | Outcome::ConfigError);
        let tried = self.entry(binding);
        let at = now.after(wait_ms(tried.tries, answer, jitter));
        let was_late = tried.late_at <= now;
        let is_late = needs_operator || answer.retry_after_ms > Some(LATE_AFTER_MS);
        let late_at = if is_late { now } else { now.after(LATE_AFTER_MS) };
        tried.late_at = tried.late_at.min(late_at);
        tried.tries += 1;
        tried.not_before = at;
        tried.may_have_arrived |= answer.may_have_arrived();
        (at, if was_late { at } else { at.min(tried.late_at) })
    }
}

/// Which of the device's bindings, best first, the message goes to. `late_at` says from when on a
/// binding's provider counts as late to everybody, if it fails at all.
///
/// The first that is in time. Where the message may have arrived, no other: it would be shown
/// twice. Where none is in time, the one that was tried least of those that may be tried first.
#[must_use]
pub fn choose(
    bindings: &[Binding],
    attempts: &Attempts,
    now: Mono,
    late_at: impl Fn(&Binding) -> Option<Mono>,
) -> Choice {
    let facts: Vec<Fact> =
        bindings.iter().map(|binding| fact(binding, attempts, late_at(binding))).collect();
    let pick = |at: usize| Choice::Binding {
        at,
        not_before: facts[at].not_before,
        is_late: facts[at].late_at.is_some_and(|late_at| late_at <= now),
    };
    let left = || (0..facts.len()).filter(|at| !facts[*at].is_spent);
    let in_time = |at: &usize| facts[*at].late_at.is_none_or(|late_at| late_at > now);
    let next = left()
        .find(|at| facts[*at].may_have_arrived)
        .or_else(|| left().find(in_time))
        .or_else(|| left().min_by_key(|at| (facts[*at].not_before.max(now), facts[*at].tries)));
    match next {
        Some(at) => pick(at),
        None if bindings.is_empty() && attempts.tried.iter().all(|tried| !tried.is_spent) => {
            Choice::NoBinding
        }
        None => Choice::Refused,
    }
}

/// What there is to know of a binding for a message.
struct Fact {
    is_spent: bool,
    may_have_arrived: bool,
    tries: u32,
    not_before: Mono,
    late_at: Option<Mono>,
}

fn fact(binding: &Binding, attempts: &Attempts, late_at: Option<Mono>) -> Fact {
    let tried = attempts.of(binding);
    let own = tried.map(|tried| tried.late_at).filter(|at| *at < Mono(u64::MAX));
    Fact {
        is_spent: tried.is_some_and(|tried| tried.is_spent),
        may_have_arrived: tried.is_some_and(|tried| tried.may_have_arrived),
        tries: tried.map_or(0, |tried| tried.tries),
        not_before: tried.map_or(Mono(0), |tried| tried.not_before),
        late_at: [own, late_at].into_iter().flatten().min(),
    }
}

#[cfg(test)]
mod tests;
