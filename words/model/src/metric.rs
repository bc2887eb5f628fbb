//! What clients measure of themselves: a closed list, so that neither side has to bound names.

/// How the samples of a metric add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Things that happened; only their number counts.
    Counter,
    /// Times, sorted into [`METRIC_BUCKETS`].
    Histogram,
}

/// Upper bounds of the buckets of a histogram, ascending; the last one takes everything above.
pub const METRIC_BUCKETS: [u64; 13] =
    [10, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, u64::MAX];

/// The upper bound of the bucket a sample belongs to.
#[must_use]
pub fn metric_bucket(value: u64) -> u64 {
    let at = METRIC_BUCKETS.partition_point(|bound| *bound < value);
    METRIC_BUCKETS[at.min(METRIC_BUCKETS.len() - 1)]
}

/// Samples of one metric that are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Measure {
    /// Which.
    pub metric: Metric,
    /// Of a histogram, what was measured; of a counter, 0.
    pub value: u64,
    /// How often.
    pub count: u64,
}

macro_rules! metrics {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal $kind:ident;)+) => {
        /// Something a client measures.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum Metric {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Metric {
            /// Every metric, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word on the wire and in `/metrics`; times have their unit in it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// How its samples add up.
            #[must_use]
            pub fn kind(self) -> MetricKind {
                match self { $(Self::$variant => MetricKind::$kind,)+ }
            }

            /// What it says, for documentation.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

metrics! {
    /// Attempts to connect.
    ConnectAttempts = "connect_attempts" Counter;
    /// Attempts that ended before the hello was answered.
    ConnectFailed = "connect_failed" Counter;
    /// Of those, because the server's name could not be found.
    ConnectFailedName = "connect_failed_dns" Counter;
    /// Of those, because nobody could be reached at its address.
    ConnectFailedReach = "connect_failed_tcp" Counter;
    /// Of those, because no safe connection came about, or no WebSocket.
    ConnectFailedTls = "connect_failed_tls" Counter;
    /// Of those, because the hello was refused or not answered.
    ConnectFailedHello = "connect_failed_auth" Counter;
    /// From the first attempt to the answer to the hello.
    ConnectTime = "connect_time_ms" Histogram;
    /// From the loss of a connection to the next one, with the app on the screen.
    ReconnectTime = "reconnect_time_ms" Histogram;
    /// From the last byte received to the verdict that the connection is dead.
    DeadDetect = "dead_detect_ms" Histogram;
    /// From the answer to the hello to an up-to-date list of conversations.
    TimeToSync = "time_to_sync_ms" Histogram;
    /// From the app coming to the screen to an up-to-date list.
    ForegroundToFresh = "fg_to_fresh_ms" Histogram;
    /// Events that the client's table of states does not list; they changed nothing.
    UnexpectedEvent = "unexpected_event" Counter;
    /// Whole packets whose body could not be read.
    UnreadablePacket = "unreadable_packet" Counter;
    /// Sockets that looked alive and were thrown away after a freeze.
    ZombieSocket = "zombie_socket" Counter;
    /// Returns to the screen within the grace.
    GraceReturn = "grace_return" Counter;
    /// Connections ended in the background after everything was said.
    DrainClean = "bg_drain_clean" Counter;
    /// Connections ended in the background because the time was over.
    DrainExpired = "bg_drain_expired" Counter;
    /// Starts after a run that was killed in the background with its store open.
    DrainKilled = "bg_drain_killed" Counter;
    /// How long the store took to close before the process may be frozen.
    StoreClose = "store_close_ms" Histogram;
    /// The silence, in seconds, after which a process that stays in the background asks.
    HeartbeatInterval = "hb_interval_s" Histogram;
    /// The longest silence, in seconds, that a network was found to allow.
    NatTimeout = "nat_timeout_est_s" Histogram;
    /// From an app-state report to its answer.
    AppStateReport = "appstate_report_ms" Histogram;
    /// App-state reports whose answer never came.
    AppStateLost = "appstate_lost" Counter;
    /// From the moment the user wrote to the server's answer.
    SendAck = "send_ack_ms" Histogram;
    /// Messages that were sent again.
    SendResend = "send_resend_n" Counter;
    /// Messages that failed.
    SendFailed = "send_failed" Counter;
    /// Messages that came although they were here already.
    DuplicateDropped = "dup_dropped" Counter;
    /// Gaps that were filled.
    GapFilled = "gap_filled" Counter;
    /// How long gaps were open.
    GapOpen = "gap_open_ms" Histogram;
    /// Pushes that reached the app, its extension or its worker.
    PushReceived = "push_received" Counter;
    /// Of those, the ones that came with a lower priority than they were sent with.
    PushDeprioritised = "push_deprioritised" Counter;
    /// From the commit of a message to its push reaching the device, by the clocks of both.
    PushLatency = "push_latency_ms" Histogram;
    /// Processes that a push or the system's timer started.
    ColdStart = "cold_start_on_push" Counter;
    /// From the opening of a notification to its conversation being on the screen, up to date.
    PushToOpen = "push_to_open_ms" Histogram;
    /// The system said that it dropped pushes.
    PushGap = "push_gap" Counter;
    /// How long a run after a push took.
    FetchDuration = "nse_duration_ms" Histogram;
    /// KiB of memory in use at the end of a run.
    FetchMemory = "nse_rss_kb" Histogram;
    /// Runs that looked their push up.
    FetchFetched = "nse_result_fetched" Counter;
    /// Runs whose message somebody else alerts of.
    FetchDuplicate = "nse_result_ledger_dup" Counter;
    /// Runs whose look-up took too long.
    FetchTimeout = "nse_result_timeout" Counter;
    /// Runs that showed the push as it came.
    FetchFallback = "nse_result_fallback" Counter;
    /// Runs that could not read what the app left: a locked device, a file in use.
    FetchLocked = "nse_result_locked" Counter;
    /// Runs for an account that is not signed in any more.
    FetchMismatch = "nse_result_session_mismatch" Counter;
    /// From the commit of a message to its being surfaced, by the clocks of both.
    SurfacedLatency = "surfaced_latency_ms" Histogram;
    /// Claims refused because somebody else alerts already.
    AlertDuplicate = "alert_dup" Counter;
    /// Badges of one version that differed from the server's at a hello.
    BadgeDrift = "badge_drift" Counter;
    /// From the request to take a notification back to its being gone.
    WithdrawLatency = "withdraw_latency_ms" Histogram;
    /// Hellos of apps that may not show notifications.
    NotificationsDenied = "notif_denied" Counter;
    /// Hellos of apps whose notification channel the user turned off.
    ChannelBlocked = "channel_blocked" Counter;
    /// Hellos of apps that the system keeps from running in the background.
    BackgroundRestricted = "oem_restricted" Counter;
}

impl Metric {
    /// The metric of this name; `None` for one a later version knows.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|metric| metric.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_belongs_to_the_first_bucket_that_holds_it() {
        assert_eq!([0, 10, 11, 300_000].map(metric_bucket), [10, 10, 50, 300_000]);
        assert_eq!([300_001, u64::MAX].map(metric_bucket), [u64::MAX; 2]);
    }

    #[test]
    fn every_name_is_found_again_and_used_once() {
        for metric in Metric::ALL {
            assert_eq!(Metric::from_name(metric.name()), Some(*metric));
        }
        assert_eq!(Metric::from_name("of a later version"), None);
    }
}
