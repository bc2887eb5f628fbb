//! What a run found, as it is printed.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::LoadOptions;
use crate::tally::{Counts, Tally};

/// One run. Processor time and memory are absent where they cannot be read: a server elsewhere.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// What was loaded: `server` or `floor`.
    pub(crate) peer: &'static str,
    /// What was asked, defaults filled in.
    pub(crate) asked: LoadOptions,
    /// How long was measured.
    pub(crate) measured_s: f64,
    /// Durable messages a second, pairs and group together.
    pub(crate) messages_per_s: f64,
    /// Messages a second that readers got.
    pub(crate) deliveries_per_s: f64,
    /// The server's processor time for each acknowledged message, all threads.
    pub(crate) cpu_us_per_message: Option<f64>,
    /// The same for each delivery.
    pub(crate) cpu_us_per_delivery: Option<f64>,
    /// Processors the server kept busy.
    pub(crate) cpu_cores: Option<f64>,
    /// The tool's own processor time for each message, and the processors it kept busy: near 1
    /// the tool, which has one thread, is what bounds the figures.
    pub(crate) tool_cpu_us_per_message: Option<f64>,
    /// Processors the tool kept busy.
    pub(crate) tool_cpu_cores: Option<f64>,
    /// From writing to arriving: of the pairs, or of the group when there are none.
    pub(crate) p50_ms: Option<f64>,
    /// See `p50_ms`.
    pub(crate) p99_ms: Option<f64>,
    /// See `p50_ms`.
    pub(crate) p999_ms: Option<f64>,
    /// The pairs alone.
    pub(crate) pairs: Option<Part>,
    /// The group alone.
    pub(crate) group: Option<Part>,
    /// The idle connections.
    pub(crate) idle: Option<Idle>,
    /// Connections opened, and how many a second with hello and answer.
    pub(crate) connections: usize,
    /// See `connections`.
    pub(crate) connects_per_s: f64,
    /// The server's resident memory at the end.
    pub(crate) memory_bytes: Option<u64>,
    /// From the server's start until it was ready, if the tool started it.
    pub(crate) ready_ms: Option<f64>,
    /// Messages that did not arrive.
    pub(crate) missing: u64,
    /// Everything that went wrong, those included.
    pub(crate) errors: u64,
    /// The first of them.
    pub(crate) first_error: Option<String>,
    /// The same load on the bare relay.
    pub(crate) floor: Option<Box<Report>>,
    /// The server's processor time for a message as a multiple of the relay's.
    pub(crate) times_floor: Option<f64>,
}

/// Clients of one kind.
#[derive(Debug, Serialize)]
pub(crate) struct Part {
    /// Durable messages a second.
    pub(crate) messages_per_s: f64,
    /// Messages a second that readers got.
    pub(crate) deliveries_per_s: f64,
    /// From writing to arriving.
    pub(crate) p50_ms: Option<f64>,
    /// See `p50_ms`.
    pub(crate) p99_ms: Option<f64>,
    /// See `p50_ms`.
    pub(crate) p999_ms: Option<f64>,
    /// From writing to the durable answer.
    pub(crate) answer_p50_ms: Option<f64>,
    /// See `answer_p50_ms`.
    pub(crate) answer_p99_ms: Option<f64>,
}

/// Connections that do nothing.
#[derive(Debug, Serialize)]
pub(crate) struct Idle {
    /// How many.
    pub(crate) connections: usize,
    /// The server's resident memory before and with them, once it settled.
    pub(crate) memory_before_bytes: Option<u64>,
    /// See `memory_before_bytes`.
    pub(crate) memory_bytes: Option<u64>,
    /// The difference, for each.
    pub(crate) bytes_per_connection: Option<f64>,
}

/// Figures at one moment.
pub(crate) struct Moment {
    pub(crate) at: Instant,
    /// Processor time of the server.
    pub(crate) server: Option<Duration>,
    /// Processor time of the tool.
    pub(crate) tool: Option<Duration>,
    pub(crate) pairs: Counts,
    pub(crate) group: Counts,
}

/// What lies between two moments.
pub(crate) struct Cost {
    seconds: f64,
    pub(crate) messages: f64,
    pub(crate) deliveries: f64,
    pub(crate) server: Option<Duration>,
    pub(crate) tool: Option<Duration>,
}

impl Cost {
    pub(crate) fn between(start: &Moment, end: &Moment) -> Self {
        let (pairs, group) = (end.pairs - start.pairs, end.group - start.group);
        let spent = |end: Option<Duration>, start| Some(end?.saturating_sub(start?));
        Self {
            seconds: (end.at - start.at).as_secs_f64(),
            messages: (pairs.sent + group.sent) as f64,
            deliveries: (pairs.delivered + group.delivered) as f64,
            server: spent(end.server, start.server),
            tool: spent(end.tool, start.tool),
        }
    }

    /// The server's microseconds for each of so many; `None` of none.
    pub(crate) fn server_us_per(&self, count: f64) -> Option<f64> {
        micros_per(self.server, count)
    }

    /// The tool's microseconds for each message.
    pub(crate) fn tool_us_per_message(&self) -> Option<f64> {
        micros_per(self.tool, self.messages)
    }

    /// Processors that were busy.
    pub(crate) fn cores(&self, spent: Option<Duration>) -> Option<f64> {
        spent.filter(|_| self.seconds > 0.1).map(|spent| spent.as_secs_f64() / self.seconds)
    }
}

fn micros_per(spent: Option<Duration>, count: f64) -> Option<f64> {
    spent.filter(|_| count > 0.0).map(|spent| spent.as_secs_f64() * 1e6 / count)
}

pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

impl Part {
    pub(crate) fn of(tally: &Tally, counts: Counts, seconds: f64) -> Self {
        Self {
            messages_per_s: counts.sent as f64 / seconds,
            deliveries_per_s: counts.delivered as f64 / seconds,
            p50_ms: tally.delivery_ms(0.5),
            p99_ms: tally.delivery_ms(0.99),
            p999_ms: tally.delivery_ms(0.999),
            answer_p50_ms: tally.answer_ms(0.5),
            answer_p99_ms: tally.answer_ms(0.99),
        }
    }
}
