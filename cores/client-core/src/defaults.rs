//! Every wait and every bound, in one place. Sources: docs/protocol.md and the field's habits.

/// How long a connection may take to open, over all addresses: time for a second pair of them.
pub const CONNECT_MS: u64 = 20_000;
/// How long one address may take. Less would cut slow mobile networks off; the next ones do not
/// wait for it, but only two are tried at once.
pub const ADDRESS_MS: u64 = 10_000;
/// The next address is tried after so long although another still is (RFC 8305).
pub const RACE_STAGGER_MS: u64 = 250;
/// Addresses tried at a time.
pub const RACE_MAX: usize = 2;
/// Addresses of one name that are tried.
pub const ADDRESSES_MAX: usize = 8;
/// Addresses whose last attempts are remembered.
pub const ADDRESSES_KNOWN_MAX: usize = 64;
/// An address that failed is tried after the others for so long, ten times as long with each
/// further failure.
pub const ADDRESS_WAIT_MS: u64 = 1_000;
/// But no longer than this.
pub const ADDRESS_WAIT_MAX_MS: u64 = 30_000;
/// A failure is forgotten after so long.
pub const ADDRESS_FORGOTTEN_MS: u64 = 300_000;
/// How long the answer to a hello may take.
pub const HELLO_MS: u64 = 10_000;
/// A hello whose answer was not waited for may arrive so late, and then replaces the connection
/// that came after it.
pub const STRAY_MS: u64 = 60_000;
/// The heartbeat when the server names none.
pub const HEARTBEAT_MS: u64 = 30_000;
/// How long a ping may stay unanswered.
pub const HEARTBEAT_TIMEOUT_MS: u64 = 15_000;
/// A ping that tests a doubtful connection may stay unanswered for so long.
pub const PROBE_MS: u64 = 3_000;
/// The first wait before connecting again is random below this; it doubles with each failure.
pub const BACKOFF_BASE_MS: u64 = 1_000;
/// No wait before connecting again is longer, unless the server asks for it.
pub const BACKOFF_MAX_MS: u64 = 60_000;
/// A connection that lived for so long clears the count of failures.
pub const STABLE_MS: u64 = 30_000;
/// The count of failures is cleared by the user or the network at most once in so long.
pub const NUDGE_MS: u64 = 5_000;
/// The system says there is no network: after so long the connection is believed dead.
pub const NETWORK_LOST_MS: u64 = 5_000;
/// A shell tells a change of network when it stood for so long: systems tell several in a row.
pub const NETWORK_DEBOUNCE_MS: u64 = 1_000;
/// The longest wait a server may ask for.
pub const RECONNECT_AFTER_MAX_MS: u64 = 600_000;
/// Connections in a row that ended because one side could not read the other.
pub const PROTOCOL_ERRORS_MAX: u32 = 3;
/// Packets of one kind that cannot be read, before they are left out: the earlier ones may have
/// been damaged on their way, and end the connection.
pub const UNREADABLE_MAX: u32 = 3;
/// In the background without anything unsent the connection is kept for so long, or for half of
/// what the system grants.
pub const GRACE_MS: u64 = 5_000;
/// No more of what a system grants in the background is counted on.
pub const BUDGET_MAX_MS: u64 = 25_000;
/// So much of it is kept for the last words and for closing the store.
pub const BUDGET_RESERVE_MS: u64 = 5_000;
/// In the background the last acknowledgements, reads and messages may take so long.
pub const DRAIN_MS: u64 = 3_000;
/// The last words wait so long for the answer to the report that the app left the screen.
pub const STATE_ACK_MS: u64 = 1_000;
/// The system is asked to wake the process after so long at the earliest, to catch up.
pub const WAKE_MS: u64 = 3_600_000;
/// The same when messages are unsent.
pub const WAKE_SENDING_MS: u64 = 30_000;
/// A timer that fires so late means that the process was frozen.
pub const FROZEN_MS: u64 = 10_000;

/// A message without an answer is sent again after so long.
pub const RESEND_MS: u64 = 15_000;
/// How often it is sent again.
pub const RESENDS_MAX: u32 = 3;
/// While a message waits for the link, time is looked at so often: a longer gap was a freeze.
pub const LINK_CHECK_MS: u64 = 2_000;
/// Looks at the link in one wait.
pub const LINK_CHECKS: u64 = 15;
/// Awake time after which a message fails: every transmission and two waits for the link.
pub const SEND_BUDGET_MS: u64 =
    (RESENDS_MAX as u64 + 1) * RESEND_MS + 2 * LINK_CHECKS * LINK_CHECK_MS;
/// A message that failed for want of a link goes out by itself when one comes within so long.
pub const AUTO_RESUME_MS: u64 = 24 * 3_600 * 1_000;
/// Messages in the outbox.
pub const OUTBOX_MAX: usize = 1_000;
/// Uploads one message waits for.
pub const UPLOADS_MAX: usize = 16;
/// Bytes of an upload's name.
pub const UPLOAD_ID_BYTES_MAX: usize = 128;
/// Messages of one conversation on their way at a time. With 1 not even a server that fails at
/// one message and takes the next can change their order.
pub const SEND_WINDOW: u32 = 8;

/// A message above a gap waits so long for the missing ones before they are asked for.
pub const GAP_WAIT_MS: u64 = 500;
/// Messages that were only heard of are asked for after so long: the server may be about to
/// deliver them.
pub const BACKLOG_WAIT_MS: u64 = 5_000;
/// What a server had no room for is asked again after so long.
pub const ASK_AGAIN_MS: u64 = 1_000;
/// After a restart the marks of so many conversations are told again, the newest ones.
pub const RETOLD_MAX: u64 = 64;
/// An answer to `history`, `sync`, `read` or `recall` may take so long.
pub const ANSWER_MS: u64 = 15_000;
/// Gaps that are being filled at a time.
pub const FILLS_MAX: usize = 4;
/// Separate pieces of a conversation above its first gap; beyond, the newest are fetched again.
pub const PIECES_MAX: usize = 32;
/// Acknowledgements are gathered for so long.
pub const ACK_MS: u64 = 200;
/// What is read within so long is told as one place.
pub const READ_MS: u64 = 1_000;
/// Messages that make an acknowledgement leave earlier.
pub const ACK_MESSAGES: u32 = 32;
/// Requests of this client on their way at a time.
pub const REQUESTS_MAX: usize = 48;
/// Commits the store has not answered above which no packet is read.
pub const COMMITS_MAX: usize = 64;
/// Outputs the shell has not taken above which no packet is read.
pub const OUTPUTS_MAX: usize = 512;
/// Conversations whose cursors are kept in memory.
pub const PLACES_MAX: usize = 10_000;
/// Conversations in one page of `sync`.
pub const SYNC_PAGE: u32 = 200;
/// Messages in one page that fills a gap.
pub const FILL_PAGE: u32 = 100;
/// Notifications of one conversation this client keeps track of.
pub const POSTED_MAX: usize = 64;
/// Orders on the ledger without an answer, above which messages are left to the server to push.
pub const ORDERS_MAX: usize = 256;
/// Withdrawals of the server that are being carried out.
pub const WITHDRAWALS_MAX: usize = 64;
/// Notification ids of one kind that wait to be reported.
pub const REPORTS_MAX: usize = 64;
/// Sums of what was measured are told so long after a hello, when there is nothing more urgent.
pub const METRICS_FIRST_MS: u64 = 2_000;
/// They are told again so often.
pub const METRICS_MS: u64 = 300_000;
/// How long the answer to a logout may take.
pub const LOGOUT_MS: u64 = 5_000;

/// A claim that was neither posted nor given back for so long is nobody's: the longest run of an
/// extension, after which its process is gone.
pub const CLAIM_MS: u64 = FETCH_HARD_MS;
/// How long the ledger remembers a notification.
pub const LEDGER_MS: u64 = 7 * 24 * 3_600 * 1_000;
/// Notifications, and conversations, the ledger remembers.
pub const LEDGER_MAX: usize = 5_000;
/// Messages an extension keeps for the app.
pub const SPOOL_MAX: usize = 1_000;
/// An extension waits so long for its look-up before it shows the push as it came.
pub const FETCH_MS: u64 = 8_000;
/// An extension waits so long for the answer to what it tells the server.
pub const FETCH_TELL_MS: u64 = 1_000;
/// The run of an extension ends then with the best it has.
pub const FETCH_END_MS: u64 = 25_000;
/// The system may end an extension's process then.
pub const FETCH_HARD_MS: u64 = 30_000;
/// Messages besides its own that a run posts one by one; of more it posts one summary.
pub const FETCH_POSTS_MAX: usize = 10;

// The heartbeat of a process that stays connected in the background, after Tencent Mars.

/// The shortest silence before a ping: what every network allows.
pub const ADAPTIVE_MIN_S: u32 = 210;
/// No silence is longer, less [`ADAPTIVE_SAFETY_S`].
pub const ADAPTIVE_MAX_S: u32 = 600;
/// How much longer the next one that is tried is.
pub const ADAPTIVE_STEP_S: u32 = 60;
/// Kept below what failed, and the step of a later try.
pub const ADAPTIVE_SAFETY_S: u32 = 20;
/// An interval that held so often is proven.
pub const ADAPTIVE_OKS: u32 = 5;
/// Pings of a new connection at the shortest interval.
pub const ADAPTIVE_WARMUP: u32 = 3;
/// An interval that failed so often is too long.
pub const ADAPTIVE_FAILS: u32 = 2;
/// What was found is tried a little longer after so long: a week.
pub const ADAPTIVE_REPROBE_MS: u64 = 7 * 24 * 3_600 * 1_000;
/// Networks that are remembered.
pub const ADAPTIVE_NETWORKS: usize = 20;
/// A ping that goes out so late proves nothing.
pub const ADAPTIVE_LATE_MS: u32 = 20_000;
/// Waits before connecting again of such a process in the background, in seconds; the last one
/// repeats. Each is spread by a tenth, the first over [`BACKOFF_BASE_MS`].
pub const PATIENT_WAITS_S: [u64; 7] = [0, 60, 120, 240, 360, 480, 600];
/// A list that was refused as too old again is begun anew after so long, which doubles each time.
pub const RELIST_MS: u64 = 1_000;
/// But after no longer than this.
pub const RELIST_MAX_MS: u64 = 300_000;
