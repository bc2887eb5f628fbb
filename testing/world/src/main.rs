//! `cargo xtask world`: runs seeds, prints one JSON object, and the play of what went wrong.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use clap::Parser;
use nightjar_model::sabotage::{Sabotage, choose};
use nightjar_world::{Outcome, Report, replay, run, shrink};

/// Seeds that are run before their outcomes are taken in: what a long run keeps in memory.
const SEEDS_AT_ONCE: u64 = 64;

/// From so many seeds on every cell of the coverage must be hit.
const SEEDS_TO_COVER: u64 = 2_000;
/// The part of the device-hours that is to have a message and a fault.
const BUSY_HOURS_MIN: f64 = 0.9;

/// Runs the simulated world.
#[derive(Parser)]
#[command(bin_name = "cargo xtask world")]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A fault that a core commits on purpose; the run ends when it is found.
    #[arg(long, value_name = "NAME")]
    sabotage: Option<String>,
    /// Print the names of the faults.
    #[arg(long)]
    list_sabotages: bool,
    /// Run every fault and print a table: its name, the seed and the promise that finds it.
    #[arg(long, conflicts_with_all = ["sabotage", "trace"])]
    sabotages: bool,
    /// Write the number of each seed's play to a file.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sabotage", "sabotages"])]
    hashes: Option<PathBuf>,
    /// Play a record of `nightjar chat --record FILE` again and print it as a play.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sabotage", "sabotages", "hashes"])]
    replay: Option<PathBuf>,
    /// Write the play of the first violation as it was, not the smallest that breaks the promise.
    #[arg(long)]
    whole: bool,
    /// Write the first violation's play, or the last seed's without one, to a file.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list_sabotages {
        for sabotage in Sabotage::ALL {
            println!("{}", sabotage.name());
        }
        return ExitCode::SUCCESS;
    }
    if let Some(path) = &arguments.replay {
        return play_again(path);
    }
    if arguments.sabotages {
        return all_sabotages(&arguments);
    }
    let sabotage = arguments.sabotage.as_deref();
    let fault = sabotage.map(|name| Sabotage::ALL.into_iter().find(|fault| fault.name() == name));
    if fault == Some(None) {
        eprintln!("there is no such sabotage; --list-sabotages names them");
        return ExitCode::from(2);
    }
    let fault = fault.flatten();
    choose(fault);
    let written = arguments.hashes.iter().try_for_each(|path| write_hashes(&arguments, path));
    match written.and_then(|()| look(&arguments, fault)) {
        Ok(report) if report.violations == 0 && is_covered(&arguments, &report) => {
            ExitCode::SUCCESS
        }
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn play_again(path: &Path) -> ExitCode {
    let replayed = std::fs::read_to_string(path)
        .map_err(|error| error.to_string())
        .and_then(|text| replay(&text).map_err(|error| error.to_string()));
    match replayed {
        Ok(replayed) => {
            print!("{}", replayed.play);
            eprintln!("{} inputs were played", replayed.inputs);
            if replayed.violation.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(reason) => {
            eprintln!("{}: {reason}", path.display());
            ExitCode::FAILURE
        }
    }
}

/// Whether a run that is long enough met everything there is to meet; a sabotage is not to.
fn is_covered(arguments: &Arguments, report: &Report) -> bool {
    if report.seeds < SEEDS_TO_COVER || arguments.sabotage.is_some() {
        return true;
    }
    let is_busy = report.busy_hours >= BUSY_HOURS_MIN;
    if !is_busy {
        eprintln!(
            "only {:.1} % of the device-hours had a message and a fault; {:.0} % are to",
            report.busy_hours * 100.0,
            BUSY_HOURS_MIN * 100.0
        );
    }
    for cell in &report.not_covered {
        eprintln!("not covered: {cell}; let it happen, or say in faults.rs why it cannot");
    }
    is_busy && report.not_covered.is_empty()
}

fn write_hashes(arguments: &Arguments, path: &Path) -> anyhow::Result<()> {
    let seeds = arguments.seed..arguments.seed.saturating_add(arguments.seeds);
    let lines = seeds.map(|seed| format!("{seed} {:016x}\n", run(seed, true).hash()));
    Ok(std::fs::write(path, lines.collect::<String>())?)
}

/// One line a fault; a fault that no seed finds fails.
fn all_sabotages(arguments: &Arguments) -> ExitCode {
    let mut all_found = true;
    println!("| fault | seed | promise |\n|---|---|---|");
    for fault in Sabotage::ALL {
        let mut report = Report::default();
        let mut next = arguments.seed;
        while report.found.is_none() && next < arguments.seed + arguments.seeds {
            let end = next + SEEDS_AT_ONCE;
            for (seed, outcome) in run_all(next, end, Some(fault)) {
                report.take(seed, &outcome);
            }
            next = end;
        }
        all_found &= report.found.is_some();
        let (seed, promise) = match report.found {
            Some(found) => (found.seed.to_string(), found.invariant),
            None => ("none".into(), "none"),
        };
        println!("| `{}` | {seed} | {promise} |", fault.name());
    }
    if all_found { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn look(arguments: &Arguments, fault: Option<Sabotage>) -> anyhow::Result<Report> {
    let start = Instant::now();
    let mut report = Report::default();
    let seeds = arguments.seed..arguments.seed.saturating_add(arguments.seeds);
    let mut next = seeds.start;
    'all: while next < seeds.end {
        let end = seeds.end.min(next.saturating_add(SEEDS_AT_ONCE));
        for (seed, outcome) in run_all(next, end, fault) {
            report.take(seed, &outcome);
            if let Some(violation) = &outcome.violation {
                if report.violations == 1 {
                    tell(arguments, seed)?;
                }
                eprintln!("seed {seed}: {} {}", violation.invariant, violation.text);
            }
            if report.violations > 0 && fault.is_some() {
                break 'all;
            }
        }
        next = end;
    }
    if let (Some(last), 0, Some(path)) = (seeds.last(), report.violations, &arguments.trace) {
        std::fs::write(path, run(last, true).play)?;
    }
    let seconds = start.elapsed().as_secs_f64().max(0.001);
    report.events_per_s = (report.events as f64 / seconds) as u64;
    report.close();
    println!("{}", serde_json::to_string(&report)?);
    Ok(report)
}

/// Runs seeds on every processor; the outcomes are in the order of the seeds.
fn run_all(first: u64, end: u64, fault: Option<Sabotage>) -> Vec<(u64, Outcome)> {
    let next = AtomicU64::new(first);
    let work = || {
        choose(fault);
        let seeds = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        let seeds = seeds.take_while(|seed| *seed < end);
        seeds.map(|seed| (seed, run(seed, false))).collect::<Vec<_>>()
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let mut outcomes: Vec<(u64, Outcome)> = thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        running.into_iter().flat_map(|worker| worker.join().expect("a world panicked")).collect()
    });
    outcomes.sort_unstable_by_key(|(seed, _)| *seed);
    outcomes
}

/// The same seed is the same run: this time it is written down, and made small unless it is to be
/// whole.
fn tell(arguments: &Arguments, seed: u64) -> anyhow::Result<()> {
    let play = match shrink(seed).filter(|_| !arguments.whole) {
        Some(small) => format!("{}{}", small.text, small.outcome.play),
        None => run(seed, true).play,
    };
    match &arguments.trace {
        Some(path) => std::fs::write(path, &play)?,
        None => writeln!(std::io::stderr().lock(), "{play}")?,
    }
    Ok(())
}
