//! `nightjar chat`: a terminal client, line by line, at home in a terminal and in a pipe.

mod command;
pub(crate) mod content;
mod screen;
pub(crate) mod talk;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nightjar_client_core::{Identity, Restored};
use nightjar_model::{DeviceId, GroupId, Platform, Secret, Target, Uid};
use tokio::sync::mpsc;

use crate::store::{Owner, Store};
use crate::transport::{Address, Connector};
use crate::{Client, LedgerFile, Settings};
use talk::{Running, Talk};

/// Lines that were typed and not looked at.
const LINES_MAX: usize = 16;

/// Options of `nightjar chat`.
#[derive(clap::Args)]
pub struct ChatOptions {
    /// A server; of several, the next one is tried when one is silent. host:port, nightjar+tls://,
    /// ws://, wss://, http:// or https://
    #[arg(long = "server", value_name = "URL", required = true)]
    servers: Vec<Address>,
    /// Your uid
    #[arg(long, value_name = "UID")]
    user: String,
    /// What proves that you are this user
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Write to this user
    #[arg(long, value_name = "UID", conflicts_with = "group")]
    to: Option<String>,
    /// Write to this group
    #[arg(long, value_name = "ID")]
    group: Option<String>,
    /// Where messages are kept [default: nightjar-chat-UID.sqlite in this folder]
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
    /// Name of this install [default: made once and kept in the store]
    #[arg(long, value_name = "ID")]
    device_id: Option<String>,
    /// Write down here what the client is given, to play it again; as private as the store
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Certificates to trust besides the usual ones, PEM
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// Chats until the user has enough. The exit code is 0, or 1 if the login was refused or
/// something could not be sent; then the reason is on standard error.
pub async fn chat(options: ChatOptions) -> ExitCode {
    let done = match open(options).await {
        Ok((talk, lines)) => talk.run(lines).await,
        Err(reason) => Err(reason),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("nightjar chat: {reason}");
            ExitCode::FAILURE
        }
    }
}

async fn open(options: ChatOptions) -> Result<(Running, mpsc::Receiver<String>), String> {
    let uid = Uid::parse(&options.user).map_err(|error| format!("--user: {error}"))?;
    let target = target(&options)?;
    let token = options.token.ok_or_else(|| how_to_get_a_token(&uid, &options.servers[0]))?;
    let given = options.device_id.as_deref().map(DeviceId::parse).transpose();
    let given = given.map_err(|error| format!("--device-id: {error}"))?;
    let record = options.record.as_deref().map(new_record).transpose()?;
    let connector = Connector::new(options.ca_file.as_deref()).map_err(with_cause)?;
    let path = options.store.unwrap_or_else(|| format!("nightjar-chat-{uid}.sqlite").into());
    let ledger = LedgerFile::new(&path.with_extension("ledger"));
    let (store, restored) = Store::open(&path).await.map_err(with_cause)?;
    let wanted = Owner { uid, device_id: given.clone().unwrap_or_else(new_device_id) };
    let owner = store.claim(wanted.clone()).await.map_err(with_cause)?;
    if owner.uid != wanted.uid || given.is_some_and(|given| given != owner.device_id) {
        let path = path.display();
        let Owner { uid, device_id } = owner;
        return Err(format!(
            "{path} belongs to {uid} on the device {device_id}; name another file with --store"
        ));
    }
    let talk = Talk::new(owner.uid.clone(), target, &restored);
    let identity =
        Identity { uid: owner.uid, device_id: owner.device_id, token: Secret::new(token) };
    let (client, news) = Client::start(settings(
        options.servers,
        connector,
        identity,
        (store, restored),
        (ledger, record),
    ));
    Ok((talk.with(client, news), typed_lines()))
}

fn settings(
    servers: Vec<Address>,
    connector: Connector,
    identity: Identity,
    store: (Store, Restored),
    (ledger, record): (LedgerFile, Option<File>),
) -> Settings {
    Settings {
        servers,
        connector,
        identity,
        platform: Platform::Cli,
        app: Some(concat!("nightjar-chat/", env!("CARGO_PKG_VERSION")).to_owned()),
        store: Some(store),
        ledger: Some(ledger),
        record,
    }
}

/// A file for the eyes of this user only. One that is there already is kept.
fn new_record(path: &Path) -> Result<File, String> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let failed = |error| format!("--record: cannot create {}: {error}", path.display());
    options.open(path).map_err(failed)
}

fn target(options: &ChatOptions) -> Result<Option<Target>, String> {
    if let Some(to) = &options.to {
        let uid = Uid::parse(to).map_err(|error| format!("--to: {error}"))?;
        return Ok(Some(Target::User(uid)));
    }
    let group = options.group.as_deref().map(GroupId::parse).transpose();
    Ok(group.map_err(|error| format!("--group: {error}"))?.map(Target::Group))
}

/// In development mode the server gives one to anybody who has the admin key.
fn how_to_get_a_token(uid: &Uid, server: &Address) -> String {
    let address = server.to_string();
    let place = address.split_once("://").map_or(address.as_str(), |(_, place)| place);
    let (place, is_http) = place.split_once('/').map_or((place, false), |(place, _)| (place, true));
    let host = place.rsplit_once(':').map_or(place, |(host, _)| host);
    let place = if is_http { place.to_owned() } else { format!("{host}:7300") };
    let scheme = if server.is_encrypted() { "https" } else { "http" };
    format!(
        "--token is missing. Your back end gives tokens to its users; a server in development \
         mode gives one to anybody:\n  curl -X POST -H 'Authorization: Bearer dev' -H \
         'Content-Type: application/json' -d '{{}}' {scheme}://{place}/v1/users/{uid}/tokens"
    )
}

fn new_device_id() -> DeviceId {
    let mut random = [0_u8; 8];
    getrandom::fill(&mut random).expect("the system has random bytes");
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    DeviceId::parse(&format!("cli-{hex}")).expect("letters and digits are an id")
}

/// An error and what caused it.
fn with_cause(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Lines of standard input, until its end. A thread of its own reads them: the end of the program
/// must not wait for somebody to press a key.
fn typed_lines() -> mpsc::Receiver<String> {
    let (typed, lines) = mpsc::channel(LINES_MAX);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            let Ok(line) = line else { break };
            if typed.blocking_send(line).is_err() {
                break;
            }
        }
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_no_token_is_told_how_to_get_one() {
        let hint = |server: &str| {
            how_to_get_a_token(&Uid::parse("bob").unwrap(), &server.parse().unwrap())
        };
        let ends = [
            ("127.0.0.1:7301", "http://127.0.0.1:7300/v1/users/bob/tokens"),
            ("http://127.0.0.1:7400", "http://127.0.0.1:7400/v1/users/bob/tokens"),
            ("wss://chat.example", "https://chat.example:443/v1/users/bob/tokens"),
            ("nightjar://[::1]:7301", "http://[::1]:7300/v1/users/bob/tokens"),
        ];
        for (server, end) in ends {
            assert!(hint(server).ends_with(end), "{}", hint(server));
        }
    }
}
