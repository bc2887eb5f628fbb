//! One HTTP/2 connection written by hand (RFC 9113 §4, §6): what a library server cannot be made
//! to do is to leave streams it has received unprocessed.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection that answers some streams with 200 and then says GOAWAY.
#[derive(Debug, Clone, Copy)]
pub struct GoAwayPlan {
    /// GOAWAY is said once so many streams have come.
    pub received: u32,
    /// So many of them, the first ones, count as processed.
    pub processed: u32,
    /// So many of those, the first ones, are answered. Fewer than processed: the connection is
    /// closed after GOAWAY.
    pub answered: u32,
}

const PREFACE_BYTES: usize = 24;
const HEAD_BYTES: usize = 9;
const FRAME_BYTES_MAX: usize = 16 << 10;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// Index 8 of HPACK's static table: `:status 200`.
const STATUS_200: [u8; 1] = [0x88];

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

pub(crate) async fn serve(mut tcp: TcpStream, plan: GoAwayPlan) -> io::Result<()> {
    let mut preface = [0; PREFACE_BYTES];
    tcp.read_exact(&mut preface).await?;
    write(&mut tcp, SETTINGS, 0, 0, &[]).await?;
    let (mut received, mut answered, mut last) = (0, 0, 0);
    let mut said = false;
    while let Some(frame) = read(&mut tcp).await? {
        match frame.kind {
            SETTINGS if frame.flags & ACK == 0 => write(&mut tcp, SETTINGS, ACK, 0, &[]).await?,
            PING if frame.flags & ACK == 0 => {
                write(&mut tcp, PING, ACK, 0, &frame.payload).await?;
            }
            HEADERS => {
                received += 1;
                last = if received <= plan.processed { frame.stream } else { last };
            }
            DATA if frame.flags & END_STREAM != 0 && answered < plan.answered => {
                answered += 1;
                let flags = END_STREAM | END_HEADERS;
                write(&mut tcp, HEADERS, flags, frame.stream, &STATUS_200).await?;
            }
            _ => {}
        }
        if !said && received >= plan.received && answered >= plan.answered {
            said = true;
            let reason = br#"{"reason":"Shutdown"}"#;
            let payload = [&last.to_be_bytes()[..], &0_u32.to_be_bytes(), reason].concat();
            write(&mut tcp, GO_AWAY, 0, 0, &payload).await?;
            if plan.answered < plan.processed {
                return tcp.shutdown().await;
            }
        }
    }
    Ok(())
}

async fn read(tcp: &mut TcpStream) -> io::Result<Option<Frame>> {
    let mut head = [0; HEAD_BYTES];
    match tcp.read_exact(&mut head).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        result => result?,
    };
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(io::Error::other("frame too long"));
    }
    let mut payload = vec![0; length];
    tcp.read_exact(&mut payload).await?;
    let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
    Ok(Some(Frame { kind: head[3], flags: head[4], stream, payload }))
}

async fn write(
    tcp: &mut TcpStream,
    kind: u8,
    flags: u8,
    stream: u32,
    payload: &[u8],
) -> io::Result<()> {
    let length = u32::try_from(payload.len()).map_err(io::Error::other)?.to_be_bytes();
    let id = stream.to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags, id[0], id[1], id[2], id[3]];
    tcp.write_all(&[&head[..], payload].concat()).await
}
