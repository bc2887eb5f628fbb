//! The floor: a relay of the same packets, with nothing behind it.
//!
//! Each send is answered and handed to everybody else of its conversation, in packets of the
//! sizes a server's have, as many to a write as came in one read. Acknowledgements are read and
//! dropped, as they are of no use to the writer of a server either. Nothing is stored, checked or
//! decided; texts stay bytes.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use anyhow::Context;
use bytes::{Buf, Bytes, BytesMut};
use nightjar_wire::{Body, HEADER_BYTES, Header, Kind, Packet, Side, body, next_packet};
use prost::Message;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::RelayOptions;

/// Bytes read at a time; an idle connection holds none.
const READ_BYTES: usize = 16 << 10;
/// Bytes that may wait for one connection; one that reads slower is dropped.
const UNWRITTEN_BYTES_MAX: usize = 64 << 20;
/// Ids and times of the usual length.
const MESSAGE_ID: &[u8] = b"019a0000-0000-7000-8000-000000000000";
const AT: u64 = 1_764_000_000_000;

/// What of a send goes on.
#[derive(Clone, PartialEq, Message)]
struct SendPart {
    #[prost(bytes = "bytes", tag = "2")]
    client_msg_id: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    content: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct SendAnswer {
    #[prost(bytes = "bytes", tag = "1")]
    message_id: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    conversation: Bytes,
    #[prost(uint64, tag = "3")]
    seq: u64,
    #[prost(uint64, tag = "4")]
    at: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Deliver {
    #[prost(message, repeated, tag = "1")]
    messages: Vec<Delivered>,
}

#[derive(Clone, PartialEq, Message)]
struct Delivered {
    #[prost(bytes = "bytes", tag = "1")]
    message_id: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    conversation: Bytes,
    #[prost(uint64, tag = "3")]
    seq: u64,
    #[prost(bytes = "bytes", tag = "4")]
    from: Bytes,
    #[prost(bytes = "bytes", tag = "5")]
    client_msg_id: Bytes,
    #[prost(uint64, tag = "6")]
    at: u64,
    #[prost(bytes = "bytes", tag = "7")]
    content: Bytes,
    #[prost(bool, tag = "8")]
    alert: bool,
}

/// The writing half of a connection. Whoever has something for it writes at once; only what the
/// kernel does not take waits.
struct Line {
    socket: OwnedWriteHalf,
    unwritten: Mutex<BytesMut>,
    stalled: Notify,
}

impl Line {
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut unwritten = lock(&self.unwritten);
        let written = match unwritten.is_empty() {
            true => taken(self.socket.try_write(bytes))?,
            false => 0,
        };
        if written < bytes.len() {
            unwritten.extend_from_slice(&bytes[written..]);
            self.stalled.notify_one();
        }
        if unwritten.len() > UNWRITTEN_BYTES_MAX {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        Ok(())
    }

    /// Writes what waits, for as long as the connection lives.
    async fn catch_up(&self) -> io::Result<()> {
        loop {
            self.stalled.notified().await;
            loop {
                self.socket.writable().await?;
                let mut unwritten = lock(&self.unwritten);
                let written = taken(self.socket.try_write(&unwritten))?;
                unwritten.advance(written);
                if unwritten.is_empty() {
                    break;
                }
            }
        }
    }
}

/// Bytes the kernel took.
fn taken(written: io::Result<usize>) -> io::Result<usize> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}

/// The connections of one conversation and its last place.
#[derive(Default)]
struct Room {
    lines: Vec<Arc<Line>>,
    seq: u64,
}

type Rooms = Arc<Mutex<HashMap<String, Arc<Mutex<Room>>>>>;

/// What a connection is after its hello.
struct Member {
    room: Arc<Mutex<Room>>,
    conversation: Bytes,
    uid: Bytes,
}

/// Relays until the process is ended.
pub(crate) fn run(options: &RelayOptions) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port is free")?;
        let ready = json!({"native": listener.local_addr()?.to_string()}).to_string();
        let beside = options.ready_file.with_extension("tmp");
        std::fs::write(&beside, ready)
            .and_then(|()| std::fs::rename(&beside, &options.ready_file))
            .with_context(|| format!("{} cannot be written", options.ready_file.display()))?;
        let rooms = Rooms::default();
        let mut terminate =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (stream, _) = accepted.context("a connection could not be accepted")?;
                    stream.set_nodelay(true)?;
                    tokio::spawn(serve(stream, Arc::clone(&rooms)));
                }
                _ = terminate.recv() => return Ok(()),
            }
        }
    })
}

async fn serve(stream: TcpStream, rooms: Rooms) {
    let (reading, writing) = stream.into_split();
    let line =
        Arc::new(Line { socket: writing, unwritten: Mutex::default(), stalled: Notify::default() });
    let mut member = None;
    // A connection that fails is over, and nobody here wants to know why.
    let _ = tokio::select! {
        ended = read(reading, &line, &rooms, &mut member) => ended,
        ended = line.catch_up() => ended,
    };
    if let Some(Member { room, .. }) = member {
        lock(&room).lines.retain(|other| !Arc::ptr_eq(other, &line));
    }
}

async fn read(
    mut socket: OwnedReadHalf,
    line: &Arc<Line>,
    rooms: &Rooms,
    member: &mut Option<Member>,
) -> io::Result<()> {
    let mut received = BytesMut::new();
    loop {
        socket.readable().await?;
        received.reserve(READ_BYTES);
        if socket.read_buf(&mut received).await? == 0 {
            return Ok(());
        }
        if member.is_none() {
            *member = greet(&mut received, line, rooms)?;
        }
        if let Some(member) = member {
            relay(&mut received, line, member)?;
        }
        if received.is_empty() {
            received = BytesMut::new();
        }
    }
}

fn bad<E: Into<Box<dyn std::error::Error + Send + Sync>>>(error: E) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// The first packet: its token names the conversation and the user.
fn greet(received: &mut BytesMut, line: &Arc<Line>, rooms: &Rooms) -> io::Result<Option<Member>> {
    let Some(packet) = next_packet(received).map_err(bad)? else { return Ok(None) };
    let packet = Packet::decode(&packet, Side::Server).map_err(bad)?;
    let Body::Hello(hello) = packet.body else { return Err(bad("no hello")) };
    let (conversation, uid) = hello.token.split_once('/').ok_or_else(|| bad("no names"))?;
    let room = Arc::clone(lock(rooms).entry(conversation.to_owned()).or_default());
    lock(&room).lines.push(Arc::clone(line));
    let answer = body::HelloAnswer {
        uid: uid.to_owned(),
        session: "relay".into(),
        heartbeat_s: 30,
        ..body::HelloAnswer::default()
    };
    let answer = Body::HelloAnswer(Box::new(answer));
    line.write(&Packet::answer(packet.serial, Kind::Hello, answer).to_bytes())?;
    let (conversation, uid) = (conversation.to_owned().into(), uid.to_owned().into());
    Ok(Some(Member { room, conversation, uid }))
}

/// Answers and hands on what came in one read.
fn relay(received: &mut BytesMut, line: &Arc<Line>, member: &Member) -> io::Result<()> {
    let (mut answers, mut deliveries) = (BytesMut::new(), BytesMut::new());
    // Held until the deliveries are written: they arrive in the order of their places.
    let mut room = lock(&member.room);
    while let Some(mut packet) = next_packet(received).map_err(bad)? {
        let header = Header::parse(&packet).map_err(bad)?;
        packet.advance(HEADER_BYTES);
        if header.command == Kind::Send.number() {
            let part = SendPart::decode(packet).map_err(bad)?;
            room.seq += 1;
            let answer = SendAnswer {
                message_id: Bytes::from_static(MESSAGE_ID),
                conversation: member.conversation.clone(),
                seq: room.seq,
                at: AT,
            };
            put(&mut answers, header.serial, Kind::Send, &answer);
            put(&mut deliveries, 0, Kind::Deliver, &deliver(part, room.seq, member));
        } else if header.serial > 0 {
            let kind = Kind::from_number(header.command).ok_or_else(|| bad("no command"))?;
            Packet::answer(header.serial, kind, Body::Empty).encode(&mut answers);
        }
    }
    if !answers.is_empty() {
        line.write(&answers)?;
    }
    if !deliveries.is_empty() {
        for other in room.lines.iter().filter(|other| !Arc::ptr_eq(other, line)) {
            // Who fails here ends by itself.
            let _ = other.write(&deliveries);
        }
    }
    Ok(())
}

fn deliver(part: SendPart, seq: u64, member: &Member) -> Deliver {
    let message = Delivered {
        message_id: Bytes::from_static(MESSAGE_ID),
        conversation: member.conversation.clone(),
        seq,
        from: member.uid.clone(),
        client_msg_id: part.client_msg_id,
        at: AT,
        content: part.content,
        alert: true,
    };
    Deliver { messages: vec![message] }
}

fn put(out: &mut BytesMut, serial: i32, kind: Kind, body: &impl Message) {
    let length = HEADER_BYTES + body.encoded_len();
    out.reserve(length);
    let length = i32::try_from(length).unwrap_or(i32::MAX);
    Header { length, serial, command: kind.number(), code: 0 }.put(out);
    body.encode(out).expect("a growing buffer has room");
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder of this lock can panic")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The floor is one only if its packets are as large as a server's.
    #[test]
    fn the_relays_packets_are_those_of_a_server() {
        let send = body::Send {
            to: Some(body::To { user: Some("bob".into()), ..body::To::default() }),
            client_msg_id: "0f9c7f2e".into(),
            content: Bytes::from_static(b"{\"type\":\"text\"}"),
            ..body::Send::default()
        };
        let part = SendPart::decode(Bytes::from(send.encode_to_vec())).unwrap();
        let member = Member {
            room: Arc::default(),
            conversation: Bytes::from_static(b"d:alice:bob"),
            uid: Bytes::from_static(b"alice"),
        };
        let mut relayed = BytesMut::new();
        put(&mut relayed, 0, Kind::Deliver, &deliver(part, 7, &member));
        let served = nightjar_wire::deliver_bytes(body::Message {
            message_id: String::from_utf8(MESSAGE_ID.to_vec()).unwrap(),
            conversation: "d:alice:bob".into(),
            seq: 7,
            from: "alice".into(),
            client_msg_id: send.client_msg_id,
            at: AT,
            content: send.content,
            alert: true,
            pushed: false,
        });
        assert_eq!(relayed.freeze(), served);
    }
}
