//! One connection from its first packet to its last byte.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use nightjar_decider::{Connection, Mail};
use nightjar_model::{DeviceId, Mono, Reject, Secret};
use nightjar_session::{Claims, Frame, Input, Output, RequestId, Session};
use tokio::time::{Instant, sleep_until, timeout};

use crate::gateway::NativeGateway;
use crate::transport::{Received, Transport};

/// Clients of a draining server come back spread over so long.
const RECONNECT_SPREAD_MS: u64 = 3_000;
/// Frames are joined into one write up to this many bytes, and one frame more.
const WRITE_BYTES: usize = 64 << 10;
/// A connection that is over may take so long to write its last words.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Without any deadline the connection looks at its session this often.
const IDLE: Duration = Duration::from_secs(3600);

/// What a connection waits for.
enum Event {
    Written(io::Result<()>),
    Received(Received),
    Mail(Option<std::collections::VecDeque<Mail>>),
    Time,
}

/// Runs a connection until it is over. Transport and session stay with the caller: moved in, they
/// would take their room twice.
pub(crate) async fn drive<T: Transport>(
    gateway: &NativeGateway,
    transport: &mut T,
    session: &mut Session,
    address: SocketAddr,
) {
    let connection = gateway.handle.connect();
    let clock = gateway.handle.clock;
    let mut timer = pin!(sleep_until(Instant::now()));
    let mut armed: Option<Mono> = None;
    loop {
        let end = carry_out(gateway, transport, session, &connection, address).await;
        // The ends are boxed: they come once, and every idle connection would hold room for them.
        if let Some(linger_ms) = end {
            return Box::pin(finish(transport, linger_ms)).await;
        }
        if session.is_over() {
            let words = last_words(gateway, transport, session, &connection, address);
            return Box::pin(words).await;
        }
        // An earlier alarm than needed is cheap: the session sees that nothing is due. So the
        // alarm moves only when it would ring too late.
        let wanted = session.wait_until();
        if armed.is_none() || wanted < armed {
            armed = wanted;
            let at = wanted.map_or_else(|| Instant::now() + IDLE, |at| clock.instant(at).into());
            timer.as_mut().reset(at);
        }
        let event = tokio::select! {
            event = next_io(transport, session.wants_input()) => event,
            mail = connection.mail() => Event::Mail(mail),
            () = timer.as_mut() => Event::Time,
        };
        match event {
            Event::Written(Ok(())) => {}
            Event::Written(Err(_)) => session.handle(Input::Closed, clock.now()),
            Event::Received(received) => take(session, received, gateway),
            Event::Mail(Some(mail)) => {
                let now = clock.now();
                for piece in mail {
                    session.handle(input_of(piece), now);
                }
            }
            // More mail than a connection may have: it has not read for long.
            Event::Mail(None) => session.handle(Input::Closed, clock.now()),
            Event::Time => {
                armed = None;
                session.handle(Input::Timeout, clock.now());
            }
        }
    }
}

/// Finishes a write that is under way, then reads if the session wants more.
async fn next_io<T: Transport>(transport: &mut T, wants_input: bool) -> Event {
    poll_fn(|cx| {
        if transport.is_writing()
            && let Poll::Ready(result) = transport.poll_write(cx)
        {
            return Poll::Ready(Event::Written(result));
        }
        if wants_input {
            return transport.poll_receive(cx).map(Event::Received);
        }
        Poll::Pending
    })
    .await
}

fn take(session: &mut Session, received: Received, gateway: &NativeGateway) {
    let now = gateway.handle.clock.now();
    match received {
        Received::Packet(bytes) => session.handle(Input::Packet(&bytes), now),
        Received::Text(text) => session.handle(Input::Text(&text), now),
        Received::Broken(error) => session.handle(Input::Broken(error), now),
        Received::Closed => session.handle(Input::Closed, now),
    }
}

fn input_of(mail: Mail) -> Input<'static> {
    match mail {
        Mail::Reply(request, result) => Input::Reply(RequestId(request), result),
        Mail::Notice(notice) => Input::Notice(notice),
        Mail::Drain => Input::Drain { reconnect_after_ms: RECONNECT_SPREAD_MS },
    }
}

/// Does what the session says until it says nothing or a write has to be waited for. Answers how
/// long to linger once the connection has ended.
async fn carry_out<T: Transport>(
    gateway: &NativeGateway,
    transport: &mut T,
    session: &mut Session,
    connection: &Connection,
    address: SocketAddr,
) -> Option<u64> {
    while !transport.is_writing() {
        let mut queued = 0;
        while queued < WRITE_BYTES {
            match next_step(gateway, transport, session, connection, address) {
                Step::Quiet => break,
                Step::Queued { bytes } => queued += bytes,
                Step::Given(given) => given.await,
                Step::Done => {}
                Step::Close { linger_ms } => return Some(linger_ms),
            }
        }
        if queued == 0 {
            return None;
        }
        if write_now(transport).await.is_err() {
            session.handle(Input::Closed, gateway.handle.clock.now());
            return None;
        }
    }
    None
}

/// What came of one output. The output itself must not be held while anything is waited for: its
/// room would be taken in every idle connection.
enum Step<F> {
    Quiet,
    Queued { bytes: usize },
    Given(F),
    Done,
    Close { linger_ms: u64 },
}

fn next_step<'a, T: Transport>(
    gateway: &NativeGateway,
    transport: &mut T,
    session: &mut Session,
    connection: &'a Connection,
    address: SocketAddr,
) -> Step<impl Future<Output = ()> + use<'a, T>> {
    match session.poll() {
        None => Step::Quiet,
        Some(Output::Send(frame)) => {
            let bytes = match &frame {
                Frame::Binary(packet) => packet.len(),
                Frame::Text(text) => text.len(),
            };
            transport.queue(frame);
            Step::Queued { bytes }
        }
        Some(Output::Verify { token, device_id }) => {
            let result = verify(gateway, &token, &device_id, address);
            session.handle(Input::Verified(result), gateway.handle.clock.now());
            Step::Done
        }
        Some(Output::Measured(platform, measures)) => {
            crate::measured::add(platform, &measures);
            Step::Done
        }
        Some(Output::Command(id, command)) => Step::Given(connection.give(id.0, command)),
        Some(Output::Close { linger_ms }) => Step::Close { linger_ms },
    }
}

/// Gives the kernel what it takes at once.
async fn write_now<T: Transport>(transport: &mut T) -> io::Result<()> {
    poll_fn(|cx| match transport.poll_write(cx) {
        Poll::Ready(result) => Poll::Ready(result),
        // The rest is waited for with everything else.
        Poll::Pending => Poll::Ready(Ok(())),
    })
    .await
}

fn verify(
    gateway: &NativeGateway,
    token: &Secret<String>,
    device_id: &DeviceId,
    address: SocketAddr,
) -> Result<Claims, Reject> {
    let now = gateway.handle.clock.now();
    if !gateway.rate.allows(address.ip(), now.mono) {
        metrics::counter!("nightjar_hellos_limited_total").increment(1);
        return Err(Reject::RateLimited);
    }
    let claims = gateway.tokens.verify(token, now.wall).inspect_err(|_| {
        metrics::counter!("nightjar_hellos_refused_total").increment(1);
    })?;
    let push_token = Some(gateway.tokens.issue_for_push(&claims.uid, device_id, now.wall)?.token);
    let nightjar_access::Claims { uid, device_id, issued_at } = claims;
    Ok(Claims { uid, device_id, issued_at, push_token })
}

/// The session is over but what it said last is not written: it gets a bounded time for that,
/// and the lanes hear the rest of what it says.
async fn last_words<T: Transport>(
    gateway: &NativeGateway,
    transport: &mut T,
    session: &mut Session,
    connection: &Connection,
    address: SocketAddr,
) {
    let words = async {
        loop {
            let end = carry_out(gateway, transport, session, connection, address).await;
            if end.is_some() || !transport.is_writing() {
                return end;
            }
            if poll_fn(|cx| transport.poll_write(cx)).await.is_err() {
                return None;
            }
        }
    };
    let end = timeout(LAST_WORDS, words).await.ok().flatten();
    while let Some(output) = session.poll() {
        if let Output::Command(id, command) = output {
            connection.give(id.0, command).await;
        }
    }
    if let Some(linger_ms) = end {
        finish(transport, linger_ms).await;
    }
}

/// Ends the writing half and reads on for a while: unread input would turn the last frame into a
/// reset at the peer.
async fn finish<T: Transport>(transport: &mut T, linger_ms: u64) {
    if linger_ms == 0 {
        return;
    }
    let end = async {
        if transport.is_writing() {
            poll_fn(|cx| transport.poll_write(cx)).await?;
        }
        poll_fn(|cx| transport.poll_end(cx)).await?;
        poll_fn(|cx| transport.poll_drain(cx)).await;
        Ok::<(), io::Error>(())
    };
    // A peer that does not end in time is dropped.
    let _ = timeout(Duration::from_millis(linger_ms), end).await;
}
