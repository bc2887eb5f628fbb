//! A record of a client, as `nightjar chat --record` writes it, played again: a readable play, and
//! the invariants that need no server.
//!
//! The record has to begin with an empty store. Nothing in it says who signed in, so that is taken
//! from the first answer to a hello.

use std::fmt::Debug;

use bytes::Bytes;
use nightjar_client_core::{Client, Config, Event, Identity, Input, Output, Record, Restored};
use nightjar_model::{DeviceId, Secret, Uid};
use nightjar_wire::{Body, Packet, Side, body};

use crate::invariants::{ClientWatch, Violation};
use crate::play::Play;

/// Characters of what is printed of an input or an event.
const SHOWN_MAX: usize = 100;

/// A record that was played.
#[derive(Debug)]
pub struct Replayed {
    /// What happened, line by line.
    pub play: String,
    /// Calls of the client.
    pub inputs: usize,
    /// The first invariant that was not kept.
    pub violation: Option<Violation>,
}

/// Why a record cannot be played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl std::fmt::Display for BadLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "line {}: {}; give a file that 'nightjar chat --record' wrote",
            self.line, self.reason
        )
    }
}

impl std::error::Error for BadLine {}

/// Plays a record to its end, or to the first invariant that is not kept.
///
/// # Errors
/// [`BadLine`] for the first line that is no record.
pub fn replay(text: &str) -> Result<Replayed, BadLine> {
    let records = text.lines().enumerate().map(|(at, line)| {
        Record::parse(line).map_err(|error| BadLine { line: at + 1, reason: error.to_string() })
    });
    let records: Vec<Record> = records.collect::<Result<_, _>>()?;
    let Some(begin) = records.first().map(Record::now) else {
        return Err(BadLine { line: 1, reason: "there is nothing in it".into() });
    };
    let restored = Restored::default();
    let mut watch = ClientWatch::of(&restored);
    let mut client = Client::new(Config::default().into(), identity(&records), restored, begin);
    let mut replayed = Replayed { play: String::new(), inputs: 0, violation: None };
    let mut play = Play::new(true);
    for record in records {
        let at_ms = record.now().mono.since(begin.mono);
        let before = client.state();
        record.look(|input| {
            watch.given(input);
            play.line(at_ms, "given", || input_text(input));
        });
        record.play(&mut client);
        replayed.inputs += 1;
        while let Some(output) = client.poll() {
            watch.said(&output);
            if let Some(text) = output_text(&output) {
                play.line(at_ms, "wants", || text);
            }
        }
        if client.state() != before {
            play.line(at_ms, "is", || format!("{:?}", client.state()));
        }
        if let Some((invariant, text)) = watch.rests(&client) {
            play.line(at_ms, "VIOLATION", || format!("{invariant}: {text}"));
            replayed.violation = Some(Violation { at_ms, invariant, text });
            break;
        }
    }
    replayed.play = play.text();
    Ok(replayed)
}

/// Who signed in, as the server said.
fn identity(records: &[Record]) -> Identity {
    let uid = records.iter().find_map(|record| {
        record.look(|input| match input {
            Input::Packet(_, bytes) => match decoded(bytes, Side::Client)?.body {
                Body::HelloAnswer(answer) => Uid::parse(&answer.uid).ok(),
                _ => None,
            },
            _ => None,
        })
    });
    let uid = uid.unwrap_or_else(|| Uid::parse("nobody").expect("it is a plain name"));
    let device_id = DeviceId::parse("recorded").expect("it is a plain name");
    Identity { uid, device_id, token: Secret::new(String::new()) }
}

fn decoded(bytes: &Bytes, side: Side) -> Option<Packet> {
    Packet::decode(bytes, side).ok()
}

fn input_text(input: &Input<'_>) -> String {
    match input {
        Input::Packet(connection, bytes) => {
            format!("on connection {}: {}", connection.0, packet_text(decoded(bytes, Side::Client)))
        }
        other => shortened(other),
    }
}

/// What of an output a reader wants to know.
fn output_text(output: &Output) -> Option<String> {
    Some(match output {
        Output::Send(connection, bytes) => {
            format!("to say on {}: {}", connection.0, packet_text(decoded(bytes, Side::Server)))
        }
        Output::Commit(commit) => {
            format!("commit {} of {} rows", commit.number, commit.rows.len())
        }
        Output::Event(Event::Link(indicator)) => format!("the user to see {indicator:?}"),
        Output::Event(Event::Message(message)) => {
            format!("the user to see {} #{}", message.conversation, message.seq)
        }
        Output::Event(_) | Output::Ledger(_) => return None,
        Output::Notify(note) => {
            format!("to post {} for {} #{}", note.id.as_str(), note.conversation, note.seq)
        }
        other => shortened(other),
    })
}

fn packet_text(packet: Option<Packet>) -> String {
    let Some(packet) = packet else { return "what cannot be read".into() };
    let what = match &packet.body {
        Body::Deliver(deliver) => places(&deliver.messages),
        Body::Ack(ack) => {
            let items = ack.items.iter().map(|item| {
                let (stored, surfaced) = (item.stored.unwrap_or(0), item.surfaced.unwrap_or(0));
                format!("{} stored {stored} surfaced {surfaced}", item.conversation)
            });
            items.collect::<Vec<_>>().join(", ")
        }
        Body::Read(read) => format!("{} up to #{}", read.conversation, read.seq),
        Body::AppState(state) => state.state.clone(),
        _ => String::new(),
    };
    let code = if packet.code == 0 { String::new() } else { format!(" refused {}", packet.code) };
    format!("{}{code} {what}", packet.kind.name()).trim_end().to_owned()
}

fn places(messages: &[body::Message]) -> String {
    let places =
        messages.iter().map(|message| format!("{} #{}", message.conversation, message.seq));
    places.collect::<Vec<_>>().join(", ")
}

fn shortened(what: &impl Debug) -> String {
    let text = format!("{what:?}");
    text.chars().take(SHOWN_MAX).collect()
}
