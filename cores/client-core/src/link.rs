//! The link to a server as the client sees it.

/// A client's link. What the app's state is, whether the system sees a network and how far the
/// sync is are other facts, kept beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Link {
    /// Nobody wants a connection.
    Stopped,
    /// A connection is wanted and there is none; the next attempt has its moment, or waits for
    /// the network.
    Waiting,
    /// An attempt is on its way.
    Connecting,
    /// The hello is written.
    Greeting,
    /// Logged in.
    Online,
    /// The server wants another token.
    NoToken,
    /// Over for good.
    Ended,
}

/// What moves a link on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LinkEvent {
    /// The app wants to be connected.
    Start,
    /// The app wants to be away.
    Stop,
    /// The moment of the next attempt came, or something makes one promising now.
    Try,
    /// The connection is open.
    Opened,
    /// The server took the hello.
    Greeted,
    /// The attempt failed, or the connection is gone or believed dead.
    Lost,
    /// The token is bad or its time is over.
    TokenBad,
    /// The app gave another token.
    Token,
    /// Kicked, replaced, signed out, refused for good, or the store is broken.
    End,
}

impl Link {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Stopped,
        Self::Waiting,
        Self::Connecting,
        Self::Greeting,
        Self::Online,
        Self::NoToken,
        Self::Ended,
    ];

    /// The whole table. `None`: the event came too early, too late or twice; nothing moves.
    #[must_use]
    pub(crate) fn next(self, event: LinkEvent) -> Option<Self> {
        use {Link::*, LinkEvent::*};
        Some(match (self, event) {
            (Ended, _) => return None,
            (_, End) => Ended,

            (Stopped, Start) => Waiting,
            (Waiting | Connecting | Greeting | Online | NoToken, Stop) => Stopped,

            (Waiting, Try) => Connecting,
            (Connecting, Opened) => Greeting,
            (Greeting, Greeted) => Online,
            (Connecting | Greeting | Online, Lost) => Waiting,
            (Greeting | Online, TokenBad) => NoToken,
            (NoToken, Token) => Waiting,

            (Stopped, Stop | Try | Opened | Greeted | Lost | TokenBad | Token) => return None,
            (Waiting, Start | Opened | Greeted | Lost | TokenBad | Token) => return None,
            (Connecting, Start | Try | Greeted | TokenBad | Token) => return None,
            (Greeting, Start | Try | Opened | Token) => return None,
            (Online, Start | Try | Opened | Greeted | Token) => return None,
            (NoToken, Start | Try | Opened | Greeted | Lost | TokenBad) => return None,
        })
    }

    /// Whether there is a connection or an attempt at one.
    #[must_use]
    pub fn is_connected(self) -> bool {
        matches!(self, Self::Connecting | Self::Greeting | Self::Online)
    }
}

impl LinkEvent {
    /// Every event.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 9] = [
        Self::Start,
        Self::Stop,
        Self::Try,
        Self::Opened,
        Self::Greeted,
        Self::Lost,
        Self::TokenBad,
        Self::Token,
        Self::End,
    ];
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn every_state_and_event() {
        let mut text = format!("{:10}", "");
        for state in Link::ALL {
            write!(text, "{:12}", format!("{state:?}")).unwrap();
        }
        for event in LinkEvent::ALL {
            write!(text, "\n{:10}", format!("{event:?}")).unwrap();
            for state in Link::ALL {
                let next = state.next(event).map_or("-".to_owned(), |next| format!("{next:?}"));
                write!(text, "{next:12}").unwrap();
            }
        }
        let table = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(table);
    }

    #[test]
    fn nothing_leaves_the_end_and_everything_reaches_it() {
        for state in Link::ALL {
            let end = (state != Link::Ended).then_some(Link::Ended);
            assert_eq!(state.next(LinkEvent::End), end);
        }
        for event in LinkEvent::ALL {
            assert_eq!(Link::Ended.next(event), None);
        }
    }
}
