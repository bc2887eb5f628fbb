//! Whether requests of one credential leave: all, none, or one to see whether it is back.

/// Where a credential's circuit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Circuit {
    /// Requests leave.
    #[default]
    Closed,
    /// None leaves before a moment; then one.
    Open,
    /// That one is at the vendor; everything waits for its answer.
    Probing,
}

/// What happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CircuitEvent {
    /// The vendor answered about a message: the credential works.
    Worked,
    /// Enough keys in a row got no such answer.
    Failing,
    /// The vendor says that the whole credential has to wait.
    Refused,
    /// The one request left.
    ProbeLeft,
    /// It was answered as if the credential works.
    ProbeWorked,
    /// It was not.
    ProbeFailed,
    /// It was called back.
    ProbeLost,
}

impl CircuitEvent {
    #[cfg(test)]
    const ALL: [Self; 7] = [
        Self::Worked,
        Self::Failing,
        Self::Refused,
        Self::ProbeLeft,
        Self::ProbeWorked,
        Self::ProbeFailed,
        Self::ProbeLost,
    ];
}

impl Circuit {
    /// The state after an event; `None` where the event changes nothing. Answers to requests that
    /// left before the circuit opened say nothing about what is now: only the probe's does.
    pub(crate) fn next(self, event: CircuitEvent) -> Option<Self> {
        use CircuitEvent as Event;
        match (self, event) {
            (Self::Closed, Event::Failing | Event::Refused) => Some(Self::Open),
            (Self::Open, Event::ProbeLeft) => Some(Self::Probing),
            (Self::Probing, Event::ProbeWorked) => Some(Self::Closed),
            (Self::Probing, Event::ProbeFailed | Event::ProbeLost) => Some(Self::Open),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circuit_table() {
        let mut table = String::new();
        for state in [Circuit::Closed, Circuit::Open, Circuit::Probing] {
            for event in CircuitEvent::ALL {
                let next = state.next(event).map_or("-".to_owned(), |next| format!("{next:?}"));
                let (state, event) = (format!("{state:?}"), format!("{event:?}"));
                table.push_str(&format!("{state:<8} {event:<12} {next}\n"));
            }
        }
        insta::assert_snapshot!(table);
    }
}
