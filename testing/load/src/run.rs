//! One run, from the first connection to the report.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use nightjar_model::Secret;
use rustls_pki_types::ServerName;
use serde::Serialize;
use tokio::sync::{Semaphore, watch};
use tokio::task::LocalSet;
use tokio_rustls::TlsConnector;

use crate::admin::Admin;
use crate::client::{PACED_WINDOW, Phase, Shared};
use crate::crowd::{Crowd, Keys, Role};
use crate::device::Habits;
use crate::door::Door;
use crate::options::{BenchOptions, BenchVerb, LoadOptions};
use crate::peer::Peer;
use crate::process::Process;
use crate::report::{Cost, Idle, Moment, Part, Report, millis};
use crate::tally::Tally;
use crate::{files, relay, restart, roles, tls};

/// Connections opened at a time.
const OPENING_MAX: usize = 128;
/// Writing before the measuring begins: a share of it, bounded.
const WARM_UP_SHARE: f64 = 0.2;
const WARM_UP_MAX: Duration = Duration::from_secs(3);
/// What is on its way at the end may take so long to arrive.
const ARRIVE_WITHIN: Duration = Duration::from_secs(10);
/// Memory has settled when it stays within a hundredth for so many looks.
const SETTLE_LOOK: Duration = Duration::from_millis(500);
const SETTLED_LOOKS: usize = 6;
const SETTLE_LOOKS_MAX: usize = 60;

/// Carries out `nightjar bench …` and prints one JSON object. `program` is what serves and
/// relays: this very binary.
///
/// # Errors
/// What cannot be run, and what to do about it. Errors of single clients are in the report.
pub fn bench(options: BenchOptions, program: &Path) -> anyhow::Result<()> {
    let load = match options.verb {
        Some(BenchVerb::Relay(options)) => return relay::run(&options),
        Some(BenchVerb::Floor(load)) => {
            let report = block_on(floor(&load, program))?;
            return print(&report);
        }
        Some(BenchVerb::Restart(options)) => {
            return print(&block_on(restart::restart(&options, program))?);
        }
        None => options.load,
    };
    let mut report = block_on(server(&load, program))?;
    if load.with_floor {
        let floor = block_on(floor(&load, program))?;
        report.times_floor = report
            .cpu_us_per_message
            .zip(floor.cpu_us_per_message)
            .map(|(server, floor)| server / floor);
        report.floor = Some(Box::new(floor));
    }
    print(&report)
}

fn print(report: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(report)?);
    Ok(())
}

/// One thread for all clients; they end with it.
fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no runtime could be made")?;
    LocalSet::new().block_on(&runtime, future)
}

/// A run against a server.
async fn server(options: &LoadOptions, program: &Path) -> anyhow::Result<Report> {
    options.check()?;
    files::make_room(options.connections())?;
    let directory = tempfile::tempdir().context("no temporary directory could be made")?;
    let Some(url) = &options.server else {
        let pair = options.tls.then(|| tls::make_pair(directory.path())).transpose()?;
        let peer = Peer::serve(program, directory.path(), pair.as_ref(), &[]).await?;
        let tls = tls::client_config(pair.as_ref().map(|pair| pair.cert_file.as_path()))?;
        let admin = admin_of(&peer, options, &tls)?;
        let door = door(&peer.addresses.native, options.tls.then_some(("localhost", tls))).await?;
        let run = Run::new(options, door, Keys::Server(Box::new(admin)), Some(peer.process()));
        let mut report = run.go().await?;
        report.ready_ms = Some(millis(peer.ready_after));
        peer.end().await?;
        return Ok(report);
    };
    let tls = tls::client_config(options.ca_file.as_deref())?;
    let admin = Admin::new(url, Secret::new(options.admin_key.clone()), &tls)?;
    let native = options.native.clone().unwrap_or_else(|| format!("{}:7301", admin.host));
    let name = native.rsplit_once(':').map_or(native.as_str(), |(host, _)| host);
    let door = door(&native, options.tls.then_some((name, tls))).await?;
    let process = options.server_pid.map(Process);
    Run::new(options, door, Keys::Server(Box::new(admin)), process).go().await
}

/// The HTTP API of a server of the tool's own.
pub(crate) fn admin_of(
    peer: &Peer,
    options: &LoadOptions,
    tls: &Arc<rustls::ClientConfig>,
) -> anyhow::Result<Admin> {
    let http = peer.addresses.http.as_ref().context("the server has no HTTP address")?;
    Admin::new(&format!("http://{http}"), Secret::new(options.admin_key.clone()), tls)
}

/// The same run against the bare relay.
async fn floor(options: &LoadOptions, program: &Path) -> anyhow::Result<Report> {
    options.check()?;
    anyhow::ensure!(
        options.server.is_none() && !options.tls,
        "the floor is a plain relay of the tool's own; leave --server and --tls away"
    );
    files::make_room(options.connections())?;
    let directory = tempfile::tempdir().context("no temporary directory could be made")?;
    let peer = Peer::relay(program, directory.path()).await?;
    let door = door(&peer.addresses.native, None).await?;
    let run = Run::new(options, door, Keys::Relay, Some(peer.process()));
    let report = run.go().await?;
    peer.end().await?;
    Ok(Report { peer: "floor", ..report })
}

pub(crate) async fn door(
    native: &str,
    tls: Option<(&str, Arc<rustls::ClientConfig>)>,
) -> anyhow::Result<Door> {
    let address = tokio::net::lookup_host(native)
        .await
        .with_context(|| format!("--native: '{native}' is no address like 127.0.0.1:7301"))?
        .next()
        .with_context(|| format!("--native: '{native}' has no address"))?;
    let tls = match tls {
        None => None,
        Some((name, config)) => {
            let name = ServerName::try_from(name.to_owned()).context("--native: host")?;
            Some((TlsConnector::from(config), name))
        }
    };
    Ok(Door { address, tls })
}

/// Everything a run holds.
pub(crate) struct Run<'a> {
    options: &'a LoadOptions,
    pub(crate) crowd: Crowd,
    phase: watch::Sender<Phase>,
    process: Option<Process>,
    /// Begins the names of this run's users, groups and messages.
    pub(crate) name: String,
    pub(crate) pairs: Rc<Tally>,
    group: Rc<Tally>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        options: &'a LoadOptions,
        door: Door,
        keys: Keys,
        process: Option<Process>,
    ) -> Self {
        let (sender, phase) = watch::channel(Phase::Quiet);
        let shared = Rc::new(Shared {
            door,
            habits: Habits::new(options.window.max(PACED_WINDOW)),
            phase,
            opening: Semaphore::new(OPENING_MAX),
            online: Cell::new(0),
            errors: Cell::new(0),
            first_error: RefCell::new(None),
        });
        let zero = Instant::now();
        Self {
            options,
            crowd: Crowd::new(shared, keys),
            phase: sender,
            process,
            name: format!("load{:08x}", fastrand::u32(..)),
            pairs: Rc::new(Tally::new(zero)),
            group: Rc::new(Tally::new(zero)),
        }
    }

    async fn go(mut self) -> anyhow::Result<Report> {
        let idle = self.idle().await?;
        let is_writing = self.options.pairs() > 0 || self.options.group > 0;
        if is_writing {
            self.join_writers().await?;
        }
        let seconds = if is_writing { self.options.seconds } else { 0 };
        let measured = Duration::from_secs(seconds);
        self.phase.send_replace(Phase::Writing);
        tokio::time::sleep(measured.mul_f64(WARM_UP_SHARE).min(WARM_UP_MAX)).await;
        self.pairs.open(Instant::now(), measured);
        self.group.open(Instant::now(), measured);
        let start = self.moment();
        tokio::time::sleep(measured).await;
        let end = self.moment();
        self.phase.send_replace(Phase::Quiet);
        let missing = self.arrive().await;
        Ok(self.report(idle, &start, &end, missing))
    }

    fn report(&self, idle: Option<Idle>, start: &Moment, end: &Moment, missing: u64) -> Report {
        let (options, shared) = (self.options, &self.crowd.shared);
        let seconds = (end.at - start.at).as_secs_f64();
        let pairs =
            (options.pairs() > 0).then(|| Part::of(&self.pairs, end.pairs - start.pairs, seconds));
        let group =
            (options.group > 0).then(|| Part::of(&self.group, end.group - start.group, seconds));
        let first = pairs.as_ref().or(group.as_ref());
        let quantile = |of: fn(&Part) -> Option<f64>| first.and_then(of);
        let cost = Cost::between(start, end);
        Report {
            peer: "server",
            asked: LoadOptions { pairs: Some(options.pairs()), ..options.clone() },
            measured_s: seconds,
            messages_per_s: cost.messages / seconds.max(1e-9),
            deliveries_per_s: cost.deliveries / seconds.max(1e-9),
            cpu_us_per_message: cost.server_us_per(cost.messages),
            cpu_us_per_delivery: cost.server_us_per(cost.deliveries),
            cpu_cores: cost.cores(cost.server),
            tool_cpu_us_per_message: cost.tool_us_per_message(),
            tool_cpu_cores: cost.cores(cost.tool),
            p50_ms: quantile(|part| part.p50_ms),
            p99_ms: quantile(|part| part.p99_ms),
            p999_ms: quantile(|part| part.p999_ms),
            pairs,
            group,
            idle,
            connections: self.crowd.opened(),
            connects_per_s: self.crowd.connects_per_s(),
            memory_bytes: self.process.and_then(Process::memory_bytes),
            ready_ms: None,
            missing,
            errors: shared.errors.get() + missing,
            first_error: shared.first_error.borrow().clone(),
            floor: None,
            times_floor: None,
        }
    }

    /// Writes so many messages and waits until they have arrived; answers how many never did.
    pub(crate) async fn write(&mut self, messages: u64) -> anyhow::Result<u64> {
        self.join_writers().await?;
        self.phase.send_replace(Phase::Writing);
        while self.pairs.sent.get() < messages {
            if let Some(error) = &*self.crowd.shared.first_error.borrow() {
                anyhow::bail!("a client failed: {error}");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.phase.send_replace(Phase::Quiet);
        Ok(self.arrive().await)
    }

    fn moment(&self) -> Moment {
        Moment {
            at: Instant::now(),
            server: self.process.and_then(Process::cpu),
            tool: Process::own().cpu(),
            pairs: self.pairs.counts(),
            group: self.group.counts(),
        }
    }

    /// Waits for what is on its way; answers how many messages never came.
    async fn arrive(&self) -> u64 {
        let missing = || {
            let of = |tally: &Tally| tally.owed.get().saturating_sub(tally.delivered.get());
            of(&self.pairs) + of(&self.group)
        };
        let started = Instant::now();
        while started.elapsed() < ARRIVE_WITHIN && missing() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        missing()
    }

    /// Opens the idle connections and looks at what they cost.
    async fn idle(&mut self) -> anyhow::Result<Option<Idle>> {
        let connections = self.options.idle;
        if connections == 0 {
            return Ok(None);
        }
        let before = self.settled_memory().await;
        let roles = (0..connections)
            .map(|number| {
                let uid = format!("{}-i{number}", self.name);
                Ok(Role::reader(uid.clone(), roles::direct(&uid, &uid)?))
            })
            .collect::<anyhow::Result<_>>()?;
        self.crowd.join(roles, &self.pairs).await?;
        let after = self.settled_memory().await;
        let difference =
            after.zip(before).map(|(after, before)| after.saturating_sub(before) as f64);
        Ok(Some(Idle {
            connections,
            memory_before_bytes: before,
            memory_bytes: after,
            bytes_per_connection: difference.map(|bytes| bytes / connections as f64),
        }))
    }

    /// The server's memory once it stopped moving: freed pages go back after a while.
    async fn settled_memory(&self) -> Option<u64> {
        let process = self.process?;
        let mut last = process.memory_bytes()?;
        let mut still = 0;
        for _ in 0..SETTLE_LOOKS_MAX {
            tokio::time::sleep(SETTLE_LOOK).await;
            let now = process.memory_bytes()?;
            still = if now.abs_diff(last) <= last / 100 { still + 1 } else { 0 };
            if still == SETTLED_LOOKS {
                return Some(now);
            }
            last = if still == 0 { now } else { last };
        }
        Some(last)
    }

    async fn join_writers(&mut self) -> anyhow::Result<()> {
        let pairs = roles::pairs(self.options, &self.name)?;
        let members = roles::group(self.options, &self.name)?;
        if let (Keys::Server(admin), false) = (&self.crowd.keys, members.is_empty()) {
            let uids: Vec<String> = members.iter().map(|role| role.uid.clone()).collect();
            admin.make_group(&self.name, &uids).await?;
        }
        let (pairs_tally, group_tally) = (Rc::clone(&self.pairs), Rc::clone(&self.group));
        self.crowd.join(pairs, &pairs_tally).await?;
        self.crowd.join(members, &group_tally).await
    }
}
