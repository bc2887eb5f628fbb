//! One device: the client core that phones run, with a store in memory that is safe at once.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use nightjar_client_core::{
    Client, Config, ConnectionId, Draft, Event, Identity, Indicator, Input, Output, Restored,
};
use nightjar_model::{ClientMsgId, DeviceId, Mono, Now, Secret, Target, Uid, WallMs};

/// Which device every user has.
const DEVICE_ID: &str = "load";
/// A device that shows nobody what it gets does not say so within a run.
const NEVER_MS: u64 = 3_600_000;

/// What happened that a run needs to know.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// The hello was taken.
    Online,
    /// The server has the message of this client id.
    Sent(ClientMsgId),
    /// A message came, under this client id.
    Message(ClientMsgId),
}

/// What all devices of a run agree on.
pub(crate) struct Habits {
    /// Of devices that show what they get.
    shows: Arc<Config>,
    /// Of those that do not.
    is_frozen: Arc<Config>,
    /// When the run's time began.
    zero: Instant,
}

impl Habits {
    /// So many messages of one conversation are on their way at a time, from 1.
    pub(crate) fn new(window: u32) -> Self {
        let shows = Config {
            client: Some("nightjar-load".into()),
            syncs: false,
            send_window: window,
            ..Config::default()
        };
        let is_frozen = Config { ack_ms: NEVER_MS, ..shows.clone() };
        Self { shows: Arc::new(shows), is_frozen: Arc::new(is_frozen), zero: Instant::now() }
    }

    fn now(&self, at: Instant) -> Now {
        let mono = at.saturating_duration_since(self.zero).as_millis();
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let ms = |ms: u128| u64::try_from(ms).unwrap_or(u64::MAX);
        Now { mono: Mono(ms(mono)), wall: WallMs(ms(wall)) }
    }
}

/// One device of one user, over one connection.
pub(crate) struct Device {
    client: Client,
    connection: Option<ConnectionId>,
    written: u32,
}

impl Device {
    /// A device that is about to connect, and shows what it gets or does not.
    ///
    /// # Errors
    /// The user's name is none.
    pub(crate) fn new(
        uid: &str,
        token: Secret<String>,
        is_frozen: bool,
        habits: &Habits,
    ) -> Result<Self, String> {
        let identity = Identity {
            uid: Uid::parse(uid).map_err(|error| error.to_string())?,
            device_id: DeviceId::parse(DEVICE_ID).map_err(|error| error.to_string())?,
            token,
        };
        let config = if is_frozen { &habits.is_frozen } else { &habits.shows };
        let now = habits.now(Instant::now());
        let client = Client::new(Arc::clone(config), identity, Restored::default(), now);
        Ok(Self { client, connection: None, written: 0 })
    }

    /// The id of the next message; its last 12 digits are the moment it belongs to.
    pub(crate) fn message_id(&mut self, prefix: &str, moment: u64) -> Result<ClientMsgId, String> {
        self.written = self.written.wrapping_add(1);
        let id = format!("{prefix}{:08x}{moment:012x}", self.written);
        ClientMsgId::parse(&id).map_err(|error| error.to_string())
    }

    /// The connection is open: writes the hello.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(crate) fn connected(&mut self, habits: &Habits, out: &mut BytesMut) -> Result<(), String> {
        let mut nobody = |_| {};
        self.handle(Input::Start, Instant::now(), habits, out, &mut nobody)?;
        let connection = self.connection.ok_or("the client does not connect")?;
        self.handle(Input::Connected(connection), Instant::now(), habits, out, &mut nobody)
    }

    /// Writes a message.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(crate) fn send(
        &mut self,
        to: &Target,
        client_msg_id: ClientMsgId,
        content: &Bytes,
        habits: &Habits,
        out: &mut BytesMut,
    ) -> Result<(), String> {
        let draft = Draft {
            client_msg_id: Some(client_msg_id),
            to: to.clone(),
            content: content.clone(),
            push: None,
            expires_at: None,
            depends_on: Vec::new(),
        };
        let input = Input::Send(Box::new(draft));
        self.handle(input, Instant::now(), habits, out, &mut |_| {})
    }

    /// Takes one packet.
    ///
    /// # Errors
    /// What the server said or left out that it should not have: a run has no second connection.
    pub(crate) fn take(
        &mut self,
        packet: &Bytes,
        now: Instant,
        habits: &Habits,
        out: &mut BytesMut,
        said: &mut impl FnMut(Said),
    ) -> Result<(), String> {
        let connection = self.connection.ok_or("a packet before the connection")?;
        self.handle(Input::Packet(connection, packet), now, habits, out, said)
    }

    /// When to call [`Self::time`].
    pub(crate) fn wait_until(&self, habits: &Habits) -> Option<Instant> {
        self.client.wait_until().map(|at| habits.zero + Duration::from_millis(at.0))
    }

    /// The moment of [`Self::wait_until`] came.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(crate) fn time(&mut self, habits: &Habits, out: &mut BytesMut) -> Result<(), String> {
        self.handle(Input::Timeout, Instant::now(), habits, out, &mut |_| {})
    }

    fn handle(
        &mut self,
        input: Input<'_>,
        at: Instant,
        habits: &Habits,
        out: &mut BytesMut,
        said: &mut impl FnMut(Said),
    ) -> Result<(), String> {
        let now = habits.now(at);
        self.client.handle(input, now, &fastrand::u128(..).to_le_bytes());
        loop {
            let mut committed = None;
            while let Some(output) = self.client.poll() {
                match output {
                    Output::Send(_, bytes) => out.extend_from_slice(&bytes),
                    Output::Commit(commit) => committed = Some(commit.number),
                    Output::Event(event) => hear(event, said)?,
                    Output::Connect { connection, .. } if self.connection.is_none() => {
                        self.connection = Some(connection);
                    }
                    Output::Connect { .. } | Output::Close(_) => {
                        return Err("the client gave the connection up".into());
                    }
                    _ => {}
                }
            }
            let Some(number) = committed else { return Ok(()) };
            let random = fastrand::u128(..).to_le_bytes();
            self.client.handle(Input::Committed(number), now, &random);
        }
    }
}

fn hear(event: Event, said: &mut impl FnMut(Said)) -> Result<(), String> {
    match event {
        Event::Link(Indicator::Online) => said(Said::Online),
        Event::Link(Indicator::Waiting { .. }) => return Err("the connection was lost".into()),
        Event::Sent { client_msg_id, .. } => said(Said::Sent(client_msg_id)),
        Event::Message(message) => said(Said::Message(message.client_msg_id.clone())),
        Event::Failed { reason, .. } => return Err(format!("a message failed: {reason:?}")),
        Event::Refused { kind, reject } => return Err(format!("{kind:?} was refused: {reject:?}")),
        Event::TokenNeeded(why) => return Err(format!("the token is refused: {why:?}")),
        Event::Ended(why) => return Err(format!("the server ended it: {why:?}")),
        _ => {}
    }
    Ok(())
}
