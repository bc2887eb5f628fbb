//! Whether the receiver wants to be told.

use nightjar_model::{Entry, PushSettings, QuietHours, ReminderMode, Uid, WallMs};

use crate::decide::SilentReason;
use crate::quiet::is_quiet;

/// Why the receiver is not to be told of this entry at this moment, by their own choice.
///
/// Mutes and quiet hours of the app and of the conversation add up. A conversation's mode stands
/// before the app's. The sender's `force` is above all of it. Whom the receiver blocked is
/// decided before, and force does not change it.
#[must_use]
pub fn silenced_by(
    settings: &PushSettings,
    receiver: &Uid,
    entry: &Entry,
    now: WallMs,
) -> Option<SilentReason> {
    let push = entry.push.as_deref();
    if push.is_some_and(|push| push.force) {
        return None;
    }
    let rules = settings.conversations.get(&entry.conversation);
    let is_over = |until: Option<WallMs>| until.is_none_or(|until| until <= now);
    if !is_over(settings.muted_until) || !is_over(rules.and_then(|rules| rules.muted_until)) {
        return Some(SilentReason::Muted);
    }
    let quiet = |hours: Option<&QuietHours>| hours.is_some_and(|hours| is_quiet(hours, now));
    if quiet(settings.quiet_hours.as_ref())
        || quiet(rules.and_then(|rules| rules.quiet_hours.as_ref()))
    {
        return Some(SilentReason::QuietHours);
    }
    let is_mentioned = push.is_some_and(|push| push.mentions.includes(receiver));
    match rules.and_then(|rules| rules.mode).or(settings.mode) {
        Some(ReminderMode::None) => Some(SilentReason::ModeNone),
        Some(ReminderMode::At) if !is_mentioned => Some(SilentReason::NotMentioned),
        _ => None,
    }
}
