//! One client of a run: a device, its connection, and what it writes.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use nightjar_model::{ClientMsgId, Secret, Target};
use tokio::sync::{Semaphore, watch};

use crate::device::{Device, Habits, Said};
use crate::door::Door;
use crate::pacer::Pace;
use crate::tally::Tally;
use crate::wire::Wire;

/// A connection and its hello may take so long.
const ONLINE_WITHIN: Duration = Duration::from_secs(30);
/// Messages a paced writer has on their way; later ones keep their moments and wait.
pub(crate) const PACED_WINDOW: u32 = 64;

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
    pub(crate) habits: Habits,
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
    pub(crate) to: Target,
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
    pub(crate) uid: String,
    pub(crate) token: Secret<String>,
    /// It gets messages and shows nobody.
    pub(crate) is_frozen: bool,
    pub(crate) writing: Option<Writing>,
}

impl Client {
    /// Connects and lives until the run is dropped. What goes wrong is counted.
    pub(crate) async fn live(mut self) {
        let shared = Rc::clone(&self.shared);
        let permit = shared.opening.acquire().await;
        let opened = tokio::time::timeout(ONLINE_WITHIN, self.say_hello()).await;
        drop(permit);
        let ended = match opened {
            Ok(Ok((wire, device))) => {
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

    async fn say_hello(&mut self) -> Result<(Wire, Device), String> {
        let Shared { door, habits, .. } = &*self.shared;
        let mut device = Device::new(&self.uid, self.token.clone(), self.is_frozen, habits)?;
        let mut wire = door.open(self.number).await.map_err(|error| {
            let address = door.address;
            format!("{address} cannot be connected to ({error}); is the server there, with TLS?")
        })?;
        device.connected(habits, &mut wire.out)?;
        let mut is_online = false;
        while !is_online {
            wire.exchange().await.map_err(lost)?;
            while let Some(packet) = wire.packet().map_err(lost)? {
                let mut said = |said| is_online |= said == Said::Online;
                device.take(&packet, Instant::now(), habits, &mut wire.out, &mut said)?;
            }
        }
        Ok((wire, device))
    }

    async fn talk(&mut self, mut wire: Wire, mut device: Device) -> Result<(), String> {
        let mut phase = self.shared.phase.clone();
        let mut in_flight = 0;
        let mut due = None;
        loop {
            let is_writing = *phase.borrow_and_update() == Phase::Writing;
            if is_writing {
                self.write(&mut device, &mut in_flight, &mut due, &mut wire)?;
            }
            let habits = &self.shared.habits;
            let wait_until = device.wait_until(habits);
            let can_take_moment = is_writing && due.is_none();
            tokio::select! {
                read = wire.exchange() => {
                    read.map_err(lost)?;
                    self.read(&mut device, &mut in_flight, &mut wire)?;
                }
                moment = next_moment(&mut self.writing), if can_take_moment => due = Some(moment),
                () = sleep_until(wait_until), if wait_until.is_some() => {
                    device.time(habits, &mut wire.out)?;
                }
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
        let mut said = |said| match said {
            Said::Online => {}
            Said::Sent(id) => {
                *in_flight -= 1;
                self.with_moment(&id, |moment| self.tally.sent(moment, readers, now));
            }
            Said::Message(id) => {
                self.with_moment(&id, |moment| self.tally.delivered(moment, now));
            }
        };
        while let Some(packet) = wire.packet().map_err(lost)? {
            device.take(&packet, now, &self.shared.habits, &mut wire.out, &mut said)?;
        }
        Ok(())
    }

    fn with_moment(&self, id: &ClientMsgId, act: impl FnOnce(u64)) {
        match moment_of(id.as_str()) {
            Some(moment) => act(moment),
            None => self.shared.error(format!("a message of somebody else: {id}")),
        }
    }

    /// Fills the window, or writes the message that is due.
    fn write(
        &mut self,
        device: &mut Device,
        in_flight: &mut u32,
        due: &mut Option<Instant>,
        wire: &mut Wire,
    ) -> Result<(), String> {
        let Some(writing) = &self.writing else { return Ok(()) };
        let window = if writing.pace.is_some() { PACED_WINDOW } else { writing.window };
        while *in_flight < window {
            let at = match (&writing.pace, due.take()) {
                (Some(_), None) => return Ok(()),
                (Some(_), Some(due)) => due,
                (None, _) => Instant::now(),
            };
            let moment = self.tally.moment(at);
            *in_flight += 1;
            let id = device.message_id(&writing.prefix, moment)?;
            let (to, content) = (&writing.to, &writing.content);
            device.send(to, id, content, &self.shared.habits, &mut wire.out)?;
        }
        Ok(())
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
