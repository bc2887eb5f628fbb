//! Suites that other people's programs drive: what each needs, and how it is brought here.

use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};

use crate::tree::root;
use crate::{browser, command, senders, third_party};

/// A suite driven by a program that is not ours.
pub(crate) struct Suite {
    /// Its name in the summary and for `--only`.
    pub(crate) name: &'static str,
    /// What must be here first.
    pub(crate) needs: &'static [Need],
    /// Runs it.
    pub(crate) run: fn() -> Result<()>,
}

/// Something a suite cannot run without.
pub(crate) enum Need {
    /// A program, and the Debian package that brings it.
    Apt { program: &'static str, package: &'static str },
    /// The packages a folder's `package.json` names.
    Npm { folder: &'static str },
    /// The packages a folder's `requirements.txt` names, in a `.venv` beside it.
    Pip { folder: &'static str },
}

/// Every suite.
pub(crate) const SUITES: &[Suite] = &[
    Suite {
        name: "browser",
        needs: &[
            Need::Apt { program: "node", package: "nodejs" },
            Need::Apt { program: "npm", package: "npm" },
            Need::Apt { program: "chromium", package: "chromium" },
            Need::Npm { folder: "testing/browser" },
        ],
        run: browser::page,
    },
    Suite {
        name: "senders",
        needs: &[
            Need::Apt { program: "node", package: "nodejs" },
            Need::Apt { program: "npm", package: "npm" },
            Need::Npm { folder: "testing/senders" },
        ],
        run: senders::run,
    },
    Suite {
        name: "third-party",
        needs: &[
            Need::Apt { program: "node", package: "nodejs" },
            Need::Apt { program: "npm", package: "npm" },
            Need::Npm { folder: "testing/third-party" },
        ],
        run: third_party::run,
    },
    Suite {
        name: "wukong",
        needs: &[
            Need::Apt { program: "node", package: "nodejs" },
            Need::Apt { program: "npm", package: "npm" },
            Need::Apt { program: "python3", package: "python3-venv" },
            Need::Npm { folder: "testing/third-party" },
            Need::Pip { folder: "testing/third-party" },
        ],
        run: browser::wukong,
    },
];

/// Brings what a suite needs, runs it, and answers the versions of what ran.
pub(crate) fn run(suite: &Suite) -> Result<String> {
    let mut versions = Vec::new();
    for need in suite.needs {
        need.meet().with_context(|| format!("{} cannot be installed", need.name()))?;
        versions.push(need.version()?);
    }
    let versions = versions.join(", ");
    println!("{} runs with {versions}", suite.name);
    (suite.run)()?;
    Ok(versions)
}

impl Need {
    fn name(&self) -> &str {
        match self {
            Self::Apt { package, .. } => package,
            Self::Npm { folder } | Self::Pip { folder } => folder,
        }
    }

    fn meet(&self) -> Result<()> {
        let root = root();
        match self {
            Self::Apt { program, .. } if command::is_installed(program) => Ok(()),
            Self::Apt { package, .. } => {
                refresh_package_lists()?;
                command::run(
                    &root,
                    "apt-get",
                    &["install", "-y", "--no-install-recommends", package],
                )
            }
            Self::Npm { folder } => {
                let folder = root.join(folder);
                ensure!(folder.join("package.json").exists(), "it has no package.json");
                let is_locked = folder.join("package-lock.json").exists();
                let verb = if is_locked { "ci" } else { "install" };
                command::run(&folder, "npm", &[verb, "--no-audit", "--no-fund"])
            }
            Self::Pip { folder } => {
                let folder = root.join(folder);
                ensure!(folder.join("requirements.txt").exists(), "it has no requirements.txt");
                command::run(&folder, "python3", &["-m", "venv", ".venv"])?;
                let install = ["install", "--quiet", "--requirement", "requirements.txt"];
                command::run(&folder, pip_of(&folder)?.as_str(), &install)
            }
        }
    }

    fn version(&self) -> Result<String> {
        match self {
            Self::Apt { program, .. } => {
                let version = command::output(&root(), program, &["--version"])?;
                Ok(format!("{program} {version}"))
            }
            Self::Npm { folder } => {
                let folder = root().join(folder);
                let list =
                    command::output(&folder, "npm", &["ls", "--depth=0", "--parseable=false"])?;
                Ok(npm_versions(&list))
            }
            Self::Pip { folder } => {
                let folder = root().join(folder);
                let list = command::output(&folder, pip_of(&folder)?.as_str(), &["freeze"])?;
                Ok(list.split_whitespace().collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// The `pip` of a folder; a relative name would be looked for elsewhere.
fn pip_of(folder: &std::path::Path) -> Result<String> {
    let pip = folder.join(".venv/bin/pip");
    Ok(pip.to_str().context("the folder's name is no text")?.to_owned())
}

/// `name@version` of each package in what `npm ls` prints.
fn npm_versions(list: &str) -> String {
    let packages =
        list.lines().skip(1).filter_map(|line| line.split(' ').find(|w| w.contains('@')));
    packages.collect::<Vec<_>>().join(", ")
}

/// Once in a run: a machine that was just made has no package lists.
fn refresh_package_lists() -> Result<()> {
    static DONE: OnceLock<()> = OnceLock::new();
    if DONE.get().is_none() {
        command::run(&root(), "apt-get", &["update"])?;
        let _ = DONE.set(());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_of_npm_packages_are_read() {
        let list = "browser@1.0.0 /there\n├── ws@8.18.0\n└── @scope/core@1.2.3\n";
        assert_eq!(npm_versions(list), "ws@8.18.0, @scope/core@1.2.3");
    }
}
