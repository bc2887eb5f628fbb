//! The senders suite: what a real server sends to a push service, beside what other people's
//! senders send.

use anyhow::{Result, ensure};

use crate::command;
use crate::tree::{built_server, root};

const SCRIPT: &str = "testing/senders/run.mjs";

/// Builds the server and lets the script compare.
pub(crate) fn run() -> Result<()> {
    let root = root();
    ensure!(root.join(SCRIPT).exists(), "{SCRIPT} is missing");
    command::run(&root, "node", &[SCRIPT, built_server()?.as_str()])
}
