//! A server process.

use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::process::Child;

use crate::setup::ADMIN_KEY;
use crate::{Api, Setup, within};

/// How often the ready file is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct Server {
    setup: Setup,
    child: Child,
    addresses: Value,
    ready_at: SystemTime,
}

impl Server {
    pub(crate) async fn start(setup: Setup) -> Self {
        let child = spawn(&setup);
        let mut server =
            Self { setup, child, addresses: Value::Null, ready_at: SystemTime::UNIX_EPOCH };
        server.wait_until_ready().await;
        server
    }

    async fn wait_until_ready(&mut self) {
        let file = ready_file(&self.setup);
        let ready = async {
            loop {
                if let Ok(text) = std::fs::read_to_string(&file) {
                    return text;
                }
                if let Some(status) = self.child.try_wait().expect("the child is ours") {
                    let log = read_log(&self.setup);
                    panic!("the server ended with {status} before it was ready:\n{log}");
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let text = within("the server to be ready", ready).await;
        self.ready_at = SystemTime::now();
        self.addresses = serde_json::from_str(&text).expect("the ready file is JSON");
    }

    /// What it was started with.
    #[must_use]
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The ready file as it was written.
    #[must_use]
    pub fn addresses(&self) -> &Value {
        &self.addresses
    }

    /// When the ready file was seen.
    #[must_use]
    pub fn ready_at(&self) -> SystemTime {
        self.ready_at
    }

    /// Where HTTP and WebSocket are.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.address("http")
    }

    /// Where the native protocol is.
    #[must_use]
    pub fn native(&self) -> SocketAddr {
        self.address("native")
    }

    /// Where XMPP is.
    #[must_use]
    pub fn xmpp(&self) -> SocketAddr {
        self.address("xmpp")
    }

    /// Where a listener is, by its name in the ready file.
    ///
    /// # Panics
    /// When it is off.
    #[must_use]
    pub fn address(&self, name: &str) -> SocketAddr {
        let text = self.addresses[name].as_str().unwrap_or_default();
        text.parse().unwrap_or_else(|_| panic!("no address '{name}' in {}", self.addresses))
    }

    /// The operator's back end, with the admin key.
    #[must_use]
    pub fn api(&self) -> Api {
        let key = if self.setup.is_development { "dev" } else { ADMIN_KEY };
        Api::new(self.http(), Some(key))
    }

    /// What it logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        read_log(&self.setup)
    }

    /// Sends SIGTERM and waits for the end; answers how it ended and how long that took.
    pub async fn terminate(&mut self) -> (ExitStatus, Duration) {
        let since = Instant::now();
        self.signal(Signal::TERM);
        let status = within("the server to end", self.child.wait()).await;
        (status.expect("the child is ours"), since.elapsed())
    }

    /// Waits until it ends by itself; answers how.
    pub async fn ends(&mut self) -> ExitStatus {
        within("the server to end", self.child.wait()).await.expect("the child is ours")
    }

    /// Sends SIGKILL and waits until the process is gone.
    pub async fn kill(&mut self) {
        self.signal(Signal::KILL);
        let status = within("the server to be gone", self.child.wait()).await;
        assert_eq!(status.expect("the child is ours").signal(), Some(9), "{}", self.log());
    }

    /// Sends SIGHUP.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id().expect("the server runs")
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process id"), signal).expect("the child is ours");
    }

    /// Starts it anew on the same data directory, on other ports, and waits until it is ready.
    pub async fn start_again(&mut self) {
        self.child = spawn(&self.setup);
        self.wait_until_ready().await;
    }

    /// `nightjar verify` on the data directory of the stopped server.
    #[must_use]
    pub fn verify(&self) -> Output {
        let data_dir = self.setup.data_dir();
        self.setup.run(&["verify".as_ref(), "--data-dir".as_ref(), data_dir.as_os_str()])
    }

    /// The same, which must find nothing.
    ///
    /// # Panics
    /// With what it found.
    pub fn assert_verified(&self) {
        let found = self.verify();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(found.status.success(), "{}{}", text(&found.stdout), text(&found.stderr));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the server's log:\n{}", self.log());
        }
    }
}

fn spawn(setup: &Setup) -> Child {
    let ready = ready_file(setup);
    // The file of an earlier process would say that this one is ready.
    let _ = std::fs::remove_file(&ready);
    let open = File::options().create(true).append(true).open(log_file(setup));
    let log = open.expect("there is room for a log");
    let mut command = setup.command();
    command.arg("serve").arg("--ready-file").arg(&ready);
    if setup.is_development {
        command.arg("--data-dir").arg(setup.data_dir()).args(["--listen", "127.0.0.1:0"]);
    } else {
        let file = setup.folder().join("nightjar.toml");
        std::fs::write(&file, setup.config()).expect("there is room for a configuration");
        command.arg("--config").arg(&file);
    }
    let out = log.try_clone().expect("a file has room for a second handle");
    command.stdin(Stdio::null()).stdout(out).stderr(log);
    let spawned = tokio::process::Command::from(command).kill_on_drop(true).spawn();
    spawned.expect("the binary can be run")
}

fn ready_file(setup: &Setup) -> PathBuf {
    setup.folder().join("ready.json")
}

fn log_file(setup: &Setup) -> PathBuf {
    setup.folder().join("server.log")
}

fn read_log(setup: &Setup) -> String {
    std::fs::read_to_string(log_file(setup)).unwrap_or_default()
}
