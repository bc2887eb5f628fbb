//! `cargo xtask test`: every test there is, and one table at the end.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::command;
use crate::steps::{seconds, timed};
use crate::suites::{self, SUITES};
use crate::tree::root;

/// One part of the tests; answers what ran, with versions.
struct Part {
    name: &'static str,
    run: Box<dyn Fn() -> Result<String>>,
}

/// Runs every part, or the one of that name. A failed part does not keep the others from running.
pub(crate) fn run(only: Option<&str>) -> Result<()> {
    let parts: Vec<Part> =
        parts().into_iter().filter(|part| only.is_none_or(|name| name == part.name)).collect();
    if parts.is_empty() {
        let names: Vec<&str> = self::parts().iter().map(|part| part.name).collect();
        bail!("there is no such part; the parts are: {}", names.join(", "));
    }
    let mut summary = Vec::new();
    for part in &parts {
        let (result, took) = timed(part.name, &part.run);
        summary.push((part.name, result, took));
    }
    println!("\n{}", table(&summary));
    let failed = summary.iter().filter(|(_, result, _)| result.is_err()).count();
    if failed > 0 {
        bail!("{failed} of {} parts failed", summary.len());
    }
    Ok(())
}

fn parts() -> Vec<Part> {
    let mut parts = vec![Part { name: "unit", run: Box::new(unit) }];
    parts.extend(
        SUITES.iter().map(|suite| Part { name: suite.name, run: Box::new(|| suites::run(suite)) }),
    );
    parts
}

/// Unit, table, store-suite and scenario tests: all that cargo knows.
fn unit() -> Result<String> {
    let root = root();
    if command::is_installed("cargo-nextest") {
        command::run(&root, "cargo", &["nextest", "run", "--workspace"])?;
        let version = command::output(&root, "cargo-nextest", &["--version"])?;
        return Ok(version.lines().next().unwrap_or_default().to_owned());
    }
    command::run(&root, "cargo", &["test", "--workspace", "--tests"])?;
    command::output(&root, "cargo", &["--version"])
}

fn table(summary: &[(&str, Result<String>, Duration)]) -> String {
    let mut lines = vec![format!("{:<12} {:<7} {:>9}  {}", "part", "result", "time", "ran with")];
    for (name, result, took) in summary {
        let (word, detail) = match result {
            Ok(versions) => ("ok", versions.clone()),
            Err(error) => ("FAILED", format!("{error:#}")),
        };
        lines.push(format!("{name:<12} {word:<7} {:>9}  {detail}", seconds(*took)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_tells_what_ran_and_what_failed() {
        let took = Duration::from_millis(1500);
        let summary = [
            ("unit", Ok("cargo 1".to_owned()), took),
            ("browser", Err(anyhow::anyhow!("chromium: cannot be installed")), took),
        ];
        assert_eq!(
            table(&summary),
            "part         result       time  ran with\n\
             unit         ok          1.5 s  cargo 1\n\
             browser      FAILED      1.5 s  chromium: cannot be installed"
        );
    }

    #[test]
    fn a_part_that_does_not_exist_is_refused_with_those_that_do() {
        let error = run(Some("everything")).unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no such part; the parts are: unit, browser, senders, third-party, wukong"
        );
    }
}
