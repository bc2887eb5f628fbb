//! The project's own chores, one file each: `cargo xtask --help` lists them.
//!
//! A chore looks at the tree or runs a program; what it decides is a function over data with its
//! own tests. A chore that finds something says where, what is wrong and what to do, and exits 1.
//!
//! Deliberately absent: anything the product needs to run.
//!
//! Read `check::run` first: it is the list of what must hold before a change lands.

mod browser;
mod check;
mod command;
mod deny;
mod layers;
mod links;
mod names;
mod senders;
mod sources;
mod steps;
mod suites;
mod tables;
mod test;
mod third_party;
mod tidy;
mod tree;
mod world;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The project's own chores.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Everything that must hold before a change lands, without running tests.
    Check,
    /// Every test: unit, store suites, world, whole server, third-party suites.
    Test {
        /// Run one part: `unit` or the name of a suite.
        #[arg(long, value_name = "NAME")]
        only: Option<String>,
    },
    /// Dependencies point down only, and no core stands on I/O.
    Layers,
    /// Names, links and generated tables of the documentation are true.
    Docs {
        /// Rewrite the generated tables instead of comparing them.
        #[arg(long)]
        write: bool,
    },
    /// Sizes, unfinished code, and what must not be in a file.
    Tidy,
    /// The simulated world: `--seeds N`, `--seed S`, `--sabotage NAME`, `--list-sabotages`,
    /// `--trace FILE`. Prints one JSON object.
    World {
        /// Given to the world as they are.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let result = match Arguments::parse().chore {
        Chore::Check => check::run(),
        Chore::Test { only } => test::run(only.as_deref()),
        Chore::Layers => layers::run(),
        Chore::Docs { write: true } => tables::write(),
        Chore::Docs { write: false } => check::docs(),
        Chore::Tidy => tidy::run(),
        Chore::World { arguments } => return code(world::run(&arguments)),
    };
    code(result.map(|()| ExitCode::SUCCESS))
}

fn code(result: Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        eprintln!("{error:#}");
        ExitCode::FAILURE
    })
}
