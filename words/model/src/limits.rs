//! The limits every input meets. They are part of the protocol, not options.

/// Whole packet on the native protocol, header included.
pub const PACKET_BYTES_MAX: usize = 1 << 20;
/// Content of one message.
pub const CONTENT_BYTES_MAX: usize = 64 << 10;
/// A uid.
pub const UID_BYTES_MAX: usize = 128;
/// The salt of a password, at least.
pub const SALT_BYTES_MIN: usize = 8;
/// The salt of a password, at most.
pub const SALT_BYTES_MAX: usize = 64;
/// How often a password is hashed, at least (RFC 5802 §5.1).
pub const ITERATIONS_MIN: u32 = 4_096;
/// How often a password is hashed, at most: a client does as many to log in.
pub const ITERATIONS_MAX: u32 = 1_000_000;
/// A device id.
pub const DEVICE_ID_BYTES_MAX: usize = 128;
/// A group id.
pub const GROUP_ID_BYTES_MAX: usize = 128;
/// A conversation id: two uids and their frame.
pub const CONVERSATION_ID_BYTES_MAX: usize = 2 * UID_BYTES_MAX + 4;
/// A client's idempotency key.
pub const CLIENT_MSG_ID_BYTES_MAX: usize = 128;
/// A display name.
pub const NAME_BYTES_MAX: usize = 256;
/// A push token or a Web Push subscription.
pub const PUSH_TOKEN_BYTES_MAX: usize = 4096;
/// Title of a push, from a sender.
pub const PUSH_TITLE_BYTES_MAX: usize = 512;
/// Body of a push, from a sender.
pub const PUSH_BODY_BYTES_MAX: usize = 2048;
/// Members of a group.
pub const GROUP_MEMBERS_MAX: usize = 20_000;
/// Devices of a user; the least recently seen one without a connection makes room.
pub const DEVICES_MAX: usize = 32;
/// Bindings of a device.
pub const BINDINGS_MAX: usize = 8;
/// Items of one `ack`.
pub const ACK_ITEMS_MAX: usize = 512;
/// Messages of one `history` answer.
pub const HISTORY_MAX: usize = 200;
/// Conversations of one `sync` answer.
pub const SYNC_PAGE_MAX: usize = 500;
/// Newest messages of one conversation delivered after a hello; the rest is pulled.
pub const BACKLOG_CONVERSATION_MAX: u64 = 100;
/// Messages delivered after a hello in all; the rest is pulled.
pub const BACKLOG_TOTAL_MAX: u64 = 500;
/// Messages given to a connection and not yet acknowledged as stored.
pub const UNACKED_MESSAGES_MAX: u64 = 256;
/// Bytes of messages given to a connection and not yet acknowledged as stored.
pub const UNACKED_BYTES_MAX: usize = 1 << 20;
/// Requests of one connection that wait for their answer; reading pauses above it.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 64;
/// Time from the first byte to a whole `hello`.
pub const HELLO_WITHIN_MS: u64 = 10_000;
/// The longest grace a client may ask for when it goes to the background.
pub const GRACE_MS_MAX: i64 = 25_000;
/// The longest silence after which a client may announce to ask by itself, in seconds.
pub const HEARTBEAT_S_MAX: u32 = 900;
/// How long the server reads on after `bye`, so that unread input does not become a reset.
pub const LINGER_MS: u64 = 1_000;
/// Bytes of a reaction: the longest emoji sequences, and names an app gives to its own.
pub const EMOJI_BYTES_MAX: usize = 64;
/// Edits and reactions of one user to one message.
pub const AMENDS_MAX: u32 = 100;
/// Users whose presence one connection looks at.
pub const PRESENCE_MAX: usize = 500;
/// Bytes of a status of one's own: a word.
pub const STATUS_BYTES_MAX: usize = 32;
/// Bytes of the text beside it.
pub const STATUS_TEXT_BYTES_MAX: usize = 256;
/// Picture address of a user.
pub const AVATAR_BYTES_MAX: usize = 1024;
/// Contacts of a user, with those they asked and those who asked them.
pub const CONTACTS_MAX: u32 = 10_000;
/// Requests of others that wait for a user's answer; a further one goes nowhere.
pub const CONTACTS_ASKED_MAX: u32 = 1_000;
/// Users one user blocks.
pub const BLOCKED_MAX: usize = 1_000;
/// How long a removed contact and a changed profile are told to a device that was away; a sync
/// token older than what is kept is `too_old`.
pub const CHANGES_KEPT_MS: u64 = 30 * 24 * 3600 * 1000;
/// Messages that one look-up of a push names or answers.
pub const FETCH_MAX: usize = 20;
/// Metrics in one `report`.
pub const METRICS_MAX: usize = 256;
/// Samples one metric of a `report` may stand for; what is above counts as so many.
pub const METRIC_COUNT_MAX: u64 = 1_000_000;
/// The largest sample of a metric, a day in milliseconds; what is above counts as this.
pub const METRIC_VALUE_MAX: u64 = 24 * 3600 * 1000;
/// How long an idempotency row is kept.
pub const IDEMPOTENCY_KEPT_MS: u64 = 32 * 24 * 3600 * 1000;
/// Conversations with rules of their own in one user's push settings.
pub const CONVERSATION_RULES_MAX: usize = 1_000;
/// Intervals of one `quiet_hours`.
pub const QUIET_INTERVALS_MAX: usize = 16;
/// The longest mute with an end; `mode: "none"` has none.
pub const MUTE_MS_MAX: u64 = 7 * 24 * 3600 * 1000;
/// The longest `delay_if_active_s`.
pub const DELAY_S_MAX: u32 = 3_600;
/// The longest `push_if_unread_after_s`.
pub const UNREAD_S_MAX: u32 = 24 * 3600;
/// A language or locale, BCP 47.
pub const LOCALE_BYTES_MAX: usize = 35;
/// Name of a push template: letters, digits, `-`, `_` and `.`.
pub const TEMPLATE_NAME_BYTES_MAX: usize = 64;
/// Push templates, each language counted.
pub const TEMPLATES_MAX: usize = 500;
/// Arguments for the title or the body of a template.
pub const TEMPLATE_ARGS_MAX: usize = 16;
/// Devices or credentials in one list of a push filter.
pub const FILTER_MAX: usize = 64;
/// Bytes of a message's `push.providers`.
pub const PUSH_PROVIDERS_BYTES_MAX: usize = 4096;
/// Answers of providers that are kept; the oldest leave.
pub const OUTCOMES_KEPT: u64 = 100_000;
/// Name of something a gateway keeps for itself.
pub const KEPT_KEY_BYTES_MAX: usize = 512;
/// What it keeps under one name.
pub const KEPT_BYTES_MAX: usize = 64 << 10;
/// Answers of providers, or webhook events, in one page.
pub const PAGE_MAX: usize = 1_000;
/// Name of a push credential or a webhook: letters, digits, `-`, `_` and `.`.
pub const OPERATOR_NAME_BYTES_MAX: usize = 64;
/// Push credentials made while the server runs.
pub const CREDENTIALS_MAX: usize = 200;
/// Webhooks made while the server runs.
pub const WEBHOOKS_MAX: usize = 50;
/// Bytes of a webhook's URL.
pub const WEBHOOK_URL_BYTES_MAX: usize = 2048;
/// Webhook events that are kept for receivers and for replay; the oldest leave.
pub const EVENTS_KEPT: u64 = 1_000_000;
/// Days that statistics of pushes are kept.
pub const STATISTIC_DAYS_KEPT: u32 = 400;
/// Reasons of one credential and day that are counted apart.
pub const STATISTIC_REASONS_MAX: usize = 32;
/// Rows of one answer of statistics.
pub const STATISTICS_MAX: usize = 10_000;
/// Receipts of one report of a provider; vendors send a hundred at most.
pub const RECEIPTS_MAX: usize = 1_000;
