//! The disk fills while people write: is anything lost that was acknowledged?
//!
//! ```text
//! cargo build --release -p nightjar
//! cargo run --release -p nightjar-whole --example full_disk
//! ```
//!
//! Needs the right to mount a file system: the store lies on one in memory, of its own. Writes
//! until the server ends, gives the disk room, starts the server again and looks for every message
//! that was acknowledged. Prints a line of JSON; ends with 1 when the server did not end with 74,
//! did not say why, or lost something.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use nightjar_whole::{Device, Login, Setup, text_to_user, within};
use nightjar_wire::{Body, Kind};
use serde_json::json;

const SMALL: &str = "size=96m";
const LARGE: &str = "size=512m";
/// Bytes of text in a message.
const TEXT_BYTES: usize = 16 << 10;
/// Messages on their way at a time.
const WINDOW: usize = 16;
/// Exit code of a server whose store failed (EX_IOERR of sysexits.h).
const STORE_FAILED: i32 = 74;

/// A file system in memory; unmounted when dropped.
struct Mount(PathBuf);

impl Mount {
    fn new(place: PathBuf) -> Self {
        std::fs::create_dir_all(&place).expect("there is room for a folder");
        let mount = Self(place);
        mount.run("mount", &["-t", "tmpfs", "-o", SMALL, "tmpfs"]);
        mount
    }

    fn grow(&self) {
        self.run("mount", &["-o", &format!("remount,{LARGE}")]);
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let status = Command::new(program).args(arguments).arg(&self.0).status();
        let done = status.is_ok_and(|status| status.success());
        assert!(done, "{program} failed: it needs the right to mount, try as root");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.run("umount", &[]);
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let setup = Setup::new(binary());
    let mount = Mount::new(setup.data_dir());
    let mut server = setup.start().await;
    let alice = Login::new("alice", "laptop").to(&server).await;
    let acknowledged = write_until_the_end(&alice).await;
    let code = server.ends().await.code();
    let says_why = server.log().contains("is full");
    mount.grow();
    server.start_again().await;
    let history = server.api().whole_history("d:alice:bob", "bob").await;
    let kept: BTreeSet<_> =
        history.iter().filter_map(|message| message["message_id"].as_str()).collect();
    let lost = acknowledged.iter().filter(|id| !kept.contains(id.as_str())).count();
    server.terminate().await;
    let is_verified = server.verify().status.success();
    println!(
        "{}",
        json!({"acknowledged": acknowledged.len(), "stored": kept.len(), "lost": lost,
            "exit_code": code, "says_why": says_why, "verified": is_verified})
    );
    // The folder of the server can only be removed once nothing is mounted in it.
    drop(mount);
    drop(server);
    let good = lost == 0 && code == Some(STORE_FAILED) && says_why && is_verified;
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Writes until the connection ends; answers the ids of what was acknowledged.
async fn write_until_the_end(writer: &Device) -> Vec<String> {
    let text = "x".repeat(TEXT_BYTES);
    let mut acknowledged = Vec::new();
    let mut waiting = VecDeque::new();
    loop {
        if !writer.has_ended() {
            let send = text_to_user("bob", &text);
            waiting.push_back(writer.begin(Kind::Send, Body::Send(send)));
        }
        while waiting.len() >= WINDOW || writer.has_ended() {
            let Some(answer) = waiting.pop_front() else { return acknowledged };
            if let Some(Ok(Body::SendAnswer(answer))) = within("an answer or the end", answer).await
            {
                acknowledged.push(answer.message_id);
            }
        }
    }
}

/// The server's binary: beside the folder of this one.
fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("the path of this program");
    own.ancestors().nth(2).unwrap_or(Path::new("")).join("nightjar")
}
