//! `nightjar fake-vendors`: every vendor's recording server, for integrators.

use anyhow::Context;
use nightjar_provider_servers::Fleet;
use tokio::signal::unix::{SignalKind, signal};

/// Starts them, prints one JSON object of where they are, and runs until it is asked to stop.
pub(crate) fn fake_vendors() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("no runtime could be made")?;
    runtime.block_on(async {
        let mut terminated =
            signal(SignalKind::terminate()).context("no SIGTERM can be awaited")?;
        let fleet = Fleet::start().await;
        println!("{:#}", fleet.told());
        tokio::select! {
            _ = terminated.recv() => Ok(()),
            stopped = tokio::signal::ctrl_c() => stopped.context("no SIGINT can be awaited"),
        }
    })
}
