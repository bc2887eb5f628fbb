//! `nightjar fake-vendors`: what it prints is a configuration the server takes, and what the
//! server then sends can be read back.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use nightjar_whole::{Login, within};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::setup;

struct Vendors {
    process: Child,
    told: Value,
}

impl Drop for Vendors {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn vendors() -> Vendors {
    let process = Command::new(env!("CARGO_BIN_EXE_nightjar"))
        .arg("fake-vendors")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut vendors = Vendors { process, told: Value::Null };
    let stdout = vendors.process.stdout.take().expect("it is piped");
    let mut text = String::new();
    for line in BufReader::new(stdout).lines() {
        text += &line.expect("text");
        if let Ok(told) = serde_json::from_str(&text) {
            vendors.told = told;
            return vendors;
        }
    }
    panic!("no object before the end: {text}");
}

/// What a vendor recorded, as an ordinary HTTP client reads it.
async fn requests(base_url: &str) -> Value {
    let address = base_url.strip_prefix("http://").expect("loopback");
    let mut tcp = TcpStream::connect(address).await.expect("it listens");
    let ask = format!("GET /_requests HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    tcp.write_all(ask.as_bytes()).await.expect("it listens");
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.expect("it answers");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    serde_json::from_str(body).expect("JSON")
}

#[tokio::test]
async fn a_server_runs_against_every_vendor_at_once_and_what_they_got_can_be_read() {
    let vendors = vendors();
    let told = vendors.told.as_object().expect("an object");
    assert!(told.len() >= 11, "{told:?}");
    let tables: Vec<&str> = told.values().filter_map(|one| one["config"].as_str()).collect();
    let server = setup().with(&tables.join("\n")).start().await;
    let alice = Login::new("alice", "laptop").to(&server).await;
    for (provider, one) in told.iter().filter(|(provider, _)| *provider != "apns") {
        let uid = format!("bob-{provider}");
        let token = one["token"].as_str().unwrap_or("a-token");
        server.api().bind(&uid, "phone", [provider, "main", token]).await;
        alice.say(&uid, "今天 noon?").await;
        let base_url = one["base_url"].as_str().expect("an address");
        let is_there = |requests: &Value| requests["requests"][0]["path"].is_string();
        let recorded = async { while !is_there(&requests(base_url).await) {} };
        within(provider, recorded).await;
    }
}
