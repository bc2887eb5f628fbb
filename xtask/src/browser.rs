//! Suites that other people's programs drive against a real server: the page in a browser, and
//! WuKongIM's clients.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::command;
use crate::tree::{built_server, root};

const PAGE: &str = "testing/browser/run.mjs";
const WUKONG: &str = "testing/third-party/wukong.sh";
/// A debug build on a machine that does other things starts slowly.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// What the server promises.
const STOPPED_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The page in a browser.
pub(crate) fn page() -> Result<()> {
    with_server(PAGE, |root, address, _| {
        command::run(root, "node", &[PAGE, &format!("http://{address}")])
    })
}

/// WuKongIM's clients.
pub(crate) fn wukong() -> Result<()> {
    with_server(WUKONG, |root, _, ready_file| {
        let ready_file = ready_file.to_str().context("the folder's name is no text")?;
        command::run(root, "bash", &[WUKONG, ready_file])
    })
}

/// Starts a server, lets a script at it, and stops it.
fn with_server(script: &str, act: impl FnOnce(&Path, &str, &Path) -> Result<()>) -> Result<()> {
    let root = root();
    ensure!(root.join(script).exists(), "{script} is missing");
    let binary = built_server()?;

    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    let result = Server::start(Command::new(binary), folder.path(), &log).and_then(|mut server| {
        let ready_file = folder.path().join("ready.json");
        let address = server.address(&ready_file)?;
        act(&root, &address, &ready_file)?;
        server.stop()
    });
    if result.is_err() {
        println!("the server said:\n{}", std::fs::read_to_string(&log).unwrap_or_default());
    }
    result
}

/// A running server; killed if it is dropped.
struct Server(Child);

impl Server {
    fn start(mut program: Command, folder: &Path, log: &Path) -> Result<Self> {
        let log = File::create(log)?;
        let child = program
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.join("data"))
            .arg("--ready-file")
            .arg(folder.join("ready.json"))
            .env("NIGHTJAR_NATIVE__LISTEN", "127.0.0.1:0")
            .env("NIGHTJAR_XMPP__LISTEN", "")
            .env("NIGHTJAR_XMPP__TLS", "")
            .env("NIGHTJAR_WUKONG__TCP", "127.0.0.1:0")
            .env("NIGHTJAR_WUKONG__WS", "127.0.0.1:0")
            .env("NIGHTJAR_WUKONG__HTTP", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{program:?} could not be started"))?;
        Ok(Self(child))
    }

    /// Where it listens, once it says so.
    fn address(&mut self, ready_file: &Path) -> Result<String> {
        let address = until(READY_WITHIN, || {
            if let Some(status) = self.0.try_wait()? {
                bail!("the server ended before it was ready ({status})");
            }
            // A file that is still being written is no JSON yet.
            let text = std::fs::read(ready_file).unwrap_or_default();
            let ready: Option<serde_json::Value> = serde_json::from_slice(&text).ok();
            Ok(ready.and_then(|ready| Some(ready.get("http")?.as_str()?.to_owned())))
        })?;
        address.with_context(|| format!("the server was not ready within {READY_WITHIN:?}"))
    }

    /// Asks it to end, which it does in time and without an error.
    fn stop(mut self) -> Result<()> {
        command::run(&root(), "kill", &["-TERM", &self.0.id().to_string()])?;
        let status: Option<ExitStatus> = until(STOPPED_WITHIN, || Ok(self.0.try_wait()?))?;
        let status =
            status.with_context(|| format!("the server did not end within {STOPPED_WITHIN:?}"))?;
        ensure!(status.success(), "the server ended with an error ({status})");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `stop` there is nothing left to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Looks until there is something to see; `None` when the time is over.
fn until<T>(within: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
    let start = Instant::now();
    loop {
        if let Some(seen) = look()? {
            return Ok(Some(seen));
        }
        if start.elapsed() > within {
            return Ok(None);
        }
        thread::sleep(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shell script in the server's place.
    fn start(folder: &Path, script: &str) -> Server {
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh"]);
        Server::start(shell, folder, &folder.join("log")).unwrap()
    }

    const SAY_READY: &str = "echo '{\"http\":\"127.0.0.1:1\"}' > \"$7\"";

    #[test]
    fn a_server_is_ready_when_its_file_says_so_and_ends_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let script = format!("trap 'exit 0' TERM\n{SAY_READY}\nwhile :; do sleep 0.01; done");
        let mut server = start(folder.path(), &script);
        let address = server.address(&folder.path().join("ready.json")).unwrap();
        assert_eq!(address, "127.0.0.1:1");
        server.stop().unwrap();
    }

    #[test]
    fn a_server_that_dies_before_it_is_ready_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let mut server = start(folder.path(), "exit 3");
        let error = server.address(&folder.path().join("ready.json")).unwrap_err();
        assert!(error.to_string().contains("ended before it was ready"), "{error}");
    }

    #[test]
    fn a_server_that_ends_with_an_error_fails_the_suite() {
        let folder = tempfile::tempdir().unwrap();
        let script = format!("trap 'exit 4' TERM\n{SAY_READY}\nwhile :; do sleep 0.01; done");
        let mut server = start(folder.path(), &script);
        server.address(&folder.path().join("ready.json")).unwrap();
        let error = server.stop().unwrap_err().to_string();
        assert!(error.contains("ended with an error"), "{error}");
    }
}
