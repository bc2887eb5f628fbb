//! What can be asked of the tool.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand, ValueEnum};
use nightjar_model::limits;
use serde::Serialize;

/// Pairs of a run that names nothing else to do.
const PAIRS_DEFAULT: usize = 50;
/// The admin key of development mode.
const DEVELOPMENT_KEY: &str = "dev";
/// The smallest content: a JSON object with a type and an empty text.
pub(crate) const PAYLOAD_BYTES_MIN: usize = 32;

/// `nightjar bench`: the options of a run, or one of the other figures.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BenchOptions {
    /// The run.
    #[command(flatten)]
    pub load: LoadOptions,
    /// Something else than a run against a server.
    #[command(subcommand)]
    pub verb: Option<BenchVerb>,
}

/// What else there is to measure.
#[derive(Debug, Subcommand)]
pub enum BenchVerb {
    /// The same load on a bare relay of the same frames: no storage, no decisions. The floor that
    /// a server's figures are held against.
    Floor(Box<LoadOptions>),
    /// How long a server with a full store takes to be ready after a crash, and its open debts to
    /// be pushed.
    Restart(RestartOptions),
    /// The relay itself; `floor` starts it.
    #[command(hide = true)]
    Relay(RelayOptions),
}

/// What lies in the store when the server is killed.
#[derive(Debug, Clone, Args, Serialize)]
pub struct RestartOptions {
    /// Messages that were seen.
    #[arg(long, default_value_t = 1_000_000)]
    pub messages: u64,
    /// Messages that were delivered, each to a device of its own, and not seen.
    #[arg(long, default_value_t = 10_000)]
    pub debts: usize,
    /// Bytes of a message's content.
    #[arg(long, default_value_t = 128)]
    pub payload: usize,
}

/// What the relay needs.
#[derive(Debug, Args)]
pub struct RelayOptions {
    /// Write the address listened on, as JSON, when ready.
    #[arg(long)]
    pub ready_file: PathBuf,
}

/// The protocol clients speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Front {
    /// Nightjar's own.
    Native,
    /// WuKongIM's; not offered by this version.
    Wukong,
    /// XMPP; not offered by this version.
    Xmpp,
}

/// One run.
#[derive(Debug, Clone, Args, Serialize)]
pub struct LoadOptions {
    /// The front door to use.
    #[arg(long, value_enum, default_value_t = Front::Native)]
    pub front: Front,
    /// How long to measure; a warm-up comes before it.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
    /// Pairs of a writer and a reader. Default 50, or 0 with --group or --idle.
    #[arg(long)]
    pub pairs: Option<usize>,
    /// Messages of each writer on their way, not yet acknowledged.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub window: u32,
    /// Bytes of a message's content.
    #[arg(long, default_value_t = 128)]
    pub payload: usize,
    /// Messages a second of all pairs together, at fixed moments whatever the answers do. Latency
    /// counts from those moments. Without it a writer goes on as soon as it is answered.
    #[arg(long)]
    pub rate: Option<f64>,
    /// Members of a group, all connected.
    #[arg(long, default_value_t = 0)]
    pub group: usize,
    /// Members who write.
    #[arg(long, default_value_t = 1)]
    pub senders: usize,
    /// Messages a second into the group, as --rate.
    #[arg(long)]
    pub group_rate: Option<f64>,
    /// Connections that say hello and nothing more.
    #[arg(long, default_value_t = 0)]
    pub idle: usize,
    /// Speak TLS.
    #[arg(long)]
    pub tls: bool,
    /// The admin key, to get tokens with.
    #[arg(long, default_value = DEVELOPMENT_KEY)]
    #[serde(skip)]
    pub admin_key: String,
    /// The server's HTTP address, such as http://127.0.0.1:7300. Without it a server of the tool's
    /// own is started, with an empty store.
    #[arg(long)]
    pub server: Option<String>,
    /// Its native front door, host:port. Default: port 7301 of --server's host.
    #[arg(long)]
    pub native: Option<String>,
    /// Its process, if it runs on this machine: processor time and memory are read there.
    #[arg(long)]
    pub server_pid: Option<u32>,
    /// Certificates to trust, PEM, beside the usual ones.
    #[arg(long)]
    #[serde(skip)]
    pub ca_file: Option<PathBuf>,
    /// Put the same load on the bare relay afterwards and print both, and their ratio.
    #[arg(long)]
    pub with_floor: bool,
    /// Print JSON. It is the only format.
    #[arg(long)]
    #[serde(skip)]
    pub json: bool,
}

impl LoadOptions {
    /// Pairs that write as fast as they are answered.
    pub(crate) fn full_speed(pairs: usize, payload: usize) -> Self {
        Self {
            front: Front::Native,
            seconds: 1,
            pairs: Some(pairs),
            window: 64,
            payload,
            rate: None,
            group: 0,
            senders: 1,
            group_rate: None,
            idle: 0,
            tls: false,
            admin_key: DEVELOPMENT_KEY.into(),
            server: None,
            native: None,
            server_pid: None,
            ca_file: None,
            with_floor: false,
            json: false,
        }
    }

    /// How many pairs there are.
    pub(crate) fn pairs(&self) -> usize {
        let default = if self.group > 0 || self.idle > 0 { 0 } else { PAIRS_DEFAULT };
        self.pairs.unwrap_or(default)
    }

    /// Connections of the whole run.
    pub(crate) fn connections(&self) -> usize {
        self.idle + 2 * self.pairs() + self.group
    }

    /// Refuses what cannot be run, and says what can.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.front != Front::Native {
            bail!("--front: this version offers native; wukong and xmpp are not offered yet");
        }
        let sizes = PAYLOAD_BYTES_MIN..=limits::CONTENT_BYTES_MAX;
        if !sizes.contains(&self.payload) {
            bail!("--payload: use {} to {} bytes", sizes.start(), sizes.end());
        }
        if self.group == 1 || self.group > limits::GROUP_MEMBERS_MAX {
            bail!("--group: use 2 to {} members", limits::GROUP_MEMBERS_MAX);
        }
        if self.senders == 0 || (self.group > 0 && self.senders > self.group) {
            bail!("--senders: use 1 to the number of members");
        }
        for (option, rate) in [("--rate", self.rate), ("--group-rate", self.group_rate)] {
            if rate.is_some_and(|rate| !(0.1..=1e6).contains(&rate)) {
                bail!("{option}: use 0.1 to 1000000 messages a second");
            }
        }
        if self.connections() == 0 {
            bail!("nothing to do: give --pairs, --group or --idle");
        }
        if self.server.is_none() && (self.native.is_some() || self.server_pid.is_some()) {
            bail!("--native and --server-pid belong to --server");
        }
        Ok(())
    }
}
