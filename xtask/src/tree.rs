//! The files of the repository.

use std::path::{Path, PathBuf};

use anyhow::Result;
use cargo_metadata::MetadataCommand;
use cargo_metadata::camino::Utf8PathBuf;

use crate::command;

/// A file of the tree, its path relative to the root with `/` between the parts.
pub(crate) struct File {
    /// Where it is.
    pub(crate) path: String,
    /// What it holds.
    pub(crate) text: String,
}

/// The folder that holds the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the root").to_owned()
}

/// The server's binary, built as tests build it.
pub(crate) fn built_server() -> Result<Utf8PathBuf> {
    let root = root();
    command::run(&root, "cargo", &["build", "--package", "nightjar"])?;
    let metadata = MetadataCommand::new().current_dir(&root).no_deps().exec()?;
    Ok(metadata.target_directory.join("debug/nightjar"))
}

/// Every text file that is tracked or would be by `git add`, in order of path.
pub(crate) fn files() -> Result<Vec<File>> {
    let root = root();
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let list = command::output(&root, "git", &arguments)?;
    let mut paths: Vec<&str> = list.split('\0').filter(|path| !path.is_empty()).collect();
    paths.sort_unstable();
    paths.dedup();
    // A path that cannot be read as text is a binary file, or one deleted and not yet committed.
    let read = |path: &str| {
        let text = std::fs::read_to_string(root.join(path)).ok()?;
        Some(File { path: path.to_owned(), text })
    };
    Ok(paths.into_iter().filter_map(read).collect())
}

/// Turns findings into an error, one line each.
pub(crate) fn none_of(findings: &[String]) -> Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    anyhow::bail!("{}", findings.join("\n"))
}
