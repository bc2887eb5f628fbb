//! `cargo xtask world`: builds the simulated world with its deliberate faults, and runs it.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::tree::root;

/// The world's own exit code is ours: 0, 1 for a promise that was not kept, 2 for a fault that
/// does not exist.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let status = Command::new("cargo")
        .args(["run", "--release", "--quiet", "--package", "nightjar-world"])
        .args(["--features", "sabotage", "--"])
        .args(arguments)
        .current_dir(root())
        .status()
        .context("'cargo' could not be started")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
