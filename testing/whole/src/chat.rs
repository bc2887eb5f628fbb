//! A person at `nightjar chat`: the real terminal client as a process.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::{Server, Setup, within};

/// A running `nightjar chat`; killed when dropped. What it keeps lies in the folder of its
/// [`Setup`], so that the same user and device can start again.
#[derive(Debug)]
pub struct Chat {
    child: Child,
    typed: Option<ChildStdin>,
    printed: Lines<BufReader<ChildStdout>>,
    seen: Vec<String>,
}

/// Who sits at a terminal, and whom they write to.
#[derive(Debug, Clone)]
pub struct Person {
    /// The account.
    pub uid: String,
    /// What proves it.
    pub token: String,
    /// Whom their lines go to.
    pub to: String,
}

impl Person {
    /// A user of this server who writes to another.
    pub async fn new(server: &Server, uid: &str, to: &str) -> Self {
        let token = server.api().token(uid).await;
        Self { uid: uid.to_owned(), token, to: to.to_owned() }
    }

    /// The name of this person's one device.
    #[must_use]
    pub fn device_id(&self) -> String {
        format!("{}-terminal", self.uid)
    }

    fn store(&self, setup: &Setup) -> PathBuf {
        setup.folder().join(format!("{}.sqlite", self.uid))
    }

    /// Starts the client with these servers, to be tried in turn.
    ///
    /// # Panics
    /// When the binary cannot be run.
    #[must_use]
    pub fn chat(&self, setup: &Setup, servers: &[String]) -> Chat {
        let mut command = setup.command();
        command.arg("chat").args(["--user", &self.uid, "--token", &self.token, "--to", &self.to]);
        command.args(["--device-id", &self.device_id()]).arg("--store").arg(self.store(setup));
        for server in servers {
            command.args(["--server", server]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let spawned = tokio::process::Command::from(command).kill_on_drop(true).spawn();
        let mut child = spawned.expect("the binary can be run");
        let typed = child.stdin.take();
        let printed = child.stdout.take().expect("standard output was piped");
        Chat { child, typed, printed: BufReader::new(printed).lines(), seen: Vec::new() }
    }
}

impl Chat {
    /// Types a line.
    ///
    /// # Panics
    /// When the process no longer listens.
    pub async fn types(&mut self, line: &str) {
        let typed = self.typed.as_mut().expect("the input is open");
        typed.write_all(format!("{line}\n").as_bytes()).await.expect("the process listens");
    }

    /// The first line from here on that holds `text`, once it is printed.
    ///
    /// # Panics
    /// When the output ends without it; the text has what was printed.
    pub async fn until(&mut self, text: &str) -> String {
        loop {
            let next = within(text, self.printed.next_line()).await.expect("lines are text");
            let Some(line) = next else { panic!("no '{text}' in {:#?}", self.seen) };
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Waits for the end of the process; answers how it ended and everything it printed.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn end(mut self) -> (ExitStatus, Vec<String>) {
        while let Some(line) =
            within("the last line", self.printed.next_line()).await.expect("lines are text")
        {
            self.seen.push(line);
        }
        let status = within("the client to end", self.child.wait()).await;
        (status.expect("the child is ours"), self.seen)
    }

    /// Types `/quit` and waits for the end.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn quits(mut self) -> (ExitStatus, Vec<String>) {
        self.types("/quit").await;
        self.end().await
    }

    /// Stops the process where it is, as a system does with an app in the background. Its kernel
    /// goes on taking bytes.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets the process go on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Sends SIGKILL and waits until the process is gone; answers what it printed until then.
    ///
    /// # Panics
    /// When it was gone already.
    pub async fn kill(self) -> Vec<String> {
        self.signal(Signal::KILL);
        self.end().await.1
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        kill_process(pid.expect("the client runs"), signal).expect("the child is ours");
    }
}
