//! The words of Nightjar, one meaning each.
//!
//! Everything above speaks in these types: ids that were checked once when they were parsed, the
//! limits every input meets, time as an argument, the entry of a conversation's log, the commands
//! a gateway may give and the answers it gets back, and the closed list of rejects.
//!
//! Deliberately absent: I/O, clocks, randomness, wire formats, decisions.
//!
//! Read [`Entry`] and [`Command`] first.

mod app_state;
mod binding;
mod command;
mod contact;
mod entry;
mod ids;
pub mod limits;
mod metric;
mod operator;
mod password;
mod push_class;
mod push_settings;
mod push_spec;
mod reject;
mod reply;
pub mod sabotage;
mod secret;
mod time;
mod trace;

pub use app_state::{AppState, AppStateReport, DueReason, Platform, Voice};
pub use binding::{Binding, BindingKey, Environment};
pub use command::{
    AckItem, Command, FetchCommand, FetchedCommand, HelloCommand, HistoryCommand, PresenceCommand,
    PresenceStatus, ReportCommand, SendCommand, Target,
};
pub use contact::{ContactAction, ContactState, ContactView};
pub use entry::{Content, Entry, EntryKind};
pub use ids::{
    ClientMsgId, ConnId, ConversationId, ConversationKind, DeviceId, GroupId, IdError, Lane,
    MessageId, NotificationId, Seq, Uid,
};
pub use metric::{METRIC_BUCKETS, Measure, Metric, MetricKind, metric_bucket};
pub use operator::{Credential, Receipt, ReceiptEvent, Statistic, Webhook};
pub use password::{PasswordKeys, ScramKeys};
pub use push_class::PushClass;
pub use push_settings::{
    ConversationRules, DevicePolicy, Display, EVERY_DAY, PushChoice, PushPolicy, PushSettings,
    PushTemplate, QuietHours, QuietInterval, ReminderMode,
};
pub use push_spec::{Mentions, PushFilter, PushSpec, TemplateUse};
pub use reject::Reject;
pub use reply::{
    Backlog, ByeReason, ConversationSummary, Delivery, DeviceView, Explained, FetchedView,
    GroupCreated, GroupView, HelloReply, MemberView, MembersView, Notice, PresenceView,
    ProfileView, Removed, Reply, Role, SentReply, SharedPackets, SyncReply, TestTarget, UnreadView,
    UserView,
};
pub use secret::Secret;
pub use time::{Mono, Now, WallMs};
pub use trace::{Step, TraceEvent};
