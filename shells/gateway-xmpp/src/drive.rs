//! One connection from its first byte to its last.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use nightjar_decider::{Connection, Mail};
use nightjar_model::{Command, Mono, Reply, ScramKeys, Uid};
use nightjar_xmpp::Hash;
use nightjar_xmpp_session::{Bindings, Input, Output, RequestId, Stream};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::bindings;
use crate::gateway::XmppGateway;
use crate::socket::{Socket, SocketTransport};
use crate::transport::{Received, Transport};
use crate::websocket::WebSocketTransport;

/// A TLS handshake may take so long.
const SECURE_WITHIN: Duration = Duration::from_secs(10);
/// Bytes are joined into one write up to this many, and one stanza more.
const WRITE_BYTES: usize = 64 << 10;
/// A connection that is over may take so long to write its last words.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Without any deadline the connection looks at its stream this often.
const IDLE: Duration = Duration::from_secs(3600);

/// What a connection waits for.
enum Event {
    Written(io::Result<()>),
    Received(Received),
    Mail(Option<std::collections::VecDeque<Mail>>),
    Time,
}

/// A transport that may begin to encrypt.
pub(crate) trait Secured: Transport {
    /// The handshake on what was plain; what a login may be bound to then, or `None` if it failed.
    async fn start_tls(&mut self, gateway: &XmppGateway) -> Option<Bindings>;
}

impl Secured for SocketTransport {
    async fn start_tls(&mut self, gateway: &XmppGateway) -> Option<Bindings> {
        let (acceptor, _) = gateway.tls.as_ref()?;
        let (stream, bindings) = secure(gateway, self.take_plain()?, acceptor).await?;
        self.put(Socket::Tls(Box::new(stream)));
        Some(bindings)
    }
}

impl Secured for WebSocketTransport {
    async fn start_tls(&mut self, _: &XmppGateway) -> Option<Bindings> {
        // Never offered there (RFC 7395 §3.9).
        None
    }
}

/// The server's side of a TLS handshake.
pub(crate) async fn secure(
    gateway: &XmppGateway,
    stream: TcpStream,
    acceptor: &TlsAcceptor,
) -> Option<(TlsStream<TcpStream>, Bindings)> {
    // Boxed: the handshake is over soon, and the connection stays.
    let shaken = Box::pin(timeout(SECURE_WITHIN, acceptor.accept(stream))).await;
    let Ok(Ok(stream)) = shaken else {
        metrics::counter!("nightjar_tls_handshakes_failed_total").increment(1);
        return None;
    };
    let (_, certificate) = gateway.tls.as_ref()?;
    let bindings = bindings::of(stream.get_ref().1, certificate);
    Some((stream, bindings))
}

/// Runs a connection until it is over.
pub(crate) async fn drive<T: Secured>(
    gateway: &XmppGateway,
    transport: &mut T,
    stream: &mut Stream,
) {
    let connection = gateway.handle.connect();
    let clock = gateway.handle.clock;
    let mut timer = pin!(sleep_until(Instant::now()));
    let mut armed: Option<Mono> = None;
    loop {
        if let Some(linger_ms) = carry_out(gateway, transport, stream, &connection).await {
            return Box::pin(finish(transport, linger_ms)).await;
        }
        if stream.is_over() && !transport.is_writing() {
            return;
        }
        // An earlier alarm than needed is cheap: the stream sees that nothing is due.
        let wanted = stream.wait_until();
        if armed.is_none() || wanted < armed {
            armed = wanted;
            let at = wanted.map_or_else(|| Instant::now() + IDLE, |at| clock.instant(at).into());
            timer.as_mut().reset(at);
        }
        let event = tokio::select! {
            event = next_io(transport, stream.wants_input()) => event,
            mail = connection.mail() => Event::Mail(mail),
            () = timer.as_mut() => Event::Time,
        };
        let now = clock.now();
        match event {
            Event::Written(Ok(())) => {}
            // More mail than a connection may have: it has not read for long.
            Event::Written(Err(_)) | Event::Mail(None) => stream.handle(Input::Closed, now),
            Event::Received(Received::Bytes(bytes)) => stream.handle(Input::Bytes(&bytes), now),
            Event::Received(Received::Text(text)) => stream.handle(Input::Message(&text), now),
            Event::Received(Received::Closed) => stream.handle(Input::Closed, now),
            Event::Mail(Some(mail)) => {
                for piece in mail {
                    stream.handle(input_of(piece), now);
                }
            }
            Event::Time => {
                armed = None;
                stream.handle(Input::Timeout, now);
            }
        }
    }
}

/// Finishes a write that is under way, then reads if the stream wants more.
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

fn input_of(mail: Mail) -> Input<'static> {
    match mail {
        Mail::Reply(request, result) => Input::Reply(RequestId(request), result),
        Mail::Notice(notice) => Input::Notice(notice),
        Mail::Drain => Input::Drain,
    }
}

/// Does what the stream says until it says nothing or a write has to be waited for. Answers how
/// long to linger once the connection has ended.
async fn carry_out<T: Secured>(
    gateway: &XmppGateway,
    transport: &mut T,
    stream: &mut Stream,
    connection: &Connection,
) -> Option<u64> {
    while !transport.is_writing() {
        let mut queued = 0;
        while queued < WRITE_BYTES {
            match stream.poll() {
                None => break,
                Some(Output::Send(bytes)) => {
                    queued += bytes.len();
                    transport.queue(bytes);
                }
                Some(Output::Command(id, command)) => connection.give(id.0, command).await,
                Some(Output::FindKeys { uid, hash }) => {
                    let keys = Box::pin(keys_of(gateway, uid, hash)).await;
                    stream.handle(Input::Keys(keys), gateway.handle.clock.now());
                }
                Some(Output::StartTls) => {
                    let encrypted = Box::pin(encrypt(gateway, transport)).await;
                    let input = encrypted.map_or(Input::Closed, Input::Secured);
                    stream.handle(input, gateway.handle.clock.now());
                }
                Some(Output::Close { linger_ms }) => return Some(linger_ms),
            }
        }
        if queued == 0 {
            return None;
        }
        if write_now(transport).await.is_err() {
            stream.handle(Input::Closed, gateway.handle.clock.now());
            return None;
        }
    }
    None
}

/// The keys of a user's password; of nobody's for who has none.
async fn keys_of(gateway: &XmppGateway, uid: Uid, hash: Hash) -> ScramKeys {
    let decoy = gateway.passwords.decoy(&uid);
    match gateway.handle.call(Command::Password { uid }).await {
        Ok(Reply::Password(Some(keys))) => match hash {
            Hash::Sha1 => keys.sha1.unwrap_or(decoy),
            Hash::Sha256 => keys.sha256.unwrap_or(decoy),
        },
        _ => decoy,
    }
}

/// Everything said so far leaves in the clear, then the handshake.
async fn encrypt<T: Secured>(gateway: &XmppGateway, transport: &mut T) -> Option<Bindings> {
    let flushed = timeout(LAST_WORDS, poll_fn(|cx| transport.poll_write(cx))).await;
    flushed.ok()?.ok()?;
    transport.start_tls(gateway).await
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

/// Writes the last words, ends the writing half and reads on for a while: unread input would turn
/// the last stanza into a reset.
async fn finish<T: Transport>(transport: &mut T, linger_ms: u64) {
    let linger = async {
        poll_fn(|cx| transport.poll_write(cx)).await?;
        poll_fn(|cx| transport.poll_end(cx)).await?;
        while !matches!(poll_fn(|cx| transport.poll_receive(cx)).await, Received::Closed) {}
        io::Result::Ok(())
    };
    let _ = timeout(Duration::from_millis(linger_ms), linger).await;
}
