//! How much a client may be given before it acknowledges.

use nightjar_model::limits;

/// The messages on their way to a client, over all conversations.
#[derive(Debug, Default)]
pub(crate) struct Window {
    messages: u64,
    bytes: usize,
    /// Messages asked of the lanes and not here yet.
    reserved: u64,
    /// A message did not fit; only an acknowledgement changes that.
    is_blocked: bool,
}

/// What acknowledgements took out of the window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Freed {
    pub(crate) messages: u64,
    pub(crate) bytes: usize,
}

impl Window {
    /// Takes a message in; false, and closed until the next acknowledgement, if it does not fit.
    /// A message always fits when nothing else is on its way.
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        let fits = self.messages < limits::UNACKED_MESSAGES_MAX
            && self.bytes + bytes <= limits::UNACKED_BYTES_MAX;
        if !fits && self.messages > 0 {
            self.is_blocked = true;
            return false;
        }
        self.messages += 1;
        self.bytes += bytes;
        true
    }

    /// Messages that may be asked of the lanes.
    pub(crate) fn room(&self) -> u64 {
        if self.is_blocked {
            return 0;
        }
        limits::UNACKED_MESSAGES_MAX.saturating_sub(self.messages + self.reserved)
    }

    pub(crate) fn reserve(&mut self, messages: u64) {
        self.reserved += messages;
    }

    pub(crate) fn release(&mut self, messages: u64) {
        self.reserved -= messages;
    }

    /// Whether nothing is on its way to the client.
    pub(crate) fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// Messages and bytes on their way.
    #[cfg(test)]
    pub(crate) fn taken(&self) -> (u64, usize) {
        (self.messages, self.bytes)
    }

    /// Acknowledged messages leave.
    pub(crate) fn free(&mut self, freed: Freed) {
        self.messages -= freed.messages;
        self.bytes -= freed.bytes;
        self.is_blocked &= freed.messages == 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_closes_at_256_messages_and_opens_by_acknowledgement() {
        let mut window = Window::default();
        assert!((0..256).all(|_| window.take(1)));
        assert_eq!(window.room(), 0);
        assert!(!window.take(1));
        window.free(Freed { messages: 1, bytes: 1 });
        assert_eq!(window.room(), 1);
        assert!(window.take(1));
    }

    #[test]
    fn it_closes_at_a_mebibyte_and_stays_closed_until_an_acknowledgement() {
        let mut window = Window::default();
        let half = limits::UNACKED_BYTES_MAX / 2;
        assert!(window.take(half) && window.take(half));
        assert!(!window.take(1));
        window.free(Freed::default());
        assert_eq!(window.room(), 0);
        window.free(Freed { messages: 1, bytes: half });
        assert_eq!(window.room(), 255);
    }

    #[test]
    fn what_was_asked_for_has_its_place() {
        let mut window = Window::default();
        window.reserve(256);
        assert_eq!(window.room(), 0);
        assert!(window.take(1));
        window.release(256);
        assert_eq!(window.room(), 255);
    }
}
