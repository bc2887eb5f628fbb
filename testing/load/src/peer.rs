//! The other process: a server of the tool's own, or the relay.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;

use crate::process::Process;
use crate::tls::Pair;

/// A store with millions of rows may take so long to open.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// A server drains within 10 s (docs/protocol.md); what takes longer is killed.
const END_WITHIN: Duration = Duration::from_secs(15);
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Where it listens.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Addresses {
    /// The HTTP API; the relay has none.
    #[serde(default)]
    pub(crate) http: Option<String>,
    /// The native front door.
    pub(crate) native: String,
}

/// A process that ends with this value.
pub(crate) struct Peer {
    child: Child,
    pub(crate) addresses: Addresses,
    /// From its start until it was ready.
    pub(crate) ready_after: Duration,
}

impl Peer {
    /// Starts a server with this program, in development mode with these options in its
    /// environment.
    pub(crate) async fn serve(
        program: &Path,
        data_dir: &Path,
        tls: Option<&Pair>,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command.arg("serve").arg("--data-dir").arg(data_dir).args(["--listen", "127.0.0.1:0"]);
        command.env("NIGHTJAR_NATIVE__LISTEN", "127.0.0.1:0");
        command.env("NIGHTJAR_XMPP__LISTEN", "").env("NIGHTJAR_XMPP__TLS", "");
        for name in ["NIGHTJAR_WUKONG__TCP", "NIGHTJAR_WUKONG__WS", "NIGHTJAR_WUKONG__HTTP"] {
            command.env(name, "127.0.0.1:0");
        }
        // All clients come from one address.
        command.env("NIGHTJAR_LIMITS__HANDSHAKES_PER_S", "0");
        if std::env::var_os("NIGHTJAR_LOG").is_none() {
            command.env("NIGHTJAR_LOG", "warn");
        }
        command.envs(settings.iter().copied());
        if let Some(pair) = tls {
            command.env("NIGHTJAR_NATIVE__CERT_FILE", &pair.cert_file);
            command.env("NIGHTJAR_NATIVE__KEY_FILE", &pair.key_file);
        }
        Self::start(command, data_dir.join("ready.json")).await
    }

    /// Starts the bare relay with this program.
    pub(crate) async fn relay(program: &Path, directory: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command.args(["bench", "relay"]);
        Self::start(command, directory.join("relay.json")).await
    }

    async fn start(mut command: Command, ready_file: PathBuf) -> anyhow::Result<Self> {
        // One of an earlier start would be believed.
        let _ = std::fs::remove_file(&ready_file);
        command.arg("--ready-file").arg(&ready_file).stdin(Stdio::null()).stdout(Stdio::null());
        let started = Instant::now();
        let child = command.spawn().context("the server could not be started")?;
        let mut peer = Self { child, addresses: Addresses::default(), ready_after: Duration::ZERO };
        loop {
            if let Ok(text) = std::fs::read_to_string(&ready_file) {
                peer.ready_after = started.elapsed();
                peer.addresses =
                    serde_json::from_str(&text).context("the ready file is not as expected")?;
                return Ok(peer);
            }
            if let Some(status) = peer.child.try_wait()? {
                bail!("the server ended at its start ({status}); the reason stands above");
            }
            if started.elapsed() > READY_WITHIN {
                bail!("the server was not ready within {} s", READY_WITHIN.as_secs());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The process, for its figures.
    pub(crate) fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// Ends it as a crash would: at once, with nothing written that was not.
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end and waits until it has.
    ///
    /// # Errors
    /// It ended with a failure, or not in time.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("the server has no process id")?, Signal::TERM)?;
        let asked = Instant::now();
        while asked.elapsed() < END_WITHIN {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("the server ended with a failure: {status}"),
                None => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
        bail!("the server did not end within {} s", END_WITHIN.as_secs())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It has ended already, except after an error of the run.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
