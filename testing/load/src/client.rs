//! One client of a run: a device, its connection, and what it writes.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use nightjar_model::Secret;
use nightjar_wire::body;
use tokio::sync::{Semaphore, watch};

use crate::device::{Device, Said};
use crate::door::Door;
use crate::pacer::Pace;
use crate::tally::Tally;
use crate::wire::Wire;

/// A connection and its hello may take so long.
const ONLINE_WITHIN: Duration = Duration::from_secs(30);
/// Messages a paced writer has on their way; later ones keep their moments and wait.
const PACED_WINDOW: u32 = 64;

/// What all clients are doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Connecting, or waiting for the others.
    Quiet,
    /// Writers write.
    Writing,
}

/// What all clients share.
pub(crate) struct Shared {
    pub(crate) door: Door,
    pub(crate) phase: watch::Receiver<Phase>,
    /// Connections that may be opened at a time.
    pub(crate) opening: Semaphore,
    /// Clients the server took.
    pub(crate) online: Cell<usize>,
    pub(crate) errors: Cell<u64>,
    pub(crate) first_error: RefCell<Option<String>>,
}

impl Shared {
    /// Counts an error; the first is kept for the report.
    pub(crate) fn error(&self, what: String) {
        self.errors.set(self.errors.get() + 1);
        self.first_error.borrow_mut().get_or_insert(what);
    }
}

/// What a client writes.
pub(crate) struct Writing {
    pub(crate) to: body::To,
    pub(crate) content: Bytes,
    /// Messages on their way.
    pub(crate) window: u32,
    /// Clients that get each message.
    pub(crate) readers: u64,
    /// Moments to write at; without them as soon as the window has room.
    pub(crate) pace: Option<Pace>,
    /// Tells apart the messages of all writers of all runs.
    pub(crate) prefix: String,
}

/// One device of one user, with what it does.
pub(crate) struct Client {
    pub(crate) shared: Rc<Shared>,
    pub(crate) tally: Rc<Tally>,
    /// Counts connections of the run.
    pub(crate) number: usize,
    pub(crate) token: Secret<String>,
    /// It gets messages and shows nobody.
    pub(crate) is_frozen: bool,
    pub(crate) writing: Option<Writing>,
}

/// Which device every user has.
const DEVICE_ID: &str = "load";

impl Client {
    /// Connects and lives until the run is dropped. What goes wrong is counted.
    pub(crate) async fn live(mut self) {
        let shared = Rc::clone(&self.shared);
        let permit = shared.opening.acquire().await;
        let mut device = Device::new(self.writing.is_some(), self.is_frozen);
        let opened = tokio::time::timeout(ONLINE_WITHIN, self.say_hello(&mut device)).await;
        drop(permit);
        let ended = match opened {
            Ok(Ok(wire)) => {
                shared.online.set(shared.online.get() + 1);
                let ended = self.talk(wire, device).await;
                shared.online.set(shared.online.get() - 1);
                ended
            }
            Ok(Err(reason)) => Err(reason),
            Err(_) => Err(format!("no answer to a hello within {} s", ONLINE_WITHIN.as_secs())),
        };
        if let Err(reason) = ended {
            shared.error(reason);
        }
    }

    async fn say_hello(&mut self, device: &mut Device) -> Result<Wire, String> {
        let address = self.shared.door.address;
        let mut wire = self.shared.door.open(self.number).await.map_err(|error| {
            format!("{address} cannot be connected to ({error}); is the server there, with TLS?")
        })?;
        device.hello(self.token.expose(), DEVICE_ID, &mut wire.out);
        let mut is_online = false;
        while !is_online {
            wire.exchange().await.map_err(lost)?;
            while let Some(packet) = wire.packet().map_err(lost)? {
                let now = Instant::now();
                device
                    .take(&packet, now, &mut wire.out, |said| is_online |= said == Said::Online)?;
            }
        }
        Ok(wire)
    }

    async fn talk(&mut self, mut wire: Wire, mut device: Device) -> Result<(), String> {
        let mut phase = self.shared.phase.clone();
        let mut in_flight = 0;
        let mut due = None;
        loop {
            let is_writing = *phase.borrow_and_update() == Phase::Writing;
            if is_writing {
                self.write(&mut device, &mut in_flight, &mut due, &mut wire);
            }
            let ack_at = device.ack_at();
            let can_take_moment = is_writing && due.is_none();
            tokio::select! {
                read = wire.exchange() => {
                    read.map_err(lost)?;
                    self.read(&mut device, &mut in_flight, &mut wire)?;
                }
                moment = next_moment(&mut self.writing), if can_take_moment => due = Some(moment),
                () = sleep_until(ack_at), if ack_at.is_some() => device.ack(&mut wire.out),
                changed = phase.changed() => {
                    changed.map_err(|_| "the run ended".to_owned())?;
                    self.skip_moments();
                }
            }
        }
    }

    /// A phase began: moments of the last one are nobody's.
    fn skip_moments(&mut self) {
        if let Some(pace) = self.writing.as_mut().and_then(|writing| writing.pace.as_mut()) {
            pace.skip();
        }
    }

    fn read(
        &self,
        device: &mut Device,
        in_flight: &mut u32,
        wire: &mut Wire,
    ) -> Result<(), String> {
        let now = Instant::now();
        let readers = self.writing.as_ref().map_or(0, |writing| writing.readers);
        while let Some(packet) = wire.packet().map_err(lost)? {
            device.take(&packet, now, &mut wire.out, |said| match said {
                Said::Online => {}
                Said::Sent(moment) => {
                    *in_flight -= 1;
                    self.tally.sent(moment, readers, now);
                }
                Said::Message(id) => match moment_of(&id) {
                    Some(moment) => self.tally.delivered(moment, now),
                    None => self.shared.error(format!("a message of somebody else: {id}")),
                },
            })?;
        }
        Ok(())
    }

    /// Fills the window, or writes the message that is due.
    fn write(
        &mut self,
        device: &mut Device,
        in_flight: &mut u32,
        due: &mut Option<Instant>,
        wire: &mut Wire,
    ) {
        let Some(writing) = &self.writing else { return };
        let window = if writing.pace.is_some() { PACED_WINDOW } else { writing.window };
        while *in_flight < window {
            let at = match (&writing.pace, due.take()) {
                (Some(_), None) => return,
                (Some(_), Some(due)) => due,
                (None, _) => Instant::now(),
            };
            let moment = self.tally.moment(at);
            *in_flight += 1;
            let send = body::Send {
                to: Some(writing.to.clone()),
                client_msg_id: device.message_id(&writing.prefix, moment),
                content: writing.content.clone(),
                ..body::Send::default()
            };
            device.send(send, moment, &mut wire.out);
        }
    }
}

fn lost(error: std::io::Error) -> String {
    format!("a connection was lost: {error}")
}

async fn next_moment(writing: &mut Option<Writing>) -> Instant {
    match writing {
        Some(Writing { pace: Some(pace), .. }) => pace.due().await,
        _ => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<Instant>) {
    if let Some(at) = at {
        tokio::time::sleep_until(at.into()).await;
    }
}

/// The moment in a client's message id: its last 12 hex digits.
fn moment_of(client_msg_id: &str) -> Option<u64> {
    let digits = client_msg_id.get(client_msg_id.len().checked_sub(12)?..)?;
    u64::from_str_radix(digits, 16).ok()
}
