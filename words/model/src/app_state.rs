//! What a device says about itself.

use serde::{Deserialize, Serialize};

use crate::ConversationId;

/// What the server believes about the app of a device. Presence is another thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AppState {
    /// The client said a person can see the app.
    Foreground,
    /// The client said it left the screen.
    Background,
    /// Inferred: it missed a deadline and has been silent since.
    Unresponsive,
    /// No connection.
    Offline,
}

impl AppState {
    /// The word used on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Foreground => "foreground",
            Self::Background => "background",
            Self::Unresponsive => "unresponsive",
            Self::Offline => "offline",
        }
    }
}

/// What a client says about its app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppStateReport {
    /// On screen; `conversation` is the one that is open.
    Foreground {
        /// The open conversation.
        conversation: Option<ConversationId>,
    },
    /// Off screen. `grace_ms`: for so long the process stays alive and posts notifications
    /// itself; 0 none, -1 for as long as the connection lives.
    Background {
        /// Milliseconds, -1 for a process that stays alive.
        grace_ms: i64,
    },
}

/// What a device's protocol lets it say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Voice {
    /// Its app says whether it is on the screen, and what it stored apart from what it showed.
    #[default]
    Telling,
    /// It only says what it received. That counts as shown, unless the app's back end said that
    /// the app is off the screen. Any frame of it begins its deadlines anew.
    Receipts {
        /// For so long after its hello it need not answer: its app is busy with its start. Its
        /// first acknowledgement ends that.
        patience_ms: u64,
        /// What it showed and nobody read is pushed so long after its commit, unless its user
        /// chose otherwise. `None` never.
        push_if_unread_after_s: Option<u32>,
    },
}

/// What a device runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// iPhone and iPad.
    Ios,
    /// Android.
    Android,
    /// HarmonyOS.
    Harmony,
    /// A browser.
    Web,
    /// A desktop app.
    Desktop,
    /// A terminal.
    Cli,
}

impl Platform {
    /// Every platform, in the order of the documentation.
    pub const ALL: [Self; 6] =
        [Self::Ios, Self::Android, Self::Harmony, Self::Web, Self::Desktop, Self::Cli];

    /// The word used on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ios => "ios",
            Self::Android => "android",
            Self::Harmony => "harmony",
            Self::Web => "web",
            Self::Desktop => "desktop",
            Self::Cli => "cli",
        }
    }

    /// Reads the word used on the wire.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|platform| platform.as_str() == name)
    }
}

/// Why a debt fell due: the state the device was in when its wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DueReason {
    /// In the foreground and silent for the whole deadline.
    ForegroundDeadline,
    /// In its grace and silent for the whole deadline.
    GraceDeadline,
    /// Told background without grace.
    Background,
    /// Missed a deadline before and has been silent since.
    Unresponsive,
    /// No connection.
    Offline,
    /// Shown there, but not read for as long as the user chose.
    Unread,
}

impl DueReason {
    /// Every reason, in the order of the documentation.
    pub const ALL: [Self; 6] = [
        Self::ForegroundDeadline,
        Self::GraceDeadline,
        Self::Background,
        Self::Unresponsive,
        Self::Offline,
        Self::Unread,
    ];

    /// The stable name in traces.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ForegroundDeadline => "foreground_deadline",
            Self::GraceDeadline => "grace_deadline",
            Self::Background => "background",
            Self::Unresponsive => "unresponsive",
            Self::Offline => "offline",
            Self::Unread => "unread",
        }
    }

    /// What it means, in one sentence.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::ForegroundDeadline => "On the screen, but it showed nothing within its deadline.",
            Self::GraceDeadline => "In its grace, but it showed nothing within its deadline.",
            Self::Background => "The app said it left the screen, and it posts nothing itself.",
            Self::Unresponsive => "It missed a deadline before and has been silent since.",
            Self::Offline => "It has no connection.",
            Self::Unread => "It showed it, but nobody read it within `push_if_unread_after_s`.",
        }
    }
}
