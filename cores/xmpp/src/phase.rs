//! Where a connection is in its life.

/// A connection's life as the server sees it (RFC 6120 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// A stream is to be opened by somebody who is not known.
    Opening,
    /// The client chooses TLS, or a way to log in.
    Negotiating,
    /// The shell does the TLS handshake.
    Securing,
    /// The shell looks up what is kept of a password.
    FindingKeys,
    /// The client is to prove that it knows the password.
    Proving,
    /// Logged in: the stream is to be opened anew.
    Reopening,
    /// The client is to say which of the user's devices this is.
    Binding,
    /// The lanes look at the device.
    Joining,
    /// Open for stanzas.
    Live,
    /// Over.
    Closed,
}

/// What moves a connection on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// A good stream header.
    Header,
    /// `<starttls/>`, where TLS is required.
    StartTls,
    /// The handshake is done.
    Secured,
    /// The first message of a login.
    Login,
    /// The login failed, and may be tried again.
    LoginFailed,
    /// The keys are here, and the client has its answer.
    Challenged,
    /// The proof is good.
    Proven,
    /// A resource was asked for.
    Bind,
    /// The lanes took the device.
    Joined,
    /// The stream ends, whoever ends it.
    End,
}

impl Phase {
    /// Every phase.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 10] = [
        Self::Opening,
        Self::Negotiating,
        Self::Securing,
        Self::FindingKeys,
        Self::Proving,
        Self::Reopening,
        Self::Binding,
        Self::Joining,
        Self::Live,
        Self::Closed,
    ];

    /// The table. `None`: it is not welcome here.
    pub(crate) fn next(self, event: Event) -> Option<Self> {
        use Event as E;
        Some(match (self, event) {
            (Self::Closed, _) => return None,
            (_, E::End) => Self::Closed,
            (Self::Opening, E::Header) | (Self::Proving, E::LoginFailed) => Self::Negotiating,
            (Self::Negotiating, E::StartTls) => Self::Securing,
            (Self::Securing, E::Secured) => Self::Opening,
            (Self::Negotiating, E::Login) => Self::FindingKeys,
            (Self::Negotiating, E::LoginFailed) => Self::Negotiating,
            (Self::FindingKeys, E::Challenged) => Self::Proving,
            (Self::Proving, E::Proven) => Self::Reopening,
            (Self::Reopening, E::Header) => Self::Binding,
            (Self::Binding, E::Bind) => Self::Joining,
            (Self::Joining, E::Joined) => Self::Live,
            _ => return None,
        })
    }

    /// Whether somebody is logged in.
    pub(crate) fn is_known(self) -> bool {
        matches!(self, Self::Reopening | Self::Binding | Self::Joining | Self::Live)
    }

    /// Whether the lanes know the connection.
    pub(crate) fn is_known_to_lanes(self) -> bool {
        matches!(self, Self::Joining | Self::Live)
    }

    /// Whether the client's next word may be taken: not while the shell or the lanes are to say
    /// something first.
    pub(crate) fn wants_input(self) -> bool {
        !matches!(self, Self::Securing | Self::FindingKeys | Self::Joining | Self::Closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Event {
        const ALL: [Self; 10] = [
            Self::Header,
            Self::StartTls,
            Self::Secured,
            Self::Login,
            Self::LoginFailed,
            Self::Challenged,
            Self::Proven,
            Self::Bind,
            Self::Joined,
            Self::End,
        ];
    }

    #[test]
    fn every_phase_and_event() {
        let mut table = String::new();
        for phase in Phase::ALL {
            for event in Event::ALL {
                let next = phase.next(event).map_or("-".to_owned(), |next| format!("{next:?}"));
                table +=
                    &format!("{:<12} {:<12} {next}\n", format!("{phase:?}"), format!("{event:?}"));
            }
        }
        insta::assert_snapshot!(table);
    }
}
