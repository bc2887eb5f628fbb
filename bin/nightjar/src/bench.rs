//! `nightjar bench`: the load tool, with this binary as the server it starts.

use anyhow::Context;
use nightjar_load::BenchOptions;

/// Runs it and prints one JSON object.
pub(crate) fn bench(options: BenchOptions) -> anyhow::Result<()> {
    let program = std::env::current_exe().context("this program does not know where it lies")?;
    nightjar_load::bench(options, &program)
}
