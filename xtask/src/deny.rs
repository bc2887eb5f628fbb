//! Licences, banned crates and sources, by cargo-deny where it is installed.

use anyhow::Result;

use crate::command;
use crate::tree::root;

/// Asks cargo-deny. Advisories are left out: they change without a change of ours, and fetching
/// them would make the same commit pass today and fail tomorrow.
pub(crate) fn run() -> Result<()> {
    if !command::is_installed("cargo-deny") {
        println!(
            "NOT CHECKED: cargo-deny is not installed; 'cargo install --locked cargo-deny' \
             brings it"
        );
        return Ok(());
    }
    command::run(&root(), "cargo", &["deny", "check", "licenses", "bans", "sources"])
}
