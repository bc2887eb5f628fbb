//! From a crash with a full store to the last push of what was owed.

use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde::Serialize;
use serde_json::Value;

use crate::RestartOptions;
use crate::crowd::{Keys, Role};
use crate::options::LoadOptions;
use crate::peer::Peer;
use crate::report::millis;
use crate::run::{Run, admin_of, door};
use crate::{files, roles, tls};

/// Pairs that fill the store.
const PAIRS: usize = 100;
/// Acknowledgements are gathered by clients and by the server; after so long they are written.
const ACKS_WITHIN: Duration = Duration::from_millis(1_000);
/// No debt may fall due before the crash.
const NEVER_DUE: (&str, &str) = ("NIGHTJAR_DEADLINES__FOREGROUND_MS", "3600000");
const PUSHED_WITHIN: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct Restarted {
    asked: RestartOptions,
    /// How long the store took to fill.
    filled_s: f64,
    /// From the start of the new process until it was ready.
    ready_ms: f64,
    /// From then until the last debt was handed to its provider.
    last_push_ms: f64,
    /// Pushes handed over.
    pushes: u64,
    /// Work rows the start found open.
    work_rows_at_open: u64,
    /// Rows read since the start, by their keys and in ranges.
    rows_loaded: u64,
    /// See `rows_loaded`.
    rows_scanned: u64,
    /// Resident memory after the last push.
    memory_bytes: Option<u64>,
}

pub(crate) async fn restart(options: &RestartOptions, program: &Path) -> anyhow::Result<Restarted> {
    let load = LoadOptions::full_speed(PAIRS, options.payload);
    load.check()?;
    files::make_room(load.connections() + options.debts)?;
    let directory = tempfile::tempdir().context("no temporary directory could be made")?;
    let started = Instant::now();
    fill(options, &load, program, directory.path()).await?;
    let filled_s = started.elapsed().as_secs_f64();

    let peer = Peer::serve(program, directory.path(), None, &[]).await?;
    let ready = Instant::now();
    let admin = admin_of(&peer, &load, &tls::client_config(None)?)?;
    let mut metrics = admin.metrics().await?;
    while metrics.value("nightjar_pushes_total") < options.debts as u64 {
        ensure!(
            ready.elapsed() < PUSHED_WITHIN,
            "{} of {} debts were pushed within {} s",
            metrics.value("nightjar_pushes_total"),
            options.debts,
            PUSHED_WITHIN.as_secs()
        );
        tokio::time::sleep(LOOK_AGAIN).await;
        metrics = admin.metrics().await?;
    }
    let restarted = Restarted {
        asked: options.clone(),
        filled_s,
        ready_ms: millis(peer.ready_after),
        last_push_ms: millis(ready.elapsed()),
        pushes: metrics.value("nightjar_pushes_total"),
        work_rows_at_open: metrics.value("nightjar_work_rows_at_open"),
        rows_loaded: metrics.value("nightjar_store_rows_loaded_total"),
        rows_scanned: metrics.value("nightjar_store_rows_scanned_total"),
        memory_bytes: peer.process().memory_bytes(),
    };
    peer.end().await?;
    Ok(restarted)
}

/// A server writes it all, and is killed.
async fn fill(
    options: &RestartOptions,
    load: &LoadOptions,
    program: &Path,
    directory: &Path,
) -> anyhow::Result<()> {
    let peer = Peer::serve(program, directory, None, &[NEVER_DUE]).await?;
    let tls = tls::client_config(None)?;
    let keys = Keys::Server(Box::new(admin_of(&peer, load, &tls)?));
    let door = door(&peer.addresses.native, None).await?;
    let mut run = Run::new(load, door, keys, Some(peer.process()));
    let missing = run.write(options.messages).await?;
    ensure!(missing == 0, "{missing} messages did not arrive");

    let writer = format!("{}-writer", run.name);
    let readers: Vec<String> =
        (0..options.debts).map(|number| format!("{}-d{number}", run.name)).collect();
    let roles = readers.iter().map(|uid| {
        let conversation = roles::direct(&writer, uid)?;
        Ok(Role { is_frozen: true, ..Role::reader(uid.clone(), conversation) })
    });
    let roles = roles.collect::<anyhow::Result<Vec<_>>>()?;
    let tally = Rc::clone(&run.pairs);
    run.crowd.join(roles, &tally).await?;
    let content: Value = serde_json::from_slice(&roles::content(options.payload))?;
    admin_of(&peer, load, &tls)?.write_to(&writer, &readers, &content).await?;
    tokio::time::sleep(ACKS_WITHIN).await;
    peer.kill()
}
