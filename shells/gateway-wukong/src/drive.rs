//! One connection from its first packet to its last byte.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use nightjar_decider::{Connection, Mail};
use nightjar_model::Reject;
use nightjar_session::RequestId;
use nightjar_session::wukong::{WkInput, WkLogin, WkOutput, WkPass, WkSession};
use tokio::time::{Instant, sleep_until, timeout};

use crate::gateway::WukongGateway;
use crate::logins::Place;
use crate::tokens;
use crate::transport::Transport;

/// A connection that is over may take so long to write its last words.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Without any deadline the connection looks at its session this often.
const IDLE: Duration = Duration::from_secs(3600);

/// What a connection waits for.
enum Event {
    Written(io::Result<()>),
    Received(Option<Bytes>),
    Mail(Option<VecDeque<Mail>>),
    LoggedOut(&'static str),
    Time,
}

/// What the shell knows of a connection beside its session.
struct Shell<'a> {
    gateway: &'a WukongGateway,
    connection: Connection,
    address: SocketAddr,
    /// Who wants in, and whether as a master.
    login: Option<(Box<WkLogin>, bool)>,
    place: Option<Place>,
}

/// Runs a connection until it is over.
pub(crate) async fn drive<T: Transport>(
    gateway: &WukongGateway,
    transport: &mut T,
    session: &mut WkSession,
    address: SocketAddr,
) {
    let connection = gateway.handle.connect();
    let clock = gateway.handle.clock;
    let mut shell = Shell { gateway, connection, address, login: None, place: None };
    let mut timer = pin!(sleep_until(Instant::now()));
    loop {
        let end = shell.carry_out(transport, session).await;
        if let Some(linger_ms) = end {
            drop(shell.place.take());
            return Box::pin(finish(transport, linger_ms)).await;
        }
        if session.is_over() {
            return;
        }
        let wanted = session.wait_until();
        timer
            .as_mut()
            .reset(wanted.map_or_else(|| Instant::now() + IDLE, |at| clock.instant(at).into()));
        let event = tokio::select! {
            event = next_io(transport, session.wants_input()) => event,
            mail = shell.connection.mail() => Event::Mail(mail),
            text = logged_out(&mut shell.place) => Event::LoggedOut(text),
            () = timer.as_mut() => Event::Time,
        };
        take(session, event, clock.now());
    }
}

fn take(session: &mut WkSession, event: Event, now: nightjar_model::Now) {
    match event {
        Event::Written(Ok(())) => {}
        Event::Received(Some(bytes)) => session.handle(WkInput::Bytes(&bytes), now),
        Event::Mail(Some(mail)) => {
            for piece in mail {
                session.handle(input_of(piece), now);
            }
        }
        Event::LoggedOut(text) => session.handle(WkInput::LoggedOut { text }, now),
        Event::Time => session.handle(WkInput::Timeout, now),
        // Without mail there was more of it than a connection may have.
        Event::Written(Err(_)) | Event::Received(None) | Event::Mail(None) => {
            session.handle(WkInput::Closed, now);
        }
    }
}

fn input_of(mail: Mail) -> WkInput<'static> {
    match mail {
        Mail::Reply(request, result) => WkInput::Reply(RequestId(request), result),
        Mail::Notice(notice) => WkInput::Notice(notice),
        Mail::Drain => WkInput::Drain,
    }
}

/// Resolves once when the device is logged out; a place that was given up never does.
async fn logged_out(place: &mut Option<Place>) -> &'static str {
    if let Some(in_place) = place {
        let text = (&mut in_place.logged_out).await;
        *place = None;
        if let Ok(text) = text {
            return text;
        }
    }
    std::future::pending().await
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

impl Shell<'_> {
    /// Does what the session says until it says nothing or a write has to be waited for. What it
    /// says at its end is done whatever happens. Answers how long to linger after that.
    async fn carry_out<T: Transport>(
        &mut self,
        transport: &mut T,
        session: &mut WkSession,
    ) -> Option<u64> {
        while !transport.is_writing() || session.is_over() {
            match session.poll() {
                None => return None,
                Some(WkOutput::Send(frame)) => {
                    transport.queue(frame);
                    let is_broken = write_now(transport).await.is_err();
                    if is_broken && !session.is_over() {
                        session.handle(WkInput::Closed, self.gateway.handle.clock.now());
                    }
                }
                Some(WkOutput::Verify(login)) => {
                    let result = self.verify(login).await;
                    session.handle(WkInput::Verified(result), self.gateway.handle.clock.now());
                }
                Some(WkOutput::Command(id, command)) => self.connection.give(id.0, command).await,
                Some(WkOutput::Joined) => self.joined().await,
                Some(WkOutput::Close { linger_ms }) => return Some(linger_ms),
            }
        }
        None
    }

    /// Whether the back end set the token.
    async fn verify(&mut self, login: Box<WkLogin>) -> Result<WkPass, Reject> {
        let now = self.gateway.handle.clock.now();
        if !self.gateway.rate.allows(self.address.ip(), now.mono) {
            metrics::counter!("nightjar_hellos_limited_total").increment(1);
            return Err(Reject::RateLimited);
        }
        let WkLogin { uid, device_flag, token, .. } = &*login;
        let found = tokens::verify(&self.gateway.kept, uid, *device_flag, token).await;
        let admitted = found.inspect_err(|_| {
            metrics::counter!("nightjar_hellos_refused_total").increment(1);
        })?;
        self.login = Some((login, admitted.is_master));
        Ok(WkPass { issued_at: admitted.issued_at })
    }

    async fn joined(&mut self) {
        let Some((login, is_master)) = self.login.take() else { return };
        let WkLogin { uid, device_id, device_flag, .. } = *login;
        let (logins, conn) = (&self.gateway.logins, self.connection.conn);
        self.place = Some(logins.joined(&uid, device_flag, &device_id, conn, is_master));
        if is_master
            && let Err(reject) = self.gateway.became_master(&uid, device_flag, &device_id).await
        {
            tracing::warn!(%reject, "the master before this device could not be signed out");
        }
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

/// Writes what is left, ends the writing half and reads on for a while: unread input would turn the
/// last packet into a reset at the peer.
async fn finish<T: Transport>(transport: &mut T, linger_ms: u64) {
    if linger_ms == 0 {
        return;
    }
    let write = async {
        if transport.is_writing() {
            poll_fn(|cx| transport.poll_write(cx)).await?;
        }
        poll_fn(|cx| transport.poll_end(cx)).await
    };
    if !matches!(timeout(LAST_WORDS, write).await, Ok(Ok(()))) {
        return;
    }
    let drain = async { while poll_fn(|cx| transport.poll_receive(cx)).await.is_some() {} };
    // A peer that does not end in time is dropped.
    let _ = timeout(Duration::from_millis(linger_ms), drain).await;
}
