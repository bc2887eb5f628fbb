//! Where a connection is in its life.

/// A connection's life as the server sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Nothing but a `hello` is welcome.
    AwaitHello,
    /// The shell checks the token.
    Verifying,
    /// The lanes look at the hello.
    Joining,
    /// Open for everything.
    Live,
    /// Nothing new is taken; requests on their way still get their answers, and what was delivered
    /// may still be acknowledged.
    Draining,
    /// Over.
    Closed,
}

/// What moves a connection on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// A well-formed `hello`.
    Hello,
    /// A `hello` that can be corrected: a field is missing or has a wrong value.
    BadHello,
    /// Any other packet that can be read.
    Packet,
    /// Bytes that cannot be read, or a refusal that ends connections.
    Broken,
    /// The token is good, and for this device.
    TokenGood,
    /// The lanes took the hello.
    Joined,
    /// The lanes answered or said something else.
    Word,
    /// One side ends it: kicked, replaced, signed out, slow, the client's `bye`.
    Bye,
    /// The time of this phase is over, or the peer has been silent for too long.
    TimeOver,
    /// The server goes away.
    Drain,
    /// While draining: every request has its answer, and nothing more is waited for.
    Answered,
    /// The socket ended.
    SocketEnded,
}

impl Phase {
    /// Every phase.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 6] = [
        Self::AwaitHello,
        Self::Verifying,
        Self::Joining,
        Self::Live,
        Self::Draining,
        Self::Closed,
    ];

    /// The whole table. `None`: the event came too early, too late or twice; it is ignored.
    pub(crate) fn next(self, event: Event) -> Option<Self> {
        use {Event::*, Phase::*};
        Some(match (self, event) {
            (Closed, _) => return None,
            (_, SocketEnded | TimeOver) => Closed,

            (AwaitHello, Hello) => Verifying,
            (AwaitHello, BadHello) => AwaitHello,
            (Verifying, TokenGood) => Joining,
            (Joining, Joined) => Live,
            (Joining, Word) => Joining,
            (Live, Packet | Word) => Live,
            (Live, Drain) => Draining,
            (Draining, Packet | Word) => Draining,
            (Draining, Answered) => Closed,

            // A hello comes first and once, and nothing before its answer.
            (AwaitHello, Packet) | (Verifying | Joining, Hello | BadHello | Packet) => Closed,
            (Live, Hello | BadHello) => Closed,
            // Who has not joined has no request to wait for.
            (AwaitHello | Verifying | Joining, Drain) => Closed,
            (AwaitHello | Verifying | Joining | Live, Broken | Bye) => Closed,
            (Draining, Broken | Bye) => Closed,

            (Draining, Hello | BadHello | Drain) => return None,
            (AwaitHello | Joining | Live | Draining, TokenGood) => return None,
            (AwaitHello | Verifying | Live | Draining, Joined) => return None,
            (AwaitHello | Verifying, Word) => return None,
            (AwaitHello | Verifying | Joining | Live, Answered) => return None,
        })
    }

    /// Whether the lanes know of the connection, so that they must hear of its end.
    pub(crate) fn is_known_to_lanes(self) -> bool {
        matches!(self, Self::Joining | Self::Live | Self::Draining)
    }
}

impl Event {
    /// Every event.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 12] = [
        Self::Hello,
        Self::BadHello,
        Self::Packet,
        Self::Broken,
        Self::TokenGood,
        Self::Joined,
        Self::Word,
        Self::Bye,
        Self::TimeOver,
        Self::Drain,
        Self::Answered,
        Self::SocketEnded,
    ];
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn table() -> String {
        let mut text = format!("{:12}", "");
        for phase in Phase::ALL {
            write!(text, "{:12}", format!("{phase:?}")).unwrap();
        }
        for event in Event::ALL {
            write!(text, "\n{:12}", format!("{event:?}")).unwrap();
            for phase in Phase::ALL {
                let next = phase.next(event).map_or("-".to_owned(), |next| format!("{next:?}"));
                write!(text, "{next:12}").unwrap();
            }
        }
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_phase_and_event() {
        insta::assert_snapshot!(table());
    }

    #[test]
    fn every_phase_can_end() {
        for phase in Phase::ALL.into_iter().filter(|phase| *phase != Phase::Closed) {
            assert_eq!(phase.next(Event::SocketEnded), Some(Phase::Closed));
            assert_eq!(phase.next(Event::TimeOver), Some(Phase::Closed));
        }
    }
}
