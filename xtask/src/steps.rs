//! Steps with a name and a duration, and the table that sums them up.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// One step of a chore.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    /// What it is called in the output.
    pub(crate) name: &'static str,
    /// What to do when it fails.
    pub(crate) remedy: &'static str,
    /// Does it.
    pub(crate) run: fn() -> Result<()>,
}

/// Runs steps in order; the first failure ends them and names its remedy.
pub(crate) fn run_until_failure(steps: &[Step]) -> Result<()> {
    for step in steps {
        let (result, took) = timed(step.name, step.run);
        if let Err(error) = result {
            bail!("{}: failed after {}\n{error:#}\n=> {}", step.name, seconds(took), step.remedy);
        }
    }
    Ok(())
}

/// Runs one thing between two lines that name it.
pub(crate) fn timed<T>(name: &str, run: impl FnOnce() -> Result<T>) -> (Result<T>, Duration) {
    println!("== {name}");
    let start = Instant::now();
    let result = run();
    let took = start.elapsed();
    let word = if result.is_ok() { "ok" } else { "FAILED" };
    println!("== {name}: {word} in {}", seconds(took));
    (result, took)
}

/// A duration as people read it.
pub(crate) fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn works() -> Result<()> {
        Ok(())
    }

    fn breaks() -> Result<()> {
        bail!("a reason")
    }

    fn must_not_run() -> Result<()> {
        panic!("a step after a failed one")
    }

    #[test]
    fn the_first_failure_ends_the_steps_and_says_what_to_do() {
        let step = |name, run| Step { name, remedy: "do this", run };
        let steps = [step("one", works), step("two", breaks), step("three", must_not_run)];
        let error = run_until_failure(&steps).expect_err("two breaks").to_string();
        assert!(error.starts_with("two: failed after"), "{error}");
        assert!(error.ends_with("a reason\n=> do this"), "{error}");
    }
}
