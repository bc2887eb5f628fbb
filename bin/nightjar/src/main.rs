//! The Nightjar server and its command line.
//!
//! `serve.rs` joins the parts; no rule about messaging lives here.

mod banner;
mod bench;
mod certificates;
mod config;
mod fake_vendors;
mod listen;
mod metrics;
mod serve;
mod stores;
mod wukong;
mod xmpp;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Freed memory goes back to where connections need it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A self-hosted chat server that pushes what nobody saw.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// Run the server. Without a configuration file: development mode, on loopback only.
    Serve(ServeOptions),
    /// Check a configuration file; exit 1 names file, line, option and reason.
    CheckConfig {
        /// The file.
        file: PathBuf,
    },
    /// Chat from a terminal.
    Chat(Box<nightjar_client::ChatOptions>),
    /// Check a stopped server's store; exit 1 if something cannot be.
    Verify {
        /// The server's data directory.
        #[arg(long)]
        data_dir: PathBuf,
    },
    /// Write a stopped server's store as newline-delimited JSON.
    Export {
        /// The server's data directory.
        #[arg(long)]
        data_dir: PathBuf,
        /// The file to write.
        #[arg(long)]
        out: PathBuf,
    },
    /// Read an export into a new data directory.
    Import {
        /// The new data directory.
        #[arg(long)]
        data_dir: PathBuf,
        /// The file to read.
        #[arg(long = "in")]
        input: PathBuf,
    },
    /// Load a server and print what it costs, as one JSON object.
    Bench(Box<nightjar_load::BenchOptions>),
    /// Run a recording server of every push vendor on loopback, and print where they are.
    FakeVendors,
}

#[derive(Args, Default)]
struct ServeOptions {
    /// The configuration file; without one, development mode.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Where the store is.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Where HTTP, WebSocket and the console listen.
    #[arg(long)]
    listen: Option<String>,
    /// Write the addresses really listened on, as JSON, when ready.
    #[arg(long)]
    ready_file: Option<PathBuf>,
}

fn main() -> ExitCode {
    let verb = Cli::parse().command.unwrap_or(Verb::Serve(ServeOptions::default()));
    let done = match verb {
        Verb::Serve(options) => serve::serve(options),
        Verb::CheckConfig { file } => {
            config::Config::load(Some(&file)).map(|_| ()).map_err(Into::into)
        }
        Verb::Chat(options) => return chat(*options),
        Verb::Verify { data_dir } => stores::verify(&data_dir),
        Verb::Export { data_dir, out } => stores::export(&data_dir, &out),
        Verb::Import { data_dir, input } => stores::import(&data_dir, &input),
        Verb::Bench(options) => bench::bench(*options),
        Verb::FakeVendors => fake_vendors::fake_vendors(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nightjar: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn chat(options: nightjar_client::ChatOptions) -> ExitCode {
    match tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() {
        Ok(runtime) => runtime.block_on(nightjar_client::chat(options)),
        Err(error) => {
            eprintln!("nightjar: no runtime could be made: {error}");
            ExitCode::FAILURE
        }
    }
}
