//! The suite of other people's Node programs; what they are stands in its folder.

use anyhow::Result;
use cargo_metadata::MetadataCommand;

use crate::command;
use crate::tree::root;

const SCRIPT: &str = "testing/third-party/run.mjs";

/// Builds the server and lets them at it.
pub(crate) fn run() -> Result<()> {
    let root = root();
    command::run(&root, "cargo", &["build", "--package", "nightjar"])?;
    let metadata = MetadataCommand::new().current_dir(&root).no_deps().exec()?;
    let binary = metadata.target_directory.join("debug/nightjar");
    command::run(&root, "node", &[SCRIPT, binary.as_str()])
}
