//! `cargo xtask check`: what must hold before a change lands, quickest to explain first.

use anyhow::Result;

use crate::steps::{Step, run_until_failure};
use crate::tree::root;
use crate::{command, deny, layers, links, names, tables, tidy};

const STEPS: &[Step] = &[
    Step { name: "format", remedy: "run 'cargo fmt --all'", run: format },
    Step {
        name: "layers",
        remedy: "move the code or turn the dependency around",
        run: layers::run,
    },
    Step { name: "tidy", remedy: "mend the lines named above", run: tidy::run },
    Step { name: "doc names", remedy: "name what exists in the sources", run: names::run },
    Step { name: "doc links", remedy: "point the link at a file that exists", run: links::run },
    Step { name: "doc tables", remedy: "run 'cargo xtask docs --write'", run: tables::compare },
    Step { name: "lints", remedy: "mend each warning; an 'allow' needs a reason", run: lints },
    Step { name: "licences, bans, sources", remedy: "see deny.toml", run: deny::run },
];

/// Runs every step until one fails.
pub(crate) fn run() -> Result<()> {
    run_until_failure(STEPS)
}

/// Runs the steps about documentation.
pub(crate) fn docs() -> Result<()> {
    let is_about_docs = |step: &&Step| step.name.starts_with("doc ");
    run_until_failure(&STEPS.iter().filter(is_about_docs).copied().collect::<Vec<_>>())
}

fn format() -> Result<()> {
    command::run(&root(), "cargo", &["fmt", "--all", "--check"])
}

fn lints() -> Result<()> {
    let arguments = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    command::run(&root(), "cargo", &arguments)
}
