//! What an operator and each user choose about pushes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use crate::{ConversationId, DeviceId, Uid, WallMs};

/// The default of all users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushPolicy {
    /// Which of a user's devices are pushed.
    pub devices: DevicePolicy,
    /// From the sixth unseen message of a conversation on, one notification is updated.
    pub storm: bool,
    /// What a push shows.
    pub display: Display,
}

impl Default for PushPolicy {
    fn default() -> Self {
        Self { devices: DevicePolicy::AnyNotVisible, storm: true, display: Display::Preview }
    }
}

impl PushPolicy {
    /// What holds for a user who chose this.
    #[must_use]
    pub fn of(&self, settings: &PushSettings) -> Self {
        Self {
            devices: settings.policy.unwrap_or(self.devices),
            storm: self.storm,
            display: settings.display.unwrap_or(self.display),
        }
    }
}

/// What an operator chose at run time; what is `None` is as in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PushChoice {
    /// Which of a user's devices are pushed.
    pub devices: Option<DevicePolicy>,
    /// Whether a storm shares one notification.
    pub storm: Option<bool>,
    /// What a push shows.
    pub display: Option<Display>,
}

impl PushChoice {
    /// What holds over this configuration.
    #[must_use]
    pub fn over(&self, configured: &PushPolicy) -> PushPolicy {
        PushPolicy {
            devices: self.devices.unwrap_or(configured.devices),
            storm: self.storm.unwrap_or(configured.storm),
            display: self.display.unwrap_or(configured.display),
        }
    }
}

/// Which of a user's devices are pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DevicePolicy {
    /// Each device that did not show the message, whatever the others did.
    AnyNotVisible,
    /// Only if no device showed it within its deadline.
    AllOffline,
    /// While another device is on the screen, so much later, and not if it was read by then.
    DelayIfActive {
        /// Seconds from the commit.
        delay_s: u32,
    },
    /// One device only.
    PrimaryOnly,
}

/// What a push shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Display {
    /// Only that there is something.
    Nothing,
    /// Who wrote.
    Sender,
    /// Who wrote and what.
    Preview,
}

impl Display {
    /// Every form, in the order of what they show.
    pub const ALL: [Self; 3] = [Self::Nothing, Self::Sender, Self::Preview];

    /// The word in documents and in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Sender => "sender",
            Self::Preview => "preview",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|display| display.as_str() == name)
    }
}

/// Of which messages a person wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ReminderMode {
    /// Of all.
    All,
    /// Of those that mention them.
    At,
    /// Of none.
    None,
}

impl ReminderMode {
    /// Every mode, in the order of what they let through.
    pub const ALL: [Self; 3] = [Self::All, Self::At, Self::None];

    /// The word in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::At => "at",
            Self::None => "none",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name)
    }
}

/// Times of the day at which nobody wants to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    /// IANA name of the zone whose clocks count, such as `Europe/Berlin`.
    pub time_zone: String,
    /// When; any one suffices.
    pub intervals: Vec<QuietInterval>,
}

/// From one minute of the day up to another. An end at or before the start is on the next day, so
/// that equal ones are a whole day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietInterval {
    /// Minutes after midnight.
    pub start_min: u16,
    /// Minutes after midnight; itself not quiet.
    pub end_min: u16,
    /// Days on which it starts: bit 0 is Monday, bit 6 is Sunday.
    pub weekdays: u8,
}

/// An interval of every day.
pub const EVERY_DAY: u8 = 0b111_1111;

/// A user's rules for one conversation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ConversationRules {
    /// Of which messages; `None` follows the user's own rule.
    pub mode: Option<ReminderMode>,
    /// Of nothing until then.
    pub muted_until: Option<WallMs>,
    /// Besides the user's own.
    pub quiet_hours: Option<QuietHours>,
}

/// What a user chose. The default changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PushSettings {
    /// Of which messages; `None` is of all.
    pub mode: Option<ReminderMode>,
    /// Of nothing until then.
    pub muted_until: Option<WallMs>,
    /// When nothing is told.
    pub quiet_hours: Option<QuietHours>,
    /// What a push shows.
    pub display: Option<Display>,
    /// Language of the texts, BCP 47; above the locale of a binding.
    pub language: Option<String>,
    /// Which devices are pushed.
    pub policy: Option<DevicePolicy>,
    /// The one device of [`DevicePolicy::PrimaryOnly`].
    pub primary_device: Option<DeviceId>,
    /// What pushes to others call this user.
    pub nickname: Option<String>,
    /// Name of the template for this user's pushes.
    pub template: Option<String>,
    /// Whose messages are never pushed to this user.
    pub blocked: BTreeSet<Uid>,
    /// A message that was shown and not read is pushed so long after its commit.
    pub push_if_unread_after_s: Option<u32>,
    /// Rules by conversation.
    pub conversations: BTreeMap<ConversationId, ConversationRules>,
}

impl PushSettings {
    /// The settings of whoever chose nothing, shared by all of them.
    #[must_use]
    pub fn unset() -> Arc<Self> {
        static UNSET: LazyLock<Arc<PushSettings>> = LazyLock::new(Arc::default);
        Arc::clone(&UNSET)
    }

    /// Whether the conversation itself is muted at this moment: its messages are not in the
    /// badge. Rules for the whole app mute no conversation.
    #[must_use]
    pub fn mutes(&self, conversation: &ConversationId, now: WallMs) -> bool {
        self.conversations.get(conversation).is_some_and(|rules| {
            rules.mode == Some(ReminderMode::None)
                || rules.muted_until.is_some_and(|until| until > now)
        })
    }

    /// How long a message that was shown may stay unread before it is pushed, in ms. Where the
    /// user chose nothing, what holds for the device does.
    #[must_use]
    pub fn unread_wait_ms(&self, of_device_s: Option<u32>) -> Option<u64> {
        self.push_if_unread_after_s.or(of_device_s).map(|s| u64::from(s) * 1000)
    }

    /// The next moment at which some conversation's mute ends by itself.
    #[must_use]
    pub fn next_mute_end(&self, now: WallMs) -> Option<WallMs> {
        let ends = self.conversations.values().filter_map(|rules| rules.muted_until);
        ends.filter(|until| *until > now).min()
    }
}

/// Texts that a message or a user refers to by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushTemplate {
    /// Its name.
    pub name: String,
    /// The language it is for, BCP 47; `None` for all that have none of their own.
    pub locale: Option<String>,
    /// Title, with `{0}` and `{$from_name}`.
    pub title: String,
    /// Body, with the same.
    pub body: String,
}
